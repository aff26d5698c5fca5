"""The source ``ssbd`` against a server with RDF as SSBD writes it."""

from __future__ import annotations

import gzip
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from harvester.sources.ssbd import Ssbd
from harvester.ssbd.graph import Graph
from parfocal.config import SourceSettings
from parfocal.errors import SourceError, SourceMalformed
from parfocal.model import Dataset, Image, KeyValue, Quantity, Record
from parfocal.sources import make_source
from parfocal.testing.http_sources import FAST, HttpSourceContract
from parfocal.testing.loopback import Loopback, serve
from parfocal.testing.sources import Visit, fetch_all, normalise_all, raw_items
from parfocal.values import Mark, Unchanged
from tests.fakes.ssbd import FakeSsbd, instances


def source_of(url: str, **more: Any) -> Ssbd:
    urls = (f"{url}/terms.ttl",)
    return Ssbd("ssbd", Ssbd.Options(url=f"{url}/instances.ttl", urls=urls, **FAST, **more))


class TestSsbd(HttpSourceContract):
    misbehaviour = ()
    skips_unchanged = True

    @pytest.fixture
    def archive(self) -> FakeSsbd:
        archive = FakeSsbd()
        for _ in range(4):
            archive.add()
        return archive

    @pytest.fixture
    def source(self, server: Loopback) -> Ssbd:
        return source_of(server.url)

    @pytest.fixture
    def name(self) -> str:
        return "ssbd"


@pytest.fixture
def archive() -> FakeSsbd:
    archive = FakeSsbd()
    archive.add(1)
    return archive


@pytest.fixture
def server(archive: FakeSsbd) -> Iterator[Loopback]:
    with serve(archive) as loopback:
        yield loopback


def records_of(source: Ssbd) -> list[Record]:
    return normalise_all(source, fetch_all(source))


def test_a_project_with_its_data_sets(server: Loopback) -> None:
    study, data, image = records_of(source_of(server.url))
    assert isinstance(study, Dataset)
    assert isinstance(data, Dataset)
    assert isinstance(image, Image)
    assert (study.id, study.title, study.licence) == (
        "ssbd:1-Bao-Embryo",
        "Project 1",
        "CC-BY-4.0",
    )
    assert (study.date, study.publisher) == ("2022-11-23", "SSBD")
    assert [(p.name, p.orcid, p.affiliation) for p in study.creators] == [
        ("Ada Example", "0000-0002-1825-0097", "Home")
    ]
    assert [(p.title, p.doi, p.pubmed) for p in study.publications] == [
        ("A paper", "10.1000/p", "9")
    ]
    assert study.links[0].url == "https://ssbd.riken.jp/database/project/1-Bao-Embryo/"
    assert (data.id, data.part_of) == ("ssbd:1-Bao-Embryo/1-Fig1", study.id)
    assert {(a.field, a.term, a.text) for a in data.annotations} == {
        ("organism", "NCBITaxon:6239", "Caenorhabditis elegans"),
        ("imaging_method", "FBbi:00000251", "confocal microscopy"),
    }
    assert KeyValue("has_description", "wild type", "SSBD_biosample_information") in data.key_values
    assert KeyValue("has_x_scale", "0.1 micrometer", "SSBD_dimension_data") in data.key_values
    assert (image.part_of, image.format, image.size_x, image.size_y) == (
        data.id,
        "OME-Zarr",
        512,
        256,
    )
    assert image.pixel_size_x == Quantity(0.1, "µm")
    assert (image.location, image.thumbnail) == (
        "https://s3.example/1.zarr",
        "https://ssbd.example/1.png",
    )


def test_documents_that_did_not_change_are_not_sent_again(
    archive: FakeSsbd, server: Loopback
) -> None:
    source = source_of(server.url)
    (mark,) = [one for one in fetch_all(source) if isinstance(one, Mark)]
    server.forget()
    found = fetch_all(source, walk=Visit(mark=mark.text))
    assert found == [Unchanged("", below=True), mark]
    assert server.sent == 0
    archive.change()
    found = fetch_all(source, walk=Visit(mark=mark.text))
    assert normalise_all(source, found)[0].title == "Changed 1"
    assert normalise_all(source, found)[1].annotations, "the terms were read again too"


def test_documents_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.ttl.gz").write_bytes(gzip.compress(instances({1: "P"}).encode()))
    (tmp_path / "notes.txt").write_text("no RDF")
    source = Ssbd("ssbd", Ssbd.Options(path=tmp_path))
    found = fetch_all(source)
    assert len(normalise_all(source, found)) == 3
    (mark,) = [one for one in found if isinstance(one, Mark)]
    assert fetch_all(source, walk=Visit(mark=mark.text))[0] == Unchanged("", below=True)
    (tmp_path / "b.ttl").write_text(instances({2: "P"}))
    found = fetch_all(source, walk=Visit(mark=mark.text))
    assert len(raw_items(found)) == 4
    assert len(raw_items(fetch_all(Ssbd("s", Ssbd.Options(path=tmp_path / "b.ttl"))))) == 2


def test_data_sets_of_no_project(tmp_path: Path) -> None:
    base = "http://ssbd.riken.jp/ontology/"
    (tmp_path / "a.ttl").write_text(f"<{base}ssbd-dataset-7-X> a <{base}SSBD_dataset> .")
    (data,) = records_of(Ssbd("ssbd", Ssbd.Options(path=tmp_path)))
    assert (data.id, data.part_of, data.title) == ("ssbd:7-X", None, "7-X")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.ttl", b"<a> <b> ."),
        ("a.ttl", b""),
        ("a.ttl", b"\xff\xfe\x00"),
        ("a.rdf", b"<?xml version='1.0'?><rdf:RDF"),
        ("a.jsonld", b'{"@context": "https://remote.example/context", "@id": "a:b"}'),
        ("a.ttl.gz", b"\x1f\x8b broken"),
    ],
)
def test_no_rdf_ends_the_walk(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError):
        fetch_all(Ssbd("ssbd", Ssbd.Options(path=tmp_path)))


def test_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harvester.ssbd.graph.MAX_TRIPLES", 10)
    with pytest.raises(SourceMalformed):
        Graph().add("a.ttl", instances({1: "P"}).encode())


def test_a_source_must_name_a_place(tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        Ssbd.Options()
    with pytest.raises(SourceError):
        fetch_all(Ssbd("ssbd", Ssbd.Options(path=tmp_path / "none")))


def test_example_of_the_documentation(server: Loopback) -> None:
    page = (Path(__file__).parents[2] / "docs/sources/ssbd.md").read_text()
    example = tomllib.loads(page.partition("```toml\n")[2].partition("```")[0])["sources"][0]
    options = {**example, "url": f"{server.url}/instances.ttl", **FAST}
    name = options.pop("name")
    source = make_source(SourceSettings(name=name, **options))
    assert len(normalise_all(source, fetch_all(source))) == 3
    assert isinstance(make_source(SourceSettings(name="ssbd", preset="ssbd-rdf")), Ssbd)


@pytest.mark.corpus
@pytest.mark.parametrize("name", ["instance", "ontology/ssbd_instances.ttl.gz"])
def test_the_real_instances(corpus: Path, name: str) -> None:
    source = Ssbd("ssbd", Ssbd.Options(path=corpus / "api" / "ssbd" / name))
    found = fetch_all(source)
    records = normalise_all(source, found)
    assert fetch_all(source) == found, "the same documents give the same bytes"
    kinds = [getattr(record, "ome_type", "") for record in records]
    assert (kinds.count("Study"), kinds.count("Image")) == (7, 11)
    data = [record for record in records if isinstance(record, Dataset) and record.part_of]
    assert len(data) == 66
    assert all(any(a.field == "organism" for a in record.annotations) for record in data)
    assert all(any(a.field == "imaging_method" for a in record.annotations) for record in data)
