"""The source ``empiar`` against an archive that answers as EMPIAR does."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from harvester.sources.empiar import Empiar
from parfocal.config import SourceSettings
from parfocal.model import Dataset, KeyValue, Record
from parfocal.sources import make_source
from parfocal.testing.http_sources import FAST, HttpSourceContract
from parfocal.testing.loopback import Fault, Loopback, serve
from parfocal.testing.sources import SourceContract, Visit, fetch_all, normalise_all, raw_items
from parfocal.values import Problem, RawItem, Unchanged
from tests.fakes.empiar import FakeEmpiar


def source_of(url: str, **more: Any) -> Empiar:
    return Empiar("empiar", Empiar.Options(url=url, biostudies=url, page_size=2, **FAST, **more))


class TestEmpiarByList(HttpSourceContract):
    misbehaviour = ("empty", "duplicate-page", "endless-next")
    skips_unchanged = True

    @pytest.fixture
    def archive(self) -> FakeEmpiar:
        archive = FakeEmpiar()
        for number in range(5):
            archive.add(10001 + number)
        return archive

    @pytest.fixture
    def source(self, server: Loopback) -> Empiar:
        return source_of(server.url)

    @pytest.fixture
    def name(self) -> str:
        return "empiar"


class TestEmpiarByNumber(SourceContract):
    @pytest.fixture
    def archive(self) -> FakeEmpiar:
        archive = FakeEmpiar(tags=False)
        for number in range(5):
            archive.add(10002 + number)
        return archive

    @pytest.fixture
    def source(self, archive: FakeEmpiar) -> Iterator[Empiar]:
        with serve(archive) as loopback:
            yield source_of(loopback.url, numbers=("10001-10009",))

    @pytest.fixture
    def broken(self, archive: FakeEmpiar) -> Iterator[Empiar]:
        with serve(archive) as loopback:
            loopback.faults.append(Fault("html", path="10003", times=100))
            yield source_of(loopback.url, numbers=("10001-10009",))

    @pytest.fixture
    def name(self) -> str:
        return "empiar"


@pytest.fixture
def archive() -> FakeEmpiar:
    archive = FakeEmpiar()
    archive.add(10001)
    return archive


@pytest.fixture
def server(archive: FakeEmpiar) -> Iterator[Loopback]:
    with serve(archive) as loopback:
        yield loopback


def records_of(source: Empiar) -> list[Record]:
    return normalise_all(source, fetch_all(source))


def test_an_entry_with_its_image_sets(server: Loopback) -> None:
    study, images = records_of(source_of(server.url))
    assert isinstance(study, Dataset)
    assert isinstance(images, Dataset)
    assert (study.id, study.ome_type, study.title) == (
        "empiar:EMPIAR-10001",
        "Study",
        "Entry 10001",
    )
    assert (study.date, study.funding) == ("2023-02-28", ("Fund F1",))
    assert study.identifiers == ("EMPIAR-10001", "doi:10.6019/empiar-10001")
    assert [(p.name, p.orcid, p.affiliation, p.roles) for p in study.creators] == [
        ("Example A", "0000-0002-1825-0097", "Home University, Norway", ("corresponding author",)),
        ("Other BC", "", "", ()),
    ]
    assert [(p.title, p.doi, p.pubmed) for p in study.publications] == [
        ("A paper", "10.1000/paper", "123")
    ]
    for pair in (
        KeyValue("cross_references", "EMD-8000"),
        KeyValue("cross_references", "EMD-8001"),
        KeyValue("biostudies_references", "S-BIAD7"),
        KeyValue("idr_references", "idr0001"),
        KeyValue("experiment_type", "FIB-SEM"),
        KeyValue("version_history.status_code", "REL"),
        KeyValue("citation.journal", "Journal"),
    ):
        assert pair in study.key_values
    assert "https://www.ebi.ac.uk/emdb/EMD-8000" in [link.url for link in study.links]
    assert (images.id, images.part_of) == ("empiar:EMPIAR-10001/data/frames", study.id)
    assert (images.title, images.description) == ("Micrographs", "As collected")
    assert KeyValue("pixel_width", "3.425") in images.key_values
    assert images.links[0].url.endswith("/world_availability/10001/data/frames/")


def test_an_entry_that_is_as_it_was_is_not_sent_again(server: Loopback) -> None:
    source = source_of(server.url, numbers=("10001",))
    stamps = {item.key: item.stamp for item in raw_items(fetch_all(source))}
    assert fetch_all(source, walk=Visit(stamps=stamps)) == [
        Unchanged("entries/EMPIAR-10001", "10001")
    ]


def test_numbers_and_ranges(archive: FakeEmpiar, server: Loopback) -> None:
    archive.add(10003)
    source = source_of(server.url, numbers=("EMPIAR-10005", "10003 - 10004", "10001-10003", "7"))
    found = fetch_all(source)
    missing = [one.item for one in found if isinstance(one, Problem)]
    assert missing == ["entries/EMPIAR-7", "entries/EMPIAR-10005"]
    assert [item.cursor for item in raw_items(found)] == ["10001", "10003"]
    asked = [asked.path.rpartition("/")[2] for asked in server.asked]
    assert asked == ["7", "10001", "10002", "10003", "10004", "10005"]
    with pytest.raises(ValidationError):
        source_of(server.url, numbers=("all",))


def test_the_same_directory_twice(archive: FakeEmpiar, server: Loopback) -> None:
    sets = [{"directory": "data/x"}, {"directory": "data/x/"}, {"name": "bare"}, {}, None]
    archive.entries[10001]["imagesets"] = sets
    assert [record.id for record in records_of(source_of(server.url))[1:]] == [
        "empiar:EMPIAR-10001/data/x",
        "empiar:EMPIAR-10001/data/x~2",
        "empiar:EMPIAR-10001/imageset-3",
    ]


@pytest.mark.parametrize("dirt", [None, [], {}, "words", [None, "x", {"author": None}], 7])
def test_dirty_values_do_no_harm(archive: FakeEmpiar, server: Loopback, dirt: object) -> None:
    for name in archive.entries[10001]:
        if name != "title":
            archive.entries[10001][name] = dirt
    study = records_of(source_of(server.url))[0]
    assert study.title == "Entry 10001"


def test_only_what_the_list_calls_an_entry(archive: FakeEmpiar, server: Loopback) -> None:
    archive.listing.add("S-BIAD1")
    archive.listing.add("EMPIAR-99999", files=0)
    found = fetch_all(source_of(server.url))
    assert [one.item for one in found if isinstance(one, Problem)] == ["entries/EMPIAR-99999"]
    assert [item.key for item in raw_items(found)] == ["entries/EMPIAR-10001"]


def test_preset_and_example_of_the_documentation(server: Loopback) -> None:
    page = (Path(__file__).parents[2] / "docs/sources/empiar.md").read_text()
    example = tomllib.loads(page.partition("```toml\n")[2].partition("```")[0])["sources"][0]
    preset = make_source(SourceSettings(name="empiar", preset="empiar"))
    assert isinstance(preset, Empiar)
    assert preset.options == Empiar.Options()
    options = {**example, "url": server.url, "numbers": ["10001"], **FAST}
    del options["name"]
    source = make_source(SourceSettings(name=example["name"], **options))
    assert normalise_all(source, fetch_all(source))


@pytest.mark.corpus
def test_real_entries(corpus: Path) -> None:
    files = sorted((corpus / "api/empiar").glob("*/*.json"))
    assert len(files) == 2
    source = source_of("https://a.example")
    for file in files:
        item = RawItem(f"entries/{file.parent.name}", file.read_bytes())
        study, images = source.normalise(item)
        assert isinstance(study, Dataset)
        assert study.date
        assert study.identifiers[1].startswith("doi:10.6019/")
        assert isinstance(images, Dataset)
        assert images.part_of == study.id
