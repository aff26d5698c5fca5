"""The source ``rocrate``: studies from RO-Crate metadata files."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harvester.crates import items as rocrate_items
from harvester.crates.crate import open_crate, term_of
from harvester.crates.crate_study import study_of
from harvester.sources.rocrate import StudyCrates
from parfocal.errors import SourceMalformed
from parfocal.identifiers import RecordId
from parfocal.model import Dataset, Image, KeyValue, Provenance, Record, encode
from parfocal.testing.sources import SourceContract, fetch_all, normalise_all, raw_items
from parfocal.values import Problem
from tests.fakes.crates import zipped

URL = "https://archive.example/studies/S-1/"


def crate(**more: Any) -> dict[str, Any]:
    root = {
        "@id": URL,
        "@type": ["Dataset"],
        "name": "Title",
        "description": "Words",
        "datePublished": "2020-01-02T00:00:00",
        "license": {"@id": "https://creativecommons.org/licenses/by/4.0/"},
        "identifier": ["S-1", "https://doi.org/10.1234/X"],
        "publisher": {"@id": "#archive"},
        "author": [{"@id": "https://orcid.org/0000-0002-1825-0097"}],
        "about": [{"@id": "obo:NCBITaxon_09606"}, {"@id": "#sample"}],
        "measurementMethod": [{"@id": "#protocol"}, {"@id": "obo:FBbi_00000251"}],
        "seeAlso": [{"@id": "https://doi.org/10.1000/Paper"}],
        "keywords": ["cells, dividing", "mitosis"],
        "funder": [{"@id": "#grant"}],
        "thumbnailUrl": ["https://archive.example/t.png"],
        **more,
    }
    others = [
        {"@id": "#archive", "@type": "Organization", "name": "Archive"},
        {
            "@id": "https://orcid.org/0000-0002-1825-0097",
            "@type": "Person",
            "name": "Ada",
            "affiliation": [{"@id": "#home"}],
        },
        {"@id": "#home", "@type": "Organization", "name": "Home"},
        {"@id": "obo:NCBITaxon_09606", "@type": ["Taxon"], "scientificName": "Homo sapiens"},
        {
            "@id": "#sample",
            "@type": "BioSample",
            "name": "HeLa cells",
            "description": "grown",
            "taxonomicRange": {"@id": "obo:NCBITaxon_09606"},
            "hasCellLine": [{"@id": "http://purl.obolibrary.org/obo/CLO_0003684"}],
        },
        {
            "@id": "http://purl.obolibrary.org/obo/CLO_0003684",
            "@type": "DefinedTerm",
            "name": "HeLa cell",
        },
        {"@id": "obo:FBbi_00000251", "@type": "DefinedTerm", "name": "confocal microscopy"},
        {"@id": "#protocol", "@type": "LabProtocol", "name": "P", "labEquipment": "Scope"},
        {"@id": "https://doi.org/10.1000/Paper", "@type": "ScholarlyArticle", "name": "Paper"},
        {"@id": "#grant", "@type": "Grant", "name": "Grant", "identifier": "G7"},
    ]
    descriptor = {"@id": "ro-crate-metadata.json", "about": {"@id": URL}}
    return {
        "@context": "https://w3id.org/ro/crate/1.2/context",
        "@graph": [descriptor, root, *others],
    }


def study(document: object) -> tuple[Dataset, list[tuple[str, str]]]:
    opened = open_crate(json.dumps(document).encode())
    made = study_of(opened, RecordId("gide:S-1"), Provenance(source="gide", native_id="S-1"))
    return made, opened.warnings


def source(path: Path) -> StudyCrates:
    return StudyCrates("gide", StudyCrates.Options(path=path))


class TestStudyCrates(SourceContract):
    @pytest.fixture
    def source(self) -> StudyCrates:
        return source(Path(str(files("parfocal") / "data" / "demo" / "crates")))

    @pytest.fixture
    def name(self) -> str:
        return "gide"

    @pytest.fixture
    def broken(self, tmp_path: Path) -> StudyCrates:
        (tmp_path / "a-ro-crate-metadata.json").write_text(json.dumps(crate()))
        (tmp_path / "b-ro-crate-metadata.json").write_text("{")
        return source(tmp_path)


def test_everything_of_a_study() -> None:
    made, warnings = study(crate())
    assert warnings == []
    assert (made.ome_type, made.title, made.date) == ("Study", "Title", "2020-01-02")
    assert (made.licence, made.publisher) == ("CC-BY-4.0", "Archive")
    assert made.identifiers == ("S-1", "doi:10.1234/x")
    assert [(p.name, p.orcid, p.affiliation) for p in made.creators] == [
        ("Ada", "0000-0002-1825-0097", "Home")
    ]
    assert [(p.title, p.doi) for p in made.publications] == [("Paper", "10.1000/paper")]
    assert (made.keywords, made.funding) == (("cells, dividing", "mitosis"), ("Grant G7",))
    assert made.thumbnail == "https://archive.example/t.png"
    assert [(link.url, link.kind) for link in made.links] == [(URL, "landing")]
    assert made.same_as == (URL,)
    assert KeyValue("Organism", "Homo sapiens") in made.key_values
    assert KeyValue("Imaging Method", "confocal microscopy") in made.key_values
    assert KeyValue("Cell Line", "HeLa cell") in made.key_values
    assert KeyValue("Equipment", "Scope") in made.key_values
    assert {(a.field, a.term, a.method) for a in made.annotations} == {
        ("organism", "NCBITaxon:9606", "curated"),
        ("imaging_method", "FBbi:00000251", "curated"),
        ("cell_line", "CLO:0003684", "curated"),
    }


@pytest.mark.parametrize("name", ["name", "license", "author", "publisher", "about"])
def test_what_the_profile_wants_is_missed(name: str) -> None:
    _, warnings = study(crate(**{name: None}))
    assert [place for place, _ in warnings] == [name]


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("obo:NCBITaxon_9606", "NCBITaxon:9606"),
        ("http://purl.obolibrary.org/obo/NCBITaxon_06239", "NCBITaxon:6239"),
        ("http://www.ebi.ac.uk/efo/EFO_0003789", "EFO:0003789"),
        ("FBbi:00000251", "FBbi:00000251"),
        ("#sample-1", None),
        ("https://archive.example/x", None),
    ],
)
def test_terms_however_they_are_written(text: str, term: str | None) -> None:
    assert term_of(text) == term


def test_names_are_unique(tmp_path: Path) -> None:
    for name in ("a", "b", "deep/c", "deep"):
        place = tmp_path / name
        place.mkdir(parents=True, exist_ok=True)
        (place / "ro-crate-metadata.json").write_text(json.dumps(crate()))
    (tmp_path / "x-ro-crate-metadata.json").write_text(json.dumps(crate()).replace(URL, "./"))
    made = source(tmp_path)
    ids = [record.id for record in normalise_all(made, fetch_all(made))]
    assert ids == ["gide:S-1", "gide:b", "gide:deep/c", "gide:deep", "gide:x"]


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"@graph": 3}', b'{"@graph": [3, {}]}', b"[" * 100_000, b"\xff"],
)
def test_no_crate_is_a_problem(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a-ro-crate-metadata.json").write_bytes(content)
    (problem,) = fetch_all(source(tmp_path))
    assert isinstance(problem, Problem)
    assert problem.item == "a-ro-crate-metadata.json"


def attached(*parts: dict[str, Any]) -> dict[str, Any]:
    """A crate that lies beside its data."""
    document = json.loads(json.dumps(crate()).replace(URL, "./"))
    document["@graph"][1]["hasPart"] = [{"@id": part["@id"]} for part in parts]
    document["@graph"] += parts
    return dict(document)


def read(path: Path) -> tuple[list[Record], list[Problem]]:
    made = source(path)
    found = fetch_all(made)
    problems = [one for one in found if isinstance(one, Problem)]
    for item in raw_items(found):
        problems += [one for one in made.normalise(item) if isinstance(one, Problem)]
    return normalise_all(made, found), problems


def test_data_sets_and_images_of_an_attached_crate(tmp_path: Path) -> None:
    inner = {"@id": "data/cells%201.ome.tif", "@type": "File", "name": "Cells", "contentSize": "9"}
    folder = {
        "@id": "data/",
        "@type": "Dataset",
        "name": "Data",
        "hasPart": [{"@id": inner["@id"]}, {"@id": "./"}, {"@id": "notes.txt"}],
        "sample": {"@id": "#sample"},
    }
    store = {"@id": "big.ome.zarr/", "@type": "Dataset"}
    photo = {"@id": "https://pictures.example/1", "@type": "File", "encodingFormat": "image/png"}
    notes = {"@id": "notes.txt", "@type": "File"}
    (tmp_path / "one").mkdir()
    document = json.dumps(attached(folder, inner, store, photo, notes))
    (tmp_path / "one" / "ro-crate-metadata.json").write_text(document)
    records, problems = read(tmp_path)
    assert problems == []
    assert [(type(r).__name__, r.id, r.part_of) for r in records] == [
        ("Dataset", "gide:one", None),
        ("Dataset", "gide:one/data", "gide:one"),
        ("Image", "gide:one/data/cells 1.ome.tif", "gide:one/data"),
        ("Image", "gide:one/big.ome.zarr", "gide:one"),
        ("Image", "gide:one/pictures.example/1", "gide:one"),
    ]
    cells, store_image, picture = records[2:]
    assert isinstance(cells, Image)
    assert isinstance(store_image, Image)
    assert isinstance(picture, Image)
    assert (cells.title, cells.location, cells.format) == (
        "Cells",
        "one/data/cells 1.ome.tif",
        "OME-TIFF",
    )
    assert (store_image.location, store_image.format) == ("one/big.ome.zarr", "OME-Zarr")
    assert (picture.location, picture.format) == ("https://pictures.example/1", "PNG")
    assert ("organism", "NCBITaxon:9606") in {(a.field, a.term) for a in records[1].annotations}


@pytest.mark.parametrize(
    "path", ["../up.tif", "a/../../up.tif", "%2e%2e/up.tif", "/etc/up.tif", "file:///etc/up.tif"]
)
def test_parts_that_lead_out_are_left_out(tmp_path: Path, path: str) -> None:
    document = json.dumps(attached({"@id": path, "@type": "File"}))
    (tmp_path / "ro-crate-metadata.json").write_text(document)
    records, problems = read(tmp_path)
    assert len(records) == 1
    assert [(p.place, p.severity) for p in problems] == [(path, "warning")]


def test_crates_in_zip_archives(tmp_path: Path) -> None:
    good = json.dumps(attached({"@id": "a.tif", "@type": "File"})).encode()
    members = {"x/ro-crate-metadata.json": good, "../ro-crate-metadata.json": good, "x/a.tif": b""}
    (tmp_path / "crates.zip").write_bytes(zipped(members))
    (tmp_path / "data.zip").write_bytes(zipped({"a.tif": b""}))
    (tmp_path / "no.zip").write_bytes(b"PK but no archive")
    records, problems = read(tmp_path)
    assert [record.id for record in records] == ["gide:crates.zip/x", "gide:crates.zip/x/a.tif"]
    assert isinstance(records[1], Image)
    assert records[1].location == "crates.zip/x/a.tif"
    assert [problem.item for problem in problems] == ["crates.zip", "no.zip"]
    records, problems = read(tmp_path / "crates.zip")
    assert len(records) == 2
    assert [problem.reason for problem in read(tmp_path / "data.zip")[1]] == ["holds no RO-Crate"]


def test_a_zip_bomb_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rocrate_items, "MAX_CRATE", 100_000)
    content = b'{"@graph": "' + b" " * 5_000_000 + b'"}'
    bomb = zipped({"ro-crate-metadata.json": content})
    assert len(bomb) < 10_000
    (tmp_path / "bomb.zip").write_bytes(bomb)
    records, problems = read(tmp_path)
    assert records == []
    assert len(problems) == 1


def test_words_of_the_crates_own_context(tmp_path: Path) -> None:
    document = attached()
    document["@context"] = [
        "https://w3id.org/ro/crate/1.1/context",
        {"title": {"@id": "schema:name"}, "schema": "http://schema.org/"},
    ]
    root = document["@graph"][1]
    root["title"] = root.pop("name")
    root["schema:description"] = root.pop("description")
    (tmp_path / "ro-crate-metadata.json").write_text(json.dumps(document))
    (made,), problems = read(tmp_path)
    assert (made.title, made.description) == ("Title", "Words")
    assert problems == []


def test_what_is_not_known_becomes_key_values() -> None:
    size = {"@id": "#size", "value": 12, "unitText": "images", "@type": "QuantitativeValue"}
    document = crate(size={"@id": "#size"}, copyrightNotice="Ours", empty=None)
    document["@graph"].append(size)
    made, _ = study(document)
    pairs = {(pair.key, pair.value) for pair in made.key_values}
    assert {("size", "12"), ("size.unitText", "images"), ("copyrightNotice", "Ours")} <= pairs


def test_a_source_must_name_a_place() -> None:
    with pytest.raises(ValidationError):
        StudyCrates.Options()


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["@id", "@type", "@value", "name"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.sampled_from(list(crate()["@graph"][1])), JSON)
def test_any_value_of_a_property_is_read(name: str, value: Any) -> None:
    document = crate(**{name: value})
    try:
        encode(study(document)[0])
    except SourceMalformed:
        assert name == "@id"


@pytest.mark.corpus
def test_every_crate_of_the_corpus_is_a_study(corpus: Path) -> None:
    made = source(corpus / "rocrate" / "gide-crates")
    found = fetch_all(made)
    studies = [r for r in normalise_all(made, found) if isinstance(r, Dataset)]
    assert len(raw_items(found)) == len(found) == len(studies) == 512
    assert sum(1 for s in studies if s.licence.startswith("CC")) == 511
    assert sum(1 for s in studies if s.creators) == 511
    assert sum(1 for s in studies if any(a.field == "organism" for a in s.annotations)) > 490
    by_id = {s.id: s for s in studies}
    assert by_id["gide:S-BIAD2387"].creators[0].orcid.startswith("0009-")


@pytest.mark.corpus
def test_real_crates_of_other_kinds(corpus: Path) -> None:
    records, problems = read(corpus / "rocrate" / "bia-ro-crate")
    assert problems == []
    images = [record for record in records if isinstance(record, Image)]
    assert len(images) == 8
    assert {image.format for image in images} == {"OME-Zarr"}
    assert {(a.field, a.term) for a in records[0].annotations} == {
        ("organism", "NCBITaxon:7227"),
        ("imaging_method", "FBbi:00000251"),
        ("imaging_method", "FBbi:00000254"),
    }
    records, problems = read(corpus / "rocrate" / "validator")
    assert len([record for record in records if record.part_of is None]) == 108
    assert [problem.severity for problem in problems].count("error") == 1
