"""The raw items of object stores and of lists of Zarr addresses: what was read, uninterpreted."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from harvester.lab import items as lab_items
from harvester.lab.items import Item
from parfocal.errors import SourceMalformed
from parfocal.values import Problem, RawItem


class RemoteItem(Struct, frozen=True, omit_defaults=True):
    """An item as of a folder, where it was read, and what a list said of it.

    ``lab`` is empty for a file that another file of its set speaks for. ``root`` is the address
    that paths count from when that is not the bucket; ``row`` are the columns of a list's row.
    """

    lab: bytes = b""
    root: str = ""
    row: tuple[tuple[str, str], ...] = ()


_decoder: msgspec.msgpack.Decoder[RemoteItem] = msgspec.msgpack.Decoder(RemoteItem)


def pack(
    key: str,
    item: Item | None,
    *,
    stamp: str = "",
    root: str = "",
    row: tuple[tuple[str, str], ...] = (),
) -> RawItem:
    """Return the raw item of what was read; equal items give equal content."""
    lab = lab_items.pack(key, item).content if item is not None else b""
    return RawItem(key, msgspec.msgpack.encode(RemoteItem(lab, root, row)), stamp=stamp)


def unpack(raw: RawItem) -> RemoteItem:
    """Return what was read, from its raw item; SourceMalformed unless :func:`pack` made it."""
    try:
        return _decoder.decode(raw.content)
    except (msgspec.DecodeError, RecursionError) as error:
        raise SourceMalformed(f"not a raw item of this source: {error}") from error


def not_ome(path: str) -> Problem:
    """Return the problem of a Zarr group that holds no OME metadata."""
    hint = "an OME-Zarr group has multiscales, plate or bioformats2raw.layout"
    return Problem(path, "no OME-Zarr metadata", hint=hint)
