"""The source ``dataverse``: data sets of a Dataverse."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import date

import pytest
from pydantic import ValidationError

from harvester.sources.dataverse import DataverseSets
from parfocal.model import Dataset, Image, KeyValue
from parfocal.store.sqlite import SqliteStore
from parfocal.testing.http_sources import FAST, HttpSourceContract, harvest
from parfocal.testing.loopback import Loopback, serve
from parfocal.testing.sources import Visit, fetch_all, normalise_all, raw_items
from parfocal.values import Problem, RawItem, Unchanged
from tests.fakes.dataverse import FakeDataverse


def source_at(server: Loopback, **more: object) -> DataverseSets:
    return DataverseSets("dv", DataverseSets.Options(**{"url": server.url, **FAST, **more}))


class Partly(FakeDataverse):
    """One data set is in the list, but cannot be read."""

    def answer(self, asked):
        if asked.one("persistentId").endswith("A2"):
            return self.error(404, "gone")
        return super().answer(asked)


class TestDataverse(HttpSourceContract):
    misbehaviour = ("empty", "duplicate-page")
    skips_unchanged = True

    @pytest.fixture
    def archive(self) -> FakeDataverse:
        return FakeDataverse()

    @pytest.fixture
    def source(self, server: Loopback) -> DataverseSets:
        return source_at(server, page_size=3)

    @pytest.fixture
    def name(self) -> str:
        return "dv"

    @pytest.fixture
    def broken(self) -> Iterator[DataverseSets]:
        with serve(Partly(4)) as server:
            yield source_at(server)


def test_minor_version_is_found_although_sorting_by_date_misses_it() -> None:
    archive, store = FakeDataverse(30), SqliteStore()
    with serve(archive) as server:
        harvest(store, "dv", source_at(server))
        server.forget()
        archive.change()
        report = harvest(store, "dv", source_at(server))
    assert (report.counts.new, report.counts.changed) == (0, 1)
    assert [asked.path for asked in server.asked] == ["/api/search", "/api/datasets/export"]


def test_without_export_the_native_interface_is_asked() -> None:
    with serve(FakeDataverse(3, exports=False)) as plain, serve(FakeDataverse(3)) as rich:
        one = [r.title for r in normalise_all(source_at(plain), fetch_all(source_at(plain)))]
        two = [r.title for r in normalise_all(source_at(rich), fetch_all(source_at(rich)))]
    assert one == two
    assert len(one) == 6


def test_earlier_versions_stand_beside_the_latest() -> None:
    archive = FakeDataverse(3)
    archive.change()
    with serve(archive) as server:
        source = source_at(server, versions="all")
        records = normalise_all(source, fetch_all(source))
    key = archive.sets[1]["key"]
    titles = {record.id: record.title for record in records if isinstance(record, Dataset)}
    assert titles[f"dv:{key}"] == "Cells 2, better"
    assert titles[f"dv:{key}@1.0"] == "Cells 2"
    assert len(titles) == 4


def test_a_data_set_that_cannot_be_read_is_a_problem_and_stays() -> None:
    archive, store = FakeDataverse(4), SqliteStore()
    with serve(archive) as server:
        harvest(store, "dv", source_at(server))
    archive.change()
    archive.__class__ = Partly
    with serve(archive) as server:
        report = harvest(store, "dv", source_at(server))
    assert report.counts.tombstoned == 0
    assert [problem.item for _, problem in store.problems("dv")] == ["doi:10.5072/FK2/A2"]


def test_list_that_never_stands_still_deletes_nothing() -> None:
    class Restless(FakeDataverse):
        def search(self, asked):
            self.sets.insert(0, self.sets.pop())
            for one in self.sets:
                one["published"] = ""
            return super().search(asked)

    with serve(Restless(9)) as server:
        found = fetch_all(source_at(server, page_size=3))
        asked = len(server.asked)
    keys = [item.key for item in raw_items(found)]
    assert len(keys) == len(set(keys))
    assert [one.reason for one in found if isinstance(one, Problem)] == [
        "the list of data sets changed again and again while it was read"
    ]
    assert Unchanged("", below=True) in found
    assert asked < 60


def test_collections_and_words_are_asked_for() -> None:
    archive = FakeDataverse(3)
    archive.add("Mitosis")
    with serve(archive) as server:
        source = source_at(server, query="mitosis", collections=("lab", "core"), harvested=True)
        assert len(raw_items(fetch_all(source))) == 1
        asked = server.asked[0]
    assert asked.query["subtree"] == ["lab", "core"]
    assert "fq" not in asked.query


def test_token_is_sent_in_a_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DV_TOKEN", "secret-7")
    with serve(FakeDataverse(3)) as server:
        fetch_all(source_at(server, token="env:DV_TOKEN"))
    assert {asked.headers["x-dataverse-key"] for asked in server.asked} == {"secret-7"}
    assert not [asked for asked in server.asked if "secret-7" in asked.place]


def test_since_a_day() -> None:
    archive = FakeDataverse(20)

    async def whole(source: DataverseSets) -> list[object]:
        return [one async for one in source.fetch_since(date(2024, 1, 5), Visit())]

    with serve(archive) as server:
        found = asyncio.run(whole(source_at(server)))
    wanted = [s["key"] for s in archive.sets if s["published"] >= "2024-01-05"]
    assert [one.key for one in found if isinstance(one, RawItem)] == wanted
    assert found[-1] == Unchanged("", below=True)


def test_record_says_everything() -> None:
    with serve(FakeDataverse(1)) as server:
        source = source_at(server)
        study, image = normalise_all(source, fetch_all(source))
        root = server.url
    assert isinstance(study, Dataset)
    assert study.id == "dv:doi:10.5072/FK2/A1"
    assert (study.title, study.description, study.date) == ("Cells 1", "Words", "2024-01-01")
    assert (study.licence, study.publisher) == ("CC0-1.0", "Example Dataverse")
    assert study.creators[0].orcid == "0000-0002-1825-0097"
    assert study.identifiers == ("doi:10.5072/fk2/a1", "idr0001")
    assert study.publications[0].doi == "10.1000/paper"
    assert study.publications[0].title == "Example 2024"
    assert study.funding == ("Funder 7",)
    assert study.keywords == ("Medicine, Health and Life Sciences", "human")
    assert study.annotations[0].term == "NCBITaxon:9606"
    pairs = study.key_values
    assert KeyValue("objective", "60x oil", "microscopy") in pairs
    assert KeyValue("channel.dye", "GFP", "microscopy") in pairs
    assert KeyValue("version.versionNumber", "1") in pairs
    assert KeyValue("files.key", "table.tab") in pairs
    assert isinstance(image, Image)
    assert image.id == "dv:doi:10.5072/FK2/A1/plate 1/cells.ome.tif"
    assert image.location == f"{root}/api/access/datafile/11"
    assert (image.format, image.description) == ("OME-TIFF", "One field")
    assert KeyValue("restricted", "true") in image.key_values
    assert KeyValue("filesize", "1234") in image.key_values
    assert image.access.public, "everybody may know that a restricted file exists"


@pytest.mark.parametrize("options", [{"versions": "newest"}, {"page_size": 1}, {"token": "hush"}])
def test_wrong_settings_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DataverseSets.Options(url="https://dataverse.example", **options)
