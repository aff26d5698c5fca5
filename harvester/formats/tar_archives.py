"""Tar archives as trees: read where they lie, or once from front to back when compressed."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Iterator
from typing import IO, Any

from harvester.formats.archive_members import (
    DAMAGED,
    UNPACK_HINT,
    ArchiveTree,
    Budget,
    Members,
    MemoryContent,
    PartContent,
    short,
    stream_of,
)
from harvester.formats.tiff import Content
from parfocal.errors import SourceRefused
from parfocal.values import Problem

_XZ_MEMORY = 256 * 1024 * 1024
_MAX_HEADER = 1024 * 1024
_NAME_TYPES = frozenset(
    (
        *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE),
        tarfile.SOLARIS_XHDTYPE,
    )
)
_KEPT_BYTES = 128 * 1024 * 1024


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
                hint=UNPACK_HINT,
            )
        return MemoryContent(self._kept[name])


class _Counted(io.RawIOBase):
    """What a compressed stream unpacks to, read once from front to back, within a budget."""

    def __init__(self, stream: Any, budget: Budget) -> None:
        super().__init__()
        self._stream = stream
        self._budget = budget

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        found = self._stream.read1(len(view))
        self._budget.spend(len(found))
        view[: len(found)] = found
        return len(found)


class _Xz:
    """Unpacks xz with bounded memory; the standard reader takes as much as the file asks for."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._unpacker = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)

    def read1(self, size: int) -> bytes:
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
    except DAMAGED as error:
        if not members.files:
            raise
        members.problems.append(
            Problem(f"{archive}!", f"is cut off or damaged: {short(error)}", hint="pack it again")
        )


def _member(members: Members, name: str, part: IO[bytes] | None) -> bytes:
    """Return a member's content; one that is cut off is left out."""
    try:
        return part.read() if part is not None else b""
    except DAMAGED as error:
        members.drop(name, f"cannot be unpacked: {short(error)}")
        return b""


def open_tar(archive: str, content: Content) -> ArchiveTree:
    """Open a tar archive, compressed or not."""
    members = Members(archive)
    unpacker = _UNPACKERS.get(content.at(0, 2))
    if unpacker is None:
        with tarfile.open(fileobj=stream_of(content), mode="r:", tarinfo=_SafeInfo) as file:
            for _ in _tar_members(archive, members, file):
                pass
        return TarTree(archive, members, content)
    kept: dict[str, bytes] = {}
    stream = io.BufferedReader(
        _Counted(unpacker(stream_of(content)), Budget(content.length)), 2**20
    )
    left = _KEPT_BYTES
    with tarfile.open(fileobj=stream, mode="r|", tarinfo=_SafeInfo) as file:
        for name, info in _tar_members(archive, members, file):
            if info.size <= left:
                kept[name] = _member(members, name, file.extractfile(info))
                left -= len(kept[name])
    return SolidTree(archive, members, kept)
