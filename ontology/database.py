"""The file of the term store: schema, loading in one transaction, engine errors in our words."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import msgspec

from ontology.document import Document
from parfocal.errors import StoreCorrupt, StoreError, StoreFull, StoreLocked
from parfocal.query import fold
from parfocal.terms import names_of
from parfocal.values import OntologySummary, TermInfo

_APPLICATION_ID = 0x70617274  # "part"
_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE ontology(
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, version TEXT NOT NULL, loaded TEXT NOT NULL,
  reader TEXT NOT NULL, terms INTEGER NOT NULL, obsolete INTEGER NOT NULL, skipped TEXT NOT NULL,
  digest TEXT NOT NULL);
CREATE TABLE node(id INTEGER PRIMARY KEY, curie TEXT NOT NULL UNIQUE);
CREATE TABLE term(
  node INTEGER NOT NULL, ontology INTEGER NOT NULL, label TEXT NOT NULL, obsolete INTEGER NOT NULL,
  replaced_by TEXT NOT NULL, definition TEXT NOT NULL, iri TEXT NOT NULL,
  PRIMARY KEY(node, ontology)) WITHOUT ROWID;
CREATE TABLE name(
  node INTEGER NOT NULL, ontology INTEGER NOT NULL, scope TEXT NOT NULL, text TEXT NOT NULL,
  folded TEXT NOT NULL);
CREATE INDEX name_folded ON name(folded, node, scope);
CREATE INDEX name_node ON name(node);
CREATE TABLE edge(
  child INTEGER NOT NULL, parent INTEGER NOT NULL, ontology INTEGER NOT NULL,
  PRIMARY KEY(child, parent, ontology)) WITHOUT ROWID;
CREATE INDEX edge_parent ON edge(parent, child);
"""
_CHUNK = 5000


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Turn SQLite's errors into StoreLocked, StoreFull, StoreCorrupt or StoreError."""
    try:
        yield
    except sqlite3.Error as error:
        raise _in_our_words(error, place) from error


def _in_our_words(error: sqlite3.Error, place: str) -> StoreError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreLocked(
            "another process is loading ontologies", where=place, hint="wait until it has ended"
        )
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return StoreFull(
            f"the terms could not be written: {error}",
            where=place,
            hint="free some space; what was loaded before is untouched",
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreCorrupt(
            f"this is no readable term store: {error}",
            where=place,
            hint="move it away and load the ontologies again",
        )
    return StoreError(
        f"the term store failed: {error}", where=place, hint="is the folder there and writable?"
    )


def connect(path: Path) -> sqlite3.Connection:
    """Open a connection for any thread to close, in autocommit mode."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA cache_size=-32768")
    return connection


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the schema in an empty file; StoreCorrupt for a file that is something else."""
    if connection.execute("PRAGMA application_id").fetchone()[0] == _APPLICATION_ID:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == _SCHEMA_VERSION:
            return
        raise StoreCorrupt(
            f"the term store has schema version {version}, this parfocal reads {_SCHEMA_VERSION}",
            where=str(path),
            hint="move it away and load the ontologies again",
        )
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("BEGIN IMMEDIATE")
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        for statement in filter(str.strip, _SCHEMA.split(";")):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={_SCHEMA_VERSION}")
    connection.execute("COMMIT")
    if connection.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION_ID:
        raise StoreCorrupt(
            "this SQLite file is no term store", where=str(path), hint="choose another data_dir"
        )


def replace(
    connection: sqlite3.Connection,
    documents: Iterable[Document],
    progress: Callable[[int], None] | None = None,
) -> tuple[OntologySummary, ...]:
    """Put ontologies in place of their earlier versions, all or nothing.

    ``progress`` is told how many terms were written so far.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        summaries = tuple(_write(connection, document, progress) for document in documents)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    return summaries


def _write(
    connection: sqlite3.Connection, document: Document, progress: Callable[[int], None] | None
) -> OntologySummary:
    ontology = _make_room(connection, document.name)
    digest = hashlib.blake2b(document.version.encode(), digest_size=8)
    done = 0
    while chunk := list(islice(document.terms, _CHUNK)):
        _insert(connection, ontology, chunk)
        digest.update(msgspec.json.encode(chunk))
        done += len(chunk)
        if progress:
            progress(done)
    counted = "SELECT count(*), coalesce(sum(obsolete), 0) FROM term WHERE ontology = ?"
    terms, obsolete = connection.execute(counted, (ontology,)).fetchone()
    if terms < done:
        document.skipped.note("term defined twice, merged")
    summary = OntologySummary(
        name=document.name,
        version=document.version,
        terms=terms,
        obsolete=obsolete,
        loaded=datetime.now(UTC).isoformat(timespec="seconds"),
        reader=document.reader,
        skipped=document.skipped.lines(),
    )
    connection.execute(
        "INSERT INTO ontology VALUES(?,?,?,?,?,?,?,?,?)",
        (
            ontology,
            summary.name,
            summary.version,
            summary.loaded,
            summary.reader,
            terms,
            obsolete,
            msgspec.json.encode(summary.skipped).decode(),
            digest.hexdigest(),
        ),
    )
    return summary


def _make_room(connection: sqlite3.Connection, name: str) -> int:
    """Remove an ontology's earlier version and return the number that it has."""
    found = connection.execute("SELECT id FROM ontology WHERE name = ?", (name,)).fetchone()
    if found is None:
        last = connection.execute("SELECT coalesce(max(id), 0) FROM ontology").fetchone()[0]
        return int(last) + 1
    for table in ("term", "name", "edge"):
        connection.execute(f"DELETE FROM {table} WHERE ontology = ?", found)  # noqa: S608
    connection.execute("DELETE FROM ontology WHERE id = ?", found)
    return int(found[0])


def _insert(connection: sqlite3.Connection, ontology: int, terms: list[TermInfo]) -> None:
    curies = {str(curie) for term in terms for curie in (term.curie, *term.parents)}
    connection.executemany(
        "INSERT OR IGNORE INTO node(curie) VALUES(?)", ((curie,) for curie in sorted(curies))
    )
    node = _nodes(connection, curies)
    connection.executemany(
        "INSERT OR IGNORE INTO term VALUES(?,?,?,?,?,?,?)",
        (
            (
                node[t.curie],
                ontology,
                t.label,
                t.obsolete,
                " ".join(t.replaced_by),
                t.definition,
                t.iri,
            )
            for t in terms
        ),
    )
    connection.executemany(
        "INSERT INTO name VALUES(?,?,?,?,?)",
        (
            (node[term.curie], ontology, scope, text, fold(text))
            for term in terms
            for scope, text in dict.fromkeys(names_of(term))
        ),
    )
    connection.executemany(
        "INSERT OR IGNORE INTO edge VALUES(?,?,?)",
        ((node[term.curie], node[up], ontology) for term in terms for up in term.parents),
    )


def _nodes(connection: sqlite3.Connection, curies: Iterable[str]) -> dict[str, int]:
    """Return the numbers of CURIEs; the list goes in as one JSON parameter."""
    wanted = msgspec.json.encode(list(curies)).decode()
    rows = connection.execute(
        "SELECT curie, id FROM node WHERE curie IN (SELECT value FROM json_each(?))", (wanted,)
    )
    return dict(rows.fetchall())
