"""The raw items of a folder of images: what was read of each file, uninterpreted."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from harvester.formats.hdf5_tree import Hdf5Document
from harvester.formats.jdce import Row
from harvester.formats.sidecar import DatasetFacts
from harvester.formats.tiff import TiffHeader
from harvester.formats.zarr_tree import Group, PlateGroup
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
    path: str = ""
    identity: str = ""


class ContainerItem(Struct, frozen=True, tag="container"):
    """A folder of images below a study."""

    native: str
    title: str
    place: Place
    path: str = ""
    identity: str = ""


class FileItem(Struct, frozen=True, tag="file", omit_defaults=True):
    """A TIFF or OME-XML file; ``location`` is where pixels can be read, from the root.

    ``native`` is the name that its records keep when it moves; "" while it is the path.
    """

    path: str
    location: str
    place: Place
    header: TiffHeader | None = None
    xml: bytes = b""
    native: str = ""
    identity: str = ""


class UnreadItem(Struct, frozen=True, tag="unread", omit_defaults=True):
    """An image of which no more is read than its name and size."""

    path: str
    size: int
    place: Place
    native: str = ""
    identity: str = ""


class Hdf5Item(Struct, frozen=True, tag="hdf5", omit_defaults=True):
    """An HDF5 file: its groups, data sets and attributes."""

    path: str
    size: int
    document: Hdf5Document
    place: Place
    native: str = ""
    identity: str = ""


class PlateItem(Struct, frozen=True, tag="plate", omit_defaults=True):
    """A plate of OME-Zarr, without its images."""

    plate: PlateGroup
    place: Place
    native: str = ""
    identity: str = ""


class GroupItem(Struct, frozen=True, tag="group", omit_defaults=True):
    """One image of OME-Zarr, or a collection of them; ``plate`` is its plate's native id."""

    group: Group
    place: Place
    native: str = ""
    identity: str = ""
    plate: str = ""


class ScreenedItem(Struct, frozen=True, tag="screened", omit_defaults=True):
    """A MetaXpress or ImageXpress plate without its fields.

    ``description`` is what its HTD or JDCE file holds, ``plane`` the text of its first TIFF file.
    """

    path: str
    native: str
    title: str
    place: Place
    description: bytes = b""
    plane: bytes = b""
    problems: tuple[Problem, ...] = ()
    projections: int = 0
    identity: str = ""


class FieldPlane(Struct, frozen=True, omit_defaults=True):
    """A plane of a field whose own tags are kept: the first of each wavelength, time, depth.

    ``own`` are the lines of its text that the first plane of the plate does not have.
    """

    wave: int
    time: int
    z: int
    text: bytes = b""
    own: bytes = b""
    row: Row | None = None


class Optics(Struct, frozen=True, omit_defaults=True):
    """What a plate's description says of all its images."""

    waves: tuple[tuple[int, str], ...] = ()
    """Number in the file names, and name."""
    pixel: tuple[float, float, str] | None = None
    z_step: float = 0.0
    objective: str = ""
    date: str = ""


class FieldItem(Struct, frozen=True, tag="field", omit_defaults=True):
    """One field (site) of a well: its files, and what the important ones say."""

    path: str
    plate: str
    plate_title: str
    well: str
    site: int
    place: Place
    folder: str
    files: tuple[str, ...]
    optics: Optics
    header: TiffHeader | None = None
    planes: tuple[FieldPlane, ...] = ()
    waves: tuple[int, ...] = ()
    times: int = 1
    depth: int = 1
    problems: tuple[Problem, ...] = ()


class ReadItem(Struct, frozen=True, tag="read"):
    """Says that everything below a key was read whole; it gives no record."""


Item = (
    StudyItem
    | ContainerItem
    | FileItem
    | UnreadItem
    | Hdf5Item
    | PlateItem
    | GroupItem
    | ScreenedItem
    | FieldItem
    | ReadItem
)


def damage_of(path: str, header: TiffHeader) -> Problem:
    """Return the problem of a file whose metadata can be read, but not all of its pixels."""
    return Problem(path, header.damage, hint="the file is truncated or damaged; copy it again")


_decoder: msgspec.msgpack.Decoder[Item] = msgspec.msgpack.Decoder(Item)
_encoder = msgspec.msgpack.Encoder(order="sorted")


def pack(key: str, item: Item, stamp: str = "") -> RawItem:
    """Return the raw item of what was read; equal items give equal content."""
    native = getattr(item, "native", "")
    return RawItem(
        key,
        _encoder.encode(item),
        stamp=stamp,
        identity=getattr(item, "identity", ""),
        name="" if native == key else native,
    )


def unpack(raw: RawItem) -> Item:
    """Return what was read, from its raw item; SourceMalformed unless :func:`pack` made it."""
    try:
        return _decoder.decode(raw.content)
    except (msgspec.DecodeError, RecursionError) as error:
        raise SourceMalformed(f"not a raw item of this source: {error}") from error
