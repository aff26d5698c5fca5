"""A copy of what the store remembers of some sources, to try a run on."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

# Which column of a table says whose a row is.
_TABLES = {
    "sources": "name",
    "runs": "source",
    "problems": "source",
    "raw": "source",
    "records": "source",
}


def copy(place: str, path: Path, sources: Sequence[str]) -> None:
    """Copy what the store at ``place`` knows of sources into a new store at ``path``."""
    with closing(_both(place, path)) as db:
        db.execute("BEGIN")
        db.execute("INSERT INTO places SELECT * FROM real.places")
        for table, column in _TABLES.items():
            _copy_rows(db, table, column, sources)
        # Nobody asks a scratch store what the data sets that it begins with are called.
        last = "SELECT coalesce(max(revision), 0) FROM main.records"
        db.execute(f"UPDATE main.identified SET revision = ({last})")  # noqa: S608
        db.execute("COMMIT")


def _copy_rows(db: sqlite3.Connection, table: str, column: str, sources: Sequence[str]) -> None:
    """Copy a table's rows of sources, without the content of raw items."""
    names = [row[1] for row in db.execute(f"PRAGMA main.table_info({table})")]
    values = ["x''" if (table, name) == ("raw", "content") else name for name in names]
    for source in sources:
        db.execute(
            f"INSERT INTO main.{table}({', '.join(names)}) SELECT {', '.join(values)}"  # noqa: S608
            f" FROM real.{table} WHERE {column} = ?",
            (source,),
        )


def _both(place: str, path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(f"file:{quote(str(path))}", uri=True, isolation_level=None, timeout=60)
    db.execute("ATTACH ? AS real", (f"file:{quote(place)}?mode=ro",))
    return db
