"""One walk over an OAI-PMH provider: its lists, window by window, and what is gone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
from msgspec import Struct
from pydantic import Field

from harvester.asking.http import Http, HttpOptions
from harvester.repositories.oai_client import OaiClient, OaiRefused, Provider, TokenExpired
from harvester.repositories.oai_pages import Entry, OaiPage
from harvester.words.instants import read_instant
from parfocal.errors import SourceMalformed, SourceUnavailable
from parfocal.interfaces import Walk
from parfocal.values import Deleted, Fetched, Mark, Problem, RawItem, Unchanged

_RESTARTS = 5
_REMEMBERED = 200_000


class OaiOptions(HttpOptions):
    """Settings of an ``oai-pmh`` source."""

    format: str = Field(
        "", description="Metadata format (prefix); none: the one offered that tells most."
    )
    sets: tuple[str, ...] = Field((), description="Sets to list; none: everything.")
    window_days: int = Field(
        0, ge=0, description="Days listed at once in the first walk; 0: everything at once."
    )
    complete_every: int | None = Field(
        None,
        ge=0,
        description="Days after which all identifiers are listed to find what is gone;"
        " none: always where the provider does not keep headers of deleted records, else never.",
    )


class Held(Struct, frozen=True):
    """A record as the provider gave it, in its format; ``broken`` says why it is no XML."""

    identifier: str
    datestamp: str
    sets: tuple[str, ...]
    prefix: str
    xml: str
    broken: str = ""


class Left(Struct, frozen=True, omit_defaults=True):
    """What a walk leaves for the next one: up to when all is known, when all was listed last."""

    since: str = ""
    complete: str = ""
    listed: tuple[int, ...] = ()
    """How many entries each set had when all was listed last."""


class Place(Struct, frozen=True, omit_defaults=True):
    """Where a walk is: in which of its lists, behind which page, and what it saw.

    Its lists are those of every set, window by window; ``since`` is "" when all is read.
    """

    verb: str = "ListRecords"
    since: str = ""
    list: int = 0
    token: str = ""
    prefix: str = ""
    started: str = ""
    newest: str = ""
    told: int = 0
    size: int | None = None
    shifted: bool = False
    listed: tuple[int, ...] = ()
    whole: bool = False
    ended: bool = False


_place = msgspec.json.Decoder(Place)
_left = msgspec.json.Decoder(Left)


class OaiWalk:
    """One walk over one provider."""

    def __init__(self, name: str, options: OaiOptions, http: Http, walk: Walk) -> None:
        self._name = name
        self._options = options
        self._walk = walk
        self._client = OaiClient(http, options.url)
        self._left = _left.decode(walk.mark) if walk.mark else Left()
        self._known: set[str] = set()
        self._place = Place()

    async def run(self) -> AsyncIterator[Fetched]:
        """Yield records, then, where it must be, what is said by the list of identifiers."""
        provider = await self._client.identify()
        since = provider.before(self._left.since)
        self._place = await self._start(provider, since)
        if not self._place.ended:
            async for found in self._everything(provider):
                yield found
        whole = self._place.whole
        if not whole:
            # One that is broken off here goes on here: what is said of the rest cannot be unsaid.
            self._place = msgspec.structs.replace(self._place, ended=True)
            yield Unchanged("", msgspec.json.encode(self._place).decode(), below=True)
        if mark := _mark(self._place, self._left, whole):
            yield mark

    async def _everything(self, provider: Provider) -> AsyncIterator[Fetched]:
        """Yield all lists; then ``whole`` says whether what was not among them is gone."""
        since = self._place.since
        if self._place.verb == "ListRecords":
            async for found in self._lists(provider):
                yield found
            if since and not self._place.newest and provider.deleted == "persistent":
                # The newest record that is known is not older than the time asked for.
                reason = "the provider shows no changes, not even the newest that is known"
                yield Problem(self._name, reason, severity="warning")
            if since and self._must_complete(provider):
                self._place = _fresh(self._place, verb="ListIdentifiers", list=0, listed=())
        if self._place.verb == "ListIdentifiers":
            async for found in self._lists(provider):
                yield found
        whole = not since or self._place.verb == "ListIdentifiers"
        for name in self._emptied() if whole else ():
            reason = f"the list {name} is empty, which it was not before".replace("  ", " ")
            yield Problem(self._name, reason, hint="nothing is taken for deleted")
            yield Unchanged("", below=True)
        self._place = msgspec.structs.replace(self._place, whole=whole)

    def _emptied(self) -> list[str]:
        """Return the sets whose lists had entries when all was listed last, and have none now."""
        sets, now, before = self._options.sets or ("",), self._place.listed, self._left.listed
        counted = zip(sets, before, now, strict=False)
        return [name for name, then, left in counted if then and not left]

    async def since(self, day: str) -> AsyncIterator[Fetched]:
        """Yield records that were changed on a day or later."""
        provider = await self._client.identify()
        first = read_instant(day)
        self._place = await self._start(provider, provider.write(first) if first else day)
        async for found in self._lists(provider):
            yield found

    async def _start(self, provider: Provider, since: str) -> Place:
        if self._walk.cursor:
            return _place.decode(self._walk.cursor)
        prefix = self._options.format or await self._client.best_format()
        return Place(since=since, prefix=prefix, started=provider.date)

    def _must_complete(self, provider: Provider) -> bool:
        """Whether the list of identifiers is due, by the provider's clock."""
        every = self._options.complete_every
        if every is None:
            return provider.deleted != "persistent"
        last, now = read_instant(self._left.complete), read_instant(provider.date)
        return last is None or now is None or now - last >= timedelta(days=every)

    # -------------------------------------------------------------- lists

    def _windows(self, provider: Provider) -> list[tuple[str, str]]:
        """Return the first and last instant of each window; "" where there is no bound.

        The last window has no end, so that what is changed during the walk is still seen.
        """
        place = self._place
        if place.verb == "ListIdentifiers":
            return [("", "")]
        first, now = read_instant(provider.earliest), read_instant(place.started)
        if place.since or not self._options.window_days or first is None or now is None:
            return [(place.since, "")]
        step, found = timedelta(days=self._options.window_days), []
        while first + step < now:
            found.append((provider.write(first), provider.write(first + step - provider.granule)))
            first += step
        return [*found, (provider.write(first), "")]

    async def _lists(self, provider: Provider) -> AsyncIterator[Fetched]:
        """Yield all lists, of every set and window, from the place on."""
        windows, sets = self._windows(provider), self._options.sets or ("",)
        while (number := self._place.list) < len(sets) * len(windows):
            begin, end = windows[number % len(windows)]
            arguments = {"from": begin, "until": end, "set": sets[number // len(windows)]}
            async for found in self._list(arguments):
                yield found
            listed = _added(self._place.listed, number // len(windows), self._place.told)
            self._place = _fresh(self._place, list=number + 1, listed=listed)

    async def _list(self, arguments: dict[str, str]) -> AsyncIterator[Fetched]:
        """Yield a list; when its token expires or it shifts, it is listed from its beginning."""
        for _ in range(_RESTARTS):
            try:
                async for found in self._pages(arguments):
                    yield found
            except TokenExpired:
                self._place = _fresh(self._place)
                continue
            if not self._place.shifted:
                return
            self._place = _fresh(self._place)
        raise SourceUnavailable(
            "the list expires or changes again and again before it ends",
            where=self._options.url,
            hint="set window_days of this source, so that lists are shorter",
        )

    async def _pages(self, arguments: dict[str, str]) -> AsyncIterator[Fetched]:
        before: tuple[str, ...] = ()
        seen: set[str] = set()
        while True:
            page = await self._ask(arguments)
            now = tuple(entry.identifier for entry in page.entries)
            if page.token and (page.token == self._place.token or (now and now == before)):
                raise SourceMalformed(
                    "the list leads from a page to itself", where=self._options.url
                )
            if page.token and now and seen.issuperset(now):
                raise SourceMalformed("the list goes round in circles", where=self._options.url)
            self._place = _moved(self._place, page, len(set(now) - seen))
            before = now
            if len(seen) < _REMEMBERED:
                seen.update(now)
            async for found in self._entries(page):
                yield found
            if not page.token:
                break
        size = self._place.size
        if size is not None and self._place.told < size and not self._place.shifted:
            yield Problem(
                self._name,
                f"the list has {size:,} entries, but showed {self._place.told:,}",
                hint="nothing is taken for deleted; harvest again",
            )
            yield Unchanged("", below=True)

    async def _ask(self, arguments: dict[str, str]) -> OaiPage:
        place = self._place
        if place.token:
            return await self._client.ask(place.verb, resumptionToken=place.token)
        return await self._client.ask(place.verb, metadataPrefix=place.prefix, **arguments)

    async def _entries(self, page: OaiPage) -> AsyncIterator[Fetched]:
        """Yield what a page holds; the last thing carries the place behind the page."""
        found: list[Fetched] = []
        for entry in page.entries:
            found += await self._entry(entry)
        cursor = msgspec.json.encode(self._place).decode() if page.token else ""
        for one in found[:-1]:
            yield one
        if found:
            last = found[-1]
            moves = isinstance(last, (RawItem, Unchanged, Deleted))
            yield msgspec.structs.replace(last, cursor=cursor) if moves else last

    async def _entry(self, entry: Entry) -> list[Fetched]:
        key, listing = entry.identifier, self._place.verb == "ListIdentifiers"
        if not key:
            return self._nameless(entry)
        if entry.deleted:
            return [Deleted(key)]
        if not listing and key in self._known:
            return []
        if not listing and len(self._known) < _REMEMBERED:
            self._known.add(key)
        if not listing:
            return [self._item(entry)]
        if entry.datestamp >= self._place.since or self._walk.stamp(key):
            return [Unchanged(key)]
        return await self._single(key)

    async def _single(self, key: str) -> list[Fetched]:
        """A record that the list of identifiers has, but nobody told."""
        prefix = self._place.prefix
        try:
            page = await self._client.ask("GetRecord", identifier=key, metadataPrefix=prefix)
        except OaiRefused as error:
            gone = error.error == "idDoesNotExist"
            return [] if gone else [Problem(key, error.message, error.where, error.hint)]
        return [self._item(one) for one in page.entries[:1] if not one.deleted]

    def _nameless(self, entry: Entry) -> list[Fetched]:
        """A record without identifier; when it is broken, it may be any of those that are known."""
        if not entry.broken:
            reason = "a record has no identifier in its header"
            return [Problem(self._name, reason, severity="warning")]
        return [
            Problem(self._name, f"a record is broken: {entry.broken}"),
            Unchanged("", below=True),
        ]

    def _item(self, entry: Entry) -> RawItem:
        held = Held(
            entry.identifier,
            entry.datestamp,
            entry.sets,
            self._place.prefix,
            entry.xml,
            entry.broken,
        )
        stamp = entry.datestamp or "-"
        return RawItem(entry.identifier, msgspec.msgpack.encode(held), stamp=stamp)


def _fresh(place: Place, **more: object) -> Place:
    """Return a place at the beginning of a list."""
    return msgspec.structs.replace(place, token="", told=0, size=None, shifted=False, **more)


def _added(counts: tuple[int, ...], place: int, more: int) -> tuple[int, ...]:
    """Return counts with more at a place, which may be the next one."""
    padded = (*counts, *[0] * (place + 1 - len(counts)))
    return (*padded[:place], padded[place] + more, *padded[place + 1 :])


def _moved(place: Place, page: OaiPage, told: int) -> Place:
    """Return the place behind a page; a list whose size changes has shifted."""
    other = page.size is not None and place.size not in (None, page.size)
    return msgspec.structs.replace(
        place,
        token=page.token,
        told=place.told + told,
        size=place.size if page.size is None else page.size,
        shifted=place.shifted or other,
        started=place.started or page.date,
        newest=max((place.newest, *(entry.datestamp for entry in page.entries))),
    )


def _mark(place: Place, left: Left, whole: bool) -> Mark | None:
    """Return what the next walk needs: until when this one saw all, by the provider's own times."""
    started, newest = read_instant(place.started), read_instant(place.newest)
    times = [(one, text) for one, text in ((started, place.started), (newest, place.newest)) if one]
    since = min(times)[1] if newest else ""
    before, now = read_instant(left.since), read_instant(since)
    if before and (now is None or now < before):
        since = left.since
    if not since:
        return None
    complete, listed = (place.started, place.listed) if whole else (left.complete, left.listed)
    return Mark(msgspec.json.encode(Left(since, complete, listed)).decode())
