"""Asking IDR's search engine: errors with status 200, pages by bookmark, files made later."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from tempfile import TemporaryFile
from typing import Any, Literal
from urllib.parse import urljoin

import msgspec
from msgspec import Raw, Struct
from pydantic import Field

from harvester.asking.answers import Answer, Garbled
from harvester.asking.http import Http
from harvester.asking.http_options import HttpOptions
from harvester.searchengine.files import check_file, read_rows
from harvester.words.leaves import Json, child, objects, words
from parfocal.errors import SourceMalformed, SourceRefused, SourceUnavailable

Operator = Literal["equals", "not_equals", "contains", "not_contains", "in", "not_in"]
_NO_RESULTS = "no results"
_PASSING = ("try later", "try again", "went wrong", "time", "busy")
_COUNTS = ("image count", "image_count", "no_images", "number of images", "images", "count")
_WAITS = (1.0, 2.0, 5.0, 10.0, 30.0)


class Filter(msgspec.Struct, frozen=True):
    """One condition of a query."""

    name: str
    value: str | int | float | list[str]
    operator: str = "equals"
    resource: str = "image"


class SearchengineOptions(HttpOptions):
    """Settings of an ``idr-searchengine`` source."""

    url: str = Field(
        "https://idr.openmicroscopy.org/searchengine/", description="Address of the search engine."
    )
    data_source: str = Field("idr", description="Data source of the engine; empty for its default.")
    filters: tuple[dict[str, Any], ...] = Field(
        (), description="Conditions that all must hold: name, value, operator, resource."
    )
    or_filters: tuple[tuple[dict[str, Any], ...], ...] = Field(
        (), description="Groups of conditions; of each group one must hold."
    )
    case_sensitive: bool = Field(False, description="Whether conditions heed case.")
    containers: tuple[str, ...] = Field(
        (), description="Only these projects and screens, by name; none: all."
    )
    results: Literal["pages", "csv", "parquet"] = Field(
        "pages", description="How results come: page by page, or as one file a container."
    )
    job_wait: float = Field(
        3600.0, gt=0, description="Seconds that the engine may take to make a file."
    )
    max_file_mb: int = Field(4096, ge=1, description="Largest file of results, in MiB.")
    web: str = Field(
        "", description="Address of the OMERO.web that shows the images; none: no links."
    )


class Container(Struct, frozen=True):
    """A project or screen with its number of images, -1 when the engine does not say."""

    kind: Literal["project", "screen", ""]
    id: int
    name: str
    count: int
    body: bytes = b""

    @property
    def key(self) -> str:
        """Return its raw key."""
        return f"{self.kind}/{self.id}" if self.kind else "image"


class Results(Struct, frozen=True):
    """A page of results; ``total`` are those of all pages."""

    rows: tuple[Raw, ...] = ()
    bookmark: tuple[Any, ...] = ()
    total: int = 0


class _Page(Struct, frozen=True):
    results: list[Raw] = []
    size: int = 0
    bookmark: list[Any] | None = None


class _Answered(Struct, frozen=True):
    results: Raw = Raw(b"null")
    Error: str | None = None


_answers: msgspec.json.Decoder[_Answered] = msgspec.json.Decoder(_Answered)
_pages: msgspec.json.Decoder[_Page | list[Raw] | None] = msgspec.json.Decoder(
    _Page | list[Raw] | None
)


class Searchengine:
    """A search engine during one walk."""

    def __init__(self, http: Http, options: SearchengineOptions) -> None:
        self._http = http
        self._options = options
        base = options.url.rstrip("/")
        for end in ("/api/v1/resources", "/api/v1", "/api"):
            base = base.removesuffix(end)
        self._base = f"{base}/api/v1/resources/"
        self._params = {"data_source": options.data_source} if options.data_source else {}

    # -------------------------------------------------------------- containers

    async def containers(self) -> list[Container]:
        """Return all projects and screens, or those that the operator named, by kind and id."""
        url = urljoin(self._base, "container_images/")
        answer = await self._http.get(url, params=self._params, check=_without_error)
        listed = [self._container(one) for one in objects(_rows_of(answer.json()))]
        wanted = self._options.containers
        found = [one for one in listed if one is not None and (not wanted or one.name in wanted)]
        missing = sorted(set(wanted) - {one.name for one in found})
        if missing:
            known = ", ".join(sorted(one.name for one in listed if one is not None)[:20])
            raise SourceRefused(
                f"there is no container {missing[0]!r}", where=url, hint=f"some are: {known}"
            )
        return sorted(found, key=lambda one: (one.kind, one.id))

    def _container(self, body: Json) -> Container | None:
        kind, id, name = words(body.get("type")).lower(), body.get("id"), words(body.get("name"))
        if not isinstance(id, int) or not name or kind not in ("project", "screen"):
            return None
        counts = [body[key] for key in _COUNTS if isinstance(body.get(key), int)]
        kept = msgspec.json.encode(body)
        return Container(
            "project" if kind == "project" else "screen",
            id,
            name,
            counts[0] if counts else -1,
            kept,
        )

    async def about(self, container: Container) -> bytes:
        """Return what the engine keeps of a container itself; "" when it keeps nothing."""
        query = {"and_filters": [], "or_filters": [], "case_sensitive": False}
        main = [{"name": "id", "value": container.id, "operator": "equals"}]
        asked = {
            "query": {"query_details": query, "main_attributes": {"and_main_attributes": main}}
        }
        url = urljoin(self._base, f"{container.kind}/searchannotation/")
        found: list[Results] = []
        answer = await self._http.post(
            url,
            json=asked,
            params=self._params,
            repeatable=True,
            expect=(200, 404),
            check=lambda answer: found.append(read_page(answer)) if answer.status == 200 else None,
        )
        if answer.status == 404:
            return b""
        rows = [
            row for row in found[-1].rows if child(msgspec.json.decode(row), "id") == container.id
        ]
        return bytes(rows[0]) if rows else b""

    # -------------------------------------------------------------- pages

    def _query(self, container: Container) -> Json:
        options = self._options
        query: Json = {
            "resource": "image",
            "query_details": {
                "and_filters": [_condition(one) for one in options.filters],
                "or_filters": [[_condition(one) for one in group] for group in options.or_filters],
                "case_sensitive": options.case_sensitive,
            },
        }
        if container.kind:
            within = {"name": f"{container.kind}_id", "value": container.id, "operator": "equals"}
            query["main_attributes"] = {"and_main_attributes": [within]}
        return query

    async def page(self, container: Container, bookmark: tuple[Any, ...]) -> Results:
        """Return the images of a container from after a bookmark."""
        query = self._query(container)
        if bookmark:
            query["bookmark"] = list(bookmark)
        found: list[Results] = []

        def read(answer: Answer) -> None:
            found[:] = [read_page(answer, after=bookmark)]

        url = urljoin(self._base, "submitquery/")
        await self._http.post(url, json=query, params=self._params, repeatable=True, check=read)
        return found[0]

    # -------------------------------------------------------------- files

    async def rows(self, container: Container) -> AsyncIterator[tuple[list[bytes], int]]:
        """Let the engine make a file of a container's images; yield its rows and their number."""
        job, total = await self._job(container)
        if not total:
            return
        url = urljoin(self._base, "return_query_results/")
        with TemporaryFile() as file:
            await self._http.get(
                url,
                params={"query_id": job, "file_type": self._options.results},
                limit=self._options.max_file_mb * 1024 * 1024,
                into=file,
                check=lambda answer: check_file(file, answer.url),
            )
            for batch in read_rows(file, self._options.results, url):
                yield batch, total

    async def _job(self, container: Container) -> tuple[str, int]:
        """Start a job and wait until it is done; return its id and the number of results."""
        url = urljoin(self._base, "async_submitquery/")
        answer = await self._http.post(
            url,
            json=self._query(container),
            params=self._params,
            repeatable=True,
            check=_without_error,
        )
        job = words(child(answer.json(), "query_id"))
        if not job:
            raise SourceMalformed("the engine gave no query_id", where=url)
        url = urljoin(self._base, "check_query_job/")
        waited, turn = 0.0, 0
        while waited <= self._options.job_wait:
            answer = await self._http.get(url, params={"query_id": job}, check=_without_error)
            status = words(child(answer.json(), "status")).upper()
            result = child(answer.json(), "Result")
            if status == "SUCCESS":
                return job, _total(result)
            if status.startswith("FAIL"):
                raise SourceUnavailable("the engine failed to make the file", where=url)
            wait = min(_WAITS[min(turn, len(_WAITS) - 1)], self._options.retry_wait * 2**turn)
            await asyncio.sleep(wait)
            waited, turn = waited + max(wait, 0.001), turn + 1
        raise SourceUnavailable(
            f"the file was not made within {self._options.job_wait:g} s",
            where=url,
            hint="job_wait of the source is how long it may take",
        )


def _total(result: object) -> int:
    """Return how many results a job has; a job without any says so in words."""
    total = child(result, "total_results")
    return total if isinstance(total, int) else 0


def _condition(given: Mapping[str, Any]) -> Json:
    try:
        made: Json = msgspec.to_builtins(msgspec.convert(dict(given), Filter))
        return made
    except msgspec.ValidationError as error:
        raise SourceRefused(f"a condition of the source is wrong: {error}") from error


# ------------------------------------------------------------------ answers


def _judge(error: str | None, where: str) -> bool:
    """Return whether an answer's Error means that there are no results; raise for a failure."""
    said = (error or "").strip()
    if said.lower() in ("", "none", "null"):
        return False
    if _NO_RESULTS in said.lower():
        return True
    if any(word in said.lower() for word in _PASSING):
        raise SourceUnavailable(f"the engine says: {said[:200]}", where=where)
    raise SourceRefused(f"the engine says: {said[:200]}", where=where)


def _without_error(answer: Answer) -> None:
    said = answer.json()
    error = said.get("Error") if isinstance(said, dict) else None
    if error is not None and not isinstance(error, str):
        raise Garbled("an Error that is no text", where=answer.url)
    _judge(error, answer.url)


def _rows_of(said: object) -> object:
    inner = child(said, "results")
    return child(inner, "results") if isinstance(inner, dict) else inner


def read_page(answer: Answer, after: tuple[Any, ...] = ()) -> Results:
    """Read a page of results; no results, and a bare list behind the last page, are none.

    Garbled for a page that does not come after ``after``.
    """
    if answer.content.lstrip()[:1] == b"[":
        return Results()
    try:
        said = _answers.decode(answer.content)
        if _judge(said.Error, answer.url):
            return Results()
        page = _pages.decode(said.results)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Garbled(f"not a page of results: {error}", where=answer.url) from error
    if page is None and said.Error is None:
        raise Garbled("an answer without results", where=answer.url)
    if page is None or isinstance(page, list):
        return Results()
    ids = [row_id(row) for row in page.results]
    last = after[0] if after and isinstance(after[0], int) else -1
    if ids and (ids[0] <= last or ids != sorted(set(ids))):
        raise Garbled("a page that was there before", where=answer.url)
    bookmark = tuple(page.bookmark or ((ids[-1],) if ids else ()))
    return Results(tuple(page.results), bookmark, page.size)


class _Id(Struct, frozen=True):
    id: int


_ids: msgspec.json.Decoder[_Id] = msgspec.json.Decoder(_Id)


def row_id(row: Raw | bytes) -> int:
    """Return the id of a result; Garbled when it has none."""
    try:
        return _ids.decode(row).id
    except (msgspec.DecodeError, RecursionError) as error:
        raise Garbled(f"a result that cannot be read: {error}") from error
