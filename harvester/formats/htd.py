"""The description of a MetaXpress plate, ``NAME.HTD``: wells, sites, wavelengths, times, planes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from harvester.formats.plates import well_name
from harvester.words.coerce import decode_text
from harvester.words.facts import number
from parfocal.errors import SourceMalformed
from parfocal.model import KeyValue

MAX_BYTES = 4 * 1024 * 1024
MAX_ROWS, MAX_COLUMNS = 64, 96
MAX_SITES = 10_000
MAX_WAVES = 100
_BREAKS = b"\x82\x81"  # how the program writes a line break within a text
_LINE = re.compile(r'\s*"([^"]*)"\s*(?:,(.*))?$', re.DOTALL)
_ROW = re.compile(r"(?:WellsSelection|SiteSelection|WaveName|WaveCollect)(\d+)$", re.IGNORECASE)
_READ = frozenset(
    (
        *("htsinfofile", "endfile", "description", "xwells", "ywells", "sites", "xsites"),
        *("ysites", "waves", "nwavelengths", "uniqueplateidentifier"),
    )
)


class Htd(Struct, frozen=True):
    """What a plate's HTD file says; ``sites`` empty means one field for each well."""

    wells: tuple[str, ...]
    sites: tuple[int, ...] = ()
    grid: tuple[int, ...] = ()
    """Numbers of the selected sites when all sites of the grid are counted."""
    waves: tuple[str, ...] = ("",)
    collected: tuple[bool, ...] = (True,)
    times: int = 1
    z_steps: int = 1
    description: str = ""
    uuid: str = ""
    pairs: tuple[KeyValue, ...] = ()
    warnings: tuple[str, ...] = ()


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """Yield pairs of key and what stands behind it; a line without a key continues the last one."""
    key, value = "", ""
    for line in text.splitlines():
        match = _LINE.match(line)
        if match and (not key or match[2] is not None or match[1].lower() == "endfile"):
            if key:
                yield key, value
            key, value = match[1].strip(), (match[2] or "").strip()
        elif key and line.strip():
            value += "\n" + line.strip()
    if key:
        yield key, value


def _words(value: str) -> str:
    text = value.strip()
    return text[1:].removesuffix('"').strip() if text.startswith('"') else text


def _true(value: str) -> bool:
    return _words(value).upper() in ("TRUE", "1", "YES")


def _count(table: dict[str, str], key: str, default: int, most: int) -> int:
    value = number(_words(table.get(key, "")))
    if value is None or value != int(value) or value < 0:
        return default
    if value > most:
        raise SourceMalformed(f"{key} is {int(value)}; at most {most} are believed", where=key)
    return int(value)


def _selected(table: dict[str, str], key: str, row: int, columns: int) -> list[bool] | None:
    value = table.get(f"{key}{row}")
    if value is None:
        return None
    cells = [_true(cell) for cell in value.split(",")][:columns]
    return cells + [False] * (columns - len(cells))


def _wells(table: dict[str, str], rows: int, columns: int) -> tuple[str, ...]:
    found: list[str] = []
    for row in range(rows):
        cells = _selected(table, "wellsselection", row + 1, columns) or []
        found.extend(well_name(row, column) for column, cell in enumerate(cells) if cell)
    return tuple(found)


def _grid(table: dict[str, str]) -> tuple[int, ...]:
    """The numbers of the selected sites; without ``SiteSelection`` all of them are."""
    if not _true(table.get("sites", "")):
        return ()
    across = _count(table, "xsites", 1, MAX_SITES) or 1
    down = _count(table, "ysites", 1, MAX_SITES) or 1
    if across * down > MAX_SITES:
        raise SourceMalformed(f"{across} x {down} sites of a well", where="XSites")
    every = [_selected(table, "siteselection", row + 1, across) for row in range(down)]
    if all(cells is None for cells in every):
        return tuple(range(1, across * down + 1))
    flat = [cell for cells in every for cell in (cells or [False] * across)]
    return tuple(place + 1 for place, cell in enumerate(flat) if cell)


def _waves(table: dict[str, str]) -> tuple[tuple[str, ...], tuple[bool, ...]]:
    count = _count(table, "nwavelengths", 1, MAX_WAVES) or 1
    numbers = range(1, count + 1)
    names = tuple(_words(table.get(f"wavename{n}", "")) for n in numbers)
    collected = tuple(_true(table.get(f"wavecollect{n}", "1")) for n in numbers)
    return names, collected


def read_htd(content: bytes) -> Htd:
    """Read an HTD file, tolerantly; SourceMalformed when it is none, or beyond all bounds."""
    text = decode_text(content.replace(_BREAKS, b"\n   "))[0]
    entries = list(_lines(text))
    table: dict[str, str] = {}
    for key, value in entries:
        table.setdefault(key.lower(), value)
    if "xwells" not in table and "ywells" not in table and "htsinfofile" not in table:
        raise SourceMalformed(
            "not a MetaXpress plate: neither HTSInfoFile nor XWells",
            hint="the first line of an HTD file begins with HTSInfoFile",
        )
    rows, columns = _count(table, "ywells", 0, MAX_ROWS), _count(table, "xwells", 0, MAX_COLUMNS)
    wells, grid = _wells(table, rows, columns), _grid(table)
    warnings = []
    if "endfile" not in table:
        warnings.append("the file has no EndFile: it may be cut off")
    if not wells:
        warnings.append("no well is selected")
    waves, collected = _waves(table)
    return Htd(
        wells=wells,
        sites=tuple(range(1, len(grid) + 1)),
        grid=grid,
        waves=waves,
        collected=collected,
        times=_count(table, "timepoints", 1, 1_000_000) or 1,
        z_steps=(_count(table, "zsteps", 1, 1_000_000) if _true(table.get("zseries", "")) else 1)
        or 1,
        description="\n".join(
            part.strip() for part in _words(table.get("description", "")).split("\n")
        ),
        uuid=_words(table.get("uniqueplateidentifier", "")).strip("{}").lower(),
        pairs=tuple(_pairs(entries)),
        warnings=tuple(warnings),
    )


def _pairs(entries: list[tuple[str, str]]) -> Iterator[KeyValue]:
    seen: set[str] = set()
    for key, value in entries:
        known = key.lower() in _READ or _ROW.match(key) or key.lower() in seen
        if not known and _words(value):
            yield KeyValue(key, _words(value))
        seen.add(key.lower())
