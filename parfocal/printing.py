"""Printing what commands answer: tables for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
import msgspec

# Codes that move the cursor, set colours or change a terminal; harvested texts may hold them.
_CONTROL = dict.fromkeys([*range(9), *range(11, 32), *range(127, 160)])
_CONTROL |= dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])


def visible(text: str) -> str:
    r"""Return a text without what a terminal would obey.

    >>> visible("red \x1b[31malert\u202e")
    'red [31malert'
    """
    return text.translate(_CONTROL)


def say(text: object = "", *, err: bool = False) -> None:
    """Print a text that may hold words from elsewhere."""
    click.echo(visible(str(text)), err=err)


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under their headers, numbers to the right."""
    texts = [[_text(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headers, *texts, strict=True)]
    numeric = [
        all(isinstance(row[i], int) for row in rows) and bool(rows) for i in range(len(headers))
    ]
    for line in (list(headers), *texts):
        cells = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        )
        say("  ".join(cells).rstrip())


def _text(cell: object) -> str:
    return f"{cell:,}" if isinstance(cell, int) else visible(" ".join(str(cell).split()))


def duration(seconds: float) -> str:
    """Return seconds as people write them.

    >>> duration(4.2), duration(75), duration(7380)
    ('4.2 s', '1 min 15 s', '2 h 3 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
