"""An ontology file as read: its name, its terms one after the other, and what was skipped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct, field

from parfocal.values import TermInfo

_SUFFIXES = re.compile(r"\.(obo|owl|ofn|rdf|xml|json|tsv|ttl|gz|txt)$", re.IGNORECASE)
_VERSION_TAIL = re.compile(r"[-_.]v?(\d{4}-\d\d-\d\d|\d+(?:\.\d+)+)$")
_OBO_DATE = re.compile(r"^(\d\d):(\d\d):(\d{4})")
_RELEASE = re.compile(r"\d{4}-\d\d-\d\d|\d+(?:\.\d+)+")


class Skipped:
    """Counts what a reader left out, by reason, with the first example."""

    def __init__(self) -> None:
        self._counts: dict[str, list[str | int]] = {}

    def note(self, reason: str, example: str = "") -> None:
        """Count one thing that was left out."""
        entry = self._counts.setdefault(reason, [0, example[:120]])
        entry[0] = int(entry[0]) + 1

    def lines(self) -> tuple[str, ...]:
        """Return one line a reason, most frequent first."""
        ordered = sorted(self._counts.items(), key=lambda item: -int(item[1][0]))
        return tuple(
            f"{count} x {reason}" + (f", first: {example}" if example else "")
            for reason, (count, example) in ordered
        )


class Document(Struct):
    """An ontology being read; ``terms`` can be walked once, ``skipped`` is complete after that."""

    name: str
    version: str
    reader: str
    terms: Iterator[TermInfo]
    skipped: Skipped = field(default_factory=Skipped)


def stem(path: Path) -> str:
    """Return a file's name without its suffixes.

    >>> stem(Path("a/bto.obo.gz"))
    'bto'
    """
    name = path.name
    while _SUFFIXES.search(name):
        name = _SUFFIXES.sub("", name)
    return name


def ontology_name(written: str, path: Path) -> str:
    """Return an ontology's name from what its header says, else from the file's name.

    >>> ontology_name("http://purl.obolibrary.org/obo/cl.owl", Path("x.owl"))
    'cl'
    """
    name = re.sub(r"^https?://[^/]+/(?:obo/)?", "", written.strip().strip("<>"))
    if not name:
        name = _VERSION_TAIL.sub("", stem(path))
    name = _SUFFIXES.sub("", name.rstrip("/#")).lower()
    first, _, last = name.rpartition("/")
    if first == last:
        name = last
    return re.sub(r"[^a-z0-9/_.-]+", "-", name)[:80] or "ontology"


def version_name(written: str, path: Path) -> str:
    """Return the short form of a version: the date or number in it, else as written.

    >>> version_name("http://www.ebi.ac.uk/cmpo/releases/2017-12-19/cmpo.obo", Path("cmpo.obo"))
    '2017-12-19'
    """
    text = written.strip().strip("<>")
    text = _OBO_DATE.sub(r"\3-\2-\1", text)
    match = _RELEASE.search(text)
    if match:
        return match.group()
    tail = _VERSION_TAIL.search(stem(path))
    return text[:60] or (tail.group(1) if tail else "")
