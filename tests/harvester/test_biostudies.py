"""The source ``biostudies`` against an archive that answers as BioStudies does."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harvester.biostudies.items import PartItem, StudyItem, raw
from harvester.biostudies.pagetab import read_submission
from harvester.biostudies.pagetab_files import read_list
from harvester.biostudies.rembi import described_in, parts_of
from harvester.sources.biostudies import BioStudies
from parfocal.config import SourceSettings
from parfocal.model import Dataset, Image, KeyValue, Record
from parfocal.pipeline import Harvest
from parfocal.sources import make_source
from parfocal.store.sqlite import SqliteStore
from parfocal.testing.http_sources import FAST, HttpSourceContract, state
from parfocal.testing.loopback import Fault, Loopback, serve
from parfocal.testing.sources import Visit, fetch_all, normalise_all, raw_items
from parfocal.values import Problem, Unchanged
from tests.fakes.biostudies import FakeBioStudies


def source_of(url: str, **more: Any) -> BioStudies:
    return BioStudies("bia", BioStudies.Options(url=url, page_size=2, **FAST, **more))


class TestBioStudies(HttpSourceContract):
    misbehaviour = ("empty", "duplicate-page", "endless-next")
    skips_unchanged = True

    @pytest.fixture
    def archive(self) -> FakeBioStudies:
        archive = FakeBioStudies()
        for number in range(5):
            archive.add(f"S-BIAD{number}")
        return archive

    @pytest.fixture
    def source(self, server: Loopback) -> BioStudies:
        return source_of(server.url)

    @pytest.fixture
    def name(self) -> str:
        return "bia"


def records_of(source: BioStudies) -> dict[str, Record]:
    return {record.id: record for record in normalise_all(source, fetch_all(source))}


def problems_of(source: BioStudies) -> list[Problem]:
    found = fetch_all(source)
    problems = [one for one in found if isinstance(one, Problem)]
    for item in raw_items(found):
        problems += [one for one in source.normalise(item) if isinstance(one, Problem)]
    return problems


@pytest.fixture
def archive() -> FakeBioStudies:
    archive = FakeBioStudies()
    archive.add("S-BIAD7", "Dividing yeast")
    return archive


@pytest.fixture
def server(archive: FakeBioStudies) -> Iterator[Loopback]:
    with serve(archive) as loopback:
        yield loopback


def test_a_study_with_its_component_and_images(server: Loopback) -> None:
    records = records_of(source_of(server.url))
    study = records["bia:S-BIAD7"]
    component = records["bia:S-BIAD7/Study Component-4"]
    image = records["bia:S-BIAD7/Study Component-4/images/001.ome.tiff"]
    assert isinstance(study, Dataset)
    assert (study.ome_type, study.title, study.date) == ("Study", "Dividing yeast", "2024-03-01")
    assert (study.licence, study.publisher) == ("CC0-1.0", "BioImage Archive")
    assert study.identifiers == ("S-BIAD7", "doi:10.6019/s-biad7")
    assert [(p.name, p.orcid, p.affiliation, p.ror) for p in study.creators] == [
        ("Ada Example", "0000-0002-1825-0097", "Home University", "02mhbdp94")
    ]
    assert [link.url for link in study.links] == [
        f"{server.url}/bioimages/studies/S-BIAD7",
        "https://code.example/x",
    ]
    assert [(a.field, a.term, a.method) for a in component.annotations] == [
        ("organism", "NCBITaxon:4932", "curated"),
        ("imaging_method", "FBbi:00000251", "curated"),
    ]
    assert [(p.title, p.doi, p.pubmed) for p in study.publications] == [
        ("A paper", "10.1000/p", "9")
    ]
    assert (study.funding, study.keywords) == (("Fund F1",), ("yeast",))
    assert component.part_of == study.id
    assert KeyValue("Imaging method", "confocal microscopy", "Image acquisition") in (
        component.key_values
    )
    assert KeyValue("Other files", ".csv: 1") in component.key_values
    assert isinstance(image, Image)
    assert (image.title, image.format, image.part_of) == ("001.ome.tiff", "OME-TIFF", component.id)
    assert image.location == f"{server.url}/files/S-BIAD7/images/001.ome.tiff"
    assert image.key_values == (KeyValue("Well", "A1"), KeyValue("File size", "1"))
    assert len(records) == 5, "notes.csv is no image"


def test_unchanged_studies_are_asked_for_their_info_only(server: Loopback) -> None:
    source = source_of(server.url)
    stamps = {item.key: item.stamp for item in raw_items(fetch_all(source))}
    server.forget()
    found = fetch_all(source, walk=Visit(stamps=stamps))
    assert found == [Unchanged("studies/S-BIAD7", "1:1:1:S-BIAD7", below=True)]
    assert [asked.path for asked in server.asked] == [
        "/api/v1/BioImages/search",
        "/api/v1/studies/S-BIAD7/info",
    ]


def test_pagetab_that_lies_elsewhere(archive: FakeBioStudies, server: Loopback) -> None:
    archive.links["S-BIAD7"] = f"{server.url}/elsewhere/"
    assert records_of(source_of(server.url))["bia:S-BIAD7"].title == "Dividing yeast"
    assert "/elsewhere/S-BIAD7.json" in [asked.path for asked in server.asked]


@pytest.mark.parametrize(
    "link",
    ["http://169.254.169.254/latest/", "file:///etc/", "ftp://ftp.example/", "http://[::1]/"],
)
def test_pagetab_that_lies_where_nobody_may_look(
    archive: FakeBioStudies, server: Loopback, link: str
) -> None:
    archive.links["S-BIAD7"] = link
    archive.add("S-BIAD8", "Good")
    source = source_of(server.url)
    assert "bia:S-BIAD8" in records_of(source)
    assert [problem.item for problem in problems_of(source)] == ["studies/S-BIAD7"]


def test_only_the_studies_that_are_named(archive: FakeBioStudies, server: Loopback) -> None:
    archive.add("S-BSST8")
    archive.add("EMPIAR-1")
    studies = [r.id for r in records_of(source_of(server.url, prefixes=("S-BSST", "EMP"))).values()
               if r.part_of is None]  # fmt: skip
    assert studies == ["bia:EMPIAR-1", "bia:S-BSST8"]
    source = source_of(server.url, accessions=("S-BSST8", "S-NONE1"))
    assert [r.id for r in records_of(source).values() if r.part_of is None] == ["bia:S-BSST8"]
    assert [problem.item for problem in problems_of(source)] == ["studies/S-NONE1"]


def test_studies_without_their_files(server: Loopback) -> None:
    records = records_of(source_of(server.url, files=False))
    assert list(records) == ["bia:S-BIAD7", "bia:S-BIAD7/Study Component-4"]


def test_no_more_files_than_are_wanted(archive: FakeBioStudies, server: Loopback) -> None:
    archive.studies["S-BIAD7"].lists["files.json"] *= 3
    source = source_of(server.url, max_files=2)
    assert len(records_of(source)) == 4
    assert [(p.item, p.severity) for p in problems_of(source)] == [
        ("studies/S-BIAD7/Study Component-4", "warning")
    ]


def test_a_long_file_list_comes_in_runs(archive: FakeBioStudies, server: Loopback) -> None:
    entry = archive.studies["S-BIAD7"].lists["files.json"][0]
    entries = [{**entry, "path": f"{number:05d}.tif"} for number in range(1201)]
    archive.studies["S-BIAD7"].lists["files.json"] = entries
    source = source_of(server.url)
    keys = [item.key for item in raw_items(fetch_all(source))]
    part = "studies/S-BIAD7/Study Component-4"
    assert keys == [
        "studies/S-BIAD7",
        part,
        *(f"{part}#{number:06d}" for number in range(3)),
        "studies/S-BIAD7#end",
    ]
    assert len(records_of(source)) == 1203


@pytest.mark.parametrize("name", ["files.tsv", "files.xlsx", "files"])
def test_file_lists_by_other_names(archive: FakeBioStudies, server: Loopback, name: str) -> None:
    held = archive.studies["S-BIAD7"]
    _component(held.pagetab)["attributes"][2]["value"] = name
    assert len(records_of(source_of(server.url))) == 5
    held.lists = {"files.tsv": b"Files\tGene\na.tif\tabc1\nb.txt\t\n"}
    expected = {"files.tsv": 3}.get(name, 2)
    assert len(records_of(source_of(server.url))) == expected


def test_a_file_list_of_the_study_itself(archive: FakeBioStudies, server: Loopback) -> None:
    root = archive.studies["S-BIAD7"].pagetab["section"]
    root["attributes"].append({"name": "File List", "value": "files.json"})
    root["subsections"].remove(_component(archive.studies["S-BIAD7"].pagetab))
    records = records_of(source_of(server.url))
    assert list(records) == [
        "bia:S-BIAD7",
        *(f"bia:S-BIAD7/images/{number:03d}.ome.tiff" for number in range(3)),
    ]
    assert records["bia:S-BIAD7/images/000.ome.tiff"].part_of == "bia:S-BIAD7"


@pytest.mark.parametrize("content", [b"<html>down</html>", b'[{"path": "a.tif"}, {"pa', b"[1, }"])
def test_a_file_list_that_is_none(
    archive: FakeBioStudies, server: Loopback, content: bytes
) -> None:
    archive.studies["S-BIAD7"].lists["files.json"] = content
    source = source_of(server.url)
    assert list(records_of(source)) == ["bia:S-BIAD7"]
    assert [p.item for p in problems_of(source)] == ["studies/S-BIAD7/Study Component-4"]


def test_a_file_list_that_is_not_there(archive: FakeBioStudies, server: Loopback) -> None:
    archive.studies["S-BIAD7"].lists = {}
    source = source_of(server.url)
    assert list(records_of(source)) == ["bia:S-BIAD7", "bia:S-BIAD7/Study Component-4"]
    assert [problem.reason for problem in problems_of(source)] == ["the file list is not there"]


def test_a_file_list_that_fails_keeps_what_was_known(
    archive: FakeBioStudies, server: Loopback
) -> None:
    store, source = SqliteStore(), source_of(server.url)
    Harvest(store, "bia", source).run()
    before = state(store)
    archive.change("S-BIAD7", "Dividing yeast")
    server.faults.append(Fault("403", path="files.json", times=100))
    report = Harvest(store, "bia", source).run()
    assert (report.state, report.problems) == ("complete", 1)
    assert state(store) == before
    server.forget()
    assert Harvest(store, "bia", source).run().problems == 0
    assert len(server.asked) == 4, "a study that was not read whole is read again"


def test_names_that_lead_out_are_refused(archive: FakeBioStudies, server: Loopback) -> None:
    _component(archive.studies["S-BIAD7"].pagetab)["attributes"][2]["value"] = "../../x.json"
    problems = problems_of(source_of(server.url))
    assert [problem.reason for problem in problems] == ["the file list lies outside of the study"]
    archive.add("../../etc")
    reasons = [problem.reason for problem in problems_of(source_of(server.url))]
    assert "is no accession: '../../etc'" in reasons


def test_a_study_that_is_not_public_is_for_a_group(
    archive: FakeBioStudies, server: Loopback
) -> None:
    archive.studies["S-BIAD7"].public = False
    assert {r.access.groups for r in records_of(source_of(server.url)).values()} == {
        ("bia-unreleased",)
    }


def test_totals_that_are_guesses_are_not_believed(server: Loopback) -> None:
    archive = FakeBioStudies(exact=False)
    for number in range(5):
        archive.add(f"S-BIAD{number}", files=0)
    with serve(archive) as guessing:
        found = fetch_all(source_of(guessing.url))
    assert not [one for one in found if isinstance(one, Problem)]
    assert len([item for item in raw_items(found) if item.key.endswith("#end")]) == 5


def test_hits_that_are_no_studies_are_counted_but_not_read(
    archive: FakeBioStudies, server: Loopback
) -> None:
    archive.add("BioImages", type="collection")
    assert "bia:S-BIAD7" in records_of(source_of(server.url))
    assert problems_of(source_of(server.url)) == []
    assert not [asked for asked in server.asked if "studies/BioImages" in asked.path]


def test_totals_that_are_never_reached_are_told(archive: FakeBioStudies, server: Loopback) -> None:
    archive.more = 1
    source = source_of(server.url)
    assert [(p.item, p.severity) for p in problems_of(source)] == [("studies", "error")]
    store = SqliteStore()
    archive.add("S-BIAD8")
    Harvest(store, "bia", source).run()
    archive.remove("S-BIAD8")
    report = Harvest(store, "bia", source).run()
    assert (report.problems, report.counts.tombstoned) == (1, 0)


def test_many_failures_in_a_row_end_the_walk(archive: FakeBioStudies, server: Loopback) -> None:
    for number in range(20):
        archive.add(f"S-BIAD{number}")
    server.faults.append(Fault("502", path="/studies/", times=10_000))
    report = Harvest(SqliteStore(), "bia", source_of(server.url)).run()
    assert report.state == "failed"
    assert len(server.asked) < 60


def _component(held: dict[str, Any]) -> dict[str, Any]:
    return next(s for s in held["section"]["subsections"] if s["type"] == "Study Component")


# ------------------------------------------------------------------ real studies


def _corpus_records(path: Path) -> tuple[list[Record], list[Problem]]:
    accession = path.name.partition("_")[0].removesuffix(".json")
    submission = read_submission(path.read_bytes())
    items: list[StudyItem | PartItem] = [
        StudyItem("https://a.example", accession, path.read_bytes())
    ]
    described = described_in(submission)
    items += [PartItem("https://a.example", accession, part.name, part.section, described)
              for part in parts_of(submission)]  # fmt: skip
    source = source_of("https://a.example")
    found = [one for item in items for one in source.normalise(raw(f"k/{accession}", item))]
    return (
        [one for one in found if not isinstance(one, Problem)],
        [one for one in found if isinstance(one, Problem)],
    )


def _served_and_corrected(corpus: Path) -> list[tuple[Path, Path]]:
    served = sorted((corpus / "api/biostudies").glob("*/*_original.json"))
    return [(path, path.with_name(path.name.replace("original", "override"))) for path in served]


@pytest.mark.corpus
def test_every_real_study_gives_records(corpus: Path) -> None:
    pairs = _served_and_corrected(corpus)
    assert len(pairs) == 23
    for served, corrected in pairs:
        for path in (served, corrected):
            records, problems = _corpus_records(path)
            study = records[0]
            assert isinstance(study, Dataset)
            assert study.title != study.provenance.native_id, path
            assert study.creators, path
            assert study.date, path
            assert [problem for problem in problems if problem.severity == "error"] == []
            ids = [record.id for record in records]
            assert len(set(ids)) == len(ids), path


@pytest.mark.corpus
def test_curators_corrections_are_hardly_needed(corpus: Path) -> None:
    for served, corrected in _served_and_corrected(corpus):
        before, after = _corpus_records(served)[0], _corpus_records(corrected)[0]
        assert len(before) == len(after), served
        assert before[0].title == after[0].title
        assert _terms(before) == _terms(after), served
        values = [
            {pair.value.strip() for pair in records[0].key_values} for records in (before, after)
        ]
        assert len(values[0] - values[1]) <= 12, served


@pytest.mark.corpus
def test_dirty_words_are_told_and_kept(corpus: Path) -> None:
    served = {path.parent.name: path for path, _ in _served_and_corrected(corpus)}
    records, problems = _corpus_records(served["S-BIAD1982"])
    assert [problem.reason for problem in problems] == ["is no DOI: 2024.09.23.614351"]
    assert KeyValue("DOI", "2024.09.23.614351", "Publication") in records[0].key_values
    records, problems = _corpus_records(served["S-BSMS4"])
    assert problems == []
    assert len(records) == 61
    assert records[1].level == "image"
    assert [(a.field, a.term) for a in records[0].annotations] == [("organism", "NCBITaxon:10090")]


def _terms(records: list[Record]) -> set[tuple[str, str]]:
    return {(claim.field, claim.term) for record in records for claim in record.annotations}


@pytest.mark.corpus
def test_real_file_lists(corpus: Path) -> None:
    folder = corpus / "api/bia-ingest"
    lists = [*folder.glob("**/file_list_*.json"), *folder.glob("**/*_masks.json"),
             *folder.glob("**/files_direct_default.json")]  # fmt: skip
    assert len(lists) == 4
    for path in lists:
        entries = list(read_list(path.name, [path.read_bytes()]))
        assert entries == json.loads(path.read_bytes())


def test_preset_and_example_of_the_documentation(server: Loopback) -> None:
    page = (Path(__file__).parents[2] / "docs/sources/biostudies.md").read_text()
    block = page.partition("```toml\n")[2].partition("```")[0]
    example = tomllib.loads(block)["sources"][0]
    preset = make_source(SourceSettings(name="bia", preset="bioimage-archive"))
    assert isinstance(preset, BioStudies)
    assert preset.options == BioStudies.Options()
    options = {**example, "url": server.url, **FAST}
    del options["name"]
    source = make_source(SourceSettings(name=example["name"], **options))
    assert "bia:S-BIAD7" in {record.id for record in normalise_all(source, fetch_all(source))}
