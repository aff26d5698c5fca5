import time

import pytest

from ontology.annotate import ValueAnnotator
from parfocal.knowledge import Knowledge
from parfocal.terms import MemoryTermStore
from parfocal.testing.annotators import AnnotatorContract, well
from parfocal.testing.terms import TAXA, term


class TestValueAnnotator(AnnotatorContract):
    @pytest.fixture
    def make(self):
        return ValueAnnotator


def annotate(terms, *pairs):
    return tuple(ValueAnnotator(Knowledge(MemoryTermStore(terms))).annotate(well(*pairs)))


def test_says_how_it_knows():
    label, synonym = annotate(TAXA, ("Organism", "homo sapiens"), ("Organism 2", "house mouse"))
    assert (label.method, label.score) == ("label", 0.98)
    assert (synonym.method, synonym.score) == ("synonym", 0.95)
    assert label.by.startswith("parfocal ")
    assert label.by.endswith("with ncbitaxon 1")


@pytest.mark.parametrize(
    ("scope", "score"), [("EXACT", 0.95), ("RELATED", 0.75), ("BROAD", 0.6), ("NARROW", 0.6)]
)
def test_scope_of_the_synonym_decides_the_score(scope, score):
    terms = (term("CLO:1", "Dahl cell", synonyms=((scope, "D-7"),)),)
    assert annotate(terms, ("Cell Line", "D-7"))[0].score == score


def test_ontologies_of_the_field_count_in_their_order():
    terms = (
        term("EFO:1", "HeLa"),
        term("CLO:1", "HeLa cell", synonyms=(("EXACT", "HeLa"),)),
        term("GO:1", "HeLa"),
    )
    assert annotate(terms, ("Cell Line", "HeLa"))[0].term == "CLO:1"


def test_related_synonym_of_a_preferred_ontology_yields_to_a_label():
    terms = (
        term("CLO:1", "HeLa S3 cell", synonyms=(("RELATED", "HeLa"),)),
        term("EFO:1", "HeLa"),
    )
    assert annotate(terms, ("Cell Line", "HeLa"))[0].term == "EFO:1"


def test_mouse_means_the_species():
    assert annotate(TAXA, ("Species", "mouse"))[0].term == "NCBITaxon:10090"


def test_value_that_is_an_identifier_is_named():
    (claim,) = annotate(TAXA, ("Organism", "http://purl.obolibrary.org/obo/NCBITaxon_9606"))
    assert (claim.term, claim.label) == ("NCBITaxon:9606", "Homo sapiens")
    assert annotate(TAXA, ("Cell Line", "NCBITaxon:9606")) == ()


def test_same_text_under_two_keys_of_a_field_is_one_claim():
    assert len(annotate(TAXA, ("Organism", "human"), ("Species", "human"))) == 1


def test_keys_of_keyword_fields_are_left_alone():
    assert annotate((term("GO:1", "CDK1"),), ("Gene Symbol", "CDK1")) == ()


def test_memory_stays_bounded(monkeypatch):
    monkeypatch.setattr("ontology.annotate._MOST_VALUES", 10)
    annotator = ValueAnnotator(Knowledge(MemoryTermStore(TAXA)))
    for number in range(100):
        annotator.annotate(well(("Organism", f"thing {number}")))
        assert len(annotator._known) <= 10
    assert [c.term for c in annotator.annotate(well(("Organism", "human")))] == ["NCBITaxon:9606"]


def test_known_texts_cost_nearly_nothing():
    annotator = ValueAnnotator(Knowledge(MemoryTermStore(TAXA)))
    pairs = [("Organism", "human"), ("Cell Line", "HeLa")]
    record = well(*pairs, *((f"Key {n}", f"value {n}") for n in range(18)))
    annotator.annotate(record)
    start = time.process_time()
    for _ in range(20_000):
        annotator.annotate(record)
    assert 20_000 / (time.process_time() - start) > 100_000
