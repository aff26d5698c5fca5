"""The description of an ImageXpress acquisition, ``NAME.jdce`` (JSON), and its tables of files."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from harvester.formats.plates import well_name
from harvester.words.coerce import decode_text
from harvester.words.facts import number, size
from parfocal.errors import SourceMalformed
from parfocal.model import KeyValue

MAX_BYTES = 64 * 1024 * 1024
MAX_ROWS = 5_000_000
MAX_PAIRS = 400
MAX_DEPTH = 12
_WELL = re.compile(r"\s*([A-Za-z]{1,2})\s*-?\s*(\d{1,2})\s*$")
_STACK = "ImageStack."
_PROTOCOL = "AutoLeadAcquisitionProtocol."
_READ = (
    *(
        "Uuid",
        "Creation",
        "ImageMetadataFiles",
        "Wavelengths",
        "ObjectiveCalibration.ObjectiveName",
    ),
    *("ObjectiveCalibration.PixelWidth", "ObjectiveCalibration.PixelHeight"),
    "ObjectiveCalibration.Unit",
)
_NEEDED = ("Field", "Wavelength", "Timepoint", "ZIndex", "ImageFileName")


class Wave(Struct, frozen=True):
    """One wavelength: its number in file names, its filter's name, its planes."""

    index: int
    name: str = ""
    z_steps: int = 1
    z_step: float = 0.0


class Jdce(Struct, frozen=True):
    """What a JDCE file says."""

    name: str = ""
    uuid: str = ""
    date: str = ""
    operator: str = ""
    plate: str = ""
    objective: str = ""
    pixel_width: float = 0.0
    pixel_height: float = 0.0
    unit: str = "µm"
    waves: tuple[Wave, ...] = ()
    times: int = 1
    tables: tuple[str, ...] = ()
    pairs: tuple[KeyValue, ...] = ()


class Row(Struct, frozen=True):
    """One file of an acquisition: where it is, what it shows, and its line's other cells."""

    well: str
    site: int
    wave: int
    time: int
    z: int
    path: str
    seconds: float | None = None
    exposure: str = ""
    filter: str = ""
    x: float | None = None
    y: float | None = None
    height: float | None = None
    pairs: tuple[tuple[str, str], ...] = ()


def _at(value: object, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    return str(value).encode("utf-8", "replace").decode("utf-8").strip()


def _load(content: bytes) -> dict[str, Any]:
    import json

    try:
        value = json.loads(decode_text(content)[0])
    except ValueError as error:
        raise SourceMalformed(f"not JSON: {error}") from error
    except RecursionError as error:
        raise SourceMalformed("JSON nested too deeply") from error
    if not isinstance(value, dict) or not isinstance(value.get("ImageStack"), dict):
        raise SourceMalformed("not an ImageXpress acquisition: there is no ImageStack")
    return value


def _wave(value: object, place: int) -> Wave:
    index = number(_at(value, "Index"))
    name = _text(_at(value, "EmissionFilter", "Name")) or _text(_at(value, "Name"))
    step = number(_at(value, "ZStep"))
    return Wave(
        index=int(index) if index is not None and 0 <= index < 1000 else place,
        name=name,
        z_steps=size(_at(value, "ZSlice")) or 1,
        z_step=abs(step) if step else 0.0,
    )


def _leaves(value: object, path: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Every text and number of a JSON value with its dotted path, as far as it is not too deep."""
    if depth > MAX_DEPTH:
        return
    if isinstance(value, dict):
        for name, held in value.items():
            yield from _leaves(held, f"{path}.{name}" if path else str(name), depth + 1)
    elif isinstance(value, list):
        for held in value:
            yield from _leaves(held, path, depth + 1)
    else:
        text = str(value).lower() if isinstance(value, bool) else _text(value)
        if text:
            yield path, text


def _pairs(document: dict[str, Any]) -> Iterator[KeyValue]:
    for path, text in _leaves(document, ""):
        short = path.removeprefix(_STACK).removeprefix(_PROTOCOL)
        if not short.startswith(_READ):
            yield KeyValue(short, text)


def read_jdce(content: bytes) -> Jdce:
    """Read a JDCE file; SourceMalformed when it is none. The time zone it gives is not believed."""
    document = _load(content)
    stack = document["ImageStack"]
    protocol = _at(stack, "AutoLeadAcquisitionProtocol")
    optics = _at(protocol, "ObjectiveCalibration")
    waves = _at(protocol, "Wavelengths")
    tables = _at(stack, "ImageMetadataFiles")
    day = re.match(r"\d{4}-\d\d-\d\d", _text(_at(stack, "Creation", "Date")))
    return Jdce(
        name=_text(_at(protocol, "ProjectInformation", "Project", "Name")),
        uuid=_text(_at(stack, "Uuid")).strip("{}").lower(),
        date=day.group() if day else "",
        operator=_text(_at(stack, "Operator", "Login")),
        plate=_text(_at(stack, "PlateId")) or _text(_at(stack, "SpecimenHolder", "Barcode")),
        objective=_text(_at(optics, "ObjectiveName")),
        pixel_width=number(_at(optics, "PixelWidth")) or 0.0,
        pixel_height=number(_at(optics, "PixelHeight")) or number(_at(optics, "PixelWidth")) or 0.0,
        unit=_text(_at(optics, "Unit")).replace("μ", "µ").replace("um", "µm") or "µm",
        waves=tuple(_wave(w, n) for n, w in enumerate(waves[:1000]))
        if isinstance(waves, list)
        else (),
        times=size(_at(protocol, "PlateMap", "TimeSchedule", "NumberOfTimepoints")) or 1,
        tables=tuple(filter(None, map(_text, tables[:100]))) if isinstance(tables, list) else (),
        pairs=tuple(dict.fromkeys(_pairs(document)))[:MAX_PAIRS],
    )


# ------------------------------------------------------------------ tables


def read_table(content: bytes) -> tuple[list[Row], list[tuple[str, str]]]:
    """Read a table of files: its rows, and pairs (place, reason) for rows that cannot be used.

    Raises SourceMalformed when a column that is needed is missing.
    """
    reader = csv.reader(io.StringIO(decode_text(content)[0], newline=""))
    rows: list[Row] = []
    problems: list[tuple[str, str]] = []
    try:
        columns = {name.strip(): place for place, name in enumerate(next(reader, []))}
        missing = [name for name in _NEEDED if name not in columns]
        if missing or not ({"Well"} & set(columns) or {"Row", "Column"} <= set(columns)):
            raise SourceMalformed(f"no column {', '.join(missing or ['Well'])}", where="line 1")
        for cells in reader:
            if any(cells) and len(rows) < MAX_ROWS:
                found = _row(columns, cells)
                if isinstance(found, Row):
                    rows.append(found)
                else:
                    problems.append((f"line {reader.line_num}", found))
    except csv.Error as error:
        raise SourceMalformed(f"not CSV: {error}", where=f"line {reader.line_num}") from error
    return rows, problems


def _well(columns: dict[str, int], cells: list[str]) -> str:
    if "Well" in columns:
        match = _WELL.match(cells[columns["Well"]])
        if match:
            return f"{match[1].upper()}{int(match[2]):02d}"
    if "Row" in columns and "Column" in columns:
        row, column = (number(cells[columns[name]]) for name in ("Row", "Column"))
        if row and column and 1 <= row <= 1000 and 1 <= column <= 1000:
            return well_name(int(row) - 1, int(column) - 1)
    return ""


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}".replace("\\", "/").strip("/") if folder else name.replace("\\", "/")


def _row(columns: dict[str, int], cells: list[str]) -> Row | str:
    """Read a line; or say why it cannot be used."""
    if len(cells) < len(columns):
        return f"{len(cells)} cells, but {len(columns)} columns"

    def cell(name: str) -> str:
        return cells[columns[name]].strip() if name in columns else ""

    places = [number(cell(name)) for name in ("Field", "Wavelength", "Timepoint", "ZIndex")]
    if any(place is None or not 0 <= place < 10_000_000 for place in places):
        return "Field, Wavelength, Timepoint and ZIndex must be numbers"
    well = _well(columns, cells)
    path = _joined(cell("ImageSubFolderPath"), cell("ImageFileName"))
    if not well or not cell("ImageFileName"):
        return "neither well nor file name" if not well else "no file name"
    if any(part in ("", ".", "..") for part in path.split("/")):
        return f"the path {path[:200]!r} leads out of the folder"
    site, wave, time, z = (int(place or 0) for place in places)
    known = {*_NEEDED, "Well", "Row", "Column", "ImageSubFolderPath", "TimeStampSec",
             "ExposureTimeMs", "ExcitationEmissionFilter", "PositionXUm", "PositionYUm",
             "PositionZUm"}  # fmt: skip
    return Row(
        *(well, site, wave, time, z, path),
        seconds=number(cell("TimeStampSec")),
        exposure=cell("ExposureTimeMs"),
        filter=cell("ExcitationEmissionFilter"),
        x=number(cell("PositionXUm")),
        y=number(cell("PositionYUm")),
        height=number(cell("PositionZUm")),
        pairs=tuple((name, cell(name)) for name in columns if name not in known and cell(name)),
    )
