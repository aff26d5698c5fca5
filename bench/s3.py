"""How fast OME-Zarr in an object store is harvested, against bare obstore at the same concurrency.

    python bench/s3.py [--images 5000] [--at-once 16] [--layout challenge|images|plate|walk]
                       [--engine obstore|http] [--check]

A server of its own process (granian) answers as S3 does, from memory. Measured are metadata objects
a second: bare obstore gets each object that is there once; the harvest walks, reads, normalises
and commits records, with politeness off. Lists and requests for objects that are not there cost the
harvest and count for nothing. ``challenge`` are images with crates and labels, ``images`` without,
``plate`` plates of 384 wells; ``walk --images 1000000`` is a walk over so many keys of no image,
for the memory alone. Rounds alternate, and the medians are compared.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import hashlib
import json
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote

import obstore
import obstore.store

from harvester.sources.s3 import S3Images
from parfocal.pipeline import Harvest
from parfocal.store.sqlite import SqliteStore
from parfocal.values import RunReport

TARGET = 0.6
ROUNDS = 5
LICENCE = "https://creativecommons.org/licenses/by/4.0/"
MODIFIED = b"Sat, 21 Nov 2026 10:00:00 GMT"


# ------------------------------------------------------------------ the archive


def group(**ome: Any) -> bytes:
    attributes = {"ome": {"version": "0.5", **ome}}
    return json.dumps(
        {"zarr_format": 3, "node_type": "group", "attributes": attributes}, indent=2
    ).encode()


def image(number: int) -> bytes:
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    axes = [{"name": "t", "type": "time"}, {"name": "c", "type": "channel"}, *axes]
    datasets = [
        {
            "path": str(level),
            "coordinateTransformations": [
                {"type": "scale", "scale": [1, 1, 0.5, 0.1 * 2**level, 0.1 * 2**level]}
            ],
        }
        for level in range(5)
    ]
    window = {"start": 0, "end": 1500, "min": 0, "max": 65535}
    channels = [
        {"label": label, "color": "00FF00", "active": True, "window": window}
        for label in ("DAPI", "GFP", f"marker {number}")
    ]
    scales = {"name": f"image {number}", "axes": axes, "datasets": datasets}
    return group(multiscales=[scales], omero={"channels": channels})


def array(number: int) -> bytes:
    grid = {"name": "regular", "configuration": {"chunk_shape": [1, 1, 1, 1024, 1024]}}
    codecs = [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "zstd"}]
    shape = [1, 3, 40, 1024, 1000 + number % 24]
    return json.dumps(
        {"zarr_format": 3, "node_type": "array", "shape": shape, "data_type": "uint16",
         "chunk_grid": grid, "codecs": codecs, "dimension_names": list("tczyx")}, indent=2
    ).encode()  # fmt: skip


def crate(number: int) -> bytes:
    root = {"@id": "./", "@type": "Dataset", "name": f"image {number}", "license": LICENCE}
    root["resultOf"] = {"@id": "#acquisition"}  # type: ignore[assignment]
    about = {"@id": "ro-crate-metadata.json", "@type": "CreativeWork", "about": {"@id": "./"}}
    how = {"@id": "#acquisition", "@type": "image_acquisition"}
    how |= {"fbbi_id": {"@id": "obo:FBbi_00000246"}, "specimen": {"@id": "#specimen"}}  # type: ignore[dict-item]
    return json.dumps({"@graph": [about, root, how]}, indent=2).encode()


def put_challenge(objects: dict[str, bytes], path: str, number: int) -> None:
    """An image as the NGFF challenge asks for it, with a crate, and with label images."""
    put_image(objects, path, number)
    objects[f"{path}/ro-crate-metadata.json"] = crate(number)
    objects[f"{path}/labels/zarr.json"] = group(labels=["nuclei"])


def put_image(objects: dict[str, bytes], path: str, number: int) -> None:
    objects[f"{path}/zarr.json"] = image(number)
    for level in range(5):
        objects[f"{path}/{level}/c/0/0/0/0/0"] = b"pixels"
    objects[f"{path}/0/zarr.json"] = array(number)


def archive(images: int, layout: str) -> dict[str, bytes]:
    """Return the objects of a bucket: images in folders of 500, or plates of 384 wells."""
    objects: dict[str, bytes] = {}
    if layout == "walk":
        for number in range(images // 2):
            objects[f"wide/note{number:07d}.txt"] = b"x"
            objects[f"deep{number // 5000:03d}/{number // 50:05d}/x/{number:07d}.txt"] = b"x"
        return objects
    if layout != "plate":
        put = put_challenge if layout == "challenge" else put_image
        for number in range(images):
            put(objects, f"study{number // 500:04d}/image{number:06d}.ome.zarr", number)
        return objects
    for plate in range(images // 768):
        path = f"screen/plate{plate:03d}.zarr"
        wells = [f"{row}/{column}" for row in "ABCDEFGHIJKLMNOP" for column in range(1, 25)]
        named = [{"path": well} for well in wells]
        objects[f"{path}/zarr.json"] = group(plate={"name": f"plate {plate}", "wells": named})
        for number, well in enumerate(wells):
            fields = [{"path": "0"}, {"path": "1"}]
            objects[f"{path}/{well}/zarr.json"] = group(well={"images": fields})
            for field in "01":
                put_image(objects, f"{path}/{well}/{field}", plate * 1000 + number)
    return objects


# ------------------------------------------------------------------ the server


def listings(objects: dict[str, bytes]) -> dict[str, list[str]]:
    """Return for each folder what lies directly in it, in the order of keys."""
    found: dict[str, dict[str, None]] = {}
    for key in objects:
        start = 0
        while (slash := key.find("/", start)) >= 0:
            found.setdefault(key[:start], {})[key[: slash + 1]] = None
            start = slash + 1
        found.setdefault(key[:start], {})[key] = None
    return {prefix: sorted(entries) for prefix, entries in found.items()}


def list_page(objects: dict[str, bytes], entries: list[str], query: dict[str, list[str]]) -> bytes:
    def one(name: str) -> str:
        return query.get(name, [""])[0]

    first = int(one("continuation-token") or 0)
    page = entries[first : first + 1000]
    more = first + 1000 < len(entries)
    parts = [f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>"]
    if more:
        parts.append(f"<NextContinuationToken>{first + 1000}</NextContinuationToken>")
    for entry in page:
        if entry.endswith("/"):
            parts.append(f"<CommonPrefixes><Prefix>{quote(entry)}</Prefix></CommonPrefixes>")
        else:
            parts.append(f"<Contents><Key>{quote(entry)}</Key><Size>{len(objects[entry])}</Size>")
            parts.append("<LastModified>2026-11-21T10:00:00Z</LastModified></Contents>")
    return "".join([*parts, "<EncodingType>url</EncodingType></ListBucketResult>"]).encode()


def make_app() -> Any:
    """Make the ASGI application that granian serves; the environment says which archive."""
    images, layout = os.environ["BENCH_S3"].split()
    objects = archive(int(images), layout)
    folders = listings(objects)
    etags = {key: f'"{hashlib.md5(body).hexdigest()}"'.encode() for key, body in objects.items()}

    def answer(path: str, query: bytes) -> tuple[int, bytes, bytes]:
        key = unquote(path.removeprefix("/bucket")).lstrip("/")
        if not key:
            asked = parse_qs(query.decode())
            entries = folders.get(asked.get("prefix", [""])[0], [])
            return 200, list_page(objects, entries, asked), b""
        body = objects.get(key)
        if body is None:
            return 404, b"<Error><Code>NoSuchKey</Code></Error>", b""
        return 200, body, etags[key]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        status, body, etag = answer(scope["path"], scope["query_string"])
        kind = b"binary/octet-stream" if etag else b"application/xml"
        headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
        headers += [(b"etag", etag), (b"last-modified", MODIFIED)] if etag else []
        await send({"type": "http.response.start", "status": status, "headers": headers})
        sent = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": sent})

    return app


@contextmanager
def served(images: int, layout: str) -> Iterator[str]:
    """Serve the archive from a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "granian", "--interface", "asginl", "--factory", "--no-ws"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--log-level", "error", "s3:make_app"]
    environment = os.environ | {"BENCH_S3": f"{images} {layout}"}
    server = subprocess.Popen(command, cwd=Path(__file__).parent, env=environment)
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)


# ------------------------------------------------------------------ what is measured


async def obstore_alone(url: str, keys: list[str], at_once: int) -> None:
    """Get every key with bare obstore, so many at once."""
    store = obstore.store.S3Store(
        "bucket", endpoint=url, skip_signature=True, client_options={"allow_http": True}
    )
    waiting = iter(keys)

    async def work() -> None:
        for key in waiting:
            await (await obstore.get_async(store, key)).bytes_async()

    await asyncio.gather(*(work() for _ in range(at_once)))


def harvested(url: str, at_once: int, engine: str) -> tuple[SqliteStore, S3Images, RunReport]:
    """Harvest the bucket into an empty store on disk, as ``parfocal harvest`` does."""
    options = S3Images.Options(url=url, bucket="bucket", rate=0, concurrency=at_once, engine=engine)
    store = SqliteStore(Path(tempfile.mkdtemp(prefix="bench-s3-")) / "store.db")
    source = S3Images("bench", options)
    return store, source, Harvest(store, "bench", source).run()


def timed(action: Callable[[], object]) -> float:
    gc.collect()
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def measure(url: str, objects: dict[str, bytes], at_once: int, engine: str) -> float:
    """Print objects a second of both, and return the ratio of the medians."""
    keys = sorted(key for key in objects if key.endswith(".json"))
    bare, ours, again = [], [], []
    for _ in range(ROUNDS):
        bare.append(timed(lambda: asyncio.run(obstore_alone(url, keys, at_once))))
        start = time.perf_counter()
        store, source, report = harvested(url, at_once, engine)
        ours.append(time.perf_counter() - start)
        assert report.state == "complete", report
        assert report.problems == 0, report
        again.append(timed(lambda s=store, o=source: Harvest(s, "bench", o).run()))  # type: ignore[misc]
        store.close()
        shutil.rmtree(Path(str(store.place)).parent)
    rates = [len(keys) / statistics.median(times) for times in (bare, ours)]
    print(f"{len(keys):,} metadata objects, {report.counts.new:,} records, {at_once} at once")
    print(f"obstore alone        {rates[0]:8,.0f} objects/s")
    print(f"harvest              {rates[1]:8,.0f} objects/s, {report.requests:,} requests,"
          f" {report.requests / statistics.median(ours):,.0f} requests/s")  # fmt: skip
    print(f"unchanged, again     {statistics.median(again):8.2f} s")
    print(f"ratio                {rates[1] / rates[0]:8.0%} (target {TARGET:.0%})")
    return rates[1] / rates[0]


class Watched:
    """A walk that notes the memory at every hundredth answer."""

    cursor = mark = ""

    def __init__(self) -> None:
        self.answers = 0
        self.memory: list[float] = []

    def stamp(self, key: str) -> str:
        return ""

    def answered(self, size: int) -> None:
        self.answers += 1
        if self.answers % 100 == 0:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            self.memory.append(pages * resource.getpagesize() / 2**20)


def walk(url: str, at_once: int) -> None:
    """Print how the memory grows over a walk that finds no image."""
    options = S3Images.Options(url=url, bucket="bucket", rate=0, concurrency=at_once)
    watched = Watched()

    async def whole() -> None:
        async for one in S3Images("bench", options).fetch(watched):
            raise AssertionError(one)

    seconds = timed(lambda: asyncio.run(whole()))
    tenth = watched.memory[len(watched.memory) // 10]
    print(f"{watched.answers:,} lists in {seconds:.1f} s")
    print(f"memory {tenth:.0f} MB after a tenth, {watched.memory[-1]:.0f} MB at the end")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--at-once", type=int, default=16)
    parser.add_argument(
        "--layout", choices=("challenge", "images", "plate", "walk"), default="challenge"
    )
    parser.add_argument("--engine", choices=("http", "obstore"), default="obstore")
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    if given.layout == "walk":
        with served(given.images, "walk") as url:
            walk(url, given.at_once)
        return 0
    objects = archive(given.images, given.layout)
    with served(given.images, given.layout) as url:
        ratio = measure(url, objects, given.at_once, given.engine)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    return 1 if given.check and ratio < TARGET else 0


if __name__ == "__main__":
    sys.exit(main())
