"""Dublin Core, plain or qualified, brought into DataCite's attributes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from harvester.formats.elements import Element, name_of
from harvester.words.dois import identifier, read_doi
from harvester.words.leaves import Json, words

_FULL = re.compile(r"^info:eu-repo/semantics/(?:altIdentifier|dataset|reference)/([a-z]+)/(.+)$")
_DATES = {
    "date": "Issued",
    "issued": "Issued",
    "available": "Available",
    "created": "Created",
    "modified": "Updated",
    "dateSubmitted": "Submitted",
    "dateAccepted": "Accepted",
}
_RELATIONS = {
    "isPartOf": "IsPartOf",
    "hasPart": "HasPart",
    "isVersionOf": "IsVersionOf",
    "hasVersion": "HasVersion",
    "isReferencedBy": "IsReferencedBy",
    "references": "References",
    "isReplacedBy": "IsObsoletedBy",
    "replaces": "Obsoletes",
}


def _identified(found: Json, text: str) -> None:
    """An identifier: the first DOI, the first address, and whatever else there is."""
    doi = read_doi(text) if identifier(text).startswith("doi:") else ""
    if doi and "doi" not in found:
        found["doi"] = doi
    elif not doi and text.startswith(("http://", "https://")) and "url" not in found:
        found["url"] = text
        _put(found, "identifiers", {"identifier": text, "identifierType": "URL"})
    else:
        _put(found, "identifiers", {"identifier": text, "identifierType": ""})


def _put(found: Json, name: str, value: Any) -> None:
    found.setdefault(name, []).append(value)


def _related(found: Json, text: str, kind: str) -> None:
    full = _FULL.match(text)
    held = full[2] if full else text
    entry = {"relationType": kind, "relatedIdentifier": held}
    _put(found, "relatedIdentifiers", {**entry, "relatedIdentifierType": full[1].upper()} if full
         else entry)  # fmt: skip


_PUT: dict[str, Callable[[Json, str], None]] = {
    "title": lambda found, text: _put(found, "titles", {"title": text}),
    "alternative": lambda found, text: _put(
        found, "titles", {"title": text, "titleType": "AlternativeTitle"}
    ),
    "creator": lambda found, text: _put(found, "creators", {"name": text}),
    "contributor": lambda found, text: _put(found, "contributors", {"name": text}),
    "subject": lambda found, text: _put(found, "subjects", {"subject": text}),
    "description": lambda found, text: _put(found, "descriptions", {"description": text}),
    "abstract": lambda found, text: _put(
        found, "descriptions", {"description": text, "descriptionType": "Abstract"}
    ),
    "rights": lambda found, text: _put(found, "rightsList", {"rights": text}),
    "license": lambda found, text: _put(found, "rightsList", {"rights": text}),
    "format": lambda found, text: _put(found, "formats", text),
    "extent": lambda found, text: _put(found, "sizes", text),
    "identifier": _identified,
}


def attributes_of(element: Element) -> Json:
    """Return the attributes that an element with Dublin Core's elements holds."""
    found: Json = {}
    for inner in element.iter():
        name = name_of(inner)
        text = words("".join(inner.itertext())) if len(inner) == 0 else ""
        if inner is element or not text:
            continue
        if name in _PUT:
            _PUT[name](found, text)
        elif name in _DATES:
            _put(found, "dates", {"date": text, "dateType": _DATES[name]})
        elif name in _RELATIONS or name == "relation":
            _related(found, text, _RELATIONS.get(name, ""))
        elif name == "publisher" and "publisher" not in found:
            found["publisher"] = text
        else:
            _put(found, name, text)
    return found


def is_dublin_core(element: Element) -> bool:
    """Whether an element holds elements of Dublin Core."""
    spaces = (str(inner.tag).partition("}")[0] for inner in element if isinstance(inner.tag, str))
    return any("purl.org/dc/" in space for space in spaces)
