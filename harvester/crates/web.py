"""Crates on the web, each asked for only when it may have changed."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator, Iterator, Sequence

from msgspec import Struct

from harvester.asking.ahead import in_order
from harvester.asking.answers import Answer, unless
from harvester.asking.http import Http
from harvester.asking.setbacks import Setbacks
from harvester.crates.crate import landing_name, open_crate
from harvester.crates.items import CrateItem, Found, crates_in_zip, encode, stem_of
from harvester.crates.lists import Listed, Lists, is_crate, is_page, linked_crate
from parfocal.errors import SourceError, SourceMalformed
from parfocal.interfaces import Walk
from parfocal.values import Fetched, Problem, RawItem, Unchanged


class _Kept(Struct, frozen=True):
    """What is known of a crate from the last walk: kept as its stamp."""

    version: str = ""
    tag: str = ""
    native: str = ""

    def text(self) -> str:
        return json.dumps([self.version, self.tag, self.native])


class _Read(Struct, frozen=True):
    """What a server answered for one address: crates, nothing new, or why it cannot be read."""

    listed: Listed
    crates: tuple[Found, ...] = ()
    kept: _Kept = _Kept()
    problem: Problem | None = None


def _kept(stamp: str) -> _Kept:
    try:
        return _Kept(*json.loads(stamp)) if stamp else _Kept()
    except (ValueError, TypeError):
        return _Kept()


class WebCrates:
    """Walks the crates that addresses name: crates themselves, and lists of them."""

    def __init__(self, http: Http, walk: Walk, concurrency: int) -> None:
        self._http = http
        self._walk = walk
        self._concurrency = concurrency
        self._setbacks = Setbacks()
        self._answers: dict[str, Answer] = {}

    async def fetch(self, addresses: Sequence[str], used: set[str]) -> AsyncIterator[Fetched]:
        """Yield each crate once, in the order of the lists; ``used`` names are not given again."""
        lists = Lists(self._http)
        listed: dict[str, Listed] = {}
        for address in addresses:
            try:
                named, answer = await lists.of(address)
            except SourceError as error:
                yield Problem("", error.message, error.where or address, error.hint)
                continue
            if answer is not None:
                self._answers[address] = answer
            for one in named:
                listed.setdefault(one.address, one)
        used.update(filter(None, (_kept(self._walk.stamp(key)).native for key in listed)))
        async for read in in_order(self._ask, self._after(listed), self._concurrency):
            for found in self._named(read, used):
                yield found

    def _after(self, listed: dict[str, Listed]) -> list[Listed]:
        keys = list(listed)
        cursor = self._walk.cursor
        start = keys.index(cursor) + 1 if cursor in listed else 0
        return [listed[key] for key in keys[start:]]

    async def _ask(self, listed: Listed) -> _Read:
        kept = _kept(self._walk.stamp(listed.address))
        if kept.version and kept.version == listed.version:
            return _Read(listed, kept=kept)
        try:
            read = await self._read(listed, kept)
        except SourceError as error:
            return _Read(listed, problem=self._setbacks.problem(listed.address, error))
        self._setbacks.success()
        return read

    async def _read(self, listed: Listed, kept: _Kept) -> _Read:
        address = listed.address
        answer = self._answers.pop(address, None) or await self._http.get(
            address,
            headers=unless(kept.tag),
            expect=(200, 304),
            web_page=listed.page,
            check=_check_crate if is_crate(address) else None,
        )
        if answer.status == 304:
            return _Read(listed, kept=kept)
        now = _Kept(listed.version, answer.stamp)
        where = address
        if is_page(answer):
            where = linked_crate(answer)
            if not where:
                raise SourceMalformed("is a web page that names no RO-Crate", where=address)
            answer = await self._http.get(where, web_page=listed.page, check=_check_crate)
            now = _Kept(listed.version)
        if answer.content.startswith(b"PK"):
            crates = tuple(crates_in_zip(answer.content, where))
            if not crates:
                raise SourceMalformed("holds no RO-Crate", where=where)
            return _Read(listed, crates, now)
        return _Read(listed, (Found(where, answer.content),), now)

    def _named(self, read: _Read, used: set[str]) -> Iterator[Fetched]:
        """Yield a crate under a name of its own; of several in one archive the first comes last.

        It has the archive's own key, and with it the stamp.
        """
        address = read.listed.address
        if read.problem is not None:
            yield read.problem
            return
        if not read.crates:
            yield Unchanged(address, address, below=True)
            return
        used.discard(_kept(self._walk.stamp(address)).native)
        first, *others = (_item(found, used, remote=True) for found in read.crates)
        for other in others:
            key = f"{address}#{other.path.removeprefix(address).lstrip('/')}"
            yield _raw(key, other) if isinstance(other, CrateItem) else _problem(key, other)
        if isinstance(first, Found):
            yield _problem(f"{address}#", first)
            return
        stamp = _Kept(read.kept.version, read.kept.tag, first.native).text()
        yield RawItem(address, encode(first), address, stamp)


def _item(found: Found, used: set[str], *, remote: bool) -> CrateItem | Found:
    """Give a crate its name: that of its landing page, else of its path."""
    if found.error is not None:
        return found
    try:
        native = landing_name(open_crate(found.content))
    except SourceMalformed as error:
        return Found(found.path, error=error)
    if not native or native in used:
        native = stem_of(found.path.partition("://")[2] if remote else found.path)
    used.add(native)
    return CrateItem(found.path, native, found.content, remote)


def local_item(found: Found, used: set[str]) -> RawItem | Problem:
    """Return the raw item of a crate in a folder, under a name of its own."""
    item = _item(found, used, remote=False)
    return _raw(item.path, item) if isinstance(item, CrateItem) else _problem(found.path, item)


def _raw(key: str, item: CrateItem) -> RawItem:
    return RawItem(key, encode(item))


def _problem(key: str, found: Found) -> Problem:
    error = found.error or SourceMalformed("cannot be read")
    where = "" if error.where in (key, found.path) else error.where
    return Problem(key.rstrip("#"), error.message, where, error.hint)


def _check_crate(answer: Answer) -> None:
    """What is neither JSON nor a zip archive is a mistake of the server that may pass."""
    if answer.status != 200:
        return
    if not answer.content.startswith(b"PK"):
        answer.json()
    elif not zipfile.is_zipfile(io.BytesIO(answer.content)):
        raise SourceMalformed("is no whole zip archive", where=answer.url)
