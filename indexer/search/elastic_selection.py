"""What matches a query in an Elasticsearch index: counts, facets, hits in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from indexer.search.elastic_dsl import Dsl, both, constant, query_of, terms
from indexer.search.levels import Row, Summary, facet_field, is_scored
from indexer.search.paging import Place
from parfocal.identifiers import RecordId
from parfocal.model import Level
from parfocal.query import Clause, FacetRequest, FacetValue

_PART = 10_000
"""Hits or groups fetched by one request."""
_AT_ONCE = 100
"""Searches sent by one request."""
_IMAGES: Dsl = {"term": {"level": "image"}}
_BY_SCORE: list[Dsl] = [{"_score": "desc"}, {"seq": "asc"}]

Send = Callable[[list[Dsl]], list[Dsl]]
"""Runs searches against one moment of the index and returns their answers."""


class ElasticSelection:
    """The visible records that match a query."""

    def __init__(
        self,
        send: Send,
        where: Clause,
        audience: list[str],
        generation: str,
        query: Dsl | None = None,
    ) -> None:
        self.generation = generation
        self._send = send
        self._scored = query is None and is_scored(where)
        self._where = where
        self._audience = audience
        self._query = {
            "bool": {"must": [query or query_of(where)], "filter": [terms("audience", audience)]}
        }

    def _at(self, level: Level | None, *conditions: Dsl) -> Dsl:
        found = [{"term": {"level": level}}] if level else []
        return both([self._query, *(constant(each) for each in (*found, *conditions))])

    def _ask(self, **body: Any) -> Dsl:
        return self._send([body])[0]

    # -------------------------------------------------------------- counts

    def summary(self, facets: tuple[FacetRequest, ...], *, images_only: bool) -> Summary:
        """Count records, levels and facets."""
        requests = {f"facet {n}": _facet(request) for n, request in enumerate(facets)}
        aggregations: Dsl = {
            "level": {"terms": {"field": "level", "size": 10}},
            "study": _groups("study"),
            "container": _groups("container"),
        }
        if images_only and requests:
            aggregations["images"] = {"filter": _IMAGES, "aggs": requests}
        else:
            aggregations |= requests
        found = self._ask(query=self._query, size=0, aggs=aggregations)["aggregations"]
        counted = found.get("images", found)
        by_level = {bucket["key"]: bucket["doc_count"] for bucket in found["level"]["buckets"]}
        levels: tuple[Level, Level] = ("study", "container")
        counts: dict[str, int] = {
            level: self._number_of_groups(level, found[level]) for level in levels
        }
        return Summary(
            sum(by_level.values()),
            {**counts, "image": by_level.get("image", 0)},
            {r.field: _values(counted[f"facet {n}"]) for n, r in enumerate(facets)},
        )

    def _number_of_groups(self, level: Level, first: Dsl) -> int:
        if len(first["buckets"]) < _PART:
            return len(first["buckets"])
        return len(self.groups(level))

    def groups(self, level: Level) -> dict[RecordId, int]:
        """Return the studies or containers with their matching images, fetched in parts."""
        found: dict[RecordId, int] = {}
        request = _groups(level) | {"aggs": {"images": {"filter": _IMAGES}}}
        while True:
            answer = self._ask(query=self._query, size=0, aggs={"groups": request})
            part = answer["aggregations"]["groups"]
            for bucket in part["buckets"]:
                found[RecordId(bucket["key"]["key"])] = bucket["images"]["doc_count"]
            if len(part["buckets"]) < _PART:
                return found
            request["composite"]["after"] = part["after_key"]

    # -------------------------------------------------------------- hits

    def _rows(
        self, query: Dsl, sort: list[Dsl], after: list[Any] | None, size: int
    ) -> Iterator[Row]:
        """Yield hits in an order that ends with seq."""
        while size > 0:
            body: Dsl = {"query": query, "size": min(size, _PART), "sort": sort}
            if after is not None:
                body["search_after"] = after
            hits = self._ask(**body, **_FETCH)["hits"]["hits"]
            for hit in hits:
                yield _row(hit, len(sort))
            if len(hits) < min(size, _PART):
                return
            size -= len(hits)
            after = hits[-1]["sort"][: len(sort)]

    def ranked(self, level: Level | None, after: Place | None, size: int) -> list[Row]:
        """Return records by score, then seq."""
        start = [after.score, after.seq] if after else None
        rows = self._rows(self._at(level), _BY_SCORE, start, size)
        return [Row(row.id, row.seq, score=row.value or 0.0) for row in rows]

    def ordered(
        self, level: Level | None, by: str, descending: bool, after: Place | None, size: int
    ) -> list[Row]:
        """Return records by seq or by a field and seq."""
        order = "desc" if descending else "asc"
        if by == "seq":
            start = [after.seq] if after else None
            return list(self._rows(self._at(level), [{"seq": order}], start, size))
        field = f"num_{by}"
        has_value = {"exists": {"field": field}}
        rows: list[Row] = []
        if after is None or after.value is not None:
            sort: list[Dsl] = [{field: {"order": order}}, {"seq": "asc"}]
            place: list[Any] | None = [after.value, after.seq] if after else None
            rows = list(self._rows(self._at(level, has_value), sort, place, size))
        without = self._at(level, {"bool": {"must_not": [has_value]}})
        place = [after.seq] if after and after.value is None else None
        return rows + list(self._rows(without, [{"seq": "asc"}], place, size - len(rows)))

    def members(self, ids: Iterable[RecordId]) -> ElasticSelection:
        """Return the visible records with these ids."""
        query = constant(terms("id", ids))
        return ElasticSelection(self._send, self._where, self._audience, self.generation, query)

    def best(self, level: Level, ids: list[RecordId]) -> dict[RecordId, RecordId]:
        """Return the best image in each: by score, among equals the one seen first."""
        found: dict[RecordId, RecordId] = {}
        for at in range(0, len(ids), _AT_ONCE):
            part = ids[at : at + _AT_ONCE]
            bodies = [
                {
                    "query": self._at("image", {"term": {f"{level}_key": key}}),
                    "size": 1,
                    "sort": _BY_SCORE if self._scored else [{"seq": "asc"}],
                    **_FETCH,
                }
                for key in part
            ]
            for key, answer in zip(part, self._send(bodies), strict=True):
                found.update((key, _id(hit)) for hit in answer["hits"]["hits"])
        return found


_FETCH: Dsl = {"_source": False, "docvalue_fields": ["id"], "track_total_hits": False}


def _row(hit: Dsl, keys: int) -> Row:
    """Return a hit; the engine may add a sort value of its own behind ours."""
    *values, seq = hit["sort"][:keys]
    return Row(_id(hit), int(seq), values[0] if values else None)


def _id(hit: Dsl) -> RecordId:
    return RecordId(hit["fields"]["id"][0])


def _groups(level: Level) -> Dsl:
    source = {"key": {"terms": {"field": f"{level}_key"}}}
    return {"composite": {"size": _PART, "sources": [source]}}


def _facet(request: FacetRequest) -> Dsl:
    field = f"facet_{facet_field(request.field)}"
    order = [{"_count": "desc"}, {"_key": "asc"}]
    return {"terms": {"field": field, "size": request.size, "order": order}}


def _values(found: Dsl) -> tuple[FacetValue, ...]:
    buckets = found["buckets"]
    return tuple(FacetValue(b["key"], b["key"], b["doc_count"]) for b in buckets)
