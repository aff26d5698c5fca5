"""The state of the search page is its address: reading it, and addresses of states beside it."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlencode

import msgspec
from flask import request
from msgspec import Struct

from api import parameters
from api.problems import ParameterInvalid
from parfocal.fields import require_field
from parfocal.model import Level
from parfocal.query import All, AnyOf, Clause, Everything, FacetRequest, FieldMatch, Query
from parfocal.query_text import parse_query

LEVELS: tuple[Level, ...] = ("study", "container", "image")
VIEWS = ("grid", "list", "table")
SORTS = {
    "": "best match",
    "-date": "newest",
    "date": "oldest",
    "-size_x": "widest",
    "id": "first harvested",
}
SINGLE = ("q", "level", "sort", "view", "after", "expand", "collapse", "more", "tree")
REPEATED = ("filter", "column")
PAGE_SIZE = 24
FACET_SIZE = 7
MORE_SIZE = 50
MAX_FILTERS = 50
FACETS = (
    "organism",
    "imaging_method",
    "phenotype",
    "cell_line",
    "tissue",
    "cell_type",
    "disease",
    "compound",
    "gene",
    "source",
    "type",
    "licence",
    "format",
    "channel",
)


TREES = tuple(name for name in FACETS if require_field(name).type == "term")


class Filter(Struct, frozen=True):
    """One value chosen in a facet."""

    field: str
    value: str

    def __str__(self) -> str:
        """Return the filter as the address has it."""
        return f"{self.field}:{self.value}"


class State(Struct, frozen=True):
    """Everything that the search page shows, as the address says it."""

    q: str = ""
    level: str = ""
    sort: str = ""
    view: str = "grid"
    after: str = ""
    expand: str = ""
    collapse: str = ""
    more: str = ""
    tree: str = ""
    filters: tuple[Filter, ...] = ()
    columns: tuple[str, ...] = ()

    @property
    def asked(self) -> bool:
        """Whether anything is asked; otherwise the page is the front page."""
        return bool(self.q.strip() or self.filters or self.level)

    def address(self, **changes: object) -> str:
        """Return the address of this state with members changed; another question starts anew."""
        if not {"after", "view", "columns", "more", "tree"} & changes.keys():
            changes["after"] = ""
        changed = msgspec.structs.replace(self, **changes)
        pairs = [(name, getattr(changed, name)) for name in SINGLE]
        pairs += [("filter", str(one)) for one in changed.filters]
        pairs += [("column", one) for one in changed.columns]
        kept = [(n, v) for n, v in pairs if v and not (n == "view" and v == "grid")]
        return "/?" + urlencode(kept) if kept else "/"

    def without(self, gone: Filter) -> str:
        """Return the address without one filter."""
        return self.address(filters=tuple(one for one in self.filters if one != gone))

    def toggled(self, one: Filter) -> str:
        """Return the address with a filter added, or removed if it is there."""
        return (
            self.without(one) if one in self.filters else self.address(filters=(*self.filters, one))
        )


def _filter(text: str) -> Filter:
    name, _, value = text.partition(":")
    field = require_field(name)
    if not value:
        raise ParameterInvalid(
            f"the filter {text[:100]!r} has no value", where="filter", hint="filter=field:value"
        )
    return Filter(field.name, value)


def read_state() -> State:
    """Read the state of the search page from the request."""
    parameters.refuse_unknown((*SINGLE, *REPEATED), repeated=REPEATED)
    given = request.args
    for name in REPEATED:
        if len(given.getlist(name)) > MAX_FILTERS:
            raise ParameterInvalid(f"{name!r} is given more than {MAX_FILTERS} times", where=name)
    return State(
        q=parameters.text("q").strip(),
        level=parameters.choice("level", "", ("", *LEVELS)),
        sort=parameters.text("sort", limit=100),
        view=parameters.choice("view", "grid", VIEWS),
        after=parameters.text("after", limit=2000),
        expand=parameters.choice("expand", "", ("", "none", "synonyms", "subclasses")),
        collapse=parameters.choice("collapse", "", ("", "true")),
        more=parameters.choice("more", "", ("", *FACETS)),
        tree=parameters.choice("tree", "", ("", *TREES)),
        filters=tuple(dict.fromkeys(_filter(text) for text in given.getlist("filter"))),
        columns=tuple(dict.fromkeys(filter(None, (c.strip() for c in given.getlist("column"))))),
    )


def _clauses(filters: Iterable[Filter]) -> list[Clause]:
    """Return filters as clauses: any value of a field, every field."""
    by_field: dict[str, list[Clause]] = {}
    for one in filters:
        by_field.setdefault(one.field, []).append(FieldMatch(one.field, "is", (one.value,)))
    return [c[0] if len(c) == 1 else AnyOf(tuple(c)) for c in by_field.values()]


def question(state: State) -> Query:
    """Return what the typed text alone asks; QueryInvalid points into it."""
    query = parse_query(
        state.q,
        sort=state.sort or None,
        expand=state.expand or None,
        collapse=bool(state.collapse),
    )
    if state.level:
        return msgspec.structs.replace(query, level=state.level)
    return query if query.level != "any" else msgspec.structs.replace(query, level="image")


def narrowed(query: Query, filters: Iterable[Filter]) -> Query:
    """Return a question narrowed by filters."""
    clauses = _clauses(filters)
    if not clauses:
        return query
    own = [] if isinstance(query.where, Everything) else [query.where]
    return msgspec.structs.replace(query, where=All((*own, *clauses)))


def page_query(state: State, asked: Query) -> Query:
    """Return the whole query of a page, with its facets."""
    facets = tuple(
        FacetRequest(name, MORE_SIZE if name == state.more else FACET_SIZE)
        for name in FACETS
        if not any(one.field == name for one in state.filters)
    )
    return msgspec.structs.replace(
        narrowed(asked, state.filters), facets=facets, size=PAGE_SIZE, after=state.after or None
    )


def facet_query(state: State, asked: Query, field: str) -> Query:
    """Return the query that counts a filtered field's values as if the field were not filtered."""
    others = [one for one in state.filters if one.field != field]
    size = MORE_SIZE if field == state.more else FACET_SIZE
    return msgspec.structs.replace(
        narrowed(asked, others), facets=(FacetRequest(field, size),), size=1, after=None
    )
