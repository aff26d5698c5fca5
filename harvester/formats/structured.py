"""Structured annotations of OME-XML as key-values: map, tag, comment, XML, number, term, date."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from harvester.formats.elements import Element, child, name_of, references
from parfocal.model import KeyValue

MAX_PAIRS = 2000
"""Most key-values of one record that come from structured annotations."""
_KEYS = {
    "TagAnnotation": "Tag",
    "CommentAnnotation": "Comment",
    "StringAnnotation": "Comment",
    "LongAnnotation": "Long",
    "DoubleAnnotation": "Double",
    "BooleanAnnotation": "Boolean",
    "TimestampAnnotation": "Timestamp",
    "TermAnnotation": "Term",
    "EnumAnnotation": "Enum",
}


class _Annotation(Struct, frozen=True):
    pairs: tuple[KeyValue, ...]
    references: tuple[str, ...]


class Annotations:
    """The structured annotations of one document by ID, added piece by piece."""

    def __init__(self) -> None:
        self._known: dict[str, _Annotation] = {}
        self._used: set[str] = set()
        self.warnings: dict[str, None] = {}

    def take(self, element: Element) -> None:
        """Add all annotations of a StructuredAnnotations element."""
        for found in element:
            name = name_of(found)
            identifier = found.get("ID", "")
            if name and identifier:
                space = found.get("Namespace", "")
                pairs = tuple(_few(_pairs(name, found, space), self.warnings))
                self._known[identifier] = _Annotation(pairs, references(found, "AnnotationRef"))

    def refer(self, identifiers: Iterable[str]) -> None:
        """Note that these annotations belong to something."""
        self._used.update(identifiers)

    def pairs(self, identifiers: Iterable[str]) -> tuple[KeyValue, ...]:
        """Return the key-values of annotations and of those that they refer to."""
        found = (pair for known in self._closure(identifiers) for pair in known.pairs)
        return tuple(_few(found, self.warnings))

    def loose(self) -> tuple[KeyValue, ...]:
        """Return the key-values of annotations that nothing refers to."""
        used = {name for known in self._known.values() for name in known.references}
        free = (name for name in self._known if name not in self._used and name not in used)
        return self.pairs(free)

    def _closure(self, identifiers: Iterable[str]) -> Iterator[_Annotation]:
        waiting = list(identifiers)[::-1]
        seen: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name in self._known and name not in seen:
                seen.add(name)
                yield self._known[name]
                waiting.extend(reversed(self._known[name].references))


def _few(pairs: Iterable[KeyValue], warnings: dict[str, None]) -> Iterator[KeyValue]:
    for count, pair in enumerate(pairs):
        if count >= MAX_PAIRS:
            warnings[f"more than {MAX_PAIRS} key-values in annotations; the rest is left out"] = (
                None
            )
            return
        yield pair


def _pairs(name: str, element: Element, space: str) -> Iterator[KeyValue]:
    value = child(element, "Value")
    if value is None:
        return
    if name == "MapAnnotation":
        for entry in value.findall("{*}M"):
            yield KeyValue(entry.get("K", "").strip(), (entry.text or "").strip(), space)
    elif name == "XMLAnnotation":
        yield from _xml_pairs(value, space)
    elif name in _KEYS and (value.text or "").strip():
        yield KeyValue(_KEYS[name], (value.text or "").strip(), space)


def _xml_pairs(value: Element, space: str) -> Iterator[KeyValue]:
    """Each leaf of free XML as a pair; Bio-Formats' own pairs as pairs."""
    if len(value) == 0 and (value.text or "").strip():
        yield KeyValue("XML", (value.text or "").strip(), space)
    for element in value.iterdescendants():
        key = child(element, "Key")
        held = child(element, "Value")
        if key is not None and held is not None:
            yield KeyValue((key.text or "").strip(), (held.text or "").strip(), space)
        elif name_of(element) and not _is_half(element):
            text = (element.text or "").strip()
            if text:
                yield KeyValue(name_of(element), text, space)
            for attribute, text in element.attrib.items():
                name = f"{name_of(element)} {str(attribute).rpartition('}')[2]}"
                yield KeyValue(name, str(text), space)


def _is_half(element: Element) -> bool:
    """Whether this is the Key or the Value of a pair that was read as one."""
    parent = element.getparent()
    return (
        parent is not None
        and name_of(element) in ("Key", "Value")
        and child(parent, "Key") is not None
        and child(parent, "Value") is not None
    )
