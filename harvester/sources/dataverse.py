"""Source ``dataverse``: the data sets of a Dataverse, found by its search, read as JSON.

Every walk lists all data sets, which is cheap, and reads those whose ``updatedAt`` is another one
than before: sorting by date misses minor versions. Pages overlap by one data set, so that a list
that shifts while it is read is noticed and read again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import date
from typing import Any, ClassVar, Literal

import msgspec
from msgspec import Struct
from pydantic import Field

from harvester.asking.ahead import in_order
from harvester.asking.answers import Answer
from harvester.asking.http import Http, HttpOptions
from harvester.repositories.dataverse_record import records_of, version_number, version_of
from harvester.words.leaves import Json, child, objects, words
from parfocal.errors import RecordInvalid, SourceError, SourceMalformed
from parfocal.identifiers import record_id
from parfocal.interfaces import Walk
from parfocal.model import Provenance, Record
from parfocal.secrets import Secret
from parfocal.values import Fetched, Problem, RawItem, Unchanged

_PASSES = 4


class DataverseOptions(HttpOptions):
    """Settings of a ``dataverse`` source."""

    query: str = Field("*", description="Words of the search that data sets must fit.")
    collections: tuple[str, ...] = Field(
        (), description="Aliases of collections; none: the whole archive."
    )
    versions: Literal["latest", "all"] = Field(
        "latest", description="`latest`: the published one; `all`: earlier ones beside it."
    )
    harvested: bool = Field(
        False, description="Whether data sets that the archive got from others are read too."
    )
    page_size: int = Field(200, ge=2, le=1000, description="Data sets of one answer of the search.")
    token: Secret | None = Field(None, description="API token of a user.")


class Held(Struct, frozen=True):
    """A data set as exported, and the list of its versions where that was asked for."""

    document: bytes
    versions: bytes = b""


class Place(Struct, frozen=True, omit_defaults=True):
    """Where a walk over the list is: how many were passed, the last of them, how many were new."""

    start: int = 0
    last: str = ""
    told: int = 0


class Page(Struct, frozen=True):
    """One answer of the search."""

    items: list[Json]
    total: int


_held = msgspec.msgpack.Decoder(Held)
_place = msgspec.json.Decoder(Place)


def read_page(answer: Answer) -> Page:
    """Read an answer of the search; SourceMalformed when it is none."""
    data = child(answer.json(), "data")
    items, total = child(data, "items"), child(data, "total_count")
    if not isinstance(items, list) or isinstance(total, bool) or not isinstance(total, int):
        message = words(child(answer.json(), "message")) or "there are no items"
        raise SourceMalformed(f"not an answer of a search: {message}", where=answer.url)
    return Page(objects(items), total)


def _check_document(answer: Answer) -> None:
    if answer.status == 200 and not version_of(answer.json())[1]:
        raise SourceMalformed("not a data set: there is no version", where=answer.url)


def _check_versions(answer: Answer) -> None:
    if not isinstance(child(answer.json(), "data"), list):
        raise SourceMalformed("not a list of versions", where=answer.url)


def _key(item: Json) -> str:
    return words(item.get("global_id"))


def _stamp(item: Json) -> str:
    time = words(item.get("updatedAt"))
    number = f"{words(item.get('majorVersion'))}.{words(item.get('minorVersion'))}"
    return f"{time} {number}" if time else ""


class DataverseSets:
    """Data sets of one Dataverse."""

    Options: ClassVar[type[DataverseOptions]] = DataverseOptions

    def __init__(self, name: str, options: DataverseOptions) -> None:
        self.name = name
        self.options = options
        self.root = options.url.rstrip("/").removesuffix("/api")

    async def fetch(self, walk: Walk) -> AsyncIterator[Fetched]:
        """Walk the whole list and read what changed."""
        async with Http(self.options, walk) as http:
            async for found in _Listing(self, http, walk).walk():
                yield found

    async def fetch_since(self, since: date, walk: Walk) -> AsyncIterator[Fetched]:
        """Walk the list and read what was changed on a day or later."""
        async with Http(self.options, walk) as http:
            async for found in _Listing(self, http, walk, since.isoformat()).walk():
                yield found
        yield Unchanged("", below=True)

    def normalise(self, item: RawItem) -> Iterable[Record | Problem]:
        """Yield the study of a data set, earlier versions of it, and the images in each."""
        try:
            held = _held.decode(item.content)
            dataset, latest = version_of(msgspec.json.decode(held.document))
            listed = child(msgspec.json.decode(held.versions), "data") if held.versions else []
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            yield Problem(item.key, f"not a raw item of this source: {error}")
            return
        if not latest:
            yield Problem(item.key, "the data set has no version")
            return
        number = version_number(latest)
        earlier = [one for one in objects(listed) if version_number(one) not in ("", number)]
        for version in (latest, *earlier):
            native = item.key if version is latest else f"{item.key}@{version_number(version)}"
            provenance = Provenance(self.name, native, words(dataset.get("persistentUrl")))
            try:
                yield from records_of(
                    dataset, version, record_id(self.name, native), provenance, self.root
                )
            except RecordInvalid as error:
                yield Problem(item.key, error.message, error.where, error.hint)


class _Listing:
    """The list of data sets that the search gives."""

    def __init__(self, source: DataverseSets, http: Http, walk: Walk, since: str = "") -> None:
        self._source = source
        self._options = source.options
        self._http = http
        self._walk = walk
        self._since = since
        self._told: set[str] = set()

    def _headers(self) -> dict[str, str]:
        token = self._options.token
        return {"X-Dataverse-key": token.reveal()} if token else {}

    async def _ask(self, start: int) -> Page:
        options = self._options
        params: list[tuple[str, str]] = [
            ("q", options.query),
            ("type", "dataset"),
            ("per_page", str(options.page_size)),
            ("start", str(start)),
            ("sort", "date"),
            ("order", "asc"),
            *(("subtree", name) for name in options.collections),
        ]
        if not options.harvested:
            params.append(("fq", "isHarvested:false"))
        answer = await self._http.get(
            f"{self._source.root}/api/search",
            params=params,
            headers=self._headers(),
            check=read_page,
        )
        return read_page(answer)

    async def walk(self) -> AsyncIterator[Fetched]:
        """Yield everything; a list that shifted is read again from its beginning."""
        place = _place.decode(self._walk.cursor) if self._walk.cursor else Place()
        for _ in range(_PASSES):
            self._whole = True
            async for found in self._pass(place):
                yield found
            if self._whole:
                return
            place = Place()
        yield Problem(
            self._source.name,
            "the list of data sets changed again and again while it was read",
            hint="nothing is taken for deleted; harvest again",
        )
        yield Unchanged("", below=True)

    async def _pass(self, place: Place) -> AsyncIterator[Fetched]:
        """Yield the list from a place on; ``_whole`` is false when it shifted meanwhile."""
        resumed = place.told
        while True:
            page = await self._ask(place.start - 1 if place.start else 0)
            items = page.items
            if place.start:
                if not items or _key(items[0]) != place.last:
                    self._whole = False
                    return
                items = items[1:]
            fresh = [item for item in items if _key(item) not in self._told]
            place = Place(
                place.start + len(items),
                _key(items[-1]) if items else place.last,
                resumed + len(self._told | {_key(item) for item in fresh}),
            )
            async for found in self._read(fresh, place):
                yield found
            if place.start >= page.total:
                return
            if not items:
                raise SourceMalformed(
                    f"the search has {page.total:,} data sets, but shows {place.start:,}",
                    where=f"{self._source.root}/api/search",
                )

    async def _read(self, items: list[Json], place: Place) -> AsyncIterator[Fetched]:
        self._told.update(map(_key, items))
        wanted = [item for item in items if words(item.get("updatedAt")) >= self._since]
        found = [one async for one in in_order(self._item, wanted, self._options.concurrency)]
        cursor = msgspec.json.encode(place).decode()
        for one in found[:-1]:
            yield one
        if found:
            last = found[-1]
            shown = isinstance(last, (RawItem, Unchanged))
            yield msgspec.structs.replace(last, cursor=cursor) if shown else last

    async def _item(self, item: Json) -> Fetched:
        key, stamp = _key(item), _stamp(item)
        if not key:
            return Problem(self._source.name, "a hit of the search has no persistent identifier")
        if stamp and self._walk.stamp(key) == stamp:
            return Unchanged(key)
        try:
            held = Held(await self._document(key), await self._versions(key))
        except SourceError as error:
            if error.retryable and not isinstance(error, SourceMalformed):
                raise
            return Problem(key, error.message, error.where, error.hint)
        return RawItem(key, msgspec.msgpack.encode(held), stamp=stamp)

    async def _document(self, key: str) -> bytes:
        """Return the export of a data set, or its native form where there is no export."""
        answer = await self._get(
            "datasets/export", key, {"exporter": "dataverse_json"}, (200, 400, 404, 501)
        )
        if answer.status != 200:
            answer = await self._get("datasets/:persistentId/", key, {}, (200,))
        return answer.content

    async def _versions(self, key: str) -> bytes:
        if self._options.versions == "latest":
            return b""
        path = "datasets/:persistentId/versions"
        return (await self._get(path, key, {}, (200,), _check_versions)).content

    async def _get(
        self,
        path: str,
        key: str,
        params: dict[str, str],
        expect: tuple[int, ...],
        check: Any = _check_document,
    ) -> Answer:
        url = f"{self._source.root}/api/{path}"
        return await self._http.get(
            url,
            params={**params, "persistentId": key},
            headers=self._headers(),
            expect=expect,
            check=check,
        )
