"""Whether memory stays flat over a long walk: a made-up archive of a million objects.

    python bench/walk.py [--objects 1000000] [--no-graph] [--no-index] [--check]

Walks twice, each in a process of its own: first everything is new, then everything is as it was.
Harvested is as ``parfocal harvest`` does it, index and graph following. The memory of the process
itself is looked at all the time; the second half of a walk must need no more than 64 MB above what
the first half needed at most (the search engine merges ever larger parts of its index; the walk and
the store alone, with ``--no-index``, stay within 32 MB). ``--check`` ends with exit code 1 when it
does not.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

from parfocal.catalogue import Catalogue
from parfocal.config import Settings
from parfocal.harvesting import harvest
from parfocal.identifiers import record_id
from parfocal.interfaces import Walk
from parfocal.model import Dataset, Image, KeyValue, Provenance, Record
from parfocal.values import Fetched, RawItem

A_CONTAINER = 50
MOST_MB = 64
MOST_MB_ALONE = 32
WORDS = ("HeLa", "Homo sapiens", "CDK1", "confocal", "siRNA", "control", "Mus musculus", "DAPI")


class MadeUp:
    """An archive of so many images, fifty in a container."""

    def __init__(self, objects: int) -> None:
        self._objects = objects

    async def fetch(self, walk: Walk) -> AsyncIterator[Fetched]:
        """Yield one raw item for each object, in order."""
        for number in range(int(walk.cursor or -1) + 1, self._objects):
            text = f"{number} {WORDS[number % 8]} {number * 7919 % 1_000_003}"
            yield RawItem(f"i{number:08d}", text.encode(), str(number))

    def normalise(self, item: RawItem) -> Iterable[Record]:
        """Yield an image, and its container with the first of them."""
        number, *words = item.content.decode().split()
        container = record_id("made-up", f"c{int(number) // A_CONTAINER}")
        provenance = Provenance("made-up", item.key)
        if int(number) % A_CONTAINER == 0:
            yield Dataset(id=container, title=f"Container {number}", provenance=provenance)
        yield Image(
            id=record_id("made-up", item.key),
            title=f"Image {number}",
            part_of=container,
            provenance=provenance,
            key_values=tuple(KeyValue(f"Key {n}", word) for n, word in enumerate(words)),
        )


class Nothing:
    """Stands where the graph would be."""

    def __init__(self) -> None:
        self._revision = 0

    def revision(self) -> int:
        return self._revision

    def apply(self, changes: Iterable[Any], revision: int) -> None:
        self._revision = revision

    def clear(self) -> None:
        self._revision = 0

    def close(self) -> None:
        """Hold nothing."""


def own_mb() -> float:
    """Return the memory that is the process's own; pages of files that it maps are the system's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) / 1000


class Watch:
    """Looks at the memory, and remembers how far the walk was."""

    def __init__(self, objects: int) -> None:
        self.seen: list[tuple[float, float]] = []
        self._objects = objects
        self._done = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def progress(self, what: str, done: int, total: int | None, records: int) -> None:
        if what == "made-up":
            self._done = done

    def _look(self) -> None:
        while not self._ended.wait(0.1):
            self.seen.append((self._done / self._objects, own_mb()))

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def most(self, start: float, end: float) -> float:
        return max((mb for share, mb in self.seen if start <= share <= end), default=0.0)


def walk_stage(work: Path, objects: int, graph: bool, index: bool) -> dict[str, Any]:
    """Walk once; return what it took."""
    source = {"name": "made-up", "kind": "made-up"}
    settings = Settings.model_validate({"data_dir": work, "sources": [source]})
    with Catalogue.open(settings) as catalogue:
        catalogue.source = lambda name: MadeUp(objects)  # type: ignore[method-assign]
        if not graph:
            catalogue.graph = Nothing()  # type: ignore[assignment]
        if not index:
            catalogue.index = Nothing()  # type: ignore[assignment]
        watch = Watch(objects)
        start = time.perf_counter()
        (report,) = harvest(catalogue, progress=watch.progress)
        seconds = time.perf_counter() - start
        watch.end()
    return {
        "new": report.counts.new,
        "unchanged": report.counts.unchanged,
        "walk_seconds": report.seconds,
        "seconds": seconds,
        "first_half_mb": watch.most(0.0, 0.5),
        "second_half_mb": watch.most(0.5, 2.0),
    }


def run_stage(*arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, __file__, *arguments], check=True, stdout=subprocess.PIPE, text=True
    )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def is_flat(found: dict[str, Any], most: float) -> bool:
    return bool(found["second_half_mb"] - found["first_half_mb"] <= most)


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--objects", type=int, default=1_000_000, help="images in the archive")
    parser.add_argument("--no-graph", action="store_true", help="leave the triple store out")
    parser.add_argument("--no-index", action="store_true", help="leave the search engine out, too")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--check", action="store_true", help="exit 1 when memory grows")
    parser.add_argument("--stage", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.stage:
        graph, index = not (given.no_graph or given.no_index), not given.no_index
        print(json.dumps(walk_stage(given.work, given.objects, graph, index)))
        return
    options = ["--objects", str(given.objects)]
    options += [
        f"--{name}" for name in ("no-graph", "no-index") if vars(given)[name.replace("-", "_")]
    ]
    with tempfile.TemporaryDirectory(prefix="parfocal-bench-") as work:
        stage = ["--stage", "--work", work, *options]
        measured = {"first": run_stage(*stage), "again": run_stage(*stage)}
    if given.json:
        print(json.dumps(measured))
    else:
        for name, found in measured.items():
            print(
                f"{name:<6} {given.objects:,} objects: walked in {found['walk_seconds']:.0f} s,"
                f" searchable in {found['seconds']:.0f} s;"
                f" memory {found['first_half_mb']:,.0f} MB in the first half,"
                f" {found['second_half_mb']:,.0f} MB in the second"
            )
    most = MOST_MB_ALONE if given.no_index else MOST_MB
    flat = all(is_flat(found, most) for found in measured.values())
    sys.exit(1 if given.check and not flat else 0)


if __name__ == "__main__":
    main()
