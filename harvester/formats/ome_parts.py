"""Takes the OME-XML of a whole plate apart: one small document for each image of a well."""

from __future__ import annotations

import copy

from lxml import etree

from harvester.formats.elements import Element, name_of, references
from harvester.formats.plates import well_name

_SHARED = ("Instrument", "Experimenter")
MAX_PART = 1024 * 1024


def _integer(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() and len(text) < 6 else 0


def field_number(path: str) -> int:
    """Return the number of an image within its well, which bioformats2raw takes for its path.

    >>> field_number("plate.zarr/A/1/3")
    3
    """
    last = path.rpartition("/")[2]
    return int(last) if last.isdecimal() and len(last) < 6 else 0


class ImageParts:
    """The images of a plate's OME-XML by well and number of the field; none of a damaged one."""

    def __init__(self, xml: bytes) -> None:
        """Parse a document; entities are not resolved and nothing is fetched."""
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        self.problem = ""
        self._images: dict[str, Element] = {}
        self._wells: dict[tuple[str, int], str] = {}
        self._annotations: dict[str, Element] = {}
        self._shared: list[Element] = []
        self._root: Element | None = None
        if not xml:
            return
        try:
            self._root = etree.fromstring(xml, parser)
        except (etree.XMLSyntaxError, ValueError) as error:
            self.problem = f"not XML: {' '.join(str(error).split())[:200]}"
            return
        for element in self._root:
            self._take(name_of(element), element)

    def _take(self, name: str, element: Element) -> None:
        if name == "Image":
            self._images[element.get("ID", "")] = element
        elif name in _SHARED:
            self._shared.append(element)
        elif name == "Plate":
            for well in element.findall("{*}Well"):
                self._take_well(well)
        elif name == "StructuredAnnotations":
            for annotation in element:
                if name_of(annotation):
                    self._annotations[annotation.get("ID", "")] = annotation

    def _take_well(self, well: Element) -> None:
        name = well_name(_integer(well.get("Row")), _integer(well.get("Column")))
        for number, sample in enumerate(well.findall("{*}WellSample")):
            for image in references(sample, "ImageRef"):
                self._wells.setdefault((name, number), image)

    def of(self, well: str, field: int) -> bytes:
        """Return the document of one image; b"" when the plate's says nothing of it."""
        image = self._images.get(self._wells.get((well, field), ""))
        if image is None or self._root is None:
            return b""
        part = etree.Element(self._root.tag, nsmap=self._root.nsmap)
        part.extend(copy.deepcopy(element) for element in (*self._shared, image))
        wanted = [found.get("ID", "") for found in image.iter("{*}AnnotationRef")]
        kept = [self._annotations[name] for name in wanted if name in self._annotations]
        if kept:
            space = self._root.tag.rpartition("}")[0]
            holder = etree.SubElement(part, f"{space}}}StructuredAnnotations" if space else
                                      "StructuredAnnotations")  # fmt: skip
            holder.extend(copy.deepcopy(annotation) for annotation in kept)
        content: bytes = etree.tostring(part, encoding="utf-8")
        return content if len(content) <= MAX_PART else b""
