"""DataCite's XML, kernels 2 to 4 under any prefix, as the attributes of DataCite's JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from harvester.formats.elements import Element, name_of
from harvester.words.leaves import Json

XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_NAMES = {
    "lang": "lang",
    "schemeURI": "schemeUri",
    "valueURI": "valueUri",
    "rightsURI": "rightsUri",
    "awardURI": "awardUri",
    "SchemeURI": "schemeUri",
}
_WORDS = {
    "titles": "title",
    "subjects": "subject",
    "dates": "date",
    "alternateIdentifiers": "alternateIdentifier",
    "relatedIdentifiers": "relatedIdentifier",
    "rightsList": "rights",
    "descriptions": "description",
}
"""Lists whose entries are a text with attributes; the text gets the name of the element."""
_PLAIN = ("sizes", "formats")


def text_of(element: Element) -> str:
    """Return all text of an element, line breaks of HTML as such, spaces at the ends removed."""
    parts = [element.text or ""]
    for inner in element:
        if isinstance(inner.tag, str):
            parts.append("\n" if name_of(inner) == "br" else text_of(inner))
        parts.append(inner.tail or "")
    return "".join(parts).strip()


def _attributes(element: Element) -> Json:
    """Return an element's own attributes under the names that the JSON has."""
    found: Json = {}
    for name, value in element.attrib.items():
        short = str(name).rpartition("}")[2]
        if "XMLSchema-instance" not in str(name):
            found[_NAMES.get(short, short)] = str(value).strip()
    return found


def _elements(element: Element) -> Iterator[Element]:
    return (inner for inner in element if isinstance(inner.tag, str))


def _named(element: Element, name: str) -> Iterator[Element]:
    return (inner for inner in _elements(element) if name_of(inner) == name)


def _worded(element: Element, name: str) -> Json:
    return {name: text_of(element), **_attributes(element)}


def _any(element: Element) -> Any:
    """Return an element of unknown shape: its text, or an object of its attributes and children."""
    found = _attributes(element)
    inner = list(_elements(element))
    if not inner and not found:
        return text_of(element)
    if not inner:
        return _worded(element, name_of(element))
    for one in inner:
        held = _any(one)
        name = name_of(one)
        before = found.get(name)
        if before is None:
            found[name] = held
        elif isinstance(before, list):
            before.append(held)
        else:
            found[name] = [before, held]
    return found


def _agent(element: Element) -> Json:
    """A creator or contributor."""
    found = _attributes(element)
    homes: list[Any] = []
    identifiers: list[Json] = []
    for inner in _elements(element):
        name, text = name_of(inner), text_of(inner)
        if name in ("creatorName", "contributorName"):
            found.update({"name": text, **_attributes(inner)})
        elif name == "affiliation":
            homes.append({"name": text, **_attributes(inner)})
        elif name == "nameIdentifier":
            identifiers.append({"nameIdentifier": text, **_attributes(inner)})
        else:
            found[name] = _any(inner)
    return {**found, "affiliation": homes, "nameIdentifiers": identifiers}


def _grant(element: Element) -> Json:
    found: Json = {}
    for inner in _elements(element):
        found.update({name_of(inner): text_of(inner), **_attributes(inner)})
    return found


def _place(element: Element) -> Json:
    """A place; a polygon is a list of corners as in the JSON."""
    found: Json = {}
    polygons = []
    for inner in _elements(element):
        if name_of(inner) == "geoLocationPolygon":
            polygons.append([{name_of(corner): _any(corner)} for corner in _elements(inner)])
        else:
            found[name_of(inner)] = _any(inner)
    return {**found, "geoLocationPolygon": polygons} if polygons else found


def _identifier(element: Element) -> Json:
    text, kind = text_of(element), element.get("identifierType", "")
    if kind.upper() == "DOI":
        return {"doi": text}
    return {"identifiers": [{"identifier": text, "identifierType": kind}]} if text else {}


def _general(element: Element) -> Json:
    general = element.get("resourceTypeGeneral", "")
    return {"types": {"resourceTypeGeneral": general, "resourceType": text_of(element)}}


def _publisher(element: Element) -> Json:
    return {"publisher": {"name": text_of(element), **_attributes(element)}}


_SINGLE: dict[str, Callable[[Element], Json]] = {
    "identifier": _identifier,
    "resourceType": _general,
    "publisher": _publisher,
    "rights": lambda element: {"rightsList": [_worded(element, "rights")]},
}
_LISTS: dict[str, Callable[[Element], Json]] = {
    "creators": _agent,
    "contributors": _agent,
    "fundingReferences": _grant,
    "geoLocations": _place,
}


def attributes_of(resource: Element) -> Json:
    """Return the attributes that a ``resource`` element holds; what is unknown keeps its names."""
    found: Json = {}
    for element in _elements(resource):
        name = name_of(element)
        if name in _SINGLE:
            found.update(_SINGLE[name](element))
        elif name in _LISTS:
            found[name] = [_LISTS[name](inner) for inner in _elements(element)]
        elif name in _WORDS:
            found[name] = [_worded(inner, _WORDS[name]) for inner in _elements(element)]
        elif name in _PLAIN:
            found[name] = [text_of(inner) for inner in _elements(element)]
        else:
            found[name] = _any(element)
    if "language" in found and isinstance(found["language"], dict):
        found["language"] = text_of(next(_named(resource, "language")))
    return found


def find_resource(element: Element) -> Element | None:
    """Return the first ``resource`` of DataCite in or below an element, however it is wrapped."""
    for inner in element.iter():
        if name_of(inner) == "resource" and any(
            name_of(part) in ("creators", "titles", "identifier") for part in _elements(inner)
        ):
            return inner
    return None
