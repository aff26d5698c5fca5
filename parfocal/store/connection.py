"""Opening the SQLite file: schema, pragmas, and engine errors in the words of the error tree."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

import zstandard

from parfocal.errors import StoreCorrupt, StoreError, StoreFull, StoreLocked
from parfocal.store import identities, kin

SCHEMA_VERSION = 5
_APPLICATION_ID = 0x70617266  # "parf"
_ATTEMPTS = 200
_WAIT = 0.05

_SCHEMA = """
CREATE TABLE raw(
  id INTEGER PRIMARY KEY, source TEXT NOT NULL, key TEXT NOT NULL, digest BLOB NOT NULL,
  content BLOB NOT NULL, seen INTEGER NOT NULL, written INTEGER NOT NULL, retrieved TEXT NOT NULL,
  stamp TEXT NOT NULL DEFAULT '',
  UNIQUE(source, key));
CREATE TABLE places(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE records(
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, source TEXT NOT NULL, raw INTEGER,
  place INTEGER, revision INTEGER NOT NULL, body BLOB);
CREATE INDEX records_by_revision ON records(revision);
CREATE INDEX records_live ON records(source, raw) WHERE body IS NOT NULL;
CREATE INDEX records_by_place ON records(place) WHERE place IS NOT NULL;
CREATE TABLE sources(
  name TEXT PRIMARY KEY, records INTEGER NOT NULL DEFAULT 0, fingerprint TEXT NOT NULL DEFAULT '',
  trusted INTEGER NOT NULL DEFAULT 0, mark TEXT NOT NULL DEFAULT '',
  marked INTEGER NOT NULL DEFAULT 0);
CREATE TABLE runs(
  id INTEGER PRIMARY KEY, source TEXT NOT NULL, state TEXT NOT NULL, started TEXT NOT NULL,
  finished TEXT NOT NULL DEFAULT '', cursor TEXT NOT NULL DEFAULT '', new INTEGER NOT NULL DEFAULT
  0, changed INTEGER NOT NULL DEFAULT 0, unchanged INTEGER NOT NULL DEFAULT 0,
  tombstoned INTEGER NOT NULL DEFAULT 0, items INTEGER NOT NULL DEFAULT 0,
  skipped INTEGER NOT NULL DEFAULT 0, problems INTEGER NOT NULL DEFAULT 0,
  warnings INTEGER NOT NULL DEFAULT 0, message TEXT NOT NULL DEFAULT '',
  mark TEXT NOT NULL DEFAULT '', requests INTEGER NOT NULL DEFAULT 0,
  received INTEGER NOT NULL DEFAULT 0, seconds REAL NOT NULL DEFAULT 0,
  scope TEXT NOT NULL DEFAULT '', refused INTEGER NOT NULL DEFAULT 0);
CREATE INDEX runs_by_source ON runs(source, id);
CREATE TABLE problems(
  id INTEGER PRIMARY KEY, source TEXT NOT NULL, run INTEGER NOT NULL, raw INTEGER,
  item TEXT NOT NULL, place TEXT NOT NULL, reason TEXT NOT NULL, hint TEXT NOT NULL,
  severity TEXT NOT NULL);
CREATE INDEX problems_by_source ON problems(source, id);
CREATE INDEX problems_by_raw ON problems(raw) WHERE raw IS NOT NULL;
CREATE TABLE journals(name TEXT PRIMARY KEY, state BLOB NOT NULL);
CREATE TABLE identity(value TEXT NOT NULL);
INSERT INTO identity VALUES (lower(hex(randomblob(16))));
"""


# What brings a store of an older version to the next one.
_STEPS = {
    2: """
ALTER TABLE raw ADD COLUMN stamp TEXT NOT NULL DEFAULT '';
ALTER TABLE sources ADD COLUMN mark TEXT NOT NULL DEFAULT '';
ALTER TABLE sources ADD COLUMN marked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN mark TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN requests INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN received INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN seconds REAL NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN scope TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN refused INTEGER NOT NULL DEFAULT 0;
UPDATE runs SET seconds = max(0, coalesce(unixepoch(finished) - unixepoch(started), 0))
  WHERE finished <> '';
""",
    3: identities.SCHEMA,
    4: kin.COLUMNS,
}


@contextmanager
def decompressing(place: str) -> Iterator[None]:
    """Turn what damaged raw items cause into StoreCorrupt about ``place``."""
    try:
        yield
    except zstandard.ZstdError as error:
        raise StoreCorrupt(
            f"a raw item cannot be decompressed: {error}",
            where=place,
            hint="restore the store from a backup, or harvest with --full",
        ) from error


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Turn SQLite's errors into StoreErrors about ``place``."""
    try:
        yield
    except sqlite3.Error as error:
        raise _in_our_words(error, place) from error


def _in_our_words(error: sqlite3.Error, place: str) -> StoreError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreLocked(
            "another process is writing to the store",
            where=place,
            hint="wait until the other command has ended, or stop it",
        )
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return StoreFull(
            f"the store could not be written: {error}",
            where=place,
            hint="free some space on that disk and run the command again; nothing is half-written",
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreCorrupt(
            f"this is no readable store: {error}",
            where=place,
            hint="restore it from a backup, or move it away and harvest again",
        )
    if code == sqlite3.SQLITE_CANTOPEN:
        return StoreError(
            "the store cannot be opened",
            where=place,
            hint="see whether the folder exists and is writable",
        )
    return StoreError(f"the store failed: {error}", where=place)


def connect(place: str, *, shared: bool = False) -> sqlite3.Connection:
    """Open a connection with the pragmas that all connections need; ``shared`` among threads."""
    connection = sqlite3.connect(
        place, isolation_level=None, timeout=60, check_same_thread=not shared, cached_statements=256
    )
    connection.execute("PRAGMA busy_timeout=60000")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA cache_size=-24576")
    connection.execute("PRAGMA temp_store=MEMORY")
    return connection


def _statements(script: str) -> Iterator[str]:
    """Yield the statements of a script; a trigger holds statements of its own."""
    statement = ""
    for part in filter(str.strip, script.split(";")):
        statement += part + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@contextmanager
def _transaction(connection: sqlite3.Connection, kind: str = "IMMEDIATE") -> Iterator[None]:
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _run(connection: sqlite3.Connection, script: str) -> None:
    for statement in _statements(script):
        connection.execute(statement)


def _is_made(connection: sqlite3.Connection, place: str) -> bool:
    """Whether the store's schema is there; StoreCorrupt for somebody else's."""
    if _number(connection, "application_id") == _APPLICATION_ID:
        return True
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise StoreCorrupt(
            "this SQLite file is not a parfocal store", where=place, hint="choose another data_dir"
        )
    return False


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])


def _make(connection: sqlite3.Connection, place: str) -> None:
    connection.execute("PRAGMA page_size=16384")
    _write_ahead(connection)
    with _transaction(connection):
        if not _is_made(connection, place):  # by another process, meanwhile
            _run(connection, f"{_SCHEMA}{identities.SCHEMA}{kin.COLUMNS}")
            connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Set the journal mode; SQLite does not wait when another process does the same."""
    for _ in range(_ATTEMPTS):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            time.sleep(_WAIT)
        else:
            return
    connection.execute("PRAGMA journal_mode=WAL")


def _migrate(connection: sqlite3.Connection) -> None:
    """Bring an older store to this version, step by step, all or nothing."""
    with _transaction(connection):
        # Another process may have been faster.
        for step in range(_number(connection, "user_version"), SCHEMA_VERSION):
            _run(connection, _STEPS[step])
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")


def prepare(connection: sqlite3.Connection, place: str) -> None:
    """Make the schema in an empty file, or bring that of an older version up to date.

    Refuse a file that is something else or from a later version.
    """
    with _transaction(connection, "DEFERRED"):
        made = _is_made(connection, place)
    if not made:
        _make(connection, place)
    version = _number(connection, "user_version")
    if version in _STEPS:
        _migrate(connection)
    elif version != SCHEMA_VERSION:
        raise StoreCorrupt(
            f"the store has schema version {version}, this parfocal reads {SCHEMA_VERSION}",
            where=place,
            hint="use the parfocal version that wrote it, or move it away and harvest again",
        )
