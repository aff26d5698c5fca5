"""One Image element of OME-XML: sizes, channels, objective, microscope, stage position."""

from __future__ import annotations

from collections.abc import Mapping

from harvester.formats.elements import Element, child, reference, text_of
from harvester.formats.tiff_facts import day
from harvester.words.facts import ImageFacts, number, quantity, size
from parfocal.model import Channel, Objective, Person, Position, Quantity

STAGE_UNIT = "reference frame"


def read_person(element: Element) -> Person:
    """Read an Experimenter."""
    given, family = text_of(element, "FirstName"), text_of(element, "LastName")
    name = f"{given} {family}".strip() or text_of(element, "DisplayName")
    return Person(
        name=name or text_of(element, "UserName") or text_of(element, "OMEName"),
        given_name=given,
        family_name=family,
        affiliation=text_of(element, "Institution"),
        email=text_of(element, "Email"),
    )


def read_image(
    element: Element, instruments: Mapping[str, Element]
) -> tuple[ImageFacts, list[str]]:
    """Return what an Image says of itself, and warnings; references are not looked up."""
    warnings: list[str] = []
    pixels = _pixels(element)
    rois = sum(1 for _ in element.iter("{*}ROIRef")) or sum(1 for _ in element.iter("{*}ROI"))
    facts = ImageFacts(
        title=text_of(element, "Name"),
        description=text_of(element, "Description"),
        date=_date(element),
        instrument=read_microscope(reference(element, "InstrumentRef"), instruments),
        objective=find_objective(
            reference(element, "ObjectiveSettings", "ObjectiveRef"),
            reference(element, "InstrumentRef"),
            instruments,
        ),
        position=_position(element, pixels),
        channels=_channels(element, pixels),
        roi_count=rois,
    )
    return (facts if pixels is None else facts.or_else(read_sizes(pixels, warnings))), warnings


def _date(element: Element) -> str:
    names = ("AcquisitionDate", "AcquiredDate", "CreationDate")
    return next(filter(None, (day(text_of(element, name)) for name in names)), "")


def _pixels(element: Element) -> Element | None:
    """The image's pixels; where 2008 allowed several, the default ones."""
    found = element.findall("{*}Pixels")
    for name in ("DefaultPixels", "AcquiredPixels"):
        for pixels in found:
            if element.get(name) and pixels.get("ID") == element.get(name):
                return pixels
    return found[0] if found else None


def _measure(element: Element, name: str, unit: str, *, positive: bool = True) -> Quantity | None:
    given = element.get(f"{name}Unit", unit)
    return quantity(text_of(element, name), given, positive=positive)


def read_sizes(pixels: Element, warnings: list[str]) -> ImageFacts:
    """Read the sizes of a Pixels element, and add what cannot be one to the warnings."""
    sizes: dict[str, int | None] = {}
    for axis in "XYZCT":
        text = text_of(pixels, f"Size{axis}")
        sizes[axis] = size(text)
        if text and sizes[axis] is None:
            warnings.append(f"Size{axis}={text[:40]!r} cannot be a size")
    return ImageFacts(
        size_x=sizes["X"],
        size_y=sizes["Y"],
        size_z=sizes["Z"],
        size_c=sizes["C"],
        size_t=sizes["T"],
        pixel_type=text_of(pixels, "Type") or text_of(pixels, "PixelType"),
        dimension_order=text_of(pixels, "DimensionOrder"),
        pixel_size_x=_measure(pixels, "PhysicalSizeX", "µm"),
        pixel_size_y=_measure(pixels, "PhysicalSizeY", "µm"),
        pixel_size_z=_measure(pixels, "PhysicalSizeZ", "µm"),
        time_increment=_measure(pixels, "TimeIncrement", "s"),
    )


def _channels(element: Element, pixels: Element | None) -> tuple[Channel, ...]:
    modern = pixels.findall("{*}Channel") if pixels is not None else []
    return tuple(
        read_channel(channel) for channel in modern or element.findall("{*}LogicalChannel")
    )


def read_channel(channel: Element) -> Channel:
    """Read a Channel, or a LogicalChannel of older schemas."""
    nanometres = "nm"
    return Channel(
        name=text_of(channel, "Name"),
        fluorophore=text_of(channel, "Fluor"),
        excitation=_measure(channel, "ExcitationWavelength", nanometres)
        or _measure(channel, "ExWave", nanometres),
        emission=_measure(channel, "EmissionWavelength", nanometres)
        or _measure(channel, "EmWave", nanometres),
        colour=_colour(text_of(channel, "Color")),
        acquisition_mode=text_of(channel, "AcquisitionMode") or text_of(channel, "Mode"),
    )


def _colour(text: str) -> str:
    """Read a colour as RRGGBB from OME's signed RGBA number."""
    value = number(text)
    if value is None or value != int(value) or not -(2**31) <= value < 2**32:
        return ""
    return f"{(int(value) & 0xFFFFFFFF) >> 8:06X}"


def read_microscope(name: str, instruments: Mapping[str, Element]) -> str:
    """Return the microscope of the instrument of an ID."""
    instrument = instruments.get(name)
    microscope = child(instrument, "Microscope") if instrument is not None else None
    if microscope is None:
        return ""
    words = (text_of(microscope, "Manufacturer"), text_of(microscope, "Model"))
    return " ".join(filter(None, words)) or text_of(microscope, "Type")


def find_objective(wanted: str, name: str, instruments: Mapping[str, Element]) -> Objective | None:
    """Return the objective of an ID; when none is ``wanted``, the only one of an instrument."""
    instrument = instruments.get(name)
    own = instrument.findall("{*}Objective") if instrument is not None else []
    every = [o for i in instruments.values() for o in i.findall("{*}Objective")] if wanted else own
    chosen = [o for o in every if o.get("ID") == wanted] if wanted else own
    return _read_objective(chosen[0]) if len(chosen) == 1 else None


def _read_objective(element: Element) -> Objective:
    words = (text_of(element, "Manufacturer"), text_of(element, "Model"))
    return Objective(
        model=" ".join(filter(None, words)),
        magnification=number(text_of(element, "NominalMagnification"))
        or number(text_of(element, "CalibratedMagnification")),
        numerical_aperture=number(text_of(element, "LensNA")),
        immersion=text_of(element, "Immersion"),
    )


def _position(element: Element, pixels: Element | None) -> Position | None:
    """The stage label's position, or the first plane's."""
    label = child(element, "StageLabel")
    if label is None:
        label = child(element, "StagePosition")
    if label is not None:
        return _place(label, "X", "Y", "Z")
    plane = child(pixels, "Plane") if pixels is not None else None
    if plane is None:
        return None
    older = child(plane, "StagePosition")
    return _place(plane if older is None else older, "PositionX", "PositionY", "PositionZ")


def _place(element: Element, *names: str) -> Position | None:
    values = [_measure(element, name, STAGE_UNIT, positive=False) for name in names]
    return Position(*values) if any(values) else None
