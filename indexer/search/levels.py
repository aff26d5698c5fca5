"""What all engines share: checks of a query, levels, pages.

An engine gives a :class:`Selection`, the records that match a query for one viewer at one moment;
this module makes the page from it. A study or container is a hit when it matches itself or holds a
matching record; by relevance those that match themselves come first, by score, then the others,
each by number of matching images.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, Protocol

from msgspec import Struct

from indexer.search import paging
from indexer.search.paging import Place
from indexer.texts import CONTAINS_LIMIT, words
from parfocal.errors import QueryInvalid
from parfocal.fields import require_field
from parfocal.identifiers import RecordId
from parfocal.model import Level, Viewer
from parfocal.query import (
    All,
    AnyOf,
    Clause,
    Concept,
    FacetRequest,
    FacetValue,
    FieldContains,
    FieldMatch,
    KeyMatch,
    Match,
    Not,
    Page,
    Phrase,
    Query,
    Token,
    Within,
    Words,
    first_number,
)

PAGE_LIMIT = 10_000
"""Most hits of a page, and most values of a facet."""
COMPARISONS = (">=", "<=", ">", "<")


class Row(Struct, frozen=True):
    """A record found, with what orders it."""

    id: RecordId
    seq: int = 0
    value: float | None = None
    score: float = 0.0


class Summary(Struct, frozen=True):
    """Counts over all matching records: records, the three levels, facets."""

    records: int
    levels: dict[str, int]
    facets: dict[str, tuple[FacetValue, ...]]


class Selection(Protocol):
    """The records that match a query for one viewer, at one moment of the index."""

    generation: str

    def summary(self, facets: tuple[FacetRequest, ...], *, images_only: bool) -> Summary:
        """Count records, levels and facets; with ``images_only`` facets count images only."""
        ...

    def ranked(self, level: Level | None, after: Place | None, size: int) -> list[Row]:
        """Return matching records (of a level) by relevance, from ``after.offset`` on."""
        ...

    def ordered(
        self, level: Level | None, by: str, descending: bool, after: Place | None, size: int
    ) -> list[Row]:
        """Return matching records by ``seq``, or by a number field and seq, missing values last."""
        ...

    def groups(self, level: Level) -> dict[RecordId, int]:
        """Return the studies or containers that match or hold a match: their matching images."""
        ...

    def members(self, ids: Iterable[RecordId]) -> Selection:
        """Return the selection of the records with these ids instead, for the same viewer."""
        ...

    def best(self, level: Level, ids: list[RecordId]) -> dict[RecordId, RecordId]:
        """Return the best matching image in each of these studies or containers that has one."""
        ...


# ------------------------------------------------------------------ checks


def clauses_of(clause: Clause) -> Iterator[Clause]:
    """Yield a clause and all within it."""
    yield clause
    if isinstance(clause, All | AnyOf):
        for part in clause.clauses:
            yield from clauses_of(part)
    elif isinstance(clause, Not):
        yield from clauses_of(clause.clause)


def is_scored(clause: Clause) -> bool:
    """Whether some hits of a clause can be better than others; conditions alone are not."""
    if isinstance(clause, All | AnyOf):
        return any(map(is_scored, clause.clauses))
    if isinstance(clause, Token | Phrase):
        return bool(words(clause.text))
    return isinstance(clause, Concept)


def _check_clause(clause: Clause) -> None:
    if isinstance(clause, Words | FieldMatch | Within):
        raise QueryInvalid(
            f"an engine cannot answer a clause of type {type(clause).__name__}",
            hint="pass the query through parfocal.understand first",
        )
    texts: tuple[str, ...] = (clause.text,) if isinstance(clause, FieldContains) else ()
    if isinstance(clause, KeyMatch):
        if clause.op in ("contains", "not_contains"):
            texts = clause.values
        if clause.op in COMPARISONS:
            bound_of(clause.values)
    if any(len(text) > CONTAINS_LIMIT for text in texts):
        raise QueryInvalid(
            f"the text to look for within values is longer than {CONTAINS_LIMIT} characters",
            hint="shorten it, or ask for the whole value with =",
        )


def bound_of(values: Sequence[str]) -> float:
    """Return the number that a comparison compares with; QueryInvalid when there is none."""
    number = first_number(values[0]) if len(values) == 1 else None
    if number is None:
        raise QueryInvalid(
            "a comparison of key-values needs one number", hint='write kv:"Concentration>=5"'
        )
    return number


def check(query: Query) -> None:
    """Raise QueryInvalid for what no engine answers: sizes, sort and facet fields, clauses."""
    for clause in clauses_of(query.where):
        _check_clause(clause)
    if not 0 <= query.size <= PAGE_LIMIT:
        raise QueryInvalid(
            f"a page has 0 to {PAGE_LIMIT} hits, not {query.size}", hint="page on by the token next"
        )
    for request in query.facets:
        facet_field(request.field)
        if not 1 <= request.size <= PAGE_LIMIT:
            raise QueryInvalid(f"a facet has 1 to {PAGE_LIMIT} values, not {request.size}")
    if query.sort.by not in ("relevance", "id") and require_field(query.sort.by).type not in (
        "number",
        "length",
        "date",
    ):
        raise QueryInvalid(
            f"hits cannot be sorted by {query.sort.by}",
            hint="sort by relevance, id, or a number or date field",
        )


def facet_field(name: str) -> str:
    """Return the name of the field that a facet counts; QueryInvalid for number and date fields."""
    field = require_field(name)
    if field.type not in ("term", "keyword"):
        raise QueryInvalid(f"{name} has no facet", hint="facets count terms and keywords")
    return field.name


# ------------------------------------------------------------------ pages


def _order(query: Query) -> str:
    """Return what really orders the hits: rank, seq, or a field; equal scores leave seq."""
    if query.sort.by == "relevance":
        return "rank" if is_scored(query.where) else "seq"
    return "seq" if query.sort.by == "id" else require_field(query.sort.by).name


def needs_moment(query: Query) -> bool:
    """Whether pages follow an order that only holds while the index does not change."""
    rolled_up = query.level in ("study", "container") and query.sort.by == "relevance"
    return query.size > 0 and (rolled_up or _order(query) == "rank")


def _expect(place: Place | None, by: str, generation: str) -> Place | None:
    if place is not None and place.by != by:
        raise QueryInvalid("the page token belongs to another query")
    if place is not None and by == "rank" and place.generation != generation:
        raise paging.outdated()
    return place


def _rank_place(offset: int, selection: Selection, last: Row | None = None) -> Place:
    score, seq = (last.score, last.seq) if last else (0.0, 0)
    return Place("rank", offset=offset, generation=selection.generation, score=score, seq=seq)


def _flat(
    selection: Selection, query: Query, level: Level | None, order: str, place: Place | None
) -> tuple[list[Row], Place | None]:
    """Return a page of records and the place after it; None at the end."""
    wanted = query.size + 1
    if order == "rank":
        place = _expect(place, "rank", selection.generation)
        rows = selection.ranked(level, place, wanted)
        offset = place.offset if place else 0
        after = _rank_place(
            offset + query.size, selection, rows[: query.size][-1] if rows else None
        )
    else:
        by: Literal["seq", "value"] = "seq" if order == "seq" else "value"
        place = _expect(place, by, "")
        rows = selection.ordered(level, order, query.sort.descending, place, wanted)
        last = rows[query.size - 1] if 0 < query.size <= len(rows) else Row(RecordId(""))
        after = Place(by, seq=last.seq, value=last.value)
    more = len(rows) > query.size > 0
    return rows[: query.size], after if more else None


def _by_relevance(
    selection: Selection,
    query: Query,
    level: Level,
    groups: dict[RecordId, int],
    place: Place | None,
) -> tuple[list[Row], Place | None]:
    place = _expect(place, "rank", selection.generation)
    offset = place.offset if place else 0
    own = {row.id: row.score for row in selection.ranked(level, None, max(1, len(groups)))}
    scored = is_scored(query.where)
    ranking = sorted(
        groups,
        key=lambda id: (id not in own, -own.get(id, 0.0) if scored else 0.0, -groups[id], id),
    )
    rows = [Row(id, score=own.get(id, 0.0)) for id in ranking[offset : offset + query.size]]
    end = offset + query.size
    return rows, _rank_place(end, selection) if query.size > 0 and end < len(ranking) else None


def _rolled_up(
    selection: Selection, query: Query, level: Level, place: Place | None
) -> tuple[tuple[Match, ...], Place | None]:
    groups = selection.groups(level)
    if query.sort.by == "relevance":
        rows, after = _by_relevance(selection, query, level, groups, place)
    else:
        rows, after = _flat(selection.members(groups), query, level, _order(query), place)
    best = selection.best(level, [row.id for row in rows if groups[row.id]])
    matches = [Match(row.id, row.score, groups[row.id], best.get(row.id)) for row in rows]
    return tuple(matches), after


def page_of(selection: Selection, query: Query, place: Place | None) -> Page:
    """Make the page of a checked query from an engine's selection."""
    level = None if query.level == "any" else query.level
    matches: tuple[Match, ...] = ()
    after = None
    if query.size and level in ("study", "container"):
        matches, after = _rolled_up(selection, query, level, place)
    elif query.size:
        rows, after = _flat(selection, query, level, _order(query), place)
        matches = tuple(Match(row.id, row.score) for row in rows)
    # Last: an engine may be counting since the selection was made.
    summary = selection.summary(query.facets, images_only=level == "image")
    return Page(
        matches,
        total=summary.records if level is None else summary.levels[level],
        levels=summary.levels,
        facets=summary.facets,
        next=paging.write(after, query) if after else None,
    )


class _Searches(Protocol):
    def search(self, query: Query, viewer: Viewer) -> Page: ...


def total_of(index: _Searches, query: Query, viewer: Viewer) -> int:
    """Return the exact total of a query, without hits and facets."""
    bare = Query(where=query.where, level=query.level, size=0)
    return index.search(bare, viewer).total


def suggestions(
    counts: Iterable[tuple[tuple[str, str], int]], limit: int
) -> tuple[tuple[str, str, int], ...]:
    """Order suggestions, ((field, value), records), as all engines do: frequent, then short."""
    ranking = sorted(counts, key=lambda item: (-item[1], len(item[0][1]), item[0]))
    return tuple((field, value, count) for (field, value), count in ranking[:limit])
