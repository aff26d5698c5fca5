"""Harvesting configured sources: what ``parfocal harvest`` and the demo call."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from parfocal.catalogue import Catalogue
from parfocal.config import SourceSettings
from parfocal.following import make_ready, restart
from parfocal.interfaces import Projection, RecordStore
from parfocal.lock import only_writer
from parfocal.pipeline import Harvest, project
from parfocal.values import RunReport

Progress = Callable[[str, int, int | None, int], None]
"""Called with (what, done, of how many if known, records); from several threads."""

# While a harvest runs, its followers wait for so much to do: few large commits cost less.
_WORTH_A_COMMIT = 50_000
_LOOK_EVERY = 0.2
_ALLOCATIONS_A_COLLECTION = 5_000_000


def _silent(what: str, done: int, total: int | None, records: int) -> None:
    """Show nothing."""


def harvest(
    catalogue: Catalogue,
    names: Sequence[str] = (),
    *,
    full: bool = False,
    allow_shrink: bool = False,
    progress: Progress = _silent,
) -> Iterator[RunReport]:
    """Harvest the named sources, or all, in turn; index and graph follow beside it.

    Yields each source's report as soon as its walk has ended; the last step of the iteration waits
    until index and graph are up to date. Raises ConfigError for an unknown name and StoreLocked
    while another process writes.
    """
    settings = catalogue.settings
    wanted = [settings.source(name) for name in names] or list(settings.sources)
    with only_writer(settings.data_dir):
        for name, part in _parts(catalogue):
            make_ready(settings.data_dir, name, catalogue.store, part)
        runs = [_run_of(catalogue, each, progress) for each in wanted]
        with _rare_collections(), _followers(catalogue, progress):
            for each, run in zip(wanted, runs, strict=True):
                yield run.run(
                    fingerprint=catalogue.fingerprint(each), full=full, allow_shrink=allow_shrink
                )


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Look for reference cycles rarely: records have none, and looking takes long."""
    before = gc.get_threshold()
    gc.set_threshold(_ALLOCATIONS_A_COLLECTION, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _parts(catalogue: Catalogue) -> tuple[tuple[str, Projection], ...]:
    return ("index", catalogue.index), ("graph", catalogue.graph)


def _run_of(catalogue: Catalogue, source: SourceSettings, progress: Progress) -> Harvest:
    last = next(iter(catalogue.store.runs(source.name, 1)), None)
    total = last.items if last else None
    return Harvest(
        catalogue.store,
        source.name,
        catalogue.source(source.name),
        catalogue.annotators,
        groups=source.access,
        progress=lambda items, records: progress(source.name, items, total, records),
    )


@contextmanager
def _followers(catalogue: Catalogue, progress: Progress) -> Iterator[None]:
    """Keep index and graph following the log in threads; on leaving, bring them to its end.

    The work of both is mostly outside the interpreter's lock, so it costs the harvest little.
    """
    parts = _parts(catalogue)
    ended, given_up = threading.Event(), threading.Event()
    with ThreadPoolExecutor(len(parts), thread_name_prefix="follow") as pool:
        followers: list[Future[None]] = [
            pool.submit(_follow, catalogue.store, name, part, ended, given_up, progress)
            for name, part in parts
        ]
        try:
            yield
        except BaseException:
            given_up.set()
            raise
        finally:
            ended.set()
    for follower in followers:
        follower.result()


def _follow(
    store: RecordStore,
    name: str,
    projection: Projection,
    ended: threading.Event,
    given_up: threading.Event,
    progress: Progress,
) -> None:
    while not ended.wait(_LOOK_EVERY):
        if store.revision() - projection.revision() >= _WORTH_A_COMMIT:
            project(store, projection, _shown(name, progress))
    if not given_up.is_set():
        project(store, projection, _shown(name, progress))


def _shown(name: str, progress: Progress) -> Callable[[int, int], None]:
    return lambda reached, last: progress(name, reached, last, reached)


def bring_up_to_date(catalogue: Catalogue, progress: Progress = _silent) -> None:
    """Bring index and graph up to the store's last revision."""
    with _followers(catalogue, progress):
        pass


def rebuild(catalogue: Catalogue, parts: Sequence[str], progress: Progress = _silent) -> None:
    """Empty index or graph (``parts``) and project the whole log again."""
    with only_writer(catalogue.settings.data_dir):
        for name, part in _parts(catalogue):
            if name in parts:
                restart(catalogue.settings.data_dir, name, catalogue.store, part)
        bring_up_to_date(catalogue, progress)
