"""Making records anew of what is kept: no archive is asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Literal

import msgspec
from msgspec import Struct

from parfocal.interfaces import Annotator, RecordStore, Source
from parfocal.model import Record
from parfocal.pipeline import Progress, annotated, normalise
from parfocal.values import Normalised, RunReport

How = Literal["renormalise", "reannotate"]
_ITEMS_A_READ = 50
_RECORDS_A_READ = 2000
_RECORDS_A_BATCH = 2000


class Rebuild(Struct, frozen=True):
    """One rebuild of a source's records; a killed one goes on where it was.

    With a source its kept raw items are read again (renormalise). Without one, claims are made
    anew in the records that are there (reannotate), in place of those whose ``by`` begins with one
    of ``claimants``. ``fingerprint`` stands for how records are made now.
    """

    store: RecordStore
    name: str
    annotators: Sequence[Annotator]
    fingerprint: str
    source: Source | None = None
    groups: Sequence[str] = ()
    claimants: tuple[str, ...] = ("parfocal",)
    allow_shrink: bool = False
    progress: Progress | None = None

    @property
    def how(self) -> How:
        """Return which kind of rebuild it is."""
        return "renormalise" if self.source else "reannotate"

    async def run(self, worker: Executor) -> RunReport:
        """Rebuild everything, page by page in the worker's threads."""
        call = partial(asyncio.get_running_loop().run_in_executor, worker)
        run, after = await call(self.store.begin_rebuild, self.name, self.how, self.fingerprint)
        page = partial(self._renormalise, self.source) if self.source else self._reannotate
        done = records = gone = 0
        while True:
            after, items, made, missing = await call(page, run, after)
            if not items:
                break
            done, records, gone = done + items, records + made, gone + missing
            if self.progress:
                self.progress(done, records)
        return await call(self._finish, run, gone)

    def _renormalise(self, source: Source, run: int, after: int) -> tuple[int, int, int, int]:
        """Do some raw items: the last number, items, records made, items that are not kept."""
        start = time.monotonic()
        found: list[tuple[int, Normalised]] = []
        items = made = missing = 0
        for kept in self.store.kept(self.name, after=after, limit=_ITEMS_A_READ):
            after, items = kept.number, items + 1
            if kept.item is None:
                missing += 1
                continue
            normalised = normalise(source, kept.item, self.annotators, self.groups)
            found.append((kept.number, normalised))
            made += len(normalised.records)
            if made >= _RECORDS_A_BATCH:
                break
        if found:
            self.store.rebuild(self.name, run, found, time.monotonic() - start)
        return after, items, made, missing

    def _reannotate(self, run: int, after: int) -> tuple[int, int, int, int]:
        start = time.monotonic()
        page = self.store.records(after=after, source=self.name, limit=_RECORDS_A_READ)
        if not page:
            return after, 0, 0, 0
        found = [
            (change.seq, self._reannotated(change.record))
            for change in page
            if change.record is not None
        ]
        self.store.rewrite(self.name, run, found, time.monotonic() - start)
        return page[-1].seq, len(page), len(page), 0

    def _reannotated(self, record: Record) -> Record:
        own = tuple(
            claim for claim in record.annotations if not claim.by.startswith(self.claimants)
        )
        if len(own) < len(record.annotations):
            record = msgspec.structs.replace(record, annotations=own)
        return annotated(record, self.annotators)

    def _finish(self, run: int, gone: int) -> RunReport:
        message = ""
        if gone:
            message = (
                f"{gone:,} raw items are no longer kept: their records stay as they were."
                " To make them anew, harvest with --full"
            )
        return self.store.finish_rebuild(
            self.name,
            run,
            fingerprint=self.fingerprint if not gone and self._covers_all() else "",
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
