"""The source ``rocrate``: studies from RO-Crate metadata files."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.crate_study import open_crate, study_of, term_of
from harvester.sources.rocrate import StudyCrates
from parfocal.errors import SourceMalformed
from parfocal.identifiers import RecordId
from parfocal.model import Dataset, KeyValue, Provenance, encode
from parfocal.testing.sources import SourceContract, fetch_all, normalise_all, raw_items
from parfocal.values import Problem

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
