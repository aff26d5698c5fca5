"""Making records anew of what is kept: no archive is asked."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Literal

import msgspec
from msgspec import Struct

from parfocal.interfaces import Annotator, RecordStore, Source
from parfocal.model import Record
from parfocal.pipeline import Progress, annotated, normalise
from parfocal.values import Normalised, Rebuilt, RunReport

How = Literal["renormalise", "reannotate"]
_ITEMS_A_READ = 50
_RECORDS_A_BATCH = 2000


class Rebuild(Struct, frozen=True):
    """One rebuild of a source's records from its kept raw items; a killed one goes on.

    Records whose raw items are no longer kept stay as they are; with ``how`` reannotate, claims
    are made anew in them, in place of those whose ``by`` begins with one of ``claimants``.
    ``fingerprint`` stands for how records are made now. With ``touched``, only raw items are looked
    at that give a record of which it says yes.
    """

    store: RecordStore
    name: str
    source: Source
    annotators: Sequence[Annotator]
    how: How
    fingerprint: str
    groups: Sequence[str] = ()
    claimants: tuple[str, ...] = ("parfocal",)
    allow_shrink: bool = False
    progress: Progress | None = None
    touched: Callable[[Record], bool] | None = None
    turn: threading.Lock = msgspec.field(default_factory=threading.Lock)

    async def run(self, worker: Executor) -> RunReport:
        """Rebuild everything, portion by portion in the worker's threads."""
        call = partial(asyncio.get_running_loop().run_in_executor, worker)
        run, after = await call(self.store.begin_rebuild, self.name, self.how, self.fingerprint)
        items = records = left = 0
        while True:
            portion, forgotten = await call(self._portion, run, after)
            if portion.last == after:
                break
            after, left = portion.last, left + forgotten
            items += len(portion.items) + forgotten
            records += sum(len(one.records) for _, one in portion.items) + len(portion.records)
            if self.progress:
                self.progress(items, records)
        return await call(self._finish, run, left)

    def _portion(self, run: int, after: int) -> tuple[Rebuilt, int]:
        """Do some raw items; return what was done, and how many are no longer kept."""
        start = time.monotonic()
        items: list[tuple[int, Normalised]] = []
        records: list[tuple[int, Record]] = []
        made = forgotten = 0
        for kept in self.store.kept(self.name, after=after, limit=_ITEMS_A_READ):
            after = kept.number
            if not self._is_touched(kept.number):
                continue
            if kept.item is None:
                forgotten += 1
                records += self._claimed_anew(kept.number)
            else:
                with self.turn:
                    found = normalise(self.source, kept.item, self.annotators, self.groups)
                items.append((kept.number, found))
                made += len(found.records)
            if made + len(records) >= _RECORDS_A_BATCH:
                break
        portion = Rebuilt(after, tuple(items), tuple(records), time.monotonic() - start)
        if items or records:
            self.store.rebuild(self.name, run, portion)
        return portion, forgotten

    def _is_touched(self, number: int) -> bool:
        touched = self.touched
        if touched is None:
            return True
        found = (change.record for change in self.store.records_of(self.name, number))
        return any(record is not None and touched(record) for record in found)

    def _claimed_anew(self, number: int) -> Iterator[tuple[int, Record]]:
        if self.how == "renormalise":
            return
        for change in self.store.records_of(self.name, number):
            if change.record is not None:
                yield change.seq, self._reannotated(change.record)

    def _reannotated(self, record: Record) -> Record:
        own = tuple(c for c in record.annotations if not c.by.startswith(self.claimants))
        if len(own) < len(record.annotations):
            record = msgspec.structs.replace(record, annotations=own)
        with self.turn:
            return annotated(record, self.annotators)

    def _finish(self, run: int, left: int) -> RunReport:
        message = ""
        if left and self.how == "renormalise":
            message = (
                f"{left:,} raw items are no longer kept: their records stay as they were."
                " To make them anew, harvest with --full"
            )
        return self.store.finish_rebuild(
            self.name,
            run,
            fingerprint="" if message or not self._covers_all() else self.fingerprint,
            allow_shrink=self.allow_shrink,
            message=message,
        )

    def _covers_all(self) -> bool:
        """Whether records are now as a harvest of the same answers would make them."""
        return self.how in _needed(self.store.fingerprint(self.name), self.fingerprint)


def _needed(old: str, new: str) -> tuple[How, ...]:
    """Return the rebuilds that bring records from one fingerprint to another: none, if no one can.

    >>> _needed("read:seen:claimed", "read:seen:claimed anew")
    ('reannotate', 'renormalise')
    >>> _needed("read:seen:claimed", "read anew:seen:claimed")
    ()
    """
    before, after = old.split(":"), new.split(":")
    if len(before) != 3 or len(after) != 3 or before[0] != after[0]:
        return ()
    return ("reannotate", "renormalise") if before[1] == after[1] else ("renormalise",)


def needed(old: str, new: str, all_is_kept: bool) -> How | None:
    """Return the rebuild to do before a harvest under another fingerprint, if one can help."""
    ways = _needed(old, new) if old != new else ()
    if ways and (ways[0] == "reannotate" or all_is_kept):
        return ways[0]
    return None
