"""Plates and screens of OME-XML."""

from __future__ import annotations

from msgspec import Struct

from harvester.formats.elements import Element, references, text_of
from harvester.words.facts import number
from parfocal.model import KeyValue


class Well(Struct, frozen=True):
    """A well with the IDs of its images, annotations and reagents."""

    name: str
    images: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()
    reagents: tuple[str, ...] = ()
    pairs: tuple[KeyValue, ...] = ()


class Plate(Struct, frozen=True):
    """A plate with its wells."""

    id: str
    name: str
    description: str = ""
    barcode: str = ""
    screens: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()
    wells: tuple[Well, ...] = ()


class Screen(Struct, frozen=True):
    """A screen with the IDs of its plates and the reagents that it describes."""

    id: str
    name: str
    description: str = ""
    plates: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()
    reagents: tuple[tuple[str, str, str], ...] = ()
    """ID, name and description of each."""
    pairs: tuple[KeyValue, ...] = ()


def well_name(row: int, column: int) -> str:
    """Return a well's usual name from its row and column, both from 0.

    >>> well_name(0, 0), well_name(27, 11)
    ('A01', 'AB12')
    """
    letters = ""
    row += 1
    while row:
        row, letter = divmod(row - 1, 26)
        letters = chr(65 + letter) + letters
    return f"{letters}{column + 1:02d}"


def _index(element: Element, name: str) -> int:
    value = number(text_of(element, name))
    return int(value) if value is not None and 0 <= value < 10_000 else 0


def _pairs(element: Element, *names: str) -> tuple[KeyValue, ...]:
    found = ((name, text_of(element, name)) for name in names)
    return tuple(KeyValue(name, text) for name, text in found if text)


def _read_well(element: Element) -> Well:
    images = tuple(found.get("ID", "") for found in element.iter("{*}ImageRef"))
    return Well(
        name=well_name(_index(element, "Row"), _index(element, "Column")),
        images=images,
        annotations=references(element, "AnnotationRef"),
        reagents=references(element, "ReagentRef"),
        pairs=_pairs(element, "Type", "ExternalDescription", "ExternalIdentifier"),
    )


def read_plate(element: Element) -> Plate:
    """Read a Plate element."""
    identifier = element.get("ID", "")
    return Plate(
        id=identifier,
        name=text_of(element, "Name") or identifier,
        description=text_of(element, "Description"),
        barcode=text_of(element, "ExternalIdentifier"),
        screens=references(element, "ScreenRef"),
        annotations=references(element, "AnnotationRef"),
        wells=tuple(_read_well(well) for well in element.findall("{*}Well")),
    )


def read_screen(element: Element) -> Screen:
    """Read a Screen element."""
    reagents = element.findall("{*}Reagent")
    return Screen(
        id=element.get("ID", ""),
        name=text_of(element, "Name") or element.get("ID", ""),
        description=text_of(element, "Description"),
        plates=references(element, "PlateRef"),
        annotations=references(element, "AnnotationRef"),
        reagents=tuple(
            (r.get("ID", ""), text_of(r, "Name"), text_of(r, "Description")) for r in reagents
        ),
        pairs=_pairs(element, "Type", "ProtocolIdentifier", "ReagentSetIdentifier"),
    )
