"""What object stores answer: objects, lists of them, ranges; checked for being whole."""

from __future__ import annotations

import hashlib
import json
import re
from functools import cache
from typing import Protocol
from urllib.parse import unquote_plus

import msgspec
from lxml import etree
from msgspec import Struct

from harvester.asking.answers import Answer
from harvester.formats.elements import Element
from harvester.formats.xml_reading import read_xml
from parfocal.errors import SourceMalformed, SourceRefused

_RANGE = re.compile(r"bytes (\d{1,18})-")
_MD5 = re.compile(r'"?([0-9a-f]{32})"?')


class Stored(Struct, frozen=True):
    """An object, or a folder when the key ends in a slash."""

    key: str
    size: int = 0
    etag: str = ""


class Page(Struct, frozen=True):
    """One answer of a list: what it names in the order of keys, and where it goes on."""

    found: tuple[Stored, ...]
    token: str = ""
    more: bool = False


class Got(Struct, frozen=True):
    """A whole object."""

    content: bytes
    etag: str


class Hidden(SourceRefused):
    """Refused by a server that does not tell what is refused from what is not there."""


class Objects(Protocol):
    """Where objects are read from: a bucket, or any web server."""

    async def get(self, path: str, most: int) -> Got | None:
        """Return a whole object; None when there is none. Raises SourceError, Hidden among them."""
        ...

    async def stamp(self, path: str) -> str | None:
        """Return what changes with an object, without reading it; None when there is none."""
        ...


def check_key(path: str) -> str:
    """Return a key that can be asked for as a path; else SourceMalformed."""
    parts = path.split("/")
    if any(part in (".", "..") for part in parts) or not path.isprintable():
        raise SourceMalformed(f"the key {path[:200]!r} cannot be asked for as an address")
    return path


def looks_whole(content: bytes, etag: str) -> bool:
    """Whether content has the MD5 that an ETag is for objects stored in one piece."""
    match = _MD5.fullmatch(etag)
    return match is not None and hashlib.md5(content, usedforsecurity=False).hexdigest() == match[1]


def check_whole_object(path: str, answer: Answer) -> None:
    """Raise SourceMalformed for a document that is cut off or something else, as far as one sees.

    One that was stored in that state is let through: the MD5 says so.
    """
    content = answer.content
    if path.endswith((".xml", ".ome")):
        whole = content.rstrip(b"\0 \r\n\t").endswith((b"OME>", b"ome>"))
    else:
        whole = path.endswith(".gz") or _is_json(content)
    if not whole and not looks_whole(content, answer.headers.get("etag", "")):
        raise SourceMalformed("the answer is cut off, or is no such document", where=answer.url)


def _is_json(content: bytes) -> bool:
    try:
        msgspec.json.decode(content, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        try:
            json.loads(content)  # takes NaN
        except (ValueError, RecursionError):
            return False
    return True


def check_part(start: int, length: int, answer: Answer) -> None:
    """Raise SourceMalformed unless an answer is the range that was asked for."""
    match = _RANGE.match(answer.headers.get("content-range", ""))
    held = len(answer.content)
    if answer.status != 206 or match is None or int(match[1]) != start or held != length:
        raise SourceMalformed("the answer is not the range that was asked for", where=answer.url)


def etag_of(answer: Answer) -> str:
    """Return what tells one state of an object from another; "" when nothing does.

    What servers in between add to an ETag when they pack an answer is left out.
    """
    etag = answer.headers.get("etag", "").removeprefix("W/").strip('"')
    return etag.removesuffix("-gzip") or answer.headers.get("last-modified", "")


def text_of_child(element: Element, name: str) -> str:
    """Return the text of a child element; "" without one."""
    found = element.find(f"{{*}}{name}")
    return (found.text or "") if found is not None else ""


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 20 else 0


@cache
def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)


def _parsed(content: bytes, where: str) -> Element:
    """Parse a list, which is clean as a rule; what is not so is read with more care."""
    try:
        root = etree.fromstring(content, _parser())
    except (etree.XMLSyntaxError, ValueError):
        return read_xml(content, where)
    return read_xml(content, where) if root.getroottree().docinfo.doctype else root


def read_page(content: bytes, where: str) -> Page:
    """Read the answer to a list of objects; SourceMalformed when it is none."""
    root = _parsed(content, where)
    if not str(root.tag).endswith("ListBucketResult"):
        raise SourceMalformed("the answer is no list of objects", where=where)
    coded = text_of_child(root, "EncodingType") == "url"
    found = []
    for item in root.iterchildren("{*}Contents", "{*}CommonPrefixes"):
        held = {str(part.tag).rpartition("}")[2]: part.text or "" for part in item}
        key = held.get("Key") or held.get("Prefix", "")
        found.append(Stored(key, _number(held.get("Size", "")), held.get("ETag", "").strip('"')))
    if coded:
        found = [Stored(unquote_plus(one.key), one.size, one.etag) for one in found]
    found.sort(key=lambda one: one.key.encode("utf-8", "surrogatepass"))
    more = text_of_child(root, "IsTruncated").lower() == "true"
    return Page(tuple(found), text_of_child(root, "NextContinuationToken"), more)
