"""Why a question found nothing: which part of it, what was meant perhaps, which filter to drop."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

import msgspec
from msgspec import Struct

from api.addresses import Filter, State, narrowed
from api.context import catalogue
from api.viewers import viewer
from parfocal.query import All, Clause, Query, Words
from parfocal.query_print import format_clause

MAX_PARTS = 8
CANDIDATES = 50


class Part(Struct, frozen=True):
    """A part of the question, what it alone finds, and words that are spelt like it."""

    text: str
    count: int
    near: tuple[str, ...] = ()


class Nothing(Struct, frozen=True):
    """What the page tells when there is no hit."""

    parts: tuple[Part, ...]
    drops: tuple[tuple[Filter, int], ...]
    elsewhere: int


def _count(query: Query) -> int:
    return catalogue().count(query, viewer())


def _parts(where: Clause) -> Iterator[Clause]:
    if isinstance(where, All):
        for clause in where.clauses:
            yield from _parts(clause)
    elif isinstance(where, Words):
        yield from (Words(word) for word in where.text.split())
    else:
        yield where


def near(word: str) -> tuple[str, ...]:
    """Return words of the catalogue that are spelt nearly like this one."""
    for length in (4, 3, 2):
        found = catalogue().suggest(word[:length], viewer(), CANDIDATES)
        texts = {one.text.casefold(): one.text for one in found}
        words = {part: part for text in texts for part in text.split()}
        close = get_close_matches(word.casefold(), [*texts, *words], 3, 0.7)
        if close:
            return tuple(texts.get(text, text) for text in close)
    return ()


def explain_nothing(state: State, asked: Query) -> Nothing:
    """Return what each part of the question finds alone, and the question without each filter."""
    bare = msgspec.structs.replace(asked, facets=(), after=None)
    parts = []
    for clause in list(_parts(asked.where))[:MAX_PARTS]:
        count = _count(msgspec.structs.replace(bare, where=clause))
        spelt = near(clause.text) if isinstance(clause, Words) and not count else ()
        parts.append(Part(format_clause(clause), count, spelt))
    drops = []
    for one in state.filters[:MAX_PARTS]:
        others = [other for other in state.filters if other != one]
        drops.append((one, _count(narrowed(bare, others))))
    anywhere = msgspec.structs.replace(narrowed(bare, state.filters), level="any")
    return Nothing(tuple(parts), tuple(drops), _count(anywhere))
