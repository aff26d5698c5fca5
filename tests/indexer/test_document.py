"""What a record gives to every search engine."""

from __future__ import annotations

import msgspec

from indexer.document import Document, audience_of, build
from parfocal.model import Access, Annotation, KeyValue, Viewer
from parfocal.testing.searchable import archive, image, numbered, study
from parfocal.values import Change


def made(record: object, *ancestors: object) -> Document:
    (change,) = numbered([(record, ancestors)])  # type: ignore[list-item]
    doc = build(change)
    assert doc is not None
    return doc


def test_a_tombstone_has_no_document() -> None:
    assert build(Change(2, 1, archive()[0].id, None)) is None


def test_text_and_fields_are_inherited_and_key_values_are_not() -> None:
    w1 = next(change for change in archive() if change.id.endswith("w1"))
    doc = build(w1)
    assert doc is not None
    assert "spindle assembly in dividing cells" in doc.inherited
    assert "spindle assembly in dividing cells" not in doc.texts
    assert doc.fields["date"].numbers == (20190501.0,)
    assert [pair.key for pair in doc.pairs] == ["gene symbol", "dose"]
    assert doc.fields["organism"].terms == ("NCBITaxon:9606",)
    assert set(doc.claims) == {"NCBITaxon:9606", "NCBITaxon:9607"}
    assert (doc.studies, doc.containers) == (("s:st",), ("s:st/screen",))


def test_own_values_hide_inherited_ones() -> None:
    parent = study("s", "a", "A", key_values=(KeyValue("Organism", "Mus musculus"),))
    doc = made(image("s", "a/i", "", KeyValue("Organism", "Homo sapiens")), parent)
    assert doc.fields["organism"].texts == ("homo sapiens",)


def test_a_study_is_its_own_study_and_a_screen_not_its_own_container() -> None:
    st_, screen = (build(change) for change in archive()[:2])
    assert st_ is not None
    assert screen is not None
    assert st_.studies == ("s:st",)
    assert st_.fields["study"].texts == ("st",)
    assert screen.containers == ("s:st/screen",)
    assert "container" not in screen.fields


def test_a_text_with_a_believed_claim_shows_as_its_term_in_facets() -> None:
    believed = Annotation("organism", "human", "NCBITaxon:9606", "Homo sapiens", "label", 0.9, "x")
    pairs = (KeyValue("Organism", "Human"), KeyValue("Organism", "mouse"))
    record = msgspec.structs.replace(image("s", "i", ""), key_values=pairs, annotations=(believed,))
    organism = made(record).fields["organism"]
    assert organism.facets == ("NCBITaxon:9606", "mouse")
    assert organism.texts == ("human", "mouse", "homo sapiens")
    doubted = msgspec.structs.replace(believed, score=0.2)
    record = msgspec.structs.replace(record, annotations=(doubted,))
    organism = made(record).fields["organism"]
    assert organism.facets == ("Human", "mouse")
    assert organism.terms == ()


def test_a_term_named_beside_the_sources_own_word_is_counted_once() -> None:
    claim = Annotation("phenotype", "banana", "CMPO:365", "curved cell", "curated", 1.0, "x")
    pairs = (KeyValue("Phenotype", "banana"), KeyValue("Phenotype Term Name", "Curved cell"))
    record = msgspec.structs.replace(image("s", "i", ""), key_values=pairs, annotations=(claim,))
    assert made(record).fields["phenotype"].facets == ("CMPO:365",)


def test_a_changed_ancestor_is_not_taken_from_the_cache() -> None:
    picture = image("s", "a/i", "")
    assert made(picture, study("s", "a", "First")).inherited == ("first", "a")
    assert made(picture, study("s", "a", "Second")).inherited == ("second", "a")


def test_only_ancestors_that_all_its_viewers_see_exist_for_a_record() -> None:
    narrow = study("s", "n", "Narrow", Access(("lab",)), "2020")
    wide = study("s", "w", "Wide")
    doc = made(image("s", "i", ""), narrow, wide)
    assert doc.ancestors == ("s:w",)
    assert doc.studies == ("s:w",)
    assert doc.inherited == ("wide", "w")
    assert "date" not in doc.fields
    private = msgspec.structs.replace(image("s", "i", ""), access=Access(("lab",)))
    assert made(private, narrow, wide).ancestors == ("s:n", "s:w")
    other = msgspec.structs.replace(image("s", "i", ""), access=Access(("lab", "other")))
    assert made(other, narrow, wide).ancestors == ("s:w",)


def test_audiences_join_documents_and_viewers() -> None:
    assert made(image("s", "i", "")).audience == ("public",)
    private = msgspec.structs.replace(image("s", "i", ""), access=Access(("lab",)))
    assert set(made(private).audience) & set(audience_of(Viewer(frozenset({"lab"}))))
    assert not set(made(private).audience) & set(audience_of(Viewer()))
