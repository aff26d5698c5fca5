"""The members of an archive as a tree: what every kind of archive has in common.

A member's path is the archive's, ``!/``, and its path within: ``run.zip!/cells/a.tif``. Archives
lie about everything, so that names, sizes and what is unpacked are bounded and looked at twice.
"""

from __future__ import annotations

import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from harvester.formats.hdf5_tree import ContentStream
from harvester.formats.tiff import Content
from harvester.formats.zarr_tree import MARKS, MAX_DOCUMENT
from harvester.lab.kinds import kind_of
from harvester.lab.tree import MAX_DEPTH, Found, Listing
from parfocal.errors import SourceMalformed, SourceRefused
from parfocal.values import Problem

MAX_MEMBERS = 200_000
MAX_NAME = 1000
MAX_RATIO = 200
"""How many times its own size an archive may unpack to, beyond the first gigabyte."""
FREE_BYTES = 1024 * 1024 * 1024
UNPACK_HINT = "unpack the archive beside it"
DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError),
    *(ValueError, LookupError, OverflowError, NotImplementedError, RuntimeError),
)
"""What the standard readers raise for archives that are damaged."""
_DOTTED = MARKS | {".", ".."}
_ZARR_NAMES = MARKS | {"METADATA.ome.xml", "ro-crate-metadata.json"}


def stream_of(content: Content) -> io.BufferedReader:
    """Return an open content as a stream."""
    return io.BufferedReader(ContentStream(content), 2**16)


def short(error: BaseException) -> str:
    """Return an error in one short line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


class MemoryContent:
    """A whole file in memory."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.length = len(content)

    def at(self, offset: int, length: int) -> bytes:
        """Return bytes from a place; fewer only at the end."""
        return self._content[offset : offset + length]


class PartContent:
    """A part of another content: a member that is stored as it is."""

    def __init__(self, content: Content, start: int, length: int) -> None:
        self._content = content
        self._start = start
        self.length = length

    def at(self, offset: int, length: int) -> bytes:
        """Return bytes from a place; fewer only at the end."""
        return self._content.at(self._start + offset, min(length, max(0, self.length - offset)))


class Budget:
    """How much an archive may still unpack to."""

    def __init__(self, size: int) -> None:
        self.left = FREE_BYTES + MAX_RATIO * size

    def spend(self, size: int) -> None:
        """Take away what was unpacked; SourceRefused when there was not so much left."""
        self.left -= size
        if self.left < 0:
            raise SourceRefused(
                f"the archive unpacks to more than {MAX_RATIO} times its size", hint=UNPACK_HINT
            )


def _wanted(name: str) -> bool:
    base = name.rpartition("/")[2]
    return bool(kind_of(base)) or base in _ZARR_NAMES


class Members:
    """The members of an archive by path, looked at before anything is read."""

    def __init__(self, archive: str) -> None:
        self._archive = archive
        self.files: dict[str, Found] = {}
        self.inside: dict[str, list[Found]] = {}
        self.places: dict[str, Any] = {}
        self.folders: dict[str, set[str]] = {"": set()}
        self.problems: list[Problem] = []
        self._count = 0

    def full(self, path: str) -> str:
        """Return the path from the source's root of a path within the archive."""
        return f"{self._archive}!/{path}" if path else f"{self._archive}!"

    def refuse(self, name: str, reason: str) -> None:
        """Say that a member is not read."""
        if len(self.problems) < 100:
            shown = ascii(name[:200])[1:-1]
            self.problems.append(Problem(f"{self._archive}!/{shown}", reason, hint=UNPACK_HINT))

    def add(self, name: str, size: int, changed: int, place: object, oddity: str = "") -> bool:
        """Add a member that is a file, and say whether it is wanted.

        ``oddity`` says why its content cannot be read.
        """
        self._count += 1
        if self._count > MAX_MEMBERS:
            raise SourceMalformed(f"more than {MAX_MEMBERS} members", hint=UNPACK_HINT)
        parts = name.split("/")
        if not _wanted(name) or _is_hidden(parts):
            return False
        if oddity or not _is_inside(name):
            self.refuse(name, oddity or "its path leads out of the archive")
        elif kind_of(parts[-1]) == "archive":
            self.refuse(name, "an archive within an archive is not read")
        elif name in self.files:
            self.refuse(name, "another member has the same path; the first one counts")
        else:
            self.files[name] = Found(self.full(name), size, changed)
            self.inside.setdefault("/".join(parts[:-1]), []).append(self.files[name])
            self.places[name] = place
            self._add_folders(parts)
            return True
        return False

    def drop(self, name: str, reason: str) -> None:
        """Leave out a member that was added, and say why."""
        found = self.files.pop(name)
        self.inside[name.rpartition("/")[0]].remove(found)
        self.refuse(name, reason)

    def _add_folders(self, parts: list[str]) -> None:
        for end in range(len(parts) - 1, 0, -1):
            above, folder = "/".join(parts[: end - 1]), "/".join(parts[:end])
            self.folders.setdefault(folder, set())
            beside = self.folders.setdefault(above, set())
            if folder in beside:
                return
            beside.add(folder)


def _is_hidden(parts: list[str]) -> bool:
    hidden = (part.startswith(".") and part not in _DOTTED for part in parts)
    return parts[0] == "__MACOSX" or any(hidden)


def _is_inside(name: str) -> bool:
    parts = name.split("/")
    return (
        0 < len(name) <= MAX_NAME
        and len(parts) <= MAX_DEPTH
        and not any(letter in name for letter in "\\\0")
        and ":" not in parts[0]
        and all(part not in ("", ".", "..") for part in parts)
    )


class ArchiveTree:
    """The members of one archive as a tree, by their paths from the source's root."""

    def __init__(self, archive: str, members: Members) -> None:
        self._prefix = f"{archive}!"
        self._members = members

    def _within(self, path: str) -> str:
        return path[len(self._prefix) :].strip("/")

    def listing(self, path: str) -> Listing | Problem:
        """Return what lies in a folder of the archive."""
        inside = self._within(path)
        members = self._members
        files = sorted(members.inside.get(inside, ()))
        folders = sorted(members.full(folder) for folder in members.folders.get(inside, ()))
        names = {file.base for file in files} | {folder.rpartition("/")[2] for folder in folders}
        shown = tuple(file for file in files if kind_of(file.base))
        problems = tuple(members.problems) if not inside else ()
        return Listing(shown, tuple(folders), frozenset(names), problems)

    @contextmanager
    def opened(self, file: Found) -> Iterator[Content]:
        """Open a member for reading at any place."""
        yield self._content(self._within(file.name))

    def read(self, path: str, most: int = MAX_DOCUMENT) -> bytes | None:
        """Return a whole member; None when there is none."""
        name = self._within(path)
        if name not in self._members.files:
            return None
        content = self._content(name)
        if content.length > most:
            raise SourceMalformed(f"larger than {most} bytes", where=path)
        return content.at(0, content.length)

    def _content(self, name: str) -> Content:
        raise NotImplementedError
