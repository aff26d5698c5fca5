"""What a TIFF file without OME-XML says: its plain tags, and the text that ImageJ writes; pure."""

from __future__ import annotations

import re

from harvester.formats.tiff import TiffHeader
from harvester.words.facts import ImageFacts, number, size
from parfocal.model import Channel, Quantity

_PRINT_RESOLUTIONS = {1, 72, 96, 100, 120, 144, 150, 200, 254, 300, 400, 600, 1200}
_PIXEL_TYPES = {
    (1, 1): "bit",
    (8, 1): "uint8",
    (16, 1): "uint16",
    (32, 1): "uint32",
    (8, 2): "int8",
    (16, 2): "int16",
    (32, 2): "int32",
    (32, 3): "float",
    (64, 3): "double",
    (64, 6): "complex",
    (128, 6): "double-complex",
}
_PAIR = re.compile(r"^(\w+)=(.*)$", re.MULTILINE)
_DATE_PARTS = re.compile(r"^(\d{4})[:-](\d\d)[:-](\d\d)")


def day(text: str) -> str:
    """Return the day of a TIFF or ISO date as YYYY-MM-DD; "" when there is none.

    >>> day("2009:09:14 11:36:58")
    '2009-09-14'
    """
    match = _DATE_PARTS.match(text.strip())
    if not match or not (1 <= int(match[2]) <= 12 and 1 <= int(match[3]) <= 31):
        return ""
    return "-".join(match.groups())


def _resolution(header: TiffHeader, resolution: float) -> Quantity | None:
    """A pixel's size from the resolution tags, unless they are a printer's dots per inch."""
    if resolution <= 0 or header.resolution_unit not in (2, 3):
        return None
    if round(resolution, 2) in _PRINT_RESOLUTIONS:
        return None
    per = 25_400.0 if header.resolution_unit == 2 else 10_000.0
    value = per / resolution
    return Quantity(round(value, 9), "µm") if 1e-6 < value < 1e6 else None


def _imagej_size(resolution: float, unit: str) -> Quantity | None:
    named = {"\\u00B5m": "µm", "micron": "µm", "microns": "µm", "um": "µm"}.get(unit, unit)
    if resolution <= 0 or named in ("", "pixel", "pixels", "inch"):
        return None
    return Quantity(round(1 / resolution, 9), named)


def _imagej_facts(header: TiffHeader, pairs: dict[str, str]) -> ImageFacts:
    unit = pairs.get("unit", "")
    spacing = number(pairs.get("spacing"))
    interval = number(pairs.get("finterval"))
    across = _imagej_size(header.x_resolution, unit)
    return ImageFacts(
        size_z=size(pairs.get("slices")) or 1,
        size_c=size(pairs.get("channels")) or header.samples,
        size_t=size(pairs.get("frames")) or 1,
        pixel_size_x=across,
        pixel_size_y=_imagej_size(header.y_resolution, unit),
        pixel_size_z=Quantity(spacing, across.unit) if spacing and across else None,
        time_increment=Quantity(interval, "s") if interval and interval > 0 else None,
        dimension_order="XYCZT",
    )


def facts_of(header: TiffHeader) -> ImageFacts:
    """Return what a TIFF file without OME-XML, but perhaps with ImageJ's text, says."""
    text = header.description.decode("utf-8", "replace")
    plain = ImageFacts(
        format="TIFF",
        size_x=header.width,
        size_y=header.height,
        size_c=size(header.samples),
        size_t=1,
        size_z=size(header.pages),
        pixel_type=_PIXEL_TYPES.get((header.bits, header.sample_format), ""),
        pixel_size_x=_resolution(header, header.x_resolution),
        pixel_size_y=_resolution(header, header.y_resolution),
        date=day(header.date),
        channels=tuple(Channel(name=name) for name in ("red", "green", "blue"))
        if header.samples == 3
        else (),
    )
    if text.startswith("ImageJ="):
        return _imagej_facts(header, dict(_PAIR.findall(text))).or_else(plain)
    if text.startswith(("<", "{")) or len(text) > 10_000:
        return plain
    return ImageFacts(description=text.strip()).or_else(plain)
