"""The query language as text; docs/query.md describes it for users.

    any   := all ("OR" all)*
    all   := unary (["AND"] unary)*
    unary := ("NOT" | "-") unary | "(" any ")" | "phrase" | name ":" value | word+

A hand-written reader keeps the position of everything, so that errors can point at it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from parfocal.errors import QueryInvalid
from parfocal.query import All, AnyOf, Clause, Everything, FacetRequest, Not, Query, Sort
from parfocal.query_parts import Parts
from parfocal.query_print import format_query
from parfocal.query_values import (
    check_facet,
    check_size,
    read_expand,
    read_facet,
    read_level,
    read_sort,
)

__all__ = ["format_query", "parse_query", "parse_text"]


def parse_query(
    text: str,
    *,
    level: str | None = None,
    facets: Sequence[str | FacetRequest] = (),
    sort: str | Sort | None = None,
    size: int = 20,
    after: str | None = None,
    expand: str | None = None,
    collapse: bool = False,
) -> Query:
    """Read a query; what the text itself says of level, sort and expand wins over the arguments.

    Raises QueryInvalid with position and length in the text, or ``where`` naming the argument.

    >>> parse_query('"cell cycle" -HeLa').where
    All(clauses=(Phrase(text='cell cycle'), Not(clause=Words(text='HeLa', position=14))))
    """
    where, members = parse_text(text)
    asked_level = members.get("level", level)
    asked_expand = members.get("expand", expand)
    return Query(
        where=where,
        level=(read_level(asked_level) if asked_level else None) or "any",
        facets=tuple(_facet(facet) for facet in facets),
        sort=_sort(members.get("sort", sort)),
        size=check_size(size),
        after=after or None,
        expand=read_expand(asked_expand) if asked_expand else Query().expand,
        collapse=collapse,
    )


def _facet(facet: str | FacetRequest) -> FacetRequest:
    return read_facet(facet) if isinstance(facet, str) else check_facet(facet.field, facet.size)


def _sort(sort: str | Sort | None) -> Sort:
    if isinstance(sort, Sort):
        return read_sort("-" * sort.descending + sort.by)
    return read_sort(sort) if sort else Sort()


def parse_text(text: str) -> tuple[Clause, dict[str, str]]:
    """Read the clauses of a text, and what it says of level, sort and expand.

    >>> parse_text("level:image mitosis")
    (Words(text='mitosis', position=12), {'level': 'image'})
    """
    reader = _Reader(text)
    return reader.whole(), reader.members


def _flat(kind: type[All | AnyOf], parts: Sequence[Clause | None]) -> tuple[Clause, ...]:
    """Return the parts with those of the same kind taken apart, members left out."""
    found: list[Clause] = []
    for part in parts:
        if isinstance(part, All | AnyOf) and isinstance(part, kind):
            found.extend(part.clauses)
        elif part is not None:
            found.append(part)
    return tuple(found)


class _Reader(Parts):
    """Reads a whole text by recursive descent."""

    def whole(self) -> Clause:
        """Read everything; nothing means everything."""
        self.skip_space()
        if not self.peek():
            return Everything()
        clause = self.any_of()
        if self.peek() == ")":
            raise self.unopened()
        return clause or Everything()

    def any_of(self) -> Clause | None:
        """Read alternatives; None when there were only members such as ``level:image``."""
        options = [self.all_of()]
        while self.operator() == "OR":
            start = self.at
            self.bare()
            options.append(self.all_of())
            if options[-1] is None or options[-2] is None:
                raise self.dangling("OR", start)
        return options[0] if len(options) == 1 else AnyOf(_flat(AnyOf, options))

    def all_of(self) -> Clause | None:
        """Read clauses that must all match."""
        parts: list[Clause | None] = []
        pending: int | None = None
        while not self.at_end_of_all():
            if self.operator() == "AND":
                if pending is not None or not parts:
                    raise self.dangling("AND", self.at)
                pending = self.at
                self.bare()
            else:
                parts.append(self.unary(run=True))
                pending = None
        if pending is not None:
            raise self.dangling("AND", pending)
        if not parts:
            raise self.nothing_here()
        found = _flat(All, parts)
        return (found[0] if len(found) == 1 else All(found)) if found else None

    def at_end_of_all(self) -> bool:
        """Go to the next clause; whether there is none."""
        self.skip_space()
        return self.peek() in ("", ")") or self.operator() == "OR"

    def unary(self, *, run: bool = False) -> Clause | None:
        """Read one clause, negated or not; with ``run``, adjacent bare words together."""
        self.skip_space()
        start = self.at
        if self.operator() == "NOT":
            self.bare()
            return self.negation(start, "NOT")
        if self.at_minus():
            self.at += 1
            return self.negation(start, "-")
        return self.group() if self.peek() == "(" else self.part(run=run)

    def negation(self, start: int, sign: str) -> Clause:
        """Read what is negated."""
        self.skip_space()
        if self.peek() in ("", ")") or self.operator() in ("AND", "OR"):
            raise self.error(
                f"{sign} needs something to search for after it",
                f'write {sign} HeLa, or quote it: "{sign}"',
                start,
                start + len(sign),
            )
        self.deeper(start)
        clause = cast("Clause", self.unary())  # members, the only None, are refused deeper down
        self.depth -= 1
        return Not(clause)

    def group(self) -> Clause:
        """Read a group in parentheses."""
        start = self.at
        self.deeper(start)
        self.at += 1
        clause = cast("Clause", self.any_of())  # members, the only None, are refused deeper down
        if self.peek() != ")":
            raise self.error(
                "the ( is not closed", "add a ) where the group ends", start, start + 1
            )
        self.at += 1
        self.depth -= 1
        return clause

    # ------------------------------------------------------------------ errors

    def dangling(self, operator: str, start: int) -> QueryInvalid:
        """Make the error for an operator that lacks a side."""
        return self.error(
            f"{operator} needs something to search for on both sides",
            f'write a {operator} b; to search for the word itself, quote it: "{operator}"',
            start,
            start + len(operator),
        )

    def unopened(self) -> QueryInvalid:
        """Make the error for a parenthesis that closes nothing."""
        hint = "remove it, or put it into quotes"
        return self.error("there is no ( for this )", hint, self.at, self.at + 1)

    def nothing_here(self) -> QueryInvalid:
        """Make the error for a place where a clause should stand."""
        before = self.text[: self.at].rstrip()
        if self.operator() == "OR":
            return self.dangling("OR", self.at)
        if before.endswith("OR"):
            return self.dangling("OR", len(before) - 2)
        if before.endswith("("):
            start = len(before) - 1
            hint = "remove the parentheses, or write something to search for into them"
            return self.error(
                "the parentheses are empty or not closed", hint, start, self.at + len(self.peek())
            )
        return self.unopened()
