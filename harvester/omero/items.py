"""The raw items of the OMERO source, and where a walk stands.

A raw item is one object as the server gave it, with its owner, group, annotations and details.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable
from typing import Literal

import msgspec
from msgspec import Struct

Kind = Literal["project", "dataset", "screen", "plate", "well", "image"]

_BITS = 4096


class Part(Struct, frozen=True, array_like=True):
    """What belongs to one image of a well or to an image itself.

    ``detail`` is the answer about the image alone, "" when it was not asked for or there is none;
    ``rois`` the number of its regions of interest, -1 when unknown.
    """

    id: int
    detail: bytes = b""
    rois: int = -1
    notes: tuple[bytes, ...] = ()


class Held(Struct, frozen=True, array_like=True):
    """An object of the server, as JSON texts.

    ``web`` is the address of OMERO.web, ``reader`` the name of the user who read it ("" for
    everybody), ``owner`` and ``group`` what the server says of them, ``notes`` its annotations,
    ``parents`` the keys of what it lies in, ``plate`` the name of a well's plate, ``parts`` the
    images, ``detail`` the answer about a well alone, ``runs`` the plate's acquisitions.
    """

    kind: Kind
    web: str
    reader: str
    body: bytes
    owner: bytes = b""
    group: bytes = b""
    notes: tuple[bytes, ...] = ()
    parents: tuple[str, ...] = ()
    plate: str = ""
    parts: tuple[Part, ...] = ()
    detail: bytes = b""
    runs: tuple[bytes, ...] = ()


_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Held] = msgspec.msgpack.Decoder(Held)


def encode_item(held: Held) -> bytes:
    """Return an item's bytes; equal items give equal bytes."""
    return _encoder.encode(held)


def decode_item(content: bytes) -> Held:
    """Read an item back; msgspec.DecodeError when it is none."""
    return _decoder.decode(content)


class IdSet:
    """A set of object ids that takes little memory, also as text, since ids come in runs.

    >>> seen = IdSet()
    >>> seen.add(7), 7 in seen, 8 in seen, 7 in IdSet(seen.text())
    (True, True, False, True)
    """

    def __init__(self, text: str = "") -> None:
        self._blocks: dict[int, int] = {}
        self._texts: dict[int, str] = {}
        for part in filter(None, text.split(",")):
            number, _, bits = part.partition("=")
            self._blocks[int(number)] = int.from_bytes(_unpacked(bits), "little")

    def add(self, id: int) -> bool:
        """Add an id; return whether it is new."""
        block, bit = divmod(id, _BITS)
        known = self._blocks.get(block, 0)
        if known >> bit & 1:
            return False
        self._blocks[block] = known | 1 << bit
        self._texts.pop(block, None)
        return True

    def update(self, ids: Iterable[int]) -> None:
        """Add several ids."""
        for id in ids:
            self.add(id)

    def __len__(self) -> int:
        return sum(bits.bit_count() for bits in self._blocks.values())

    def __contains__(self, id: object) -> bool:
        block, bit = divmod(id, _BITS) if isinstance(id, int) else (-1, 0)
        return bool(self._blocks.get(block, 0) >> bit & 1)

    def text(self) -> str:
        """Return the set as text, the same for equal sets."""
        for block in self._blocks.keys() - self._texts.keys():
            self._texts[block] = _packed(self._blocks[block])
        return ",".join(f"{block}={self._texts[block]}" for block in sorted(self._texts))


def _packed(bits: int) -> str:
    packed = zlib.compress(bits.to_bytes(_BITS // 8, "little"), 9)
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _unpacked(text: str) -> bytes:
    padded = text + "=" * (-len(text) % 4)
    return zlib.decompressobj().decompress(base64.urlsafe_b64decode(padded), _BITS // 8)


class Place(Struct, frozen=True, order=True):
    """Where a walk stands: a phase, an object whose children are walked, a page within them.

    ``last`` is the last object before ``offset``; an ``offset`` of -1 is the end of the children.
    """

    phase: int = 0
    scope: int = 0
    offset: int = 0
    last: int = 0


def read_cursor(text: str) -> tuple[Place, IdSet, str]:
    """Return a cursor's place, the images met before it, and how annotations were read.

    A cursor that cannot be read is the beginning.
    """
    head, _, seen = text.partition(" ")
    try:
        *numbers, way = head.split(":")
        phase, scope, offset, last = (int(number) for number in numbers)
        return Place(phase, scope, offset, last), IdSet(seen), way
    except (ValueError, zlib.error):
        return Place(), IdSet(), ""


def write_cursor(place: Place, seen: IdSet, way: str) -> str:
    """Return a place as a cursor."""
    numbers = f"{place.phase}:{place.scope}:{place.offset}:{place.last}"
    return f"{numbers}:{way} {seen.text()}".rstrip()
