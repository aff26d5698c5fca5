"""What all repository sources share: examples, presets, walks over changes that are broken off."""

from __future__ import annotations

import contextlib
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from parfocal import pipeline
from parfocal.config import SourceSettings
from parfocal.sources import make_source
from parfocal.store.sqlite import SqliteStore
from parfocal.testing.http_sources import FAST, BrokenOff, Killed, harvest, state
from parfocal.testing.loopback import serve
from tests.fakes.datacite_rest import FakeDataciteRest
from tests.fakes.dataverse import FakeDataverse
from tests.fakes.invenio import FakeInvenio
from tests.fakes.oai import FakeOai

ROOT = Path(__file__).parents[2]


def invenio() -> FakeInvenio:
    archive = FakeInvenio(3)
    for one in archive.records:
        one["communities"] = ["my-institute"]
        one["metadata"]["title"] += " under microscopy"
    return archive


def dataverse() -> FakeDataverse:
    archive = FakeDataverse(0)
    for number in range(3):
        archive.add(f"Light microscopy {number}")
    return archive


def oai() -> FakeOai:
    archive = FakeOai(0, formats=("oai_dc", "datacite"))
    for _ in range(3):
        archive.add("bioimaging")
    return archive


def dois() -> FakeDataciteRest:
    archive = FakeDataciteRest(0)
    for number in range(3):
        archive.add(doi=f"10.6019/s-biad{number}")
    return archive


ARCHIVES = {"invenio": invenio, "dataverse": dataverse, "oai-pmh": oai, "datacite": dois}


def new_records(options: dict[str, Any], name: str, kind: str) -> int:
    with serve(ARCHIVES[kind]()) as server:
        told = {**options, "url": server.url, **FAST}
        source = make_source(SourceSettings.model_validate({"name": name, **told}))
        report = harvest(SqliteStore(), name, source)
    assert (report.state, report.problems) == ("complete", 0), report.message
    return report.counts.new


@pytest.mark.parametrize("kind", ARCHIVES)
def test_example_of_the_page_harvests(kind: str) -> None:
    page = (ROOT / f"docs/sources/{kind}.md").read_text()
    block = re.search(r"^```toml\n(.*?)^```", page, re.M | re.S)
    assert block
    example = tomllib.loads(block[1])["sources"][0]
    assert new_records(example, example["name"], kind) >= 3


@pytest.mark.parametrize(
    ("preset", "kind", "more"),
    [
        ("zenodo", "invenio", {}),
        ("zenodo-oai", "oai-pmh", {}),
        ("datacite", "datacite", {"prefix": "10.6019"}),
        ("harvard-dataverse", "dataverse", {}),
        ("dataverse-demo", "dataverse", {}),
    ],
)
def test_preset_harvests(preset: str, kind: str, more: dict[str, Any]) -> None:
    assert new_records({"preset": preset, **more}, "mine", kind) >= 3


# ------------------------------------------------------------------ walks over changes


def made(kind: str, url: str) -> tuple[str, Any]:
    more = {"datacite": {"prefix": "10"}, "oai-pmh": {"complete_every": 0}}.get(kind, {})
    options = {"name": "mine", "kind": kind, "url": url, **FAST, **more}
    return "mine", make_source(SourceSettings.model_validate(options))


def plain(kind: str) -> Any:
    classes = {"invenio": FakeInvenio, "dataverse": FakeDataverse, "datacite": FakeDataciteRest}
    return classes[kind](9) if kind in classes else FakeOai(9)


@pytest.mark.parametrize("kind", ARCHIVES)
def test_what_goes_after_a_walk_was_killed_is_gone_in_the_end(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "_ITEMS_A_BATCH", 1)
    archive = plain(kind)
    with serve(archive) as server:
        name, source = made(kind, server.url)
        for count in (0, 2, 4):
            store = SqliteStore()
            harvest(store, name, source)
            archive.add()
            with contextlib.suppress(Killed):
                harvest(store, name, BrokenOff(source, count))
            archive.remove()
            for _ in range(2):
                assert harvest(store, name, source).state == "complete"
            fresh = SqliteStore()
            harvest(fresh, name, source)
            assert state(store) == state(fresh), f"killed after {count}"
            archive.add()


@pytest.mark.parametrize("kind", ARCHIVES)
def test_what_goes_while_a_walk_is_under_way_is_gone_in_the_end(kind: str) -> None:
    archive = plain(kind)
    with serve(archive) as server:
        name, source = made(kind, server.url)
        for place in (2, 4, 5):
            store = SqliteStore()
            harvest(store, name, source)
            archive.add()
            archive.remove()
            server.forget()

            def step(_: object, place: int = place) -> None:
                if len(server.asked) == place:
                    archive.remove()

            server.before = step
            harvest(store, name, source)
            server.before = None
            for _ in range(2):
                assert harvest(store, name, source).state == "complete"
            fresh = SqliteStore()
            harvest(fresh, name, source)
            assert state(store) == state(fresh), f"gone at request {place}"
            for _ in range(2):
                archive.add()
