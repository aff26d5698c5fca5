"""Elasticsearch 8 as search engine, by the official client."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import elastic_transport
import elasticsearch
import msgspec
from elasticsearch import Elasticsearch

from indexer import document
from indexer.document import audience_of
from indexer.search import elastic_dsl, levels, paging
from indexer.search.elastic_dsl import REVISION_ID, VERSION, Dsl
from indexer.search.elastic_selection import ElasticSelection
from indexer.texts import bounded, comparable
from parfocal.config import SearchSettings, Settings
from parfocal.errors import IndexUnavailable
from parfocal.model import Viewer
from parfocal.query import Page, Query
from parfocal.values import Change

_KEEP = "5m"
"""How long a moment of the index is kept for the next page."""
_BULK_BYTES = 8_000_000
_SUGGESTIONS = 10_000
_SPECIAL = re.compile(r"""([.?+*|{}\[\]()"\\#@&<>~])""")


@contextmanager
def _engine(url: str) -> Iterator[None]:
    """Turn what the client raises into IndexUnavailable."""
    try:
        yield
    except elasticsearch.AuthenticationException as error:
        raise IndexUnavailable(
            "Elasticsearch refuses the login",
            where=url,
            hint="set [search] username and password",
        ) from error
    except elasticsearch.ApiError as error:
        raise IndexUnavailable(
            f"Elasticsearch answered: {error}", where=url, hint="its log says more"
        ) from error
    except elastic_transport.TlsError as error:
        raise IndexUnavailable(
            f"Elasticsearch's certificate is not trusted: {error.message}",
            where=url,
            hint="let the machine trust its authority, or use the address it was made for",
        ) from error
    except elastic_transport.TransportError as error:
        raise IndexUnavailable(
            f"Elasticsearch does not answer: {error.message}",
            where=url,
            hint="start it, or set [search] url; engine = 'tantivy' needs no server",
        ) from error


class ElasticIndex:
    """A search index on a server; the index is made when first used. Threads may share it."""

    def __init__(self, settings: SearchSettings) -> None:
        self._url = settings.url
        self._alias = settings.index
        self._name = f"{settings.index}-v{VERSION}"
        login = (settings.username, settings.password.get_secret_value())
        self._client = Elasticsearch(
            settings.url,
            basic_auth=login if settings.username else None,
            request_timeout=60,
            max_retries=3,
            retry_on_timeout=True,
        )
        self._lock = threading.Lock()
        self._exists = False

    def _ensure(self) -> str:
        with self._lock:
            if not self._exists and not self._client.indices.exists(index=self._name):
                self._create()
            self._exists = True
        return self._name

    def _create(self) -> None:
        try:
            self._client.indices.create(index=self._name, **elastic_dsl.mapping())
        except elasticsearch.BadRequestError as error:
            if error.error != "resource_already_exists_exception":
                raise
        older = {"index": f"{self._alias}-v*", "alias": self._alias, "must_exist": False}
        newest = {"index": self._name, "alias": self._alias}
        self._client.indices.update_aliases(actions=[{"remove": older}, {"add": newest}])

    # -------------------------------------------------------------- writing

    def revision(self) -> int:
        """Return the revision reached by the last complete batch."""
        with _engine(self._url):
            query = {"ids": {"values": [REVISION_ID]}}
            found = self._client.search(
                index=self._ensure(), query=query, docvalue_fields=[{"field": "revision"}]
            )
            hits = found["hits"]["hits"]
        return int(hits[0]["fields"]["revision"][0]) if hits else 0

    def apply(self, changes: Iterable[Change], revision: int) -> None:
        """Replace the documents of changed records, then note the revision."""
        with _engine(self._url):
            name = self._ensure()
        for operations in _batches(changes):
            with _engine(self._url):
                self._bulk(name, operations)
        with _engine(self._url):
            self._client.indices.refresh(index=name)
            self._client.index(
                index=name, id=REVISION_ID, document={"revision": revision}, refresh=True
            )

    def _bulk(self, name: str, operations: list[bytes]) -> None:
        # The client takes lines that are JSON already, though its types do not say so.
        answer = self._client.bulk(index=name, operations=operations)  # type: ignore[arg-type]
        for item in answer["items"] if answer["errors"] else ():
            result = next(iter(item.values()))
            if result["status"] >= 400 and result["status"] != 404:
                raise IndexUnavailable(
                    f"Elasticsearch refused record {result['_id']}: {result['error']['reason']}",
                    where=self._url,
                    hint="its log says more; nothing is lost, harvest again to go on",
                )

    def clear(self) -> None:
        """Delete the index and make it anew."""
        with _engine(self._url):
            self._client.indices.delete(index=self._name, ignore_unavailable=True)
            self._exists = False
            self._ensure()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    # -------------------------------------------------------------- reading

    def _send(self, bodies: list[Dsl], moment: str) -> list[Dsl]:
        """Run searches against the index as it is, or as it was at a moment."""
        target: Dsl = {} if moment else {"index": self._name}
        kept = {"pit": {"id": moment, "keep_alive": _KEEP}} if moment else {}
        if len(bodies) == 1:
            return [dict(self._client.search(**target, **(bodies[0] | kept)).body)]
        searches: list[Dsl] = []
        for body in bodies:
            searches += [target, body | kept]
        answers: list[Dsl] = self._client.msearch(searches=searches)["responses"]
        return answers

    def search(self, query: Query, viewer: Viewer) -> Page:
        """Answer an understood query with what the viewer may see."""
        levels.check(query)
        place = paging.read(query)
        with _engine(self._url):
            name = self._ensure()
            moment = place.generation if place else ""
            if not moment and levels.needs_moment(query):
                moment = str(self._client.open_point_in_time(index=name, keep_alive=_KEEP)["id"])
            try:
                page = self._page(query, viewer, place, moment)
            except elasticsearch.NotFoundError as error:
                if place is not None and moment:
                    raise paging.outdated() from error
                raise
            if moment and page.next is None:
                self._client.options(ignore_status=404).close_point_in_time(id=moment)
            return page

    def _page(self, query: Query, viewer: Viewer, place: paging.Place | None, moment: str) -> Page:
        def send(bodies: list[Dsl]) -> list[Dsl]:
            return self._send(bodies, moment)

        selection = ElasticSelection(send, query.where, audience_of(viewer), moment)
        return levels.page_of(selection, query, place)

    def count(self, query: Query, viewer: Viewer) -> int:
        """Return the exact total at the query's level."""
        return levels.total_of(self, query, viewer)

    def suggest(
        self, prefix: str, viewer: Viewer, limit: int = 10
    ) -> tuple[tuple[str, str, int], ...]:
        """Return values of term and gene fields that begin with the text, most frequent first."""
        start = bounded(comparable(prefix))
        if not start:
            return ()
        pattern = _SPECIAL.sub(r"\\\1", start) + ".*"
        request = {"field": "suggest", "include": pattern, "size": _SUGGESTIONS}
        body: dict[str, Any] = {
            "query": elastic_dsl.terms("audience", audience_of(viewer)),
            "size": 0,
            "aggs": {"values": {"terms": request}},
        }
        with _engine(self._url):
            self._ensure()
            found = self._send([body], "")[0]["aggregations"]["values"]["buckets"]
        counts = ((bucket["key"].split("\x7f", 2)[1:], bucket["doc_count"]) for bucket in found)
        return levels.suggestions((((f, v), n) for (f, v), n in counts), limit)


def _batches(changes: Iterable[Change]) -> Iterator[list[bytes]]:
    """Yield bulk operations in requests of bounded size."""
    operations: list[bytes] = []
    size = 0
    for change in changes:
        for line in _operations(change):
            operations.append(line)
            size += len(line)
        if size >= _BULK_BYTES:
            yield operations
            operations, size = [], 0
    if operations:
        yield operations


def _operations(change: Change) -> Iterator[bytes]:
    built = document.build(change)
    if built is None:
        yield msgspec.json.encode({"delete": {"_id": str(change.seq)}})
    else:
        yield msgspec.json.encode({"index": {"_id": str(change.seq)}})
        yield msgspec.json.encode(elastic_dsl.content(built))


def open_index(settings: Settings) -> ElasticIndex:
    """Make the index of ``[search]`` url and index; nothing is asked of the server yet."""
    return ElasticIndex(settings.search)
