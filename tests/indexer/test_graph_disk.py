"""The store on disk: durable, followed by other processes, whole after kill -9."""

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

import msgspec
import pytest

from indexer.graph.oxigraph import OxigraphStore, open_graph
from indexer.graph.workers import Workers
from parfocal.config import Settings
from parfocal.errors import IndexUnavailable, SparqlTimeout, StoreLocked
from parfocal.model import ANONYMOUS, Access, Viewer
from parfocal.testing.graph import ENDLESS, rows, yes
from parfocal.testing.records import LAB, all_samples, changes, image, private, study, well
from parfocal.values import Change

COUNT = "SELECT (COUNT(*) AS ?n) { GRAPH ?g { ?s ?p ?o } }"


@pytest.fixture(scope="module")
def workers():
    workers = Workers()
    yield workers
    workers.close()


def settings_of(path, *groups, base_url=""):
    viewers = [{"name": "V", "token": f"secret-{n}", "groups": g} for n, g in enumerate(groups)]
    return Settings.model_validate(
        {"data_dir": path, "server": {"viewers": viewers, "base_url": base_url}}
    )


@pytest.fixture
def settings(tmp_path):
    return settings_of(tmp_path, ["lab"])


@pytest.fixture
def store(settings, workers):
    store = OxigraphStore(settings, workers)
    yield store
    store.close()


def test_opening_touches_nothing(settings, tmp_path):
    open_graph(settings).close()
    assert list(tmp_path.iterdir()) == []


def test_what_was_applied_is_there_after_reopening(store, settings, workers):
    store.apply(changes(*all_samples()), 50)
    before = rows(store, COUNT, LAB)
    store.close()
    again = OxigraphStore(settings, workers)
    assert again.revision() == 50
    assert rows(again, COUNT, LAB) == before
    again.close()


def test_others_read_while_one_writes(store, settings, workers):
    store.apply(changes(study()), 1)
    reader = OxigraphStore(settings, workers)
    assert yes(reader, "ASK { ?s ?p ?o }")
    store.apply([Change(revision=2, seq=2, id=image().id, record=image())], 2)
    assert reader.revision() == 2
    assert yes(reader, "ASK { ?s a ome:Image }")
    reader.close()


def test_a_second_writer_is_told_to_wait(store, settings):
    store.apply(changes(study()), 1)
    other = open_graph(settings)
    with pytest.raises(StoreLocked) as caught:
        other.apply(changes(image()), 2)
    assert caught.value.retryable
    store.close()
    other.apply([Change(revision=2, seq=2, id=image().id, record=image())], 2)
    assert other.revision() == 2
    other.close()


def test_readers_see_nothing_of_a_half_applied_change(store, settings, workers):
    def broken():
        yield from changes(study())
        raise RuntimeError("the log cannot be read")

    with pytest.raises(RuntimeError):
        store.apply(broken(), 1)
    assert store.revision() == 0
    assert not yes(store, "ASK { ?s ?p ?o }")


def checkpoints(path):
    return sorted(p.name for p in path.glob("graph/public/checkpoint-*"))


def test_old_checkpoints_are_removed_when_nobody_reads_them(store, tmp_path):
    for revision in range(1, 6):
        record = msgspec.structs.replace(study(), title=f"title {revision}")
        store.apply([Change(revision=revision, seq=1, id=record.id, record=record)], revision)
    assert len(checkpoints(tmp_path)) == 1


def test_a_checkpoint_stays_while_a_query_runs_on_it(store, tmp_path):
    store.apply(changes(*all_samples()), 50)
    yes(store, "ASK {}")
    failures = []

    def ask():
        try:
            store.query(ENDLESS, ANONYMOUS, timeout=1.5)
        except SparqlTimeout as error:
            failures.append(error)

    runner = threading.Thread(target=ask)
    runner.start()
    time.sleep(0.5)
    held = checkpoints(tmp_path)
    store.apply([Change(revision=51, seq=4, id=image().id, record=None)], 51)
    assert set(held) < set(checkpoints(tmp_path))
    runner.join()
    assert "stopped after 1.5 s" in str(failures[0])
    store.apply([Change(revision=52, seq=3, id=well().id, record=None)], 52)
    assert len(checkpoints(tmp_path)) == 1


def test_a_resent_record_is_not_written_again(store):
    store.apply(changes(study(), image()), 2)
    resent = Change(revision=2, seq=2, id=image().id, record=image(), ancestors=(study(),))
    store.apply([Change(revision=3, seq=1, id=study().id, record=study()), resent], 3)
    assert store.revision() == 3
    assert yes(store, "ASK { ?s a ome:Image }")


def test_a_damaged_store_says_so_and_is_built_anew(store, settings, tmp_path, workers):
    store.apply(changes(study()), 1)
    store.close()
    for file in (tmp_path / "graph/public/store").glob("*"):
        file.write_bytes(b"damaged")
    broken = OxigraphStore(settings, workers)
    with pytest.raises(IndexUnavailable) as caught:
        broken.apply([Change(revision=2, seq=2, id=image().id, record=image())], 2)
    assert caught.value.hint == "run: parfocal reindex graph"
    broken.clear()
    broken.apply(changes(study()), 1)
    assert yes(broken, "ASK { ?s ?p ?o }")
    broken.close()


def checkpoint_files(path):
    return sorted(path.glob("graph/public/checkpoint-*/*.sst"))


def many():
    """So many quads that they lie in files of their own."""
    records = (msgspec.structs.replace(image(), id=f"lab:m{n}") for n in range(400))
    return changes(study(), *records)


@pytest.mark.parametrize("asked_before", [True, False])
def test_a_damaged_checkpoint_is_no_mistake_of_the_query(store, tmp_path, asked_before):
    store.apply(many(), 500)
    if asked_before:
        assert yes(store, "ASK { ?s ?p ?o }")
        store.close()
    for file in checkpoint_files(tmp_path):
        file.write_text("x\n")
    with pytest.raises(IndexUnavailable, match="the graph cannot be used") as caught:
        rows(store, COUNT)
    assert (caught.value.exit_code, caught.value.hint) == (4, "run: parfocal reindex graph")
    with pytest.raises(IndexUnavailable):
        store.check()
    store.clear()
    store.apply(many(), 500)
    store.check()
    assert yes(store, "ASK { ?s ?p ?o }")


def test_damage_under_a_running_query_process_is_found(store, tmp_path):
    store.apply(many(), 500)
    assert yes(store, "ASK { ?s ?p ?o }")
    for file in checkpoint_files(tmp_path):
        with file.open("r+b") as opened:
            opened.write(b"x" * file.stat().st_size)
    failed = []
    for query in (COUNT, "SELECT * { ?s ?p ?o }"):
        try:
            rows(store, query)
        except IndexUnavailable as error:
            failed.append(error.hint)
    assert failed == ["run: parfocal reindex graph"] * 2
    store.clear()
    store.apply(many(), 500)
    assert len(rows(store, "SELECT ?r { ?r a ome:Image }")) == 400


def test_a_store_that_is_gone_is_not_begun_anew(store, settings, tmp_path, workers):
    store.apply(changes(study()), 1)
    store.close()
    shutil.rmtree(tmp_path / "graph/public/store")
    again = OxigraphStore(settings, workers)
    with pytest.raises(IndexUnavailable, match="gone"):
        again.apply([Change(revision=2, seq=2, id=image().id, record=image())], 2)
    again.close()


def test_an_empty_store_passes_its_check(store):
    store.check()


def test_a_damaged_state_means_building_anew(store, settings, tmp_path):
    store.apply(changes(study()), 1)
    (tmp_path / "graph/public/state.json").write_text("{")
    assert store.revision() == 0


# ---------------------------------------------------------------- audiences


def test_a_viewer_of_several_groups_sees_what_any_of_them_sees(tmp_path, workers):
    other = msgspec.structs.replace(private(), id="lab:2", title="Other", access=Access(("b",)))
    store = OxigraphStore(settings_of(tmp_path, ["lab"], ["lab", "b"], ["b"]), workers)
    store.apply(changes(study(), private(), other), 3)
    titles = "SELECT ?t { ?r a ome:Image ; schema:name ?t }"

    def seen(*groups):
        return {row["t"] for row in rows(store, titles, Viewer(frozenset(groups)))}

    assert seen() == set()
    assert seen("lab") == {"Unpublished spindle"}
    assert seen("b") == {"Other"}
    assert seen("lab", "b") == seen("lab", "b", "c") == {"Unpublished spindle", "Other"}
    assert seen("c") == set()
    store.close()


def test_a_new_audience_is_filled_from_the_beginning(store, tmp_path, workers):
    log = changes(study(), private())
    store.apply(log, 2)
    store.close()
    wider = OxigraphStore(settings_of(tmp_path, ["lab"], ["lab", "b"]), workers)
    assert wider.revision() == 0
    wider.apply(log, 2)
    assert wider.revision() == 2
    assert yes(wider, 'ASK { ?s ?p "SECRET1" }', Viewer(frozenset({"lab", "b"})))
    assert len(rows(wider, "SELECT DISTINCT ?g { GRAPH ?g { ?s ?p ?o } }")) == 1
    wider.close()


def test_a_new_audience_sees_what_is_public_until_it_is_filled(store, tmp_path, workers):
    store.apply(changes(study(), private()), 2)
    reader = OxigraphStore(settings_of(tmp_path, ["lab"], ["new"]), workers)
    assert len(rows(reader, "SELECT DISTINCT ?g { GRAPH ?g { } }", Viewer(frozenset({"new"})))) == 1
    reader.close()


def test_an_audience_that_is_no_longer_configured_is_removed(store, tmp_path, workers):
    store.apply(changes(private()), 1)
    store.close()
    assert list((tmp_path / "graph").glob("groups-*"))
    less = OxigraphStore(settings_of(tmp_path), workers)
    less.apply(changes(study()), 2)
    assert not list((tmp_path / "graph").glob("groups-*"))
    less.close()


# ---------------------------------------------------------------- kill -9

WRITER = """
import sys, msgspec
from pathlib import Path
from indexer.graph.oxigraph import open_graph
from parfocal.config import Settings
from parfocal.values import Change
from parfocal.testing.records import well

def log(until):
    for number in range(1, until + 1):
        title = f"well {number % 400} of round {number // 400}"
        record = msgspec.structs.replace(well(), id=f"lab:{number % 400}", title=title)
        yield Change(revision=number, seq=number % 400, id=record.id, record=record)

store = open_graph(Settings(data_dir=Path(sys.argv[1])))
print("ready", flush=True)
for revision in range(store.revision() + 100, 2001, 100):
    store.apply((c for c in log(revision) if c.revision > revision - 100), revision)
store.close()
print("done", flush=True)
"""


def written(path):
    return subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)


def titles(path, workers):
    store = OxigraphStore(Settings(data_dir=path), workers)
    everything = store.query("CONSTRUCT { ?s ?p ?o } { ?s ?p ?o }", ANONYMOUS, accept="text/plain")
    graphs = rows(store, "SELECT ?g (COUNT(*) AS ?n) { GRAPH ?g { ?s ?p ?o } } GROUP BY ?g")
    store.close()
    return set(everything.content.splitlines()), sorted((r["g"], r["n"]) for r in graphs)


@pytest.mark.slow
def test_kill_9_at_random_moments_loses_nothing(tmp_path, workers):
    with written(tmp_path / "whole") as process:
        assert process.wait() == 0
    chance = random.Random(9)
    killed = 0
    for _ in range(12):
        with written(tmp_path / "killed") as process:
            process.stdout.readline()
            time.sleep(chance.uniform(0, 0.25))
            killed += process.poll() is None
            os.kill(process.pid, signal.SIGKILL)
    with written(tmp_path / "killed") as process:
        assert process.wait() == 0
    assert killed > 3
    assert titles(tmp_path / "killed", workers) == titles(tmp_path / "whole", workers)


def test_workers_end_with_their_store(settings):
    store = open_graph(settings)
    store.apply(changes(study()), 1)
    yes(store, "ASK {}")
    pids = [worker._process.pid for worker in store._queries._workers._alive]
    store.close()
    assert pids
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
