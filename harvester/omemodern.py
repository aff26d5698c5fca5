"""Image elements of present OME-XML, read in one pass; what is unusual is left to omeimage.

Images of a plate say nearly the same: sizes and channels are looked up by what was written.
"""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct

from harvester.elements import Element
from harvester.facts import ImageFacts, quantity
from harvester.omeimage import STAGE_UNIT, read_channel, read_sizes
from harvester.tiff_facts import day
from parfocal.model import Channel, Position, Quantity

_PLAIN = frozenset(
    (
        *("ExperimentRef", "ExperimenterGroupRef", "ImagingEnvironment"),
        *("MicrobeamManipulationRef", "AnnotationRef"),
    )
)
_IN_CHANNEL = frozenset(
    (
        *("LightPath", "LightSourceSettings", "DetectorSettings", "FilterSetRef"),
        *("AnnotationRef", "OTFRef"),
    )
)
_IN_PIXELS = frozenset(("BinData", "TiffData", "MetadataOnly", "AnnotationRef"))
_MOST = 10_000

Written = tuple[tuple[str, str], ...]


class Draft(Struct, frozen=True):
    """What an image says of itself; ids of its instrument and the rest, not yet looked up."""

    facts: ImageFacts
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


def _written(element: Element) -> Written:
    """The attributes of an element, without its ID."""
    items = element.items()
    if items and items[0][0] == "ID":
        del items[0]
    return tuple(items)


class ModernImages:
    """Reads the images of one document."""

    def __init__(self) -> None:
        self._sizes: dict[Written, tuple[ImageFacts, tuple[str, ...]]] = {}
        self._channels: dict[Written, Channel] = {}

    def read(self, image: Element) -> Draft | None:
        """Return what an image says; None when it says it in another way than is read here."""
        pixels, label, rois = None, None, 0
        found = {"Description": "", "AcquisitionDate": ""}
        refs = {"InstrumentRef": "", "ObjectiveSettings": "", "ExperimenterRef": ""}
        for child in image:
            name = local(child.tag)
            if name == "Pixels" and pixels is None:
                pixels = child
            elif name in found:
                found[name] = (child.text or "").strip()
            elif name in refs:
                refs[name] = child.get("ID", "")
            elif name == "StageLabel":
                label = child
            elif name == "ROIRef":
                rois += 1
            elif name not in _PLAIN:
                return None
        read = None if pixels is None else self._pixels(pixels)
        if read is None:
            return None
        sizes, warnings, channels, position = read
        if label is not None:
            position = _position(label, "X", "Y", "Z")
        facts = _joined(sizes, image.get("Name", "").strip(), found, channels, position, rois)
        return Draft(
            facts,
            refs["InstrumentRef"],
            refs["ObjectiveSettings"],
            refs["ExperimenterRef"],
            warnings,
        )

    def _pixels(
        self, pixels: Element
    ) -> tuple[ImageFacts, tuple[str, ...], tuple[Channel, ...], Position | None] | None:
        written = _written(pixels)
        known = self._sizes.get(written)
        if known is None:
            if pixels.get("SizeX") is None or len(self._sizes) > _MOST:
                return None
            warnings: list[str] = []
            known = self._sizes[written] = (read_sizes(pixels, warnings), tuple(warnings))
        channels, position = [], None
        for child in pixels:
            name = local(child.tag)
            if name == "Channel":
                channel = self._channel(child)
                if channel is None:
                    return None
                channels.append(channel)
            elif name == "Plane":
                if len(child) and any(local(c.tag) != "AnnotationRef" for c in child):
                    return None
                position = _position(child, "PositionX", "PositionY", "PositionZ")
                break
            elif name not in _IN_PIXELS:
                return None
        return *known, tuple(channels), position

    def _channel(self, channel: Element) -> Channel | None:
        for child in channel:
            if local(child.tag) not in _IN_CHANNEL:
                return None
        written = _written(channel)
        known = self._channels.get(written)
        if known is None:
            if len(self._channels) > _MOST:
                return None
            known = self._channels[written] = read_channel(channel)
        return known


def _joined(
    sizes: ImageFacts,
    title: str,
    found: dict[str, str],
    channels: tuple[Channel, ...],
    position: Position | None,
    rois: int,
) -> ImageFacts:
    return ImageFacts(
        title=title,
        description=found["Description"],
        date=_day(found["AcquisitionDate"]),
        size_x=sizes.size_x,
        size_y=sizes.size_y,
        size_z=sizes.size_z,
        size_c=sizes.size_c,
        size_t=sizes.size_t,
        pixel_type=sizes.pixel_type,
        dimension_order=sizes.dimension_order,
        pixel_size_x=sizes.pixel_size_x,
        pixel_size_y=sizes.pixel_size_y,
        pixel_size_z=sizes.pixel_size_z,
        time_increment=sizes.time_increment,
        channels=channels,
        position=position,
        roi_count=rois,
    )
