import sys
from importlib.util import find_spec

import pytest

from ontology import embedding
from ontology.embedding import MeaningProposer
from parfocal import registry
from parfocal.errors import PluginMissing
from parfocal.knowledge import Knowledge
from parfocal.terms import MemoryTermStore
from parfocal.testing.terms import TAXA, term

TERMS = (
    *TAXA,
    term("CMPO:1", "increased nucleus size phenotype", ("EXACT", "big nuclei")),
    term("CMPO:2", "round cell phenotype"),
    term("CMPO:3", "fragmented nucleus", ("BROAD", "banana")),
)
KNOWLEDGE = Knowledge(MemoryTermStore(TERMS))
installed = pytest.mark.skipif(
    find_spec("wordllama") is None, reason="the extra meaning is not installed"
)


@installed
@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("bigger nuclear size", "CMPO:1"),
        ("rounded cells", "CMPO:2"),
        ("fragmentation of the nuclei", "CMPO:3"),
    ],
)
def test_other_words_of_like_meaning(text, first):
    found = MeaningProposer(KNOWLEDGE).propose("phenotype", text)
    assert (found[0].term, found[0].method) == (first, "meaning")
    assert found[0].label
    assert list(found) == sorted(found, key=lambda one: -one.score)
    assert all(0 < one.score <= 0.7 for one in found)
    assert len({one.term for one in found}) == len(found)


@installed
def test_only_names_that_mean_the_term_and_only_of_the_field():
    proposer = MeaningProposer(KNOWLEDGE)
    assert proposer.propose("phenotype", "banana") == ()
    assert proposer.propose("phenotype", "") == ()
    assert proposer.propose("nofield", "round cell") == ()
    assert all(one.term.startswith("NCBITaxon") for one in proposer.propose("organism", "mouse"))
    assert len(proposer.propose("phenotype", "nucleus", limit=1)) <= 1


@installed
def test_codes_and_other_numbers_are_not_alike():
    terms = MemoryTermStore((term("CMPO:1", "cell stage 12"), term("CMPO:2", "E11")))
    proposer = MeaningProposer(Knowledge(terms))
    assert [one.term for one in proposer.propose("phenotype", "stage 12 of cells")] == ["CMPO:1"]
    assert proposer.propose("phenotype", "stage 13 of cells") == ()
    assert proposer.propose("phenotype", "E11") == ()


@installed
def test_few_fields_are_held(monkeypatch):
    monkeypatch.setattr(embedding, "_MOST_FIELDS", 1)
    proposer = MeaningProposer(KNOWLEDGE)
    first = proposer.propose("phenotype", "round cells")
    proposer.propose("organism", "mouse")
    assert list(proposer._held) == ["organism"]
    assert proposer.propose("phenotype", "round cells") == first


@installed
def test_a_missing_part_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(PluginMissing) as raised:
        MeaningProposer(KNOWLEDGE).propose("phenotype", "round")
    assert "parfocal[meaning]" in raised.value.hint


def test_without_the_package_nothing_is_proposed(monkeypatch):
    monkeypatch.setattr(embedding, "find_spec", lambda name: None)
    assert MeaningProposer(KNOWLEDGE).propose("phenotype", "round cells") == ()


def test_it_comes_as_a_plug_in():
    assert registry.load("proposers", "meaning") is MeaningProposer
