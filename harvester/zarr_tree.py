"""Reads the JSON documents of an OME-Zarr group from a folder tree, and nothing outside it.

Other places (archives, object stores) are read the same way through :class:`Documents`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from harvester import ngff
from parfocal.errors import SourceMalformed, SourceRefused

MAX_DOCUMENT = 16 * 1024 * 1024
MAX_METADATA_XML = 64 * 1024 * 1024
MAX_SERIES = 10_000
MARKS = frozenset({"zarr.json", ".zgroup", ".zattrs", ".zarray"})
_XML = "OME/METADATA.ome.xml"


class Documents(Protocol):
    """Where groups are read from, by relative paths that stay inside."""

    def read(self, path: str, most: int = MAX_DOCUMENT) -> bytes | None:
        """Return a whole document; None when there is none.

        Raises SourceMalformed when it is larger than ``most`` bytes, SourceRefused outside.
        """
        ...

    def has(self, path: str) -> bool:
        """Whether anything lies below a path."""
        ...


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

    def has(self, path: str) -> bool:
        """Whether there is a folder."""
        return self.inside(path).is_dir()


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


def checked(path: str) -> str:
    """Return a path that a document gives, if it stays within its group; else SourceMalformed."""
    parts = path.split("/")
    if not path or path.startswith("/") or "\\" in path or any(p in ("", ".", "..") for p in parts):
        raise SourceMalformed(f"the path {path[:200]!r} is not allowed within a group")
    return path


def _document(tree: Documents, group: str, path: str, into: dict[str, bytes]) -> bool:
    """Read the metadata of a group or array at a path within a group; False when there is none."""
    prefix = f"{path}/" if path else ""
    found = False
    for name in ("zarr.json", ".zattrs", ".zarray"):
        content = tree.read(f"{group}/{prefix}{name}")
        if content is not None:
            into[prefix + name] = content
            found = True
            if name == "zarr.json":
                break
    return found


def _add_image(tree: Documents, group: str, path: str, into: dict[str, bytes]) -> None:
    """Read the documents of one image: group, largest array, names of labels."""
    if not _document(tree, group, path, into):
        raise SourceMalformed("there is no group", where=path)
    prefix = f"{path}/" if path else ""
    level = checked(ngff.first_level(ngff.documents_of(into, path)))
    _document(tree, group, prefix + level, into)
    if tree.has(f"{group}/{prefix}labels"):
        _document(tree, group, f"{prefix}labels", into)


def read_group(tree: Documents, path: str) -> Iterator[Group | PlateGroup | tuple[str, str]]:
    """Yield what a zarr group of a folder tree holds, plates before their images.

    A pair (path, reason) stands for a part that cannot be read. Raises SourceMalformed or
    SourceRefused when the group as a whole cannot; yields nothing when it holds no OME metadata.
    """
    documents: dict[str, bytes] = {}
    _document(tree, path, "", documents)
    attributes = ngff.documents_of(documents, "")
    kind = ngff.kind_of(attributes)
    if kind == "plate":
        yield from _read_plate(tree, path, documents)
    elif kind == "well":
        yield from _read_well(tree, path, ngff.PlateWell("", ""))
    elif kind == "image":
        _add_image(tree, path, "", documents)
        yield Group(path, documents, ("",))
    elif kind == "collection":
        yield _read_collection(tree, path, documents)


def _read_plate(
    tree: Documents, path: str, documents: dict[str, bytes]
) -> Iterator[Group | PlateGroup | tuple[str, str]]:
    plate = ngff.read_plate(ngff.documents_of(documents, ""), path.rpartition("/")[2])
    if not plate.wells:
        raise SourceMalformed("a plate without wells", where="plate.wells")
    yield PlateGroup(path, documents)
    for well in dict.fromkeys(plate.wells):
        place = f"{path}/{well.path}"
        try:
            checked(well.path)
            yield from _read_well(tree, place, well, plate.name, path)
        except (SourceMalformed, SourceRefused, OSError) as error:
            yield f"{path}/{well.path[:200]}", str(error)


def _read_well(
    tree: Documents, path: str, well: ngff.PlateWell, plate: str = "", plate_path: str = ""
) -> Iterator[Group | tuple[str, str]]:
    documents: dict[str, bytes] = {}
    if not _document(tree, path, "", documents):
        raise SourceMalformed("the plate names a well that is not there")
    for image in dict.fromkeys(ngff.well_images(ngff.documents_of(documents, ""))):
        place = f"{path}/{image[:200]}"
        found: dict[str, bytes] = {}
        try:
            checked(image)
            _add_image(tree, place, "", found)
        except (SourceMalformed, SourceRefused, OSError) as error:
            yield place, str(error)
        else:
            yield Group(place, found, ("",), well=well.name, plate=plate, plate_path=plate_path)


def _series(tree: Documents, path: str, documents: dict[str, bytes]) -> list[str]:
    """Paths of a collection's images: what OME/ lists, else 0, 1, 2 ... while there are any."""
    if _document(tree, path, "OME", documents):
        listed = ngff.documents_of(documents, "OME").get("series")
        if isinstance(listed, list):
            return [checked(ngff.words(name)) for name in listed[:MAX_SERIES]]
    found: list[str] = []
    while len(found) < MAX_SERIES and tree.has(f"{path}/{len(found)}"):
        found.append(str(len(found)))
    return found


def _read_collection(tree: Documents, path: str, documents: dict[str, bytes]) -> Group:
    series = _series(tree, path, documents)
    for name in series:
        _add_image(tree, path, name, documents)
    if not series:
        raise SourceMalformed("a bioformats2raw collection without images")
    xml = tree.read(f"{path}/{_XML}", MAX_METADATA_XML) or b""
    return Group(path, documents, tuple(series), xml=xml)
