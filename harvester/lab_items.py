"""The raw items of a folder of images: what was read of each file, uninterpreted."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from harvester.sidecar import DatasetFacts
from harvester.tiff import TiffHeader
from harvester.zarr_tree import Group, PlateGroup
from parfocal.errors import SourceMalformed
from parfocal.model import KeyValue
from parfocal.values import Problem, RawItem


class Place(Struct, frozen=True):
    """Where an item lies: native ids of study and parent, who may see it, sidecar key-values."""

    study: str
    parent: str
    access: tuple[str, ...] = ()
    pairs: tuple[KeyValue, ...] = ()


class StudyItem(Struct, frozen=True, tag="study"):
    """A folder that is a study."""

    native: str
    title: str
    access: tuple[str, ...] = ()
    dataset: DatasetFacts | None = None


class ContainerItem(Struct, frozen=True, tag="container"):
    """A folder of images below a study."""

    native: str
    title: str
    place: Place


class FileItem(Struct, frozen=True, tag="file"):
    """A TIFF or OME-XML file; ``location`` is where pixels can be read, from the root."""

    path: str
    location: str
    place: Place
    header: TiffHeader | None = None
    xml: bytes = b""


class PlateItem(Struct, frozen=True, tag="plate"):
    """A plate of OME-Zarr, without its images."""

    plate: PlateGroup
    place: Place


class GroupItem(Struct, frozen=True, tag="group"):
    """One image of OME-Zarr, or a collection of them."""

    group: Group
    place: Place


Item = StudyItem | ContainerItem | FileItem | PlateItem | GroupItem


def damage_of(path: str, header: TiffHeader) -> Problem:
    """Return the problem of a file whose metadata can be read, but not all of its pixels."""
    return Problem(path, header.damage, hint="the file is truncated or damaged; copy it again")


_decoder: msgspec.msgpack.Decoder[Item] = msgspec.msgpack.Decoder(Item)
_encoder = msgspec.msgpack.Encoder(order="sorted")


def pack(key: str, item: Item) -> RawItem:
    """Return the raw item of what was read; equal items give equal content."""
    return RawItem(key, _encoder.encode(item))


def unpack(raw: RawItem) -> Item:
    """Return what was read, from its raw item; SourceMalformed unless :func:`pack` made it."""
    try:
        return _decoder.decode(raw.content)
    except (msgspec.DecodeError, RecursionError) as error:
        raise SourceMalformed(f"not a raw item of this source: {error}") from error
