"""Accessions in the writings that occur in real files."""

import pytest

from harvester.words.accessions import prefix_of, read_accessions


@pytest.mark.parametrize(
    ("text", "reference", "expected"),
    [
        ("NCBITaxon_9606", "NCBITaxon", ["NCBITaxon:9606"]),
        ("NCBITaxon:9606", "", ["NCBITaxon:9606"]),
        ("NCBITaxon_9606 ", "", ["NCBITaxon:9606"]),
        ("9606", "NCBITaxon", ["NCBITaxon:9606"]),
        ("9606", "NCBI Taxonomy", ["NCBITaxon:9606"]),
        ("NCBI_2212631", "NCBI Taxon", ["NCBITaxon:2212631"]),
        ("NCBITaxon 10090", "", ["NCBITaxon:10090"]),
        ("EFO_0001185", "EFO    EFO", ["EFO:0001185"]),
        ("1185", "EFO    EFO", ["EFO:0001185"]),
        ("4755", "BTO", ["BTO:0004755"]),
        ("fbbi_00000253", "Fbbi", ["FBbi:00000253"]),
        ("00000253", "Fbbi", ["FBbi:00000253"]),
        ("http://purl.obolibrary.org/obo/PO_0009066", "", ["PO:0009066"]),
        ("http://www.ebi.ac.uk/cmpo/CMPO_0000077", "", ["CMPO:0000077"]),
        ("http://purl.obolibrary.org/obo/NCIT_C34373", "", ["NCIT:C34373"]),
        ("C34373", "NCIT", ["NCIT:C34373"]),
        ("EFO_0001275;EFO_0001270", "", ["EFO:0001275", "EFO:0001270"]),
        ("GO:0051323, GO:0000236", "", ["GO:0051323", "GO:0000236"]),
        ("XYZ_12", "", ["XYZ:12"]),
        ("9606", "", []),
        ("9606", "# leave blank", []),
        ("# leave blank", "EFO", []),
        ("Homo sapiens", "NCBITaxon", []),
        ("", "EFO", []),
        ("9" * 5000, "EFO", []),
        ("/" * 1000, "EFO", []),
    ],
)
def test_reads_what_curators_write(text: str, reference: str, expected: list[str]) -> None:
    assert list(read_accessions(text, reference)) == expected


@pytest.mark.parametrize("text", ["", "   ", "na", "?", "# leave blank", "1"])
def test_no_prefix(text: str) -> None:
    assert prefix_of(text) == ""
