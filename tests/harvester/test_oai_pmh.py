"""The source ``oai-pmh``: providers of OAI-PMH 2.0."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from harvester.formats.xml_reading import parse_xml
from harvester.repositories.oai_pages import read_oai
from harvester.sources.oai_pmh import OaiRecords, read_record
from parfocal.errors import SourceMalformed
from parfocal.model import Dataset, Image, KeyValue
from parfocal.store.sqlite import SqliteStore
from parfocal.testing.http_sources import FAST, HttpSourceContract, harvest, state
from parfocal.testing.loopback import Given, Loopback, serve
from parfocal.testing.sources import Visit, fetch_all, normalise_all, raw_items
from parfocal.values import Deleted, Problem, RawItem, Unchanged
from tests.fakes.oai import FakeOai, datacite, dublin_core


def source_at(server: Loopback, **more: object) -> OaiRecords:
    return OaiRecords("oai", OaiRecords.Options(**{"url": f"{server.url}/oai", **FAST, **more}))


class TestPersistent(HttpSourceContract):
    """A provider that keeps headers of deleted records, in its richest format."""

    skips_unchanged = True

    @pytest.fixture
    def archive(self) -> FakeOai:
        return FakeOai(formats=("oai_dc", "datacite"))

    @pytest.fixture
    def source(self, server: Loopback) -> OaiRecords:
        return source_at(server)

    @pytest.fixture
    def name(self) -> str:
        return "oai"

    @pytest.fixture
    def broken(self) -> Iterator[OaiRecords]:
        archive = FakeOai(4)
        second = archive.records[1]
        archive.raw[second["identifier"]] = archive.record(second, "oai_dc").replace("</dc:t", "<")
        with serve(archive) as server:
            yield source_at(server)


class TestForgetful(TestPersistent):
    """A provider that tells days only and nothing of what is deleted."""

    test_failure_that_passes = test_failure_that_lasts = None  # as above

    @pytest.fixture
    def archive(self) -> FakeOai:
        return FakeOai(deleted="no", by_second=False, http_errors=False)


class TestWindows(TestPersistent):
    """The first walk in windows of a day, each with tokens of its own."""

    test_failure_that_passes = test_failure_that_lasts = None  # as without windows
    test_address_that_always_fails = None

    @pytest.fixture
    def archive(self) -> FakeOai:
        return FakeOai(9, page=2)

    @pytest.fixture
    def source(self, server: Loopback) -> OaiRecords:
        return source_at(server, window_days=1)


def keys_of(found: list[object]) -> list[str]:
    return [one.key for one in found if isinstance(one, RawItem)]


# ------------------------------------------------------------------ dates, windows, sets


@pytest.mark.parametrize("by_second", [True, False])
def test_dates_are_asked_for_in_the_granularity_of_the_provider(by_second: bool) -> None:
    archive, store = FakeOai(7, by_second=by_second), SqliteStore()
    with serve(archive) as server:
        harvest(store, "oai", source_at(server, window_days=1))
        windows = [(a.one("from"), a.one("until")) for a in server.asked if a.one("from")]
        last = archive.records[-1]["datestamp"]
        server.forget()
        harvest(store, "oai", source_at(server))
        again = [asked.one("from") for asked in server.asked if asked.one("from")]
    if by_second:
        assert windows[0] == ("2024-01-01T00:00:00Z", "2024-01-01T23:59:59Z")
        assert (last, again) == ("2024-01-03T01:00:00Z", ["2024-01-03T00:59:59Z"])
    else:
        assert windows[0] == ("2024-01-01", "2024-01-01")
        assert (last, again) == ("2024-01-03", ["2024-01-02"])
    assert windows[-1][1] == "", "the last window is open, for what changes meanwhile"


def test_expired_token_restarts_its_window_only() -> None:
    archive = FakeOai(12, page=2)
    with serve(archive) as server:
        archive.misbehave("expired")
        archive.expires_at = 0
        source = source_at(server, window_days=1)

        def expire(asked: object) -> None:
            if len(server.asked) == 5:
                archive.expires_at = 1

        server.before = expire
        found = fetch_all(source)
    keys = keys_of(found)
    assert keys == [one["identifier"] for one in archive.records]
    begins = [asked.one("from") for asked in server.asked if asked.one("from")]
    assert len(begins) == len(set(begins)) + 1


def test_a_token_that_always_expires_ends_the_walk() -> None:
    archive = FakeOai(7)
    archive.misbehave("expired")
    archive.expires_at = 1000
    with serve(archive) as server:
        report = harvest(SqliteStore(), "oai", source_at(server))
    assert report.state == "failed"
    assert "again and again" in report.message
    assert "window_days" in report.message


def test_resuming_with_an_expired_token_lists_the_window_again() -> None:
    archive = FakeOai(7)
    with serve(archive) as server:
        whole = fetch_all(source_at(server))
        cursor = next(one.cursor for one in raw_items(whole) if one.cursor)
        archive.misbehave("expired")
        found = fetch_all(source_at(server), cursor)
    assert keys_of(found) == keys_of(whole)


def test_sets_are_listed_one_after_the_other_without_telling_twice() -> None:
    archive = FakeOai(0)
    for sets in (("a",), ("b",), ("a", "b:c"), (), ("c",)):
        archive.add(*sets)
    with serve(archive) as server:
        found = fetch_all(source_at(server, sets=("a", "b")))
    assert keys_of(found) == [f"oai:archive.example:{number}" for number in (1, 3, 2)]
    study = normalise_all(source_at(server), found)[0]
    assert KeyValue("setSpec", "a") in study.key_values


def test_errors_of_the_provider_are_told() -> None:
    with serve(FakeOai(3)) as server:
        report = harvest(SqliteStore(), "oai", source_at(server, format="mods"))
    assert report.state == "failed"
    assert "cannotDisseminateFormat" in report.message
    assert "set format of this source" in report.message


def test_a_provider_without_records_is_empty_and_no_failure() -> None:
    with serve(FakeOai(0)) as server:
        report = harvest(SqliteStore(), "oai", source_at(server))
    assert (report.state, report.counts.new, report.problems) == ("complete", 0, 0)


@pytest.mark.parametrize("days", [-4000, -1, 1, 4000])
@pytest.mark.parametrize("deleted", ["no", "persistent"])
def test_a_clock_that_is_wrong_loses_no_change(days: int, deleted: str) -> None:
    archive, store = FakeOai(7, deleted=deleted), SqliteStore()
    archive.clock_error = timedelta(days=days)
    with serve(archive) as server:
        source = source_at(server)
        harvest(store, "oai", source)
        for step in (archive.change, archive.add, archive.remove, archive.change):
            step()
            report = harvest(store, "oai", source)
            assert report.state == "complete", report.message
            counts = report.counts
            assert counts.new + counts.changed + counts.tombstoned == 1


# ------------------------------------------------------------------ what is gone


def test_deleted_headers_are_believed_at_once() -> None:
    archive, store = FakeOai(7), SqliteStore()
    with serve(archive) as server:
        harvest(store, "oai", source_at(server))
        server.forget()
        archive.remove()
        report = harvest(store, "oai", source_at(server))
        assert "ListIdentifiers" not in {asked.one("verb") for asked in server.asked}
    assert report.counts.tombstoned == 1


def test_where_deletions_are_not_kept_identifiers_are_compared() -> None:
    archive, store = FakeOai(30, deleted="no", page=10), SqliteStore()
    with serve(archive) as server:
        harvest(store, "oai", source_at(server))
        server.forget()
        archive.remove()
        archive.remove()
        report = harvest(store, "oai", source_at(server))
        verbs = [asked.one("verb") for asked in server.asked]
    assert report.counts.tombstoned == 2
    assert verbs.count("ListIdentifiers") == 3
    assert verbs.count("ListRecords") == 1
    assert "GetRecord" not in verbs


def test_identifiers_are_compared_as_often_as_is_set() -> None:
    archive, store = FakeOai(9, deleted="transient"), SqliteStore()
    with serve(archive) as server:
        source = source_at(server, complete_every=3)
        harvest(store, "oai", source)
        verbs = []
        for _ in range(14):
            server.forget()
            archive.change()
            assert harvest(store, "oai", source).state == "complete"
            verbs.append("ListIdentifiers" in {asked.one("verb") for asked in server.asked})
    # Each change takes 7 hours of the provider's clock: three days are 10 to 11 of them.
    assert verbs.count(True) == 1
    assert verbs.index(True) in (9, 10)


def test_identifier_that_nobody_told_is_fetched() -> None:
    archive = FakeOai(7, deleted="no")
    with serve(archive) as server:
        source = source_at(server)
        first = fetch_all(source)
        mark = first[-1].text
        stamps = {item.key: item.stamp for item in raw_items(first)[1:]}
        found = fetch_all(source, walk=Visit(mark=mark, stamps=stamps))
    assert "oai:archive.example:1" in keys_of(found)


def test_since_a_day() -> None:
    archive = FakeOai(20)
    archive.remove()

    async def whole(source: OaiRecords) -> list[object]:
        return [one async for one in source.fetch_since(date(2024, 1, 5), Visit())]

    with serve(archive) as server:
        found = asyncio.run(whole(source_at(server)))
    alive = [r for r in archive.records if r["datestamp"] >= "2024-01-05" and not r["deleted"]]
    assert keys_of(found) == [one["identifier"] for one in alive]
    assert [one.key for one in found if isinstance(one, Deleted)] == ["oai:archive.example:1"]
    assert found[-1] == Unchanged("", below=True)


def test_a_set_that_is_empty_all_at_once_deletes_nothing() -> None:
    archive, store = FakeOai(0, deleted="no"), SqliteStore()
    for place in range(9):
        archive.add("a" if place < 2 else "b")
    with serve(archive) as server:
        source = source_at(server, sets=("a", "b"))
        harvest(store, "oai", source)
        for record in archive.records[:2]:
            record["sets"] = ()
        report = harvest(store, "oai", source)
        assert (report.counts.tombstoned, report.problems) == (0, 1)
        archive.records[1]["sets"] = ("a",)
        assert harvest(store, "oai", source).counts.tombstoned == 1


# ------------------------------------------------------------------ broken pages


BROKEN = {
    "unclosed": "<dc:title>A & B<dc:x></dc:title>",
    "entity": "<dc:title>caf&eacute;</dc:title>",
    "nested": "<record><header/><dc:title>x</record>",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_one_broken_record_is_a_problem_and_the_others_survive(kind: str) -> None:
    archive, store = FakeOai(5, page=10), SqliteStore()
    with serve(archive) as server:
        source = source_at(server)
        harvest(store, "oai", source)
        before = state(store)
        third = archive.records[2]
        third["datestamp"] = archive.records[-1]["datestamp"]
        good = archive.record(third, "oai_dc")
        archive.raw[third["identifier"]] = good.replace(
            "<dc:title>", BROKEN[kind] + "<dc:title>", 1
        )
        archive.change()
        report = harvest(store, "oai", source, full=True)
        problems = [problem for _, problem in store.problems("oai")]
    assert report.state == "complete"
    assert [problem.item for problem in problems] == [third["identifier"]]
    assert "the record is broken" in problems[0].reason
    assert report.counts.tombstoned == 0
    after = state(store)
    assert after.keys() == before.keys()
    assert sum(after[key] != before[key] for key in before) == 1


def test_characters_that_xml_forbids_do_no_harm() -> None:
    archive = FakeOai(3)
    for place, text in enumerate(("a\x01b &#2; & c", "\ufffe <b>", "fine &#x0;")):
        record = archive.records[place]
        record["title"] = text.replace("&#", "")
    raw = archive.record(archive.records[0], "oai_dc").replace("a\x01b", "a\x01b &#x1; &lt;i&gt;")
    archive.raw[archive.records[0]["identifier"]] = raw
    with serve(archive) as server:
        source = source_at(server)
        titles = [record.title for record in normalise_all(source, fetch_all(source))]
    assert titles == ["ab  <i> 2; & c", " <b>".strip(), "fine x0;"]


def test_document_types_are_refused() -> None:
    class Hostile(FakeOai):
        def envelope(self, inner: str, request: str) -> Given:
            given = super().envelope(inner, request)
            start = b'<!DOCTYPE x [<!ENTITY e "boom">]>\n<OAI-PMH'
            return Given(200, given.content.replace(b"<OAI-PMH", start, 1), "text/xml")

    with serve(Hostile(3)) as server:
        report = harvest(SqliteStore(), "oai", source_at(server))
    assert report.state == "failed"
    assert "document type is refused" in report.message


def test_record_that_is_broken_beyond_its_name_protects_everything() -> None:
    archive, store = FakeOai(5, deleted="no", page=10), SqliteStore()
    with serve(archive) as server:
        harvest(store, "oai", source_at(server))
        archive.raw[archive.records[1]["identifier"]] = "<record><header><ident</header></record>"
        report = harvest(store, "oai", source_at(server), full=True)
    assert report.counts.tombstoned == 0
    assert report.problems == 1


def test_list_that_is_shorter_than_it_says_deletes_nothing() -> None:
    class Short(FakeOai):
        def document(self, verb: str, inner: str) -> Given:
            return super().document(verb, inner.replace('Size="7"', 'Size="9"'))

    with serve(Short(7)) as server:
        found = fetch_all(source_at(server))
    assert [one.reason for one in found if isinstance(one, Problem)] == [
        "the list has 9 entries, but showed 7"
    ]
    assert Unchanged("", below=True) in found


@given(st.text(max_size=300))
def test_any_text_is_a_page_or_malformed(text: str) -> None:
    page = f'<OAI-PMH xmlns="x"><ListRecords><record><header>{text}</ListRecords></OAI-PMH>'
    for content in (text, page):
        try:
            read_oai(content.encode("utf-8", "surrogatepass"), "here")
        except SourceMalformed:
            continue


# ------------------------------------------------------------------ formats


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (("oai_dc",), "oai_dc"),
        (("marc21", "oai_dc", "dcat"), "dcat"),
        (("oai_dc", "dcat", "oai_datacite"), "oai_datacite"),
        (("oai_datacite", "datacite", "dcat", "marc21", "oai_dc"), "datacite"),
    ],
)
def test_format_that_tells_most_is_chosen(offered: tuple[str, ...], chosen: str) -> None:
    with serve(FakeOai(3, formats=offered)) as server:
        source = source_at(server)
        studies = normalise_all(source, fetch_all(source))
    assert {a.one("metadataPrefix") for a in server.asked if a.one("metadataPrefix")} == {chosen}
    study = studies[0]
    assert isinstance(study, Dataset)
    assert study.title == "Cells 1 & more"
    assert (study.description, study.date, study.licence) == ("Words", "2024-01-02", "CC-BY-4.0")
    assert study.publisher == "Example Archive"
    assert study.creators[0].name == "Example, Ada"
    assert study.creators[0].orcid == ("" if chosen == "oai_dc" else "0000-0002-1825-0097")
    assert study.keywords == (("HeLa", "human") if "datacite" in chosen else ("HeLa",))
    assert {"doi:10.5072/1", "oai:archive.example:1"} <= set(study.identifiers)
    if chosen == "dcat":
        image = studies[1]
        assert isinstance(image, Image)
        assert (image.title, image.format, image.part_of) == ("a.czi", "Zeiss CZI", study.id)
        assert image.location == "https://archive.example/1/a.czi"
        assert KeyValue("files.key", "b.csv") in study.key_values
        assert KeyValue("spatial.title", "Bench 7", "http://purl.org/dc/terms/") in study.key_values
    if chosen == "oai_dc":
        assert study.links[0].url == "https://archive.example/1"
        rights = [p.value for p in study.key_values if p.key == "rightsList.rights"]
        assert "info:eu-repo/semantics/openAccess" in rights


def test_a_provider_without_a_format_that_can_be_read_is_refused() -> None:
    with serve(FakeOai(3, formats=("marc21",))) as server:
        report = harvest(SqliteStore(), "oai", source_at(server))
    assert report.state == "failed"
    assert "no format that can be read: marc21" in report.message


# ------------------------------------------------------------------ the corpus


@pytest.mark.corpus
@pytest.mark.parametrize("prefix", ["oai_dc", "datacite"])
def test_fake_answers_as_the_protocol_says(corpus: Path, prefix: str, tmp_path: Path) -> None:
    text = (corpus / "standards/oai-pmh/OAI-PMH.xsd").read_text()
    schema = etree.XMLSchema(etree.fromstring(text.encode()))
    fake = FakeOai(7, formats=("oai_dc", "datacite"))
    fake.remove()
    with serve(fake) as server:
        fetch_all(source_at(server, format=prefix))
        walked = [asked for asked in server.asked if "resumptionToken" not in asked.query]
    assert walked
    for asked in walked:
        schema.validate(etree.fromstring(fake.answer(asked).content))
        # What stands within metadata has schemas of its own.
        errors = [
            e.message for e in schema.error_log if "No matching global element" not in e.message
        ]
        assert errors == []


@pytest.mark.corpus
def test_fake_writes_metadata_as_their_schemas_say(corpus: Path) -> None:
    kernels = corpus / "api/datacite-schema/kernel-4.6"
    places = {"xml.xsd": kernels / "include", "simpledc20021212.xsd": corpus / "standards/oai-pmh"}

    class Local(etree.Resolver):
        def resolve(self, url, identifier, context):
            name = url.rpartition("/")[2]
            return (
                self.resolve_filename(str(places[name] / name), context) if name in places else None
            )

    parser = etree.XMLParser()
    parser.resolvers.add(Local())
    kernel = etree.XMLSchema(etree.parse(kernels / "metadata.xsd"))
    kernel.assertValid(etree.fromstring(datacite("Cells", "7")))
    plain = etree.XMLSchema(etree.parse(corpus / "standards/oai-pmh/oai_dc.xsd", parser))
    plain.assertValid(etree.fromstring(dublin_core("Cells", "7")))


@pytest.mark.corpus
def test_real_answers_are_read(corpus: Path) -> None:
    source = OaiRecords("oai", OaiRecords.Options(url="https://provider.example/oai"))
    told = {}
    folder = corpus / "api/oai-sickle"
    for file in sorted(folder.glob("*.xml")):
        try:
            page = read_oai(file.read_bytes(), file.name)
        except SourceMalformed:
            told[file.stem] = "malformed"
            continue
        told[file.stem] = page.error or str(len(page.entries))
        for entry in page.entries:
            if entry.xml and not entry.deleted and entry.identifier:
                attributes = read_record(parse_xml(entry.xml))[0]
                assert attributes["titles"]
    assert told["ListRecordsBroken"] == "malformed"
    assert told["badResumptionToken"] == "badResumptionToken"
    assert told["noRecordsMatch"] == "noRecordsMatch"
    assert int(told["ListRecords"]) >= 2
    assert int(told["ListIdentifiers2"]) >= 2
    assert source.options.format == ""


@pytest.mark.corpus
def test_real_answers_of_another_provider_are_read(corpus: Path) -> None:
    read = 0
    for file in sorted((corpus / "api/oai-pycsw/expected").glob("*.xml")):
        page = read_oai(file.read_bytes(), file.name)
        for entry in page.entries:
            if not entry.xml:
                continue
            if "_iso" in file.name:
                with pytest.raises(SourceMalformed, match="unknown form"):
                    read_record(parse_xml(entry.xml))
                continue
            read += bool(read_record(parse_xml(entry.xml))[0].get("titles"))
    assert read >= 3
