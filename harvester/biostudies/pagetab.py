"""PageTab, the JSON of BioStudies, read tolerantly: names and types as written, compared freely."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from msgspec import Struct

from parfocal.errors import SourceMalformed

MAX_DEPTH = 24
MAX_NAME = 500
_EMPTY = ("", "null")
Warnings = list[tuple[str, str]]
"""What is really dropped, as (place, reason)."""


class Attribute(Struct, frozen=True):
    """A name with a value, and what qualifies the value: a term's number, an address."""

    name: str
    value: str
    reference: bool = False
    qualifiers: tuple[tuple[str, str], ...] = ()


class Row(Struct, frozen=True):
    """A file or a link: its path or address, and its attributes."""

    target: str
    attributes: tuple[Attribute, ...] = ()
    size: int | None = None
    type: str = ""


class Section(Struct, frozen=True):
    """A section of a submission; nested lists in it, which stand for tables, are flattened."""

    type: str
    accno: str
    attributes: tuple[Attribute, ...] = ()
    sections: tuple[Section, ...] = ()
    files: tuple[Row, ...] = ()
    links: tuple[Row, ...] = ()

    def is_a(self, *kinds: str) -> bool:
        """Whether the section is of one of these types, written in lower case."""
        return plain(self.type) in kinds

    def all(self, *names: str) -> Iterator[Attribute]:
        """Yield the attributes with one of these names, written in lower case."""
        return (one for one in self.attributes if plain(one.name) in names)

    def first(self, *names: str) -> str:
        """Return the value under the first of these names that has one; "" when none has."""
        for name in names:
            for one in self.all(name):
                return one.value
        return ""

    def walk(self) -> Iterator[Section]:
        """Yield the section and all below it, parents first."""
        yield self
        for section in self.sections:
            yield from section.walk()


class Submission(Struct, frozen=True):
    """A submission: its own attributes, its root section, and what was dropped."""

    accno: str
    attributes: tuple[Attribute, ...]
    root: Section
    warnings: tuple[tuple[str, str], ...] = ()

    def first(self, *names: str) -> str:
        """Return the value of the submission's attribute of the first name that has one."""
        return Section("", "", self.attributes).first(*names)


@lru_cache(maxsize=16_384)
def plain(text: str) -> str:
    """Return a name for comparison.

    >>> plain(" Image  Acquisition")
    'image acquisition'
    """
    return " ".join(text.replace("_", " ").lower().split())


def text_of(value: object) -> str:
    """Return a JSON value as text; "" for what stands for nothing.

    >>> text_of(3), text_of("null"), text_of({}), text_of(["a", "b"])
    ('3', '', '', '["a", "b"]')
    """
    if isinstance(value, str):
        cleaned = value.encode("utf-8", "replace").decode().strip()
        return "" if cleaned.lower() in _EMPTY else cleaned
    if value is None or value == {} or value == []:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode()


def _objects(value: object, place: str, warnings: Warnings, depth: int = 0) -> Iterator[Any]:
    """Yield the objects of a list, however deep they are nested in lists."""
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict):
            if one:
                yield one
        elif isinstance(one, list) and depth < MAX_DEPTH:
            yield from _objects(one, place, warnings, depth + 1)
        elif text_of(one):
            warnings.append((place, f"is left out, as it is no object: {text_of(one)[:80]}"))


def _qualifiers(value: dict[str, Any], place: str, warnings: Warnings) -> Iterator[tuple[str, str]]:
    for key in ("nmqual", "valqual"):
        for held in _objects(value.get(key), place, warnings):
            name, text = text_of(held.get("name")), text_of(held.get("value"))
            if name and text:
                yield name, text


def read_attributes(value: object, place: str, warnings: Warnings) -> tuple[Attribute, ...]:
    """Read a list of attributes; those without a value say nothing and are passed over."""
    found = []
    for held in _objects(value, place, warnings):
        name, text = text_of(held.get("name"))[:MAX_NAME], text_of(held.get("value"))
        if name and text:
            qualifiers = tuple(_qualifiers(held, f"{place}/{name}", warnings))
            found.append(Attribute(name, text, held.get("reference") is True, qualifiers))
        elif text:
            warnings.append((place, f"a value without a name is left out: {text[:80]}"))
    return tuple(found)


def read_file_row(held: dict[str, Any], place: str, warnings: Warnings) -> Row | None:
    """Read an entry of a list of files; None when it has no path."""
    path = text_of(held.get("path")) or text_of(held.get("fileName"))
    attributes = read_attributes(held.get("attributes"), f"{place}/{path[:80]}", warnings)
    if not path:
        if attributes:
            warnings.append((place, "a file without a path is left out"))
        return None
    size = held.get("size")
    known = isinstance(size, int) and not isinstance(size, bool) and size >= 0
    return Row(path, attributes, size if known else None, text_of(held.get("type")))


def _links(value: object, place: str, warnings: Warnings) -> Iterator[Row]:
    for held in _objects(value, place, warnings):
        url = text_of(held.get("url"))
        attributes = read_attributes(held.get("attributes"), place, warnings)
        if url:
            yield Row(url, attributes)
        elif attributes:
            warnings.append((place, "a link without an address is left out"))


def _section(held: dict[str, Any], place: str, warnings: Warnings, depth: int) -> Section:
    kind = text_of(held.get("type")) or "Section"
    here = f"{place}/{kind}"
    below = held.get("subsections")
    if depth >= MAX_DEPTH and below:
        warnings.append((here, "sections nested more deeply are left out"))
        below = None
    files = (
        read_file_row(one, here, warnings) for one in _objects(held.get("files"), here, warnings)
    )
    return Section(
        kind,
        text_of(held.get("accno")) or text_of(held.get("accNo")),
        read_attributes(held.get("attributes"), here, warnings),
        tuple(_section(one, here, warnings, depth + 1) for one in _objects(below, here, warnings)),
        tuple(row for row in files if row is not None),
        tuple(_links(held.get("links"), here, warnings)),
    )


def read_submission(content: bytes) -> Submission:
    """Read a submission; SourceMalformed when it is none."""
    try:
        held = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise SourceMalformed(f"not JSON: {error}") from error
    root = held.get("section") if isinstance(held, dict) else None
    if not isinstance(root, dict):
        raise SourceMalformed("not PageTab: there is no section", where="section")
    warnings: Warnings = []
    return Submission(
        text_of(held.get("accno")) or text_of(held.get("accNo")),
        read_attributes(held.get("attributes"), "submission", warnings),
        _section(root, "", warnings, 0),
        tuple(dict.fromkeys(warnings)),
    )
