"""Ontology accessions in whatever writing curators use, read as CURIEs."""

from __future__ import annotations

import re
from functools import lru_cache

from parfocal.identifiers import Curie

_SEVEN_DIGITS = (
    *("BAO", "BTO", "CL", "CLO", "CMPO", "DOID", "EFO", "FYPO", "GO", "HP", "MA", "MONDO", "MP"),
    *("OBI", "PATO", "PO", "UBERON", "UO", "ZFA", "ZFS"),
)
_OTHERS = (
    *("CHEBI", "CVCL", "EDAM", "FBbi", "FBbt", "FBcv", "HsapDv", "MmusDv", "NCBITaxon", "NCIT"),
    *("ORPHA", "RO", "SNOMEDCT", "SO", "WBbt", "WBPhenotype", "XAO"),
)
_DIGITS = dict.fromkeys(_SEVEN_DIGITS, 7) | {"FBbi": 8, "FBbt": 8}
_CANONICAL = {name.lower(): name for name in (*_SEVEN_DIGITS, *_OTHERS)} | {
    "ncbi": "NCBITaxon",
    "ncbi taxon": "NCBITaxon",
    "ncbi taxonomy": "NCBITaxon",
    "ncbi_taxid": "NCBITaxon",
    "ncbi_taxon": "NCBITaxon",
    "ncbitaxonomy": "NCBITaxon",
    "taxid": "NCBITaxon",
    "taxon": "NCBITaxon",
    "taxonomy": "NCBITaxon",
    "cellosaurus": "CVCL",
    "snomed": "SNOMEDCT",
    "snomed ct": "SNOMEDCT",
    "sctid": "SNOMEDCT",
    "nci thesaurus": "NCIT",
    "gene ontology": "GO",
    "cell ontology": "CL",
    "cell line ontology": "CLO",
    "plant ontology": "PO",
}
_WRITTEN = re.compile(r"(?:([A-Za-z][A-Za-z]*)\s*[_: ]\s*)?([A-Za-z]?\d[A-Za-z0-9.]*)")
_SEPARATOR = re.compile(r"(?:(?<!\s)\s+)?[;,|]\s*|(?<!\s)\s+(?=[A-Za-z]+[_:]\d)")
_LAST = re.compile(r"[^/#=]*$")
_WORD = re.compile(r"[A-Za-z][A-Za-z_]*(?: [A-Za-z]+)?")


def prefix_of(text: str) -> str:
    """Return an ontology's prefix in its canonical spelling; "" when the text names none.

    >>> prefix_of("NCBI Taxonomy"), prefix_of("EFO    EFO"), prefix_of("# leave blank")
    ('NCBITaxon', 'EFO', '')
    """
    plain = " ".join(text.split())
    match = _WORD.match(plain)
    if not match:
        return ""
    words = match.group().lower()
    return _CANONICAL.get(words) or _CANONICAL.get(words.partition(" ")[0], "")


def _local_name(prefix: str, local: str) -> str:
    return local.zfill(_DIGITS[prefix]) if prefix in _DIGITS and local.isdigit() else local


def _read(text: str, reference: str) -> Curie | None:
    if "/" in text:
        text = _LAST.search(text).group().replace("%3A", ":")  # type: ignore[union-attr]
    match = _WRITTEN.fullmatch(text.strip())
    if not match:
        return None
    written, local = match.groups()
    prefix = _CANONICAL.get(written.lower(), written) if written else prefix_of(reference)
    if not prefix or (prefix == "NCBITaxon" and not local.isdigit()):
        return None
    return Curie(f"{prefix}:{_local_name(prefix, local)}")


@lru_cache(maxsize=16384)
def read_accessions(text: str, reference: str = "") -> tuple[Curie, ...]:
    """Return the terms of an accession cell; ``reference`` names the ontology of bare numbers.

    >>> read_accessions("9606", "NCBI Taxonomy")
    ('NCBITaxon:9606',)
    >>> read_accessions("http://www.ebi.ac.uk/cmpo/CMPO_0000077")
    ('CMPO:0000077',)
    >>> read_accessions("EFO_0001275;EFO_0001270", "EFO")
    ('EFO:0001275', 'EFO:0001270')
    """
    text = text.strip()
    if not text or text.startswith("#") or len(text) > 2000:
        return ()
    whole = _read(text, reference)
    if whole:
        return (whole,)
    parts = (_read(part, reference) for part in _SEPARATOR.split(text) if part)
    return tuple(dict.fromkeys(curie for curie in parts if curie))
