"""Names that archives give to data sets, however they are written: accessions, DOIs, addresses.

Every name becomes one comparable text: ``idr:idr0001``, ``doi:10.17867/10000108``,
``url:example.org/data/7``. What stands before the colon is the archive, or the kind of name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from parfocal.identifiers import parse_doi

LONGEST = 500
NO_ARCHIVE = frozenset({"doi", "url"})
"""Kinds of names that no archive counts: one data set may have several."""

_SHORT = re.compile(
    r"(?P<idr>idr\d{4})(?:-[\w-]+)?(?P<part>/(?:screen|experiment)[A-Z]{1,2})?"
    r"|(?P<biostudies>S-[A-Z]{3,6}\d{1,7})"
    r"|(?P<empiar>EMPIAR-\d{4,6})"
    r"|ssbd-repos-0*(?P<ssbd_repository>[1-9]\d{0,6})",
    re.IGNORECASE,
)
_PAGES = (
    (
        re.compile(r"idr\.openmicroscopy\.org/(?:study/|search\?query=name:)(idr\d{4})[\w-]*"),
        "idr:{}",
    ),
    (
        re.compile(
            r"ebi\.ac\.uk/(?:biostudies|bioimage-archive)/(?:[\w-]+/)*(s-[a-z]{3,6}\d{1,7})"
        ),
        "biostudies:{}",
    ),
    (
        re.compile(
            r"ebi\.ac\.uk/(?:empiar|biostudies|bioimage-archive|pdbe/emdb/empiar)/(?:[\w-]+/)*"
            r"(?:entry/)?(empiar-\d{4,6})"
        ),
        "empiar:{}",
    ),
    (re.compile(r"ebi\.ac\.uk/(?:pdbe/emdb/)?empiar/entry/(\d{5,6})"), "empiar:empiar-{}"),
    (
        re.compile(r"ssbd\.riken\.jp/repository/(?:ssbd-repos-)?0*([1-9]\d{0,6})"),
        "ssbd repository:{}",
    ),
    (re.compile(r"ssbd\.riken\.jp/database/project/(\d+-[\w-]+)"), "ssbd database:{}"),
    (re.compile(r"zenodo\.org/(?:api/)?records?/(\d+)"), "doi:10.5281/zenodo.{}"),
)
_ACCESSION_DOI = re.compile(r"10\.6019/((?:s-[a-z]{3,6}|empiar-)\d+)")
_NO_NAME = frozenset({"utm_source", "utm_medium", "utm_campaign", "ref", "lang", "tab"})


def archive_of(name: str) -> str:
    """Return the archive of a name, or the kind of name.

    >>> archive_of("idr:idr0001")
    'idr'
    """
    return name.partition(":")[0]


def accession(text: str) -> str:
    """Return the name that a text is as a whole, an archive's own accession; "" for other texts.

    >>> accession("idr0001-graml-sysgro"), accession("S-BIAD144"), accession("see S-BIAD144")
    ('idr:idr0001', 'biostudies:s-biad144', '')
    """
    match = _SHORT.fullmatch(text.strip()[:LONGEST])
    if match is None:
        return ""
    archive = next(name for name, found in match.groupdict().items() if found and name != "part")
    return f"{archive.replace('_', ' ')}:{match[archive]}{match['part'] or ''}".lower()


def address(url: str) -> str:
    """Return the name that an address is: an accession where its page is known, a DOI, or itself.

    "" for what is no web address, or only names a host.

    >>> address("https://www.ebi.ac.uk/biostudies/bioimages/studies/S-BIAD144")
    'biostudies:s-biad144'
    >>> address("http://www.Example.org/data/7/"), address("https://example.org/")
    ('url:example.org/data/7', '')
    """
    if not url.lower().startswith(("http://", "https://")) or len(url) > LONGEST:
        return ""
    try:
        parts = urlsplit(url.strip())
        host = (parts.hostname or "").removeprefix("www.")
        port = f":{parts.port}" if parts.port not in (None, 80, 443) else ""
    except ValueError:
        return ""
    asked = [pair for pair in parse_qsl(parts.query) if pair[0].lower() not in _NO_NAME]
    doi = _doi_of(host, parts.path, dict(asked))
    if doi:
        return doi
    path = unquote(parts.path).rstrip("/")
    page = f"{host}{port}{path}"
    whole = page + (f"?{urlencode(sorted(asked), safe=':/')}" if asked else "")
    for pattern, name in _PAGES:
        found = pattern.fullmatch(whole.lower()) or pattern.fullmatch(page.lower())
        if found:
            return name.format(found[1])
    return f"url:{whole}" if path or asked else ""


def _doi_of(host: str, path: str, asked: dict[str, str]) -> str:
    text = path if host in ("doi.org", "dx.doi.org") else asked.get("persistentId", "")
    found = parse_doi(text) if text else None
    return f"doi:{found}" if found else ""


def names_in(text: str) -> Iterator[str]:
    """Yield the names that a text is: as accession, DOI or address, and what these stand for.

    >>> list(names_in("doi:10.6019/EMPIAR-10404"))
    ['doi:10.6019/empiar-10404', 'empiar:empiar-10404']
    """
    name = accession(text) or address(text)
    doi = parse_doi(text) if not name and text.lower().startswith(("doi:", "10.")) else None
    name = name or (f"doi:{doi}" if doi else "")
    if not name:
        return
    yield name
    stands_for = _ACCESSION_DOI.fullmatch(name.removeprefix("doi:"))
    if stands_for:
        yield accession(stands_for[1])
