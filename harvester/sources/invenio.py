"""Source ``invenio``: Zenodo and every other InvenioRDM, over its REST interface.

The first walk reads everything; later ones what changed since, and compare the number of records
with what it must be then. Where that does not fit, something is gone: the archive's table of
deleted records is asked, and if that does not explain it, everything is listed again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import date, timedelta
from typing import ClassVar, Literal
from urllib.parse import quote

import msgspec
from msgspec import Struct
from pydantic import Field

from harvester.ahead import in_order
from harvester.answers import Answer
from harvester.datacite_record import study_of
from harvester.http import Http, HttpOptions
from harvester.instants import earlier
from harvester.invenio_dumps import deleted_ids, newest_dump
from harvester.invenio_search import Scope, Search, Spot, find_scopes, identity
from harvester.leaves import Json, child, entries, objects, words
from harvester.rdm_files import access_of, files_of, listed_files, thumbnail_of
from harvester.rdm_record import attributes_of, communities
from harvester.repository_files import images_of, other_files
from harvester.secrets import Secret
from parfocal.errors import RecordInvalid, SourceError, SourceMalformed
from parfocal.identifiers import record_id
from parfocal.interfaces import Walk
from parfocal.model import Dataset, Provenance, Record
from parfocal.values import Deleted, Fetched, Mark, Problem, RawItem, Unchanged

_OVERLAP = timedelta(hours=1)  # a search engine shows a change some time after it was made
_EMPTIED = "nothing is taken for deleted; leave the community out if it is gone"
_COUNTS = ("stats", "views", "downloads")


class InvenioOptions(HttpOptions):
    """Settings of an ``invenio`` source."""

    query: str = Field("", description="Words of the archive's search that records must fit.")
    communities: tuple[str, ...] = Field((), description="Communities; none: the whole archive.")
    versions: Literal["latest", "all"] = Field(
        "latest", description="`latest`: one record for all versions; `all`: one for each."
    )
    page_size: int = Field(
        0, ge=0, le=1000, description="Hits of one answer; 0: 25, or 100 with a token."
    )
    token: Secret | None = Field(None, description="Token that shows what is restricted.")
    group: str = Field(
        "", description="Group that may see what is restricted; none: the name of the source."
    )


class Held(Struct, frozen=True):
    """A record as the search showed it, and its files where those were asked for."""

    record: bytes
    files: bytes = b""


class Remembered(Struct, frozen=True, omit_defaults=True):
    """What a walk leaves for the next one: newest change, number of hits, last table read."""

    since: str = ""
    totals: tuple[int, ...] = ()
    dump: str = ""


class Place(Struct, frozen=True, omit_defaults=True):
    """Where a walk is: what it does in which scope, from where on, and what it counted."""

    phase: Literal["all", "changes"] = "all"
    scope: int = 0
    spot: Spot = Spot()
    newest: str = ""
    walked: int = 0
    new: int = 0


_held = msgspec.msgpack.Decoder(Held)
_place = msgspec.json.Decoder(Place)
_remembered = msgspec.json.Decoder(Remembered)


class InvenioRecords:
    """Data sets of one InvenioRDM."""

    Options: ClassVar[type[InvenioOptions]] = InvenioOptions

    def __init__(self, name: str, options: InvenioOptions) -> None:
        self.name = name
        self.options = options
        self._root = options.url.rstrip("/").removesuffix("/api")

    # -------------------------------------------------------------- walks

    async def fetch(self, walk: Walk) -> AsyncIterator[Fetched]:
        """Walk everything, or only what changed when the last walk left a mark."""
        async with Http(self.options, walk) as http:
            round_ = _Round(self, http, walk, await self._scopes(http))
            async for found in round_.run():
                yield found

    async def fetch_since(self, since: date, walk: Walk) -> AsyncIterator[Fetched]:
        """Walk what changed on a day or later."""
        async with Http(self.options, walk) as http:
            round_ = _Round(self, http, walk, await self._scopes(http))
            place = round_.place or Place("changes", newest=since.isoformat())
            async for found in round_.changes(place, since.isoformat()):
                yield found
            yield Unchanged("", below=True)

    async def _scopes(self, http: Http) -> list[Scope]:
        options = self.options
        size = options.page_size or (100 if options.token else 25)
        every = options.versions == "all"
        return await find_scopes(
            http, self._root, options.query, options.communities, size, every, self.headers
        )

    @property
    def root(self) -> str:
        """Return the address of the archive without its interface."""
        return self._root

    @property
    def headers(self) -> dict[str, str]:
        """Return what every request carries."""
        token = self.options.token
        own = {"Authorization": f"Bearer {token.reveal()}"} if token else {}
        return {"Accept": "application/json", **own}

    def key(self, record: Json) -> str:
        """Return what identifies a record for ever: all its versions, or the one."""
        whole = words(child(record, "parent", "id")) or words(record.get("conceptrecid"))
        return (whole if self.options.versions == "latest" else "") or identity(record)

    def wanted(self, record: Json, scope: int) -> bool:
        """Whether a hit belongs here: the right version, and not told in an earlier community."""
        last = child(record, "versions", "is_latest")
        old = objects(child(record, "metadata", "relations", "version"))
        stale = last is False or any(one.get("is_last") is False for one in old)
        if stale and self.options.versions == "latest":
            return False
        names, listed = self.options.communities, communities(record)
        if not names:
            return True
        earlier_ones = set(names[:scope]) & set(listed)
        known = bool(set(names) & set(listed))
        return not earlier_ones and (names[scope] in listed or not known)

    # -------------------------------------------------------------- records

    def normalise(self, item: RawItem) -> Iterable[Record | Problem]:
        """Yield the study that a record describes and the images among its files."""
        try:
            held = _held.decode(item.content)
            record = msgspec.json.decode(held.record)
            files = msgspec.json.decode(held.files) if held.files else None
            if not isinstance(record, dict):
                raise msgspec.DecodeError("a record is an object")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            yield Problem(item.key, f"not a raw item of this source: {error}")
            return
        try:
            yield from self._records(item.key, record, files)
        except RecordInvalid as error:
            yield Problem(item.key, error.message, error.where, error.hint)

    def _records(self, key: str, record: Json, asked: object) -> Iterator[Record | Problem]:
        group = self.options.group or self.name
        listed = listed_files(record) if asked is None else _entries(asked)
        files = list(files_of(record, listed or [], access_of(record, group, "files")))
        attributes = attributes_of(record)
        provenance = Provenance(
            source=self.name, native_id=key, url=words(child(record, "links", "self_html"))
        )
        identifier = record_id(self.name, key)
        study: Dataset = study_of(attributes, identifier, provenance, access_of(record, group))
        pairs = (*study.key_values, *other_files(files))
        study = msgspec.structs.replace(
            study, key_values=tuple(dict.fromkeys(pairs)), thumbnail=thumbnail_of(record)
        )
        yield study
        yield from images_of(study, files, key)


class _Round:
    """One walk over one archive."""

    def __init__(self, source: InvenioRecords, http: Http, walk: Walk, scopes: list[Scope]) -> None:
        self._source = source
        self._http = http
        self._walk = walk
        self._searches = [Search(http, scope) for scope in scopes]
        self._mark = _remembered.decode(walk.mark) if walk.mark else None
        self.place = _place.decode(walk.cursor) if walk.cursor else None

    async def run(self) -> AsyncIterator[Fetched]:
        """Yield changes and, unless the count then fits, everything."""
        mark, place = self._mark, self.place
        if mark is not None and (place is None or place.phase == "changes"):
            since = earlier(mark.since, _OVERLAP)
            place = place or Place("changes", newest=mark.since)
            async for found in self.changes(place, since):
                yield found
            place = self._reached
            totals = await self._totals()
            # The newest record that is known was changed after ``since``: it must be among them.
            if place.walked and sum(totals) == sum(mark.totals) + place.new:
                yield Unchanged("", below=True)
                yield _mark(place.newest, totals, mark.dump)
                return
            gone, dump = 0, mark.dump
            async for found in self._deleted(mark.dump):
                dump = found.text if isinstance(found, Mark) else dump
                gone += isinstance(found, Deleted)
                if not isinstance(found, Mark):
                    yield found
            if place.walked and sum(totals) == sum(mark.totals) + place.new - gone:
                yield Unchanged("", below=True)
                yield _mark(place.newest, totals, dump)
                return
            place = None
        async for found in self._everything(place):
            yield found

    async def changes(self, place: Place, since: str) -> AsyncIterator[Fetched]:
        """Yield what was changed since a time, scope by scope; ``_reached`` is where it ended."""
        async for found in self._scopes_from(place, "updated", since):
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
                self._source.name,
                f"the search has {sum(totals):,} hits, but showed {place.walked:,}",
                hint="nothing is taken for deleted; harvest again",
            )
            yield Unchanged("", below=True)
        for name in self._emptied(totals):
            yield Problem(name, "the search has no hits any more", hint=_EMPTIED)
            yield Unchanged("", below=True)
        yield _mark(place.newest, totals, self._mark.dump if self._mark else "")

    def _emptied(self, totals: list[int]) -> list[str]:
        """Return the communities, of several, that show nothing although they did before."""
        before, names = self._mark.totals if self._mark else (), self._source.options.communities
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
        found = [
            one
            async for one in in_order(
                self._item,
                [record for record in records if self._source.wanted(record, index)],
                self._source.options.concurrency,
            )
        ]
        new = sum(isinstance(one, RawItem) and not self._walk.stamp(one.key) for one in found)
        newest = max((words(record.get("updated")) for record in records), default="")
        before = self._reached
        self._reached = msgspec.structs.replace(
            before,
            scope=index,
            spot=after or (before.spot if before.scope == index else Spot()),
            walked=before.walked + len(records),
            new=before.new + new,
            newest=max(before.newest, newest) if field == "updated" else before.newest,
        )
        cursor = msgspec.json.encode(self._reached).decode() if after else ""
        for one in found[:-1]:
            yield one
        if found and not isinstance(found[-1], Problem | Mark):
            yield msgspec.structs.replace(found[-1], cursor=cursor)
        elif found:
            yield found[-1]

    async def _item(self, record: Json) -> Fetched:
        key = self._source.key(record)
        if not key:
            return Problem(self._source.name, "a hit of the search has no identifier")
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
        url = f"{self._source.root}/api/records/{quote(identity(record), safe='')}/files"
        closed = () if access_of(record, "-", "files").public else (401, 403)
        answer = await self._http.get(
            url, headers=self._source.headers, expect=(200, 404, *closed), check=_check_files
        )
        return answer.content if answer.status == 200 else b"[]"

    async def _deleted(self, known: str) -> AsyncIterator[Fetched]:
        """Yield what the archive's table of deleted records tells anew, once it is confirmed."""
        dump = await newest_dump(self._http, self._source.root, self._source.headers)
        if dump is None or dump.version == known:
            return
        try:
            listed = await deleted_ids(self._http, dump, self._source.headers)
            told = {identifier for identifier in listed if self._walk.stamp(identifier)}
        except SourceMalformed as error:
            yield Problem(dump.url, error.message, error.where, error.hint, "warning")
            return
        for identifier in sorted(told):
            url = f"{self._source.root}/api/records/{quote(identifier, safe='')}"
            answer = await self._http.get(url, headers=self._source.headers, expect=(200, 404, 410))
            if answer.status != 200:
                yield Deleted(identifier)
        yield Mark(dump.version)


def _mark(since: str, totals: list[int], dump: str) -> Mark:
    return Mark(msgspec.json.encode(Remembered(since, tuple(totals), dump)).decode())


def _check_files(answer: Answer) -> None:
    if answer.status == 200 and not isinstance(answer.json(), (dict, list)):
        raise SourceMalformed("not a list of files", where=answer.url)


def _entries(asked: object) -> list[Json]:
    held = child(asked, "entries") if isinstance(asked, dict) else asked
    if isinstance(held, dict):
        held = [{"key": name, **one} for name, one in held.items() if isinstance(one, dict)]
    return objects(entries(held))
