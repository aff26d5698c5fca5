"""What tests everywhere may ask for: the corpus of real metadata, a real Elasticsearch."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from harvester.asking.politeness import HOSTS

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

ROOT = Path(__file__).parents[1]
SERVERS = Path(__file__).parent / "servers"
SECONDS_TO_START = 300
"""The first start fetches the server from Maven Central."""


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real metadata beside the checkout, or where PARFOCAL_CORPUS says."""
    given = os.environ.get("PARFOCAL_CORPUS")
    folder = Path(given) if given else ROOT.parent / "shared" / "corpus"
    if not folder.is_dir():
        pytest.skip(f"no corpus of real metadata at {folder}; PARFOCAL_CORPUS says where it is")
    return folder


@pytest.fixture(autouse=True)
def hosts_are_strangers() -> None:
    """Forget what the process knows of hosts: a later test's server may get the same port."""
    HOSTS._hosts.clear()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


def wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a server answers; skip with its last words when it does not come up."""
    end = time.monotonic() + SECONDS_TO_START
    while not answers(url):
        if server.poll() is not None or time.monotonic() > end:
            server.kill()
            said = log.read_text(errors="replace").strip().splitlines()[-1:] or ["nothing"]
            pytest.skip(f"Elasticsearch did not start here; it said: {said[0][:200]}")
        time.sleep(0.3)


@pytest.fixture(scope="session")
def elasticsearch_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real Elasticsearch: PARFOCAL_ELASTICSEARCH_URL, else one of our own."""
    given = os.environ.get("PARFOCAL_ELASTICSEARCH_URL")
    if given:
        yield given.rstrip("/")
        return
    missing = [tool for tool in ("java", "javac", "mvn", "bash") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"a real Elasticsearch needs {', '.join(missing)}")
    folder = tmp_path_factory.mktemp("elasticsearch")
    log, port = folder / "server.log", free_port()
    environment = {**os.environ, "ES_TRANSPORT_PORT": str(free_port())}
    command = ["bash", str(SERVERS / "elasticsearch.sh"), str(port), str(folder / "node")]
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(url, server, log)
        yield url
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
