"""The file of the term store: schema, loading in one transaction, engine errors in our words."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import msgspec
from msgspec import Struct

from ontology import places
from ontology.changes import Changes, Comparison
from ontology.document import Document
from ontology.upgrade import FIRST, upgrade
from parfocal.errors import OntologyInvalid, StoreCorrupt, StoreError, StoreFull, StoreLocked
from parfocal.identifiers import Curie
from parfocal.query import fold
from parfocal.terms import LABEL, names_of
from parfocal.values import OntologySummary, TermInfo

_APPLICATION_ID = 0x70617274  # "part"
_SCHEMA_VERSION = 2
_SCHEMA = """
CREATE TABLE ontology(
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, version TEXT NOT NULL, loaded TEXT NOT NULL,
  reader TEXT NOT NULL, terms INTEGER NOT NULL, obsolete INTEGER NOT NULL, skipped TEXT NOT NULL,
  digest TEXT NOT NULL, former TEXT NOT NULL);
CREATE TABLE node(id INTEGER PRIMARY KEY, curie TEXT NOT NULL UNIQUE);
CREATE TABLE term(
  node INTEGER NOT NULL, ontology INTEGER NOT NULL, label TEXT NOT NULL, obsolete INTEGER NOT NULL,
  replaced_by TEXT NOT NULL, definition TEXT NOT NULL, iri TEXT NOT NULL, synonyms BLOB NOT NULL,
  PRIMARY KEY(node, ontology)) WITHOUT ROWID;
CREATE TABLE name(
  folded TEXT NOT NULL, node INTEGER NOT NULL, ontology INTEGER NOT NULL, scope TEXT NOT NULL,
  PRIMARY KEY(folded, node, ontology, scope)) WITHOUT ROWID;
CREATE TABLE edge(
  child INTEGER NOT NULL, part_of INTEGER NOT NULL, parent INTEGER NOT NULL,
  ontology INTEGER NOT NULL, PRIMARY KEY(child, part_of, parent, ontology)) WITHOUT ROWID;
CREATE TABLE place(
  position INTEGER PRIMARY KEY, last INTEGER NOT NULL, node INTEGER NOT NULL,
  ontology INTEGER NOT NULL, curie TEXT NOT NULL);
CREATE UNIQUE INDEX place_node ON place(node);
CREATE TABLE extra(
  ontology INTEGER NOT NULL, child INTEGER NOT NULL, parent INTEGER NOT NULL,
  part_of INTEGER NOT NULL, PRIMARY KEY(ontology, child, parent, part_of)) WITHOUT ROWID;
CREATE TABLE jump(
  parent INTEGER NOT NULL, child INTEGER NOT NULL, part_of INTEGER NOT NULL,
  PRIMARY KEY(parent, child, part_of)) WITHOUT ROWID;
CREATE TABLE answer(
  asked TEXT PRIMARY KEY, expires REAL NOT NULL, content BLOB NOT NULL) WITHOUT ROWID;
"""
_STAGED = "CREATE TEMP TABLE staged(folded TEXT NOT NULL, node INTEGER NOT NULL, scope TEXT)"
_NAMES_OF_STAGED = """
INSERT OR IGNORE INTO name SELECT folded, node, ?, scope FROM staged ORDER BY folded, node, scope"""
_COUNT_REMOTE = """
UPDATE ontology SET terms = (SELECT count(*) FROM term WHERE ontology = ?),
  obsolete = (SELECT coalesce(sum(obsolete), 0) FROM term WHERE ontology = ?) WHERE id = ?"""
_OF_ONE_TERM = (("term", "node"), ("name", "node"), ("edge", "child"), ("extra", "child"))
REMOTE = "remote"
"""Name under which the terms are kept that remote services told."""
_CHUNK = 5000
_LOADING_MB = 128
_MANY = 100
_LEAST_LEFT = 0.8
# A term that a file defines twice is one term with the names of both.
_INSERT_TERM = """
INSERT INTO term VALUES(?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET
  label = coalesce(nullif(term.label, ''), excluded.label),
  synonyms = (SELECT CAST(json_group_array(json(value)) AS BLOB) FROM (
    SELECT value FROM json_each(CAST(term.synonyms AS TEXT)) UNION
    SELECT value FROM json_each(CAST(excluded.synonyms AS TEXT))))"""


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


def connect(path: Path, cache_mb: int = 16) -> sqlite3.Connection:
    """Open a connection for any thread to close, in autocommit mode."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute(f"PRAGMA cache_size=-{cache_mb * 1024}")
    return connection


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the schema in an empty file; StoreCorrupt for a file that is something else."""
    if connection.execute("PRAGMA application_id").fetchone()[0] == _APPLICATION_ID:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == _SCHEMA_VERSION:
            return
        if version == FIRST:
            made = [s for s in _statements() if not re.search("TABLE (ontology|node)\\(", s)]
            upgrade(connection, made, _SCHEMA_VERSION)
            return
        raise StoreCorrupt(
            f"the term store has schema version {version}, this parfocal reads {_SCHEMA_VERSION}",
            where=str(path),
            hint="move it away and load the ontologies again",
        )
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("BEGIN IMMEDIATE")
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        for statement in _statements():
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={_SCHEMA_VERSION}")
    connection.execute("COMMIT")
    if connection.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION_ID:
        raise StoreCorrupt(
            "this SQLite file is no term store", where=str(path), hint="choose another data_dir"
        )


def _statements() -> list[str]:
    return [statement for statement in _SCHEMA.split(";") if statement.strip()]


def replace(
    path: Path,
    documents: Iterable[Document],
    progress: Callable[[int], None] | None = None,
    comparison: Comparison | None = None,
    *,
    allow_shrink: bool = False,
) -> tuple[OntologySummary, ...]:
    """Put ontologies in place of their earlier versions, all or nothing.

    ``progress`` is told how many terms were written so far. With a ``comparison`` that does not
    keep what it compares, all stays as it was. OntologyInvalid for one that lost many of its terms,
    which is what a file that was cut off looks like, unless that is allowed.
    """
    with closing(connect(path, _LOADING_MB)) as connection:
        connection.execute(_STAGED)
        connection.execute("BEGIN IMMEDIATE")
        try:
            places.begin(connection)
            summaries = tuple(
                _write(connection, document, progress, comparison, allow_shrink)
                for document in documents
            )
            if comparison is None or comparison.keep:
                places.finish(connection)
                connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
    return summaries


def keep(path: Path, term: TermInfo) -> None:
    """Put one term, told by a remote service, in place of what it told before."""
    with closing(connect(path)) as connection:
        connection.execute(_STAGED)
        connection.execute("BEGIN IMMEDIATE")
        try:
            number = _remote(connection)
            places.begin(connection)
            node = _nodes(connection, {term.curie})[term.curie]
            for table, column in _OF_ONE_TERM:
                connection.execute(
                    f"DELETE FROM {table} WHERE {column} = ? AND ontology = ?",  # noqa: S608
                    (node, number),
                )
            _insert(connection, number, [term])
            connection.execute(_NAMES_OF_STAGED, (number,))
            places.add_extra(connection, number)
            places.finish(connection)
            connection.execute(_COUNT_REMOTE, (number, number, number))
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")


def _remote(connection: sqlite3.Connection) -> int:
    """Return the number of what remote services told; it has no version, so nothing follows it."""
    found = connection.execute("SELECT id FROM ontology WHERE name = ?", (REMOTE,)).fetchone()
    if found:
        return int(found[0])
    last = int(connection.execute("SELECT coalesce(max(id), 0) FROM ontology").fetchone()[0])
    connection.execute(
        "INSERT INTO ontology VALUES(?,?,'',?,'remote',0,0,'[]','','')",
        (last + 1, REMOTE, datetime.now(UTC).isoformat(timespec="seconds")),
    )
    return last + 1


def _write(
    connection: sqlite3.Connection,
    document: Document,
    progress: Callable[[int], None] | None,
    comparison: Comparison | None,
    allow_shrink: bool,
) -> OntologySummary:
    if comparison:
        comparison.before(connection, document.name)
    former = _make_room(connection, document.name)
    ontology = former.ontology
    digest = hashlib.blake2b(document.version.encode(), digest_size=8)
    done = 0
    while chunk := list(islice(document.terms, _CHUNK)):
        _insert(connection, ontology, chunk)
        digest.update(msgspec.json.encode(chunk))
        done += len(chunk)
        if progress:
            progress(done)
    # Sorted, so that a large index is written from one end to the other.
    connection.execute(_NAMES_OF_STAGED, (ontology,))
    connection.execute("DELETE FROM staged")
    if done < former.terms * _LEAST_LEFT and former.terms >= _MANY and not allow_shrink:
        raise OntologyInvalid(
            f"holds {done:,} terms, {former.terms:,} are loaded: was the file cut off?",
            where=document.name,
            hint="download it again; --allow-shrink loads it all the same",
        )
    if comparison:
        changes = Changes(document.name, former.version, document.version)
        comparison.after(connection, changes, ontology)
    places.add(connection, ontology)
    same = former.version == document.version
    before = former.former if same else former.version
    return _summarise(connection, ontology, document, done, before, digest.hexdigest())


def _summarise(
    connection: sqlite3.Connection,
    ontology: int,
    document: Document,
    done: int,
    former: str,
    digest: str,
) -> OntologySummary:
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
        former=former,
    )
    connection.execute(
        "INSERT INTO ontology VALUES(?,?,?,?,?,?,?,?,?,?)",
        (
            ontology,
            summary.name,
            summary.version,
            summary.loaded,
            summary.reader,
            terms,
            obsolete,
            msgspec.json.encode(summary.skipped).decode(),
            digest,
            former,
        ),
    )
    return summary


class _Former(Struct, frozen=True):
    """What was loaded of an ontology: its number, version, the one before, and terms."""

    ontology: int
    version: str = ""
    former: str = ""
    terms: int = 0


def _make_room(connection: sqlite3.Connection, name: str) -> _Former:
    """Remove an ontology's earlier version and return what it was; a shipped table has no terms."""
    found = connection.execute(
        "SELECT id, version, former, iif(reader = 'table', 0, terms) FROM ontology WHERE name = ?",
        (name,),
    ).fetchone()
    if found is None:
        last = connection.execute("SELECT coalesce(max(id), 0) FROM ontology").fetchone()[0]
        return _Former(int(last) + 1)
    former = _Former(*found)
    for table in ("term", "name", "edge", "place", "extra"):
        connection.execute(
            f"DELETE FROM {table} WHERE ontology = ?",  # noqa: S608
            (former.ontology,),
        )
    connection.execute("DELETE FROM ontology WHERE id = ?", (former.ontology,))
    return former


def _insert(connection: sqlite3.Connection, ontology: int, terms: list[TermInfo]) -> None:
    node = _nodes(
        connection, {c for term in terms for c in (term.curie, *term.parents, *term.part_of)}
    )
    encode = msgspec.json.encode
    rows, staged = [], []
    for term in terms:
        number = node[term.curie]
        names = dict.fromkeys(names_of(term))
        staged += [(fold(text), number, scope) for scope, text in names]
        synonyms = encode([name for name in names if name[0] != LABEL]) if names else b"[]"
        replaced_by = " ".join(term.replaced_by)
        told = (term.label, term.obsolete, replaced_by, term.definition, term.iri)
        rows.append((number, ontology, *told, synonyms))
    connection.executemany(_INSERT_TERM, rows)
    connection.executemany("INSERT INTO staged VALUES(?,?,?)", staged)
    edges = [(node[t.curie], 0, node[up], ontology) for t in terms for up in t.parents]
    edges += [(node[t.curie], 1, node[up], ontology) for t in terms for up in t.part_of]
    connection.executemany("INSERT OR IGNORE INTO edge VALUES(?,?,?,?)", edges)


def _nodes(connection: sqlite3.Connection, curies: set[Curie]) -> dict[str, int]:
    """Return the numbers of CURIEs; new ones get one. The list goes in as one parameter."""
    wanted = msgspec.json.encode(sorted(curies)).decode()
    connection.execute(
        "INSERT OR IGNORE INTO node(curie) SELECT value FROM json_each(?)", (wanted,)
    )
    rows = connection.execute(
        "SELECT curie, id FROM node WHERE curie IN (SELECT value FROM json_each(?))", (wanted,)
    )
    return dict(rows.fetchall())
