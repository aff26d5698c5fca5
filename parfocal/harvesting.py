"""Harvesting configured sources: what ``parfocal harvest`` and the demo call."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec import Struct

from parfocal import lock, registry
from parfocal.catalogue import Catalogue
from parfocal.config import SourceSettings, debugging
from parfocal.errors import ConfigError, ParfocalError, StoreLocked
from parfocal.followers import Progress, following, silent
from parfocal.interfaces import RecordStore, SupportsSince
from parfocal.model import Record
from parfocal.pipeline import Harvest, Wanted
from parfocal.rebuilding import How, Rebuild, needed
from parfocal.values import RunReport

_LOOK_EVERY = 0.2
_ALLOCATIONS_A_COLLECTION = 5_000_000
# One normalises while the other waits for the disk; the interpreter's lock lets no more work.
_WORKERS = 2


class Job(Struct, frozen=True):
    """What is done to one source, and what it is called where progress is shown."""

    name: str
    start: Callable[[Executor], Awaitable[Sequence[RunReport]]]


# ------------------------------------------------------------------ what is done to a source


def harvest(
    catalogue: Catalogue,
    names: Sequence[str] = (),
    *,
    wanted: Wanted | None = None,
    full: bool = False,
    allow_shrink: bool = False,
    progress: Progress = silent,
    stop: threading.Event | None = None,
) -> Iterator[RunReport]:
    """Harvest the named sources, or all, side by side; index and graph follow beside it.

    Yields each source's reports as soon as its walk has ended; the last step of the iteration
    waits until index and graph are up to date. When only ontologies or access changed since the
    last run, the records are made anew first, without asking the archive. Raises ConfigError for
    an unknown name, and StoreLocked, after the others are done, for a source that another process
    harvests. ``stop`` ends it early; the runs go on at the next call.
    """
    asked = wanted or Wanted(full=full, allow_shrink=allow_shrink)
    jobs = harvest_jobs(catalogue, names, asked, progress)
    yield from _do(catalogue, jobs, progress, stop)


def rebuild_records(
    catalogue: Catalogue,
    how: How,
    names: Sequence[str] = (),
    *,
    allow_shrink: bool = False,
    touched: Callable[[Record], bool] | None = None,
    progress: Progress = silent,
    stop: threading.Event | None = None,
) -> Iterator[RunReport]:
    """Make the records of the named sources, or all, anew of what is kept; no archive is asked.

    ``touched`` says which records need it; those that share a raw item with one go along.
    Nothing begins when the settings of one of them are wrong: ConfigError.
    """

    def job(source: SourceSettings) -> Job:
        rebuild = _rebuild_of(catalogue, source, how, allow_shrink, progress)

        async def start(worker: Executor) -> Sequence[RunReport]:
            return [await msgspec.structs.replace(rebuild, touched=touched).run(worker)]

        return Job(source.name, start)

    yield from _do(catalogue, [job(each) for each in _chosen(catalogue, names)], progress, stop)


def harvest_jobs(
    catalogue: Catalogue, names: Sequence[str], wanted: Wanted, progress: Progress
) -> list[Job]:
    """Return the jobs that harvest the named sources, or all; ConfigError when one cannot."""
    chosen = _chosen(catalogue, names)
    _refuse_since(catalogue, chosen, wanted)
    return [_harvest_of(catalogue, each, wanted, progress) for each in chosen]


def _chosen(catalogue: Catalogue, names: Sequence[str]) -> list[SourceSettings]:
    settings = catalogue.settings
    return [settings.source(name) for name in dict.fromkeys(names)] or list(settings.sources)


def _refuse_since(catalogue: Catalogue, chosen: Sequence[SourceSettings], wanted: Wanted) -> None:
    for source in chosen if wanted.since else ():
        if not isinstance(catalogue.source(source.name), SupportsSince):
            raise ConfigError(
                f"source {source.name!r} cannot tell what changed since a day",
                hint="harvest it without --since; what has not changed is not taken in again",
            )


def _harvest_of(
    catalogue: Catalogue, source: SourceSettings, wanted: Wanted, progress: Progress
) -> Job:
    total = _last_items(catalogue.store, source.name)
    run = Harvest(
        catalogue.store,
        source.name,
        catalogue.source(source.name),
        catalogue.annotators,
        groups=source.access,
        progress=lambda items, records: progress(source.name, items, total, records),
        turn=catalogue.annotating,
    )
    fingerprint = catalogue.fingerprint(source)

    async def start(worker: Executor) -> Sequence[RunReport]:
        reports = []
        kept = catalogue.store.fingerprint(source.name)
        how = needed(kept, fingerprint, _raw(catalogue, source) == "all")
        if how and not wanted.full:
            rebuild = _rebuild_of(catalogue, source, how, wanted.allow_shrink, progress)
            reports.append(await rebuild.run(worker))
        asked = msgspec.structs.replace(wanted, fingerprint=fingerprint)
        reports.append(await run.walk(worker, asked))
        await asyncio.get_running_loop().run_in_executor(worker, _forget, catalogue, source)
        return reports

    return Job(source.name, start)


def _rebuild_of(
    catalogue: Catalogue, source: SourceSettings, how: How, allow_shrink: bool, progress: Progress
) -> Rebuild:
    total = _last_items(catalogue.store, source.name)
    return Rebuild(
        catalogue.store,
        source.name,
        catalogue.source(source.name),
        catalogue.annotators,
        how,
        catalogue.fingerprint(source),
        groups=source.access,
        claimants=("parfocal", *registry.names("annotators")),
        allow_shrink=allow_shrink,
        progress=lambda items, records: progress(source.name, items, total, records),
        turn=catalogue.annotating,
    )


def _last_items(store: RecordStore, name: str) -> int | None:
    last = next((run for run in store.runs(name) if not run.scope), None)
    return last.items if last else None


def _raw(catalogue: Catalogue, source: SourceSettings) -> str:
    return source.raw or catalogue.settings.harvest.raw


def _forget(catalogue: Catalogue, source: SourceSettings) -> None:
    """Forget raw items as old as the settings say."""
    keep = _raw(catalogue, source)
    if keep == "all":
        return
    age = timedelta(days=int(keep.removesuffix("d"))) if keep != "none" else -timedelta(days=1)
    before = datetime.now(UTC) - age
    catalogue.store.forget_raw(source.name, before.strftime("%Y-%m-%dT%H:%M:%SZ"))


# ------------------------------------------------------------------ side by side


def _do(
    catalogue: Catalogue, jobs: Sequence[Job], progress: Progress, stop: threading.Event | None
) -> Iterator[RunReport]:
    """Do jobs side by side, each under its source's lock, while index and graph follow."""
    with ExitStack() as held:
        free, busy = _taken(catalogue, jobs, held)
        if busy and not free:
            raise busy[0]
        for job in free:
            progress(job.name, 0, _last_items(catalogue.store, job.name), 0)
        stop = stop or threading.Event()
        with _RARE_COLLECTIONS, following(catalogue, progress, stop):
            for report in side_by_side(catalogue, free, stop):
                counts = report.counts
                records = counts.new + counts.changed + counts.unchanged
                progress(report.source, report.items, report.items, records)
                yield report
    if busy:
        raise busy[0]


def _taken(
    catalogue: Catalogue, jobs: Sequence[Job], held: ExitStack
) -> tuple[list[Job], list[StoreLocked]]:
    """Take the locks of sources; return the jobs that can be done, and why others cannot."""
    free: list[Job] = []
    busy: list[StoreLocked] = []
    for job in jobs:
        hold = lock.of_source(catalogue.settings.data_dir, job.name)
        if hold.take():
            held.callback(hold.give_back)
            free.append(job)
        else:
            busy.append(lock.source_is_held(job.name, hold))
    return free, busy


def side_by_side(
    catalogue: Catalogue, jobs: Sequence[Job], stop: threading.Event
) -> Iterator[RunReport]:
    """Do jobs side by side; yield the reports of each when it is done."""
    with (
        ThreadPoolExecutor(_WORKERS, thread_name_prefix="commit") as pool,
        asyncio.Runner() as loop,
    ):
        tasks = loop.run(_started(jobs, pool, catalogue.settings.harvest.at_once))
        while tasks and not stop.is_set():
            for task in loop.run(_some_done(tasks, stop)):
                yield from _reports(catalogue, tasks.pop(task).name, task)


async def _started(
    jobs: Sequence[Job], pool: Executor, at_once: int
) -> dict[asyncio.Task[Sequence[RunReport]], Job]:
    gate = asyncio.Semaphore(at_once)

    async def one(job: Job) -> Sequence[RunReport]:
        async with gate:
            return await job.start(pool)

    return {asyncio.create_task(one(job)): job for job in jobs}


async def _some_done(
    tasks: dict[asyncio.Task[Sequence[RunReport]], Job], stop: threading.Event
) -> list[asyncio.Task[Sequence[RunReport]]]:
    """Wait until something is done, or all is to stop; return what is done, in order of jobs."""
    done: set[asyncio.Task[Sequence[RunReport]]] = set()
    while not done and not stop.is_set():
        done, _ = await asyncio.wait(
            tasks, timeout=_LOOK_EVERY, return_when=asyncio.FIRST_COMPLETED
        )
    return [task for task in tasks if task in done]


def _reports(
    catalogue: Catalogue, name: str, task: asyncio.Task[Sequence[RunReport]]
) -> Sequence[RunReport]:
    """Return a job's reports; a source with a mistake in it fails, and disturbs no other."""
    error = task.exception()
    if error is None:
        return task.result()
    if isinstance(error, ParfocalError) or not isinstance(error, Exception) or debugging():
        raise error
    message = (
        f"this should not have happened: {type(error).__name__}: {error}."
        " Set PARFOCAL_DEBUG=1 and harvest again, then report what is printed"
    )
    run = catalogue.store.runs(name, 1)[0].run
    return [catalogue.store.finish(name, run, complete=False, message=message)]


class _Rarely:
    """Looks for reference cycles rarely while anything is harvested in this process.

    Records have no cycles, and looking takes long.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._before = (0, 0, 0)

    def __enter__(self) -> None:
        with self._lock:
            if not self._users:
                self._before = gc.get_threshold()
                gc.set_threshold(_ALLOCATIONS_A_COLLECTION, *self._before[1:])
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                gc.set_threshold(*self._before)


_RARE_COLLECTIONS = _Rarely()
