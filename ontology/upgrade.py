"""Bringing a term store of the first schema up to date, in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from ontology import places

FIRST = 1
_ASIDE = (
    "ALTER TABLE ontology ADD COLUMN former TEXT NOT NULL DEFAULT ''",
    "DROP INDEX name_folded",
    "DROP INDEX edge_parent",
    "ALTER TABLE term RENAME TO old_term",
    "ALTER TABLE name RENAME TO old_name",
    "ALTER TABLE edge RENAME TO old_edge",
)
_OVER = (
    """INSERT INTO term
    SELECT node, ontology, label, obsolete, replaced_by, definition, iri, CAST(
      (SELECT json_group_array(json_array(scope, text)) FROM old_name
       WHERE old_name.node = old_term.node AND old_name.ontology = old_term.ontology
         AND scope <> 'LABEL') AS BLOB)
    FROM old_term""",
    "INSERT OR IGNORE INTO name SELECT folded, node, ontology, scope FROM old_name",
    "INSERT INTO edge SELECT child, 0, parent, ontology FROM old_edge",
    "DROP TABLE old_term",
    "DROP TABLE old_name",
    "DROP TABLE old_edge",
)


def upgrade(connection: sqlite3.Connection, schema: Sequence[str], version: int) -> None:
    """Upgrade a store; ``schema`` makes the tables that are not there. Parts are not known yet."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("PRAGMA user_version").fetchone()[0] == FIRST:
            for statement in (*_ASIDE, *schema, *_OVER):
                connection.execute(statement)
            for (ontology,) in connection.execute("SELECT id FROM ontology").fetchall():
                places.add(connection, ontology)
            places.finish(connection)
            connection.execute(f"PRAGMA user_version={version}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
