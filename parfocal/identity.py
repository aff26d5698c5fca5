"""What a study or container is called, which is what sameness is decided on; pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Literal, Protocol

from msgspec import Struct

from parfocal.accessions import NO_ARCHIVE, accession, address, archive_of, names_in
from parfocal.identifiers import RecordId, native_of, source_of
from parfocal.model import Access, Dataset, Level
from parfocal.query import tokens

Role = Literal["own", "claimed", "mentioned"]
"""own: it is that; claimed: it says that it is that too; mentioned: it refers to that."""

DOI = "DOI"
"""Place of a DOI that is one of the record's identifiers, and not its name in the source."""

MOST_PAIRS = 2000
MOST_NAMES = 200
LONGEST_VALUE = 2000
_RELATION = re.compile(r"is[\s_-]*(?:identical[\s_-]*to|variant[\s_-]*form[\s_-]*of)$", re.I)
_BETWEEN = re.compile(r"[\s,;|]+")


class Name(Struct, frozen=True, array_like=True):
    """A name, how the record uses it, and where in the record it stands."""

    value: str
    role: Role
    place: str


class Identity(Struct, frozen=True, array_like=True):
    """A study or container as sameness sees it.

    ``title`` are its words, "" when they say little; ``authors`` family names, ``papers`` the
    publications as ``doi:`` or ``pubmed:``.
    """

    id: RecordId
    level: Level
    groups: tuple[str, ...] = ()
    names: tuple[Name, ...] = ()
    title: str = ""
    authors: tuple[str, ...] = ()
    year: str = ""
    papers: tuple[str, ...] = ()
    top: bool = True
    """Whether it lies in nothing."""

    @property
    def source(self) -> str:
        """Return the name of its source."""
        return source_of(self.id)

    @property
    def access(self) -> Access:
        """Return who may see it."""
        return Access(self.groups)

    def own(self) -> dict[str, str]:
        """Return its own accessions by archive; of several in one archive all, with blanks."""
        found: dict[str, list[str]] = {}
        for name in self.names:
            archive = archive_of(name.value)
            if name.role == "own" and archive not in NO_ARCHIVE:
                found.setdefault(archive, []).append(name.value)
        return {archive: " ".join(sorted(set(values))) for archive, values in found.items()}


class NameStore(Protocol):
    """What a store knows of the names of studies and containers; access is the caller's affair."""

    def identities(self, *, after: int = 0, limit: int = 1000) -> list[tuple[int, Identity]]:
        """Return identities with their seqs, from after a seq."""
        ...

    def namesakes(self, id: RecordId) -> tuple[Identity, ...]:
        """Return the identities connected with a record's by shared names, with its own."""
        ...

    def named(self, name: str) -> tuple[Identity, ...]:
        """Return the identities connected with a name of :mod:`parfocal.accessions`."""
        ...


def identity_of(record: Dataset) -> Identity | None:
    """Return a record's identity; None for a container that nothing else could name."""
    names = tuple(_names(record))
    if not names and record.level != "study":
        return None
    return Identity(
        id=record.id,
        level=record.level,
        groups=record.access.groups,
        names=names,
        title=_title(record.title),
        authors=tuple(sorted({_family(p.name, p.family_name) for p in record.creators} - {""})),
        year=record.date[:4],
        papers=tuple(sorted(_papers(record))),
        top=record.part_of is None,
    )


def _title(text: str) -> str:
    """Return the words of a title; "" for one that many data sets could have."""
    words = tokens(unicodedata.normalize("NFKC", text))
    return " ".join(words) if len(words) >= 4 and sum(map(len, words)) >= 20 else ""


def _family(name: str, family: str) -> str:
    last = family or (name.partition(",")[0] if "," in name else name.rpartition(" ")[2])
    plain = unicodedata.normalize("NFKD", last.casefold())
    return "".join(letter for letter in plain if letter.isalpha())


def _papers(record: Dataset) -> Iterator[str]:
    for publication in record.publications:
        if publication.doi:
            yield f"doi:{publication.doi.lower()}"
        if publication.pubmed:
            yield f"pubmed:{publication.pubmed}"


# ------------------------------------------------------------------ names


def _names(record: Dataset) -> Iterator[Name]:
    """Yield each name once, in its strongest role."""
    rank = {"own": 0, "claimed": 1, "mentioned": 2}
    papers = set(_papers(record))
    found: dict[str, Name] = {}
    for name in (*_own(record), *_doubted(_claimed(record)), *_mentioned(record)):
        known = found.get(name.value)
        if name.value in papers or (known and rank[known.role] <= rank[name.role]):
            continue
        if len(found) < MOST_NAMES or known:
            found[name.value] = name
    return iter(found.values())


def _own(record: Dataset) -> Iterator[Name]:
    yield from _each((native_of(record.id),), "own", "identifier")
    title = accession(record.title)
    if title:
        yield Name(title, "own", "title")
    for link in record.links:
        if link.kind == "landing":
            yield from _each((link.url,), "own", "landing page")
    for name in _each(record.identifiers, "own", DOI):
        if archive_of(name.value) == "doi":
            yield name


def _claimed(record: Dataset) -> Iterator[Name]:
    yield from _each(record.identifiers, "claimed", "identifiers")
    yield from _each(record.same_as, "claimed", "same_as")
    for pair in record.key_values[:MOST_PAIRS]:
        if _RELATION.search(pair.key.strip()):
            yield from _each(_BETWEEN.split(pair.value), "claimed", f"key {pair.key}")


def _doubted(claimed: Iterable[Name]) -> Iterator[Name]:
    """Yield claims; one that names several data sets of one archive only refers to them."""
    names = list(claimed)
    named: dict[str, set[str]] = {}
    for name in names:
        named.setdefault(archive_of(name.value), set()).add(name.value)
    for name in names:
        archive = archive_of(name.value)
        several = archive not in NO_ARCHIVE and len(named[archive]) > 1
        yield Name(name.value, "mentioned", name.place) if several else name


def _mentioned(record: Dataset) -> Iterator[Name]:
    for link in record.links:
        if link.kind != "landing" and (name := address(link.url)) and archive_of(name) != "url":
            yield Name(name, "mentioned", f"link {link.label}".strip())
    for pair in record.key_values[:MOST_PAIRS]:
        if len(pair.value) <= LONGEST_VALUE and "file" not in pair.key.lower():
            for word in _BETWEEN.split(pair.value):
                name = accession(word) or address(word)
                if name and archive_of(name) not in NO_ARCHIVE:
                    yield Name(name, "mentioned", f"key {pair.key}")


def _each(texts: Iterable[str], role: Role, place: str) -> Iterator[Name]:
    for text in texts:
        for value in names_in(text):
            yield Name(value, role, place)
