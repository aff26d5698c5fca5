"""Stores of earlier versions are brought up to date when they are opened; nothing is lost."""

import sqlite3
from pathlib import Path

import pytest

from parfocal.errors import StoreCorrupt, StoreError
from parfocal.identifiers import RecordId
from parfocal.store.connection import SCHEMA_VERSION
from parfocal.store.sqlite import SqliteStore
from parfocal.testing.store import dataset, image, item
from parfocal.values import Batch, Unchanged

VERSION_2 = Path(__file__).with_name("store-version-2.sql")
"""What version 2 wrote: one whole run, then one that was killed after its first commit."""


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "old.sqlite"
    with sqlite3.connect(path) as db:
        db.executescript(VERSION_2.read_text())
    db.close()
    return path


def schema(path):
    """All columns wherever they stand, indexes, triggers and the version."""
    with sqlite3.connect(path) as db:
        tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        columns = {
            (table, *map(str, row[1:]))
            for (table,) in tables
            for row in db.execute(f"PRAGMA table_info({table})")
        }
        rest = db.execute("SELECT type, name FROM sqlite_master WHERE type <> 'table'").fetchall()
        version = db.execute("PRAGMA user_version").fetchone()[0]
    db.close()
    return columns, set(rest), version


def test_an_old_store_gets_the_present_schema(old, tmp_path):
    SqliteStore(old).close()
    SqliteStore(tmp_path / "new.sqlite").close()
    assert schema(old) == schema(tmp_path / "new.sqlite")
    assert schema(old)[2] == SCHEMA_VERSION


def test_nothing_of_an_old_store_is_lost(old):
    store = SqliteStore(old)
    assert store.get(RecordId("s:a")).title == "A"
    assert [change.id for change in store.changes(0)] == ["s:a/1", "s:b", "s:a"]
    assert store.journal("publish/a") == {"step": "done"}
    assert store.digest("s", "k2") == item("k2", dataset("b")).item.digest
    killed, whole = store.runs("s")
    assert (whole.state, whole.counts.new, whole.scope, whole.requests) == ("complete", 3, "", 0)
    assert killed.state == "running"
    assert [one.item.key for one in store.kept("s")] == ["k1", "k2"]
    store.close()


def test_a_killed_run_of_an_old_store_goes_on(old):
    store = SqliteStore(old)
    run, cursor = store.begin("s", fingerprint="as version 2 wrote it")
    assert cursor == "k1"
    again = item("k1", dataset("a", title="A"), image("a/1", "a"))
    store.commit("s", run, Batch((again,), (Unchanged("k2"),)))
    assert store.finish("s", run, complete=True).state == "complete"
    assert store.mark("s") == ""
    store.close()


def test_a_migration_that_fails_changes_nothing(old, monkeypatch):
    steps = {2: "ALTER TABLE raw ADD COLUMN stamp TEXT; ALTER TABLE no_such ADD COLUMN x TEXT;"}
    monkeypatch.setattr("parfocal.store.connection._STEPS", steps)
    before = schema(old)
    with pytest.raises(StoreError, match="no such table"):
        SqliteStore(old)
    assert schema(old) == before


def test_a_store_of_a_later_version_is_left_alone(tmp_path):
    path = tmp_path / "s.sqlite"
    SqliteStore(path).close()
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    db.close()
    with pytest.raises(StoreCorrupt, match=f"reads {SCHEMA_VERSION}") as caught:
        SqliteStore(path)
    assert caught.value.hint
