"""The one-way flow: fetch, normalise, annotate, commit."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import date
from functools import partial
from typing import Any

import msgspec
from msgspec import Struct

from parfocal.errors import ConfigError, ParfocalError, PluginMissing, SourceError
from parfocal.interfaces import Annotator, RecordStore, Source, SupportsSince
from parfocal.model import CONTRADICTED, Access, Record
from parfocal.values import (
    LIMITED,
    Batch,
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
_BYTES_A_PORTION = 4 * 1024 * 1024
_SECONDS_A_PORTION = 0.5
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
    """Return the record with what the annotators claim, one after the other."""
    for annotator in annotators:
        claims = annotator.annotate(record)
        if claims is not record.annotations:
            record = msgspec.structs.replace(record, annotations=claims)
    return record


def contradictions(item: str, records: Sequence[Record]) -> Iterator[Problem]:
    """Yield a warning that lists accessions whose texts say something else."""
    found = Counter(
        (claim.text, claim.term, claim.label)
        for record in records
        for claim in record.annotations
        if claim.method == CONTRADICTED
    )
    if found:
        shown = "; ".join(
            f"{text!r} as {term} ({label})" for (text, term, label), _ in found.most_common(5)
        )
        yield Problem(
            item,
            f"{found.total()} accessions contradict the texts beside them, like {shown}",
            hint="correct them in the archive; until then only within: finds them",
            severity="warning",
        )


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
    problems += contradictions(item.key, records)
    return Normalised(item, tuple(records), tuple(problems))


class Remembered:
    """The Walk that the pipeline hands to a source: answers from the store, counts answers."""

    def __init__(self, store: RecordStore, source: str) -> None:
        self._store = store
        self._source = source
        self.cursor = ""
        self.mark = ""
        self.requests = 0
        self.received = 0
        self._told = (0, 0)

    def begin(self, cursor: str) -> None:
        """Begin a walk after a cursor."""
        self.cursor = cursor
        self.mark = self._store.mark(self._source)

    def stamp(self, key: str) -> str:
        """Return the stamp kept with a raw item; "" when unknown, or when it must be read."""
        return self._store.stamp(self._source, key)

    def kin(self, key: str, identity: str) -> Sequence[tuple[str, str]]:
        """Return (key, name) of items under a key, of an identity, or whose name the key is."""
        return self._store.kin(self._source, key, identity)

    def answered(self, size: int) -> None:
        """Count one answer of a server."""
        self.requests += 1
        self.received += size

    def taken(self) -> tuple[int, int]:
        """Return requests and bytes since the last call, which may come from another thread."""
        before, self._told = self._told, (self.requests, self.received)
        return self._told[0] - before[0], self._told[1] - before[1]


class Wanted(Struct, frozen=True):
    """What a run is asked for.

    ``fingerprint`` stands for all that decides what records a raw item gives. ``since`` asks for
    what changed on that day or later; ``limit`` ends the run after so many items.
    """

    fingerprint: str = ""
    full: bool = False
    allow_shrink: bool = False
    since: date | None = None
    limit: int = 0

    @property
    def scope(self) -> str:
        """Return the scope of the run, as the store keeps it."""
        if self.limit:
            return LIMITED
        return f"since {self.since}" if self.since else ""


_EVERYTHING = Wanted()


class _Gathered:
    """What a source yielded and nobody has looked at yet."""

    def __init__(self) -> None:
        self._found: list[Fetched] = []
        self._size = 0
        self._since = time.monotonic()

    def add(self, got: Fetched) -> None:
        self._found.append(got)
        if isinstance(got, RawItem):
            self._size += len(got.content)

    def is_full(self) -> bool:
        return len(self._found) >= _ITEMS_A_BATCH or self._size >= _BYTES_A_PORTION

    def is_old(self) -> bool:
        return time.monotonic() - self._since > _SECONDS_A_PORTION

    def take(self) -> list[Fetched]:
        taken, self._found, self._size = self._found, [], 0
        self._since = time.monotonic()
        return taken


class _Portion:
    """What will be committed together."""

    def __init__(self) -> None:
        self.items: list[Normalised] = []
        self.unchanged: list[Unchanged] = []
        self.deleted: list[str] = []
        self.problems: list[Problem] = []
        self.records = 0


async def _nothing() -> None:
    """Be done at once."""


async def _close(stream: AsyncIterator[Fetched]) -> None:
    if isinstance(stream, AsyncGenerator):
        await stream.aclose()


class Harvest:
    """One run over one source, committed in batches; a killed run resumes at its last commit.

    What is fetched is understood and committed in a worker's thread, while the source goes on:
    at most one portion waits there and one is being gathered. ``turn`` is held while an item is
    normalised: annotators that several harvests share need not be safe among threads.
    """

    def __init__(
        self,
        store: RecordStore,
        name: str,
        source: Source,
        annotators: Sequence[Annotator] = (),
        *,
        groups: Sequence[str] = (),
        progress: Progress | None = None,
        turn: threading.Lock | None = None,
    ) -> None:
        self._store = store
        self._name = name
        self._turn = turn or threading.Lock()
        self._source = source
        self._annotators = annotators
        self._groups = groups
        self._progress = progress
        self._visit = Remembered(store, name)
        self._gathered = _Gathered()
        self._cursor = ""
        self._mark = ""
        self._done = (0, 0)
        self._time = time.monotonic()

    def run(self, wanted: Wanted = _EVERYTHING, **changes: Any) -> RunReport:
        """Walk the source once; return how it ended.

        ``changes`` are fields of Wanted, for short. A source that fails as a whole ends as
        *failed*.
        """
        with ThreadPoolExecutor(1, thread_name_prefix="commit") as worker:
            return asyncio.run(self.walk(worker, msgspec.structs.replace(wanted, **changes)))

    async def walk(self, worker: Executor, wanted: Wanted = _EVERYTHING) -> RunReport:
        """Walk the source once; commits are made in the worker's threads, one after the other."""
        call = partial(asyncio.get_running_loop().run_in_executor, worker)
        self._check(wanted)
        run = await call(self._begin, wanted)
        message = ""
        try:
            await self._fetch(partial(call, self._handle, run), wanted)
        except (SourceError, ConfigError, PluginMissing) as error:
            # A secret that is not there, a missing extra: of this source only.
            message = f"{error}. {error.hint}".strip()
            self._gathered.add(Problem(error.where or self._name, error.message, hint=error.hint))
        except BaseException:
            # Whatever ends the walk, what it yielded is good.
            await asyncio.shield(call(self._handle, run, self._gathered.take()))
            raise
        await call(self._handle, run, self._gathered.take())
        return await call(self._finish, run, wanted, message)

    def _begin(self, wanted: Wanted) -> int:
        run, cursor = self._store.begin(
            self._name, fingerprint=wanted.fingerprint, full=wanted.full, scope=wanted.scope
        )
        self._cursor = cursor or ""
        self._visit.begin(self._cursor)
        self._time = time.monotonic()
        return run

    def _finish(self, run: int, wanted: Wanted, message: str) -> RunReport:
        complete = not message
        if wanted.limit and complete:
            message = f"stopped after {self._done[0]:,} items, as asked; nothing was tombstoned"
        return self._store.finish(
            self._name, run, complete=complete, allow_shrink=wanted.allow_shrink, message=message
        )

    def _check(self, wanted: Wanted) -> None:
        if wanted.since is not None and not isinstance(self._source, SupportsSince):
            raise ConfigError(
                f"source {self._name!r} cannot tell what changed since a day",
                hint="harvest it without --since; only what changed is taken in anyway",
            )

    def _stream(self, wanted: Wanted) -> AsyncIterator[Fetched]:
        if wanted.since is not None and isinstance(self._source, SupportsSince):
            return self._source.fetch_since(wanted.since, self._visit)
        return self._source.fetch(self._visit)

    async def _fetch(
        self, handle: Callable[[list[Fetched]], Awaitable[None]], wanted: Wanted
    ) -> None:
        """Gather what the source yields and hand it over in portions, one at a time."""
        busy = asyncio.ensure_future(_nothing())
        stream = self._stream(wanted)
        left = wanted.limit or -1
        try:
            async for got in stream:
                self._gathered.add(got)
                left -= not isinstance(got, Problem | Mark)
                if not left:
                    break
                if self._gathered.is_full() or (self._gathered.is_old() and busy.done()):
                    await busy
                    busy = asyncio.ensure_future(handle(self._gathered.take()))
        finally:
            # What was handed over is being committed, whatever happens here.
            await asyncio.shield(busy)
            await _close(stream)

    def _handle(self, run: int, gathered: list[Fetched]) -> None:
        """Understand and commit a portion; the cursor moves with what comes before it."""
        portion = _Portion()
        for got in gathered:
            self._take(portion, got)
            if portion.records >= _RECORDS_A_BATCH:
                portion = self._commit(run, portion)
        self._commit(run, portion)

    def _take(self, portion: _Portion, got: Fetched) -> None:
        if isinstance(got, Problem):
            portion.problems.append(got)
            return
        if isinstance(got, Mark):
            self._mark = got.text
            return
        self._cursor = got.cursor or self._cursor
        if isinstance(got, Deleted):
            portion.deleted.append(got.key)
        elif isinstance(got, Unchanged):
            portion.unchanged.append(got)
        elif self._store.digest(self._name, got.key) == got.digest:
            portion.unchanged.append(Unchanged(got.key, stamp=got.stamp))
        else:
            with self._turn:
                normalised = normalise(self._source, got, self._annotators, self._groups)
            portion.records += len(normalised.records)
            portion.items.append(normalised)

    def _commit(self, run: int, portion: _Portion) -> _Portion:
        requests, received = self._visit.taken()
        before, self._time = self._time, time.monotonic()
        batch = Batch(
            tuple(portion.items),
            tuple(portion.unchanged),
            tuple(portion.deleted),
            tuple(portion.problems),
            self._cursor,
            self._mark,
            requests,
            received,
            self._time - before,
        )
        self._store.commit(self._name, run, batch)
        items, records = self._done
        items += len(portion.items) + len(portion.unchanged) + len(portion.deleted)
        self._done = (items, records + portion.records)
        if self._progress:
            self._progress(*self._done)
        return _Portion()
