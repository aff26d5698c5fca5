import pytest
from hypothesis import given
from hypothesis import strategies as st

from parfocal.identifiers import Curie, curie_iri
from parfocal.prefixes import canonical_prefix, curie_of

KNOWN = ["NCBITaxon", "FBbi", "CMPO", "EFO", "CLO", "BTO", "UBERON", "GO", "CHEBI", "CVCL"]


@pytest.mark.parametrize(
    ("text", "curie"),
    [
        ("NCBITaxon:9606", "NCBITaxon:9606"),
        ("NCBITaxon_9606", "NCBITaxon:9606"),
        ("ncbitaxon:9606", "NCBITaxon:9606"),
        (" NCBI_Taxon:9606 ", "NCBITaxon:9606"),
        ("http://purl.obolibrary.org/obo/NCBITaxon_9606", "NCBITaxon:9606"),
        ("https://identifiers.org/taxonomy:9606", "NCBITaxon:9606"),
        ("https://identifiers.org/taxonomy/9606", "NCBITaxon:9606"),
        ("https://bioregistry.io/efo:0001185", "EFO:0001185"),
        ("Fbbi_00000253", "FBbi:00000253"),
        ("http://www.ebi.ac.uk/efo/EFO_0001185", "EFO:0001185"),
        ("<http://www.ebi.ac.uk/cmpo/CMPO_0000077>", "CMPO:0000077"),
        ("http://www.orpha.net/ORDO/Orphanet_558", "Orphanet:558"),
        ("http://edamontology.org/data_0006", "EDAM:data_0006"),
        ("EFO:EFO_0001185", "EFO:0001185"),
        ("obo:NCBITaxon_9606", "NCBITaxon:9606"),
        ("efo:CL_0000540", "CL:0000540"),
        ("obo:plate_1", "obo:plate_1"),
        ("Mystery:17", "Mystery:17"),
        ("Mystery_17", None),
        ("plate_1", None),
        ("9606", None),
        ("Homo sapiens", None),
        ("", None),
        ("http://example.org/a/b", None),
        ("http://purl.obolibrary.org/obo/", None),
        ("http://purl.obolibrary.org/obo/go#systematic_synonym", None),
        ("x" * 10_000 + ":1", None),
    ],
)
def test_curies_are_read_in_any_writing(text, curie):
    assert curie_of(text) == curie


@given(st.sampled_from(KNOWN), st.from_regex(r"[0-9]{1,9}", fullmatch=True))
def test_every_writing_means_the_same(prefix, local):
    curie = Curie(f"{prefix}:{local}")
    writings = (curie, f"{prefix}_{local}", f"{prefix.lower()}:{local}", curie_iri(curie))
    assert {curie_of(text) for text in writings} == {curie}


@given(st.text(max_size=50))
def test_any_text_gives_a_curie_or_none(text):
    found = curie_of(text)
    assert found is None or curie_of(found) == found


def test_unknown_prefix_stays():
    assert canonical_prefix("Mystery") == "Mystery"
