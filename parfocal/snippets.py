"""The text of a record that best shows a query's words, cut short, with the words' places."""

from __future__ import annotations

import re
from collections.abc import Iterator

from parfocal.model import Record
from parfocal.query import Clause, Concept, FieldContains, FieldIn, KeyMatch, Phrase, tokens
from parfocal.reasons import positive

Phrases = frozenset[tuple[str, ...]]
"""Wordings to mark: each a run of folded words."""

_LENGTH = 220
_READ = 20_000
_WORD = re.compile(r"[^\W_]+")
_PHRASES = 200


def phrases_asked(where: Clause) -> Phrases:
    """Return the wordings that a snippet should mark.

    >>> sorted(phrases_asked(Phrase("big cells")))
    [('big', 'cells')]
    """
    found: set[tuple[str, ...]] = set()
    for leaf in positive(where):
        for text in list(_wordings(leaf))[:_PHRASES]:
            found.add(tuple(tokens(text)))
    return frozenset(found - {()})


def _wordings(leaf: Clause) -> Iterator[str]:
    if isinstance(leaf, Phrase | FieldContains):
        yield leaf.text
    elif isinstance(leaf, Concept):
        yield from (*tokens(leaf.text), leaf.label, *leaf.synonyms)
    elif isinstance(leaf, FieldIn):
        yield from leaf.texts
    elif isinstance(leaf, KeyMatch) and leaf.op in ("equals", "contains", "in"):
        yield from leaf.values


def snippet(record: Record, phrases: Phrases) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Return a line or two of a record, plain text, and (start, end) of each marked word in it."""
    candidates = [record.description, *(f"{pair.key}: {pair.value}" for pair in record.key_values)]
    words = frozenset(word for phrase in phrases for word in phrase)
    best = max(
        candidates, key=lambda text: len(words.intersection(tokens(text[:_READ]))), default=""
    )
    text = " ".join(best[:_READ].split())
    start = next((start for start, _ in _marks(text, phrases)), 0)
    cut = _window(text, start)
    return cut, tuple(_marks(cut, phrases))


def _marks(text: str, phrases: Phrases) -> Iterator[tuple[int, int]]:
    places = [(match.group().casefold(), match.span()) for match in _WORD.finditer(text)]
    words = [word for word, _ in places]
    lengths = sorted({len(phrase) for phrase in phrases}, reverse=True)
    at = 0
    while at < len(words):
        run = next((n for n in lengths if tuple(words[at : at + n]) in phrases), 0)
        for _, span in places[at : at + run]:
            yield span
        at += run or 1


def _window(text: str, start: int) -> str:
    if len(text) <= _LENGTH:
        return text
    start = max(0, start - 60)
    start = text.rfind(" ", 0, start) + 1 if start else 0
    cut = text[start : start + _LENGTH].rsplit(" ", 1)[0]
    return ("… " if start else "") + cut + ("" if start + len(cut) >= len(text) else " …")
