"""The one-way flow: fetch, normalise, annotate, commit; then project the change log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence

import msgspec

from parfocal.errors import ParfocalError, SourceError
from parfocal.identifiers import RecordId
from parfocal.interfaces import Annotator, Projection, RecordStore, Source
from parfocal.model import Access, Dataset, Record
from parfocal.values import (
    Batch,
    Change,
    Deleted,
    Fetched,
    Mark,
    Normalised,
    Problem,
    RawItem,
    RunReport,
    Unchanged,
)

Progress = Callable[[int, int], None]
"""Called with (raw items, records) done so far."""

_RECORDS_A_BATCH = 2000
_ITEMS_A_BATCH = 500
_CHANGES_A_COMMIT = 50_000
_CHANGES_A_READ = 2000
_NOBODY = "-"
# What a mistake in a source's normalise raises on one item must not stop the run.
_ITEM_ERRORS = (
    ParfocalError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RecursionError,
)


def narrowed(record: Record, groups: Sequence[str]) -> Record:
    """Return the record seen by nobody outside ``groups``; no groups change nothing."""
    if not groups:
        return record
    own = record.access.groups
    both = tuple(group for group in groups if not own or group in own) or (_NOBODY,)
    return record if own == both else msgspec.structs.replace(record, access=Access(both))


def annotated(record: Record, annotators: Sequence[Annotator]) -> Record:
    """Return the record with the annotators' claims behind its own."""
    claims = tuple(claim for annotator in annotators for claim in annotator.annotate(record))
    if not claims:
        return record
    return msgspec.structs.replace(record, annotations=record.annotations + claims)


def normalise(
    source: Source, item: RawItem, annotators: Sequence[Annotator], groups: Sequence[str] = ()
) -> Normalised:
    """Turn a raw item into annotated records and problems; an item that fails becomes a problem."""
    records: list[Record] = []
    problems: list[Problem] = []
    try:
        for result in source.normalise(item):
            if isinstance(result, Problem):
                problems.append(result)
            else:
                records.append(annotated(narrowed(result, groups), annotators))
    except _ITEM_ERRORS as error:
        hint = getattr(error, "hint", "") or "please report this file; the rest was harvested"
        return Normalised(
            item, (), (*problems, Problem(item.key, f"cannot be read: {error}", hint=hint))
        )
    return Normalised(item, tuple(records), tuple(problems))


class Remembered:
    """The Walk that the pipeline hands to a source: answers from the store, counts answers."""

    def __init__(self, store: RecordStore, source: str, cursor: str) -> None:
        self._store = store
        self._source = source
        self.cursor = cursor
        self.mark = store.mark(source)
        self.requests = 0
        self.received = 0

    def stamp(self, key: str) -> str:
        """Return the stamp kept with a raw item; "" when unknown, or when it must be read."""
        return self._store.stamp(self._source, key)

    def answered(self, size: int) -> None:
        """Count one answer of a server."""
        self.requests += 1
        self.received += size

    def taken(self) -> tuple[int, int]:
        """Return requests and bytes since the last call."""
        counted = self.requests, self.received
        self.requests = self.received = 0
        return counted


class Harvest:
    """One run over one source, committed in batches; a killed run resumes at its last commit."""

    def __init__(
        self,
        store: RecordStore,
        name: str,
        source: Source,
        annotators: Sequence[Annotator] = (),
        *,
        groups: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> None:
        self._store = store
        self._name = name
        self._source = source
        self._annotators = annotators
        self._groups = groups
        self._progress = progress
        self._items: list[Normalised] = []
        self._unchanged: list[Unchanged] = []
        self._deleted: list[str] = []
        self._mark = ""
        self._visit: Remembered | None = None
        self._problems: list[Problem] = []
        self._cursor = ""
        self._records = 0
        self._done = (0, 0)

    def run(
        self, *, fingerprint: str = "", full: bool = False, allow_shrink: bool = False
    ) -> RunReport:
        """Walk the source once; return how it ended.

        A source that fails as a whole ends as *failed*.
        """
        run, cursor = self._store.begin(self._name, fingerprint=fingerprint, full=full)
        self._cursor = cursor or ""
        self._visit = Remembered(self._store, self._name, self._cursor)
        message = ""
        try:
            asyncio.run(self._walk(run, self._visit))
        except SourceError as error:
            message = f"{error}. {error.hint}".strip()
            self._problems.append(
                Problem(error.where or self._name, error.message, hint=error.hint)
            )
        self._commit(run)
        return self._store.finish(
            self._name, run, complete=not message, allow_shrink=allow_shrink, message=message
        )

    async def _walk(self, run: int, visit: Remembered) -> None:
        fetched: AsyncIterator[Fetched] = self._source.fetch(visit)
        async for got in fetched:
            self._take(got)
            if self._records >= _RECORDS_A_BATCH or self._waiting() >= _ITEMS_A_BATCH:
                self._commit(run)

    def _waiting(self) -> int:
        return len(self._items) + len(self._unchanged) + len(self._problems) + len(self._deleted)

    def _take(self, got: Fetched) -> None:
        if isinstance(got, Problem):
            self._problems.append(got)
            return
        if isinstance(got, Mark):
            self._mark = got.text
            return
        self._cursor = got.cursor or self._cursor
        if isinstance(got, Deleted):
            self._deleted.append(got.key)
            return
        if isinstance(got, Unchanged):
            self._unchanged.append(got)
            return
        if self._store.digest(self._name, got.key) == got.digest:
            self._unchanged.append(Unchanged(got.key, stamp=got.stamp))
            return
        normalised = normalise(self._source, got, self._annotators, self._groups)
        self._records += len(normalised.records)
        self._items.append(normalised)

    def _commit(self, run: int) -> None:
        if not (self._waiting() or self._mark):
            return
        requests, received = self._visit.taken() if self._visit else (0, 0)
        batch = Batch(
            tuple(self._items),
            tuple(self._unchanged),
            tuple(self._deleted),
            tuple(self._problems),
            self._cursor,
            self._mark,
            requests,
            received,
        )
        self._store.commit(self._name, run, batch)
        items, records = self._done
        self._done = (items + len(self._items) + len(self._unchanged), records + self._records)
        self._items, self._unchanged, self._deleted = [], [], []
        self._problems, self._records, self._mark = [], 0, ""
        if self._progress:
            self._progress(*self._done)


class Ancestors:
    """Finds what records lie in, nearest first; remembers the containers it has seen."""

    def __init__(self, store: RecordStore) -> None:
        self._store = store
        self._known: dict[RecordId, Dataset | None] = {}
        self._chains: dict[RecordId, tuple[Dataset, ...]] = {}

    def of(self, record: Record) -> tuple[Dataset, ...]:
        """Return the live records that a record lies in, nearest first; a cycle ends the chain."""
        if record.part_of is None:
            return ()
        chain = self._chains.get(record.part_of)
        if chain is None:
            chain = self._chains[record.part_of] = tuple(self._climb(record.part_of))
        return chain

    def forget(self, changes: Iterable[Change]) -> None:
        """Forget chains when a container changed."""
        for change in changes:
            if not (change.record is not None and change.record.level == "image"):
                self._known.pop(change.id, None)
                self._chains.clear()

    def _climb(self, id: RecordId | None) -> Iterator[Dataset]:
        seen: set[RecordId] = set()
        while id is not None and id not in seen and len(seen) < 32:
            seen.add(id)
            if id not in self._known:
                found = self._store.get_many([id]).get(id)
                self._known[id] = found if isinstance(found, Dataset) else None
            parent = self._known[id]
            if parent is None:
                return
            yield parent
            id = parent.part_of


def _with_ancestors(changes: Iterable[Change], ancestors: Ancestors) -> Iterator[Change]:
    for change in changes:
        if change.record is None or change.record.part_of is None:
            yield change
        else:
            yield msgspec.structs.replace(change, ancestors=ancestors.of(change.record))


def _descendants(store: RecordStore, id: RecordId, until: int) -> Iterator[Change]:
    """Yield all records below one that were last changed at ``until`` or before, in pages."""
    after = 0
    while page := store.children(id, after=after, until=until, limit=_CHANGES_A_READ):
        for child in page:
            yield child
            if isinstance(child.record, Dataset):
                yield from _descendants(store, child.id, until)
        after = page[-1].seq


def _is_image(change: Change) -> bool:
    return change.record is not None and change.record.level == "image"


def _entries(store: RecordStore, ancestors: Ancestors, start: int, until: int) -> Iterator[Change]:
    """Yield the log's entries up to ``until``, then what lies in changed containers.

    Descendants changed after ``start`` are left out: their own entry comes, or came, anyway.
    """
    containers: list[RecordId] = []
    reached = start
    while page := store.changes(reached, until=until, limit=_CHANGES_A_READ):
        ancestors.forget(page)
        reached = page[-1].revision
        if start:
            containers += [change.id for change in page if not _is_image(change)]
        yield from _with_ancestors(page, ancestors)
    for container in containers:
        yield from _with_ancestors(_descendants(store, container, start), ancestors)


def project(
    store: RecordStore, projection: Projection, progress: Callable[[int, int], None] | None = None
) -> int:
    """Bring a projection up to the store's last revision; return how many revisions it moved.

    ``progress`` is called with (revision reached, last revision). Safe to repeat after a crash.
    """
    ancestors = Ancestors(store)
    first = reached = projection.revision()
    while (last := store.revision()) > reached:
        until = min(last, reached + _CHANGES_A_COMMIT)
        projection.apply(_entries(store, ancestors, reached, until), until)
        reached = until
        if progress:
            progress(reached, last)
    return reached - first
