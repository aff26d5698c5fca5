"""Identifiers with types: each is a checked string that prints as itself."""

from __future__ import annotations

import re
import unicodedata
from typing import NewType
from urllib.parse import quote, unquote

from parfocal.errors import RecordInvalid

RecordId = NewType("RecordId", str)
"""``source:native``, for example ``idr:idr0001-graml-sysgro/screenA``."""
Curie = NewType("Curie", str)
"""``Prefix:local``, for example ``NCBITaxon:9606``."""
Iri = NewType("Iri", str)
Doi = NewType("Doi", str)
"""Lower case, without resolver: ``10.17867/10000101``."""
Orcid = NewType("Orcid", str)
"""``0000-0002-1825-0097``, checksum verified."""

_RECORD_ID = re.compile(r"([a-z0-9][a-z0-9._-]{0,62}):(\S(?:.*\S)?)", re.DOTALL)
_CURIE = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*):([A-Za-z0-9_.\-]+)")
_DOI = re.compile(r"10\.\d{4,9}/[^\s\"<>]+", re.IGNORECASE)
_ORCID = re.compile(r"(\d{4}-){3}\d{3}[\dXx]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
OBO = "http://purl.obolibrary.org/obo/"
EFO = "http://www.ebi.ac.uk/efo/"
CMPO = "http://www.ebi.ac.uk/cmpo/"


def record_id(source: str, native: str) -> RecordId:
    """Make a record's identifier from its source's name and the source's own identifier.

    >>> record_id("idr", "idr0001-graml-sysgro/screenA")
    'idr:idr0001-graml-sysgro/screenA'
    """
    cleaned = _CONTROL.sub(" ", unicodedata.normalize("NFC", native)).strip()
    return parse_record_id(f"{source}:{cleaned}")


def parse_record_id(text: str) -> RecordId:
    """Check a record identifier.

    >>> parse_record_id("lab:plate 1/A01")
    'lab:plate 1/A01'
    """
    if len(text) > 2000 or not _RECORD_ID.fullmatch(text) or _CONTROL.search(text):
        raise RecordInvalid(
            f"not a record identifier: {text[:100]!r}",
            hint="a record identifier reads source:name, like idr:idr0001-graml-sysgro",
        )
    return RecordId(text)


def source_of(identifier: RecordId) -> str:
    """Return the source's name within a record identifier.

    >>> source_of(RecordId("idr:idr0001"))
    'idr'
    """
    return identifier.partition(":")[0]


def native_of(identifier: RecordId) -> str:
    """Return the source's own name of the record.

    >>> native_of(RecordId("idr:idr0001/screenA"))
    'idr0001/screenA'
    """
    return identifier.partition(":")[2]


def record_path(identifier: RecordId) -> str:
    """Return the URL path of a record, percent-encoded, slashes and colon kept.

    >>> record_path(RecordId("lab:a b/c"))
    '/records/lab:a%20b/c'
    """
    return "/records/" + quote(identifier, safe="/:@!$'()*,;=~-._")


def record_iri(identifier: RecordId, base: str) -> Iri:
    """Return the IRI of a record below a server's base address.

    >>> record_iri(RecordId("lab:a"), "http://127.0.0.1:8000/")
    'http://127.0.0.1:8000/records/lab:a'
    """
    return Iri(base.rstrip("/") + record_path(identifier))


def record_id_of_path(path: str) -> RecordId:
    """Read the identifier back from a URL path made by :func:`record_path`.

    >>> record_id_of_path("/records/lab:a%20b/c")
    'lab:a b/c'
    """
    return parse_record_id(unquote(path.removeprefix("/records/")))


def parse_curie(text: str) -> Curie:
    """Check a CURIE.

    >>> parse_curie("CMPO:0000077")
    'CMPO:0000077'
    """
    match = _CURIE.fullmatch(text.strip())
    if not match:
        raise RecordInvalid(f"not a CURIE: {text[:100]!r}", hint="a CURIE reads CMPO:0000077")
    return Curie(text.strip())


def curie_iri(curie: Curie) -> Iri:
    """Return the IRI that the ontology itself uses for a term.

    >>> curie_iri(Curie("FBbi:00000253"))
    'http://purl.obolibrary.org/obo/FBbi_00000253'
    """
    prefix, _, local = curie.partition(":")
    space = {"EFO": EFO, "CMPO": CMPO}.get(prefix, OBO)
    return Iri(f"{space}{prefix}_{quote(local, safe='')}")


def parse_doi(text: str) -> Doi | None:
    """Find a DOI however it is written (URL, ``doi:``, full stop behind); None without one.

    >>> parse_doi("https://doi.org/10.17867/10000101.")
    '10.17867/10000101'
    """
    match = _DOI.search(unquote(text))
    if not match:
        return None
    found = match.group().rstrip(".,;")
    while found.endswith(")") and found.count(")") > found.count("("):
        found = found[:-1].rstrip(".,;")
    return Doi(found.lower())


def parse_orcid(text: str) -> Orcid | None:
    """Find an ORCID iD with a right checksum; None when there is none.

    >>> parse_orcid("https://orcid.org/0000-0002-1825-0097")
    '0000-0002-1825-0097'
    """
    match = _ORCID.search(text)
    if not match:
        return None
    digits = match.group().replace("-", "").upper()
    total = 0
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2
    check = (12 - total % 11) % 11
    return (
        Orcid(match.group().upper()) if digits[-1] == ("X" if check == 10 else str(check)) else None
    )
