"""Elasticsearch: the contract on a real server, and clear words when there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from indexer.search.elastic import ElasticIndex, open_index
from indexer.search.memory import MemoryIndex
from parfocal.config import SearchSettings, Settings
from parfocal.errors import IndexUnavailable
from parfocal.model import ANONYMOUS
from parfocal.query import Query
from parfocal.testing.search import SearchIndexContract


@pytest.mark.server
class TestElasticIndex(SearchIndexContract):
    examples = 8

    @pytest.fixture
    def settings(self, elasticsearch_url: str) -> Settings:
        return Settings(search=SearchSettings(url=elasticsearch_url, index="contract"))

    @pytest.fixture
    def index(self, settings: Settings) -> Iterator[ElasticIndex]:
        index = open_index(settings)
        index.clear()
        yield index
        index.close()

    @pytest.fixture
    def reference(self) -> MemoryIndex:
        return MemoryIndex()

    @pytest.fixture
    def reopened(self, index: ElasticIndex, settings: Settings) -> Callable[[], ElasticIndex]:
        return lambda: open_index(settings)


def test_a_server_that_is_not_there_is_named() -> None:
    settings = Settings(search=SearchSettings(url="http://127.0.0.1:9"))
    index = open_index(settings)
    with pytest.raises(IndexUnavailable) as caught:
        index.search(Query(), ANONYMOUS)
    assert "127.0.0.1:9" in str(caught.value)
    assert "[search] url" in caught.value.hint
    index.close()
