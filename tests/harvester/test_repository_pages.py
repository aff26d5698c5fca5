"""The examples in the pages of the repository sources harvest, and so do their presets."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from parfocal.config import SourceSettings
from parfocal.sources import make_source
from parfocal.store.sqlite import SqliteStore
from parfocal.testing.http_sources import FAST, harvest
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
