"""The source ``s3`` against real S3 servers: moto (unsigned), nanio (checks signatures)."""

from __future__ import annotations

import importlib.util
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harvester.s3 import bucket as s3_bucket
from harvester.sources.s3 import S3Images
from parfocal.errors import SourceRefused
from parfocal.model import Image, Record
from parfocal.testing.sources import Visit, fetch_all, normalise_all, raw_items
from parfocal.values import Problem, Unchanged
from tests.fakes.s3 import FakeS3, put_plate

pytestmark = pytest.mark.server
SECONDS_TO_START = 60
KEY, SECRET = "PARFOCALTEST", secrets.token_hex(16)
OPTIONS: dict[str, Any] = {"bucket": "corpus", "rate": 0, "retries": 1, "retry_wait": 0.01}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def started(
    module: str, command: Callable[[int], list[str]], log: Path, **more: str
) -> Iterator[str]:
    """A server on a free port, while the test runs; skips when it is not installed."""
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"a real S3 server needs the package {module}: pip install 'parfocal[dev]'")
    port = free_port()
    with log.open("wb") as output:
        server = subprocess.Popen(
            command(port), stdout=output, stderr=output, env=os.environ | more, cwd=log.parent
        )
    try:
        end = time.monotonic() + SECONDS_TO_START
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if server.poll() is not None or time.monotonic() > end:
                pytest.skip(f"{module} did not start: {log.read_text(errors='replace')[-300:]}")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An S3 server that answers anybody."""

    def command(port: int) -> list[str]:
        return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]

    yield from started("moto", command, tmp_path_factory.mktemp("moto") / "log")


@pytest.fixture(scope="module")
def nanio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An S3 server that refuses requests without a good signature."""
    folder = tmp_path_factory.mktemp("nanio")

    def command(port: int) -> list[str]:
        place = ["--host", "127.0.0.1", "--port", str(port), "--data-dir", str(folder / "data")]
        return [str(Path(sys.executable).parent / "nanio"), "serve", *place]

    keys = {"NANIO_ACCESS_KEY": KEY, "NANIO_SECRET_KEY": SECRET}
    yield from started("nanio", command, folder / "log", **keys)


def uploaded(url: str, objects: dict[str, bytes], *, signed: bool) -> None:
    """Put objects into the bucket with the reference client."""
    boto3 = pytest.importorskip("boto3")
    client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=KEY if signed else "nobody",
        aws_secret_access_key=SECRET if signed else "nothing",
    )
    if "corpus" in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
        return
    client.create_bucket(Bucket="corpus")
    for key, content in objects.items():
        more = {} if signed else {"ACL": "public-read"}
        client.put_object(Bucket="corpus", Key=key, Body=content, **more)


def small_world() -> dict[str, bytes]:
    """Objects with names that are hard to sign, and enough for two pages of a list."""
    bucket = FakeS3()
    for name in ("plain", "with space", "plus+and&more", "äöü", "100%", "a=b;c", "it's (1)!*", "~"):
        bucket.put_image(f"study/{name}.zarr", name)
    put_plate(bucket, "study/deep/er/plate.zarr", ("A/1",))
    for number in range(70):
        bucket.put(f"wide/note {number:04}.txt", b"x")
    bucket.put_image("wide/zz.zarr", "last")
    return bucket.objects


def titles(records: list[Record]) -> set[str]:
    return {record.title for record in records if isinstance(record, Image)}


@pytest.mark.parametrize("engine", ["http", "obstore"])
@pytest.mark.parametrize("signed", [False, True])
def test_walks_a_real_server(
    signed: bool, engine: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = request.getfixturevalue("nanio" if signed else "moto")
    monkeypatch.setattr(s3_bucket, "PAGE", 20)
    monkeypatch.setenv("OUR_KEY", KEY)
    monkeypatch.setenv("OUR_SECRET", SECRET)
    keys = {"access_key": "env:OUR_KEY", "secret_key": "env:OUR_SECRET"} if signed else {}
    uploaded(url, small_world(), signed=signed)
    source = S3Images("real", S3Images.Options(url=url, engine=engine, **OPTIONS, **keys))
    found = fetch_all(source)
    assert [one for one in found if isinstance(one, Problem)] == []
    records = normalise_all(source, found)
    assert len([r for r in records if isinstance(r, Image)]) == 8 + 2 + 1
    assert {"with space", "plus+and&more", "äöü", "100%", "it's (1)!*", "last"} <= titles(records)
    stamps = {item.key: item.stamp for item in raw_items(found)}
    again = fetch_all(source, walk=Visit(stamps=stamps))
    assert len([one for one in again if isinstance(one, Unchanged)]) == 8 + 3 + 1
    cursors = [item.cursor for item in raw_items(found) if item.cursor]
    place = found.index(next(i for i in raw_items(found) if i.cursor == cursors[4])) + 1
    assert fetch_all(source, cursors[4]) == found[place:]


def test_a_wrong_key_is_refused(nanio: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUR_KEY", KEY)
    monkeypatch.setenv("OUR_SECRET", "wrong" + SECRET)
    keys = {"access_key": "env:OUR_KEY", "secret_key": "env:OUR_SECRET"}
    with pytest.raises(SourceRefused) as caught:
        fetch_all(S3Images("real", S3Images.Options(url=nanio, **OPTIONS, **keys)))
    assert SECRET not in str(caught.value) + caught.value.hint
    with pytest.raises(SourceRefused):
        fetch_all(S3Images("real", S3Images.Options(url=nanio, **OPTIONS)))
