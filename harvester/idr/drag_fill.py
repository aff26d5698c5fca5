"""Accession columns that count up while the text beside them stays: a dragged fill handle."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

_NUMBERED = re.compile(r"(.*?)(\d{1,15})\s*", re.DOTALL)

Pair = tuple[str, str]
"""A text and the accession beside it, as written."""


class DragFill(Struct, frozen=True):
    """What was found in one column: which pairs are not to be believed, and where they stand.

    Rows count from 0 without the header.
    """

    doubted: frozenset[Pair]
    first: int
    last: int
    rows: int
    examples: tuple[str, ...]


def _numbers(pairs: Counter[Pair]) -> dict[Pair, tuple[str, str, int]]:
    """Return text, prefix and number of each numbered accession of texts that have several."""
    several = Counter(text for text, accession in pairs if text.strip() and accession.strip())
    numbers = {}
    for text, accession in pairs:
        match = _NUMBERED.fullmatch(accession) if several[text] > 1 else None
        if match:
            numbers[text, accession] = (text, match.group(1), int(match.group(2)))
    return numbers


def _dragged(cells: Sequence[Pair], numbers: dict[Pair, tuple[str, str, int]]) -> set[str]:
    """Return texts beside which the number rises by one, or twice by one step, row after row."""
    dragged = set()
    before: tuple[str, str, int] | None = None
    last_step = 0
    for cell in cells:
        here = numbers.get(cell)
        step = here[2] - before[2] if here and before and here[:2] == before[:2] else 0
        if here and step and step in (1, last_step):
            dragged.add(here[0])
        before, last_step = here, step
    return dragged


def _trusted(counts: Counter[Pair], texts: set[str]) -> set[Pair]:
    """Return for each text the accession that most rows give it, where there is such a one."""
    by_text: dict[str, Counter[str]] = {text: Counter() for text in texts}
    for (text, accession), rows in counts.items():
        if text in texts:
            by_text[text][accession] = rows
    trusted = set()
    for text, accessions in by_text.items():
        (first, most), *others = accessions.most_common(2)
        if most > 1 and (not others or most > others[0][1]):
            trusted.add((text, first))
    return trusted


def find_drag_fill(cells: Sequence[Pair]) -> DragFill | None:
    """Judge one accession column, given text and accession of every row; None when it looks honest.

    >>> rows = [("HeLa", f"EFO_{n}") for n in (1185, 1185, 1185, 1186, 1187)]
    >>> sorted(find_drag_fill(rows).doubted)
    [('HeLa', 'EFO_1186'), ('HeLa', 'EFO_1187')]
    """
    counts = Counter(cells)
    numbers = _numbers(counts)
    texts = _dragged(cells, numbers) if numbers else set()
    if not texts:
        return None
    trusted = _trusted(counts, texts)
    doubted = frozenset(
        pair for pair in counts if pair[0] in texts and pair[1].strip() and pair not in trusted
    )
    places = [place for place, cell in enumerate(cells) if cell in doubted]
    examples = tuple(dict.fromkeys(cells[place][1] for place in places[:3]))
    return DragFill(doubted, places[0], places[-1], len(places), examples)
