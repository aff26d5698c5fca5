import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from parfocal.errors import RecordInvalid, StoreCorrupt, StoreError, StoreLocked
from parfocal.identifiers import RecordId
from parfocal.lock import only_writer
from parfocal.store.sqlite import SqliteStore
from parfocal.testing.store import RecordStoreContract, dataset, item
from parfocal.values import Batch


class TestMemoryStore(RecordStoreContract):
    @pytest.fixture
    def store(self):
        store = SqliteStore()
        yield store
        store.close()


class TestFileStore(RecordStoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        store = SqliteStore(tmp_path / "store.sqlite")
        yield store
        store.close()


def fill(store, count=1):
    run, _ = store.begin("s")
    store.commit("s", run, Batch((item("k", *(dataset(f"d{n}") for n in range(count))),)))
    store.finish("s", run, complete=True)


def test_content_survives_closing(tmp_path):
    first = SqliteStore(tmp_path / "s.sqlite")
    fill(first)
    first.close()
    second = SqliteStore(tmp_path / "s.sqlite")
    assert second.get(RecordId("s:d0")) == dataset("d0")
    second.close()


def test_threads_read_while_one_writes(tmp_path):
    store = SqliteStore(tmp_path / "s.sqlite")
    fill(store, 50)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: store.get(RecordId(f"s:d{n}")).title, range(50)))
    assert found == [f"d{n}" for n in range(50)]
    store.close()


def test_damaged_file_is_named(tmp_path):
    path = tmp_path / "s.sqlite"
    path.write_bytes(b"this is no database" * 1000)
    with pytest.raises(StoreCorrupt, match=r"s\.sqlite") as caught:
        SqliteStore(path)
    assert caught.value.hint


def test_foreign_database_is_left_alone(tmp_path):
    path = tmp_path / "s.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE mine(a)")
    other.close()
    with pytest.raises(StoreCorrupt, match="not a parfocal store"):
        SqliteStore(path)


def test_damaged_pages_are_named(tmp_path):
    path = tmp_path / "s.sqlite"
    store = SqliteStore(path)
    fill(store, 2000)
    store.close()
    content = bytearray(path.read_bytes())
    for start in range(2 * 16384, len(content), 4096):
        content[start : start + 2048] = b"\xff" * 2048
    path.write_bytes(bytes(content))
    damaged = SqliteStore(path)
    with pytest.raises((StoreCorrupt, RecordInvalid)):
        damaged.changes(0, limit=5000)
    damaged.close()


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(StoreError, match="cannot be opened"):
        SqliteStore(tmp_path / "none" / "s.sqlite")


def test_full_disk_leaves_nothing_half_written(tmp_path):
    store = SqliteStore(tmp_path / "s.sqlite")
    fill(store, 3)
    pages = store._db().execute("PRAGMA page_count").fetchone()[0]
    store._db().execute(f"PRAGMA max_page_count={pages + 2}")
    run, _ = store.begin("s")
    big = [item(f"k{n}", *(dataset(f"d{n}-{m}") for m in range(500))) for n in range(3)]
    with pytest.raises(StoreError, match="could not be written"):
        store.commit("s", run, Batch(tuple(big), cursor="k2"))
    assert store.revision() == 3
    assert store.begin("s") == (run, None)
    store.close()


def test_only_one_process_writes(tmp_path):
    with (
        only_writer(tmp_path),
        pytest.raises(StoreLocked, match=r"process \d+ since"),
        only_writer(tmp_path),
    ):
        pass
    with only_writer(tmp_path):
        pass
