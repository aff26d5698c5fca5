"""One audience's triples on disk: everything that its viewers may see, and nothing else.

Layout of its folder: ``store/`` (Oxigraph), ``checkpoint-N/`` (a hard-linked copy, read by SPARQL
workers of any process), ``state.json`` (what is applied and which checkpoint shows it). The state
is replaced in one step after the checkpoint is complete, so a crash before that loses nothing: the
same changes come again, and applying them twice does the same as once.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pyoxigraph as ox
from msgspec import Struct

from indexer.graph.addresses import INTERNAL
from parfocal.errors import IndexUnavailable, ParfocalError, StoreError, StoreFull
from parfocal.identifiers import RecordId, record_iri
from parfocal.model import Viewer
from parfocal.rdf import quads as write_quads
from parfocal.sameness import twins_for, with_twins
from parfocal.values import Change

FORMAT = 3
_BULK_BYTES = 256 * 1024
_REBUILD = "run: parfocal reindex graph"


class State(Struct, frozen=True, forbid_unknown_fields=True):
    """What is durably applied. ``checkpoint`` is the folder that shows exactly this revision."""

    groups: tuple[str, ...]
    revision: int = 0
    checkpoint: str = ""
    format: int = FORMAT


class Quads(Struct, frozen=True):
    """A change with its record's quads, written once for all audiences that see no twin."""

    change: Change
    content: bytes

    def seen_by(self, viewer: Viewer) -> bytes:
        """Return the quads for a viewer, who may know of twins that others do not see."""
        twins = twins_for(self.change.id, self.change.namesakes, viewer)
        record = self.change.record
        if record is None or not twins:
            return self.content
        return write_quads(with_twins(record, twins, INTERNAL), INTERNAL)


class Audience:
    """The store of all viewers who are in exactly these groups; none is the public."""

    def __init__(self, folder: Path, groups: frozenset[str]) -> None:
        self.groups = groups
        self.folder = folder / _name(groups)
        self._viewer = Viewer(groups=groups)
        self._store: ox.Store | None = None

    def state(self) -> State:
        """Return what is on disk; an empty state when that is nothing, or of another format."""
        empty = State(groups=tuple(sorted(self.groups)))
        try:
            found = msgspec.json.decode((self.folder / "state.json").read_bytes(), type=State)
        except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
            return empty
        except OSError as error:
            raise StoreError(f"cannot be read: {error.strerror}", where=str(self.folder)) from error
        same = (found.groups, found.format) == (empty.groups, FORMAT)
        return found if same else empty

    def checkpoint(self) -> str:
        """Return the folder that readers open, "" when nothing was ever applied."""
        name = self.state().checkpoint
        return str(self.folder / name) if name else ""

    def add(self, batch: Iterable[Quads]) -> None:
        """Bring a batch into the store; visible only after :meth:`commit`."""
        store = self._opened()
        content = []
        try:
            for quads in batch:
                self._remove(store, quads.change.id)
                record = quads.change.record
                if record is not None and record.access.visible_to(self._viewer):
                    content.append(quads.seen_by(self._viewer))
            _load(store, b"".join(content))
        except (OSError, RuntimeError) as error:
            raise self._failure(error) from error

    def _remove(self, store: ox.Store, id: RecordId) -> None:
        graph = ox.NamedNode(record_iri(id, INTERNAL))
        if store.contains_named_graph(graph):
            store.remove_graph(graph)

    def commit(self, revision: int) -> None:
        """Make everything added durable and visible to readers, together with the revision."""
        store = self._opened()
        old = self.state()
        name = self._free_name()
        try:
            store.flush()
            store.backup(str(self.folder / name))
            self._write(State(old.groups, max(revision, old.revision), checkpoint=name))
        except (OSError, RuntimeError) as error:
            raise self._failure(error) from error
        self._sweep(name)

    def _free_name(self) -> str:
        """Return a name after all others; a killed backup leaves one that ends in ``.tmp``."""
        taken = (path.name.split("-")[1] for path in self.folder.glob("checkpoint-*"))
        last = max((int(number.partition(".")[0]) for number in taken), default=0)
        return f"checkpoint-{last + 1}"

    def _write(self, state: State) -> None:
        path = self.folder / "state.json"
        fresh = path.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(msgspec.json.encode(state))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)

    def _sweep(self, current: str) -> None:
        """Remove older checkpoints that no reader holds."""
        for path in self.folder.glob("checkpoint-*"):
            if path.name != current:
                _remove_unless_held(path)

    def _opened(self) -> ox.Store:
        if self._store is None:
            if self.state().revision == 0:
                shutil.rmtree(self.folder / "store", ignore_errors=True)
            elif not (self.folder / "store/CURRENT").is_file():
                # The engine would begin an empty store, and what was applied would be missing.
                raise unusable("its files are gone", self.folder)
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._store = ox.Store(str(self.folder / "store"))
            except (OSError, RuntimeError) as error:
                raise self._failure(error) from error
        return self._store

    def check(self) -> None:
        """Open what was applied, and what readers see; IndexUnavailable when it is damaged."""
        state = self.state()
        if state.revision == 0:
            return
        self._opened()
        try:
            ox.Store.read_only(str(self.folder / state.checkpoint))
        except (OSError, RuntimeError) as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError | RuntimeError) -> ParfocalError:
        try:
            full = shutil.disk_usage(self.folder).free < 1 << 20
        except OSError:
            full = False
        if full:
            return StoreFull("no space is left for the graph", where=str(self.folder))
        return unusable(str(error), self.folder)

    def clear(self) -> None:
        """Remove everything, whatever state it is in."""
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        """Release the store."""
        self._store = None


def unusable(reason: str, folder: Path) -> IndexUnavailable:
    """Return the error of a graph whose files are damaged or gone."""
    return IndexUnavailable(
        f"the graph cannot be used: {reason[:200]}", where=str(folder), hint=_REBUILD
    )


def _name(groups: frozenset[str]) -> str:
    if not groups:
        return "public"
    text = json.dumps(sorted(groups))
    return "groups-" + hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _load(store: ox.Store, content: bytes) -> None:
    """Load quads: a lot at a time past the write-ahead log, a few through it."""
    if len(content) > _BULK_BYTES:
        store.bulk_load(content, format=ox.RdfFormat.N_QUADS)
    elif content:
        store.load(content, format=ox.RdfFormat.N_QUADS)


def _remove_unless_held(path: Path) -> None:
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return  # somebody else removed it
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
    except BlockingIOError:
        return  # a query runs on it; the next commit tries again
    finally:
        os.close(folder)
