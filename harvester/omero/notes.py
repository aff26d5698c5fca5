"""Annotations of OMERO in words: key-values, tags, comments, attached files, ratings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import Struct

from harvester.words.leaves import Json, child, entries, leaves, words
from parfocal.model import KeyValue, Link

RATING = "openmicroscopy.org/omero/insight/rating"
_VALUES = ("textValue", "longValue", "doubleValue", "boolValue", "timeValue", "termValue", "Value")
_CLASS = re.compile(r"(\w+?)(?:Annotation)?I?$")


class Said(Struct, frozen=True):
    """What the annotations of an object say, in their order."""

    pairs: tuple[KeyValue, ...] = ()
    links: tuple[Link, ...] = ()
    tags: tuple[str, ...] = ()
    files: int = 0
    unread: int = 0


class _Note(Struct, frozen=True):
    """One annotation, whichever way it came."""

    id: str
    kind: str
    namespace: str
    name: str
    description: str
    body: Json


def read_notes(notes: Iterable[bytes], web: str) -> Said:
    """Read the annotations of an object; one that is linked twice counts once."""
    pairs: list[KeyValue] = []
    links: list[Link] = []
    tags: list[str] = []
    seen: set[str] = set()
    files = unread = 0
    for body in notes:
        note = _read(body)
        if note is None:
            unread += 1
            continue
        if note.id in seen:
            continue
        seen.add(note.id)
        pairs += _pairs(note)
        if note.kind == "File":
            files += 1
            links += _file_links(note, web)
        if note.kind == "Tag":
            tags += [pair.value for pair in _pairs(note) if pair.key == "Tag"]
    return Said(tuple(pairs), tuple(links), tuple(dict.fromkeys(tags)), files, unread)


def _read(body: bytes) -> _Note | None:
    try:
        found: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    kind = words(found.get("class")) or words(found.get("@type")).rpartition("#")[2]
    match = _CLASS.match(kind)
    return _Note(
        words(found.get("id")) or words(found.get("@id")),
        match.group(1) if match else kind,
        words(found.get("ns")) or words(found.get("Namespace")),
        words(found.get("name")) or words(found.get("Name")),
        words(found.get("description")) or words(found.get("Description")),
        found,
    )


def _pairs(note: _Note) -> list[KeyValue]:
    if note.kind == "Map":
        found = list(_map_pairs(note))
    elif note.kind == "File":
        file = child(note.body, "file") or child(note.body, "File")
        name = words(child(file, "name")) or words(child(file, "Name"))
        found = [KeyValue("File", name or note.name or f"file {note.id}", note.namespace)]
    elif note.kind in ("Tag", "Comment"):
        found = [KeyValue(note.kind, value, note.namespace) for value in _values(note)]
    else:
        found = list(_other_pairs(note))
    if note.description and note.kind != "Comment" and found:
        label = f"{note.kind} description" if note.kind in ("Tag", "File") else "Description"
        found.append(KeyValue(label, note.description, note.namespace))
    return found


def _map_pairs(note: _Note) -> Iterator[KeyValue]:
    """Yield the pairs of a map annotation, in order; keys may repeat."""
    given = note.body.get("values", note.body.get("Value"))
    if isinstance(given, dict):
        given = list(given.items())
    for pair in entries(given):
        if isinstance(pair, dict):
            pair = (pair.get("name") or pair.get("key"), pair.get("value"))
        if isinstance(pair, list | tuple) and len(pair) >= 2:
            key, value = words(pair[0]), words(pair[1])
            if key or value:
                yield KeyValue(key, value, note.namespace)


def _values(note: _Note) -> list[str]:
    return [text for name in _VALUES if (text := words(note.body.get(name)))]


def _other_pairs(note: _Note) -> Iterator[KeyValue]:
    """Yield the value of a number, truth value, time, term or XML annotation, or all it has."""
    key = "Rating" if note.namespace == RATING else note.name or note.kind
    values = _values(note)
    for value in values:
        yield KeyValue(key, value, note.namespace)
    if not values:
        for name in _VALUES:
            for pair in leaves(note.body.get(name), key):
                yield KeyValue(pair.key, pair.value, note.namespace)


def _file_links(note: _Note, web: str) -> Iterator[Link]:
    if note.id:
        label = next((pair.value for pair in _pairs(note) if pair.key == "File"), "")
        yield Link(f"{web}webclient/annotation/{note.id}/", label, "data")
