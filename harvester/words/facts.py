"""What one image's own metadata says, before it becomes a record of a source."""

from __future__ import annotations

import math
from typing import Literal

import msgspec
from msgspec import Struct

from parfocal.identifiers import RecordId
from parfocal.model import (
    Access,
    Channel,
    Image,
    KeyValue,
    Objective,
    Person,
    Position,
    Provenance,
    Quantity,
)

LARGEST_SIZE = 2**31 - 1
"""Largest number of pixels, planes or time points along one axis that is believed."""


class ImageFacts(Struct, frozen=True, kw_only=True, gc=False):
    """The technical part of an :class:`~parfocal.model.Image`, field by field."""

    title: str = ""
    description: str = ""
    date: str = ""
    format: str = ""
    size_x: int | None = None
    size_y: int | None = None
    size_z: int | None = None
    size_c: int | None = None
    size_t: int | None = None
    pixel_type: str = ""
    dimension_order: str = ""
    pixel_size_x: Quantity | None = None
    pixel_size_y: Quantity | None = None
    pixel_size_z: Quantity | None = None
    time_increment: Quantity | None = None
    channels: tuple[Channel, ...] = ()
    objective: Objective | None = None
    instrument: str = ""
    position: Position | None = None
    well: str = ""
    plate: str = ""
    roi_count: int = 0
    labels: tuple[str, ...] = ()
    uuid: str = ""
    key_values: tuple[KeyValue, ...] = ()
    creators: tuple[Person, ...] = ()
    ome_type: Literal["Image", "Well"] = "Image"

    def or_else(self, other: ImageFacts) -> ImageFacts:
        """Return these facts, with what is missing taken from others."""
        given = {name: value for name, value in msgspec.structs.asdict(self).items() if value}
        return msgspec.structs.replace(other, **given)


def make_image(
    facts: ImageFacts,
    *,
    id: RecordId,
    part_of: RecordId,
    provenance: Provenance,
    access: Access,
    location: str,
) -> Image:
    """Return the record of an image with these facts at a place of a source."""
    return Image(
        **msgspec.structs.asdict(facts),
        id=id,
        part_of=part_of,
        provenance=provenance,
        access=access,
        location=location,
    )


def number(text: object) -> float | None:
    """Read a finite number from text or JSON; None for anything else.

    >>> number("0.5"), number("nan"), number(True)
    (0.5, None, None)
    """
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        return None
    try:
        value = float(text)
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def size(text: object) -> int | None:
    """Read a count of at least 1 from text or JSON; None for anything else or out of range.

    >>> size("512"), size("0"), size("1e99")
    (512, None, None)
    """
    value = number(text)
    if value is None or value != int(value) or not 1 <= value <= LARGEST_SIZE:
        return None
    return int(value)


def quantity(text: object, unit: str, *, positive: bool = True) -> Quantity | None:
    """Read a number with a unit; None when there is none, or it must be above 0 and is not."""
    value = number(text)
    if value is None or not unit or (positive and value <= 0):
        return None
    return Quantity(value, unit)
