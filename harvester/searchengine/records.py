"""Results of IDR's search engine as records: images, and the containers that they name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from harvester.omero.curated import read_curated
from harvester.searchengine.client import SearchengineOptions
from harvester.words.leaves import Json, leaves, objects, words
from parfocal.errors import SourceMalformed
from parfocal.identifiers import RecordId, record_id
from parfocal.model import Dataset, DatasetType, Image, KeyValue, Link, Provenance, Record

_TYPES: dict[str, DatasetType] = {
    "project": "Project",
    "dataset": "Dataset",
    "screen": "Screen",
    "plate": "Plate",
}
_READ = frozenset(
    {"id", "name", "description", "key_values", "data_source", "type", "doc_type", "resource"}
    | {f"{kind}_{part}" for kind in _TYPES for part in ("id", "name")}
    | {"image_url", "thumb_url", "File Path", "Thumbnail", "index", "Error"}
)


class Shown(Struct, frozen=True, array_like=True):
    """A raw item: an image or container as the engine shows it, and the key that it lies in."""

    kind: str
    id: int
    body: bytes
    parent: str = ""
    about: bytes = b""


_decoder: msgspec.msgpack.Decoder[Shown] = msgspec.msgpack.Decoder(Shown)


def encode_shown(shown: Shown) -> bytes:
    """Return an item's bytes."""
    return msgspec.msgpack.encode(shown)


def decode_shown(content: bytes) -> Shown:
    """Read an item back; msgspec.DecodeError when it is none."""
    return _decoder.decode(content)


def parents_of(row: Json) -> list[tuple[str, int, str, str]]:
    """Return the containers of an image, outermost first: kind, id, name, key of its container."""
    found: list[tuple[str, int, str, str]] = []
    for outer, inner in (("project", "dataset"), ("screen", "plate")):
        above = ""
        for kind in (outer, inner):
            id = number_of(row.get(f"{kind}_id"))
            if id is not None:
                found.append((kind, id, words(row.get(f"{kind}_name")), above))
                above = f"{kind}-{id}"
    return found


def number_of(value: object) -> int | None:
    """Return an id that stands as number or, in files, as text; None for anything else."""
    text = words(value).removesuffix(".0")
    return int(text) if text.isdecimal() and len(text) < 19 else None


def read_object(content: bytes) -> Json:
    """Read a result; SourceMalformed when it is none."""
    try:
        found: Any = msgspec.json.decode(content) if content else {}
    except (msgspec.DecodeError, RecursionError) as error:
        raise SourceMalformed(f"not a result of the search engine: {error}") from error
    if not isinstance(found, dict):
        raise SourceMalformed("not a result of the search engine")
    return found


def read_item(shown: Shown, source: str, options: SearchengineOptions) -> Iterator[Record]:
    """Yield the record of an image or container."""
    body = read_object(shown.body)
    if shown.kind == "image":
        yield _image(shown, body, source, options)
    else:
        yield _container(shown, body | read_object(shown.about), source, options)


def _pairs(body: Json) -> tuple[KeyValue, ...]:
    """Return the key-values in the engine's order, then everything else under its own names."""
    listed = objects(body.get("key_values"))
    pairs = [
        KeyValue(words(pair.get("name")), words(pair.get("value")))
        for pair in listed
        if words(pair.get("name")) or words(pair.get("value"))
    ]
    rest = [pair for key, value in body.items() if key not in _READ for pair in leaves(value, key)]
    return (*pairs, *rest)


def _links(options: SearchengineOptions, kind: str, id: int) -> tuple[Link, ...]:
    if not options.web:
        return ()
    web = options.web.rstrip("/")
    landing = Link(f"{web}/webclient/?show={kind}-{id}", "OMERO", "landing")
    viewer = Link(f"{web}/webclient/img_detail/{id}/", "OMERO.web viewer", "viewer")
    return (viewer, landing) if kind == "image" else (landing,)


def _provenance(source: str, options: SearchengineOptions, kind: str, id: int) -> Provenance:
    return Provenance(source, f"{kind}-{id}", options.url)


def _container(shown: Shown, body: Json, source: str, options: SearchengineOptions) -> Dataset:
    pairs = _pairs(body)
    said = read_curated(pairs)
    return Dataset(
        id=record_id(source, f"{shown.kind}-{shown.id}"),
        ome_type=_TYPES[shown.kind],
        title=words(body.get("name")) or f"{shown.kind} {shown.id}",
        description=words(body.get("description")),
        part_of=_parent(source, shown.parent),
        provenance=_provenance(source, options, shown.kind, shown.id),
        key_values=pairs,
        links=_links(options, shown.kind, shown.id),
        licence=said.licence,
        date=said.date,
        identifiers=said.identifiers,
        publications=said.publications,
    )


def _parent(source: str, native: str) -> RecordId | None:
    return record_id(source, native) if native else None


def _image(shown: Shown, body: Json, source: str, options: SearchengineOptions) -> Image:
    given = words(body.get("thumb_url")) or words(body.get("Thumbnail"))
    own = f"{options.web.rstrip('/')}/webgateway/render_thumbnail/{shown.id}/"
    return Image(
        id=record_id(source, f"image-{shown.id}"),
        title=words(body.get("name")) or f"image {shown.id}",
        description=words(body.get("description")),
        part_of=_parent(source, shown.parent),
        provenance=_provenance(source, options, "image", shown.id),
        key_values=_pairs(body),
        links=(*_links(options, "image", shown.id), *_given_links(body)),
        thumbnail=given or (own if options.web else ""),
        plate=words(body.get("plate_name")),
    )


def _given_links(body: Json) -> Iterator[Link]:
    address = words(body.get("image_url")) or words(body.get("File Path"))
    if address.startswith(("http://", "https://")):
        yield Link(address, "image", "viewer")
