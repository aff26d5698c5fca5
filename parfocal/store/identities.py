"""What studies and containers are called, kept beside the records and always in step with them.

Before a transaction ends, the identities of the data sets that it wrote are read anew. When one
changed, the revision of all that share a name with it moves on, so that index and graph hear of it
although those records did not change; ``touches`` keeps when they did.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

import msgspec

from parfocal.identifiers import RecordId
from parfocal.identity import Identity, identity_of
from parfocal.model import Dataset, decode

SCHEMA = """
CREATE TABLE identities(seq INTEGER PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE names(value TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY(value, seq))
  WITHOUT ROWID;
CREATE INDEX names_by_seq ON names(seq);
CREATE TABLE touches(seq INTEGER PRIMARY KEY, written INTEGER NOT NULL);
CREATE TABLE identified(revision INTEGER NOT NULL);
INSERT INTO identified VALUES (0);
"""
"""Made in a new store, and in one without identities, which the next transaction fills."""

WRITTEN = "coalesce((SELECT t.written FROM touches t WHERE t.seq = records.seq), revision)"
"""The revision at which a record itself changed."""

_TOO_COMMON = 200  # what so many data sets share leads from one to all others, and means nothing
_MOST_CONNECTED = 1000
_DATASET = b'{"type":"Dataset"'
_WRITTEN_DATASETS = """
SELECT r.seq, r.body, i.content FROM records r LEFT JOIN identities i ON i.seq = r.seq
WHERE r.revision > ? AND substr(r.body, 1, ?) = ?"""
_GONE = """
SELECT r.seq, NULL, i.content FROM records r CROSS JOIN identities i ON i.seq = r.seq
WHERE r.revision > ? AND r.body IS NULL"""


def identify(db: sqlite3.Connection) -> None:
    """Read the identities of what this transaction wrote; touch what shares names with them."""
    since = db.execute("SELECT revision FROM identified").fetchone()[0]
    if _last(db) == since:
        return
    rows = db.execute(_WRITTEN_DATASETS, (since, len(_DATASET), _DATASET)).fetchall()
    rows += db.execute(_GONE, (since,)).fetchall()
    changed = [(seq, body) for seq, body, old in rows if _content(body) != old]
    affected = _connected(db, (seq for seq, _ in changed))
    for seq, body in changed:
        _replace(db, seq, _identity(body))
    affected |= _connected(db, (seq for seq, _ in changed))
    written = [seq for seq, _, _ in rows]
    db.executemany("DELETE FROM touches WHERE seq = ?", ((seq,) for seq in written))
    _touch(db, sorted(affected.difference(written)))
    db.execute("UPDATE identified SET revision = ?", (_last(db),))


def _last(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT coalesce(max(revision), 0) FROM records").fetchone()[0])


def _identity(body: bytes | None) -> Identity | None:
    record = None if body is None else decode(body)
    return identity_of(record) if isinstance(record, Dataset) else None


def _content(body: bytes | None) -> bytes | None:
    found = _identity(body)
    return None if found is None else msgspec.msgpack.encode(found)


def _replace(db: sqlite3.Connection, seq: int, identity: Identity | None) -> None:
    db.execute("DELETE FROM names WHERE seq = ?", (seq,))
    db.execute("DELETE FROM identities WHERE seq = ?", (seq,))
    if identity is None:
        return
    db.execute("INSERT INTO identities VALUES (?, ?)", (seq, msgspec.msgpack.encode(identity)))
    # A paper's DOI names no data set: whoever uses one as such must hear of those who know better.
    names = {*(name.value for name in identity.names), *identity.papers}
    db.executemany("INSERT INTO names VALUES (?, ?)", [(name, seq) for name in sorted(names)])


def _touch(db: sqlite3.Connection, seqs: Sequence[int]) -> None:
    last = _last(db)
    for number, seq in enumerate(seqs, start=1):
        db.execute(
            "INSERT OR IGNORE INTO touches SELECT seq, revision FROM records WHERE seq = ?", (seq,)
        )
        db.execute("UPDATE records SET revision = ? WHERE seq = ?", (last + number, seq))


def _connected(db: sqlite3.Connection, seqs: Iterable[int]) -> set[int]:
    """Return the data sets that are connected with some by shared names, at any number of steps."""
    found: set[int] = set()
    fresh = set(seqs)
    most = len(fresh) + _MOST_CONNECTED
    while fresh and len(found) < most:
        found |= fresh
        rows = db.execute(
            "SELECT DISTINCT n.seq FROM names n WHERE n.value IN (SELECT o.value FROM names o"
            " WHERE o.seq IN (SELECT value FROM json_each(?)) AND (SELECT count(*) FROM (SELECT 1"
            " FROM names m WHERE m.value = o.value LIMIT ?)) < ?)",
            (msgspec.json.encode(sorted(fresh)).decode(), _TOO_COMMON, _TOO_COMMON),
        )
        fresh = {row[0] for row in rows} - found
    return found


# ------------------------------------------------------------------ reading


def page(db: sqlite3.Connection, after: int, limit: int) -> list[tuple[int, Identity]]:
    """Return identities with their seqs, from after a seq."""
    return _read(
        db.execute(
            "SELECT seq, content FROM identities WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
        )
    )


def connected(db: sqlite3.Connection, id: RecordId) -> tuple[Identity, ...]:
    """Return the identities connected with a record's by shared names, its own among them."""
    rows = db.execute("SELECT seq FROM records WHERE id = ?", (id,))
    return _identities(db, _connected(db, [row[0] for row in rows]))


def named(db: sqlite3.Connection, name: str) -> tuple[Identity, ...]:
    """Return the identities connected with a name."""
    rows = db.execute("SELECT seq FROM names WHERE value = ? LIMIT ?", (name, _TOO_COMMON))
    return _identities(db, _connected(db, [row[0] for row in rows]))


def _identities(db: sqlite3.Connection, seqs: Iterable[int]) -> tuple[Identity, ...]:
    wanted = msgspec.json.encode(sorted(seqs)).decode()
    rows = db.execute(
        "SELECT seq, content FROM identities WHERE seq IN (SELECT value FROM json_each(?))",
        (wanted,),
    )
    return tuple(identity for _, identity in _read(rows))


def _read(rows: Iterable[tuple[int, bytes]]) -> list[tuple[int, Identity]]:
    return [(seq, msgspec.msgpack.decode(content, type=Identity)) for seq, content in rows]
