"""Clusters of what is one data set in several sources, as one viewer may know of them.

A cluster is named by the smallest identifier of the records in it that the viewer may see; any of
their identifiers, and any name that they go by, finds it. A record without twins is its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import msgspec

from parfocal.accessions import names_in
from parfocal.errors import RecordInvalid
from parfocal.identifiers import RecordId, parse_record_id
from parfocal.identity import Identity, NameStore
from parfocal.model import Dataset, Record, Viewer
from parfocal.query import (
    All,
    AnyOf,
    Clause,
    FieldExists,
    FieldIn,
    LiesIn,
    Match,
    Not,
    Page,
    Query,
)
from parfocal.query_values import MAX_SIZE
from parfocal.sameness import Sameness, compare

FIELD = "cluster"
_REMEMBERED = 20_000
_PAGE = 2000


class Clusters:
    """The clusters that a viewer may know of, looked up when asked for."""

    def __init__(self, store: NameStore, viewer: Viewer) -> None:
        self._store = store
        self._viewer = viewer
        self._known: dict[RecordId, tuple[RecordId, ...]] = {}

    def of(self, id: RecordId) -> tuple[RecordId, ...]:
        """Return the records that are the same as one, with itself, smallest identifier first."""
        found = self._known.get(id)
        if found is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            found = self._known[id] = self._compared(self._store.namesakes(id)).cluster_of(id)
        return found

    def holding(self, record: Record, above: Sequence[Dataset]) -> RecordId:
        """Return the cluster of a record: its own, else that of the nearest that has twins."""
        holders = [record.id] if isinstance(record, Dataset) else []
        holders += [ancestor.id for ancestor in above]
        clusters = [self.of(id) for id in holders]
        return next((c[0] for c in clusters if len(c) > 1), holders[-1] if holders else record.id)

    def named(self, text: str) -> tuple[RecordId, ...]:
        """Return the records of the cluster that a record's identifier or a name stands for."""
        found: dict[RecordId, None] = {}
        for name in names_in(text):
            same = self._compared(self._store.named(name))
            for id in self._visible_with(name):
                found.update(dict.fromkeys(same.cluster_of(id)))
        with suppress(RecordInvalid):
            found.update(dict.fromkeys(self.of(parse_record_id(text))))
        return tuple(found)

    def _visible_with(self, name: str) -> Iterator[RecordId]:
        for identity in self._seen(self._store.named(name)):
            if any(own.value == name and own.role != "mentioned" for own in identity.names):
                yield identity.id

    def _seen(self, identities: Sequence[Identity]) -> list[Identity]:
        return [each for each in identities if each.access.visible_to(self._viewer)]

    def _compared(self, identities: Sequence[Identity]) -> Sameness:
        return compare(self._seen(identities)) if len(identities) > 1 else Sameness()

    def everything(self) -> Sameness:
        """Return all clusters, merges and proposals; reads what all studies are called."""
        found: list[Identity] = []
        after = 0
        while page := self._store.identities(after=after, limit=_PAGE):
            found += self._seen([identity for _, identity in page])
            after = page[-1][0]
        return compare(found)

    def resolved(self, clause: Clause) -> Clause:
        """Return a clause with conditions on clusters as conditions on what lies in them."""
        if isinstance(clause, All | AnyOf):
            return type(clause)(tuple(self.resolved(part) for part in clause.clauses))
        if isinstance(clause, Not):
            return Not(self.resolved(clause.clause))
        if isinstance(clause, FieldIn) and clause.field == FIELD:
            ids = dict.fromkeys(id for text in clause.texts for id in self.named(text))
            return LiesIn(" ".join(clause.texts), tuple(ids))
        if isinstance(clause, FieldExists) and clause.field == FIELD:
            every = self.everything().clusters
            return LiesIn("*", tuple(id for cluster in every for id in cluster))
        return clause


def collapsed(query: Query, clusters: Clusters, search: Callable[[Query], Page]) -> Query:
    """Return a query for studies that lists one hit of each cluster.

    That is the one with most images that match, or the first of those.
    """
    every = clusters.everything().clusters
    cluster_of = {id: cluster[0] for cluster in every for id in cluster}
    kept: dict[RecordId, Match] = {}
    left_out: list[RecordId] = []
    for match in _hits(query, tuple(cluster_of), search):
        cluster = cluster_of.get(match.id, match.id)
        other = kept.setdefault(cluster, match)
        if other is not match:
            better = (match.images or 0) > (other.images or 0)
            kept[cluster] = match if better else other
            left_out.append(other.id if better else match.id)
    if not left_out:
        return query
    others = Not(LiesIn("copies", tuple(left_out)))
    return msgspec.structs.replace(query, where=All((query.where, others)))


def _hits(
    query: Query, among: tuple[RecordId, ...], search: Callable[[Query], Page]
) -> Iterator[Match]:
    """Yield the hits among some studies, in the query's order."""
    where = All((query.where, LiesIn("", among)))
    asked = msgspec.structs.replace(query, where=where, facets=(), size=MAX_SIZE, after=None)
    while among:
        page = search(asked)
        yield from page.matches
        if not page.next:
            return
        asked = msgspec.structs.replace(asked, after=page.next)
