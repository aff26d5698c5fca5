"""The search engine in memory: the reference for all others; simple, and slow on many records."""

from __future__ import annotations

import operator
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from indexer import document
from indexer.document import Document
from indexer.entries import Pair
from indexer.search import levels, paging
from indexer.search.levels import Row, Summary
from indexer.search.paging import Place
from indexer.texts import comparable, words
from parfocal.config import Settings
from parfocal.identifiers import RecordId
from parfocal.model import Level, Viewer
from parfocal.query import (
    All,
    AnyOf,
    Clause,
    Concept,
    Everything,
    FacetRequest,
    FacetValue,
    FieldContains,
    FieldExists,
    FieldIn,
    FieldRange,
    KeyMatch,
    LiesIn,
    Not,
    Page,
    Phrase,
    Query,
    Terms,
    Token,
)
from parfocal.values import Change

_SNAPSHOTS = 16
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


class _Held(Struct, frozen=True):
    """A document with its words."""

    doc: Document
    own: frozenset[str]
    inherited: frozenset[str]


def _hold(doc: Document) -> _Held:
    return _Held(
        doc, frozenset(" ".join(doc.texts).split()), frozenset(" ".join(doc.inherited).split())
    )


# ------------------------------------------------------------------ clauses


def _has_words(held: _Held, text: str) -> bool:
    return all(word in held.own or word in held.inherited for word in words(text))


def _has_phrase(held: _Held, text: str) -> bool:
    phrase = f" {' '.join(words(text))} "
    texts = (*held.doc.texts, *held.doc.inherited)
    return phrase.isspace() or any(phrase in f" {own} " for own in texts)


def _means(held: _Held, clause: Concept) -> bool:
    return (
        (bool(words(clause.text)) and _has_words(held, clause.text))
        or any(words(s) and _has_phrase(held, s) for s in clause.synonyms)
        or any(not set(entry.terms).isdisjoint(clause.terms) for entry in held.doc.fields.values())
    )


def _key_matches(held: _Held, clause: KeyMatch) -> bool:
    key = None if clause.key is None else comparable(clause.key)
    pairs = [pair for pair in held.doc.pairs if key is None or pair.key == key]
    values = [comparable(value) for value in clause.values]
    return bool(pairs) and _pairs_match(pairs, clause.op, values)


def _pairs_match(pairs: list[Pair], op: str, values: list[str]) -> bool:
    if op == "exists":
        return True
    if op in _COMPARE:
        bound = levels.bound_of(values)
        return any(pair.number is not None and _COMPARE[op](pair.number, bound) for pair in pairs)
    if op in ("contains", "not_contains"):
        found = any(value in pair.value for pair in pairs for value in values)
        return found == (op == "contains")
    if op == "not_in":
        return any(pair.value not in values for pair in pairs)
    found = any(pair.value in values for pair in pairs)
    return found != (op == "not_equals")


def _field_in(held: _Held, clause: FieldIn) -> bool:
    entry = held.doc.fields.get(clause.field)
    return entry is not None and (
        any(comparable(text) in entry.texts for text in clause.texts)
        or not set(entry.terms).isdisjoint(clause.terms)
    )


def _field_contains(held: _Held, clause: FieldContains) -> bool:
    entry = held.doc.fields.get(clause.field)
    text = comparable(clause.text)
    return entry is not None and any(text in own for own in entry.texts)


def _within(number: float, clause: FieldRange) -> bool:
    above = (
        clause.low is None or number > clause.low or (not clause.low_open and number == clause.low)
    )
    below = (
        clause.high is None
        or number < clause.high
        or (not clause.high_open and number == clause.high)
    )
    return above and below


def _in_range(held: _Held, clause: FieldRange) -> bool:
    entry = held.doc.fields.get(clause.field)
    return entry is not None and any(_within(number, clause) for number in entry.numbers)


def _field_exists(held: _Held, clause: FieldExists) -> bool:
    entry = held.doc.fields.get(clause.field)
    return entry is not None and bool(entry.texts or entry.terms or entry.numbers)


def _matches(held: _Held, clause: Clause) -> bool:
    match clause:
        case Everything():
            return True
        case All():
            return all(_matches(held, part) for part in clause.clauses)
        case AnyOf():
            return any(_matches(held, part) for part in clause.clauses)
        case Not():
            return not _matches(held, clause.clause)
        case Token():
            return _has_words(held, clause.text)
        case Phrase():
            return _has_phrase(held, clause.text)
        case Concept():
            return _means(held, clause)
        case Terms():
            return not set(held.doc.claims).isdisjoint(clause.terms)
        case KeyMatch():
            return _key_matches(held, clause)
        case FieldIn():
            return _field_in(held, clause)
        case FieldContains():
            return _field_contains(held, clause)
        case FieldRange():
            return _in_range(held, clause)
        case FieldExists():
            return _field_exists(held, clause)
        case LiesIn():
            return not {*held.doc.studies, *held.doc.containers}.isdisjoint(clause.ids)
    raise AssertionError(clause)


def _score(held: _Held, clause: Clause) -> float:
    """Return how well a record matches: a word of its own counts three times an inherited one."""
    if isinstance(clause, All | AnyOf):
        return sum(_score(held, part) for part in clause.clauses)
    if isinstance(clause, Token | Phrase | Concept):
        asked = words(clause.text)
        return sum(3.0 if word in held.own else float(word in held.inherited) for word in asked)
    return 0.0


# ------------------------------------------------------------------ selection


def _keys(held: _Held, level: Level) -> tuple[RecordId, ...]:
    return held.doc.studies if level == "study" else held.doc.containers


class MemorySelection:
    """The matching records of one moment, in order of seq."""

    def __init__(
        self, visible: list[_Held], where: Clause, generation: str, found: list[_Held] | None = None
    ) -> None:
        self.generation = generation
        self._visible = visible
        self._where = where
        self._found = [h for h in visible if _matches(h, where)] if found is None else found

    def _at(self, level: Level | None) -> list[_Held]:
        return [held for held in self._found if level is None or held.doc.level == level]

    def summary(self, facets: tuple[FacetRequest, ...], *, images_only: bool) -> Summary:
        """Count records, levels and facets."""
        counted = self._at("image") if images_only else self._found
        return Summary(
            len(self._found),
            {
                "study": len(self.groups("study")),
                "container": len(self.groups("container")),
                "image": len(self._at("image")),
            },
            {request.field: _facet(counted, request) for request in facets},
        )

    def _ranking(self, level: Level | None) -> list[tuple[float, _Held]]:
        scored = [(_score(held, self._where), held) for held in self._at(level)]
        return sorted(scored, key=lambda item: (-item[0], item[1].doc.seq))

    def ranked(self, level: Level | None, after: Place | None, size: int) -> list[Row]:
        """Return records by score, then seq."""
        offset = after.offset if after else 0
        return [
            Row(held.doc.id, held.doc.seq, score=score)
            for score, held in self._ranking(level)[offset : offset + size]
        ]

    def ordered(
        self, level: Level | None, by: str, descending: bool, after: Place | None, size: int
    ) -> list[Row]:
        """Return records by seq or by a field and seq."""
        rows = [_row(held, by, descending) for held in self._at(level)]
        rows.sort(key=lambda row: _sort_key(row.value, row.seq, by, descending))
        if after is not None:
            start = _sort_key(after.value, after.seq, by, descending)
            rows = [r for r in rows if _sort_key(r.value, r.seq, by, descending) > start]
        return rows[:size]

    def groups(self, level: Level) -> dict[RecordId, int]:
        """Return the studies or containers with their matching images."""
        images: Counter[RecordId] = Counter()
        for held in self._found:
            for key in _keys(held, level):
                images[key] += held.doc.level == "image"
        return dict(images)

    def members(self, ids: Iterable[RecordId]) -> MemorySelection:
        """Return the visible records with these ids."""
        wanted = set(ids)
        found = [held for held in self._visible if held.doc.id in wanted]
        return MemorySelection(self._visible, Everything(), self.generation, found)

    def best(self, level: Level, ids: list[RecordId]) -> dict[RecordId, RecordId]:
        """Return the best image in each."""
        wanted, found = set(ids), dict[RecordId, RecordId]()
        for _, held in self._ranking("image"):
            for key in wanted.intersection(_keys(held, level)):
                found.setdefault(key, held.doc.id)
        return found


def _row(held: _Held, by: str, descending: bool) -> Row:
    entry = held.doc.fields.get(by)
    pick = max if descending else min
    value = pick(entry.numbers) if entry is not None and entry.numbers else None
    return Row(held.doc.id, held.doc.seq, value)


def _sort_key(value: float | None, seq: int, by: str, descending: bool) -> tuple[bool, float, int]:
    if by == "seq":
        return (False, 0.0, -seq if descending else seq)
    number = 0.0 if value is None else value
    return (value is None, -number if descending else number, seq)


def _facet(counted: list[_Held], request: FacetRequest) -> tuple[FacetValue, ...]:
    name = levels.facet_field(request.field)
    entries = [held.doc.fields[name] for held in counted if name in held.doc.fields]
    counts = Counter(value for entry in entries for value in entry.facets)
    ranking = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(FacetValue(value, value, count) for value, count in ranking[: request.size])


# ------------------------------------------------------------------ index


class MemoryIndex:
    """All documents in a dictionary; page tokens find the documents of their moment for a while."""

    def __init__(self) -> None:
        self._documents: dict[int, _Held] = {}
        self._revision = 0
        self._generation = 0
        self._snapshots: OrderedDict[str, dict[int, _Held]] = OrderedDict({"0": {}})

    def revision(self) -> int:
        """Return the revision reached."""
        return self._revision

    def apply(self, changes: Iterable[Change], revision: int) -> None:
        """Replace the documents of changed records."""
        documents = dict(self._documents)
        for change in changes:
            built = document.build(change)
            if built is None:
                documents.pop(change.seq, None)
            else:
                documents[change.seq] = _hold(built)
        self._keep(documents, revision)

    def clear(self) -> None:
        """Forget everything."""
        self._keep({}, 0)

    def close(self) -> None:
        """Nothing is held."""

    def _keep(self, documents: dict[int, _Held], revision: int) -> None:
        self._documents, self._revision = documents, revision
        self._generation += 1
        self._snapshots[str(self._generation)] = documents
        if len(self._snapshots) > _SNAPSHOTS:
            self._snapshots.popitem(last=False)

    def _select(self, query: Query, viewer: Viewer, place: Place | None) -> MemorySelection:
        wanted = place.generation if place and place.generation else str(self._generation)
        documents = self._snapshots.get(wanted)
        if documents is None:
            raise paging.outdated()
        visible = list(_visible(documents, viewer))
        return MemorySelection(visible, query.where, wanted)

    def search(self, query: Query, viewer: Viewer) -> Page:
        """Answer an understood query with what the viewer may see."""
        levels.check(query)
        place = paging.read(query)
        return levels.page_of(self._select(query, viewer, place), query, place)

    def count(self, query: Query, viewer: Viewer) -> int:
        """Return the exact total at the query's level."""
        return levels.total_of(self, query, viewer)

    def suggest(
        self, prefix: str, viewer: Viewer, limit: int = 10
    ) -> tuple[tuple[str, str, int], ...]:
        """Return values of term and gene fields that begin with the text, most frequent first."""
        start = comparable(prefix)
        counts = Counter(
            (entry.field, value)
            for held in _visible(self._documents, viewer)
            for entry in held.doc.fields.values()
            for value in entry.suggestions
            if start and comparable(value).startswith(start)
        )
        return levels.suggestions(counts.items(), limit)


def _visible(documents: dict[int, _Held], viewer: Viewer) -> Iterator[_Held]:
    audience = set(document.audience_of(viewer))
    for _, held in sorted(documents.items()):
        if not audience.isdisjoint(held.doc.audience):
            yield held


def open_index(settings: Settings) -> MemoryIndex:
    """Make an empty index; settings do not matter."""
    return MemoryIndex()
