"""Walks lists of addresses of OME-Zarr groups and TIFF files on any web servers."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from harvester.asking.ahead import in_order
from harvester.asking.http import Http
from harvester.formats.tiff import TiffHeader
from harvester.formats.zarr_tree import Opened, PlateGroup
from harvester.lab.items import FileItem, GroupItem, Item, Place, PlateItem, StudyItem
from harvester.lab.kinds import kind_of
from harvester.s3.items import not_ome, pack
from harvester.s3.options import S3Options
from harvester.s3.remote_tiff import read_remote_header
from harvester.s3.remote_zarr import Groups, Part, Wells, problem_of
from harvester.s3.web_objects import WebObjects
from harvester.s3.zarr_list import Row, read_list, split_address, web_address
from parfocal.errors import SourceError, SourceMalformed, SourceRefused, SourceUnavailable
from parfocal.interfaces import Walk
from parfocal.values import Fetched, Problem, RawItem, Unchanged

MAX_LISTS = 1000
MAX_NESTED = 3
_MOST_UNAVAILABLE = 3
_STUDY_STAMP = "list"


class Cursor(Struct, frozen=True, array_like=True):
    """A place of the walk: the list, the path of an address in it, the last path within that."""

    sheet: str
    path: str
    within: str = ""


class Sheet(Struct, frozen=True):
    """A list: the native id of its study, its title, its rows."""

    native: str
    title: str
    rows: tuple[Row, ...]


class Spot(Struct, frozen=True):
    """A row that is to be read, and where: the beginning of its address, the path behind it."""

    row: Row
    root: str
    path: str

    @property
    def salt(self) -> str:
        """Return what changes when the row does."""
        text = msgspec.json.encode((self.root, self.row.columns))
        return hashlib.blake2b(text, digest_size=8).hexdigest()


class FileRead(Struct, frozen=True):
    """A TIFF file's header."""

    header: TiffHeader
    stamp: str


Columns = tuple[tuple[str, str], ...]
Looked = Part | Wells | FileRead | Unchanged | Problem


class Lists:
    """Reads lists, and the lists that they name."""

    def __init__(self, options: S3Options, http: Http, walk: Walk) -> None:
        self._options = options
        self._http = http
        self._walk = walk
        self._used: set[str] = set()
        self._read: set[str] = set()

    async def sheets(self) -> AsyncIterator[Sheet | Problem]:
        """Yield all lists in a fixed order; one that cannot be read is a problem of everything."""
        for given in self._options.lists:
            async for one in self._sheets(given, 0, (), trusted=True):
                yield one

    async def _sheets(
        self, place: str, depth: int, above: Columns, *, trusted: bool
    ) -> AsyncIterator[Sheet | Problem]:
        """Yield a list and those that it names; entries take over what a row said of their list."""
        try:
            rows = await self._rows(place, trusted=trusted)
        except (SourceMalformed, SourceRefused) as error:
            # It is unknown which items it named, so that none of the source may count as gone.
            reason = f"the list {place[:300]} cannot be read: {error.message}"
            yield Problem("", reason, error.where, error.hint)
            return
        rows = [Row(row.address, _inherited(row.columns, above)) for row in rows]
        nested = [row for row in rows if row.is_list]
        plain = tuple(row for row in rows if not row.is_list)
        if plain:
            yield self._sheet(place, plain)
        for row in nested:
            if depth >= MAX_NESTED or len(self._read) >= MAX_LISTS:
                yield Problem("", f"the list {row.address[:300]} is named too deep or too late")
                continue
            address = urljoin(place, row.address) if "://" in place else row.address
            if address not in self._read:
                async for one in self._sheets(address, depth + 1, row.columns, trusted=False):
                    yield one

    async def _rows(self, place: str, *, trusted: bool) -> list[Row]:
        self._read.add(place)
        if place.lower().startswith(("http://", "https://")):
            content = await self._ask(place, trusted=trusted)
        elif trusted:
            content = await asyncio.to_thread(self._from_file, Path(place))
        else:
            raise SourceRefused("a list may name addresses of lists, but no files")
        rows = await asyncio.to_thread(lambda: list(read_list(content, place)))
        if not rows:
            raise SourceMalformed("it is empty")
        return rows

    async def _ask(self, address: str, *, trusted: bool) -> bytes:
        if not trusted:
            return (await self._http.get(address)).content
        options = self._options.model_copy(update={"url": address})
        async with Http(options, self._walk) as http:
            return (await http.get(address)).content

    def _from_file(self, path: Path) -> bytes:
        most = self._options.max_mb * 1024 * 1024
        try:
            with path.expanduser().open("rb") as file:
                content = file.read(most + 1)
        except OSError as error:
            raise SourceRefused(f"cannot be opened: {error.strerror or error}") from error
        if len(content) > most:
            raise SourceMalformed(f"larger than {most} bytes", hint="max_mb sets the limit")
        return content

    def _sheet(self, place: str, rows: tuple[Row, ...]) -> Sheet:
        name = unquote(urlsplit(place).path if "://" in place else place).rpartition("/")[2]
        title = name.rpartition(".")[0] or name or "list"
        native = title if title not in self._used else place.partition("://")[2] or place
        self._used.add(native)
        return Sheet(native, title, rows)


class ListWalk:
    """One walk over the lists of a source; ``items`` may be called once."""

    def __init__(self, options: S3Options, http: Http, walk: Walk) -> None:
        self._options = options
        self._http = http
        self._walk = walk
        self._lists = Lists(options, http, walk)
        self._seen: set[int] = set()
        self._unavailable = 0
        self._tells: dict[str, bool] = {}

    async def items(self) -> AsyncIterator[Fetched]:
        """Yield raw items, what is unchanged, and problems, from after the walk's cursor."""
        at = _read_cursor(self._walk.cursor)
        waiting = at is not None
        async for sheet in self._lists.sheets():
            if isinstance(sheet, Problem):
                yield sheet
                continue
            spots = list(self._spots(sheet))
            if waiting and at is not None and sheet.native != at.sheet:
                continue
            inside, waiting = at if waiting else None, False
            async for one in self._sheet(sheet, spots, inside):
                yield one

    def _spots(self, sheet: Sheet) -> Iterator[Spot | Problem]:
        """The rows of a list that no row before named."""
        for row in sheet.rows:
            try:
                root, path = split_address(web_address(row.address, self._options.url))
            except SourceMalformed as error:
                yield Problem(sheet.native, error.message, hint="the row is left out")
                continue
            mark = hash(path)
            if mark not in self._seen:
                self._seen.add(mark)
                yield Spot(row, root, path)

    async def _sheet(
        self, sheet: Sheet, spots: list[Spot | Problem], at: Cursor | None
    ) -> AsyncIterator[Fetched]:
        if at is None:
            study = StudyItem(sheet.native, sheet.title)
            yield pack(f"{sheet.native}#list", study, stamp=_STUDY_STAMP)
        resumed = _from(spots, at)
        async for spot, looked in in_order(self._look, resumed, self._options.concurrency):
            again = at is not None and spot is not None and spot.path == at.path
            async for one in self._take(sheet, spot, looked, at.within if at and again else ""):
                yield one

    async def _look(self, spot: Spot | Problem) -> tuple[Spot | None, Looked]:
        """Read what can be read of a row ahead of its turn."""
        if isinstance(spot, Problem):
            return None, spot
        objects = WebObjects(self._http, spot.root, self._tells)
        try:
            if kind_of(spot.path) == "tiff":
                looked: Looked = await self._tiff(objects, spot)
            else:
                found = await self._groups(objects, spot).look(spot.path)
                looked = not_ome(spot.path) if isinstance(found, Opened) else found
        except SourceError as error:
            return spot, self._problem(spot.path, error)
        self._unavailable = 0
        return spot, looked

    def _groups(self, objects: WebObjects, spot: Spot) -> Groups:
        return Groups(objects, self._walk.stamp, self._options.concurrency, spot.salt)

    def _problem(self, path: str, error: SourceError) -> Problem:
        """The problem of a row; servers that answer nothing more end the walk."""
        if isinstance(error, SourceUnavailable):
            self._unavailable += 1
            if self._unavailable >= _MOST_UNAVAILABLE:
                raise error
        return problem_of(path, error)

    async def _tiff(self, objects: WebObjects, spot: Spot) -> FileRead | Unchanged:
        stored = await objects.stored(spot.path)
        stamp = f"{stored.etag}:{stored.size}:{spot.salt}" if stored.etag else ""
        if stamp and self._walk.stamp(spot.path) == stamp:
            return Unchanged(spot.path)
        header = await read_remote_header(
            partial(objects.part, spot.path, etag=stored.etag), stored.size
        )
        return FileRead(header, stamp)

    # ------------------------------------------------------------------ what is yielded

    async def _take(
        self, sheet: Sheet, spot: Spot | None, looked: Looked, within: str
    ) -> AsyncIterator[Fetched]:
        """Yield what a row gave, with the cursor behind it."""
        if spot is None or isinstance(looked, Problem):
            if isinstance(looked, Problem):
                yield looked
        elif isinstance(looked, Wells):
            async for part in self._wells(spot, looked, within):
                if isinstance(part, Problem):
                    yield part
                else:
                    yield self._placed(sheet, spot, part, part.path)
        else:
            yield self._placed(sheet, spot, looked, "")

    async def _wells(self, spot: Spot, held: Wells, within: str) -> AsyncIterator[Part | Problem]:
        groups = self._groups(WebObjects(self._http, spot.root, self._tells), spot)
        try:
            async for part in groups.parts(held, within):
                yield part
        except SourceError as error:
            yield self._problem(held.path, error)

    def _placed(
        self, sheet: Sheet, spot: Spot, found: Part | FileRead | Unchanged, within: str
    ) -> RawItem | Unchanged:
        cursor = msgspec.json.encode(Cursor(sheet.native, spot.path, within)).decode()
        if isinstance(found, Unchanged):
            return replace(found, cursor=cursor)
        if isinstance(found, Part) and found.group is None:
            return Unchanged(found.path, cursor)
        path = found.path if isinstance(found, Part) else spot.path
        item = _item(found, spot.path, Place(sheet.native, sheet.native))
        # What a row says is about all of a plate, not about each of its images.
        row = spot.row.columns if path == spot.path else ()
        made = pack(path, item, stamp=found.stamp, root=spot.root, row=row)
        return replace(made, cursor=cursor)


def _item(found: Part | FileRead, path: str, place: Place) -> Item:
    if isinstance(found, Part):
        if isinstance(found.group, PlateGroup):
            return PlateItem(plate=found.group, place=place)
        assert found.group is not None  # noqa: S101 -- for the type checker
        return GroupItem(group=found.group, place=place)
    header, xml = found.header, b""
    if header.is_ome:
        header, xml = replace(header, description=b""), header.description
    return FileItem(path=path, location=path, place=place, header=header, xml=xml)


def _inherited(columns: Columns, above: Columns) -> Columns:
    own = {name for name, _ in columns}
    return (*columns, *(pair for pair in above if pair[0] not in own))


def _read_cursor(text: str) -> Cursor | None:
    try:
        return msgspec.json.decode(text, type=Cursor) if text else None
    except msgspec.DecodeError:
        return None


def _from(spots: list[Spot | Problem], at: Cursor | None) -> list[Spot | Problem]:
    """The rows after a cursor; all, when its row is no longer in the list."""
    if at is None:
        return spots
    for number, spot in enumerate(spots):
        if isinstance(spot, Spot) and spot.path == at.path:
            return spots[number if at.within else number + 1 :]
    return spots
