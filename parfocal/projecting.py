"""Projecting the change log: index and graph follow the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from parfocal.identifiers import RecordId
from parfocal.interfaces import Projection, RecordStore
from parfocal.model import Dataset, Record
from parfocal.values import Change

_CHANGES_A_COMMIT = 50_000
_CHANGES_A_READ = 2000
_MOST_REMEMBERED = 5000


class Ancestors:
    """Finds what records lie in, nearest first; remembers some containers."""

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
            if max(len(self._known), len(self._chains)) > _MOST_REMEMBERED:
                self._known.clear()
                self._chains.clear()
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


def _complete(
    store: RecordStore, changes: Iterable[Change], ancestors: Ancestors
) -> Iterator[Change]:
    """Yield changes with what their records lie in, and with what shares names with them."""
    for change in changes:
        if change.record is None:
            yield change
        elif isinstance(change.record, Dataset):
            above, near = ancestors.of(change.record), store.namesakes(change.id)
            yield msgspec.structs.replace(change, ancestors=above, namesakes=near)
        elif change.record.part_of is not None:
            yield msgspec.structs.replace(change, ancestors=ancestors.of(change.record))
        else:
            yield change


def _descendants(store: RecordStore, id: RecordId, until: int) -> Iterator[Change]:
    """Yield all records below one that were last changed at ``until`` or before, in pages."""
    after = 0
    while page := store.children(id, after=after, until=until, limit=_CHANGES_A_READ):
        for child in page:
            yield child
            if isinstance(child.record, Dataset):
                yield from _descendants(store, child.id, until)
        after = page[-1].seq


def _holds_changed(change: Change, start: int) -> bool:
    """Whether what lies in a record must hear of its change; not when only a namesake changed."""
    image = change.record is not None and change.record.level == "image"
    return not image and (change.written or change.revision) > start


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
            containers += [change.id for change in page if _holds_changed(change, start)]
        yield from _complete(store, page, ancestors)
    for container in containers:
        yield from _complete(store, _descendants(store, container, start), ancestors)


def project(
    store: RecordStore, projection: Projection, progress: Callable[[int, int], None] | None = None
) -> int:
    """Bring a projection up to the store's last revision; return how many revisions it moved.

    What is written meanwhile is left to the next call. ``progress`` is called with (revision
    reached, last revision). Safe to repeat after a crash.
    """
    ancestors = Ancestors(store)
    first = reached = projection.revision()
    last = store.revision()
    while reached < last:
        until = min(last, reached + _CHANGES_A_COMMIT)
        projection.apply(_entries(store, ancestors, reached, until), until)
        reached = until
        if progress:
            progress(reached, last)
    return reached - first
