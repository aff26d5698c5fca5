import pytest

from ontology.proposing import TermProposer
from parfocal.knowledge import Knowledge
from parfocal.terms import MemoryTermStore
from parfocal.testing.terms import TAXA, term

PROPOSER = TermProposer(
    Knowledge(
        MemoryTermStore(
            (
                *TAXA,
                term("CMPO:1", "elongated nucleus phenotype"),
                term("CMPO:2", "round cell phenotype"),
                term("PO:1", "leaf apex"),
            )
        )
    )
)


@pytest.mark.parametrize(
    ("field", "text", "first", "method"),
    [
        ("phenotype", "nucleus elongated", "CMPO:1", "similar"),
        ("phenotype", "leaf apex", "PO:1", "label"),
        ("organism", "Homo sapien", "NCBITaxon:9606", "synonym"),
        ("organism", "Muss musculus", "NCBITaxon:10090", "similar"),
    ],
)
def test_likeliest_term_comes_first(field, text, first, method):
    found = PROPOSER.propose(field, text)
    assert (found[0].term, found[0].method) == (first, method)
    assert list(found) == sorted(found, key=lambda one: -one.score)
    assert len({one.term for one in found}) == len(found)


def test_nothing_like_it():
    assert PROPOSER.propose("phenotype", "qqqqqqqq") == ()
    assert PROPOSER.propose("nofield", "x") == ()


def test_limit():
    assert len(PROPOSER.propose("organism", "Mus musculus", limit=1)) == 1


def test_a_name_with_another_number_is_not_like_it():
    terms = MemoryTermStore((term("CMPO:1", "stage 12 phenotype"), term("CMPO:2", "stage")))
    proposer = TermProposer(Knowledge(terms))
    assert "CMPO:1" in {one.term for one in proposer.propose("phenotype", "stage 12 phenotypic")}
    assert "CMPO:1" not in {one.term for one in proposer.propose("phenotype", "stage 13 phenotype")}
