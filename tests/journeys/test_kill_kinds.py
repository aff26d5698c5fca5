"""All kinds of sources side by side, killed at random moments: the end is an undisturbed run's.

Archives on disk and archives on loopback are harvested by one command that is killed (-9, or as by
Ctrl-C) again and again and then let finish; then all archives change, and so again. What is left,
store, problems, answers of the index and graph, must be what a run without kills leaves.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from parfocal import config
from parfocal.catalogue import Catalogue
from parfocal.model import ANONYMOUS, encode
from parfocal.query_text import parse_query
from parfocal.testing.loopback import Archive, Asked, Given, serve
from tests.fakes.biostudies import FakeBioStudies
from tests.fakes.crates import crate
from tests.fakes.datacite_rest import FakeDataciteRest
from tests.fakes.invenio import FakeInvenio
from tests.fakes.lab_disk import tiff, write
from tests.fakes.oai import FakeOai
from tests.fakes.omero import FakeOmero, small_world
from tests.fakes.s3 import FakeS3

KILLS = int(os.environ.get("PARFOCAL_KILLS", "10"))
KILLS_A_ROUND = 5
PARFOCAL = Path(sys.executable).with_name("parfocal")
QUADS = "SELECT ?g ?s ?p ?o WHERE { GRAPH ?g { ?s ?p ?o } }"
QUESTIONS = ("", "cells", "study", "type:image", 'organism:"Homo sapiens"')
POLITE = "rate = 0\nretry_wait = 0.05\n"

# ------------------------------------------------------------------ archives on loopback


class Site(NamedTuple):
    """An archive that asks for so many settings, and how it is another one the next day."""

    settings: str
    make: Callable[[], Any]
    change: Callable[[Any], None]


def change_records(archive: Any) -> None:
    archive.change()
    archive.remove()
    archive.add()


def omero_world() -> FakeOmero:
    omero = small_world()
    cells = next(t for t in omero.things.values() if t.name == "Cells")
    for number in range(60):
        omero.image(f"more {number}.tif", cells)
    return omero


def change_omero(omero: FakeOmero) -> None:
    images = {t.name: t for t in omero.things.values() if t.kind == "image"}
    omero.remove(images["more 7.tif"])
    omero.note("map", [["Phenotype", "condensed"]], images["shared.tif"])
    omero.image("new.tif", next(t for t in omero.things.values() if t.name == "Cells"))


def bucket() -> FakeS3:
    made = FakeS3(most_keys=10)
    for number in range(25):
        made.put_image(f"study{number % 3}/image{number:02d}.zarr", f"image {number}")
    return made


def collection() -> FakeBioStudies:
    made = FakeBioStudies()
    for _ in range(15):
        made.add()
    return made


SITES = {
    "oai": Site('kind = "oai-pmh"\nurl = "URL/oai"', lambda: FakeOai(60, page=4), change_records),
    "repo": Site(
        'kind = "invenio"\nurl = "URL"\npage_size = 5', lambda: FakeInvenio(40), change_records
    ),
    "dois": Site(
        'kind = "datacite"\nurl = "URL"\nprefix = "10.5072"\npage_size = 5',
        lambda: FakeDataciteRest(40),
        change_records,
    ),
    "omero": Site('kind = "omero"\nurl = "URL"\npage_size = 8', omero_world, change_omero),
    "s3": Site('kind = "s3"\nurl = "URL"\nbucket = "images"', bucket, change_records),
    "bia": Site('kind = "biostudies"\nurl = "URL"\npage_size = 4', collection, change_records),
}


class Swapped:
    """Stands at one address and is another archive each round."""

    def __init__(self) -> None:
        self.inner: Archive | None = None

    def answer(self, asked: Asked) -> Given:
        assert self.inner is not None
        return self.inner.answer(asked)


class Worlds:
    """All archives, on loopback and on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.urls: dict[str, str] = {}
        self.at: dict[str, Swapped] = {name: Swapped() for name in SITES}

    def begin(self) -> None:
        """Make all archives as they are on the first day."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for name, site in SITES.items():
            self.at[name].inner = site.make()
        for number in range(120):
            path = self.folder / "disk" / f"study{number % 4}" / f"cells{number:03d}.tif"
            write(path, tiff(description=f"cells {number}"))
            os.utime(path, (1_700_000_000 + number,) * 2)
        for number in range(80):
            name = f"S-{number:03d}"
            path = self.folder / "crates" / f"{name}-ro-crate-metadata.json"
            write(path, json.dumps(crate(name)))
            os.utime(path, (1_700_000_000 + number,) * 2)

    def next_day(self) -> None:
        """Something is gone, something changed, something is new."""
        for name, site in SITES.items():
            site.change(self.at[name].inner)
        disk, crates = self.folder / "disk", self.folder / "crates"
        (disk / "study1" / "cells005.tif").unlink()
        for path in (disk / "study2" / "cells002.tif", disk / "study0" / "new.tif"):
            write(path, tiff(width=16, description=f"new cells of {path.name}"))
            os.utime(path, (1_700_100_000,) * 2)
        (crates / "S-003-ro-crate-metadata.json").unlink()
        path = crates / "S-004-ro-crate-metadata.json"
        write(path, json.dumps(crate("S-004", "Another title")))
        os.utime(path, (1_700_100_000,) * 2)

    def settings(self) -> str:
        tables = [
            f'name = "disk"\nkind = "local"\npath = "{self.folder / "disk"}"\n',
            f'name = "crates"\nkind = "rocrate"\npath = "{self.folder / "crates"}"\n',
        ]
        for name, site in SITES.items():
            text = site.settings.replace("URL", self.urls[name])
            tables.append(f'name = "{name}"\n{text}\n{POLITE}')
        sources = "".join(f"[[sources]]\n{table}" for table in tables)
        return f"{sources}[graph]\nmemory_mb = 8192\ntimeout = 300\n[ontology]\nbundled = false\n"


@contextmanager
def served(worlds: Worlds) -> Iterator[Worlds]:
    with ExitStack() as stack:
        for name in SITES:
            worlds.urls[name] = stack.enter_context(serve(worlds.at[name], delay=0.01)).url
        worlds.begin()
        yield worlds


# ------------------------------------------------------------------ harvesting


def start(settings: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [PARFOCAL, "--config", settings, "harvest"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def harvest(settings: Path) -> float:
    """Harvest to the end; return the seconds that it took."""
    begun = time.monotonic()
    process = start(settings)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said.decode()
    return time.monotonic() - begun


def harvest_until(settings: Path, moment: float, chance: random.Random) -> bool:
    """Harvest and end it after so many seconds; whether it was still running."""
    process = start(settings)
    try:
        process.communicate(timeout=moment)
    except subprocess.TimeoutExpired:
        process.send_signal(chance.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGINT)))
        said, _ = process.communicate(timeout=120)
        assert b"Traceback" not in said, said.decode()
    return process.returncode != 0


def content(settings: Path) -> dict[str, Any]:
    """Everything that a harvest leaves, without the numbers that depend on who came first."""
    with Catalogue.open(config.load(settings, environ={}), read_only=True) as catalogue:
        store = catalogue.store
        left: dict[str, Any] = {"records": {}, "gone": set()}
        reached = 0
        while page := store.changes(reached):
            for change in page:
                if change.record is None:
                    left["gone"].add(change.id)
                else:
                    left["records"][change.id] = encode(change.record)
            reached = page[-1].revision
        for state in store.sources():
            found = sorted(repr(problem) for _, problem in store.problems(state.name))
            left[f"problems of {state.name}"] = found
            left[f"count of {state.name}"] = state.records
        assert catalogue.index.revision() == catalogue.graph.revision() == store.revision()
        for text in QUESTIONS:
            hits = catalogue.stream(parse_query(text), ANONYMOUS)
            left[f"answer to {text!r}"] = sorted((hit.id, hit.title) for hit in hits)
        quads = catalogue.sparql(QUADS, ANONYMOUS, accept="text/tab-separated-values").content
        left["graph"] = sorted(quads.splitlines())
    return left


def differences(left: dict[str, Any], right: dict[str, Any]) -> list[str]:
    return [name for name in {**left, **right} if left.get(name) != right.get(name)]


# A harvest that goes on where it was ended takes less time than the whole one.
_REACHED = 0.6


def disturb(settings: Path, seconds: float, chance: random.Random) -> int:
    """End some harvests at random moments, then let one finish; return how many were ended."""
    ended = sum(
        harvest_until(settings, chance.uniform(0.3, seconds * _REACHED), chance)
        for _ in range(KILLS_A_ROUND)
    )
    harvest(settings)
    return ended


def settings_in(folder: Path, worlds: Worlds) -> Path:
    folder.mkdir()
    file = folder / "parfocal.toml"
    file.write_text(worlds.settings())
    return file


@pytest.mark.slow
def test_killed_harvests_of_all_kinds_end_like_undisturbed_ones(tmp_path: Path) -> None:
    chance = random.Random(os.environ.get("PARFOCAL_SEED", "11"))
    with served(Worlds(tmp_path / "archives")) as worlds:
        plain = settings_in(tmp_path / "undisturbed", worlds)
        first_seconds = harvest(plain)
        first = content(plain)
        assert len(first["records"]) > 500
        worlds.next_day()
        second_seconds = harvest(plain)
        second = content(plain)
        assert differences(first, second)
        assert len(second["gone"]) >= len(SITES)
        ended = 0
        for number in range(max(1, KILLS // (2 * KILLS_A_ROUND))):
            worlds.begin()
            settings = settings_in(tmp_path / f"round{number}", worlds)
            ended += disturb(settings, first_seconds, chance)
            assert differences(first, content(settings)) == [], f"first day, round {number}"
            worlds.next_day()
            ended += disturb(settings, second_seconds, chance)
            assert differences(second, content(settings)) == [], f"second day, round {number}"
            shutil.rmtree(settings.parent)
        assert ended >= KILLS // 4, f"only {ended} kills hit a running harvest"
