"""``parfocal serve`` in a process of its own, behind granian."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from parfocal.catalogue import Catalogue
from parfocal.config import load
from parfocal.identifiers import record_id, record_path
from parfocal.model import Image, Provenance

PARFOCAL = Path(sys.executable).with_name("parfocal")
AWKWARD = ["a b/c", "a//b", "q?x=1&y#z", "%2F%25", "ends.json", "üñí/日本", "trailing/"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(port: int, path: str, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def wait(port: int, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert process.poll() is None, process.communicate()
        try:
            if ask(port, "/healthz")[0] == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server did not come up")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "parfocal.toml").write_text('data_dir = "data"\n')
    with Catalogue.open(load(tmp_path / "parfocal.toml", environ={})) as catalogue:
        catalogue.add(
            Image(id=record_id("x", name), title=name, provenance=Provenance("x", name))
            for name in AWKWARD
        )
    return tmp_path


def start(folder: Path, port: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [PARFOCAL, "serve", "--port", str(port)],
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "NO_COLOR": "1"},
    )


def test_the_server_answers_and_stops(folder: Path) -> None:
    port = free_port()
    process = start(folder, port)
    try:
        wait(port, process)
        status, body = ask(port, "/api/v1/search?size=100")
        assert (status, json.loads(body)["total"]) == (200, len(AWKWARD))
        for name in AWKWARD:
            path = record_path(record_id("x", name))
            status, body = ask(port, path, Accept="application/json")
            assert (status, json.loads(body)["title"]) == (200, name)
            assert ask(port, path + ".ttl")[0] == 200
        assert ask(port, "/" + "a" * 20_000)[0] == 414
        second = start(folder, port)
        _, told = second.communicate(timeout=60)
        assert second.returncode == 2
        assert f"port {port}" in told
        assert "Traceback" not in told
    finally:
        process.send_signal(signal.SIGINT)
        out, told = process.communicate(timeout=60)
    assert f"http://127.0.0.1:{port}" in out
    assert "Traceback" not in told


def test_nothing_to_serve_is_told(tmp_path: Path) -> None:
    done = subprocess.run(
        [PARFOCAL, "serve"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 4
    assert "parfocal harvest" in done.stderr
