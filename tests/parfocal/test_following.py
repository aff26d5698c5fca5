from importlib import resources

import pytest

from parfocal.catalogue import Catalogue
from parfocal.config import Settings
from parfocal.errors import IndexUnavailable, StoreError
from parfocal.followers import rebuild
from parfocal.harvesting import harvest
from parfocal.model import ANONYMOUS, Viewer
from parfocal.query import Query

GRAPHS = "SELECT (COUNT(DISTINCT ?g) AS ?n) { GRAPH ?g { ?s ?p ?o } }"


@pytest.fixture
def settings(tmp_path):
    crates = str(resources.files("parfocal") / "data" / "demo" / "crates")

    def make(access=()):
        source = {"name": "crates", "kind": "rocrate", "path": crates, "access": access}
        return Settings.model_validate({"data_dir": tmp_path / "data", "sources": [source]})

    return make


def run(settings):
    with Catalogue.open(settings) as catalogue:
        return list(harvest(catalogue))


def seen(settings, viewer=ANONYMOUS):
    with Catalogue.open(settings, read_only=True) as catalogue:
        graphs = catalogue.sparql(GRAPHS, viewer, accept="text/csv").content.split()[1]
        return catalogue.count(Query(), viewer), int(graphs)


def lose_store(settings):
    for file in settings.data_dir.glob("parfocal.sqlite*"):
        file.unlink()


def test_a_lost_store_leaves_nothing_of_the_old_one_behind(settings):
    run(settings())
    assert seen(settings()) == (3, 3)
    lose_store(settings())
    private = settings(("lab",))
    run(private)
    assert seen(private) == (0, 0)
    assert seen(private, Viewer(frozenset({"lab"}))) == (3, 3)


def test_a_damaged_graph_is_rebuilt_by_the_next_harvest(settings):
    run(settings())
    for file in settings().data_dir.glob("graph/public/checkpoint-*/*.sst"):
        file.write_bytes(b"nonsense")
    run(settings())
    assert seen(settings()) == (3, 3)


def test_reading_with_another_stores_index_is_refused(settings):
    run(settings())
    lose_store(settings())
    with pytest.raises(StoreError, match="nothing here yet"):
        Catalogue.open(settings(), read_only=True)
    with Catalogue.open(settings()) as empty, pytest.raises(IndexUnavailable) as caught:
        empty.count(Query(), ANONYMOUS)
    assert "reindex index" in caught.value.hint


def test_a_store_put_back_from_a_backup_is_followed_again(settings, tmp_path):
    run(settings())
    old = (settings().data_dir / "parfocal.sqlite").read_bytes()
    run(settings(("lab",)))
    assert seen(settings(("lab",))) == (0, 0)
    lose_store(settings())
    (settings().data_dir / "parfocal.sqlite").write_bytes(old)
    with Catalogue.open(settings()) as catalogue, pytest.raises(IndexUnavailable):
        catalogue.count(Query(), ANONYMOUS)
    run(settings())
    assert seen(settings()) == (3, 3)


@pytest.mark.parametrize("part", ["search", "graph"])
def test_a_missing_projection_is_told_and_rebuilt(settings, part):
    import shutil

    run(settings())
    shutil.rmtree(settings().data_dir / part)
    with pytest.raises(IndexUnavailable, match="not built yet"):
        seen(settings())
    run(settings())
    assert seen(settings()) == (3, 3)


def test_a_damaged_index_is_rebuilt_before_anything_is_read(settings):
    run(settings())
    for file in (settings().data_dir / "search").iterdir():
        file.write_bytes(b"nonsense")
    (report,) = run(settings())
    assert report.state == "complete"
    assert seen(settings()) == (3, 3)


def test_reindex_builds_anew(settings):
    run(settings())
    with Catalogue.open(settings()) as catalogue:
        rebuild(catalogue, ("index", "graph"))
    assert seen(settings()) == (3, 3)
