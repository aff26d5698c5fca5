"""OME-XML of every schema from 2008 to 2016, read tolerantly, and checked by ome-types.

Entities are not resolved, nothing is fetched, planes are forgotten while they are read.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import unescape

import msgspec
from lxml import etree
from msgspec import Struct

from harvester.formats.elements import Element, name_of, reference
from harvester.formats.omeimage import find_objective, read_image, read_microscope, read_person
from harvester.formats.omemodern import Draft, ModernImages, local
from harvester.formats.plates import Plate, Screen, read_plate, read_screen
from harvester.formats.structured import Annotations
from harvester.words.facts import ImageFacts
from parfocal.errors import SourceMalformed
from parfocal.model import KeyValue, Objective, Person

MAX_XML = 64 * 1024 * 1024
MAX_VALIDATED = 2 * 1024 * 1024
"""ome-types reads about a thousand images a second; larger documents are not validated."""
_ILLEGAL = bytes({*range(32)} - {9, 10, 13})
_DECLARED = re.compile(rb"<\?xml[^>]*encoding")
_FILE_NAME = re.compile(rb"""\bFileName\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_METADATA_FILE = re.compile(
    rb"""<(?:\w+:)?BinaryOnly\b[^>]*?\bMetadataFile\s*=\s*["']([^"']*)["']"""
)
_SPACE = re.compile(r"\{http[^}]*\}")
_TOP = ("Image", "Instrument", "Experimenter", "Plate", "Screen", "StructuredAnnotations", "ROI")
_FEW_PLANES = 100
_SMALL = 8 * 1024 * 1024
_SAMPLE = 32 * 1024
_BULK = ("TiffData", "Plane", "BinData")


class OmePlate(Struct, frozen=True):
    """A plate with its key-values and those of its wells, by well name."""

    plate: Plate
    pairs: tuple[KeyValue, ...]
    well_pairs: dict[str, tuple[KeyValue, ...]]


class OmeDocument(Struct, frozen=True):
    """What an OME-XML document says; images by ID in their order."""

    images: tuple[tuple[str, ImageFacts], ...] = ()
    plates: tuple[OmePlate, ...] = ()
    screens: tuple[tuple[Screen, tuple[KeyValue, ...]], ...] = ()
    warnings: tuple[str, ...] = ()


def file_names(xml: bytes) -> frozenset[str]:
    """Return the names of files that a document's TiffData point to."""
    found = (first or second for first, second in _FILE_NAME.findall(xml))
    return frozenset(unescape(name.decode("utf-8", "replace")) for name in found)


def metadata_file(xml: bytes) -> str:
    """Return the name of the companion that holds the metadata of a BinaryOnly file, or ""."""
    match = _METADATA_FILE.search(xml)
    return unescape(match.group(1).decode("utf-8", "replace")) if match else ""


def _clean(xml: bytes) -> bytes:
    """Drop what XML forbids; read what is not UTF-8 and says nothing else as Latin-1."""
    if xml[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return xml
    xml = xml.translate(None, _ILLEGAL).lstrip()
    if _DECLARED.match(xml[:200]):
        return xml
    try:
        xml.decode("utf-8")
    except UnicodeDecodeError:
        return xml.decode("latin-1").encode("utf-8")
    return xml


Found = tuple[str, Element | None, Draft | None, tuple[str, ...]]
"""ID of an image; its element, or what was read of it; the IDs of its annotations."""


class _Reading:
    """What has been read of a document so far."""

    def __init__(self, *, frugal: bool) -> None:
        """Begin; a ``frugal`` reading forgets images that it has read, which takes its time."""
        self._frugal = frugal
        self.images: list[Found] = []
        self.instruments: dict[str, Element] = {}
        self.people: dict[str, Person] = {}
        self.plates: list[Plate] = []
        self.screens: list[Screen] = []
        self.annotations = Annotations()
        self.rois = 0
        self.root: Element | None = None
        self._modern = ModernImages()
        self._annotated: list[str] = []

    def take(self, element: Element) -> None:
        """Read one element that ended."""
        name = local(element.tag)
        if name == "AnnotationRef":
            self._refer(element)
        elif name in _BULK:
            _forget(element)
        elif element.getparent() is self.root:
            self._take_top(name, element)

    def _refer(self, element: Element) -> None:
        """Note an annotation that something has; images keep which are theirs."""
        name = element.get("ID", "")
        top = None
        for above in element.iterancestors():
            if above.getparent() is not None:
                top = above
        if top is not None and local(top.tag) == "Image":
            self._annotated.append(name)
        self.annotations.refer((name,))

    def _take_top(self, name: str, element: Element) -> None:
        if name == "Image":
            annotated, self._annotated = tuple(self._annotated), []
            draft = self._modern.read(element)
            kept = element if draft is None else None
            self.images.append((element.get("ID", ""), kept, draft, annotated))
            if kept is None and self._frugal:
                element.clear()
        elif name == "Instrument":
            self.instruments[element.get("ID", "")] = element
        elif name == "Experimenter":
            self.people[element.get("ID", "")] = read_person(element)
        else:
            self._take_group(name, element)
            element.clear(keep_tail=True)

    def _take_group(self, name: str, element: Element) -> None:
        if name == "Plate":
            self.plates.append(read_plate(element))
        elif name == "Screen":
            self.screens.append(read_screen(element))
        elif name == "StructuredAnnotations":
            self.annotations.take(element)
        elif name == "ROI":
            self.rois += 1


def _forget(element: Element) -> None:
    """Keep the first plane of an image only, as there may be millions."""
    element.text = None
    before = element.getprevious()
    if before is None or before.tag != element.tag:
        return
    first, parent = before.getprevious(), before.getparent()
    if first is not None and first.tag == before.tag and parent is not None:
        parent.remove(before)


def _is_bulky(xml: bytes) -> bool:
    """Whether there are so many planes to an image that they must be forgotten while reading."""
    for part in (1, 2, 3):
        sample = xml[len(xml) * part // 4 :][:_SAMPLE]
        planes = sample.count(b"Plane") + sample.count(b"TiffData")
        if planes > _FEW_PLANES * max(1, sample.count(b"Pixels ")) or b"BinData" in sample:
            return True
    return False


def _parse(xml: bytes) -> tuple[_Reading, Element]:
    reading = _Reading(frugal=len(xml) > _SMALL)
    wanted = (*_TOP, "AnnotationRef", *(_BULK if _is_bulky(xml) else ()))
    context = etree.iterparse(
        io.BytesIO(xml),
        events=("end",),
        tag=tuple(f"{{*}}{name}" for name in wanted),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    for _, element in context:
        if reading.root is None:
            reading.root = element.getroottree().getroot()
        reading.take(element)
    root = context.root
    if root is None or name_of(root) != "OME":
        raise SourceMalformed("not OME-XML: the outermost element is not OME")
    return reading, root


def _parse_leniently(xml: bytes) -> tuple[_Reading, Element]:
    """Parse as it is; what is not XML once more when it is rid of what XML forbids."""
    try:
        return _parse(xml)
    except (etree.XMLSyntaxError, LookupError, ValueError):
        cleaned = _clean(xml)
        if cleaned == xml:
            raise
        return _parse(cleaned)


def _check_prolog(xml: bytes) -> None:
    if len(xml) > MAX_XML:
        raise SourceMalformed(f"{len(xml)} bytes of OME-XML; at most {MAX_XML} are read")
    if b"<!DOCTYPE" in xml or b"<!ENTITY" in xml or b"D\0O\0C\0T\0Y\0P\0E" in xml:
        raise SourceMalformed(
            "the document declares a DOCTYPE or entities, which OME-XML never has",
            hint="remove the declaration; entities are not resolved",
        )


def read_document(xml: bytes) -> OmeDocument:
    """Read an OME-XML document; SourceMalformed names the line of what is no XML."""
    _check_prolog(xml)
    try:
        reading, root = _parse_leniently(xml)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        place = f"line {line}, column {column}"
        raise SourceMalformed(f"not XML: {error.msg or 'empty'}", where=place) from error
    except (LookupError, ValueError) as error:
        raise SourceMalformed(f"not XML: {error}") from error
    return _document(reading, root)


def _document(reading: _Reading, root: Element) -> OmeDocument:
    found: dict[str, None] = {}
    plates = tuple(_plate(reading, plate) for plate in reading.plates)
    screens = tuple((s, (*s.pairs, *_annotated(reading, s.annotations))) for s in reading.screens)
    images = []
    finishing = _Finishing(reading, root.get("UUID", "").removeprefix("urn:uuid:"))
    for image in reading.images:
        facts, said = finishing.image(image)
        found.update(dict.fromkeys(said))
        images.append((image[0], facts))
    return OmeDocument(
        images=tuple(images),
        plates=plates,
        screens=screens,
        warnings=(*found, *reading.annotations.warnings),
    )


def _annotated(reading: _Reading, identifiers: tuple[str, ...]) -> tuple[KeyValue, ...]:
    reading.annotations.refer(identifiers)
    return reading.annotations.pairs(identifiers)


def _plate(reading: _Reading, plate: Plate) -> OmePlate:
    reagents = {r[0]: r for screen in reading.screens for r in screen.reagents}
    wells = {}
    for well in plate.wells:
        used = [reagents[name] for name in well.reagents if name in reagents]
        pairs = [KeyValue("Reagent", name or text) for _, name, text in used if name or text]
        wells[well.name] = (*well.pairs, *pairs, *_annotated(reading, well.annotations))
    barcode = (KeyValue("ExternalIdentifier", plate.barcode),) if plate.barcode else ()
    return OmePlate(plate, (*barcode, *_annotated(reading, plate.annotations)), wells)


class _Finishing:
    """Adds to images what stands elsewhere in the document."""

    def __init__(self, reading: _Reading, uuid: str) -> None:
        self._reading = reading
        self._uuid = uuid
        self._alone = len(reading.images) == 1
        self._rois = reading.rois if self._alone else 0
        self._optics: dict[tuple[str, str], tuple[str, Objective | None]] = {}

    def image(self, found: Found) -> tuple[ImageFacts, Iterable[str]]:
        """Return the facts of an image, and warnings."""
        _, element, draft, annotated = found
        if draft is not None:
            return self._drafted(draft, annotated), draft.warnings
        facts, warnings = read_image(element, self._reading.instruments)
        return msgspec.structs.replace(
            facts,
            uuid=self._uuid,
            key_values=self._pairs(annotated),
            creators=self._creators(reference(element, "ExperimenterRef")),
            roi_count=facts.roi_count or self._rois,
        ), warnings

    def _drafted(self, draft: Draft, annotated: tuple[str, ...]) -> ImageFacts:
        microscope, objective = self._told(draft.instrument, draft.objective)
        return msgspec.structs.replace(
            draft.facts,
            title=draft.title,
            description=draft.description,
            date=draft.date,
            position=draft.position,
            instrument=microscope,
            objective=objective,
            uuid=self._uuid,
            key_values=self._pairs(annotated),
            creators=self._creators(draft.person),
            roi_count=draft.rois or self._rois,
        )

    def _pairs(self, annotated: tuple[str, ...]) -> tuple[KeyValue, ...]:
        pairs = self._reading.annotations.pairs(annotated) if annotated else ()
        return (*pairs, *self._reading.annotations.loose()) if self._alone else pairs

    def _creators(self, person: str) -> tuple[Person, ...]:
        found = self._reading.people.get(person) if person else None
        return (found,) if found and found.name else ()

    def _told(self, instrument: str, objective: str) -> tuple[str, Objective | None]:
        known = self._optics.get((instrument, objective))
        if known is None:
            instruments = self._reading.instruments
            known = self._optics[instrument, objective] = (
                read_microscope(instrument, instruments),
                find_objective(objective, instrument, instruments),
            )
        return known


def validate(xml: bytes) -> str:
    """Return what ome-types says against a readable document, in one line; "" when it is valid.

    It checks against the schema and its own model, after bringing older schemas up to 2016-06.
    Documents over :data:`MAX_VALIDATED` bytes are not validated.
    """
    if len(xml) > MAX_VALIDATED:
        return ""
    from ome_types import from_xml

    cleaned = _clean(xml)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Its own model finds no more in what fits the schema, and takes ten times as long.
            if not _fits_schema(cleaned):
                from_xml(cleaned, validate=True, parser_kwargs={"context": _context()})
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        return _one_line(error)
    except (RuntimeError, AssertionError, etree.LxmlError) as error:
        return _one_line(error)
    return ""


@cache
def _context() -> Any:
    """What ome-types' parser learns of its classes, kept, as it takes longer than a document."""
    from xsdata_pydantic_basemodel.bindings import XmlContext

    return XmlContext()


@cache
def _schema() -> etree.XMLSchema:
    """The schema that ome-types ships, kept, as it would read it again for every document."""
    import ome_types

    return etree.XMLSchema(file=str(Path(ome_types.__file__).parent / "ome-2016-06.xsd"))


def _fits_schema(xml: bytes) -> bool:
    """Whether a document is of 2016-06 and valid; anything else is ome-types' to explain."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    return bool(_schema().validate(etree.fromstring(xml, parser)))


def _one_line(error: Exception) -> str:
    """The first finding of a failed validation, without namespaces."""
    text = str(error) or type(error).__name__
    findings = [line.strip(" -") for line in text.splitlines() if line.startswith("  - ")]
    line = findings[0] if findings else " ".join(text.split())
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    return _SPACE.sub("", line)[:400] + more
