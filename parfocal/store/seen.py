"""Raw items that a walk found as they were, or was told are gone; runs within a transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from parfocal.values import Unchanged

_KEYS = "key IN (SELECT value FROM json_each(:keys))"
# The characters behind / and # in the order of keys: an index finds what begins with "key/".
_BELOW = (
    "(key = :key OR (key >= :key || '/' AND key < :key || '0')"
    " OR (key >= :key || '#' AND key < :key || '$'))"
)
_ALL = "1"


def see(db: sqlite3.Connection, source: str, run: int, unchanged: Sequence[Unchanged]) -> int:
    """Mark items as seen in this run; return how many live records they stand for."""
    single = [one for one in unchanged if not one.below]
    _restamp(db, source, single)
    seen = _see(db, source, run, _KEYS, {"keys": _json([one.key for one in single])})
    for one in unchanged:
        if one.below:
            seen += _see(db, source, run, _BELOW if one.key else _ALL, {"key": one.key})
    return seen


def _see(db: sqlite3.Connection, source: str, run: int, which: str, values: dict[str, str]) -> int:
    named = {**values, "source": source, "run": run}
    count = db.execute(
        "SELECT count(*) FROM records WHERE source = :source AND body IS NOT NULL AND raw IN"  # noqa: S608
        f" (SELECT id FROM raw WHERE source = :source AND seen <> :run AND {which})",
        named,
    ).fetchone()[0]
    db.execute(
        f"UPDATE raw SET seen = :run WHERE source = :source AND seen <> :run AND {which}",  # noqa: S608
        named,
    )
    return int(count)


def _restamp(db: sqlite3.Connection, source: str, unchanged: Sequence[Unchanged]) -> None:
    db.executemany(
        "UPDATE raw SET stamp = ? WHERE source = ? AND key = ? AND stamp <> ?",
        [(one.stamp, source, one.key, one.stamp) for one in unchanged if one.stamp],
    )


def see_hidden(db: sqlite3.Connection, source: str, run: int) -> None:
    """Mark what the errors of this walk hide as seen: nobody knows whether it is gone."""
    items = db.execute(
        "SELECT DISTINCT item FROM problems WHERE source = ? AND run = ? AND raw IS NULL"
        " AND severity = 'error'",
        (source, run),
    )
    for (item,) in items:
        db.execute(
            "UPDATE raw SET seen = :run WHERE source = :source AND seen <> :run"  # noqa: S608
            f" AND {_BELOW if item else _ALL}",
            {"key": item, "source": source, "run": run},
        )


def let_go(db: sqlite3.Connection, source: str, keys: Sequence[str]) -> None:
    """Forget raw items that are gone; their records are tombstoned when the run ends well."""
    if not keys:
        return
    named = {"source": source, "keys": _json(keys)}
    db.execute(
        "UPDATE records SET raw = NULL WHERE source = :source AND body IS NOT NULL AND raw IN"  # noqa: S608
        f" (SELECT id FROM raw WHERE source = :source AND {_KEYS})",
        named,
    )
    db.execute(f"DELETE FROM raw WHERE source = :source AND {_KEYS}", named)  # noqa: S608


def _json(keys: Sequence[str]) -> str:
    return msgspec.json.encode(list(keys)).decode()
