"""Both triple stores under the contract."""

import pytest

from indexer.graph.oxigraph import MemoryGraph, OxigraphStore
from indexer.graph.workers import Workers
from parfocal.config import Settings
from parfocal.testing.graph import TripleStoreContract


@pytest.fixture
def settings(tmp_path):
    viewers = [{"name": "Lab", "token": "x" * 8, "groups": ["lab"]}]
    return Settings.model_validate(
        {"data_dir": tmp_path, "server": {"viewers": viewers}, "graph": {"memory_mb": 200}}
    )


@pytest.fixture(scope="module")
def workers():
    workers = Workers()
    yield workers
    workers.close()


class TestOxigraph(TripleStoreContract):
    @pytest.fixture
    def store(self, settings, workers):
        store = OxigraphStore(settings, workers)
        yield store
        store.close()


class TestMemory(TripleStoreContract):
    @pytest.fixture
    def store(self, settings, workers):
        store = MemoryGraph(settings, workers)
        yield store
        store.close()
