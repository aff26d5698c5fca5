"""Making records anew of what is kept, without asking the archive; runs within a transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import zstandard

from parfocal.model import Record, encode
from parfocal.store import runs
from parfocal.store.upsert import Upsert
from parfocal.values import Counts, KeptItem, RawItem, Rebuilt


def begin(db: sqlite3.Connection, source: str, scope: str, fingerprint: str) -> tuple[int, int]:
    """Start a rebuild, or take up one that was killed: its run and the number it came to."""
    row = db.execute(
        "SELECT id, cursor FROM runs WHERE source = ? AND state = 'running' AND scope = ?"
        " AND mark = ? ORDER BY id DESC LIMIT 1",
        (source, scope, fingerprint),
    ).fetchone()
    if row:
        return row[0], int(row[1] or 0)
    db.execute(
        "UPDATE runs SET state = 'interrupted' WHERE source = ? AND state = 'running'"
        " AND scope = ?",
        (source, scope),
    )
    return runs.insert(db, source, scope, fingerprint), 0


def kept(db: sqlite3.Connection, source: str, after: int, limit: int) -> list[KeptItem]:
    """Return raw items by number; content that is no longer kept is None."""
    rows = db.execute(
        "SELECT id, key, content, stamp, identity, name FROM raw"
        " WHERE source = ? AND id > ? ORDER BY id LIMIT ?",
        (source, after, limit),
    )
    zstd = zstandard.ZstdDecompressor()
    return [
        KeptItem(
            number,
            RawItem(key, zstd.decompress(content), stamp=stamp, identity=identity, name=name)
            if content
            else None,
        )
        for number, key, content, stamp, identity, name in rows
    ]


def done(db: sqlite3.Connection, source: str, run: int, portion: Rebuilt) -> Counts:
    """Write what was made anew and move on."""
    upsert = Upsert(db, source, run, rebuilding=True)
    counts = sum((upsert.again(number, one) for number, one in portion.items), Counts())
    counts += _rewrite(db, portion.records)
    db.execute(
        "UPDATE runs SET new = new + ?, changed = changed + ?, unchanged = unchanged + ?,"
        " items = items + ?, seconds = seconds + ?, cursor = ? WHERE id = ?",
        (
            *(counts.new, counts.changed, counts.unchanged, len(portion.items)),
            *(portion.seconds, str(portion.last), run),
        ),
    )
    return counts


def _rewrite(db: sqlite3.Connection, records: Sequence[tuple[int, Record]]) -> Counts:
    """Write the bodies of records that differ from what is there."""
    revision = db.execute("SELECT coalesce(max(revision), 0) FROM records").fetchone()[0]
    changed = 0
    for seq, record in records:
        body = encode(record)
        changed += db.execute(
            "UPDATE records SET body = ?, revision = ? WHERE seq = ? AND body IS NOT NULL"
            " AND body <> ?",
            (body, revision + changed + 1, seq, body),
        ).rowcount
    return Counts(changed=changed, unchanged=len(records) - changed)


def adopt(db: sqlite3.Connection, source: str, fingerprint: str) -> None:
    """Note that all raw items are normalised under another fingerprint now."""
    db.execute("UPDATE sources SET fingerprint = ? WHERE name = ?", (fingerprint, source))


def forget(db: sqlite3.Connection, source: str, before: str) -> int:
    """Forget the content of raw items that came before a time; key, digest and stamp stay."""
    return db.execute(
        "UPDATE raw SET content = x'' WHERE source = ? AND retrieved < ? AND length(content) > 0",
        (source, before),
    ).rowcount
