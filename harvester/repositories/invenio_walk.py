"""One walk over an InvenioRDM: everything, or what changed and whether that is all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Literal
from urllib.parse import quote

import msgspec
from msgspec import Struct

from harvester.asking.ahead import in_order
from harvester.asking.answers import Answer
from harvester.asking.http import Http
from harvester.repositories.invenio_dumps import deleted_ids, newest_dump
from harvester.repositories.invenio_options import InvenioOptions
from harvester.repositories.invenio_search import Scope, Search, Spot, find_scopes, identity
from harvester.repositories.rdm_files import access_of, listed_files
from harvester.words.instants import earlier
from harvester.words.leaves import Json, words
from parfocal.errors import SourceError, SourceMalformed
from parfocal.interfaces import Walk
from parfocal.values import Deleted, Fetched, Mark, Problem, RawItem, Unchanged

_OVERLAP = timedelta(hours=1)  # a search engine shows a change some time after it was made
_EMPTIED = "nothing is taken for deleted; leave the community out if it is gone"
_COUNTS = ("stats", "views", "downloads")


class Held(Struct, frozen=True):
    """A record as the search showed it, and its files where those were asked for."""

    record: bytes
    files: bytes = b""


class Remembered(Struct, frozen=True, omit_defaults=True):
    """What a walk leaves for the next one.

    ``since`` is the newest change when it began, ``latest`` the newest that it saw, ``known`` how
    many records are known then, ``totals`` the hits of each community, ``dump`` the last table of
    deleted records that was read.
    """

    since: str = ""
    known: int = 0
    totals: tuple[int, ...] = ()
    dump: str = ""
    latest: str = ""


class Place(Struct, frozen=True, omit_defaults=True):
    """Where a walk is: what it does in which scope, from where on, what it saw and counted.

    ``unsure`` says that a walk that was broken off told something before: then ``new`` is too low.
    """

    phase: Literal["all", "changes"] = "all"
    scope: int = 0
    spot: Spot = Spot()
    newest: str = ""
    walked: int = 0
    new: int = 0
    latest: str = ""
    unsure: bool = False
    left: str = ""
    """What it leaves, once it has said that the rest is as it was."""


_place = msgspec.json.Decoder(Place)
_remembered = msgspec.json.Decoder(Remembered)


class InvenioWalk:
    """One walk over one archive."""

    def __init__(
        self, name: str, options: InvenioOptions, http: Http, walk: Walk, scopes: list[Scope]
    ) -> None:
        self._name = name
        self._options = options
        self._http = http
        self._walk = walk
        self._searches = [Search(http, scope) for scope in scopes]
        self._mark = _remembered.decode(walk.mark) if walk.mark else None
        self._changed: set[str] = set()
        """What was told as changed, and not again since."""
        self._start = _place.decode(walk.cursor) if walk.cursor else None

    @classmethod
    async def begin(cls, name: str, options: InvenioOptions, http: Http, walk: Walk) -> InvenioWalk:
        """Return a walk; its communities are looked for first."""
        size = options.page_size or (100 if options.token else 25)
        every = options.versions == "all"
        scopes = await find_scopes(
            http, options.root, options.query, options.communities, size, every, options.headers
        )
        return cls(name, options, http, walk, scopes)

    async def run(self) -> AsyncIterator[Fetched]:
        """Yield changes and, unless the count then fits, everything."""
        mark, place = self._mark, self._start
        if place is not None and place.left:
            for found in _as_it_was(Mark(place.left)):
                yield found
            return
        if mark is not None and (place is None or place.phase == "changes"):
            since = earlier(mark.since, _OVERLAP)
            place = place or Place("changes", newest=mark.since, latest=mark.latest)
            async for found in self._scopes_from(place, "updated", since):
                yield found
            place = self._reached
            totals = await self._totals()
            # The newest record that is known was changed after ``since``: it must be among them.
            sure = place.walked and not place.unsure
            if sure and sum(totals) == mark.known + place.new:
                for found in _as_it_was(_mark(place, sum(totals), totals, mark.dump)):
                    yield found
                return
            gone, dump = 0, mark.dump
            async for found in self._deleted(mark.dump):
                dump = found.text if isinstance(found, Mark) else dump
                gone += isinstance(found, Deleted)
                if not isinstance(found, Mark):
                    yield found
            if sure and sum(totals) == mark.known + place.new - gone:
                for found in _as_it_was(_mark(place, sum(totals), totals, dump)):
                    yield found
                return
            place = None
        async for found in self._everything(place):
            yield found

    async def since(self, day: str) -> AsyncIterator[Fetched]:
        """Yield what was changed on a day or later."""
        place = self._start or Place("changes", newest=day)
        async for found in self._scopes_from(place, "updated", day):
            yield found

    async def _everything(self, place: Place | None) -> AsyncIterator[Fetched]:
        if place is None:
            newest = [await search.newest() for search in self._searches]
            place = Place("all", newest=min((time for _, time in newest if time), default=""))
        async for found in self._scopes_from(place, "created", ""):
            yield found
        place = self._reached
        totals = await self._totals()
        if place.walked < sum(totals):
            yield Problem(
                self._name,
                f"the search has {sum(totals):,} hits, but showed {place.walked:,}",
                hint="nothing is taken for deleted; harvest again",
            )
            yield Unchanged("", below=True)
        for name in self._emptied(totals):
            yield Problem(name, "the search has no hits any more", hint=_EMPTIED)
            yield Unchanged("", below=True)
        dump = self._mark.dump if self._mark else ""
        # What was told is known, also if it went meanwhile: then the next walk notices.
        known = place.walked + len(self._changed)
        yield _mark(place, -1 if self._start and self._mark else known, totals, dump)

    def _emptied(self, totals: list[int]) -> list[str]:
        """Return the communities, of several, that show nothing although they did before."""
        before, names = self._mark.totals if self._mark else (), self._options.communities
        if len(names) < 2:
            return []
        return [
            name for name, then, now in zip(names, before, totals, strict=False) if then and not now
        ]

    async def _totals(self) -> list[int]:
        return [(await search.newest())[0] for search in self._searches]

    async def _scopes_from(self, place: Place, field: str, since: str) -> AsyncIterator[Fetched]:
        self._reached = place
        for index in range(place.scope, len(self._searches)):
            spot = place.spot if index == place.scope else Spot()
            async for records, after in self._searches[index].walk(field, spot, since):
                async for found in self._page(index, records, after, field):
                    yield found

    async def _page(
        self, index: int, records: list[Json], after: Spot | None, field: str
    ) -> AsyncIterator[Fetched]:
        """Yield what a page holds; the last thing carries the place behind the page."""
        wanted = [record for record in records if self._options.wanted(record, index)]
        keys = map(self._options.key, wanted)
        if field == "updated":
            self._changed.update(keys)
        else:
            self._changed.difference_update(keys)
        unsure = self._reached.unsure or any(map(self._told_before, wanted))
        at_once = self._options.concurrency
        found = [one async for one in in_order(self._item, wanted, at_once)]
        new = sum(isinstance(one, RawItem) and not self._walk.stamp(one.key) for one in found)
        newest = max((_updated(record) for record in records), default="")
        before = self._reached
        self._reached = msgspec.structs.replace(
            before,
            scope=index,
            spot=after or (before.spot if before.scope == index else Spot()),
            walked=before.walked + len(records),
            new=before.new + new,
            newest=max(before.newest, newest) if field == "updated" else before.newest,
            latest=max(before.latest, newest),
            unsure=unsure,
        )
        cursor = msgspec.json.encode(self._reached).decode() if after else ""
        for one in found[:-1]:
            yield one
        if found and not isinstance(found[-1], Problem | Mark):
            yield msgspec.structs.replace(found[-1], cursor=cursor)
        elif found:
            yield found[-1]

    def _told_before(self, record: Json) -> bool:
        """Whether a walk that was broken off told what is new since the last complete one."""
        before = self._mark.latest if self._mark else ""
        stamp = self._walk.stamp(self._options.key(record))
        if not before or stamp.partition(" ")[0] != identity(record):
            return False
        again = stamp == _stamp(record) and _updated(record) > before
        return again or words(record.get("created")) > before

    async def _item(self, record: Json) -> Fetched:
        key = self._options.key(record)
        if not key:
            return Problem(self._name, "a hit of the search has no identifier")
        stamp = (
            f"{identity(record)} {words(record.get('updated')) or words(record.get('modified'))}"
        )
        if self._walk.stamp(key) == stamp:
            return Unchanged(key)
        try:
            files = await self._files(record)
        except SourceError as error:
            if error.retryable:
                raise
            return Problem(key, error.message, error.where, error.hint)
        kept = {name: value for name, value in record.items() if name not in _COUNTS}
        held = Held(msgspec.json.encode(kept), files)
        return RawItem(key, msgspec.msgpack.encode(held), stamp=stamp)

    async def _files(self, record: Json) -> bytes:
        """Return the list of files where the search does not show it."""
        if listed_files(record) is not None:
            return b""
        url = f"{self._options.root}/api/records/{quote(identity(record), safe='')}/files"
        closed = () if access_of(record, "-", "files").public else (401, 403)
        answer = await self._http.get(
            url, headers=self._options.headers, expect=(200, 404, *closed), check=_check_files
        )
        return answer.content if answer.status == 200 else b"[]"

    async def _deleted(self, known: str) -> AsyncIterator[Fetched]:
        """Yield what the archive's table of deleted records tells anew, once it is confirmed."""
        dump = await newest_dump(self._http, self._options.root, self._options.headers)
        if dump is None or dump.version == known:
            return
        try:
            listed = await deleted_ids(self._http, dump, self._options.headers)
            told = {identifier for identifier in listed if self._walk.stamp(identifier)}
        except SourceMalformed as error:
            yield Problem(dump.url, error.message, error.where, error.hint, "warning")
            return
        for identifier in sorted(told):
            url = f"{self._options.root}/api/records/{quote(identifier, safe='')}"
            answer = await self._http.get(
                url, headers=self._options.headers, expect=(200, 404, 410)
            )
            if answer.status != 200:
                yield Deleted(identifier)
        yield Mark(dump.version)


def _updated(record: Json) -> str:
    return words(record.get("updated")) or words(record.get("modified"))


def _stamp(record: Json) -> str:
    return f"{identity(record)} {_updated(record)}"


def _as_it_was(mark: Mark) -> Iterator[Fetched]:
    """The end of a walk over changes; one that is broken off here goes on here."""
    yield Unchanged("", msgspec.json.encode(Place(left=mark.text)).decode(), below=True)
    yield mark


def _mark(place: Place, known: int, totals: list[int], dump: str) -> Mark:
    left = Remembered(place.newest, known, tuple(totals), dump, place.latest)
    return Mark(msgspec.json.encode(left).decode())


def _check_files(answer: Answer) -> None:
    if answer.status == 200 and not isinstance(answer.json(), (dict, list)):
        raise SourceMalformed("not a list of files", where=answer.url)
