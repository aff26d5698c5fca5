import pytest

from ontology.checked import AccessionAnnotator
from parfocal.identifiers import Curie
from parfocal.knowledge import Knowledge
from parfocal.model import Annotation
from parfocal.pipeline import contradictions
from parfocal.terms import MemoryTermStore
from parfocal.testing.annotators import well
from parfocal.testing.terms import TAXA, term

TERMS = (
    *TAXA,
    term("EFO:1", "HeLa"),
    term("EFO:2", "U2OS"),
    term("EFO:3", "old line", obsolete=True, replaced_by=("EFO:1",)),
    term("EFO:4", "gone line", obsolete=True),
    term("CMPO:1", "round nucleus phenotype"),
    term("CMPO:2", "increased cell size phenotype", synonyms=(("EXACT", "large cells"),)),
    term("GO:5634", "nucleus"),
    term("PATO:1", "binucleate"),
)


def claim(field, text, curie, method="curated", score=1.0, by="curator"):
    return Annotation(field, text, Curie(curie), "", method, score, by, key="k")


def check(*claims):
    annotator = AccessionAnnotator(Knowledge(MemoryTermStore(TERMS)))
    return annotator.annotate(well(annotations=claims))


@pytest.mark.parametrize(
    "given",
    [
        claim("cell_line", "HeLa", "EFO:1"),
        claim("cell_line", "HeLa Kyoto", "EFO:1"),
        claim("organism", "human", "NCBITaxon:9606"),
        claim("phenotype", "doughnut nuclei", "CMPO:1"),
        claim("phenotype", "bagel", "CMPO:1"),
        claim("phenotype", "big", "CMPO:2"),
        claim("phenotype", "binucleate", "CMPO:1"),
        claim("cell_line", "anything", "CLO:77"),
        claim("cell_line", "old thing", "EFO:4"),
        claim("organism", "Homo sapiens", "NCBITaxon:9607", "doubted", 0.2),
        claim("organism", "mouse", "NCBITaxon:10090", "label", 0.97, "parfocal 1"),
    ],
)
def test_curators_word_stands(given):
    annotations = (given,)
    annotator = AccessionAnnotator(Knowledge(MemoryTermStore(TERMS)))
    record = well(annotations=annotations)
    assert annotator.annotate(record) is record.annotations


def test_text_that_is_another_terms_label_contradicts():
    (found,) = check(claim("cell_line", "HeLa", "EFO:2"))
    assert (found.method, found.score, found.term, found.label) == (
        "contradicted",
        0.2,
        "EFO:2",
        "U2OS",
    )
    assert not found.believed


def test_swapped_columns_contradict():
    found = check(
        claim("cell_line", "HeLa", "NCBITaxon:9606"), claim("organism", "Homo sapiens", "EFO:1")
    )
    assert [one.method for one in found] == ["contradicted", "contradicted"]


def test_obsolete_accession_stands_beside_its_replacement():
    old, new = check(claim("cell_line", "old thing", "EFO:3"))
    assert (old.term, old.method, old.believed) == ("EFO:3", "obsolete", False)
    assert (new.term, new.label, new.method, new.believed) == ("EFO:1", "HeLa", "replaced", True)
    assert "EFO:3" in new.by
    assert (new.text, new.key) == (old.text, old.key)


def test_verdict_is_lifted_when_the_terms_allow_it():
    was = claim("cell_line", "HeLa", "EFO:1", "contradicted", 0.2)
    (found,) = check(was)
    assert (found.method, found.score) == ("curated", 1.0)


def test_contradictions_are_reported_once_an_item():
    found = check(claim("cell_line", "HeLa", "EFO:2"))
    records = [well(annotations=found), well(annotations=found)]
    (problem,) = contradictions("file.csv", records)
    assert problem.severity == "warning"
    assert problem.reason.startswith("2 accessions contradict")
    assert "'HeLa' as EFO:2 (U2OS)" in problem.reason
    assert list(contradictions("file.csv", [well()])) == []
