"""Source ``datacite``: what is registered at DataCite, over its REST interface.

Lists are followed by cursor: numbered pages end at 10,000 and then repeat the last one silently. A
DOI cannot be deleted, but it can be hidden; that shows in the number of hits, which each later walk
compares with what it must be after the changes that it found.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Iterable
from datetime import date, timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

import msgspec
from msgspec import Struct
from pydantic import Field, model_validator

from harvester.asking.answers import Answer
from harvester.asking.http import Http, HttpOptions
from harvester.repositories.datacite_record import VOLATILE, study_of
from harvester.words.instants import earlier
from harvester.words.leaves import Json, child, leaves, objects, words
from parfocal.errors import RecordInvalid, SourceMalformed
from parfocal.identifiers import record_id
from parfocal.interfaces import Walk
from parfocal.model import Provenance, Record
from parfocal.secrets import Secret
from parfocal.values import Fetched, Mark, Problem, RawItem, Unchanged

CURSOR = "page[cursor]"
_OVERLAP = timedelta(hours=1)  # a search engine shows a change some time after it was made
_DERIVED = VOLATILE | {"references", "citations", "parts", "partOf", "versions", "versionOf"}


class DataciteOptions(HttpOptions):
    """Settings of a ``datacite`` source."""

    url: str = Field("https://api.datacite.org", description="Address of the archive.")
    client: str = Field("", description="Repository, as DataCite names it, like `dryad.dryad`.")
    prefix: str = Field("", description="Prefix of the DOIs, like `10.5061`.")
    query: str = Field("", description="Words of DataCite's search that DOIs must fit.")
    resource_type: str = Field("", description="Kind of what is registered, like `dataset`.")
    page_size: int = Field(500, ge=1, le=1000, description="DOIs of one answer.")
    user: str = Field("", description="Repository to log in as; shows its own hidden DOIs.")
    password: Secret | None = Field(None, description="Password of that repository.")

    @model_validator(mode="after")
    def _is_a_part(self) -> DataciteOptions:
        if not (self.client or self.prefix or self.query):
            raise ValueError("set client, prefix or query: DataCite as a whole is no source")
        if bool(self.user) != bool(self.password):
            raise ValueError("user and password belong together")
        return self


class Left(Struct, frozen=True, omit_defaults=True):
    """What a walk leaves for the next one.

    ``since`` is the newest change when it began, ``latest`` the newest that it saw, ``total`` how
    many DOIs are known then.
    """

    since: str = ""
    total: int = 0
    latest: str = ""


class Place(Struct, frozen=True, omit_defaults=True):
    """Where a walk is: from which change on, at which cursor, what it saw and counted.

    ``unsure`` says that a walk that was broken off told something before: then ``new`` is too low.
    """

    since: str = ""
    page: str = "1"
    newest: str = ""
    walked: int = 0
    new: int = 0
    latest: str = ""
    unsure: bool = False
    left: str = ""
    """What it leaves, once it has said that the rest is as it was."""


class Page(Struct, frozen=True):
    """One answer: DOIs, how many there are in all, and the cursor of the next one."""

    dois: list[Json]
    total: int
    following: str


_place = msgspec.json.Decoder(Place)
_left = msgspec.json.Decoder(Left)


def read_page(answer: Answer) -> Page:
    """Read an answer; SourceMalformed when it is no list of DOIs."""
    document = answer.json()
    held = child(document, "data")
    total: Any = child(document, "meta", "total")
    if not isinstance(held, list) or isinstance(total, bool) or not isinstance(total, int):
        raise SourceMalformed("not a list of DOIs", where=answer.url)
    following = dict(parse_qsl(urlsplit(words(child(document, "links", "next"))).query))
    return Page(objects(held), total, following.get(CURSOR, ""))


def _doi(entry: Json) -> str:
    return (words(child(entry, "attributes", "doi")) or words(entry.get("id"))).lower()


class DataciteDois:
    """Data sets that have a DOI of DataCite."""

    Options: ClassVar[type[DataciteOptions]] = DataciteOptions

    def __init__(self, name: str, options: DataciteOptions) -> None:
        self.name = name
        self.options = options

    async def fetch(self, walk: Walk) -> AsyncIterator[Fetched]:
        """Walk everything, or only what changed when the last walk left a mark."""
        async with Http(self.options, walk) as http:
            left = _left.decode(walk.mark) if walk.mark else None
            place = _place.decode(walk.cursor) if walk.cursor else None
            if place is not None and place.left:
                for found in _as_it_was(Mark(place.left)):
                    yield found
                return
            listing = _Listing(self, http, walk)
            if left is not None and (place is None or place.since):
                since = earlier(left.since, _OVERLAP)
                newest = place.newest if place else (await listing.look())[0]
                place = place or Place(since, newest=newest, latest=left.latest)
                listing.before = left.latest
                async for found in listing.walk(place):
                    yield found
                place = listing.place
                total = (await listing.look())[1]
                # The newest DOI that is known was changed after ``since``: it must be among them.
                sure = place.walked and not place.unsure
                if sure and total == left.total + place.new:
                    for found in _as_it_was(_mark(place, total)):
                        yield found
                    return
                place = None
            place = place or Place(newest=(await listing.look())[0])
            async for found in listing.walk(place):
                yield found
            # What was told is known, also if it was hidden meanwhile: then the next walk notices.
            known = listing.place.walked + len(listing.changed)
            for found in _ended(self.name, listing, -1 if walk.cursor and left else known):
                yield found

    async def fetch_since(self, since: date, walk: Walk) -> AsyncIterator[Fetched]:
        """Walk what changed on a day or later."""
        async with Http(self.options, walk) as http:
            listing = _Listing(self, http, walk)
            place = _place.decode(walk.cursor) if walk.cursor else Place(since.isoformat())
            async for found in listing.walk(place):
                yield found
        yield Unchanged("", below=True)

    def normalise(self, item: RawItem) -> Iterable[Record | Problem]:
        """Yield the study that a DOI's metadata describe."""
        try:
            entry = msgspec.json.decode(item.content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            yield Problem(item.key, f"not a raw item of this source: {error}")
            return
        attributes = child(entry, "attributes")
        if not isinstance(attributes, dict):
            yield Problem(item.key, "the DOI has no metadata")
            return
        try:
            kept = {name: value for name, value in attributes.items() if name not in _DERIVED}
            study = study_of(
                {"doi": item.key, **kept},
                record_id(self.name, item.key),
                Provenance(self.name, item.key, words(attributes.get("url"))),
            )
            related = tuple(leaves(entry.get("relationships"), "relationships"))
            pairs = tuple(dict.fromkeys((*study.key_values, *related)))
            yield msgspec.structs.replace(study, key_values=pairs)
        except RecordInvalid as error:
            yield Problem(item.key, error.message, error.where, error.hint)


class _Listing:
    """The list of DOIs of one source."""

    def __init__(self, source: DataciteDois, http: Http, walk: Walk) -> None:
        self._options = source.options
        self._url = source.options.url.rstrip("/") + "/dois"
        self._http = http
        self._walk = walk
        self.place = Place()
        self.total = 0
        self.before = ""
        """The newest change that the last complete walk saw."""
        self.changed: set[str] = set()
        """What was told as changed, and not again since."""

    async def _ask(self, since: str, **more: str) -> Page:
        options = self._options
        own = f"({options.query})" if options.query and since else options.query
        changed = f"updated:[{since} TO *]" if since else ""
        params = {
            "query": " AND ".join(filter(None, (own, changed))),
            "client-id": options.client,
            "prefix": options.prefix,
            "resource-type-id": options.resource_type,
            "affiliation": "true",
            "publisher": "true",
            "disable-facets": "true",
            **more,
        }
        answer = await self._http.get(
            self._url,
            params=[(name, value) for name, value in params.items() if value],
            headers=self._headers(),
            check=read_page,
        )
        return read_page(answer)

    def _headers(self) -> dict[str, str]:
        own = {"Accept": "application/vnd.api+json"}
        if self._options.password is not None:
            login = f"{self._options.user}:{self._options.password.reveal()}"
            own["Authorization"] = f"Basic {b64encode(login.encode()).decode()}"
        return own

    async def look(self) -> tuple[str, int]:
        """Return a time of change no later than the newest, and how many DOIs there are."""
        page = await self._ask("", sort="-updated", **{"page[size]": "1"})
        times = [words(child(one, "attributes", "updated")) for one in page.dois]
        return max(times, default=""), page.total

    async def walk(self, place: Place) -> AsyncIterator[Fetched]:
        """Yield all DOIs from a place on; then ``place`` and ``total`` say what was seen."""
        self.place = place
        before: set[str] = set()
        while True:
            page = await self._ask(
                place.since, **{"page[size]": str(self._options.page_size), CURSOR: self.place.page}
            )
            self.total = page.total
            now = {_doi(one) for one in page.dois}
            fresh = [one for one in page.dois if _doi(one) not in before]
            if page.dois and not fresh:
                raise SourceMalformed("the list shows the same page again", where=self._url)
            keys = map(_doi, fresh)
            if place.since:
                self.changed.update(keys)
            else:
                self.changed.difference_update(keys)
            unsure = self.place.unsure or any(map(self._told_before, fresh))
            latest = max((self.place.latest, *(_time(one, "updated") for one in fresh)))
            self.place = msgspec.structs.replace(self.place, unsure=unsure, latest=latest)
            found = [self._item(one) for one in fresh]
            self._move(found, page.following)
            for one in found[:-1]:
                yield one
            if found:
                yield self._with_cursor(found[-1], page.following)
            if not page.dois or not page.following:
                return
            before = now

    def _move(self, found: list[Fetched], following: str) -> None:
        place = self.place
        if following == place.page:
            raise SourceMalformed("the list leads from a page to itself", where=self._url)
        walked = place.walked + len(found)
        if walked > 2 * self.total + 2 * self._options.page_size:
            raise SourceMalformed("the list does not end", where=self._url)
        new = sum(isinstance(one, RawItem) and not self._walk.stamp(one.key) for one in found)
        self.place = msgspec.structs.replace(
            place, page=following, walked=walked, new=place.new + new
        )

    def _told_before(self, entry: Json) -> bool:
        """Whether a walk that was broken off told a DOI that is new since the last complete one."""
        stamp, before = self._walk.stamp(_doi(entry)), self.before
        again = stamp == _stamp(entry) and _time(entry, "updated") > before
        return bool(before and stamp) and (again or _time(entry, "created") > before)

    def _with_cursor(self, last: Fetched, following: str) -> Fetched:
        if not following or not isinstance(last, (RawItem, Unchanged)):
            return last
        cursor = msgspec.json.encode(self.place).decode()
        return msgspec.structs.replace(last, cursor=cursor)

    def _item(self, entry: Json) -> Fetched:
        key = _doi(entry)
        attributes = entry.get("attributes")
        if not key or not isinstance(attributes, dict):
            return Problem(key or self._url, "an entry of the list has no DOI or no metadata")
        stamp = _stamp(entry)
        if stamp.strip() and self._walk.stamp(key) == stamp:
            return Unchanged(key)
        kept = {name: value for name, value in attributes.items() if name not in _DERIVED}
        return RawItem(key, msgspec.json.encode({**entry, "attributes": kept}), stamp=stamp)


def _time(entry: Json, name: str) -> str:
    return words(child(entry, "attributes", name))


def _stamp(entry: Json) -> str:
    return f"{_time(entry, 'updated')} {_time(entry, 'metadataVersion')}"


def _mark(place: Place, total: int) -> Mark:
    return Mark(msgspec.json.encode(Left(place.newest, total, place.latest)).decode())


def _as_it_was(mark: Mark) -> Iterable[Fetched]:
    """The end of a walk over changes; one that is broken off here goes on here."""
    cursor = msgspec.json.encode(Place(left=mark.text)).decode()
    yield Unchanged("", cursor, below=True)
    yield mark


def _ended(name: str, listing: _Listing, known: int) -> Iterable[Fetched]:
    """What follows a walk over everything: a problem, when it showed less than it counts."""
    place, total = listing.place, listing.total
    if place.walked < total:
        yield Problem(
            name,
            f"the list has {total:,} DOIs, but showed {place.walked:,}",
            hint="nothing is taken for deleted; harvest again",
        )
        yield Unchanged("", below=True)
    yield _mark(place, known)
