"""The record store in one SQLite file (or in memory).

Raw items, records, change log, runs, journals.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from parfocal.errors import RecordNotFound, StoreCorrupt
from parfocal.identifiers import RecordId
from parfocal.identity import Identity
from parfocal.model import Record, decode
from parfocal.store import identities, kin, rebuild, runs, scratch, seen
from parfocal.store.connection import connect, decompressing, prepare, translated
from parfocal.store.upsert import Upsert, write_problems
from parfocal.values import (
    Batch,
    Change,
    Counts,
    KeptItem,
    Problem,
    Rebuilt,
    RunReport,
    SourceState,
)

_CHANGE = f"SELECT revision, seq, id, body, {identities.WRITTEN} FROM records"  # noqa: S608


class SqliteStore:
    """RecordStore in SQLite; many readers in any process, one writer at a time."""

    def __init__(self, path: Path | None = None) -> None:
        """Open or make the file.

        Without a path the store lives in memory and dies with the object.
        """
        self.place = str(path) if path else ":memory:"
        self._local = threading.local()
        self._lock = threading.RLock()
        self._all: list[sqlite3.Connection] = []
        self._memory: sqlite3.Connection | None = None
        with translated(self.place):
            if path is None:
                self._memory = connect(":memory:", shared=True)
            prepare(self._db(), self.place)

    def _db(self) -> sqlite3.Connection:
        if self._memory is not None:
            return self._memory
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = connect(self.place, shared=True)
            self._local.connection = connection
            with self._lock:
                self._all.append(connection)
        return connection

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with translated(self.place):
            if self._memory is None:
                yield self._db()
            else:
                with self._lock:
                    yield self._memory

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, translated(self.place):
            db = self._db()
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                identities.identify(db)
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    # -------------------------------------------------------------- harvest

    def digest(self, source: str, key: str) -> bytes | None:
        """Return the digest of a raw item kept under the source's present fingerprint, or None."""
        with self._reading() as db:
            row = db.execute(
                "SELECT raw.digest FROM raw JOIN sources ON sources.name = raw.source"
                " WHERE raw.source = ? AND raw.key = ? AND raw.written >= sources.trusted",
                (source, key),
            ).fetchone()
        return bytes(row[0]) if row else None

    def stamp(self, source: str, key: str) -> str:
        """Return the stamp of a raw item kept under the source's present fingerprint, or ""."""
        with self._reading() as db:
            row = db.execute(
                "SELECT raw.stamp FROM raw JOIN sources ON sources.name = raw.source"
                " WHERE raw.source = ? AND raw.key = ? AND raw.written >= sources.trusted",
                (source, key),
            ).fetchone()
        return str(row[0]) if row else ""

    def kin(self, source: str, key: str, identity: str) -> Sequence[tuple[str, str]]:
        """Return (key, name) of raw items under a key, of an identity, or whose name the key is."""
        with self._reading() as db:
            return kin.select(db, source, key, identity)

    def mark(self, source: str) -> str:
        """Return what the last complete walk under the present fingerprint left, or ""."""
        with self._reading() as db:
            row = db.execute(
                "SELECT mark FROM sources WHERE name = ? AND marked >= trusted", (source,)
            ).fetchone()
        return str(row[0]) if row else ""

    def fingerprint(self, source: str) -> str:
        """Return the fingerprint under which the source's raw items were normalised, or ""."""
        with self._reading() as db:
            row = db.execute("SELECT fingerprint FROM sources WHERE name = ?", (source,)).fetchone()
        return str(row[0]) if row else ""

    def begin(
        self, source: str, *, fingerprint: str = "", full: bool = False, scope: str = ""
    ) -> tuple[int, str | None]:
        """Start a run, or take an interrupted one up again: its number and cursor."""
        with self._writing() as db:
            return runs.begin(db, source, fingerprint, full, scope)

    def commit(self, source: str, run: int, batch: Batch) -> Counts:
        """Keep raw items, upsert their records and move the cursor, all or nothing."""
        with self._writing() as db:
            upsert = Upsert(db, source, run)
            counts = sum((upsert.item(item) for item in batch.items), Counts())
            counts += Counts(unchanged=seen.see(db, source, run, batch.unchanged))
            seen.let_go(db, source, batch.deleted)
            write_problems(db, source, run, batch.problems, None)
            runs.add(db, run, counts, batch)
        return counts

    def finish(
        self,
        source: str,
        run: int,
        *,
        complete: bool,
        allow_shrink: bool = False,
        message: str = "",
    ) -> RunReport:
        """End a run; a complete walk tombstones what it no longer saw, unless that is over half."""
        with self._writing() as db:
            return runs.finish(db, source, run, complete, allow_shrink, message)

    # -------------------------------------------------------------- rebuilding

    def begin_rebuild(self, source: str, scope: str, fingerprint: str) -> tuple[int, int]:
        """Start to rebuild, or take an interrupted rebuild up again: its run, the last number."""
        with self._writing() as db:
            return rebuild.begin(db, source, scope, fingerprint)

    def kept(self, source: str, *, after: int = 0, limit: int = 100) -> list[KeptItem]:
        """Return raw items by number, from after a number."""
        with self._reading() as db, decompressing(self.place):
            return rebuild.kept(db, source, after, limit)

    def records_of(self, source: str, number: int) -> list[Change]:
        """Return the live records that a raw item gave."""
        return self._changes(
            "WHERE source = ? AND raw = ? AND body IS NOT NULL ORDER BY seq", (source, number)
        )

    def rebuild(self, source: str, run: int, portion: Rebuilt) -> Counts:
        """Write what was made anew and replace the problems of its items, all or nothing."""
        with self._writing() as db:
            return rebuild.done(db, source, run, portion)

    def finish_rebuild(
        self,
        source: str,
        run: int,
        *,
        fingerprint: str = "",
        allow_shrink: bool = False,
        message: str = "",
    ) -> RunReport:
        """End a rebuild; what the raw items no longer give is tombstoned, unless it is over half.

        With a fingerprint, raw items count as normalised under it from now on.
        """
        with self._writing() as db:
            if fingerprint:
                rebuild.adopt(db, source, fingerprint)
            return runs.finish_rebuild(db, source, run, allow_shrink, message)

    def forget_raw(self, source: str, before: str) -> int:
        """Forget the content of raw items kept since before a time; return how many."""
        with self._writing() as db:
            return rebuild.forget(db, source, before)

    def scratch(self, path: Path, sources: Sequence[str]) -> SqliteStore:
        """Return a store in a new file that knows of these sources what this one does."""
        copy = SqliteStore(path)
        with translated(self.place):
            if self._memory is None:
                scratch.copy(self.place, path, sources)
            else:
                self._memory.backup(copy._db())
        return copy

    # -------------------------------------------------------------- reading

    def get(self, id: RecordId) -> Record:
        """Return a live record or raise RecordNotFound."""
        record = self.get_many([id]).get(id)
        if record is None:
            raise RecordNotFound(
                f"there is no record {id}", hint="parfocal search finds identifiers"
            )
        return record

    def get_many(self, ids: Sequence[RecordId]) -> dict[RecordId, Record]:
        """Return those that live."""
        wanted = msgspec.json.encode(list(ids)).decode()
        with self._reading() as db:
            rows = db.execute(
                "SELECT id, body FROM records WHERE id IN (SELECT value FROM json_each(?))"
                " AND body IS NOT NULL",
                (wanted,),
            ).fetchall()
        return {id: decode(body) for id, body in rows}

    def children(
        self, id: RecordId, *, after: int = 0, until: int | None = None, limit: int = 1000
    ) -> list[Change]:
        """Return the live records directly in one, by seq, from after a seq."""
        return self._changes(
            "WHERE place = (SELECT id FROM places WHERE name = ?) AND seq > ?"  # noqa: S608
            f" AND body IS NOT NULL AND {identities.WRITTEN} <= coalesce(?, revision)"
            " ORDER BY seq LIMIT ?",
            (id, after, until, limit),
        )

    def identity(self) -> str:
        """Return a text that no other store has, made when the store was."""
        with self._reading() as db:
            return str(db.execute("SELECT value FROM identity").fetchone()[0])

    def revision(self) -> int:
        """Return the number of the last change; 0 when empty."""
        with self._reading() as db:
            row = db.execute("SELECT coalesce(max(revision), 0) FROM records").fetchone()
        return int(row[0])

    def changes(self, after: int, *, until: int | None = None, limit: int = 1000) -> list[Change]:
        """Return the latest change of each record changed after a revision, in order."""
        return self._changes(
            "WHERE revision > ? AND revision <= coalesce(?, revision) ORDER BY revision LIMIT ?",
            (after, until, limit),
        )

    def records(self, *, after: int = 0, source: str = "", limit: int = 1000) -> list[Change]:
        """Return live records by seq, from after a seq, of one source when given."""
        return self._changes(
            "WHERE seq > ? AND (? = '' OR source = ?) AND body IS NOT NULL ORDER BY seq LIMIT ?",
            (after, source, source, limit),
        )

    def identities(self, *, after: int = 0, limit: int = 1000) -> list[tuple[int, Identity]]:
        """Return what studies and containers are called, with their seqs, from after a seq."""
        with self._reading() as db:
            return identities.page(db, after, limit)

    def namesakes(self, id: RecordId) -> tuple[Identity, ...]:
        """Return the identities connected with a record's by shared names, with its own."""
        with self._reading() as db:
            return identities.connected(db, id)

    def named(self, name: str) -> tuple[Identity, ...]:
        """Return the identities connected with a name of :mod:`parfocal.accessions`."""
        with self._reading() as db:
            return identities.named(db, name)

    def _changes(self, clause: str, values: tuple[object, ...]) -> list[Change]:
        with self._reading() as db:
            rows = db.execute(f"{_CHANGE} {clause}", values).fetchall()
        return [
            Change(revision, seq, id, None if body is None else decode(body), written=written)
            for revision, seq, id, body, written in rows
        ]

    def sources(self) -> tuple[SourceState, ...]:
        """Return all sources that were ever harvested, by name."""
        with self._reading() as db:
            rows = db.execute("SELECT name, records FROM sources ORDER BY name").fetchall()
            return tuple(
                SourceState(
                    name, records, next(iter(runs.select(db, name, 1, walks_only=True)), None)
                )
                for name, records in rows
            )

    def runs(self, source: str, limit: int = 20) -> tuple[RunReport, ...]:
        """Return the last runs, newest first."""
        with self._reading() as db:
            return runs.select(db, source, limit)

    def problems(
        self, source: str, *, after: int = 0, limit: int = 1000
    ) -> list[tuple[int, Problem]]:
        """Return the numbered problems of the source's last run, and of items unchanged since."""
        with self._reading() as db:
            rows = db.execute(
                "SELECT id, item, reason, place, hint, severity FROM problems"
                " WHERE source = ? AND id > ? ORDER BY id LIMIT ?",
                (source, after, limit),
            ).fetchall()
        return [(number, Problem(*rest)) for number, *rest in rows]

    # -------------------------------------------------------------- journals

    def journal(self, name: str) -> dict[str, Any] | None:
        """Return a journal's state, or None."""
        return self.journals(name).get(name)

    def write_journal(self, name: str, state: dict[str, Any]) -> None:
        """Write a journal's state durably before returning."""
        with self._lock, self._durably(), self._writing() as db:
            db.execute(
                "INSERT OR REPLACE INTO journals VALUES (?, ?)",
                (name, msgspec.json.encode(state)),
            )

    @contextmanager
    def _durably(self) -> Iterator[None]:
        with translated(self.place):
            self._db().execute("PRAGMA synchronous=FULL")
            try:
                yield
            finally:
                self._db().execute("PRAGMA synchronous=NORMAL")

    def journals(self, prefix: str) -> dict[str, dict[str, Any]]:
        """Return all journals whose name begins with the prefix."""
        with self._reading() as db:
            rows = db.execute(
                "SELECT name, state FROM journals WHERE substr(name, 1, ?) = ? ORDER BY name",
                (len(prefix), prefix),
            ).fetchall()
        return {name: _state(name, state) for name, state in rows}

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            for connection in (*self._all, *([self._memory] if self._memory else [])):
                connection.close()
            self._all.clear()


def _state(name: str, content: bytes) -> dict[str, Any]:
    try:
        state: dict[str, Any] = msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreCorrupt(f"the journal {name} cannot be read: {error}") from error
    return state
