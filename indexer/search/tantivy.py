"""The embedded search engine: tantivy, in a folder, for one writing and many reading processes."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import tantivy

from indexer import document
from indexer.document import audience_of
from indexer.search import levels, paging
from indexer.search.tantivy_document import (
    REVISION,
    VERSION,
    content,
    register,
    revision_content,
    schema,
)
from indexer.search.tantivy_query import TQuery
from indexer.search.tantivy_selection import Snapshot, TantivySelection
from indexer.texts import comparable
from parfocal.config import Settings
from parfocal.errors import IndexUnavailable
from parfocal.model import Viewer
from parfocal.query import Page, Query
from parfocal.values import Change

_SNAPSHOTS = 8
"""Earlier states of the index kept open so that paging goes on undisturbed."""
_HEAP = 256_000_000
_WRITER_THREADS = 2
_BUILT_AT_ONCE = 500
_COLLECT_EVERY = 16
_COUNTING = 4
"""Threads that count while others look for hits."""
_VERSION_FILE = "parfocal-index"
_REBUILD = "run: parfocal reindex"


@contextmanager
def _engine(path: Path) -> Iterator[None]:
    """Turn what the engine raises, a panic of its own included, into IndexUnavailable."""
    try:
        yield
    except (ValueError, OSError, RuntimeError) as error:
        raise _unavailable(error, path) from error
    except BaseException as error:
        if type(error).__name__ == "PanicException":
            raise _unavailable(error, path) from error
        raise


def _unavailable(error: BaseException, path: Path) -> IndexUnavailable:
    if "LockBusy" in str(error):
        return IndexUnavailable(
            "another process is writing the search index",
            where=str(path),
            hint="wait until its harvest or reindex has ended, or stop it",
        )
    return IndexUnavailable(
        f"the search index cannot be used: {error}", where=str(path), hint=_REBUILD
    )


def batched(changes: Iterable[Change], size: int) -> Iterator[list[Change]]:
    """Yield changes in lists of a size."""
    source = iter(changes)
    while part := list(islice(source, size)):
        yield part


class TantivyIndex:
    """A search index in a folder; made when first used. Threads may share it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._index: tantivy.Index | None = None
        self._writer: tantivy.IndexWriter | None = None
        self._schema = schema()
        self._last_seq = 0
        self._commits = 0
        self._seen: tuple[object, ...] = ()
        self._snapshots: OrderedDict[str, Snapshot] = OrderedDict()
        self._pool: ThreadPoolExecutor | None = None

    # -------------------------------------------------------------- files

    def _stamp(self) -> tuple[object, ...]:
        """Return what changes when another process commits or makes the index anew."""
        stamp: list[object] = []
        for name in (_VERSION_FILE, "meta.json"):
            status = (self._path / name).stat()
            stamp.append((status.st_ino, status.st_mtime_ns, status.st_size))
        return tuple(stamp)

    def _create(self) -> None:
        self._path.mkdir(parents=True, exist_ok=True)
        (self._path / _VERSION_FILE).write_text(VERSION, encoding="utf-8")

    def _open(self) -> tantivy.Index:
        if not (self._path / "meta.json").exists():
            self._create()
        version = self._path / _VERSION_FILE
        if not version.exists() or version.read_text(encoding="utf-8") != VERSION:
            raise IndexUnavailable(
                "the search index was made by another version", where=str(self._path), hint=_REBUILD
            )
        index = tantivy.Index(self._schema, path=str(self._path))
        register(index)
        index.config_reader("manual")
        index.reload()
        return index

    def _snapshot(self) -> Snapshot:
        """Return the newest state; cheap when nothing changed."""
        with self._lock:
            if self._index is not None and self._stamp() == self._seen:
                return next(reversed(self._snapshots.values()))
            if self._index is None or self._stamp()[0] != self._seen[0]:
                self._index = self._open()
            return self._reload(self._index)

    def _reload(self, index: tantivy.Index) -> Snapshot:
        meta = b""
        while meta != (now := (self._path / "meta.json").read_bytes()):
            meta = now
            self._seen = self._stamp()
            index.reload()
        generation = hashlib.blake2b(meta, digest_size=9).hexdigest()
        kept = self._snapshots.pop(generation, None)
        snapshot = kept or Snapshot(index, index.searcher(), generation)
        self._snapshots[generation] = snapshot
        if len(self._snapshots) > _SNAPSHOTS:
            self._snapshots.popitem(last=False)
        return snapshot

    # -------------------------------------------------------------- writing

    def _open_writer(self) -> tantivy.IndexWriter:
        if self._writer is None:
            snapshot = self._snapshot()
            self._writer = snapshot.index.writer(_HEAP, _WRITER_THREADS)
            self._last_seq = snapshot.last_seq()
        return self._writer

    def revision(self) -> int:
        """Return the revision reached by the last commit."""
        with _engine(self._path):
            return self._snapshot().revision()

    def apply(self, changes: Iterable[Change], revision: int) -> None:
        """Replace the documents of changed records and note the revision, in one commit."""
        with self._lock:
            with _engine(self._path):
                writer = self._open_writer()
            last_seq = self._last_seq
            try:
                self._write(writer, changes, revision)
            except BaseException:
                self._last_seq = last_seq
                self._abandon(writer)
                raise

    def _write(self, writer: tantivy.IndexWriter, changes: Iterable[Change], revision: int) -> None:
        for part in batched(changes, _BUILT_AT_ONCE):
            built = {change.seq: document.build(change) for change in part}
            with _engine(self._path):
                self._replace(writer, built)
        with _engine(self._path):
            writer.delete_documents_by_term("meta", REVISION)
            writer.add_json(revision_content(revision))
            writer.commit()
            self._commits += 1
            if self._commits % _COLLECT_EVERY == 0:
                writer.garbage_collect_files()

    def _replace(
        self, writer: tantivy.IndexWriter, built: dict[int, document.Document | None]
    ) -> None:
        """Add documents, after those of the same records; most are new, and nothing is deleted."""
        known = [seq for seq in built if seq <= self._last_seq]
        if known:
            # By query: the engine's delete by term misses terms of unsigned fields.
            writer.delete_documents_by_query(TQuery.term_set_query(self._schema, "seq", known))
        for doc in filter(None, built.values()):
            writer.add_json(content(doc))
        self._last_seq = max([self._last_seq, *built])

    def _abandon(self, writer: tantivy.IndexWriter) -> None:
        """Forget what was not committed; a writer that cannot even do that is dropped."""
        try:
            writer.rollback()
        except (ValueError, RuntimeError):
            self._writer = None

    def clear(self) -> None:
        """Empty the index, or make it anew when it is damaged or of another version."""
        with self._lock:
            try:
                with _engine(self._path):
                    writer = self._open_writer()
                    writer.delete_all_documents()
                    writer.commit()
                    writer.garbage_collect_files()
                    self._last_seq = 0
            except IndexUnavailable as error:
                if error.hint != _REBUILD:
                    raise
                self._make_anew()

    def _make_anew(self) -> None:
        self._writer = self._index = None
        self._snapshots.clear()
        with _engine(self._path):
            if self._path.exists():
                shutil.rmtree(self._path)
            self._snapshot()

    def close(self) -> None:
        """End merging, remove files that nothing uses, release the lock."""
        with self._lock, _engine(self._path):
            writer, self._writer = self._writer, None
            if writer is not None:
                writer.garbage_collect_files()
                writer.wait_merging_threads()
            self._snapshots.clear()
            self._index = None
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()

    # -------------------------------------------------------------- reading

    def _snapshot_at(self, place: paging.Place | None) -> Snapshot:
        newest = self._snapshot()
        if place is None or not place.generation or place.generation == newest.generation:
            return newest
        with self._lock:
            kept = self._snapshots.get(place.generation)
        if kept is None:
            raise paging.outdated()
        return kept

    def search(self, query: Query, viewer: Viewer) -> Page:
        """Answer an understood query with what the viewer may see."""
        levels.check(query)
        place = paging.read(query)
        with _engine(self._path):
            snapshot = self._snapshot_at(place)
            selection = TantivySelection(snapshot, query.where, audience_of(viewer))
            if query.size:
                # The engine works outside the interpreter's lock: hits and counts at once.
                selection.count_ahead(self._counting(), query.facets, query.level == "image")
            return levels.page_of(selection, query, place)

    def _counting(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(_COUNTING, thread_name_prefix="count")
            return self._pool

    def count(self, query: Query, viewer: Viewer) -> int:
        """Return the exact total at the query's level."""
        return levels.total_of(self, query, viewer)

    def suggest(
        self, prefix: str, viewer: Viewer, limit: int = 10
    ) -> tuple[tuple[str, str, int], ...]:
        """Return values of term and gene fields that begin with the text, most frequent first."""
        start = comparable(prefix)
        if not start:
            return ()
        with _engine(self._path):
            counts = self._snapshot().suggestions(start, audience_of(viewer))
        return levels.suggestions(counts, limit)


def open_index(settings: Settings) -> TantivyIndex:
    """Make the index of the folder ``data_dir/search``; nothing is read or written yet."""
    return TantivyIndex(settings.data_dir / "search")
