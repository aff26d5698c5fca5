"""A harvest killed at random moments, then finished, leaves what an undisturbed one leaves."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from parfocal import config
from parfocal.catalogue import Catalogue
from parfocal.model import ANONYMOUS, encode
from parfocal.query import FacetRequest, Query
from parfocal.query_text import parse_query

KILLS = int(os.environ.get("PARFOCAL_KILLS", "15"))
KILLS_A_ROUND = 3
STUDIES = 8
ROWS = 900
PARFOCAL = Path(sys.executable).with_name("parfocal")

QUESTIONS = (
    "",
    "cyclin",
    'organism:"Homo sapiens"',
    'kv:"Gene Symbol=CDK1"',
    'kv:"Gene Symbol~cdk" -kv:"Gene Symbol=CDK1"',
    "level:study condensation",
    'container:"idr9001-test-kill/screenA"',
)
QUADS = "SELECT ?g ?s ?p ?o WHERE { GRAPH ?g { ?s ?p ?o } }"


def write_study(folder: Path, number: int, rows: int, *, gene: str = "CDK") -> None:
    """Write one study with one screen in IDR's layout."""
    name = f"idr{number}"
    study = folder / f"{name}-test-kill"
    screen = study / "screenA"
    screen.mkdir(parents=True, exist_ok=True)
    (study / f"{name}-study.txt").write_text(
        f"Comment[IDR Study Accession]\t{name}\n"
        f"Study Title\tCondensation of chromosomes, part {number}\n"
        "Study Organism\tHomo sapiens\n"
        "Study Organism Term Accession\tNCBITaxon_9606\n"
        "Screen Number\t1\n"
        f"Comment[IDR Screen Name]\t{name}-test-kill/screenA\n"
        "Screen Imaging Method\tconfocal microscopy\n"
        "Screen Imaging Method Term Accession\tFBbi_00000251\n"
    )
    lines = ["Plate,Well,Characteristics [Organism],Comment [Gene Symbol],Comment [Gene Name]"]
    lines += [
        f"P{row // 96},{'ABCDEFGH'[row % 96 // 12]}{row % 12 + 1},Homo sapiens,"
        f"{gene}{row % 20},cyclin {row}"
        for row in range(rows)
    ]
    (screen / f"{name}-screenA-annotation.csv").write_text("\n".join(lines) + "\n")
    columns = "".join(
        f"  - name: {column}\n    clientname: {client}\n    include: yes\n"
        for column, client in (
            ("Characteristics [Organism]", "Organism"),
            ("Comment [Gene Symbol]", "Gene Symbol"),
            ("Comment [Gene Name]", "Gene Name"),
        )
    )
    (screen / f"{name}-screenA-bulkmap-config.yml").write_text(f"---\ncolumns:\n{columns}")


def write_archive(folder: Path) -> None:
    for number in range(STUDIES):
        write_study(folder, 9000 + number, ROWS)


def change_archive(folder: Path) -> None:
    """The next day: one study gone, one changed, one new."""
    shutil.rmtree(folder / "idr9003-test-kill")
    write_study(folder, 9001, ROWS, gene="CCN")
    write_study(folder, 9100, ROWS)


class Site(NamedTuple):
    """A working folder with settings, archive and data."""

    folder: Path

    @property
    def settings(self) -> Path:
        return self.folder / "parfocal.toml"

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [PARFOCAL, "--config", self.settings, "harvest"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def harvest(self) -> float:
        """Harvest to the end; return the seconds that it took."""
        start = time.monotonic()
        process = self.start()
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors.decode()
        return time.monotonic() - start

    def harvest_until(self, moment: float) -> bool:
        """Harvest and kill -9 after so many seconds; whether it was still running."""
        process = self.start()
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()
        return process.returncode < 0


def make_site(folder: Path) -> Site:
    write_archive(folder / "archive")
    site = Site(folder)
    site.settings.write_text(
        'data_dir = "data"\n[[sources]]\nname = "idr"\nkind = "idr-studies"\npath = "archive"\n'
        # The whole graph is read at once for the comparison.
        "[graph]\nmemory_mb = 8192\ntimeout = 300\n"
    )
    return site


def content(site: Site) -> dict[str, Any]:
    """Everything that a harvest leaves: log, problems, answers of the index, the graph."""
    with Catalogue.open(config.load(site.settings, environ={}), read_only=True) as catalogue:
        store = catalogue.store
        log, reached = [], 0
        while page := store.changes(reached):
            log += [(c.revision, c.seq, c.id, c.record and encode(c.record)) for c in page]
            reached = page[-1].revision
        left: dict[str, Any] = {"log": log, "revision": store.revision()}
        left["problems"] = [problem for _, problem in store.problems("idr")]
        left["records"] = [(s.name, s.records) for s in store.sources()]
        assert catalogue.index.revision() == catalogue.graph.revision() == store.revision()
        for text in QUESTIONS:
            left[text] = answers(catalogue, parse_query(text))
        quads = catalogue.sparql(QUADS, ANONYMOUS, accept="text/tab-separated-values").content
        left["graph"] = sorted(quads.splitlines())
    return left


def answers(catalogue: Catalogue, query: Query) -> Any:
    facets = (FacetRequest("organism", 100), FacetRequest("container", 100))
    page = catalogue.search(Query(query.where, query.level, facets), ANONYMOUS)
    hits = [(hit.id, hit.title) for hit in catalogue.stream(query, ANONYMOUS)]
    return page.total, page.levels, page.facets, hits


def differences(left: dict[str, Any], right: dict[str, Any]) -> list[str]:
    return [name or "everything" for name in left if left[name] != right[name]]


@pytest.mark.slow
def test_killed_harvests_end_like_undisturbed_ones(tmp_path: Path) -> None:
    undisturbed = make_site(tmp_path / "undisturbed")
    first_seconds = undisturbed.harvest()
    first = content(undisturbed)
    assert first["records"] == [("idr", STUDIES * (ROWS + 2))]
    change_archive(undisturbed.folder / "archive")
    second_seconds = undisturbed.harvest()
    second = content(undisturbed)
    assert differences(first, second)

    chance = random.Random(os.environ.get("PARFOCAL_SEED", "9"))
    killed = 0
    for number in range(max(1, KILLS // (2 * KILLS_A_ROUND))):
        site = make_site(tmp_path / f"round{number}")
        killed += disturb(site, first_seconds, chance)
        assert differences(first, content(site)) == [], f"first harvest, round {number}"
        change_archive(site.folder / "archive")
        killed += disturb(site, second_seconds, chance)
        assert differences(second, content(site)) == [], f"second harvest, round {number}"
        shutil.rmtree(site.folder)
    assert killed >= KILLS // 4, f"only {killed} kills hit a running harvest"


def disturb(site: Site, seconds: float, chance: random.Random) -> int:
    """Kill some harvests at random moments, then let one finish; return how many were killed."""
    killed = sum(
        site.harvest_until(chance.uniform(0.1, seconds * 1.1)) for _ in range(KILLS_A_ROUND)
    )
    site.harvest()
    return killed
