"""What lies in a folder of a lab's disk, and how its files are opened: sizes and times, no content.

An archive file is a tree as well (:mod:`harvester.formats.archives`): both are walked by the
same rules.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from harvester.formats.tiff import Content, FileContent
from harvester.formats.zarr_tree import MAX_DOCUMENT, Tree
from harvester.lab.kinds import kind_of
from parfocal.errors import SourceMalformed, SourceRefused
from parfocal.values import Problem

MAX_DEPTH = 32
MAX_ENTRIES = 1_000_000


class Found(Struct, frozen=True, order=True):
    """A file; ``name`` is its path below the source's root, ``changed`` its time or checksum."""

    name: str
    size: int = 0
    changed: int = 0
    linked: bool = False

    @property
    def base(self) -> str:
        """The last part of the name."""
        return self.name.rpartition("/")[2]

    @property
    def stamp(self) -> str:
        """What can be compared without opening it."""
        return f"{self.size}:{self.changed}"


class Listing(Struct, frozen=True):
    """What lies directly in a folder, sorted; ``names`` are those of all entries."""

    files: tuple[Found, ...]
    folders: tuple[str, ...]
    names: frozenset[str]
    problems: tuple[Problem, ...] = ()

    def digest(self) -> str:
        """Stand for the names, sizes and times of the wanted files and the names of folders."""
        lines = [f"{f.name.rpartition('/')[2]}\0{f.size}\0{f.changed}" for f in self.files]
        lines += [folder.rpartition("/")[2] for folder in self.folders]
        text = "\n".join(lines).encode("utf-8", "surrogateescape")
        return blake2b(text, digest_size=12).hexdigest()


class LabTree(Protocol):
    """A tree of files by their paths below the source's root; nothing outside it is read."""

    def listing(self, path: str) -> Listing | Problem:
        """Return what lies in a folder."""
        ...

    def opened(self, file: Found) -> AbstractContextManager[Content]:
        """Open a file for reading at any place; raises SourceError or OSError."""
        ...

    def read(self, path: str, most: int = MAX_DOCUMENT) -> bytes | None:
        """Return a whole file, None when there is none; SourceMalformed when it is larger."""
        ...


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


class DiskTree(Tree):
    """A folder of the disk; links that lead out of it are refused."""

    def __init__(self, root: Path, name: str) -> None:
        super().__init__(root)
        self.name = name
        """What the root is called in problems."""
        self._prefix = f"{root}{os.sep}"

    def listing(self, path: str) -> Listing | Problem:
        """Return what lies in a folder; hidden entries are left out."""
        try:
            with os.scandir(self.root / path) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            reason = f"folder cannot be read: {_reason(error)}"
            return Problem(path or self.name, reason, hint="check the folder's permissions")
        if len(entries) > MAX_ENTRIES:
            return Problem(path or self.name, f"folder has more than {MAX_ENTRIES} entries")
        if path.count("/") >= MAX_DEPTH:
            return Problem(path, "folders are nested too deeply")
        sorting = _Sorting(self, f"{path}/" if path else "")
        for entry in entries:
            if not entry.name.startswith("."):
                sorting.take(entry)
        return Listing(
            tuple(sorting.files),
            tuple(sorting.folders),
            frozenset([entry.name for entry in entries]),
            tuple(sorting.problems),
        )

    @contextmanager
    def opened(self, file: Found) -> Iterator[Content]:
        """Open a regular file; one that became a link since it was listed is refused."""
        follow = 0 if file.linked else os.O_NOFOLLOW
        place = f"{self._prefix}{file.name}"
        place = os.path.realpath(place) if file.linked else place
        descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | follow)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise SourceRefused("is not a regular file")
            yield FileContent(descriptor, status.st_size)
        finally:
            os.close(descriptor)


class _Sorting:
    """Sorts the entries of one folder into files, folders and problems."""

    def __init__(self, tree: DiskTree, prefix: str) -> None:
        self._tree = tree
        self._prefix = prefix
        self.files: list[Found] = []
        self.folders: list[str] = []
        self.problems: list[Problem] = []

    def take(self, entry: os.DirEntry[str]) -> None:
        name = self._prefix + entry.name
        wanted = bool(kind_of(entry.name))
        try:
            name.encode()
            if entry.is_symlink():
                self._link(entry, name, wanted)
            elif entry.is_dir():
                self.folders.append(name)
            elif wanted:
                self._file(entry, name)
        except UnicodeEncodeError:
            self.problems.append(Problem(ascii(name), "file name is not UTF-8", hint="rename it"))
        except OSError as error:
            self.problems.append(Problem(name, f"cannot be looked at: {_reason(error)}"))

    def _file(self, entry: os.DirEntry[str], name: str, *, linked: bool = False) -> None:
        status = entry.stat()
        if stat.S_ISREG(status.st_mode):
            self.files.append(Found(name, status.st_size, status.st_mtime_ns, linked))
        else:
            self.problems.append(Problem(name, "is no file, or a link to nothing"))

    def _link(self, entry: os.DirEntry[str], name: str, wanted: bool) -> None:
        folder = entry.is_dir()
        if not (wanted or folder):
            return
        if not self._tree.holds(name):
            hint = "copy it into the folder, or make its own folder a source"
            reason = "symbolic link leads out of the folder"
            self.problems.append(Problem(name, reason, hint=hint))
        elif not folder and not entry.is_file():
            self.problems.append(Problem(name, "is no file, or a link to nothing"))
        elif not folder:
            self._file(entry, name, linked=True)


def read_found(tree: LabTree, file: Found, most: int) -> bytes:
    """Return a listed file's whole content; SourceMalformed beyond ``most`` bytes.

    Raises SourceRefused when it cannot be opened.
    """
    try:
        with tree.opened(file) as content:
            if content.length > most:
                raise SourceMalformed(
                    f"is larger than {most // 1_000_000} MB", where=file.base, hint="split the file"
                )
            return content.at(0, content.length)
    except OSError as error:
        raise SourceRefused(
            f"cannot be read: {_reason(error)}", where=file.base, hint="check its permissions"
        ) from error
