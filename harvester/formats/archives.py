"""Opens zip and tar archives as trees, and reads zip archives; nothing is unpacked to the disk."""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

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
from harvester.formats.tar_archives import open_tar
from harvester.formats.tiff import Content
from harvester.lab.kinds import ARCHIVE_SUFFIXES
from parfocal.errors import SourceMalformed, SourceRefused

MAX_WHOLE = 128 * 1024 * 1024
"""Largest compressed member that is read."""
_MAX_DIRECTORY = 64 * 1024 * 1024


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
                hint=UNPACK_HINT,
            )
        self._budget.spend(info.file_size)
        try:
            return MemoryContent(self._file.read(info))
        except DAMAGED as error:
            raise SourceMalformed(
                f"cannot be unpacked: {short(error)}", hint=UNPACK_HINT
            ) from error

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


def open_zip(archive: str, content: Content) -> ArchiveTree:
    """Open a zip archive."""
    if _directory_size(content) > _MAX_DIRECTORY:
        raise SourceMalformed("its directory is too large to be read", hint=UNPACK_HINT)
    file = zipfile.ZipFile(stream_of(content))
    members = Members(archive)
    for info in file.infolist():
        if not info.is_dir():
            changed = info.CRC << 32 | zlib.crc32(repr(info.date_time).encode())
            name = info.orig_filename.replace("\\", "/")  # as some programs on Windows write them
            members.add(name, info.file_size, changed, info, _zip_oddity(info))
    return ZipTree(archive, members, file, content)


@contextmanager
def open_archive(archive: str, opened: AbstractContextManager[Content]) -> Iterator[ArchiveTree]:
    """Open an archive, given by its path from the source's root and its open content.

    Raises SourceMalformed for what is no archive or is damaged, SourceRefused for one that
    unpacks to far too much.
    """
    with opened as content:
        try:
            is_zip = archive.lower().endswith(ARCHIVE_SUFFIXES[:2])
            tree = (open_zip if is_zip else open_tar)(archive, content)
        except DAMAGED as error:
            raise SourceMalformed(
                f"cannot be read as an archive: {short(error)}", hint="copy or pack it again"
            ) from error
        yield tree
