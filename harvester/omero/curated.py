"""What curators say of a study in key-values, and records have fields of their own for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from harvester.words.coerce import read_date
from harvester.words.dois import identifier, read_doi
from harvester.words.licences import spdx
from parfocal.model import KeyValue, Publication

_LICENCES = frozenset({"license", "licence", "study license"})
_DATES = frozenset({"release date", "publication date", "study public release date"})
_IDENTIFIERS = frozenset(
    {"data doi", "study data doi", "doi", "bioimage archive accession", "biostudies accession"}
)


class Curated(Struct, frozen=True):
    """What curators' key-values say that a record has a field of its own for."""

    licence: str = ""
    date: str = ""
    identifiers: tuple[str, ...] = ()
    publications: tuple[Publication, ...] = ()


def read_curated(pairs: Sequence[KeyValue]) -> Curated:
    """Read what the key-values of a container say."""
    first: dict[str, str] = {}
    for pair in pairs:
        first.setdefault(pair.key.strip().lower(), pair.value)
    return Curated(
        next((spdx(first[key]) for key in sorted(_LICENCES) if first.get(key)), ""),
        next((day for key in sorted(_DATES) if (day := read_date(first.get(key, "")))), ""),
        tuple(
            dict.fromkeys(
                found
                for pair in pairs
                if pair.key.strip().lower() in _IDENTIFIERS and (found := identifier(pair.value))
            )
        ),
        tuple(_publications(first)),
    )


def _publications(first: Mapping[str, str]) -> Iterator[Publication]:
    found = Publication(
        title=first.get("publication title", ""),
        authors=first.get("publication authors", ""),
        doi=read_doi(first.get("publication doi", "")),
        pubmed=first.get("pubmed id", "").partition(" ")[0],
        pmc=first.get("pmc id", "").partition(" ")[0],
    )
    if found != Publication():
        yield found
