"""Files of a bucket: TIFF headers by ranges, OME-XML, and which file speaks for a set of files."""

from __future__ import annotations

from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from harvester.formats import omexml
from harvester.formats.crawl import unzip
from harvester.formats.tiff import TiffHeader
from harvester.lab.items import FileItem, Place, UnreadItem
from harvester.lab.kinds import kind_of
from harvester.s3.answers import Stored
from harvester.s3.bucket import Bucket
from harvester.s3.items import pack
from harvester.s3.remote_tiff import read_remote_header
from parfocal.interfaces import Walk
from parfocal.values import RawItem, Unchanged

_ASKED_KEPT = 1024
_MOST_NAMES_TRIED = 8


class Told(Struct, frozen=True):
    """What was read of a file; nothing when it is as it was, or when another speaks for it.

    Of an ``unread`` one no more is known than name and size.
    """

    stored: Stored
    header: TiffHeader | None = None
    xml: bytes = b""
    unchanged: bool = False
    unread: bool = False
    speaker: str = ""


class Files:
    """Reads the files of one walk."""

    def __init__(self, bucket: Bucket, walk: Walk) -> None:
        self._bucket = bucket
        self._walk = walk
        self._asked: dict[str, str | None] = {}
        self._claimed: dict[str, str] = {}

    async def look(self, stored: Stored) -> Told | None:
        """Read a file's header or XML; None when it is no image. Raises SourceError."""
        kind = kind_of(stored.key)
        if kind not in ("tiff", "xml", "hdf5", "other"):
            return None
        if await self._is_known(stored):
            return Told(stored, unchanged=True)
        if kind in ("hdf5", "other"):
            return Told(stored, unread=True)
        if stored.key in self._claimed:
            return Told(stored, speaker=self._claimed.pop(stored.key))
        if kind == "xml":
            return Told(stored, xml=await self._xml(stored))
        ask = partial(self._bucket.part, stored.key, etag=stored.etag)
        header = await read_remote_header(ask, stored.size)
        if not header.is_ome:
            return Told(stored, header)
        return Told(stored, replace(header, description=b""), header.description)

    async def _xml(self, stored: Stored) -> bytes:
        got = await self._bucket.get(stored.key, omexml.MAX_XML)
        content = b"" if got is None else got.content
        zipped = stored.key.lower().endswith(".gz")
        return unzip(content, stored.key, omexml.MAX_XML) if zipped else content

    async def _is_known(self, stored: Stored) -> bool:
        """Whether a file is as it was, and the file that speaks for it too."""
        own = _stamp(stored)
        known, _, speaker = self._walk.stamp(stored.key).partition("|")
        if not own or known != own:
            return False
        etag, _, path = speaker.partition("|")
        return not path or await self._etag(path) == etag

    async def _etag(self, path: str) -> str | None:
        """An object's ETag, None when there is none; remembered for a while."""
        if path not in self._asked:
            if len(self._asked) >= _ASKED_KEPT:
                self._asked.clear()
            self._asked[path] = await self._bucket.stamp(path)
        return self._asked[path]

    # ------------------------------------------------------------------ sets of files

    async def item(self, told: Told, place: Place) -> RawItem | Unchanged:
        """Return the item of a file; that of one for which another speaks gives no record."""
        stored = told.stored
        if told.unchanged:
            return Unchanged(stored.key)
        if told.unread:
            unread = UnreadItem(path=stored.key, size=stored.size, place=place)
            return pack(stored.key, unread, stamp=_stamp(stored))
        folder, slash, own = stored.key.rpartition("/")
        speaker = told.speaker or await self._speaker(folder + slash, own, told)
        if speaker and speaker != stored.key:
            stamp = f"{_stamp(stored)}|{await self._etag(speaker)}|{speaker}"
            return pack(stored.key, None, stamp=stamp if _stamp(stored) else "")
        location = stored.key
        if told.xml and told.header is None:
            first = await self._first(folder + slash, omexml.file_names(told.xml), "")
            location = first or stored.key
        item = FileItem(
            path=stored.key, location=location, place=place, header=told.header, xml=told.xml
        )
        return pack(stored.key, item, stamp=_stamp(stored))

    async def _speaker(self, folder: str, own: str, told: Told) -> str:
        """The key of the file that speaks for a set; claims the set's other files for it."""
        companion = omexml.metadata_file(told.xml) if told.xml else ""
        if companion and companion != own and "/" not in companion:
            there = await self._etag(folder + companion)
            return folder + companion if there is not None else ""
        names = omexml.file_names(told.xml) if told.xml else frozenset()
        if told.header is not None and own not in names:
            return ""
        speaker = folder + own
        if told.header is not None:
            speaker = await self._first(folder, names, own) or speaker
        if speaker == folder + own and len(names) > 1:
            self._claimed = {folder + name: speaker for name in names if name != own}
        return speaker

    async def _first(self, folder: str, names: frozenset[str], own: str) -> str:
        """The key of the first of some files that is there; "" when none is."""
        plain = sorted(name for name in names if "/" not in name and "\\" not in name)
        for name in plain[:_MOST_NAMES_TRIED]:
            if name == own or await self._etag(folder + name) is not None:
                return folder + name
        return ""


def _stamp(stored: Stored) -> str:
    return f"{stored.etag}:{stored.size}" if stored.etag else ""
