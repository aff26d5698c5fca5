from hypothesis import given
from hypothesis import strategies as st

from parfocal.hits import annotations_of, visible_ancestors
from parfocal.identifiers import Curie, RecordId
from parfocal.model import Access, Annotation, Dataset, Image, KeyValue, Provenance, Viewer
from parfocal.query import All, Concept, FieldIn, KeyMatch, Not, Terms, Token
from parfocal.reasons import Explainer
from parfocal.snippets import phrases_asked, snippet

HELA = Annotation(
    "cell_line", "HeLa Kyoto", Curie("EFO:1"), "HeLa", "synonym", 0.9, "us", "Cell Line"
)
MOUSE = Annotation(
    "organism", "mouse", Curie("NCBITaxon:10090"), "Mus musculus", "label", 0.9, "us"
)
DOUBTED = Annotation("organism", "human", Curie("NCBITaxon:7"), "?", "doubted", 0.2, "curator")


def record(**fields):
    return Image(id=RecordId("s:i"), provenance=Provenance("s", "i"), **fields)


def study(**fields):
    return Dataset(id=RecordId("s:d"), ome_type="Study", provenance=Provenance("s", "d"), **fields)


def why(where, image, *ancestors):
    return Explainer(where).reasons(image, ancestors, annotations_of(image, ancestors))


def test_a_term_explains_a_concept_with_its_evidence():
    concept = Concept("hela", Curie("EFO:1"), "HeLa", terms=(Curie("EFO:1"),))
    (reason,) = why(concept, record(annotations=(HELA,)))
    assert (reason.how, reason.text, reason.label, reason.field) == (
        "synonym",
        "HeLa Kyoto",
        "HeLa",
        "cell_line",
    )


def test_an_inherited_term_says_whence():
    where = FieldIn("organism", terms=(Curie("NCBITaxon:10090"),), label="mouse")
    (reason,) = why(where, record(), study(annotations=(MOUSE,)))
    assert reason.inherited_from == "s:d"


def test_own_field_hides_the_inherited_one():
    own = Annotation("organism", "fly", Curie("NCBITaxon:7227"), "fly", "label", 0.9, "us")
    found = annotations_of(record(annotations=(own,)), (study(annotations=(MOUSE, HELA)),))
    assert [(a.claim.label, a.inherited_from) for a in found] == [("fly", None), ("HeLa", "s:d")]


def test_a_doubted_claim_explains_only_the_accession():
    image = record(annotations=(DOUBTED,))
    assert why(FieldIn("organism", terms=(Curie("NCBITaxon:7"),)), image) == ()
    assert why(Terms("x", "x", (Curie("NCBITaxon:7"),)), image)[0].how == "doubted"


def test_words_and_synonyms_are_shown_where_they_stand():
    image = record(key_values=(KeyValue("Phenotype", "slow cell division"),))
    (reason,) = why(Concept("mitosis", Curie("GO:1"), "m", ("cell division",)), image)
    assert (reason.how, reason.key, reason.asked) == ("words", "Phenotype", "mitosis")


def test_pairs_are_shown_and_negations_are_not():
    image = record(key_values=(KeyValue("Gene Symbol", "CDK1"), KeyValue("Gene Symbol", "KIF11")))
    where = All((KeyMatch("gene symbol", "contains", ("kif",)), Not(Token("x"))))
    (reason,) = why(where, image)
    assert (reason.how, reason.text, reason.key) == ("key-value", "KIF11", "Gene Symbol")


def test_ancestors_that_a_viewer_may_not_see_are_left_out():
    above = (study(access=Access(("lab",))),)
    assert visible_ancestors(record(), above, Viewer()) == ()
    assert visible_ancestors(record(), above, Viewer(frozenset({"lab"}))) == above


def test_snippet_marks_whole_wordings_only():
    image = record(key_values=(KeyValue("Cell Line", "HeLa"),))
    concept = Concept("hela", Curie("EFO:1"), "HeLa", ("HeLa cell",))
    text, marks = snippet(image, phrases_asked(concept))
    assert [text[start:end] for start, end in marks] == ["HeLa"]


@given(st.text(max_size=600), st.text(max_size=20))
def test_marks_lie_in_the_snippet(description, asked):
    phrases = phrases_asked(Token(asked))
    text, marks = snippet(record(description=description), phrases)
    assert len(text) <= 226
    for start, end in marks:
        assert (text[start:end].casefold(),) in phrases
