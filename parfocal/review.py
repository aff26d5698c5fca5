"""Texts that wait for a curator: frequent ones without a term, and what is decided on them.

Decisions go to a mapping file that people keep under version control; nobody's words are changed,
and every decision can be undone. They count from the next harvest or reannotation on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol

from msgspec import Struct

from parfocal.errors import QueryInvalid
from parfocal.fields import field_of_key, require_field
from parfocal.identifiers import Curie, RecordId
from parfocal.interfaces import RecordStore, TermStore
from parfocal.mappings import Mapping, read_sssom, write_sssom
from parfocal.model import Record, Viewer
from parfocal.prefixes import curie_of
from parfocal.projecting import Ancestors
from parfocal.query import fold

Kind = Literal["accept", "reject", "no-term"]
_A_READ = 2000
_MOST_TEXTS = 500_000
_LONGEST = 300


class Candidate(Struct, frozen=True):
    """A term that a text may mean: how it was found, and how likely it is, from 0 to 1."""

    term: Curie
    label: str
    method: str
    score: float


class OpenText(Struct, frozen=True):
    """A text of a field without a term: in how many records and studies, under which keys."""

    field: str
    text: str
    records: int
    studies: int
    keys: tuple[str, ...]
    candidates: tuple[Candidate, ...] = ()


class Proposer(Protocol):
    """Proposes terms for texts; made with ``cls(knowledge)``."""

    def propose(self, field: str, text: str, limit: int = 5) -> tuple[Candidate, ...]:
        """Return the likeliest terms first."""
        ...


class Proposers:
    """Several proposers as one: of each term the best proposal."""

    def __init__(self, proposers: Iterable[Proposer]) -> None:
        self._proposers = tuple(proposers)

    def propose(self, field: str, text: str, limit: int = 5) -> tuple[Candidate, ...]:
        """Return the likeliest terms first."""
        best: dict[Curie, Candidate] = {}
        for proposer in self._proposers:
            for one in proposer.propose(field, text, limit):
                if one.term not in best or one.score > best[one.term].score:
                    best[one.term] = one
        return tuple(sorted(best.values(), key=lambda one: (-one.score, one.term))[:limit])


class _Tally:
    """Counts of one text."""

    def __init__(self) -> None:
        self.records = 0
        self.studies: set[RecordId] = set()
        self.keys: dict[str, None] = {}


# ------------------------------------------------------------------ what is open


def undecided(
    found: Iterable[OpenText], decided: Sequence[Mapping], field: str = ""
) -> list[OpenText]:
    """Leave out what was decided to be no term, or was accepted and waits for the next run."""
    done = {(one.field, fold(one.text)) for one in decided if not one.negated}
    return [
        one
        for one in found
        if (not field or one.field == field)
        and done.isdisjoint(((one.field, fold(one.text)), ("", fold(one.text))))
    ]


def open_texts(store: RecordStore, viewer: Viewer) -> list[OpenText]:
    """Return texts without a believed term that the viewer may see, the most frequent first."""
    tallies: dict[tuple[str, str], _Tally] = {}
    ancestors = Ancestors(store)
    for record in _visible(store, viewer):
        for name, key, text in _unexplained(record):
            place = name, text
            tally = tallies.get(place)
            if tally is None:
                if len(tallies) >= _MOST_TEXTS:
                    continue
                tally = tallies[place] = _Tally()
            tally.records += 1
            tally.keys[key] = None
            above = ancestors.of(record)
            tally.studies.add(above[-1].id if above else record.id)
    found = [
        OpenText(name, text, tally.records, len(tally.studies), tuple(tally.keys))
        for (name, text), tally in tallies.items()
    ]
    return sorted(found, key=lambda one: (-one.records, one.field, one.text))


def _visible(store: RecordStore, viewer: Viewer) -> Iterator[Record]:
    after = 0
    while page := store.records(after=after, limit=_A_READ):
        after = page[-1].seq
        for change in page:
            if change.record is not None and change.record.access.visible_to(viewer):
                yield change.record


def _unexplained(record: Record) -> Iterator[tuple[str, str, str]]:
    """Yield (field, key, text) of values of which no believed claim explains any part."""
    said: dict[str, set[str]] = {}
    for claim in record.annotations:
        if claim.believed:
            named = {fold(claim.text), fold(claim.label)} - {""}
            said.setdefault(claim.field, set()).update(named)
    seen: set[tuple[str, str]] = set()
    for pair in record.key_values:
        field = field_of_key(pair.key)
        if field is None or field.type != "term" or not field.prefixes:
            continue
        text = " ".join(pair.value.split())
        folded = fold(text)
        if not text or len(text) > _LONGEST or (field.name, folded) in seen:
            continue
        seen.add((field.name, folded))
        if not any(part in folded for part in said.get(field.name, ())):
            yield field.name, pair.key, text


# ------------------------------------------------------------------ deciding


def read_decisions(path: Path) -> tuple[Mapping, ...]:
    """Return the decisions of a mapping file; none when there is no file yet."""
    return read_sssom(path) if path.exists() else ()


def decide(
    path: Path, kind: Kind, field: str, text: str, term: str, terms: TermStore, author: str
) -> Mapping:
    """Write a decision into a mapping file, in place of an earlier one on the same matter.

    QueryInvalid names a field, text or term that cannot be.
    """
    made = _mapping(kind, field, text, term, terms, author)
    kept = [one for one in read_decisions(path) if not _same_matter(one, made)]
    write_sssom(path, [*kept, made])
    return made


def undo(path: Path, field: str, text: str) -> int:
    """Take back what was decided on a text in a field; return how many decisions that were."""
    before = read_decisions(path)
    kept = [one for one in before if (one.field, fold(one.text)) != (field, fold(text))]
    if len(kept) < len(before):
        write_sssom(path, kept)
    return len(before) - len(kept)


def _mapping(
    kind: Kind, field: str, text: str, term: str, terms: TermStore, author: str
) -> Mapping:
    known = require_field(field)
    plain = " ".join(text.split())
    if not plain or len(plain) > _LONGEST:
        raise QueryInvalid(f"a text has 1 to {_LONGEST} characters", where="text")
    curie = label = None
    if kind != "no-term":
        curie = curie_of(term)
        found = terms.get(curie) if curie is not None else None
        if found is None:
            raise QueryInvalid(
                f"no loaded ontology has a term {term[:100]!r}",
                hint="write a CURIE such as CMPO:0000077",
                where="term",
            )
        label = found.label
    return Mapping(
        text=plain,
        field=known.name,
        term=curie,
        label=label or "",
        negated=kind == "reject",
        author=" ".join(author.split()),
        date=datetime.now(UTC).date().isoformat(),
    )


def _same_matter(one: Mapping, other: Mapping) -> bool:
    """Whether one decision replaces the other; rejections of two terms stand side by side."""
    if (one.field, fold(one.text)) != (other.field, fold(other.text)):
        return False
    if one.negated or other.negated:
        return one.term == other.term
    return True
