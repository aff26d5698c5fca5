"""Walks a bucket folder by folder in the order of keys and reads metadata; interprets nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from harvester.asking.ahead import in_order
from harvester.formats.zarr_tree import MARKS, PlateGroup
from harvester.lab.items import ContainerItem, GroupItem, Place, PlateItem, StudyItem
from harvester.s3.answers import Page, Stored
from harvester.s3.bucket import Bucket
from harvester.s3.files import Files, Told
from harvester.s3.items import not_ome, pack
from harvester.s3.list import Listing
from harvester.s3.options import S3Options
from harvester.s3.remote_zarr import Groups, Part, Wells, problem_of
from parfocal.errors import SourceError, SourceMalformed, SourceUnavailable
from parfocal.interfaces import Walk
from parfocal.values import Fetched, Problem, RawItem, Unchanged

MAX_DEPTH = 64
_MOST_UNAVAILABLE = 3
_SHORT_PAGE = 50
"""What is named like a Zarr is first listed as far as a group has files and folders of its own."""
_FOLDER_STAMP = "folder"


class Cursor(Struct, frozen=True, array_like=True):
    """A place of the walk: the entry of its folder, the last path within it, what was told."""

    entry: str
    within: str = ""
    told: str = ""


def read_cursor(text: str) -> Cursor | None:
    """Read a cursor; one that cannot be read means the beginning."""
    try:
        return msgspec.json.decode(text, type=Cursor) if text else None
    except msgspec.DecodeError:
        return None


@dataclass
class Folder:
    """A folder that is being walked. ``key`` ends in a slash, or is "" for the whole bucket."""

    key: str
    above: Folder | None
    title: str
    told: bool = False

    @property
    def path(self) -> str:
        """Return the path without a slash at its end."""
        return self.key.removesuffix("/")

    @property
    def study(self) -> Folder:
        """Return the folder that is the study: at the top, or just below it."""
        return self if self.above is None or self.above.above is None else self.above.study

    @property
    def depth(self) -> int:
        """Return the number of folders above."""
        return 0 if self.above is None else self.above.depth + 1

    def marks(self) -> str:
        """Return which folders, from the top down to this one, were told."""
        return (self.above.marks() if self.above else "") + ("1" if self.told else "0")


class Plain(Struct, frozen=True):
    """A folder that is no image: its first page, and what is to be said of it."""

    page: Page
    problem: Problem | None = None


Looked = Part | Wells | Plain | Told | Problem | None


class BucketWalk:
    """One walk over a bucket; ``items`` may be called once."""

    def __init__(self, options: S3Options, bucket: Bucket, walk: Walk) -> None:
        self._options = options
        self._bucket = bucket
        self._walk = walk
        self._at_once = options.concurrency
        self._groups = Groups(bucket, walk.stamp, self._at_once)
        self._files = Files(bucket, walk)
        self._unavailable = 0
        self._tops: dict[str, Folder] = {}

    async def items(self) -> AsyncIterator[Fetched]:
        """Yield raw items, what is unchanged, and problems, from after the walk's cursor."""
        at = read_cursor(self._walk.cursor)
        for prefix in self._options.prefixes or ("",):
            if at and not at.entry.startswith(prefix) and prefix < at.entry:
                continue
            inside = at if at and at.entry.startswith(prefix) else None
            if prefix.endswith(".zarr/"):
                async for one in self._alone(prefix, inside):
                    yield one
                continue
            title = prefix.rstrip("/").rpartition("/")[2] or self._options.bucket
            top = Folder(prefix, None, title, told=bool(inside and inside.told[:1] == "1"))
            async for one in self._folder(top, inside, None):
                yield one

    async def _alone(self, prefix: str, at: Cursor | None) -> AsyncIterator[Fetched]:
        """Yield a group that is itself a prefix; its study is the folder that it lies in."""
        key = prefix[: prefix[:-1].rfind("/") + 1]
        title = key.removesuffix("/").rpartition("/")[2] or self._options.bucket
        folder = self._tops.setdefault(key, Folder(key, None, title))
        folder.told = folder.told or bool(at and at.told[:1] == "1")
        if at is None or at.within:
            entry, looked = await self._look(Stored(prefix))
            async for one in self._take(folder, entry, looked, after=at.within if at else ""):
                yield one

    # ------------------------------------------------------------------ folders

    async def _folder(
        self, folder: Folder, at: Cursor | None, first: Page | None
    ) -> AsyncIterator[Fetched]:
        """Yield what a folder and those below it hold, from after a cursor within it."""
        after = ""
        if at is not None:
            name, slash, rest = at.entry[len(folder.key) :].partition("/")
            after = folder.key + name + slash
            if rest or at.within:
                async for one in self._resume(folder, Stored(after), at, deeper=bool(rest)):
                    yield one
        listing = Listing(self._bucket, folder.key, after=after)
        try:
            async for entry, looked in in_order(self._look, listing.found(first), self._at_once):
                async for one in self._take(folder, entry, looked):
                    yield one
        except SourceError as error:
            if folder.above is None and len(self._options.prefixes) < 2:
                raise
            yield self._problem(folder.path, error)

    async def _resume(
        self, folder: Folder, entry: Stored, at: Cursor, *, deeper: bool
    ) -> AsyncIterator[Fetched]:
        """Go on within a folder, or a plate, in which the walk was."""
        if not deeper:
            _, looked = await self._look(entry)
            async for one in self._take(folder, entry, looked, after=at.within):
                yield one
            return
        below = self._below(folder, entry)
        below.told = at.told[below.depth : below.depth + 1] == "1"
        async for one in self._folder(below, at, None):
            yield one

    @staticmethod
    def _below(folder: Folder, entry: Stored) -> Folder:
        title = entry.key.removesuffix("/").rpartition("/")[2]
        return Folder(entry.key, folder, title or entry.key)

    async def _look(self, found: Stored | Problem) -> tuple[Stored, Looked]:
        """Read what can be read of an entry ahead of its turn."""
        if isinstance(found, Problem):
            return Stored(found.item), found
        name = found.key.removesuffix("/").rpartition("/")[2]
        if name.startswith("."):
            return found, None
        try:
            if found.key.endswith("/"):
                looked = await self._look_into(found.key)
            else:
                looked = await self._files.look(found)
        except SourceError as error:
            return found, self._problem(found.key.removesuffix("/"), error)
        self._unavailable = 0
        return found, looked

    def _problem(self, path: str, error: SourceError) -> Problem:
        """The problem of a part; a server that answers nothing more ends the walk."""
        if isinstance(error, SourceUnavailable):
            self._unavailable += 1
            if self._unavailable >= _MOST_UNAVAILABLE:
                raise error
        return problem_of(path, error)

    async def _look_into(self, key: str) -> Looked:
        """Say what a folder is; nothing below a Zarr group or array is listed."""
        path = key.removesuffix("/")
        named = path.endswith(".zarr")
        if named and self._options.engine == "obstore":
            # Asking for documents that may be missing costs less there than a list.
            found = await self._groups.look(path)
            if isinstance(found, Part | Wells):
                return found
        page = await self._page(key, _SHORT_PAGE if named else 0)
        listed = {one.key[len(key) :]: one.etag for one in page.found}
        array, scene = ".zarray" in listed, False
        if not array and (listed.keys() & MARKS or page.more):
            found = await self._groups.look(path, None if page.more else listed)
            if isinstance(found, Part | Wells):
                return found
            array, scene = found.is_array, found.is_scene
        if array:
            return not_ome(path) if named else None
        return Plain(page, not_ome(path) if named and not scene else None)

    async def _page(self, key: str, most: int) -> Page:
        page = await self._bucket.page(key, most=most)
        if not page.found and not page.more:
            raise SourceMalformed("was listed, but is empty now", where=key.removesuffix("/"))
        return page

    # ------------------------------------------------------------------ what is yielded

    async def _take(
        self, folder: Folder, entry: Stored, looked: Looked, *, after: str = ""
    ) -> AsyncIterator[Fetched]:
        """Yield what an entry of a folder gave, after its study and container."""
        if looked is None:
            return
        if isinstance(looked, Problem):
            for one in (*self._kept(folder), looked):
                yield one
        elif isinstance(looked, Plain):
            async for fetched in self._descend(folder, entry, looked):
                yield fetched
        elif isinstance(looked, Wells):
            async for fetched in self._wells(folder, entry, looked, after):
                yield fetched
        else:
            for announced in self._announced(folder):
                yield announced
            item = await self._item(folder, looked)
            yield replace(item, cursor=_cursor(entry.key, "", folder))

    async def _descend(self, folder: Folder, entry: Stored, plain: Plain) -> AsyncIterator[Fetched]:
        if plain.problem is not None:
            yield plain.problem
        if folder.depth >= MAX_DEPTH:
            yield Problem(entry.key.removesuffix("/"), "folders are nested too deeply")
            return
        async for one in self._folder(self._below(folder, entry), None, plain.page):
            yield one

    async def _wells(
        self, folder: Folder, entry: Stored, held: Wells, after: str
    ) -> AsyncIterator[Fetched]:
        for announced in self._announced(folder):
            yield announced
        try:
            async for part in self._groups.parts(held, after):
                if isinstance(part, Problem):
                    yield part
                    continue
                item = await self._item(folder, part)
                yield replace(item, cursor=_cursor(entry.key, part.path, folder))
        except SourceError as error:
            yield self._problem(held.path, error)

    async def _item(self, folder: Folder, found: Part | Told) -> RawItem | Unchanged:
        place = Place(self._native(folder.study), self._native(folder))
        if isinstance(found, Told):
            return await self._files.item(found, place)
        if found.group is None:
            return Unchanged(found.path)
        if isinstance(found.group, PlateGroup):
            return pack(found.path, PlateItem(found.group, place), stamp=found.stamp)
        return pack(found.path, GroupItem(found.group, place), stamp=found.stamp)

    def _native(self, folder: Folder) -> str:
        return folder.path or f"{self._options.bucket}#files"

    def _announced(self, folder: Folder) -> list[Fetched]:
        """The study and the container of a folder, once."""
        told: list[Fetched] = []
        for one in dict.fromkeys((folder.study.key, folder.key)):
            level = folder.study if one == folder.study.key else folder
            if not level.told:
                level.told = True
                told.append(self._container(level))
        return told

    def _container(self, folder: Folder) -> RawItem:
        native, study = self._native(folder), self._native(folder.study)
        if folder is folder.study:
            return pack(folder.key or "/", StudyItem(native, folder.title), stamp=_FOLDER_STAMP)
        item = ContainerItem(native, folder.title, Place(study, study))
        return pack(folder.key, item, stamp=_FOLDER_STAMP)

    def _kept(self, folder: Folder) -> list[Fetched]:
        """Study and container of something unreadable, if they were there before."""
        known = self._walk.stamp(folder.key or "/") == _FOLDER_STAMP
        return self._announced(folder) if known else []


def _cursor(entry: str, within: str, folder: Folder) -> str:
    return msgspec.json.encode(Cursor(entry, within, folder.marks())).decode()
