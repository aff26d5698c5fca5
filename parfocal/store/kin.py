"""What an item keeps when it moves: its identity and its name, kept beside the raw item."""

from __future__ import annotations

import sqlite3

COLUMNS = """
ALTER TABLE raw ADD COLUMN identity TEXT NOT NULL DEFAULT '';
ALTER TABLE raw ADD COLUMN name TEXT NOT NULL DEFAULT '';
CREATE INDEX raw_by_identity ON raw(source, identity) WHERE identity <> '';
CREATE INDEX raw_by_name ON raw(source, name) WHERE name <> '';
"""
_KIN = """
SELECT key, name FROM raw WHERE source = :source AND key = :key
UNION SELECT key, name FROM raw WHERE source = :source AND name = :key AND name <> ''
UNION SELECT key, name FROM raw
  WHERE source = :source AND identity = :identity AND identity <> ''
LIMIT 1000"""


def select(db: sqlite3.Connection, source: str, key: str, identity: str) -> list[tuple[str, str]]:
    """Return (key, name) of items under a key, of an identity, or whose name the key is."""
    rows = db.execute(_KIN, {"source": source, "key": key, "identity": identity})
    return [(found, name or found) for found, name in rows]
