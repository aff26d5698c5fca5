"""Raw items of the source ``rocrate``, and finding crates in files and zip archives."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from parfocal.errors import SourceMalformed

SUFFIX = "ro-crate-metadata.json"
MAX_CRATE = 32 * 1024 * 1024
MAX_ALL = 8 * MAX_CRATE
MAX_MEMBERS = 200_000


class CrateItem(Struct, frozen=True):
    """A crate as it was found, the native id that it got, and where it lies.

    ``path`` is where its metadata lies: a path below the source's root, or an address.
    """

    path: str
    native: str
    content: bytes
    remote: bool = False

    @property
    def base(self) -> str:
        """Return the folder or address that the crate's parts lie in."""
        folder, slash, _ = self.path.rpartition("/")
        return folder + slash if self.remote else folder


decoder: msgspec.msgpack.Decoder[CrateItem] = msgspec.msgpack.Decoder(CrateItem)
encode = msgspec.msgpack.encode


class Found(Struct, frozen=True):
    """A crate's metadata at a place; or why what stands there is none."""

    path: str
    content: bytes = b""
    error: SourceMalformed | None = None


def is_metadata(name: str) -> bool:
    """Whether a file of this name describes a crate."""
    return name.endswith((SUFFIX, "ro-crate-metadata.jsonld"))


def stem_of(path: str) -> str:
    """Return a crate's path without the part that all crates have: its folder's or own name.

    >>> stem_of("deep/S-1-ro-crate-metadata.json"), stem_of("deep/c/ro-crate-metadata.json")
    ('deep/S-1', 'deep/c')
    """
    plain = path.removesuffix(".jsonld").removesuffix(".json").removesuffix("ro-crate-metadata")
    return plain.removesuffix(".zip").rstrip("/-._") or "crate"


def crates_in_zip(archive: Path | bytes, where: str) -> Iterator[Found]:
    """Yield the crates in a zip archive, sorted; their paths are those of archive and member.

    Nothing is unpacked to disk, and no member larger than it may be is read. Raises
    SourceMalformed when the archive itself cannot be read.
    """
    source = io.BytesIO(archive) if isinstance(archive, bytes) else archive
    left = MAX_ALL
    try:
        with zipfile.ZipFile(source) as held:
            if len(held.infolist()) > MAX_MEMBERS:
                raise SourceMalformed(f"has more than {MAX_MEMBERS} files", where=where)
            members = [m for m in held.infolist() if is_metadata(m.filename) and not m.is_dir()]
            for member in sorted(members, key=lambda m: m.filename):
                found = _member(held, member, where)
                left -= len(found.content)
                if left < 0:
                    raise SourceMalformed("has too much metadata of crates", where=where)
                yield found
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise SourceMalformed(f"is no whole zip archive: {error}", where=where) from error


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: str) -> Found:
    name = member.filename.replace("\\", "/")
    path = f"{where}/{name.lstrip('/')}"
    if name.startswith("/") or ".." in name.split("/"):
        return Found(where, error=SourceMalformed("leads out of the archive", where=name[:200]))
    try:
        with archive.open(member) as stream:
            content = stream.read(MAX_CRATE + 1)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError) as error:
        return Found(path, error=SourceMalformed(f"cannot be unpacked: {error}", where=name[:200]))
    if len(content) > MAX_CRATE:
        reason = f"is larger than {MAX_CRATE // 1_000_000} MB"
        return Found(path, error=SourceMalformed(reason, where=name[:200]))
    return Found(path, content)
