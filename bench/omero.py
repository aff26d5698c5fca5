"""How fast an OMERO server is harvested, against a bare aiohttp client asking for the same pages.

    python bench/omero.py [--images 10000] [--page-size 200] [--check]

A server in a process of its own answers with prepared bytes: data sets of images with annotations.
It is harvested as ``parfocal harvest`` does it, records committed, with 16 requests at once and
politeness off; a bare client asks for exactly the same addresses, also 16 at once, and throws the
answers away. Once with the details of every image (a small page for its channels and one for its
regions of interest), once with what the lists say only (large pages, where the time goes into
committing records). Rounds alternate, and the median ratio counts. ``--check`` ends with exit code
1 when the target is missed with details.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import re
import resource
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from harvester.sources.omero import Omero
from parfocal.pipeline import Harvest
from parfocal.store.sqlite import SqliteStore

TARGET = 0.5
ROUNDS = 5
AT_ONCE = 16
IN_A_DATA_SET = 1000
SCHEMA = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
PERMISSIONS = {"@type": "TBD#Permissions", "perm": "rwr---", "canEdit": False, "isWorldRead": False}
OWNER = {"@id": 2, "@type": f"{SCHEMA}#Experimenter", "FirstName": "Ada", "LastName": "Example"}
GROUP = {"@id": 3, "@type": f"{SCHEMA}#ExperimenterGroup", "Name": "Open data"}
DETAILS = {
    "@type": "TBD#Details",
    "permissions": PERMISSIONS,
    "owner": {"@id": 2},
    "group": {"@id": 3},
}
LENGTH = {"@type": "TBD#LengthI", "Unit": "MICROMETER", "Symbol": "µm", "Value": 0.5}

# ------------------------------------------------------------------ the server


def image(id: int) -> dict[str, Any]:
    """Return an image as a list shows it."""
    pixels = {
        "@id": id,
        "@type": f"{SCHEMA}#Pixels",
        "SizeX": 1344,
        "SizeY": 1024,
        "SizeZ": 1,
        "SizeC": 2,
        "SizeT": 1,
        "PhysicalSizeX": LENGTH,
        "PhysicalSizeY": LENGTH,
        "SignificantBits": 16,
        "Type": {"@id": 6, "@type": "TBD#PixelType", "value": "uint16"},
        "omero:sha1": "0" * 40,
    }
    return {
        "@id": id,
        "@type": f"{SCHEMA}#Image",
        "Name": f"image {id:08d}.tif",
        "Pixels": pixels,
        "AcquisitionDate": 1_449_828_000_000,
        "omero:details": DETAILS,
        "url:image": f"http://127.0.0.1/api/v0/m/images/{id}/",
    }


def page(data: list[Any], offset: int, limit: int, total: int) -> bytes:
    meta = {"offset": offset, "limit": limit, "maxLimit": 500, "totalCount": total}
    return json.dumps(
        {"meta": meta, "data": data, "experimenters": [OWNER], "experimenterGroups": [GROUP]}
    ).encode()


def container(kind: str, id: int, children: int) -> dict[str, Any]:
    return {
        "@id": id,
        "@type": f"{SCHEMA}#{kind}",
        "Name": f"{kind} {id:06d}",
        "omero:details": DETAILS,
        "omero:childCount": children,
    }


class World:
    """Makes each answer once."""

    def __init__(self, images: int) -> None:
        self.images = images
        self.sets = -(-images // IN_A_DATA_SET)
        self.made: dict[str, bytes] = {}
        self.asked: list[str] = []

    def answer(self, place: str) -> bytes:
        self.asked.append(place)
        if place not in self.made:
            self.made[place] = self._make(place)
        return self.made[place]

    def _make(self, place: str) -> bytes:
        path, _, query = place.partition("?")
        pairs = [part.partition("=")[::2] for part in query.split("&") if part]
        names = dict(pairs)
        offset, limit = int(names.get("offset", 0)), int(names.get("limit", 200))
        if path == "/api/":
            return json.dumps({"data": [{"version": "0", "url:base": "/api/v0/"}]}).encode()
        if path == "/api/v0/":
            lists = ("projects", "datasets", "images", "screens", "plates", "rois")
            return json.dumps({f"url:{n}": f"/api/v0/m/{n}/" for n in lists}).encode()
        if path.startswith("/webclient/"):
            return self._annotations(
                [(kind, int(id)) for kind, id in pairs if kind != "page" and kind != "limit"]
            )
        return self._listed(path.removeprefix("/api/v0/m/"), offset, limit, names)

    def _annotations(self, targets: list[tuple[str, int]]) -> bytes:
        pairs = [["Organism", "Homo sapiens"], ["Gene Symbol", "TP53"], ["Compound", "DMSO"]]
        notes = [
            {
                "id": id,
                "class": "MapAnnotationI",
                "ns": "bench",
                "values": pairs,
                "owner": {"id": 2},
                "date": "2015-12-11T10:00:00+00:00",
                "link": {"id": id, "parent": {"id": id, "class": "ImageI"}},
            }
            for kind, id in targets
            if kind == "image"
        ]
        return json.dumps({"annotations": notes, "experimenters": []}).encode()

    def _listed(self, path: str, offset: int, limit: int, names: dict[str, str]) -> bytes:
        alone = re.fullmatch(r"images/(\d+)/", path)
        if alone:
            body = image(int(alone[1]))
            body["Pixels"]["Channels"] = [{"@id": 1, "Name": "DAPI", "Color": 65535}] * 2
            return json.dumps({"data": body}).encode()
        if path == "rois/":
            return page([], 0, 0, 1)
        inside = re.fullmatch(r"datasets/(\d+)/images/", path)
        if inside:
            first = (int(inside[1]) - 1) * IN_A_DATA_SET + 1
            last = min(first + IN_A_DATA_SET - 1, self.images)
            ids = range(first, last + 1)
            shown = [image(id) for id in ids[offset : offset + limit]]
            return page(shown, offset, limit, len(ids))
        if path == "datasets/" or path == "projects/1/datasets/":
            sizes = [min(IN_A_DATA_SET, self.images - n * IN_A_DATA_SET) for n in range(self.sets)]
            every = [container("Dataset", n + 1, size) for n, size in enumerate(sizes)]
            return page(every[offset : offset + limit], offset, limit, self.sets)
        if path == "projects/":
            return page(
                [container("Project", 1, self.sets)][offset : offset + limit], offset, limit, 1
            )
        if path == "images/" and "orphaned" not in names:
            return page([], offset, limit, self.images)
        return page([], offset, limit, 0)


def serve(images: int, pipe: Connection) -> None:
    """Answer until told to end; tell what was asked since the last time."""
    world = World(images)

    async def handle(request: web.BaseRequest) -> web.Response:
        return web.Response(
            body=world.answer(str(request.rel_url)), content_type="application/json"
        )

    async def run() -> None:
        runner = web.ServerRunner(web.Server(handle, access_log=None))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        pipe.send(runner.addresses[0][1])
        while True:
            while not pipe.poll():
                await asyncio.sleep(0.02)
            if pipe.recv() == "end":
                break
            pipe.send(world.asked)
            world.asked = []
        await runner.cleanup()

    asyncio.run(run())


# ------------------------------------------------------------------ the two clients


async def bare(url: str, places: list[str]) -> tuple[float, float]:
    """Ask for all places, 16 at once; return the seconds that it took, by the clock and of CPU."""
    waiting = iter(places)

    async def worker(session: aiohttp.ClientSession) -> None:
        for place in waiting:
            async with session.get(url + place) as response:
                await response.read()

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        start, used = time.perf_counter(), time.process_time()
        await asyncio.gather(*(worker(session) for _ in range(AT_ONCE)))
        return time.perf_counter() - start, time.process_time() - used


def harvested(url: str, folder: Path, options: dict[str, Any]) -> tuple[float, float, int]:
    """Harvest everything into a new store; return seconds, CPU seconds and records."""
    source = Omero("omero", Omero.Options(url=url, rate=0, concurrency=AT_ONCE, **options))
    store = SqliteStore(folder / f"{time.monotonic_ns()}.sqlite")
    start, used = time.perf_counter(), time.process_time()
    report = Harvest(store, "omero", source).run()
    seconds, cpu = time.perf_counter() - start, time.process_time() - used
    assert report.state == "complete", report.message
    assert report.problems == 0
    store.close()
    return seconds, cpu, report.counts.new


def measure(images: int, page_size: int, options: dict[str, Any]) -> dict[str, float]:
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(images, theirs), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{ours.recv()}"
    options = {**options, "page_size": page_size}
    try:
        with tempfile.TemporaryDirectory() as folder:
            harvested(url, Path(folder), options)  # the server prepares its bytes
            ours.send("asked")
            places = ours.recv()
            runs = []
            for _ in range(ROUNDS):
                alone, alone_cpu = asyncio.run(bare(url, places))
                seconds, cpu, records = harvested(url, Path(folder), options)
                runs.append((alone / seconds, alone, seconds, records, alone_cpu, cpu))
    finally:
        ours.send("end")
        server.join(5)
    ratio, alone, seconds, records, alone_cpu, cpu = sorted(runs)[ROUNDS // 2]
    pages = len(places)
    return {
        "ratio": ratio,
        "pages": pages,
        "bare": pages / alone,
        "harvest": pages / seconds,
        "records": records / seconds,
        "bare_cpu": alone_cpu / pages * 1e6,
        "cpu": cpu / pages * 1e6,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--page-size", type=int, default=200)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    listed = {"details": "listed", "roi_counts": False}
    found = {
        "details of every image": measure(given.images // 4, given.page_size, {}),
        "lists only": measure(given.images, given.page_size, listed),
    }
    for name, one in found.items():
        print(
            f"{name}: {one['pages']:.0f} pages, bare client {one['bare']:.0f} pages/s,"
            f" harvest {one['harvest']:.0f} pages/s ({one['records']:.0f} records/s committed):"
            f" {one['ratio']:.0%}; CPU a page {one['bare_cpu']:.0f} and {one['cpu']:.0f} us"
        )
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    met = found["details of every image"]["ratio"] >= TARGET
    return 1 if given.check and not met else 0


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    sys.exit(main())
