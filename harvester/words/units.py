"""Numbers with units as archives and microscopes write them, read with pint."""

from __future__ import annotations

import re

from harvester.words.facts import number
from parfocal.model import Quantity
from parfocal.units import read_unit

_NUMBER = re.compile(
    r"([+-]?(?:\d{1,30}(?:[.,]\d{1,30})?|[.,]\d{1,30})(?:[eE][+-]?\d{1,3})?)\s*(\D.*)?"
)


def _taken_apart(given: object, unit: str) -> tuple[float | None, str]:
    if not isinstance(given, str):
        return number(given), unit
    match = _NUMBER.fullmatch(given.strip()[:200])
    if not match:
        return number(given), unit
    return number(match[1].replace(",", ".")), (match[2] or unit)


def quantity(given: object, unit: str = "") -> Quantity | None:
    """Read a number with its unit, from JSON or words; None without a finite number or a unit.

    The unit becomes its usual symbol; one that is not known stays as written. A unit behind the
    number counts before ``unit``.

    >>> quantity("0.65 um"), quantity(100, "MILLISECOND")
    (Quantity(value=0.65, unit='µm'), Quantity(value=100.0, unit='ms'))
    """
    value, named = _taken_apart(given, unit)
    symbol = read_unit(named)[0]
    return Quantity(value, symbol) if value is not None and symbol else None
