"""What lies in an RO-Crate: data sets, and files that are images; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import normpath
from urllib.parse import unquote, urljoin, urlsplit

from msgspec import Struct

from harvester.crates.crate import Crate, Json, name_of, pairs_of, texts, types, words
from harvester.crates.crate_meaning import nearby
from harvester.formats.image_formats import image_format
from parfocal.errors import RecordInvalid
from parfocal.identifiers import RecordId, record_id
from parfocal.model import Dataset, Image, Provenance, Record

MAX_DEPTH = 16
_FILES = ("File", "MediaObject", "ImageObject", "Image")
_TOLD = ("name", "description", "hasPart", "encodingFormat", "contentSize", "conformsTo")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_KINDS = {"image/ome+tiff": "OME-TIFF", "image/tiff": "TIFF", "image/svg+xml": ""}


class Place(Struct, frozen=True):
    """Where a crate lies: its folder below the source's root, or its address."""

    base: str
    remote: bool = False

    def of(self, identifier: str) -> str:
        """Return where a part lies, as path or address; "" when it would lie outside."""
        if identifier.startswith(("http://", "https://")):
            return identifier
        if self.remote and not _SCHEME.match(identifier):
            return urljoin(self.base, identifier.removeprefix("./"))
        path = unquote(identifier)
        inside = normpath(path)
        if _SCHEME.match(path) or path.startswith("/") or inside.split("/")[0] == "..":
            return ""
        return "/".join(part for part in (self.base, inside) if part and part != ".")


def parts_of(crate: Crate, study: Dataset, place: Place) -> Iterator[Record]:
    """Yield the data sets and images that a study has as parts, parents before what lies in them.

    What cannot be one is noted as a warning of the crate.
    """
    parts = _Parts(crate, study, place)
    yield from parts.below(crate.root, study, MAX_DEPTH)
    for entity in crate.entities.values():
        if _is_file(entity) and parts.first_time(entity):
            yield from parts.image(entity, study.id)


def _is_file(entity: Json) -> bool:
    return any(kind in _FILES for kind in types(entity))


def _format(entity: Json) -> str:
    """Return an image's format by its name, else by what is said of it; "" for other files."""
    path = urlsplit(words(entity.get("@id"))).path
    named = image_format(unquote(path))
    if named or not _is_file(entity):
        return named
    for text in texts(entity.get("encodingFormat")):
        if text.startswith("image/"):
            return _KINDS.get(text, text.partition("/")[2].upper())
    return ""


class _Parts:
    """Makes records of a study's parts, each once."""

    def __init__(self, crate: Crate, study: Dataset, place: Place) -> None:
        self._crate = crate
        self._study = study
        self._place = place
        self._seen = {id(crate.root)}

    def first_time(self, entity: Json) -> bool:
        """Whether an entity was not met before."""
        fresh = id(entity) not in self._seen
        self._seen.add(id(entity))
        return fresh

    def below(self, holder: Json, parent: Dataset, depth: int) -> Iterator[Record]:
        """Yield the parts of an entity, and theirs."""
        for entity in self._crate.all(holder, "hasPart"):
            if not self.first_time(entity):
                continue
            if _is_file(entity) or _format(entity):
                yield from self.image(entity, parent.id)
            elif "Dataset" in types(entity) and depth:
                for made in self._container(entity, parent):
                    yield made
                    yield from self.below(entity, made, depth - 1)

    def _native(self, identifier: str) -> str:
        """Return a part's name: that of the study, and the part's own path."""
        path = unquote(identifier.partition("://")[2] or identifier).removeprefix("./")
        return f"{self._study.provenance.native_id}/{path.strip('/#')}"

    def _container(self, entity: Json, parent: Dataset) -> Iterator[Dataset]:
        identifier = words(entity.get("@id"))
        native, source = self._native(identifier), self._study.provenance.source
        found = nearby(self._crate, entity)
        try:
            yield Dataset(
                id=record_id(source, native),
                ome_type="Dataset",
                title=name_of(entity) or unquote(identifier).strip("./#"),
                description=words(entity.get("description")),
                part_of=parent.id,
                provenance=Provenance(source, native, self._study.provenance.url),
                key_values=tuple(
                    dict.fromkeys((*found.pairs, *pairs_of(self._crate, entity, _TOLD)))
                ),
                annotations=tuple(dict.fromkeys(found.claims)),
            )
        except RecordInvalid as error:
            self._crate.warnings.append((identifier[:200], error.message))

    def image(self, entity: Json, parent: RecordId) -> Iterator[Image]:
        """Yield the image that an entity is; nothing for other files."""
        identifier, kind = words(entity.get("@id")), _format(entity)
        location = self._place.of(identifier)
        if not kind:
            return
        if not location:
            reason = "is left out, as it lies outside of the crate"
            self._crate.warnings.append((identifier[:200], reason))
            return
        native, source = self._native(identifier), self._study.provenance.source
        path = unquote(urlsplit(identifier).path).rstrip("/")
        found = nearby(self._crate, entity)
        try:
            yield Image(
                id=record_id(source, native),
                title=name_of(entity) or path.rpartition("/")[2],
                description=words(entity.get("description")),
                part_of=parent,
                provenance=Provenance(source, native, self._study.provenance.url),
                key_values=tuple(
                    dict.fromkeys((*found.pairs, *pairs_of(self._crate, entity, _TOLD[:3])))
                ),
                annotations=tuple(dict.fromkeys(found.claims)),
                location=location,
                format=kind,
            )
        except RecordInvalid as error:
            self._crate.warnings.append((identifier[:200], error.message))
