"""What a server answered: read within bounds, unpacked, and checked for being whole."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any, NoReturn

import msgspec
from yarl import URL

from harvester.asking.addresses import shown
from harvester.asking.charsets import is_charset
from parfocal.errors import SourceMalformed

if TYPE_CHECKING:
    from zlib import _Decompress as _Unpack

MAX_DEPTH = 100
"""JSON that is nested deeper is refused."""
_GZIP_OR_ZLIB = 47
_RAW_DEFLATE = -15
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_UNREAD = object()


class Garbled(SourceMalformed):
    """An answer that is cut off or is not what it says; asking again may mend that."""

    retryable = True


class Answer:
    """An answer with its body. ``headers`` have lower-case names."""

    __slots__ = ("_value", "content", "headers", "status", "url")

    def __init__(self, status: int, url: str, headers: Mapping[str, str], content: bytes) -> None:
        self.status = status
        self.url = url
        self.headers = headers
        self.content = content
        self._value: Any = _UNREAD

    @property
    def media_type(self) -> str:
        """Return the media type without parameters, lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def stamp(self) -> str:
        """Return the ETag, else Last-Modified, for :func:`unless`; "" when there is neither."""
        return self.headers.get("etag") or self.headers.get("last-modified", "")

    def json(self) -> Any:
        """Return the body read as JSON; raise SourceMalformed that names the address."""
        if self._value is _UNREAD:
            self._value = _read_json(self.content, self.url)
        return self._value

    def text(self) -> str:
        """Return the body as text in the charset that the answer names, else UTF-8."""
        try:
            return self.content.decode(self._charset())
        except (UnicodeError, LookupError) as error:
            raise Garbled("the answer is no text of its charset", where=shown(self.url)) from error

    def _charset(self) -> str:
        _, _, rest = self.headers.get("content-type", "").lower().partition("charset=")
        named = rest.partition(";")[0].strip(" \"'")
        return named if is_charset(named) and named != "utf-8" else "utf-8-sig"


def unless(stamp: str) -> dict[str, str]:
    """Return the headers that ask for an answer only if it is no longer the one of the stamp.

    >>> unless('"v1"')
    {'If-None-Match': '"v1"'}
    """
    if not stamp or not stamp.isprintable():
        return {}
    if stamp.startswith(('"', "W/")):
        return {"If-None-Match": stamp}
    return {"If-Modified-Since": stamp}


def check_whole(answer: Answer) -> None:
    """Raise Garbled when an answer that calls itself JSON is not."""
    kind = answer.media_type
    if kind in ("application/json", "text/json") or kind.endswith("+json"):
        try:  # a twentieth of the time that reading takes, which not every source needs
            msgspec.json.decode(answer.content, type=msgspec.Raw)
        except (msgspec.DecodeError, RecursionError):
            answer.json()


def _read_json(content: bytes, url: str) -> Any:
    if _deeper_than(content, MAX_DEPTH):
        raise SourceMalformed(f"JSON nested deeper than {MAX_DEPTH}", where=shown(url))
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:  # NaN, a byte order mark, lone surrogates: what other programs take for JSON.
        return _without_surrogates(json.loads(content))
    except (ValueError, RecursionError) as error:
        where = shown(url)
        raise Garbled("the answer is no whole JSON", where=where, hint=_looks(content)) from error


def _without_surrogates(value: Any) -> Any:
    """Return a value whose texts can be written: halves of characters become question marks."""
    text = json.dumps(value, ensure_ascii=False)
    return value if text.isascii() else json.loads(text.encode("utf-8", "replace"))


def _looks(content: bytes) -> str:
    start = content[:200].lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "it is an HTML page; is the address right, and the server up?"
    return ""


def _deeper_than(content: bytes, depth: int) -> bool:
    """Whether JSON is nested too deep.

    Brackets within texts count as well, so that what seems too deep is looked at twice.
    """
    brackets = content.translate(None, _NOT_BRACKETS)
    for _ in range(depth):
        if not brackets:
            return False
        fewer = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if len(fewer) == len(brackets):
            break
        brackets = fewer
    return bool(brackets) and _depth(content) > depth


def _depth(content: bytes) -> int:
    deepest = now = 0
    inside = escaped = False
    for byte in content:
        if inside:
            inside = escaped or byte != 0x22
            escaped = byte == 0x5C and not escaped
        elif byte == 0x22:
            inside = True
        elif byte in b"[{":
            now += 1
            deepest = max(deepest, now)
        elif byte in b"]}":
            now -= 1
    return deepest


class Body:
    """Collects a body: unpacks gzip and deflate, and stops beyond ``limit`` bytes.

    It goes ``into`` a file when one is given, in place of what that held.
    """

    def __init__(self, limit: int, url: URL, into: IO[bytes] | None = None) -> None:
        self._parts: list[bytes] = []
        self._into = into
        if into is not None:
            into.seek(0)
            into.truncate()
        self._size = 0
        self._limit = limit
        self._url = url
        self._encoding = ""
        self._unpack: _Unpack | None = None
        self.received = 0

    def unpack(self, encoding: str) -> None:
        """Unpack what comes; raise SourceMalformed for an encoding that nobody asked for."""
        self._encoding = encoding.strip().lower()
        if self._encoding in ("", "identity"):
            return
        if self._encoding not in ("gzip", "x-gzip", "deflate"):
            raise SourceMalformed(
                f"answered in the encoding {encoding[:40]!r}", where=shown(self._url)
            )
        self._unpack = zlib.decompressobj(_GZIP_OR_ZLIB)

    def feed(self, chunk: bytes) -> None:
        """Take in what came from the network."""
        self.received += len(chunk)
        if self.received > self._limit:
            self._refuse()
        if self._unpack is None:
            self._keep(chunk)
            return
        while chunk:
            self._keep(self._expand(self._unpack, chunk))
            chunk = self._unpack.unconsumed_tail or self._next_member(self._unpack)

    def close(self) -> bytes:
        """Return the whole body, if it is in no file; raise Garbled when it was cut off."""
        if self._unpack is not None and self.received and not self._unpack.eof:
            raise Garbled("the packed answer is cut off", where=shown(self._url))
        return b"".join(self._parts)

    def _expand(self, unpack: _Unpack, chunk: bytes) -> bytes:
        try:
            return unpack.decompress(chunk, self._limit - self._size + 1)
        except zlib.error as error:
            if self._encoding == "deflate" and self.received == len(chunk):
                self._encoding = "raw"
                self._unpack = zlib.decompressobj(_RAW_DEFLATE)
                return self._expand(self._unpack, chunk)
            raise Garbled("the packed answer cannot be unpacked", where=shown(self._url)) from error

    def _next_member(self, unpack: _Unpack) -> bytes:
        """Return what stands behind a finished gzip member, to be read as the next one."""
        rest = unpack.unused_data
        if rest[:2] != b"\x1f\x8b":
            return b""
        self._unpack = zlib.decompressobj(_GZIP_OR_ZLIB)
        return rest

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._limit:
            self._refuse()
        if self._into is not None:
            self._into.write(part)
        else:
            self._parts.append(part)

    def _refuse(self) -> NoReturn:
        raise SourceMalformed(
            f"the answer is larger than {self._limit} bytes",
            where=shown(self._url),
            hint="max_mb of the source sets the limit",
        )
