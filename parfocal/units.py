"""Units as archives and microscopes write them, read with pint."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pint import Unit, UnitRegistry

_LETTERS = "[A-Za-zµμΩÅÅå]{1,30}"
_UNIT = re.compile(rf"{_LETTERS}(?:/{_LETTERS})?|%|\u00b0[CF]?")
_WRITTEN = {
    "um": "µm",
    "μm": "µm",
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
_USUAL = {
    **{"µm": 1.0, "nm": 1e-3, "mm": 1e3, "pt": 25400 / 72, "li": 25400 / 12},
    **dict.fromkeys(("s", "ms", "pixel", "reference frame", ""), None),
}
"""Micrometres of units that nobody need ask pint for, or that mean something else to it."""
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
    except (PintError, AttributeError, ValueError, AssertionError):  # words that are Python's
        return None
    return unit if str(unit.dimensionality) in _BELIEVED else None


@lru_cache(maxsize=4096)
def read_unit(unit: str) -> tuple[str, float | None]:
    """Return a unit's symbol, and how many micrometres it has (None for what is no length).

    A unit that is not known is its own symbol.

    >>> read_unit("MICROMETER"), read_unit("SECOND"), read_unit("frames")
    (('µm', 1.0), ('s', None), ('frames', None))
    """
    unit = unit.strip()
    written = _WRITTEN.get(unit.lower(), unit)
    if written in _USUAL:
        return written, _USUAL[written]
    for name in (written, written.lower()):
        found = _parsed(name)
        if found is not None:
            long = str(found.dimensionality) == "[length]"
            factor = _registry().Quantity(1.0, found).to("micrometer").magnitude if long else None
            return f"{found:~}".replace(" ", ""), factor
    return written, None
