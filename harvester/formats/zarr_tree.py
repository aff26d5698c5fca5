"""Which JSON documents of an OME-Zarr group are read, from a disk, an archive file or a server.

A *reading* is a generator: it yields the paths that it wants next and is sent their contents, so
that the same rules serve files that are read one by one and servers that are asked for several
at once. :func:`read_group` reads from :class:`Documents`; no path leaves what they hold.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from msgspec import Struct

from harvester.formats import ngff
from parfocal.errors import SourceMalformed, SourceRefused

MAX_DOCUMENT = 16 * 1024 * 1024
MAX_METADATA_XML = 64 * 1024 * 1024
MAX_SERIES = 10_000
MARKS = frozenset({"zarr.json", ".zgroup", ".zattrs", ".zarray"})
CRATE = "ro-crate-metadata.json"
METADATA = "OME/METADATA.ome.xml"
_SERIES_A_STEP = 16

T = TypeVar("T")


class Documents(Protocol):
    """Where groups are read from, by relative paths that stay inside: a disk, an archive file."""

    def read(self, path: str, most: int = MAX_DOCUMENT) -> bytes | None:
        """Return a whole file; None when there is none, SourceMalformed when it is larger."""
        ...


class Wanted(Struct, frozen=True):
    """Paths of files whose contents a reading needs next, None for each that is not there."""

    paths: tuple[str, ...]
    most: int = MAX_DOCUMENT


Contents = Sequence[bytes | None]
Reading = Generator[Wanted, Contents, T]


class Tree:
    """A folder that is read by relative paths; links and paths that leave it are refused."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._real = os.path.realpath(root)

    def holds(self, path: str) -> bool:
        """Whether a relative path stays below the root when all links are followed."""
        real = os.path.realpath(self.root / path)
        return real == self._real or real.startswith(self._real.rstrip(os.sep) + os.sep)

    def inside(self, path: str) -> Path:
        """Return the place of a relative path; SourceRefused when it would leave the root."""
        if "\0" in path or not self.holds(path):
            raise SourceRefused(f"the path {path[:200]!r} leads out of the source's folder")
        return self.root / path

    def read(self, path: str, most: int = MAX_DOCUMENT) -> bytes | None:
        """Read a whole file; None when there is none."""
        place = self.inside(path)
        if not place.is_file():
            return None
        if place.stat().st_size > most:
            raise SourceMalformed(f"larger than {most} bytes", where=path)
        return place.read_bytes()


class Group(Struct, frozen=True):
    """Documents of one group, by their path within it."""

    path: str
    documents: dict[str, bytes]
    images: tuple[str, ...]
    """Paths of the group's images within it; "" for an image group itself."""
    xml: bytes = b""
    well: str = ""
    plate: str = ""
    plate_path: str = ""


class PlateGroup(Struct, frozen=True):
    """Documents of a plate."""

    path: str
    documents: dict[str, bytes]


class Opened(Struct, frozen=True):
    """A group whose own document is read: what it is, and what it says.

    ``names`` are the files and folders (with a slash) directly in it; None when that is unknown.
    """

    path: str
    kind: str
    documents: dict[str, bytes]
    names: frozenset[str] | None = None

    def may_have(self, name: str) -> bool:
        """Whether there may be a file or folder directly in it."""
        return self.names is None or name in self.names

    @property
    def is_scene(self) -> bool:
        """Whether it brings the groups within it into one space (0.6), and is no image itself."""
        return "scene" in ngff.documents_of(self.documents, "")

    @property
    def is_array(self) -> bool:
        """Whether it is no group at all, but an array with its chunks below it."""
        document = self.documents.get("zarr.json")
        return document is not None and ngff.parse(document, "").get("node_type") == "array"


def checked(path: str) -> str:
    """Return a path that a document gives, if it stays within its group; else SourceMalformed."""
    parts = path.split("/")
    if not path or path.startswith("/") or "\\" in path or any(p in ("", ".", "..") for p in parts):
        raise SourceMalformed(f"the path {path[:200]!r} is not allowed within a group")
    return path


def _below(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


# ------------------------------------------------------------------ readings


def _documents(
    group: str, places: Sequence[str], into: dict[str, bytes], newer: bool | None = None
) -> Reading[list[bool]]:
    """Read the documents at places within a group; say which of them are there.

    A place is the path of its document in Zarr 2; in Zarr 3 its name is ``zarr.json``. Unless it is
    known which of the two a group is, both are looked for.
    """
    found = [False] * len(places)
    names = [_below(place.rpartition("/")[0], "zarr.json") for place in places]
    if newer is not False:
        yield from _take(group, names, found, into)
    if newer is not True and not all(found):
        yield from _take(group, places, found, into)
    return found


def _take(
    group: str, names: Sequence[str], found: list[bool], into: dict[str, bytes]
) -> Reading[None]:
    """Read those of the files that belong to a place where none was found yet."""
    wanted = [(number, name) for number, name in enumerate(names) if not found[number]]
    contents = yield Wanted(tuple(_below(group, name) for _, name in wanted))
    for (number, name), content in zip(wanted, contents, strict=True):
        if content is not None:
            into[name] = content
            found[number] = True


def open_group(path: str, names: frozenset[str] | None = None) -> Reading[Opened]:
    """Read a group's own document; its kind is "" when it holds no OME metadata."""
    documents: dict[str, bytes] = {}
    newer = None if names is None else "zarr.json" in names
    yield from _documents(path, (".zattrs",), documents, newer)
    return Opened(path, ngff.kind_of(ngff.documents_of(documents, "")), documents, names)


def _add_images(
    group: str,
    images: Sequence[str],
    into: dict[str, bytes],
    *,
    labels: bool = True,
    more: Sequence[str] = (),
) -> Reading[None]:
    """Read what belongs to images of a group: their documents, largest arrays, names of labels.

    ``more`` are paths of other files of the group.
    """
    newer = _is_newer(into)
    waiting = [image for image in images if not ngff.documents_of(into, image)]
    found = yield from _documents(group, [f"{image}/.zattrs" for image in waiting], into, newer)
    for image, there in zip(waiting, found, strict=True):
        if not there:
            raise SourceMalformed("there is no group", where=image)
    places: list[str] = []
    for image in images:
        level = checked(ngff.first_level(ngff.documents_of(into, image)))
        places.append(_below(image, f"{level}/.zarray"))
        if labels:
            places.append(_below(image, "labels/.zattrs"))
    if newer:
        names = [_below(place.rpartition("/")[0], "zarr.json") for place in places]
        yield from _take(group, [*names, *more], [False] * (len(names) + len(more)), into)
    else:
        yield from _take(group, [*places, *more], [False] * (len(places) + len(more)), into)


def _is_newer(documents: dict[str, bytes]) -> bool:
    """Whether a group whose own document was read is one of Zarr 3."""
    return "zarr.json" in documents


def read_image(opened: Opened) -> Reading[Group]:
    """Read an image group that lies alone."""
    documents = dict(opened.documents)
    labels = opened.may_have("labels/")
    more = (CRATE,) if opened.may_have(CRATE) else ()
    yield from _add_images(opened.path, ("",), documents, labels=labels, more=more)
    return Group(opened.path, documents, ("",))


def _add_crate(opened: Opened, into: dict[str, bytes]) -> Reading[None]:
    if opened.may_have(CRATE):
        (content,) = yield Wanted((_below(opened.path, CRATE),))
        if content is not None:
            into[CRATE] = content


def read_plate(opened: Opened) -> Reading[tuple[PlateGroup, ngff.PlateFacts]]:
    """Read a plate without its wells; say which it has."""
    name = opened.path.rpartition("/")[2]
    facts = ngff.read_plate(ngff.documents_of(opened.documents, ""), name)
    if not facts.wells:
        raise SourceMalformed("a plate without wells", where="plate.wells")
    documents = dict(opened.documents)
    yield from _add_crate(opened, documents)
    return PlateGroup(opened.path, documents), facts


def read_well(path: str, newer: bool | None = None) -> Reading[tuple[str, ...]]:
    """Read a well's document; return the paths of its images within it."""
    documents: dict[str, bytes] = {}
    (found,) = yield from _documents(path, (".zattrs",), documents, newer)
    if not found:
        raise SourceMalformed("the plate names a well that is not there")
    return tuple(dict.fromkeys(ngff.well_images(ngff.documents_of(documents, ""))))


class Spot(Struct, frozen=True):
    """Where a well stands: its name, its plate's name and path, the plate's kind of Zarr.

    ``xml`` is the state of the plate's OME-XML, which says more of the well's images.
    """

    well: str = ""
    plate: str = ""
    plate_path: str = ""
    newer: bool | None = None
    xml: str = ""


def read_field(path: str, spot: Spot) -> Reading[Group]:
    """Read an image of a well."""
    documents: dict[str, bytes] = {}
    (found,) = yield from _documents(path, (".zattrs",), documents, spot.newer)
    if not found:
        raise SourceMalformed("there is no group")
    yield from _add_images(path, ("",), documents)
    return Group(
        path, documents, ("",), well=spot.well, plate=spot.plate, plate_path=spot.plate_path
    )


def _series(opened: Opened, documents: dict[str, bytes]) -> Reading[list[str]]:
    """Paths of a collection's images: what OME/ lists, else 0, 1, 2 ... while there are any."""
    path, newer = opened.path, _is_newer(documents)
    if opened.may_have("OME/"):
        yield from _documents(path, ("OME/.zattrs",), documents, newer)
        listed = ngff.documents_of(documents, "OME").get("series")
        if isinstance(listed, list):
            return [checked(ngff.words(name)) for name in listed[:MAX_SERIES]]
    series: list[str] = []
    while len(series) < MAX_SERIES:
        names = [str(len(series) + step) for step in range(_SERIES_A_STEP)]
        places = [f"{name}/.zattrs" for name in names]
        there = yield from _documents(path, places, documents, newer)
        count = there.index(False) if False in there else len(there)
        series += names[:count]
        if count < len(names):
            break
    return series


def read_collection(opened: Opened) -> Reading[Group]:
    """Read a collection of bioformats2raw with all its images."""
    documents = dict(opened.documents)
    series = yield from _series(opened, documents)
    if not series:
        raise SourceMalformed("a bioformats2raw collection without images")
    yield from _add_images(opened.path, series, documents)
    yield from _add_crate(opened, documents)
    xml: bytes | None = None
    if opened.may_have("OME/"):
        (xml,) = yield Wanted((_below(opened.path, METADATA),), MAX_METADATA_XML)
    return Group(opened.path, documents, tuple(series), xml=xml or b"")


def has_array(group: Group, image: str) -> bool:
    """Whether the metadata of an image's largest array were there to be read."""
    level = ngff.first_level(ngff.documents_of(group.documents, image))
    return bool(ngff.array_of(group.documents, _below(image, level)))


# ------------------------------------------------------------------ reading from files


def follow(reading: Reading[T], read: Callable[[str, int], bytes | None]) -> T:
    """Carry a reading out, one file after the other."""
    try:
        wanted = next(reading)
        while True:
            wanted = reading.send([read(path, wanted.most) for path in wanted.paths])
    except StopIteration as end:
        result: T = end.value
        return result


Part = Group | PlateGroup | tuple[str, str]
"""An image or collection, a plate, or (path, reason) of what cannot be read."""


def read_group(files: Documents, path: str) -> Iterator[Part]:
    """Yield what a zarr group holds, plates before their images.

    Raises SourceMalformed or SourceRefused when the group as a whole cannot be read; yields
    nothing when it holds no OME metadata.
    """
    opened = follow(open_group(path), files.read)
    if opened.kind == "plate":
        yield from _plate_parts(files, opened)
    elif opened.kind == "well":
        yield from _well_parts(files, path, Spot())
    elif opened.kind == "image":
        yield follow(read_image(opened), files.read)
    elif opened.kind == "collection":
        yield follow(read_collection(opened), files.read)


def _plate_parts(files: Documents, opened: Opened) -> Iterator[Part]:
    plate, facts = follow(read_plate(opened), files.read)
    yield plate
    for well in dict.fromkeys(facts.wells):
        spot = Spot(well.name, facts.name, opened.path, _is_newer(opened.documents))
        try:
            checked(well.path)
            yield from _well_parts(files, f"{opened.path}/{well.path}", spot)
        except (SourceMalformed, SourceRefused, OSError) as error:
            yield f"{opened.path}/{well.path[:200]}", str(error)


def _well_parts(files: Documents, path: str, spot: Spot) -> Iterator[Part]:
    for image in follow(read_well(path, spot.newer), files.read):
        place = f"{path}/{image[:200]}"
        try:
            checked(image)
            yield follow(read_field(place, spot), files.read)
        except (SourceMalformed, SourceRefused, OSError) as error:
            yield place, str(error)
