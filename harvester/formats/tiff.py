"""The header of a TIFF file, classic or BigTIFF: the first page's tags and the number of pages.

No pixels are read, everything is bounded; damaged or hostile files end as SourceMalformed.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from harvester.words.facts import size
from parfocal.errors import SourceMalformed

MAX_DESCRIPTION = 64 * 1024 * 1024
MAX_PAGES = 100_000
_OME_PAGES = 1000  # OME-XML says how many there are; so many are followed to find damage
_MAX_ENTRIES = 4096
_MAX_OFFSETS = 65_536
_HEAD = 4096
_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_BIG_SIZES: Final = {16: 8, 17: 8, 18: 8}
_CODES: Final = {3: "H", 4: "I", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_WIDTH, _HEIGHT, _BITS, _DESCRIPTION = 256, 257, 258, 270
_SAMPLES, _X_RESOLUTION, _Y_RESOLUTION, _UNIT = 277, 282, 283, 296
_SOFTWARE, _DATE, _FORMAT = 305, 306, 339
_DATA = (("strip", 273, 279), ("tile", 324, 325))
_PLACES = frozenset((273, 279, 324, 325))
_SUB, _MAX_SUB = 330, 32
_USED = _PLACES | {
    _SUB,
    *(_WIDTH, _HEIGHT, _BITS, _DESCRIPTION, _SAMPLES, _X_RESOLUTION, _Y_RESOLUTION, _UNIT),
    *(_SOFTWARE, _DATE, _FORMAT),
}


class TiffHeader(Struct, frozen=True, omit_defaults=True):
    """What the first page of a TIFF file says; ``damage`` names what lies beyond the file's end."""

    width: int
    height: int
    pages: int = 1
    samples: int = 1
    bits: int = 1
    sample_format: int = 1
    x_resolution: float = 0.0
    y_resolution: float = 0.0
    resolution_unit: int = 2
    description: bytes = b""
    software: str = ""
    date: str = ""
    damage: str = ""

    @property
    def is_ome(self) -> bool:
        """Whether the description is OME-XML."""
        return b"OME" in self.description[:4096] and self.description.rstrip(b"\0 \r\n\t").endswith(
            b"OME>"
        )


_layout = lru_cache(256)(struct.Struct)


class _BeyondEnd(SourceMalformed):
    """Something lies beyond the end of the file."""


class Content(Protocol):
    """Something that can be read at any place: a file, a member of an archive."""

    @property
    def length(self) -> int:
        """Its number of bytes."""
        ...

    def at(self, offset: int, length: int) -> bytes:
        """Return bytes from a place; fewer only at the end."""
        ...


class FileContent:
    """An open file of the disk."""

    def __init__(self, descriptor: int, length: int) -> None:
        self.descriptor = descriptor
        self.length = length

    def at(self, offset: int, length: int) -> bytes:
        """Return bytes from a place; fewer only at the end."""
        return os.pread(self.descriptor, length, offset)


class _Reader:
    """Bounded reads at offsets of one open file, with byte order and word sizes."""

    def __init__(self, content: Content) -> None:
        self.content = content
        self.length = content.length
        self.head = content.at(0, _HEAD)
        self.order, self.big = _byte_order(self.head)
        first = "Q" if self.big else "I"
        self.first = self.unpack(first, 8 if self.big else 4)[0]

    def bytes_at(self, offset: int, length: int) -> bytes:
        if offset + length > self.length:
            raise _BeyondEnd(
                f"the file ends at byte {self.length}, but {length} bytes at {offset} belong to it",
                hint="the file is truncated or damaged; copy it again",
            )
        if offset + length <= len(self.head):
            return self.head[offset : offset + length]
        return self.content.at(offset, length)

    def unpack(self, code: str, offset: int) -> tuple[int, ...]:
        layout = _layout(self.order + code)
        if offset + layout.size <= len(self.head):
            return layout.unpack_from(self.head, offset)
        content = self.bytes_at(offset, layout.size)
        if len(content) < layout.size:
            raise SourceMalformed("the file became shorter while it was read")
        return layout.unpack(content)

    def directory(self, offset: int) -> tuple[int, int, int]:
        """Return (number of entries, offset of the first, offset of the next page's offset)."""
        code, step, entry = ("Q", 8, 20) if self.big else ("H", 2, 12)
        count = self.unpack(code, offset)[0]
        if count > _MAX_ENTRIES or count == 0:
            raise SourceMalformed(f"a page with {count} tags at byte {offset}")
        return count, offset + step, offset + step + count * entry

    def next_page(self, offset: int) -> int:
        return self.unpack("Q" if self.big else "I", self.directory(offset)[2])[0]


def _byte_order(head: bytes) -> tuple[str, bool]:
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        raise SourceMalformed("not a TIFF file", hint="the first bytes of a TIFF file are II or MM")
    magic = struct.unpack_from(order + "H", head, 2)[0]
    if magic == 43 and len(head) >= 16:
        return order, True
    if magic != 42:
        raise SourceMalformed(f"not a TIFF file: version {magic}, neither 42 nor 43")
    return order, False


Entry = tuple[int, int, int]
"""Type, count, offset of the value."""


def _entries(reader: _Reader, offset: int, wanted: frozenset[int]) -> dict[int, Entry]:
    _, start, end = reader.directory(offset)
    content = reader.bytes_at(start, end - start)
    layout = _layout(reader.order + ("HHQ8x" if reader.big else "HHI4x"))
    inline, pointer = (8, "Q") if reader.big else (4, "I")
    found: dict[int, Entry] = {}
    for index, (tag, kind, number_of) in enumerate(layout.iter_unpack(content)):
        if tag not in wanted:
            continue
        width = _SIZES.get(kind) or _BIG_SIZES.get(kind)
        if width is None:
            continue
        place = start + index * layout.size + layout.size - inline
        if width * number_of > inline:
            place = reader.unpack(pointer, place)[0]
        found.setdefault(tag, (kind, number_of, place))
    return found


def _integers(reader: _Reader, entry: Entry | None, most: int = 16) -> tuple[int, ...]:
    if entry is None:
        return ()
    kind, count, place = entry
    code = _CODES.get(kind)
    return reader.unpack(f"{min(count, most)}{code}", place) if code and count else ()


def _integer(reader: _Reader, entry: Entry | None, default: int) -> int:
    values = _integers(reader, entry, 1)
    return values[0] if values else default


def _text(reader: _Reader, entry: Entry | None, most: int) -> bytes:
    if entry is None or entry[0] not in (1, 2, 7):
        return b""
    if entry[1] > most:
        raise SourceMalformed(f"a text of {entry[1]} bytes; at most {most} are read")
    return reader.bytes_at(entry[2], entry[1]).rstrip(b"\0")


def _ratio(reader: _Reader, entry: Entry | None) -> float:
    if entry is None or entry[0] != 5 or entry[1] < 1:
        return 0.0
    over, under = reader.unpack("II", entry[2])
    return over / under if under else 0.0


def _beyond(reader: _Reader, entries: dict[int, Entry], page: int) -> str:
    """Name the first strip or tile of a page that lies beyond the end; "" when none does."""
    end = f"beyond the end of the file, {reader.length:,} bytes"
    for name, offsets, lengths in _DATA:
        if offsets not in entries or lengths not in entries:
            continue
        try:
            starts = _integers(reader, entries[offsets], _MAX_OFFSETS)
            counts = _integers(reader, entries[lengths], _MAX_OFFSETS)
        except _BeyondEnd:
            return f"the places of the {name}s of IFD {page} lie {end}"
        for place, (start, count) in enumerate(zip(starts, counts, strict=False), 1):
            if start + count > reader.length:
                return f"{name} {place} of IFD {page} lies {end}"
    return ""


def _beyond_below(reader: _Reader, entries: dict[int, Entry]) -> str:
    """Name the first smaller level of the first page of which something lies beyond the end."""
    if _SUB not in entries:
        return ""
    try:
        for place, offset in enumerate(_integers(reader, entries[_SUB], _MAX_SUB), 1):
            damage = _beyond(reader, _entries(reader, offset, _PLACES), 1) if offset else ""
            if damage:
                return f"SubIFD {place}: {damage}"
    except _BeyondEnd:
        return f"a SubIFD of IFD 1 lies beyond the end of the file, {reader.length:,} bytes"
    return ""


def _follow(reader: _Reader, most: int) -> tuple[int, str]:
    """Count the pages, and say what of the last one lies beyond the end."""
    seen: set[int] = set()
    offset = last = reader.first
    while offset and len(seen) < most:
        if offset in seen:
            raise SourceMalformed(f"the pages form a loop at byte {offset}")
        seen.add(offset)
        last = offset
        try:
            offset = reader.next_page(offset)
        except _BeyondEnd as error:
            raise _BeyondEnd(
                f"IFD {len(seen)} at byte {offset:,} lies beyond the end of the file,"
                f" {reader.length:,} bytes",
                hint=error.hint,
            ) from error
    if last == reader.first:
        return len(seen), ""
    return len(seen), _beyond(reader, _entries(reader, last, _PLACES), len(seen))


def _chain_damage(reader: _Reader) -> str:
    try:
        return _follow(reader, _OME_PAGES)[1]
    except SourceMalformed as error:
        return error.message


def _read(reader: _Reader, *, places: bool = True) -> TiffHeader:
    """Read the first page's tags; with ``places`` also whether its pixels lie within the file."""
    entries = _entries(reader, reader.first, _USED)
    get: Callable[[int], Entry | None] = entries.get
    width, height = _integer(reader, get(_WIDTH), 0), _integer(reader, get(_HEIGHT), 0)
    if size(width) is None or size(height) is None:
        raise SourceMalformed(f"an image of {width} x {height} pixels")
    return TiffHeader(
        width=width,
        height=height,
        samples=_integer(reader, get(_SAMPLES), 1),
        bits=_integer(reader, get(_BITS), 1),
        sample_format=_integer(reader, get(_FORMAT), 1),
        x_resolution=_ratio(reader, get(_X_RESOLUTION)),
        y_resolution=_ratio(reader, get(_Y_RESOLUTION)),
        resolution_unit=_integer(reader, get(_UNIT), 2),
        description=_text(reader, get(_DESCRIPTION), MAX_DESCRIPTION),
        software=_text(reader, get(_SOFTWARE), 65_536).decode("utf-8", "replace"),
        date=_text(reader, get(_DATE), 64).decode("ascii", "replace"),
        damage=(_beyond(reader, entries, 1) or _beyond_below(reader, entries)) if places else "",
    )


def read_header(path: Path | str) -> TiffHeader:
    """Read the first page's tags of a TIFF file; pages are counted unless its text is OME-XML.

    ``damage`` says what of the first or last page, or of the chain of pages, is cut off.

    Raises SourceMalformed for what is no TIFF file or is damaged, OSError when it cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return read_content(FileContent(descriptor, os.fstat(descriptor).st_size))
    finally:
        os.close(descriptor)


def read_content(content: Content) -> TiffHeader:
    """Read the first page's tags of a TIFF file that is open; as :func:`read_header`."""
    try:
        reader = _Reader(content)
        header = _read(reader)
        if header.is_ome:
            return replace(header, damage=header.damage or _chain_damage(reader))
        pages, damage = _follow(reader, MAX_PAGES)
        return replace(header, pages=pages, damage=header.damage or damage)
    except struct.error as error:
        raise SourceMalformed(f"damaged TIFF header: {error}") from error


def read_first_page(content: Content) -> TiffHeader:
    """Read the first page's tags and nothing else; ``pages`` is 0 when an unknown number follows.

    For files on servers, where every place that is looked at is a request.
    """
    try:
        reader = _Reader(content)
        more = reader.next_page(reader.first)
        header = _read(reader, places=False)
    except struct.error as error:
        raise SourceMalformed(f"damaged TIFF header: {error}") from error
    return replace(header, pages=0) if more and not header.is_ome else header
