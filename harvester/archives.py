"""Files inside zip and tar archives, as a tree; nothing is unpacked to the disk.

A member's path is the archive's, ``!/``, and its path within: ``run.zip!/cells/a.tif``. Archives
lie about everything, so that names, sizes and what is unpacked are bounded and looked at twice.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import IO, Any

from harvester.hdf5_tree import ContentStream
from harvester.lab_kinds import ARCHIVE_SUFFIXES, kind_of
from harvester.lab_tree import MAX_DEPTH, Found, Listing
from harvester.tiff import Content
from harvester.zarr_tree import MARKS, MAX_DOCUMENT
from parfocal.errors import SourceMalformed, SourceRefused
from parfocal.values import Problem

MAX_MEMBERS = 200_000
MAX_NAME = 1000
MAX_WHOLE = 128 * 1024 * 1024
"""Largest compressed member that is read."""
MAX_RATIO = 200
"""How many times its own size an archive may unpack to, beyond the first gigabyte."""
FREE_BYTES = 1024 * 1024 * 1024
_XZ_MEMORY = 256 * 1024 * 1024
_MAX_HEADER = 1024 * 1024
_MAX_DIRECTORY = 64 * 1024 * 1024
_NAME_TYPES = frozenset(
    (
        *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE),
        tarfile.SOLARIS_XHDTYPE,
    )
)
_KEPT_BYTES = 128 * 1024 * 1024
_HINT = "unpack the archive beside it"
_DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError),
    *(ValueError, LookupError, OverflowError, NotImplementedError, RuntimeError),
)
_DOTTED = MARKS | {".", ".."}
_ZARR_NAMES = MARKS | {"METADATA.ome.xml", "ro-crate-metadata.json"}


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
                f"the archive unpacks to more than {MAX_RATIO} times its size", hint=_HINT
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
            self.problems.append(Problem(f"{self._archive}!/{shown}", reason, hint=_HINT))

    def add(self, name: str, size: int, changed: int, place: object, oddity: str = "") -> bool:
        """Add a member that is a file, and say whether it is wanted.

        ``oddity`` says why its content cannot be read.
        """
        self._count += 1
        if self._count > MAX_MEMBERS:
            raise SourceMalformed(f"more than {MAX_MEMBERS} members", hint=_HINT)
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

    def _add_folders(self, parts: list[str]) -> None:
        for end in range(len(parts) - 1, 0, -1):
            above, folder = "/".join(parts[: end - 1]), "/".join(parts[:end])
            self.folders.setdefault(above, set()).add(folder)
            if folder in self.folders:
                return
            self.folders[folder] = set()


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


# ------------------------------------------------------------------ zip


class ZipTree(ArchiveTree):
    """A zip archive: stored members are read where they lie, others unpacked in memory."""

    def __init__(
        self, archive: str, members: Members, file: zipfile.ZipFile, content: Content
    ) -> None:
        super().__init__(archive, members)
        self._file = file
        self._whole = content
        self._budget = Budget(content.length)

    def _content(self, name: str) -> Content:
        info: zipfile.ZipInfo = self._members.places[name]
        if info.compress_type == zipfile.ZIP_STORED:
            return self._stored(info)
        if info.file_size > MAX_WHOLE:
            raise SourceRefused(
                f"a member of {info.file_size:,} bytes; at most {MAX_WHOLE:,} are unpacked",
                hint=_HINT,
            )
        self._budget.spend(info.file_size)
        try:
            return MemoryContent(self._file.read(info))
        except _DAMAGED as error:
            raise SourceMalformed(f"cannot be unpacked: {_short(error)}", hint=_HINT) from error

    def _stored(self, info: zipfile.ZipInfo) -> Content:
        head = self._whole.at(info.header_offset, 30)
        if len(head) < 30 or head[:4] != b"PK\x03\x04":
            raise SourceMalformed("cannot be unpacked: its header is not where it should be")
        skipped = 30 + int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
        start = info.header_offset + skipped
        return PartContent(
            self._whole, start, max(0, min(info.file_size, self._whole.length - start))
        )


def _directory_size(content: Content) -> int:
    """How long the directory of a zip archive says it is, in bytes."""
    tail = content.at(max(0, content.length - 66_000), 66_000)
    place = tail.rfind(b"PK\x05\x06")
    size = int.from_bytes(tail[place + 12 : place + 16], "little") if place >= 0 else 0
    newer = tail.rfind(b"PK\x06\x06", 0, max(place, 0))
    if size == 0xFFFFFFFF and newer >= 0:
        size = int.from_bytes(tail[newer + 40 : newer + 48], "little")
    return size


def _zip_oddity(info: zipfile.ZipInfo) -> str:
    if info.flag_bits & 1:
        return "it is encrypted"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2):
        return "it is compressed in a way that is not read"
    mode = info.external_attr >> 16
    if stat.S_ISLNK(mode):
        return "it is a symbolic link"
    if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "it is no file"
    return ""


def _open_zip(archive: str, content: Content) -> ArchiveTree:
    if _directory_size(content) > _MAX_DIRECTORY:
        raise SourceMalformed("its directory is too large to be read", hint=_HINT)
    file = zipfile.ZipFile(_stream(content))
    members = Members(archive)
    for info in file.infolist():
        if not info.is_dir():
            changed = info.CRC << 32 | zlib.crc32(repr(info.date_time).encode())
            members.add(info.orig_filename, info.file_size, changed, info, _zip_oddity(info))
    return ZipTree(archive, members, file, content)


# ------------------------------------------------------------------ tar


class TarTree(ArchiveTree):
    """A tar archive that is not compressed: members are read where they lie."""

    def __init__(self, archive: str, members: Members, content: Content) -> None:
        super().__init__(archive, members)
        self._whole = content

    def _content(self, name: str) -> Content:
        start, size = self._members.places[name]
        return PartContent(self._whole, start, size)


class SolidTree(ArchiveTree):
    """A compressed tar archive: what is needed of its members was kept when it was read once."""

    def __init__(self, archive: str, members: Members, kept: dict[str, bytes]) -> None:
        super().__init__(archive, members)
        self._kept = kept

    def _content(self, name: str) -> Content:
        if name not in self._kept:
            raise SourceRefused(
                f"the compressed archive holds more than {_KEPT_BYTES:,} bytes of images",
                hint=_HINT,
            )
        return MemoryContent(self._kept[name])


class _Counted(io.RawIOBase):
    """What a compressed stream unpacks to, read once from front to back, within a budget."""

    def __init__(self, stream: IO[bytes], budget: Budget) -> None:
        super().__init__()
        self._stream = stream
        self._budget = budget

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        found = self._stream.read(len(view))
        self._budget.spend(len(found))
        view[: len(found)] = found
        return len(found)


class _Xz:
    """Unpacks xz with bounded memory; the standard reader takes as much as the file asks for."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._unpacker = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)

    def read(self, size: int) -> bytes:
        """Return some of the next bytes; none at the end."""
        while not self._unpacker.eof:
            packed = self._stream.read(2**16) if self._unpacker.needs_input else b""
            if self._unpacker.needs_input and not packed:
                raise EOFError("the archive is cut off")
            found = self._unpacker.decompress(packed, size)
            if found:
                return found
        return b""


class _SafeInfo(tarfile.TarInfo):
    """A header of which long names and the like are read into memory only when they are short."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _NAME_TYPES and self.size > _MAX_HEADER:
            raise tarfile.ReadError(f"a header of {self.size:,} bytes")
        return super()._proc_member(archive)  # type: ignore[misc,no-any-return]


_UNPACKERS: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": lambda stream: gzip.GzipFile(fileobj=stream),
    b"BZ": bz2.BZ2File,
    b"\xfd7": _Xz,
}


def _tar_oddity(info: tarfile.TarInfo) -> str:
    if info.issym() or info.islnk():
        return "it is a link"
    if not info.isreg():
        return "it is a device, pipe or other thing that is no file"
    return "it is stored with gaps" if info.sparse is not None else ""


def _tar_members(
    archive: str, members: Members, file: tarfile.TarFile
) -> Iterator[tuple[str, tarfile.TarInfo]]:
    """Add the members of a tar archive, and yield those that are wanted; damage ends it."""
    try:
        for info in file:
            file.members = []  # type: ignore[attr-defined]  # it would keep all of them
            name = info.name.removeprefix("./")
            place = (info.offset_data, info.size)
            if not info.isdir() and members.add(
                name, info.size, int(info.mtime * 1000), place, _tar_oddity(info)
            ):
                yield name, info
    except _DAMAGED as error:
        if not members.files:
            raise
        members.problems.append(
            Problem(f"{archive}!", f"is cut off or damaged: {_short(error)}", hint="pack it again")
        )


def _open_tar(archive: str, content: Content) -> ArchiveTree:
    members = Members(archive)
    unpacker = _UNPACKERS.get(content.at(0, 2))
    if unpacker is None:
        with tarfile.open(fileobj=_stream(content), mode="r:", tarinfo=_SafeInfo) as file:
            for _ in _tar_members(archive, members, file):
                pass
        return TarTree(archive, members, content)
    kept: dict[str, bytes] = {}
    stream = io.BufferedReader(_Counted(unpacker(_stream(content)), Budget(content.length)), 2**20)
    left = _KEPT_BYTES
    with tarfile.open(fileobj=stream, mode="r|", tarinfo=_SafeInfo) as file:
        for name, info in _tar_members(archive, members, file):
            if info.size <= left:
                part = file.extractfile(info)
                kept[name] = part.read() if part else b""
                left -= len(kept[name])
    return SolidTree(archive, members, kept)


def _stream(content: Content) -> io.BufferedReader:
    return io.BufferedReader(ContentStream(content), 2**16)


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


@contextmanager
def open_archive(archive: str, opened: AbstractContextManager[Content]) -> Iterator[ArchiveTree]:
    """Open an archive, given by its path from the source's root and its open content.

    Raises SourceMalformed for what is no archive or is damaged, SourceRefused for one that
    unpacks to far too much.
    """
    with opened as content:
        try:
            is_zip = archive.lower().endswith(ARCHIVE_SUFFIXES[:2])
            tree = (_open_zip if is_zip else _open_tar)(archive, content)
        except _DAMAGED as error:
            raise SourceMalformed(
                f"cannot be read as an archive: {_short(error)}", hint="copy or pack it again"
            ) from error
        yield tree
