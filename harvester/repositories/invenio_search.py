"""The search of InvenioRDM, walked whole although it shows no more than its first 10,000 hits.

Hits are asked for in the order of a time (created or updated), and each answer begins at the time
where the one before ended: nothing is lost or told twice when records come and go meanwhile, and
the limit is never met. A server that does not sort is asked for smaller and smaller spans of time;
one that knows no times at all, page by page.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from harvester.asking.answers import Answer
from harvester.asking.http import Http
from harvester.words.instants import read_instant, write_instant
from harvester.words.leaves import Json, child, objects, words
from parfocal.errors import SourceMalformed

WINDOW = 10_000
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime(2100, 1, 1, tzinfo=UTC)
_TICK = timedelta(milliseconds=1)  # as fine as search engines keep times
_ASCENDING = {"created": "oldest", "updated": "updated-asc"}
_NEWEST = "updated-desc"
_INSTEAD = {_NEWEST: "newest"}


class Scope(Struct, frozen=True):
    """What is searched: the address of the search, the operator's words, fixed parameters."""

    url: str
    query: str
    params: tuple[tuple[str, str], ...]
    size: int
    headers: tuple[tuple[str, str], ...] = ()


class Spot(Struct, frozen=True):
    """A place in a walk: the time up to which all was told, and who of that time was."""

    low: str = ""
    told: tuple[str, ...] = ()


Told = tuple[list[Json], Spot | None]
"""Records of one answer, and from where the walk goes on after them."""


class Hits(Struct, frozen=True):
    """One answer: its records, and how many there are in all."""

    records: list[Json]
    total: int
    date: datetime | None = None


def read_hits(answer: Answer) -> Hits:
    """Read an answer of the search; SourceMalformed when it is none."""
    document = answer.json()
    records = child(document, "hits", "hits")
    total: Any = child(document, "hits", "total")
    total = child(total, "value") if isinstance(total, dict) else total
    if not isinstance(records, list) or isinstance(total, bool) or not isinstance(total, int):
        raise SourceMalformed("not an answer of a search: there are no hits", where=answer.url)
    return Hits(objects(records), total, _date(answer))


def _date(answer: Answer) -> datetime | None:
    """Return the server's own time."""
    try:
        return parsedate_to_datetime(answer.headers.get("date", ""))
    except ValueError:
        return None


def identity(record: Json) -> str:
    """Return the identifier of a record's version."""
    return words(record.get("id")) or words(record.get("recid"))


async def find_scopes(
    http: Http,
    root: str,
    query: str,
    communities: tuple[str, ...],
    size: int,
    every: bool,
    headers: Mapping[str, str],
) -> list[Scope]:
    """Return what must be searched, one scope for each community, or one for everything."""
    params = (("allversions", "true"),) if every else ()
    sent = tuple(headers.items())
    if not communities:
        return [Scope(f"{root}/api/records", query, params, size, sent)]
    found = []
    for name in communities:
        url = f"{root}/api/communities/{quote(name, safe='')}/records"
        answer = await http.get(
            url, params={"size": 1}, headers=headers, expect=(200, 400, 404, 405)
        )
        if answer.status == 200 and isinstance(child(answer.json(), "hits"), dict):
            found.append(Scope(url, query, params, size, sent))
        else:
            own = (*params, ("communities", name))
            found.append(Scope(f"{root}/api/records", query, own, size, sent))
    return found


class Search:
    """The search of one scope."""

    def __init__(self, http: Http, scope: Scope) -> None:
        self._http = http
        self._scope = scope
        self._unknown: set[str] = set()
        """Ways of sorting that the archive refuses."""

    async def ask(self, span: str = "", sort: str = "", page: int = 1) -> Hits:
        """Return one page of what was made or changed in a span of time.

        An archive that does not know a way of sorting is asked without.
        """
        if sort in self._unknown:
            sort = _INSTEAD.get(sort, "")
        answer = await self._get(span, sort, page, (200, 400) if sort else (200,))
        if answer.status == 400:
            self._unknown.add(sort)
            answer = await self._get(span, _INSTEAD.get(sort, ""), page, (200,))
        return read_hits(answer)

    async def _get(self, span: str, sort: str, page: int, expect: tuple[int, ...]) -> Answer:
        scope = self._scope
        own = f"({scope.query})" if scope.query and span else scope.query
        params = [
            ("q", " AND ".join(filter(None, (own, span)))),
            ("sort", sort),
            ("size", str(scope.size)),
            ("page", str(page)),
            *scope.params,
        ]
        return await self._http.get(
            scope.url,
            params=[pair for pair in params if pair[1]],
            headers=dict(scope.headers),
            expect=expect,
            check=_check_hits,
        )

    async def newest(self) -> tuple[int, str]:
        """Return how many hits there are, and a time of change no later than the newest."""
        hits = await self.ask(sort=_NEWEST)
        return hits.total, max((words(one.get("updated")) for one in hits.records), default="")

    async def walk(self, field: str, spot: Spot, first: str = "") -> AsyncIterator[Told]:
        """Yield records page by page, by the time in ``field`` from ``first`` or the spot on.

        With each page comes the spot from which the walk goes on after it; None when it cannot.
        """
        low, told = spot.low or _norm(first), frozenset(spot.told)
        expected, shown = False, frozenset[str]()
        while True:
            hits = await self.ask(_span(field, low, "*") if low else "", _ASCENDING[field])
            if not hits.records and (expected or hits.total):
                raise SourceMalformed("the search ended before its end", where=self._scope.url)
            times = [_time(record, field) for record in hits.records]
            fresh = [one for one in hits.records if identity(one) not in told]
            if hits.total <= len(hits.records):
                if fresh:
                    yield fresh, _spot(hits.records, field, low, told)
                return
            if not await self._in_order(field, low, times):
                async for page in self._unsorted(field, low, hits, shown):
                    yield page
                return
            if times[-1] == _norm(low) and not fresh:
                async for page in self._crowd(field, low, told):
                    yield page
                low, told = _norm_time(_after(low)), frozenset()
                expected = False
                continue
            place = _spot(hits.records, field, low, told)
            yield fresh, place
            shown = shown or frozenset(map(identity, fresh))
            low, told, expected = place.low, frozenset(place.told), True

    async def _in_order(self, field: str, low: str, times: list[str]) -> bool:
        """Whether a page that does not hold all begins with the earliest of what was asked for."""
        if times != sorted(times) or not all(times) or (low and times[0] < low):
            return False
        if low or times[0] != times[-1]:
            return True
        before = (read_instant(times[0]) or _FIRST) - _TICK
        return (await self.ask(_span(field, _norm_time(_FIRST), _end(before)))).total == 0

    async def _crowd(self, field: str, instant: str, told: frozenset[str]) -> AsyncIterator[Told]:
        """Yield the rest of more records of one instant than fit a page."""
        known = set(told)
        page = 2
        while True:
            span = _span(field, instant, _end(read_instant(instant) or _FIRST))
            hits = await self.ask(span, _ASCENDING[field], page)
            fresh = [one for one in hits.records if identity(one) not in known]
            known.update(map(identity, hits.records))
            if fresh:
                yield fresh, Spot(instant, tuple(sorted(known)))
            if not hits.records or page * self._scope.size >= min(hits.total, WINDOW):
                return
            page += 1

    async def _unsorted(
        self, field: str, low: str, hits: Hits, shown: frozenset[str]
    ) -> AsyncIterator[Told]:
        """Yield what a server shows that does not sort, or does not know times."""
        start = _floor(read_instant(low) or _FIRST)
        probe = await self.ask(_span(field, _norm_time(_LAST), "*"))
        if probe.total >= hits.total:
            async for page in self._numbered(shown):
                yield page
            return
        end = min(max(start, hits.date or start) + timedelta(days=1), _LAST)
        async for page in self._spans(field, [(end + _TICK, _LAST), (start, end)]):
            yield page

    async def _spans(
        self, field: str, waiting: list[tuple[datetime, datetime]]
    ) -> AsyncIterator[Told]:
        """Yield the records of spans of time, the last first, cut until each part fits a page."""
        while waiting:
            low, high = waiting.pop()
            span = _span(field, _norm_time(low), _end(high))
            hits = await self.ask(span, _ASCENDING[field])
            after = Spot(_norm_time(high + _TICK))
            if hits.total > len(hits.records) and high - low >= _TICK:
                middle = _floor(low + (high - low) / 2)
                waiting += [(middle + _TICK, high), (low, middle)]
            elif hits.total <= len(hits.records):
                if hits.records:
                    yield hits.records, after
            else:
                known = frozenset(map(identity, hits.records))
                yield hits.records, Spot(_norm_time(low), tuple(sorted(known)))
                async for page in self._crowd(field, _norm_time(low), known):
                    yield page

    async def _numbered(self, shown: frozenset[str]) -> AsyncIterator[Told]:
        """Yield pages by their numbers; SourceMalformed when there are more than can be shown."""
        known, seen = set(shown), set[str]()
        page = 1
        while True:
            hits = await self.ask(sort=_ASCENDING["created"], page=page)
            fresh = [one for one in hits.records if identity(one) not in known]
            new_to_all = {identity(one) for one in hits.records} - seen
            seen |= new_to_all
            known |= new_to_all
            if hits.total > WINDOW:
                raise SourceMalformed(
                    f"the search shows {WINDOW:,} of {hits.total:,} hits and knows no times",
                    where=self._scope.url,
                    hint="set query or communities of this source, so that there are fewer",
                )
            if fresh:
                yield fresh, None
            if len(seen) >= hits.total:
                return
            if not new_to_all:
                raise SourceMalformed(
                    f"the search has {hits.total:,} hits, but shows {len(seen):,}",
                    where=self._scope.url,
                )
            page += 1


def _check_hits(answer: Answer) -> None:
    if answer.status == 200:
        read_hits(answer)


def _span(field: str, low: str, high: str) -> str:
    return f"{field}:[{low} TO {high}]"


def _floor(instant: datetime) -> datetime:
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def _norm_time(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds")


def _end(instant: datetime) -> str:
    """Return the last microsecond of a millisecond: archives keep times more or less finely."""
    return write_instant(_floor(instant) + timedelta(microseconds=999))


def _norm(text: str) -> str:
    found = read_instant(text)
    return _norm_time(found) if found else ""


def _time(record: Json, field: str) -> str:
    """Return the time of a record in a form whose texts sort as times do; "" without one."""
    text = words(record.get(field)) or words(record.get("modified" if field == "updated" else ""))
    return _norm(text)


def _after(text: str) -> datetime:
    return (read_instant(text) or _FIRST) + _TICK


def _spot(records: list[Json], field: str, low: str, told: frozenset[str]) -> Spot:
    """Return the spot behind a page that is in order."""
    last = _time(records[-1], field)
    now = {identity(one) for one in records if _time(one, field) == last}
    if last == _norm(low):
        now |= told
    return Spot(last, tuple(sorted(now)))
