import pytest
from hypothesis import given
from hypothesis import strategies as st

from ontology.mentions import MentionAnnotator
from ontology.running_text import PhraseBook
from parfocal.identifiers import Curie, record_id
from parfocal.knowledge import Knowledge
from parfocal.model import Annotation, Dataset, KeyValue, Provenance
from parfocal.terms import MemoryTermStore
from parfocal.testing.annotators import well
from parfocal.testing.terms import TAXA, term

TERMS = (
    *TAXA,
    term("NCBITaxon:7955", "Danio rerio"),
    term("FBbi:00000222", "imaging method"),
    term("FBbi:1", "electron microscopy", "FBbi:00000222"),
    term("FBbi:2", "scanning electron microscopy (SEM)", "FBbi:1", synonyms=(("EXACT", "SEM"),)),
    term("FBbi:3", "antibody"),
    term("EFO:0000322", "cell line"),
    term("EFO:1", "HeLa", "EFO:0000322"),
    term("EFO:2", "Vero", "EFO:0000322"),
    term("UBERON:1", "kidney"),
    term("UBERON:2", "process"),
    term("CL:1", "neural stem cell"),
    term("DOID:1", "breast cancer"),
)
STORE = MemoryTermStore(TERMS)
BOOK = PhraseBook(STORE)


def study(title="", description="", *annotations, pairs=()):
    return Dataset(
        id=record_id("s", "study"),
        ome_type="Study",
        title=title,
        description=description,
        provenance=Provenance("s", "study"),
        annotations=annotations,
        key_values=tuple(KeyValue(*pair) for pair in pairs),
    )


def found(text):
    return {(one.text, one.term) for one in BOOK.find(text)}


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Mitosis in HeLa cells", {("HeLa", "EFO:1")}),
        ("hela and VERO", set()),
        ("Zebrafish kidneys", {("Zebrafish", "NCBITaxon:7955"), ("kidneys", "UBERON:1")}),
        ("scanning electron microscopy", {("scanning electron microscopy", "FBbi:2")}),
        (
            "Scanning Electron-Microscopy of mice",
            {("Scanning Electron-Microscopy", "FBbi:2"), ("mice", "NCBITaxon:10090")},
        ),
        ("neural stem-cells.", {("neural stem-cells", "CL:1")}),
        ("The process, with an antibody", set()),
        ("stained with mouse anti-tubulin", set()),
        ("foetal bovine serum and goat anti-mouse IgG", set()),
        ("in mouse and human tissue", {("mouse", "NCBITaxon:10090"), ("human", "NCBITaxon:9606")}),
        ("unlike HeLa cells", set()),
        ("No breast cancer was seen. Kidney", {("Kidney", "UBERON:1")}),
        ("not only this. HeLa", {("HeLa", "EFO:1")}),
    ],
)
def test_what_a_text_mentions(text, terms):
    assert found(text) == terms


def test_abbreviation_means_what_the_text_defines():
    assert found("SEM images") == {("SEM", "FBbi:2")}
    assert found("breast cancer (SEM) shows SEM") == {("breast cancer", "DOID:1")}


def test_claims_tell_where_they_stand():
    record = study("HeLa cells", "in a kidney", pairs=[("Growth Protocol", "on human fibroblasts")])
    claims = MentionAnnotator(Knowledge(STORE)).annotate(record)
    assert {(c.field, c.key, c.text, c.start, c.method) for c in claims} == {
        ("cell_line", "title", "HeLa", 0, "text"),
        ("tissue", "description", "kidney", 5, "text"),
        ("organism", "Growth Protocol", "human", 3, "text"),
    }
    assert not any(claim.inherited for claim in claims)


def test_fields_of_which_something_is_known_are_left_alone():
    known = Annotation("organism", "x", Curie("NCBITaxon:9606"), "", "curated", 1.0, "curator")
    record = study("mouse kidney", "", known)
    claims = MentionAnnotator(Knowledge(STORE)).annotate(record)
    assert [claim.field for claim in claims] == ["organism", "tissue"]
    assert claims[0] is known


def test_images_are_left_alone():
    record = well(("Description", "a mouse kidney"))
    assert MentionAnnotator(Knowledge(STORE)).annotate(record) is record.annotations


@given(st.lists(st.sampled_from(["HeLa", "mouse", "(", ")", "SEM", "no", ".", "µ-x", "ß", "İ"])))
def test_every_mention_is_in_the_text(parts):
    text = " ".join(parts)
    for one in BOOK.find(text):
        assert text[one.start : one.start + len(one.text)] == one.text


@given(st.text(max_size=200))
def test_any_text_can_be_read(text):
    for one in BOOK.find(text):
        assert text[one.start :].startswith(one.text)
