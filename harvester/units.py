"""Numbers with units as archives and microscopes write them, read with pint."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from harvester.facts import number
from parfocal.model import Quantity

if TYPE_CHECKING:
    from pint import Unit, UnitRegistry

_NUMBER = re.compile(
    r"([+-]?(?:\d{1,30}(?:[.,]\d{1,30})?|[.,]\d{1,30})(?:[eE][+-]?\d{1,3})?)\s*(\D.*)?"
)
_UNIT = re.compile(r"[^\W\d_]{1,30}(?:/[^\W\d_]{1,30})?|%|\u00b0[CF]?")
_WRITTEN = {
    "micron": "µm",
    "microns": "µm",
    "\\u00b5m": "µm",
    "a": "Å",
    "angstroms": "Å",
    "hz": "Hz",
    "reference_frame": "reference frame",
    "referenceframe": "reference frame",
    "pixels": "pixel",
    "px": "pixel",
}
_OTHERWISE = {"pt": 25400 / 72, "li": 25400 / 12}
"""Micrometres of OME's units whose symbols mean something else to pint."""
_BELIEVED = (
    *("[length]", "[time]", "1 / [time]", "[temperature]", "[mass]", "[printing_unit]"),
    *("[mass] / [length] ** 3", "[substance] / [length] ** 3", "dimensionless"),
    *("[mass] * [length] ** 2 / [time] ** 3", "[mass] / [length] / [time] ** 2"),
    *("[mass] * [length] ** 2 / [time] ** 3 / [current]",),
)
"""Kinds of units that images have; pint would read a speed into ``fps``, a volume into ``dpi``."""


@cache
def _registry() -> UnitRegistry[float]:
    from pint import UnitRegistry  # takes a third of a second; most commands read no units

    return UnitRegistry()


def _parsed(name: str) -> Unit | None:
    from pint import PintError

    if not _UNIT.fullmatch(name):
        return None
    try:
        unit = _registry().parse_units(name)
    except (PintError, AttributeError, ValueError):
        return None
    return unit if str(unit.dimensionality) in _BELIEVED else None


@lru_cache(maxsize=4096)
def _known(unit: str) -> tuple[str, float | None]:
    """Return a unit's symbol, and how many micrometres it has (None for what is no length)."""
    written = _WRITTEN.get(unit.lower(), unit)
    if written in _OTHERWISE:
        return written, _OTHERWISE[written]
    for name in (written, written.lower()):
        found = _parsed(name)
        if found is not None:
            long = str(found.dimensionality) == "[length]"
            factor = _registry().Quantity(1.0, found).to("micrometer").magnitude if long else None
            return f"{found:~}".replace(" ", ""), factor
    return written, None


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
    symbol = _known(named.strip())[0] if named.strip() else ""
    return Quantity(value, symbol) if value is not None and symbol else None


def micrometres(given: object, unit: str = "") -> float | None:
    """Read a length in micrometres; None for what is no length, as pixels.

    >>> micrometres("200 nm"), micrometres(1, "ANGSTROM"), micrometres(3, "pixel")
    (0.2, 0.0001, None)
    """
    value, named = _taken_apart(given, unit)
    factor = _known(named.strip())[1] if named.strip() else None
    return None if value is None or factor is None else round(value * factor, 9)
