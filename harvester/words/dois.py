"""DOIs and other numbers of data and papers, however dirty they are written."""

from __future__ import annotations

import re
import unicodedata

from parfocal.identifiers import parse_doi

MAX_TEXT = 2000
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2212"), "-")
_BROKEN = re.compile(r"\b(10\.\d{4,9})\s*/\s+(?=\S)")
_VIEW = re.compile(r"(?:[?#].*|/(?:full|abstract|pdf|meta|epdf|summary)(?:\.\w+)?|\.pdf)$", re.I)
_PREPRINT = re.compile(r"(?:bio|med)rxiv\.org/.*?(10\.\d{4,9}/[\d.]+\d)(?:v\d+)?", re.I)
_PUBMED = re.compile(
    r"^(?:pmid|pubmed(?:\s*id)?)[\s:#]*(\d{1,9})$"
    r"|^https?://(?:www\.)?(?:pubmed\.ncbi\.nlm\.nih\.gov|ncbi\.nlm\.nih\.gov/pubmed)/(\d{1,9})\b",
    re.I,
)
_PMC = re.compile(
    r"^(?:pmcid?[\s:]*)?(PMC\d{1,9})(?:\.\d+)?$"
    r"|^https?://(?:[\w.-]*ncbi\.nlm\.nih\.gov|europepmc\.org)/\S*?(PMC\d{1,9})\b",
    re.I,
)
_LABELLED = re.compile(r"^(?:urn:)?(?:doi|digital object identifier)\b", re.I)


def _cleaned(text: str) -> str:
    """Return text without what copying from pages and papers leaves in it."""
    plain = unicodedata.normalize("NFKC", text[:MAX_TEXT]).translate(_DASHES)
    visible = "".join(c for c in plain if unicodedata.category(c) not in ("Cf", "Cc"))
    return _BROKEN.sub(r"\1/", visible).strip()


def read_doi(text: str) -> str:
    """Return the DOI in a text, lower case and without resolver; "" when there is none.

    >>> read_doi("DOI: https://doi.org/10.17867/10000101."), read_doi("10.1038/ s41586-020")
    ('10.17867/10000101', '10.1038/s41586-020')
    """
    cleaned = _cleaned(text)
    preprint = _PREPRINT.search(cleaned)
    if preprint:
        return preprint[1]
    if "//" in cleaned:
        cleaned = _VIEW.sub("", cleaned)
    return parse_doi(cleaned) or ""


def identifier(text: str) -> str:
    """Return an identifier as records keep it: ``doi:``, ``pubmed:``, ``pmc:``, URL, or the words.

    >>> identifier("https://doi.org/10.17867/101"), identifier("PMID: 12345"), identifier("S-BIAD1")
    ('doi:10.17867/101', 'pubmed:12345', 'S-BIAD1')
    """
    cleaned = _cleaned(text)
    pubmed, central = _PUBMED.match(cleaned), _PMC.match(cleaned)
    if pubmed:
        return f"pubmed:{pubmed[1] or pubmed[2]}"
    if central:
        return f"pmc:{(central[1] or central[2]).upper()}"
    if _names_doi(cleaned):
        return f"doi:{read_doi(cleaned)}"
    return cleaned


def _names_doi(cleaned: str) -> bool:
    """Whether a text is a DOI, and not an address or a sentence that happens to hold one."""
    found = read_doi(cleaned)
    if not found:
        return False
    resolver = re.match(r"^(?:https?://)?(?:dx\.|www\.)?doi\.org/", cleaned, re.I)
    return bool(resolver or _LABELLED.match(cleaned) or cleaned.startswith("10."))
