"""Image elements of present OME-XML, read in one pass; what is unusual is left to omeimage.

Images of a plate say nearly the same: sizes and channels are looked up by what was written.
"""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from harvester.formats.elements import Element
from harvester.formats.omeimage import STAGE_UNIT, read_channel, read_sizes
from harvester.formats.tiff_facts import day
from harvester.words.facts import ImageFacts, quantity
from parfocal.model import Position, Quantity

_PLAIN = frozenset(
    (
        *("ExperimentRef", "ExperimenterGroupRef", "ImagingEnvironment"),
        *("MicrobeamManipulationRef", "AnnotationRef"),
    )
)
_IN_PIXELS = frozenset(("BinData", "TiffData", "MetadataOnly", "AnnotationRef"))
_MOST = 10_000
_SINCE = 2010
"""From this year's schema on a channel says everything by its attributes."""
_YEAR = re.compile(r"\{[^}]*/OME/(\d{4})-\d\d\}")

Written = tuple[str | None, ...]
"""The attributes that count, in a fixed order."""


class Draft(Struct, frozen=True, gc=False):
    """What an image says of itself; ids of its instrument and the rest, not yet looked up.

    ``facts`` are those that it shares with others: sizes and channels.
    """

    facts: ImageFacts
    title: str = ""
    description: str = ""
    date: str = ""
    position: Position | None = None
    rois: int = 0
    instrument: str = ""
    objective: str = ""
    person: str = ""
    warnings: tuple[str, ...] = ()


@lru_cache(1024)
def local(tag: str) -> str:
    """Return a tag without its namespace."""
    return tag.rpartition("}")[2]


@lru_cache(4096)
def _day(text: str) -> str:
    return day(text)


@lru_cache(4096)
def _coordinate(text: str, unit: str) -> Quantity | None:
    return quantity(text.strip(), unit, positive=False)


def _position(element: Element, x: str, y: str, z: str) -> Position | None:
    values = []
    for name in (x, y, z):
        text = element.get(name)
        unit = STAGE_UNIT if text is None else element.get(f"{name}Unit", STAGE_UNIT)
        values.append(None if text is None else _coordinate(text, unit))
    return Position(*values) if any(values) else None


def _pixels_written(pixels: Element) -> Written:
    get = pixels.get
    x, y, z, t = (
        get("PhysicalSizeX"), get("PhysicalSizeY"), get("PhysicalSizeZ"), get("TimeIncrement"),
    )  # fmt: skip
    return (
        get("SizeX"), get("SizeY"), get("SizeZ"), get("SizeC"), get("SizeT"), get("Type"),
        get("DimensionOrder"), x, y, z, t,
        x and get("PhysicalSizeXUnit"), y and get("PhysicalSizeYUnit"),
        z and get("PhysicalSizeZUnit"), t and get("TimeIncrementUnit"),
    )  # fmt: skip


def _channel_written(channel: Element) -> Written:
    get = channel.get
    shone, seen = get("ExcitationWavelength"), get("EmissionWavelength")
    return (
        get("Name"), get("Fluor"), get("Color"), get("AcquisitionMode"), shone, seen,
        shone and get("ExcitationWavelengthUnit"), seen and get("EmissionWavelengthUnit"),
    )  # fmt: skip


@lru_cache(64)
def _is_modern(tag: str) -> bool:
    match = _YEAR.match(tag)
    return match is not None and int(match[1]) >= _SINCE


class ModernImages:
    """Reads the images of one document."""

    def __init__(self) -> None:
        self._known: dict[tuple[Written, ...], tuple[ImageFacts, tuple[str, ...]]] = {}

    def read(self, image: Element) -> Draft | None:
        """Return what an image says; None when it says it in another way than is read here."""
        if not _is_modern(image.tag):
            return None
        pixels, label, rois = None, None, 0
        date = description = instrument = objective = person = ""
        for child in image:
            name = local(child.tag)
            if name == "Pixels" and pixels is None:
                pixels = child
            elif name == "AcquisitionDate":
                date = child.text or ""
            elif name == "InstrumentRef":
                instrument = child.get("ID", "")
            elif name == "ObjectiveSettings":
                objective = child.get("ID", "")
            elif name == "Description":
                description = child.text or ""
            elif name == "ExperimenterRef":
                person = child.get("ID", "")
            elif name == "StageLabel":
                label = child
            elif name == "ROIRef":
                rois += 1
            elif name not in _PLAIN:
                return None
        read = None if pixels is None else self._pixels(pixels)
        if read is None:
            return None
        facts, warnings, position = read
        if label is not None:
            position = _position(label, "X", "Y", "Z")
        return Draft(
            facts, image.get("Name", "").strip(), description.strip(), _day(date.strip()), position,
            rois, instrument, objective, person, warnings,
        )  # fmt: skip

    def _pixels(
        self, pixels: Element
    ) -> tuple[ImageFacts, tuple[str, ...], Position | None] | None:
        """Return what all images say whose sizes and channels are written so, and the position."""
        channels: list[Written] = []
        position = None
        for child in pixels:
            name = local(child.tag)
            if name == "Channel":
                channels.append(_channel_written(child))
            elif name == "Plane":
                if len(child) and any(local(c.tag) != "AnnotationRef" for c in child):
                    return None
                position = _position(child, "PositionX", "PositionY", "PositionZ")
                break
            elif name not in _IN_PIXELS:
                return None
        written = (_pixels_written(pixels), *channels)
        known = self._known.get(written)
        if known is None:
            if pixels.get("SizeX") is None or len(self._known) > _MOST:
                return None
            known = self._known[written] = _read(pixels)
        return *known, position


def _read(pixels: Element) -> tuple[ImageFacts, tuple[str, ...]]:
    warnings: list[str] = []
    sizes = read_sizes(pixels, warnings)
    channels = map(read_channel, pixels.findall("{*}Channel"))
    return replace(sizes, channels=tuple(channels)), tuple(warnings)
