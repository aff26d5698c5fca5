"""What matches a query in one state of a tantivy index: counts, facets, hits in order."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from typing import Any

import msgspec
import tantivy
from tantivy import Order

from indexer.search.levels import Row, Summary, facet_field, is_scored
from indexer.search.paging import Place
from indexer.search.tantivy_document import REVISION, WHOLE
from indexer.search.tantivy_query import Compiler, TQuery, both, but_not, either
from parfocal.identifiers import RecordId
from parfocal.model import Level
from parfocal.query import Clause, Everything, FacetRequest, FacetValue

_BUCKETS = 65_000
"""Most buckets that the engine gives at once; beyond, they are fetched in parts."""
_EXACT = 2_000_000_000
"""Values counted per segment before the best are chosen: all, so that counts are exact."""
_PART = 10_000
_JOINS_KEPT = 256
_SUMMARIES_KEPT = 64


class Snapshot:
    """One state of the index, kept while somebody pages through it."""

    def __init__(self, index: tantivy.Index, searcher: tantivy.Searcher, generation: str) -> None:
        self.index = index
        self.searcher = searcher
        self.generation = generation
        self._holders: OrderedDict[tuple[str, ...], list[str]] = OrderedDict()
        self._summaries: dict[bytes, Summary] = {}

    def count(self, query: TQuery) -> int:
        """Return how many documents match."""
        found = self.searcher.search(query, 1)
        return int(found.count or 0)  # type: ignore[attr-defined]

    def id_at(self, address: tantivy.DocAddress) -> RecordId:
        """Return the id of a record found."""
        return RecordId(str(self.searcher.doc(address).get_first("id")))

    def seqs(self, addresses: list[tantivy.DocAddress]) -> list[int]:
        """Return the seqs of records found."""
        return [int(seq or 0) for seq in self.searcher.fast_field_values("seq", addresses)]

    def last_seq(self) -> int:
        """Return the highest seq indexed."""
        request = {"last": {"max": {"field": "seq"}}}
        found = self.searcher.aggregate(TQuery.all_query(), request)["last"]["value"]
        return int(found or 0)

    def revision(self) -> int:
        """Return the revision noted by the last commit; 0 when there is none."""
        query = TQuery.term_query(self.index.schema, "meta", REVISION, index_option="basic")
        hits = self.searcher.search(query, 1).hits
        return int(self.searcher.doc(hits[0][1])["revision"][0]) if hits else 0

    def holders(
        self, name: str, make: Callable[[], TQuery], hidden: TQuery, audience: list[str]
    ) -> list[str]:
        """Return the ids of studies and containers whose own text matches; remembered by name."""
        key = (name, *audience)
        found = self._holders.get(key)
        if found is None:
            schema = self.index.schema
            levels = either(
                TQuery.term_query(schema, "level", level, index_option="basic")
                for level in ("study", "container")
            )
            query = but_not(both([make(), levels]), hidden)
            result = self.searcher.search(query, _PART, count=False)
            if len(result.hits) == _PART:
                result = self.searcher.search(query, self.count(query), count=False)
            found = self._holders[key] = [self.id_at(address) for _, address in result.hits]
            if len(self._holders) > _JOINS_KEPT:
                self._holders.pop(next(iter(self._holders)), None)
        return found

    def remembered(self, asked: bytes, count: Callable[[], Summary]) -> Summary:
        """Return the counts of a question, counted now or before."""
        found = self._summaries.get(asked)
        if found is None:
            if len(self._summaries) >= _SUMMARIES_KEPT:
                self._summaries.clear()
            found = self._summaries[asked] = count()
        return found

    def vocabulary(self, field: str, prefix: str) -> list[str]:
        """Return all terms of a raw field that begin with a text."""
        return [term for term, _ in self.searcher.terms_with_prefix(field, prefix)]

    def suggestions(self, start: str, audience: list[str]) -> list[tuple[tuple[str, str], int]]:
        """Return ((field, value), visible records) of values that begin with a text."""
        visible = TQuery.term_set_query(self.index.schema, "audience", audience)
        found = self.searcher.terms_with_prefix("suggest", start, filter_query=visible)
        counts: list[tuple[tuple[str, str], int]] = []
        for term, count in found:
            _, field, value = term.split(WHOLE, 2)
            counts.append(((field, value), count))
        return counts


class TantivySelection:
    """The visible records of a snapshot that match a clause."""

    def __init__(
        self,
        snapshot: Snapshot,
        where: Clause,
        audience: list[str],
        narrowed: Iterable[RecordId] | None = None,
    ) -> None:
        self.generation = snapshot.generation
        self._snapshot = snapshot
        self._searcher = snapshot.searcher
        self._where = where
        self._audience = audience
        self._scored = is_scored(where)
        self._compiler = Compiler(snapshot.index, self._holders, snapshot.vocabulary)
        self._hidden = self._compiler.hidden_from(audience)
        matching = (
            self._compiler.query(where)
            if narrowed is None
            else self._compiler.term_set("id", list(narrowed))
        )
        self._query = but_not(matching, self._hidden)
        self._ahead: Future[Summary] | None = None

    def _holders(self, name: str, make: Callable[[], TQuery]) -> list[str]:
        return self._snapshot.holders(name, make, self._hidden, self._audience)

    def _at(self, level: Level | None) -> TQuery:
        if level is None:
            return self._query
        return both([self._query, self._condition("level", level)])

    def _condition(self, field: str, value: str) -> TQuery:
        return TQuery.const_score_query(self._compiler.term(field, value), 0.0)

    # -------------------------------------------------------------- counts

    def count_ahead(self, pool: Executor, facets: tuple[FacetRequest, ...], images: bool) -> None:
        """Begin to count in another thread; :meth:`summary` of the same waits for the end."""
        self._ahead = pool.submit(self._counted, facets, images)

    def summary(self, facets: tuple[FacetRequest, ...], *, images_only: bool) -> Summary:
        """Count records, levels and facets; the next pages of a query find them counted."""
        if self._ahead is not None:
            return self._ahead.result()
        return self._counted(facets, images_only)

    def _counted(self, facets: tuple[FacetRequest, ...], images_only: bool) -> Summary:
        asked = msgspec.json.encode([self._where, self._audience, facets, images_only])
        return self._snapshot.remembered(asked, lambda: self._summary(facets, images_only))

    def _summary(self, facets: tuple[FacetRequest, ...], images_only: bool) -> Summary:
        """Count in one walk, unless there are too many values."""
        requests = {f"facet {r.field}": _facet_request(r) for r in facets}
        whole = {
            "level": {"terms": {"field": "level", "size": 10}},
            "study": _all_values("study_key"),
            "container": _all_values("container_key"),
        }
        if images_only:
            whole["images"] = {"filter": "level:image", "aggs": requests or {"n": _number()}}
        else:
            whole |= requests
        try:
            found = self._searcher.aggregate(self._query, whole)
        except ValueError as error:
            if "bucket limit" not in str(error):
                raise
            return self._summary_in_parts(facets, images_only)
        counted = found["images"] if images_only else found
        return self._summarise(
            found["level"]["buckets"],
            len(found["study"]["buckets"]),
            len(found["container"]["buckets"]),
            {r.field: _values(counted[f"facet {r.field}"]["buckets"], r.size) for r in facets},
        )

    def _summarise(
        self,
        buckets: list[dict[str, Any]],
        studies: int,
        containers: int,
        facets: dict[str, tuple[FacetValue, ...]],
    ) -> Summary:
        by_level = {bucket["key"]: int(bucket["doc_count"]) for bucket in buckets}
        counts = {"study": studies, "container": containers, "image": by_level.get("image", 0)}
        return Summary(sum(by_level.values()), counts, facets)

    def _summary_in_parts(self, facets: tuple[FacetRequest, ...], images_only: bool) -> Summary:
        counted = self._at("image") if images_only else self._query
        request = {"level": {"terms": {"field": "level", "size": 10}}}
        found = self._searcher.aggregate(self._query, request)
        values = {
            r.field: _values(
                self._searcher.aggregate(counted, {"f": _facet_request(r)})["f"]["buckets"], r.size
            )
            for r in facets
        }
        return self._summarise(
            found["level"]["buckets"],
            len(self._keys(self._query, "study_key")),
            len(self._keys(self._query, "container_key")),
            values,
        )

    def _keys(self, query: TQuery, field: str) -> dict[str, int]:
        """Return all values of a field with their counts, however many there are."""
        try:
            found = self._searcher.aggregate(query, {"keys": _all_values(field)})["keys"]
            return {bucket["key"]: int(bucket["doc_count"]) for bucket in found["buckets"]}
        except ValueError as error:
            if "bucket limit" not in str(error):
                raise
        counts: dict[str, int] = {}
        request: dict[str, Any] = {"size": _PART, "sources": [{"k": {"terms": {"field": field}}}]}
        while True:
            part = self._searcher.aggregate(query, {"keys": {"composite": request}})["keys"]
            counts |= {b["key"]["k"]: int(b["doc_count"]) for b in part["buckets"]}
            if len(part["buckets"]) < _PART:
                return counts
            request["after"] = part["after_key"]

    def groups(self, level: Level) -> dict[RecordId, int]:
        """Return the studies or containers with their matching images."""
        field = f"{level}_key"
        images = self._keys(self._at("image"), field)
        return {RecordId(key): images.get(key, 0) for key in self._keys(self._query, field)}

    # -------------------------------------------------------------- hits

    def ranked(self, level: Level | None, after: Place | None, size: int) -> list[Row]:
        """Return records by score; equal scores keep the order of this state of the index."""
        offset = after.offset if after else 0
        found = self._searcher.search(self._at(level), size, count=False, offset=offset).hits
        return [Row(self._snapshot.id_at(at), score=float(score)) for score, at in found]

    def ordered(
        self, level: Level | None, by: str, descending: bool, after: Place | None, size: int
    ) -> list[Row]:
        """Return records by seq or by a field and seq."""
        query = self._at(level)
        if by == "seq":
            return self._by_seq(query, after, size, descending)
        return self._by_value(query, f"num_{by}", after, size, descending)

    def _by_seq(
        self,
        query: TQuery,
        after: Place | None,
        size: int,
        descending: bool = False,
        value: float | None = None,
    ) -> list[Row]:
        if after is not None:
            low, high = (None, after.seq) if descending else (after.seq, None)
            beyond = self._compiler.number_range("seq", low, high, False, False)
            query = both([query, beyond])
        order = Order.Desc if descending else Order.Asc
        hits = self._searcher.search(
            query, size, count=False, order_by_field="seq", order=order
        ).hits
        return [Row(self._snapshot.id_at(at), int(seq), value) for seq, at in hits]

    def _by_value(
        self, query: TQuery, field: str, after: Place | None, size: int, descending: bool
    ) -> list[Row]:
        """Return records by value, then seq; the engine sorts by one key: ties are asked apart."""
        has_value = TQuery.exists_query(field)
        without = but_not(query, has_value)
        if after is not None and after.value is None:
            return self._by_seq(without, after, size)
        rows: list[Row] = []
        beyond = both([query, has_value])
        if after is not None:
            rows = self._equal(query, field, after.value, after, size)
            low, high = (None, after.value) if descending else (after.value, None)
            beyond = both([query, self._compiler.number_range(field, low, high, False, False)])
        if len(rows) < size:
            rows += self._beyond(query, beyond, field, size - len(rows), descending)
        if len(rows) < size:
            rows += self._by_seq(without, None, size - len(rows))
        return rows

    def _equal(
        self, query: TQuery, field: str, value: float | None, after: Place | None, size: int
    ) -> list[Row]:
        same = self._compiler.number_range(field, value, value)
        return self._by_seq(both([query, same]), after, size, value=value)

    def _beyond(
        self, query: TQuery, beyond: TQuery, field: str, size: int, descending: bool
    ) -> list[Row]:
        order = Order.Desc if descending else Order.Asc
        hits = self._searcher.search(
            beyond, size, count=False, order_by_field=field, order=order
        ).hits
        if not hits:
            return []
        last = hits[-1][0]
        sure = [(value, at) for value, at in hits if value != last]
        seqs = self._snapshot.seqs([at for _, at in sure])
        rows = [
            Row(self._snapshot.id_at(at), seq, float(value))
            for (value, at), seq in zip(sure, seqs, strict=True)
        ]
        rows.sort(
            key=lambda row: (-(row.value or 0.0) if descending else row.value or 0.0, row.seq)
        )
        return rows + self._equal(query, field, float(last), None, size - len(rows))

    def members(self, ids: Iterable[RecordId]) -> TantivySelection:
        """Return the visible records with these ids."""
        return TantivySelection(self._snapshot, Everything(), self._audience, ids)

    def best(self, level: Level, ids: list[RecordId]) -> dict[RecordId, RecordId]:
        """Return the best image in each: by score, among equals the one seen first."""
        images = self._at("image")
        found: dict[RecordId, RecordId] = {}
        for key in ids:
            within = both([images, self._condition(f"{level}_key", key)])
            if self._scored:
                hits = self._searcher.search(within, 1, count=False).hits
                rows = [Row(self._snapshot.id_at(at)) for _, at in hits]
            else:
                rows = self._by_seq(within, None, 1)
            found.update((key, row.id) for row in rows)
        return found


def _number() -> dict[str, Any]:
    return {"value_count": {"field": "seq"}}


def _all_values(field: str) -> dict[str, Any]:
    return {"terms": {"field": field, "size": _BUCKETS, "segment_size": _EXACT}}


def _facet_request(request: FacetRequest) -> dict[str, Any]:
    field = f"facet_{facet_field(request.field)}"
    return {"terms": {"field": field, "size": request.size, "segment_size": _EXACT}}


def _values(buckets: list[dict[str, Any]], size: int) -> tuple[FacetValue, ...]:
    ranking = sorted(
        ((b["key"], int(b["doc_count"])) for b in buckets), key=lambda p: (-p[1], p[0])
    )
    return tuple(FacetValue(value, value, count) for value, count in ranking[:size])
