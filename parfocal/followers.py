"""Index and graph follow the store: one process writes them, others wait until it has done so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from parfocal.catalogue import Catalogue
from parfocal.errors import StoreLocked
from parfocal.following import has_reached, make_ready, restart
from parfocal.interfaces import Projection, RecordStore
from parfocal.projecting import project

Progress = Callable[[str, int, int | None, int], None]
"""Called with (what, done, of how many if known, records); from several threads."""

# While a harvest runs, its followers wait for so much to do: few large commits cost less. What
# comes slowly is to be found soon, too.
_WORTH_A_COMMIT = 50_000
_SECONDS_TO_BE_FOUND = 30.0
_LOOK_EVERY = 0.2


def silent(what: str, done: int, total: int | None, records: int) -> None:
    """Show nothing."""


def _parts(catalogue: Catalogue) -> tuple[tuple[str, Projection], ...]:
    return ("index", catalogue.index), ("graph", catalogue.graph)


def _make_ready(catalogue: Catalogue) -> None:
    for name, part in _parts(catalogue):
        make_ready(catalogue.settings.data_dir, name, catalogue.store, part)


@contextmanager
def following(
    catalogue: Catalogue, progress: Progress, given_up: threading.Event
) -> Iterator[None]:
    """Keep index and graph following the log, or let the process do it that does so already.

    On leaving both have reached the end of the log, unless that is given up.
    """
    if catalogue.projections.take():
        _make_ready(catalogue)
        with _followers(catalogue, progress, given_up):
            yield
        return
    yield
    last = catalogue.store.revision()
    while not catalogue.projections.take():
        if given_up.is_set() or _others_have_reached(catalogue, last):
            return
        time.sleep(_LOOK_EVERY)
    _make_ready(catalogue)
    bring_up_to_date(catalogue, progress)


def _others_have_reached(catalogue: Catalogue, last: int) -> bool:
    folder, store = catalogue.settings.data_dir, catalogue.store
    return all(has_reached(folder, name, store, part, last) for name, part in _parts(catalogue))


@contextmanager
def _followers(
    catalogue: Catalogue, progress: Progress, given_up: threading.Event
) -> Iterator[None]:
    """Keep index and graph following the log in threads; on leaving, bring them to its end.

    The work of both is mostly outside the interpreter's lock, so it costs the harvest little.
    """
    parts = _parts(catalogue)
    ended = threading.Event()
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
    since = time.monotonic()
    while not ended.wait(_LOOK_EVERY):
        behind = store.revision() - projection.revision()
        if behind >= _WORTH_A_COMMIT or (
            behind and time.monotonic() - since > _SECONDS_TO_BE_FOUND
        ):
            project(store, projection, _shown(name, progress))
            since = time.monotonic()
    if not given_up.is_set():
        project(store, projection, _shown(name, progress))


def _shown(name: str, progress: Progress) -> Callable[[int, int], None]:
    return lambda reached, last: progress(name, reached, last, reached)


def bring_up_to_date(catalogue: Catalogue, progress: Progress = silent) -> None:
    """Bring index and graph up to the store's last revision."""
    with _followers(catalogue, progress, threading.Event()):
        pass


def rebuild(catalogue: Catalogue, parts: Sequence[str], progress: Progress = silent) -> None:
    """Empty index or graph (``parts``) and project the whole log again."""
    hold = catalogue.projections
    if not hold.take():
        raise StoreLocked(
            f"another parfocal command is writing index and graph: {hold.holder()}",
            where=str(catalogue.settings.data_dir),
            hint="wait until it has ended, or stop it; nothing is lost either way",
        )
    for name, part in _parts(catalogue):
        if name in parts:
            restart(catalogue.settings.data_dir, name, catalogue.store, part)
    bring_up_to_date(catalogue, progress)
