"""DOIs and other identifiers as they are found in the wild."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.words.dois import identifier, read_doi


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.17867/10000101", "10.17867/10000101"),
        ("https://doi.org/10.17867/10000101", "10.17867/10000101"),
        ("http://dx.doi.org/10.17867/10000101.", "10.17867/10000101"),
        ("DOI: 10.17867/10000101", "10.17867/10000101"),
        ("doi:https://doi.org/10.17867/10000101", "10.17867/10000101"),
        ("https://doi.org/10.1016%2Fj.cell.2020.01.001", "10.1016/j.cell.2020.01.001"),
        ("10.1038/S41586\u2013020\u201312-3", "10.1038/s41586-020-12-3"),
        ("10.1038/\u200bs41586-020", "10.1038/s41586-020"),
        ("10.1038 / s41586-020", "10.1038/s41586-020"),
        ("\uff11\uff10.1038/s41586-020", "10.1038/s41586-020"),
        ("(10.1016/0092-8674(95)90182-5)", "10.1016/0092-8674(95)90182-5"),
        ("10.1002/(SICI)1097-0169(1998)", "10.1002/(sici)1097-0169(1998)"),
        ("https://www.example.org/doi/10.1083/jcb.2020/full", "10.1083/jcb.2020"),
        ("https://doi.org/10.5281/zenodo.12?utm=x", "10.5281/zenodo.12"),
        ("https://biorxiv.org/content/10.1101/2020.01.02.1234v2.full", "10.1101/2020.01.02.1234"),
        ("10.5281/zenodo.12, 10.5281/zenodo.13", "10.5281/zenodo.12"),
        ("no number", ""),
        ("", ""),
    ],
)
def test_dois(text: str, expected: str) -> None:
    assert read_doi(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://doi.org/10.17867/10000101", "doi:10.17867/10000101"),
        ("doi:10.17867/10000101", "doi:10.17867/10000101"),
        ("pmid:31234567", "pubmed:31234567"),
        ("https://pubmed.ncbi.nlm.nih.gov/31234567/", "pubmed:31234567"),
        ("https://www.ncbi.nlm.nih.gov/pubmed/31234567", "pubmed:31234567"),
        ("PMC1234567", "pmc:PMC1234567"),
        ("https://www.ncbi.nlm.nih.gov/pmc/articles/PMC1234567/", "pmc:PMC1234567"),
        ("https://example.org/10.1234/about", "https://example.org/10.1234/about"),
        (" S-BIAD144 ", "S-BIAD144"),
        ("idr0001", "idr0001"),
        ("", ""),
    ],
)
def test_identifiers(text: str, expected: str) -> None:
    assert identifier(text) == expected


@given(st.text(max_size=100))
def test_what_is_found_is_found_again(text: str) -> None:
    found = read_doi(text)
    assert not found or read_doi(found) == found


@given(st.text(max_size=100))
def test_identifiers_stay_what_they_are(text: str) -> None:
    assert identifier(identifier(text)) == identifier(text)
