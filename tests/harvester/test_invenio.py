"""The source ``invenio``: Zenodo and other InvenioRDM archives."""

from __future__ import annotations

import asyncio
import gzip
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from harvester.asking.http import Http
from harvester.repositories.invenio_dumps import read_ids
from harvester.repositories.invenio_search import Scope, Search, identity
from harvester.sources.invenio import InvenioRecords
from parfocal.errors import SourceMalformed
from parfocal.model import Dataset, Image, KeyValue
from parfocal.store.sqlite import SqliteStore
from parfocal.testing.http_sources import FAST, HttpSourceContract, harvest, state
from parfocal.testing.loopback import Loopback, serve
from parfocal.testing.sources import Visit, fetch_all, normalise_all, raw_items
from parfocal.values import Deleted, Mark, Problem, Unchanged
from tests.fakes.invenio import FakeInvenio


def source_at(server: Loopback, **more: object) -> InvenioRecords:
    return InvenioRecords("repo", InvenioRecords.Options(url=server.url, **{**FAST, **more}))


class TestInvenio(HttpSourceContract):
    misbehaviour = ("empty", "duplicate-page", "endless-next")
    skips_unchanged = True

    @pytest.fixture
    def archive(self) -> FakeInvenio:
        return FakeInvenio()

    @pytest.fixture
    def source(self, server: Loopback) -> InvenioRecords:
        return source_at(server, page_size=3)

    @pytest.fixture
    def name(self) -> str:
        return "repo"

    def test_archive_that_answers_a_search_with_nothing_at_all(self, server: Loopback) -> None:
        server.faults.clear()
        with serve(FakeInvenio(0)) as empty:
            found = fetch_all(source_at(empty))
        assert [type(one) for one in found] == [Mark]


class TestOlderShape(TestInvenio):
    """Zenodo's older answers; a record's files are asked for where the search shows none."""

    test_failure_that_passes = test_failure_that_lasts = None  # as in the newer shape

    @pytest.fixture
    def archive(self) -> FakeInvenio:
        return FakeInvenio(4, old=True, files_in_hits=False)


# ------------------------------------------------------------------ the search's window


def walked(archive: FakeInvenio, **more: object) -> tuple[list[str], list[object], Loopback]:
    with serve(archive) as server:
        found = fetch_all(source_at(server, timeout=30, **more))
    return [item.key for item in raw_items(found)], found, server


def many(count: int, step: timedelta, **more: bool) -> FakeInvenio:
    archive = FakeInvenio(0, cap=1000, **more)
    archive.terse = True
    start = datetime(2024, 5, 1, 0, 0, 0, 250_000, tzinfo=UTC)
    for number in range(count):
        archive.add(when=(start + number * step).isoformat(timespec="microseconds"))
    return archive


def test_a_single_day_with_more_than_the_search_shows() -> None:
    archive = many(10_100, timedelta(milliseconds=2))
    assert {one["created"][:10] for one in archive.records} == {"2024-05-01"}
    keys, found, server = walked(archive, page_size=1000)
    assert sorted(keys) == sorted(one["parent"] for one in archive.records)
    assert not [one for one in found if isinstance(one, Problem)]
    assert len(server.asked) <= 10_100 / 1000 + 5
    assert all(int(asked.one("page", "1")) * 1000 <= 10_000 for asked in server.asked)


def test_a_server_that_does_not_sort_is_asked_for_smaller_spans() -> None:
    archive = many(400, timedelta(seconds=41), sorts=False)
    keys, found, server = walked(archive, page_size=25)
    assert {asked.one("page") for asked in server.asked} == {"1"}
    assert sorted(keys) == sorted(one["parent"] for one in archive.records)
    assert not [one for one in found if isinstance(one, Problem)]


def test_ways_of_sorting_that_a_server_refuses_are_done_without() -> None:
    archive = FakeInvenio(70, sortings=("newest", "oldest"))
    store = SqliteStore()
    with serve(archive) as server:
        source = source_at(server, timeout=30)
        assert harvest(store, "repo", source).counts.new == 140
        for _ in range(40):
            archive.add()
        archive.change()
        report = harvest(store, "repo", source)
        assert (report.state, report.counts.new, report.counts.changed) == ("complete", 80, 1)
        server.forget()
        assert harvest(store, "repo", source).counts.unchanged > 0
        refusals = [asked for asked in server.asked if asked.one("sort").startswith("updated")]
        assert len(refusals) <= 3


def test_a_query_that_is_refused_is_told() -> None:
    with serve(FakeInvenio(3)) as server:
        report = harvest(SqliteStore(), "repo", source_at(server, page_size=30))
    assert report.state == "failed"
    assert "answered 400" in report.message


def test_a_search_that_does_not_find_what_changed_is_walked_whole() -> None:
    class Deaf(FakeInvenio):
        def fits(self, one, query):
            return "updated" not in query and super().fits(one, query)

    archive, store = Deaf(30), SqliteStore()
    with serve(archive) as server:
        harvest(store, "repo", source_at(server))
        archive.change()
        assert harvest(store, "repo", source_at(server)).counts.changed == 1


def test_a_community_that_shows_nothing_any_more_deletes_nothing() -> None:
    archive, store = FakeInvenio(9), SqliteStore()
    for place, one in enumerate(archive.records):
        one["communities"] = ["b"] if place < 3 else ["a"]
    with serve(archive) as server:
        source = source_at(server, communities=("a", "b"))
        harvest(store, "repo", source)
        for one in archive.records[:3]:
            one["communities"] = []
        report = harvest(store, "repo", source)
    assert report.counts.tombstoned == 0
    assert [problem.item for _, problem in store.problems("repo")] == ["b"]


@pytest.mark.parametrize("sorts", [True, False])
def test_a_server_that_knows_no_times_is_read_by_page_number(sorts: bool) -> None:
    archive = many(130, timedelta(seconds=41), sorts=sorts, ranges=False)
    keys, found, _ = walked(archive, page_size=25)
    assert sorted(keys) == sorted(one["parent"] for one in archive.records)
    assert not [one for one in found if isinstance(one, Problem)]


def test_a_server_that_knows_no_times_and_has_too_much_is_refused() -> None:
    class Boasting(FakeInvenio):
        def search(self, asked, community):
            given = super().search(asked, community)
            content = given.content.replace(b'"total": 30', b'"total": 10050')
            return type(given)(given.status, content)

    with serve(Boasting(30, ranges=False, cap=1000)) as server:
        report = harvest(SqliteStore(), "repo", source_at(server, page_size=1000, timeout=30))
    assert report.state == "failed"
    assert "shows 10,000 of 10,050" in report.message
    assert "set query or communities" in report.message


@pytest.mark.parametrize("sorts", [True, False])
@pytest.mark.parametrize("step", [timedelta(0), timedelta(microseconds=100)])
def test_more_records_of_one_instant_than_fit_a_page(step: timedelta, sorts: bool) -> None:
    archive = many(70, step, sorts=sorts)
    archive.add()
    keys, _, _ = walked(archive, page_size=25)
    assert len(keys) == len(set(keys)) == 71


@pytest.mark.parametrize("offset", range(0, 40, 3))
def test_spans_are_cut_down_to_any_instant(offset: int) -> None:
    instant = datetime(2024, 5, 1, tzinfo=UTC) + timedelta(milliseconds=offset)
    archive = many(0, timedelta(0), sorts=False)
    for _ in range(30):
        archive.add(when=instant.isoformat(timespec="microseconds"))
    with serve(archive) as server:
        source = source_at(server, timeout=30, page_size=10)
        found = asyncio.run(spans_of(source, datetime(2024, 5, 1, tzinfo=UTC)))
    assert sorted(found) == sorted(one["id"] for one in archive.records)


async def spans_of(source: InvenioRecords, start: datetime) -> list[str]:
    options = source.options
    async with Http(options, Visit()) as http:
        search = Search(http, Scope(f"{options.root}/api/records", "", (), 10))
        end = start + timedelta(milliseconds=40)
        return [
            identity(one)
            async for page, _ in search._spans("created", [(start, end)])
            for one in page
        ]


def test_size_of_a_page_follows_what_the_archive_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPO_TOKEN", "open sesame")
    archive = FakeInvenio(60)
    archive.records[5]["restricted"] = True
    keys, _, server = walked(archive)
    assert {asked.one("size") for asked in server.asked} == {"25"}
    assert len(keys) == 59
    keys, found, server = walked(archive, token="env:REPO_TOKEN", group="insiders")
    assert {asked.one("size") for asked in server.asked} == {"100"}
    assert len(keys) == 60
    source = InvenioRecords(
        "repo", InvenioRecords.Options(url="http://x.example", group="insiders")
    )
    hidden = [one for one in normalise_all(source, found) if not one.access.public]
    assert {one.access.groups for one in hidden} == {("insiders",)}
    assert {type(one) for one in hidden} == {Dataset, Image}


# ------------------------------------------------------------------ versions, communities, query


def test_versions_are_one_record_that_follows_the_latest() -> None:
    archive = FakeInvenio(3)
    store = SqliteStore()
    with serve(archive) as server:
        source = source_at(server)
        harvest(store, "repo", source)
        first = archive.records[0]
        newer = archive.add(parent=first["parent"], title="Second version")
        report = harvest(store, "repo", source)
        counts = report.counts
        assert (counts.new, counts.changed, counts.tombstoned) == (0, 2, 0)
        study = next(one for one in map(json.loads, state(store).values())
                     if one["title"] == "Second version")  # fmt: skip
        assert study["id"] == f"repo:{first['parent']}"
        assert f"doi:10.5281/x.{newer['id']}" in study["identifiers"]
        every = source_at(server, versions="all")
        keys = {item.key for item in raw_items(fetch_all(every))}
        assert keys == {one["id"] for one in archive.records}


@pytest.mark.parametrize("old", [True, False])
def test_communities_are_walked_one_after_the_other_without_telling_twice(old: bool) -> None:
    archive = FakeInvenio(6, old=old)
    for place, names in enumerate((["a"], ["b"], ["a", "b"], [], ["c"], ["b"])):
        archive.records[place]["communities"] = names
    keys, _, _ = walked(archive, communities=("a", "b"))
    assert keys == [archive.records[place]["parent"] for place in (0, 2, 1, 5)]


def test_query_is_sent_with_the_span_of_time() -> None:
    archive = FakeInvenio(30)
    for one in archive.records[:28]:
        one["metadata"]["title"] = "Mitosis"
    keys, _, server = walked(archive, query="mitosis")
    assert len(keys) == 28
    assert any(asked.one("q").startswith("(mitosis) AND created:[") for asked in server.asked)


# ------------------------------------------------------------------ what changed, what is gone


def test_second_walk_asks_for_changes_only() -> None:
    archive = FakeInvenio(100)
    store = SqliteStore()
    with serve(archive) as server:
        source = source_at(server)
        harvest(store, "repo", source)
        server.forget()
        archive.change()
        report = harvest(store, "repo", source)
        assert report.counts.changed == 1
        assert len(server.asked) == 2
        server.forget()
        archive.remove()
        report = harvest(store, "repo", source)
        assert report.counts.tombstoned == 2
        paths = [asked.path for asked in server.asked]
        assert "/api/exporter" in paths
        assert paths.count("/api/records") == 2, "the table explains it: nothing is listed anew"


def test_without_a_table_of_deleted_records_everything_is_listed() -> None:
    archive = FakeInvenio(60, exports=False)
    store = SqliteStore()
    with serve(archive) as server:
        harvest(store, "repo", source_at(server))
        archive.remove()
        archive.add()
        report = harvest(store, "repo", source_at(server))
    assert (report.counts.new, report.counts.tombstoned) == (2, 2)


def test_what_the_table_calls_deleted_but_the_archive_shows_stays() -> None:
    archive = FakeInvenio(30)
    with serve(archive) as server:
        source = source_at(server)
        first = fetch_all(source)
        mark = next(one.text for one in first if isinstance(one, Mark))
        stamps = {item.key: item.stamp for item in raw_items(first)}
        archive.deleted.append(archive.records[4])
        archive.remove()
        found = fetch_all(source, walk=Visit(mark=mark, stamps=stamps))
    assert [one.key for one in found if isinstance(one, Deleted)] == [archive.deleted[-1]["parent"]]


def test_since_a_day() -> None:
    archive = FakeInvenio(40)
    with serve(archive) as server:
        source = source_at(server)
        found = [one for one in fetch_since(source, date(2024, 1, 10))]
    wanted = [one["parent"] for one in archive.records if one["updated"] >= "2024-01-10"]
    assert [item.key for item in raw_items(found)] == wanted
    assert found[-1] == Unchanged("", below=True)
    assert not [one for one in found if isinstance(one, Mark)]


def fetch_since(source: InvenioRecords, day: date) -> list[object]:
    async def whole() -> list[object]:
        return [one async for one in source.fetch_since(day, Visit())]

    return asyncio.run(whole())


def test_a_search_that_shows_less_than_it_counts_deletes_nothing() -> None:
    class Forgetful(FakeInvenio):
        def search(self, asked, community):
            given = super().search(asked, community)
            document = json.loads(given.content)
            document["hits"]["total"] += 2
            if len(document["hits"]["hits"]) < 25:
                document["hits"]["total"] = len(document["hits"]["hits"])
            return type(given)(given.status, json.dumps(document).encode())

    _, found, _ = walked(Forgetful(30))
    problems = [one for one in found if isinstance(one, Problem)]
    assert [problem.reason for problem in problems] == ["the search has 32 hits, but showed 30"]
    assert Unchanged("", below=True) in found


def test_a_table_of_deleted_records_that_cannot_be_read_is_a_warning() -> None:
    class Cut(FakeInvenio):
        def export(self, asked, rest):
            given = super().export(asked, rest)
            return type(given)(200, given.content[:30], given.media_type) if rest else given

    archive, store = Cut(30), SqliteStore()
    with serve(archive) as server:
        harvest(store, "repo", source_at(server))
        archive.remove()
        report = harvest(store, "repo", source_at(server))
    assert (report.counts.tombstoned, report.problems, report.warnings) == (2, 0, 1)


def test_tables_of_deleted_records_are_read_or_refused() -> None:
    assert list(read_ids(b"", "x")) == []
    assert list(read_ids(b"record_id,parent_id\n1,\n3,2\n", "x")) == ["1", "3", "2"]
    for content in (b"\x1f\x8b\x08\x00cut", gzip.compress(b"record_id\n1\n")[:-9]):
        with pytest.raises(SourceMalformed):
            list(read_ids(content, "x"))


# ------------------------------------------------------------------ what a record says


@pytest.mark.parametrize("old", [True, False])
def test_record_says_everything(old: bool) -> None:
    archive = FakeInvenio(1, old=old)
    with serve(archive) as server:
        source = source_at(server)
        study, image = normalise_all(source, fetch_all(source))
    assert isinstance(study, Dataset)
    assert study.title == "Cells 102"
    assert study.description == "Cells & more."
    assert study.date == "2024-01-01"
    assert study.licence == "CC-BY-4.0"
    person = study.creators[0]
    assert (person.name, person.orcid, person.affiliation) == (
        "Example, Ada", "0000-0002-1825-0097", "Institute")  # fmt: skip
    assert person.ror == ("" if old else "02mhbdp94")
    assert study.identifiers[:1] == ("doi:10.5281/x.102",)
    assert "doi:10.5281/x.101" in study.identifiers
    assert study.publications[0].doi == "10.1000/paper"
    assert study.funding == ("Funder 7 Grant",)
    assert study.thumbnail == ("" if old else "https://archive.example/records/102/250.jpg")
    assert study.keywords[0] == "HeLa"
    assert KeyValue("files.key", "table.csv") in study.key_values
    assert KeyValue("relatedIdentifiers.IsSupplementTo", "10.1000/Paper") in study.key_values
    if not old:
        assert KeyValue("custom_fields.lab:microscope", "Scope 7") in study.key_values
        claim = study.annotations[0]
        assert (claim.field, claim.text, claim.term) == ("organism", "Human", "NCBITaxon:9606")
    assert not [pair for pair in study.key_values if "views" in pair.key]
    assert isinstance(image, Image)
    assert image.id == "repo:101/plate 1/cells.ome.tif"
    assert (image.title, image.format, image.part_of) == ("cells.ome.tif", "OME-TIFF", study.id)
    assert image.location.endswith("/api/records/102/files/plate 1/cells.ome.tif/content")
    assert KeyValue("checksum", "md5:aa") in image.key_values
    assert KeyValue("size", "1102") in image.key_values


@pytest.mark.parametrize("options", [{"versions": "newest"}, {"page_size": -1}, {"token": "hush"}])
def test_wrong_settings_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        InvenioRecords.Options(url="https://archive.example", **options)


@pytest.mark.corpus
def test_real_records_are_read(corpus: Path) -> None:
    source = InvenioRecords("repo", InvenioRecords.Options(url="https://archive.example"))
    read = 0
    for file in sorted((corpus / "api/commonmeta-cassettes/test-inveniordm_reader").glob("*.yaml")):
        for asked in yaml.safe_load(file.read_text())["interactions"]:
            record = json.loads(asked["response"]["body"]["string"])
            study = next(iter(source._records(source.options.key(record), record, None)))
            assert isinstance(study, Dataset)
            assert study.title == record["metadata"]["title"]
            assert len(study.creators) == len(record["metadata"]["creators"])
            assert study.licence.startswith("CC-BY")
            assert study.date == record["metadata"]["publication_date"]
            assert study.identifiers[0].startswith("doi:10.")
            assert "<" not in study.description[:20]
            read += 1
    assert read == 6
