"""Lists of crates on the web: plain lists of addresses, CSV, JSON listings of folders, sitemaps."""

from __future__ import annotations

import csv
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

from msgspec import Struct

from harvester.asking.answers import Answer
from harvester.asking.http import Http
from harvester.crates.items import is_metadata
from harvester.formats.elements import child, name_of
from harvester.formats.xml_reading import read_xml
from parfocal.errors import SourceMalformed

MAX_LISTED = 200_000
MAX_SITEMAPS = 500
MAX_XML = 64 * 1024 * 1024
_COLUMNS = ("url", "crate", "download_url", "address", "link", "source")
_ADDRESS = re.compile(r"https?://\S+")


class Listed(Struct, frozen=True):
    """A crate's address in a list; ``version`` is what the list tells of its state."""

    address: str
    version: str = ""
    page: bool = False
    """Whether a sitemap names it: then robots.txt counts."""


class Lists:
    """Reads lists, and the lists that they name."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._read: set[str] = set()

    async def of(self, address: str, *, page: bool = False) -> tuple[list[Listed], Answer | None]:
        """Return what a list names; or, when its address is that of a crate, the answer itself.

        Raises SourceError when it, or a list that it names, cannot be read.
        """
        if is_crate(address):
            return [Listed(address, page=page)], None
        self._read.add(address)
        page = page or ".xml" in address.rpartition("/")[2]
        answer = await self._http.get(address, web_page=page, check=_check_page)
        content = unpacked(answer.content, address)
        start = content[:2000].lstrip()
        if start.startswith(b"PK") or is_page(answer):
            return [Listed(address, page=page)], answer
        if start.startswith(b"<"):
            return await self._sitemap(content, address), None
        if start[:1] in (b"{", b"["):
            held = _json(content, address)
            if isinstance(held, dict) and "@graph" in held:
                return [Listed(address, page=page)], answer
            return list(_bounded(_listing(held), address)), None
        return list(_bounded(_lines(content.decode("utf-8-sig", "replace")), address)), None

    async def _sitemap(self, content: bytes, address: str) -> list[Listed]:
        root = read_xml(content, address)
        found: list[Listed] = []
        for entry in root:
            location, changed = child(entry, "loc"), child(entry, "lastmod")
            if location is None or not (location.text or "").strip():
                continue
            target = urljoin(address, location.text.strip())
            if name_of(root) == "sitemapindex" and target not in self._read:
                if len(self._read) > MAX_SITEMAPS:
                    raise SourceMalformed(f"names over {MAX_SITEMAPS} sitemaps", where=address)
                found += (await self.of(target, page=True))[0]
            elif name_of(root) == "urlset":
                text = "" if changed is None else (changed.text or "").strip()
                found.append(Listed(target, text, page=True))
        return list(_bounded(iter(found), address))


def is_crate(address: str) -> bool:
    """Whether an address is that of a crate, by its words."""
    path = address.partition("?")[0].partition("#")[0]
    return is_metadata(path) or path.lower().endswith((".zip", ".crate", ".jsonld"))


def unpacked(content: bytes, where: str) -> bytes:
    """Return what a gzip file holds, within bounds; other content as it is."""
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        plain = zlib.decompressobj(47).decompress(content, MAX_XML + 1)
    except (zlib.error, gzip.BadGzipFile) as error:
        raise SourceMalformed(f"is no whole gzip file: {error}", where=where) from error
    if len(plain) > MAX_XML:
        raise SourceMalformed("is too large when unpacked", where=where)
    return plain


def _json(content: bytes, where: str) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise SourceMalformed(f"is neither a list nor JSON: {error}", where=where) from error


def _bounded(found: Iterator[Listed], address: str) -> Iterator[Listed]:
    for count, one in enumerate(found):
        if count >= MAX_LISTED:
            raise SourceMalformed(f"names more than {MAX_LISTED} crates", where=address)
        target = urljoin(address, one.address)
        yield Listed(target, one.version, one.page)


def _listing(held: Any) -> Iterator[Listed]:
    """Yield the files of a folder as a forge lists them, or addresses in a JSON list."""
    entries = held.get("items", held.get("files", [])) if isinstance(held, dict) else held
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, str):
            yield Listed(entry)
        elif isinstance(entry, dict):
            address = next((a for c in _COLUMNS[2:3] + _COLUMNS if (a := entry.get(c))), "")
            version = entry.get("sha") or entry.get("etag") or entry.get("updated")
            if not isinstance(address, str) or not address:
                continue
            # A forge lists all files of a folder: a README is no crate.
            if "type" not in entry or (entry["type"] == "file" and is_crate(address)):
                yield Listed(address, str(version or ""))


def _lines(text: str) -> Iterator[Listed]:
    """Yield the addresses of a plain list or a CSV, whose header names the column, or the first."""
    sample = text.partition("\n")[0]
    delimiter = "\t" if "\t" in sample else ";" if ";" in sample and "," not in sample else ","
    rows = csv.reader(text.splitlines(), delimiter=delimiter)
    column = -1
    try:
        for number, row in enumerate(rows):
            names = [cell.strip().lower() for cell in row]
            if number == 0 and not any(_ADDRESS.match(name) for name in names):
                column = next((names.index(c) for c in _COLUMNS if c in names), -1)
                if column >= 0:
                    continue
            cells = row[column : column + 1] if column >= 0 else row
            address = next((c.strip() for c in cells if _is_address(c.strip())), "")
            if address:
                yield Listed(address)
    except csv.Error as error:
        raise SourceMalformed(f"is no list of addresses: {error}") from error


def _is_address(cell: str) -> bool:
    return not cell.startswith("#") and (bool(_ADDRESS.fullmatch(cell)) or is_crate(cell))


# ------------------------------------------------------------------ pages that link to crates


class _Links(HTMLParser):
    """Collects what a page says describes it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at links of a page's head or body."""
        told = {name: value or "" for name, value in attrs}
        rel = told.get("rel", "").lower().split()
        if tag in ("link", "a") and told.get("href"):
            described = "describedby" in rel and "json" in told.get("type", "json")
            if described or is_metadata(told["href"].partition("?")[0]):
                self.found.append(told["href"])


def is_page(answer: Answer) -> bool:
    """Whether an answer is a web page."""
    start = answer.content[:500].lstrip().lower()
    return start.startswith((b"<!doctype html", b"<html")) or answer.media_type == "text/html"


def _check_page(answer: Answer) -> None:
    """A web page that names no crate is a mistake of the server that may pass."""
    if is_page(answer) and not linked_crate(answer):
        raise SourceMalformed("is a web page that names no RO-Crate", where=answer.url)


_LINK = re.compile(r"<([^<>]{1,2000})>([^<]*)")


def linked_crate(answer: Answer) -> str:
    """Return the address of the crate that a web page is described by; "" when it names none."""
    for target, told in _LINK.findall(answer.headers.get("link", "")):
        if re.search(r"rel=\"?[^\";]*\bdescribedby\b", told) and "json" in told:
            return str(urljoin(answer.url, target))
    parser = _Links()
    parser.feed(answer.content[:2_000_000].decode("utf-8", "replace"))
    return urljoin(answer.url, parser.found[0]) if parser.found else ""
