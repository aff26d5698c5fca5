"""A copy of what the store remembers of some sources, to try a run on."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

_COPY = (
    "INSERT INTO sources SELECT * FROM real.sources WHERE name = :source",
    "INSERT INTO runs SELECT * FROM real.runs WHERE source = :source",
    "INSERT INTO problems SELECT * FROM real.problems WHERE source = :source",
    "INSERT INTO raw(id, source, key, digest, content, seen, written, retrieved, stamp, identity,"
    " name) SELECT id, source, key, digest, x'', seen, written, retrieved, stamp, identity, name"
    " FROM real.raw WHERE source = :source",
    "INSERT INTO records(seq, id, source, raw, place, revision, body)"
    " SELECT seq, id, source, raw, place, revision, body"
    " FROM real.records WHERE source = :source",
)


def copy(place: str, path: Path, sources: Sequence[str]) -> None:
    """Copy what the store at ``place`` knows of sources into a new store at ``path``."""
    with closing(_both(place, path)) as db:
        db.execute("BEGIN")
        # Nobody asks a scratch store what its data sets are called.
        triggers = db.execute("SELECT name FROM main.sqlite_master WHERE type = 'trigger'")
        for (name,) in triggers.fetchall():
            db.execute(f"DROP TRIGGER {name}")
        db.execute("INSERT INTO places SELECT * FROM real.places")
        for source in sources:
            for statement in _COPY:
                db.execute(statement, {"source": source})
        db.execute("COMMIT")


def _both(place: str, path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(f"file:{quote(str(path))}", uri=True, isolation_level=None, timeout=60)
    db.execute("ATTACH ? AS real", (f"file:{quote(place)}?mode=ro",))
    return db
