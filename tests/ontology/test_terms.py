import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from ontology.document import Document, Skipped
from ontology.terms import FILE_NAME, SqliteTermStore, open_terms
from parfocal.config import Settings
from parfocal.errors import OntologyInvalid, StoreCorrupt, StoreError
from parfocal.testing.terms import TAXA, TermStoreContract, term


def document(name, terms, version="1"):
    return Document(name, version, "test", iter(terms), Skipped())


def fill(store, terms, version="1"):
    for name in dict.fromkeys(one.ontology for one in terms):
        store.load(document(name, [one for one in terms if one.ontology == name], version))
    return store


class TestSqliteTermStore(TermStoreContract):
    @pytest.fixture
    def make(self, tmp_path):
        opened = []
        numbers = count()

        def make(terms):
            store = SqliteTermStore(tmp_path / f"{next(numbers)}.sqlite")
            opened.append(store)
            return fill(store, list(terms))

        yield make
        for store in opened:
            store.close()


@pytest.fixture
def store(tmp_path):
    store = SqliteTermStore(tmp_path / "new" / FILE_NAME)
    yield store
    store.close()


def test_terms_outlive_the_process(store, tmp_path):
    fill(store, TAXA)
    again = open_terms(Settings(data_dir=tmp_path / "new"))
    assert again.find("human") == store.find("human")
    assert again.version() == store.version() != ""
    again.close()


def test_new_store_starts_with_the_shipped_tables(tmp_path):
    store = open_terms(Settings(data_dir=tmp_path))
    assert {match.curie for match in store.find("HeLa")} >= {"EFO:0001185"}
    store.close()


def test_new_store_stays_empty_when_told_so(tmp_path):
    store = open_terms(Settings(data_dir=tmp_path, ontology={"bundled": False}))
    assert store.ontologies() == ()
    store.close()


def test_loading_replaces_the_earlier_version_whole(store):
    fill(store, TAXA)
    fill(store, [term("NCBITaxon:9606", "Homo sapiens")], version="2")
    assert store.find("mouse") == ()
    assert store.find("human") == ()
    assert store.ancestors("NCBITaxon:9606") == frozenset()
    assert [(one.version, one.terms) for one in store.ontologies()] == [("2", 1)]


def test_same_content_has_the_same_version(store, tmp_path):
    fill(store, TAXA)
    first = store.version()
    fill(store, TAXA)
    assert store.version() == first
    fill(store, TAXA[:2])
    assert store.version() != first


def test_failed_load_leaves_the_last_good_version(store):
    fill(store, TAXA)
    version = store.version()

    def broken():
        yield term("NCBITaxon:1", "root")
        raise OntologyInvalid("the file ends in the middle")

    with pytest.raises(OntologyInvalid):
        store.load(document("ncbitaxon", broken()))
    assert store.version() == version
    assert store.find("root") == ()
    assert store.find("human")


def test_loading_one_ontology_keeps_what_another_says_of_its_terms(store):
    fill(store, [term("CL:1", "neuron"), term("CL:1", "nerve cell", ontology="efo")])
    fill(store, [term("EFO:1", "cell line")])
    assert [match.curie for match in store.find("neuron")] == ["CL:1"]
    assert store.find("nerve cell") == ()


def test_other_process_may_load_while_we_read(store, tmp_path):
    fill(store, TAXA)
    assert store.find("cat") == ()
    other = SqliteTermStore(tmp_path / "new" / FILE_NAME)
    fill(other, [*TAXA, term("NCBITaxon:9685", "Felis catus", synonyms=(("EXACT", "cat"),))])
    other.close()
    assert [match.curie for match in store.find("cat")] == ["NCBITaxon:9685"]


def test_threads_share_what_is_remembered(store, monkeypatch):
    fill(store, TAXA)
    every = threading.Barrier(4)
    with ThreadPoolExecutor(4) as pool:
        # Each thread opens its connection first, which forgets what was remembered before.
        list(pool.map(lambda _: (store.find("cat"), every.wait()), range(4)))
        store.find("mouse")
        asked = []
        rows = SqliteTermStore._rows
        monkeypatch.setattr(
            SqliteTermStore, "_rows", lambda self, *a: asked.append(a) or rows(self, *a)
        )
        list(pool.map(lambda _: store.find("mouse"), range(200)))
    assert asked == []


def test_readers_see_whole_versions_only(store):
    fill(store, TAXA)
    allowed = {0, 6}
    seen = set()
    stop = threading.Event()

    def read():
        while not stop.is_set():
            seen.add(len(store.descendants("NCBITaxon:33208")))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        for turn in range(10):
            fill(store, TAXA if turn % 2 else [term("NCBITaxon:1", "root")])
            if turn % 2 == 0:
                # ncbitaxon is replaced, so that Metazoa is unknown until the next turn
                assert store.descendants("NCBITaxon:33208") == frozenset()
    finally:
        stop.set()
        thread.join()
    assert seen <= allowed


def test_term_defined_twice_is_merged_and_noted(store):
    twice = [term("CL:1", "cell", "CL:0"), term("CL:1", "cell", "CL:2")]
    summary = store.load(document("cl", twice))
    assert summary.terms == 1
    assert store.ancestors("CL:1") == {"CL:0", "CL:2"}
    assert any("twice" in line for line in summary.skipped)


def test_opening_is_quick(tmp_path):
    path = tmp_path / FILE_NAME
    store = fill(SqliteTermStore(path), [term(f"X:{n}", f"name {n}", "X:0") for n in range(20_000)])
    store.close()
    start = time.process_time()
    again = SqliteTermStore(path)
    again.find("name 7")
    assert time.process_time() - start < 0.2
    assert len(again.descendants("X:0")) == 20_000
    again.close()


def test_file_that_is_no_database_is_named(tmp_path):
    path = tmp_path / FILE_NAME
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreCorrupt) as error:
        SqliteTermStore(path)
    assert str(path) in str(error.value)
    assert error.value.hint


def test_other_database_is_left_alone(tmp_path):
    path = tmp_path / FILE_NAME
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE mine(x)")
    connection.commit()
    connection.close()
    with pytest.raises(StoreCorrupt, match="no term store"):
        SqliteTermStore(path)


def test_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="folder"):
        SqliteTermStore(tmp_path / "file" / "sub" / FILE_NAME)


def test_two_openings_of_a_new_file_at_once(tmp_path):
    opened = []
    threads = [
        threading.Thread(target=lambda: opened.append(SqliteTermStore(tmp_path / FILE_NAME)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 8
    for store in opened:
        store.close()


@pytest.mark.parametrize(
    ("text", "curie"),
    [
        ("S. pombe", "NCBITaxon:4896"),
        ("U-2 OS", "EFO:0002869"),
        ("CLSM", "FBbi:00000251"),
        ("patient", None),
        ("HeLa", "EFO:0001185"),
    ],
)
def test_what_people_call_terms(tmp_path, text, curie):
    store = open_terms(Settings(data_dir=tmp_path))
    found = store.also_called(text)
    store.close()
    assert [match.curie for match in found] == ([curie] if curie else [])
