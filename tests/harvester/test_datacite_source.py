"""The source ``datacite``: DOIs by DataCite's REST interface."""

from __future__ import annotations

import asyncio
import json
from datetime import date
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from harvester.sources.datacite import DataciteDois
from parfocal.model import Dataset, KeyValue
from parfocal.store.sqlite import SqliteStore
from parfocal.testing.http_sources import FAST, HttpSourceContract, harvest
from parfocal.testing.loopback import Loopback, serve
from parfocal.testing.sources import Visit, fetch_all, normalise_all, raw_items
from parfocal.values import Problem, RawItem, Unchanged
from tests.fakes.datacite_rest import FakeDataciteRest


def source_at(server: Loopback, **more: object) -> DataciteDois:
    settings = {"url": server.url, "prefix": "10.5072", **FAST, **more}
    return DataciteDois("dois", DataciteDois.Options(**settings))


class TestDatacite(HttpSourceContract):
    misbehaviour = ("empty", "duplicate-page", "endless-next")
    skips_unchanged = True

    @pytest.fixture
    def archive(self) -> FakeDataciteRest:
        return FakeDataciteRest()

    @pytest.fixture
    def source(self, server: Loopback) -> DataciteDois:
        return source_at(server, page_size=3)

    @pytest.fixture
    def name(self) -> str:
        return "dois"


def test_last_full_page_is_followed_by_an_empty_one() -> None:
    with serve(FakeDataciteRest(6)) as server:
        found = fetch_all(source_at(server, page_size=3))
    assert len(raw_items(found)) == 6
    assert not [one for one in found if isinstance(one, Problem)]
    assert [len(asked.one("page[cursor]")) > 1 for asked in server.asked] == [
        False,
        False,
        True,
        True,
    ]


def test_only_changes_are_asked_for_again() -> None:
    archive, store = FakeDataciteRest(100), SqliteStore()
    with serve(archive) as server:
        source = source_at(server, page_size=10)
        harvest(store, "dois", source)
        server.forget()
        archive.change()
        archive.add()
        report = harvest(store, "dois", source)
        assert (report.counts.new, report.counts.changed) == (1, 1)
        assert len(server.asked) == 3
        server.forget()
        archive.remove()
        report = harvest(store, "dois", source)
        assert report.counts.tombstoned == 1


def test_client_query_and_kind_are_asked_for() -> None:
    archive = FakeDataciteRest(4)
    archive.add(titles=[{"title": "Mitosis"}])
    with serve(archive) as server:
        source = source_at(
            server, client="example.lab", query="mitosis", resource_type="dataset", prefix=""
        )
        keys = [item.key for item in raw_items(fetch_all(source))]
        assert keys == ["10.5072/cells.5"]
        asked = server.asked[-1]
        assert asked.one("client-id") == "example.lab"
        assert asked.one("resource-type-id") == "dataset"
        asyncio.run(_all(source.fetch_since(date(2024, 1, 2), Visit())))
        assert server.asked[-1].one("query") == "(mitosis) AND updated:[2024-01-02 TO *]"


async def _all(stream) -> list[object]:
    return [one async for one in stream]


def test_since_a_day() -> None:
    archive = FakeDataciteRest(20)
    with serve(archive) as server:
        found = asyncio.run(_all(source_at(server).fetch_since(date(2024, 1, 5), Visit())))
    wanted = [one["doi"] for one in archive.dois if one["updated"] >= "2024-01-05"]
    assert [item.key for item in found if isinstance(item, RawItem)] == wanted
    assert found[-1] == Unchanged("", below=True)


def test_login_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATACITE_PASSWORD", "correct horse")
    with serve(FakeDataciteRest()) as server:
        fetch_all(source_at(server, user="EXAMPLE.LAB", password="env:DATACITE_PASSWORD"))
    assert {asked.headers["authorization"] for asked in server.asked} == {
        "Basic RVhBTVBMRS5MQUI6Y29ycmVjdCBob3JzZQ=="
    }


def test_record_says_everything_but_how_often_it_was_looked_at() -> None:
    with serve(FakeDataciteRest(1)) as server:
        source = source_at(server)
        (study,) = normalise_all(source, fetch_all(source))
    assert isinstance(study, Dataset)
    assert (study.id, study.title, study.description) == (
        "dois:10.5072/cells.1",
        "Cells 1",
        "Words",
    )
    assert (study.date, study.licence, study.publisher) == (
        "2024-01-01", "CC-BY-4.0", "Example Archive")  # fmt: skip
    assert study.identifiers == ("doi:10.5072/cells.1",)
    assert study.links[0].url == "https://archive.example/1"
    person = study.creators[0]
    assert (person.orcid, person.ror) == ("0000-0002-1825-0097", "02mhbdp94")
    assert KeyValue("relationships.client.data.id", "example.lab") in study.key_values
    assert not [pair for pair in study.key_values if "Count" in pair.key]


def test_a_source_must_be_a_part_of_datacite() -> None:
    for options in ({}, {"prefix": "10.5072", "user": "a"}, {"prefix": "1", "page_size": 2000}):
        with pytest.raises(ValidationError):
            DataciteDois.Options(**options)


@pytest.mark.corpus
def test_fake_answers_as_the_interface_is_described(corpus: Path) -> None:
    from jsonschema import Draft4Validator

    described = yaml.safe_load((corpus / "standards/datacite/openapi.yaml").read_text())
    schema = {
        "$ref": "#/components/schemas/DoiListItem",
        "components": {"schemas": described["components"]["schemas"]},
    }
    fake = FakeDataciteRest(1)
    Draft4Validator(schema).validate(json.loads(json.dumps(fake.entry(fake.dois[0]))))


@pytest.mark.corpus
def test_real_answers_are_read(corpus: Path) -> None:
    source = DataciteDois("dois", DataciteDois.Options(prefix="10"))
    read = 0
    for file in sorted((corpus / "api/commonmeta-cassettes/test-datacite_reader").glob("*.yaml")):
        for asked in yaml.safe_load(file.read_text())["interactions"]:
            if "api.datacite.org" not in asked["request"]["uri"]:
                continue
            entry = json.loads(asked["response"]["body"]["string"])["data"]
            key = entry["attributes"]["doi"]
            item = RawItem(key, json.dumps(entry).encode())
            (study,) = source.normalise(item)
            assert isinstance(study, Dataset)
            assert study.title == entry["attributes"]["titles"][0]["title"]
            assert len(study.creators) == len(entry["attributes"]["creators"])
            assert study.date.startswith(str(entry["attributes"]["publicationYear"]))
            assert study.identifiers[0] == f"doi:{key}"
            read += 1
    assert read == 4
