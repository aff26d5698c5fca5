"""The triple store: Oxigraph on disk, one store for each audience, queries in killable processes.

Who may see what is settled by which store a viewer's queries run on, never by the query: ``public``
holds what everybody sees, and each set of groups of a configured viewer has a store of its own. A
viewer in other groups gets the largest of these stores that shows nothing beyond them.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from indexer.graph import sparql_guard
from indexer.graph.addresses import INTERNAL
from indexer.graph.audience import Audience, Quads, unusable
from indexer.graph.workers import WorkerDied, Workers
from parfocal.config import Settings
from parfocal.errors import SparqlRefused, SparqlTimeout, StoreError, StoreLocked
from parfocal.identifiers import RecordId
from parfocal.model import PREFIXES, Viewer
from parfocal.rdf import quads
from parfocal.values import Answer, Change

MAX_ANSWER_BYTES = 100 * 1024 * 1024
_BATCH_BYTES = 40 * 1024 * 1024  # larger batches load faster, but need more memory
_ATTEMPTS = 5
_OPENING_SECONDS = 20.0


class _Queries:
    """Runs queries on what a path names, and turns what went wrong into our errors."""

    def __init__(self, settings: Settings, workers: Workers | None) -> None:
        self._own = workers is None
        self._workers = workers or Workers()
        self._memory_mb = settings.graph.memory_mb
        self._base = settings.base_url

    def run(self, path: str, sparql: str, accept: str, timeout: float) -> Answer | None:
        """Answer a query; None when the path was removed before it could be opened."""
        job = {
            "path": path,
            "query": sparql,
            "accept": accept,
            "base": self._base,
            "prefixes": PREFIXES,
            "memory_mb": self._memory_mb,
            "max_bytes": MAX_ANSWER_BYTES,
        }
        try:
            head, content = self._workers.run(job, timeout)
        except SparqlTimeout as error:
            if isinstance(error.__cause__, WorkerDied):
                self._demand_whole(job)
            raise
        if head.get("error") == "gone":
            return None
        if "error" in head:
            raise _error(head, self._memory_mb, path)
        return Answer(content=content, media_type=head["media_type"], kind=head["kind"])

    def _demand_whole(self, job: dict[str, Any]) -> None:
        """Open the graph in a new process: a process also dies of damage under it."""
        head, _ = self._workers.run({**job, "query": "ASK {}"}, _OPENING_SECONDS)
        if head.get("error") == "damaged":
            raise _error(head, self._memory_mb, job["path"])

    def close(self) -> None:
        if self._own:
            self._workers.close()


def _error(head: dict[str, Any], memory_mb: int, path: str) -> Exception:
    less = "ask for less: add LIMIT or narrow the pattern"
    if head["error"] == "refused":
        return SparqlRefused(head["message"], where=head["where"], hint=head["hint"])
    if head["error"] == "large":
        size = MAX_ANSWER_BYTES >> 20
        return SparqlTimeout(f"stopped: the answer is larger than {size} MiB", hint=less)
    if head["error"] == "memory":
        return SparqlTimeout(f"stopped: it needed more than {memory_mb} MiB of memory", hint=less)
    if head["error"] == "damaged":
        return unusable(head["message"], Path(path))
    return SparqlRefused(f"the query failed: {head['message']}")


class OxigraphStore:
    """Follows the change log in one store for each audience.

    Reading needs no lock: any process may query while one writes. Queries may use the prefixes of
    :data:`parfocal.model.PREFIXES` without declaring them; a declaration of their own counts more.
    ``workers`` are query processes that somebody else keeps; by default the store has its own.
    """

    def __init__(self, settings: Settings, workers: Workers | None = None) -> None:
        folder = settings.data_dir / "graph"
        self._folder = folder
        groups = settings.audiences
        self._audiences = [Audience(folder, one) for one in sorted(groups, key=sorted)]
        self._queries = _Queries(settings, workers)
        self._lock = threading.Lock()
        self._writer: int | None = None

    def revision(self) -> int:
        """Return the revision that all audiences have reached."""
        return min(audience.state().revision for audience in self._audiences)

    def apply(self, changes: Iterable[Change], revision: int) -> None:
        """Apply changes to every audience that lacks them; readers see all of them at once."""
        with self._lock:
            self._hold()
            reached = {id(one): one.state().revision for one in self._audiences}
            for batch in self._batches(changes, min(reached.values())):
                for audience in self._audiences:
                    after = reached[id(audience)]
                    audience.add(one for one in batch if one.change.revision > after)
            for audience in self._audiences:
                if revision > reached[id(audience)]:
                    audience.commit(revision)

    def _batches(self, changes: Iterable[Change], after: int) -> Iterator[list[Quads]]:
        """Yield changes beyond a revision with their quads, so many that loading them pays."""
        batch: list[Quads] = []
        size = 0
        for change in changes:
            if change.revision <= after:
                continue  # re-sent because what it lies in changed; its own graph did not
            content = b"" if change.record is None else quads(change.record, INTERNAL)
            batch.append(Quads(change, content))
            size += len(content)
            if size > _BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _hold(self) -> None:
        """Become the one writer, or raise StoreLocked."""
        if self._writer is not None:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = os.open(self._folder / "writer.lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StoreError(
                f"cannot be written: {error.strerror}", where=str(self._folder)
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(file)
            raise StoreLocked(
                "another process writes the graph",
                where=str(self._folder),
                hint="wait until it has ended",
            ) from error
        self._writer = file
        self._forget_strangers()

    def _forget_strangers(self) -> None:
        """Remove stores of audiences that are no longer configured."""
        known = {audience.folder for audience in self._audiences}
        for folder in self._folder.glob("groups-*"):
            if folder not in known:
                shutil.rmtree(folder, ignore_errors=True)

    def check(self) -> None:
        """Open everything once; IndexUnavailable when something on disk is damaged."""
        with self._lock:
            self._hold()
            for audience in self._audiences:
                audience.check()

    def clear(self) -> None:
        """Empty it, whatever state it is in."""
        with self._lock:
            self._hold()
            for audience in self._audiences:
                audience.clear()

    def query(
        self, sparql: str, viewer: Viewer, *, accept: str = "", timeout: float = 30.0
    ) -> Answer:
        """Run a read-only query over what the viewer may see."""
        sparql_guard.check(sparql)
        audience = self._audience_of(viewer)
        for _ in range(_ATTEMPTS):
            answer = self._queries.run(audience.checkpoint(), sparql, accept, timeout)
            if answer is not None:
                return answer
        raise unusable("its files cannot be opened", audience.folder)

    def _audience_of(self, viewer: Viewer) -> Audience:
        """Return the widest audience that a viewer belongs to; one not yet filled counts last."""
        allowed = [one for one in self._audiences if one.groups <= viewer.groups]
        filled = [one for one in allowed if one.checkpoint()]
        return max(filled or allowed, key=lambda one: len(one.groups))

    def close(self) -> None:
        """Release the store and end the query processes."""
        self._queries.close()
        with self._lock:
            for audience in self._audiences:
                audience.close()
            if self._writer is not None:
                os.close(self._writer)
                self._writer = None


class MemoryGraph:
    """The reference: keeps records, and writes what a viewer may see to a file for each query."""

    def __init__(self, settings: Settings, workers: Workers | None = None) -> None:
        self._records: dict[RecordId, Change] = {}
        self._revision = 0
        self._queries = _Queries(settings, workers)
        self._folder: Path | None = None
        self._files: dict[frozenset[str], tuple[int, Path]] = {}
        self._lock = threading.Lock()
        self._written = 0

    def revision(self) -> int:
        """Return the revision reached."""
        return self._revision

    def apply(self, changes: Iterable[Change], revision: int) -> None:
        """Apply changes."""
        with self._lock:
            for change in changes:
                if change.record is None:
                    self._records.pop(change.id, None)
                else:
                    self._records[change.id] = change
            self._revision = max(revision, self._revision)
            self._written += 1

    def clear(self) -> None:
        """Empty it."""
        with self._lock:
            self._records.clear()
            self._revision = 0
            self._written += 1

    def query(
        self, sparql: str, viewer: Viewer, *, accept: str = "", timeout: float = 30.0
    ) -> Answer:
        """Run a read-only query over what the viewer may see."""
        sparql_guard.check(sparql)
        for _ in range(_ATTEMPTS):
            with self._lock:
                path = self._file(viewer)
            answer = self._queries.run(str(path), sparql, accept, timeout)
            if answer is not None:
                return answer
        raise StoreError("the graph's file is gone", where=str(path))

    def _file(self, viewer: Viewer) -> Path:
        """Return a file with what a viewer may see now, written when that is not there yet."""
        if self._folder is None:
            self._folder = Path(mkdtemp(prefix="parfocal-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        written, old = self._files.get(viewer.groups, (-1, None))
        if old is not None and written == self._written:
            return old
        path = self._folder / f"{self._written}-{len(self._files)}.nq"
        with path.open("wb") as file:
            for change in self._records.values():
                record = change.record
                if record is not None and record.access.visible_to(viewer):
                    file.write(Quads(change, b"").seen_by(viewer) or quads(record, INTERNAL))
        if old is not None:
            old.unlink(missing_ok=True)
        self._files[viewer.groups] = (self._written, path)
        return path

    def close(self) -> None:
        """Release what is held."""
        self._queries.close()


def open_graph(settings: Settings) -> OxigraphStore:
    """Open the graph below ``data_dir``; nothing is touched until it is used."""
    return OxigraphStore(settings)


def open_memory(settings: Settings) -> MemoryGraph:
    """Open a graph that lives as long as this process."""
    return MemoryGraph(settings)
