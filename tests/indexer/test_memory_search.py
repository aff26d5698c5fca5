"""The memory engine keeps the contract that it is the reference of."""

import pytest

from indexer.search.memory import MemoryIndex
from parfocal.testing.search import SearchIndexContract


class TestMemoryIndex(SearchIndexContract):
    examples = 20

    @pytest.fixture
    def index(self) -> MemoryIndex:
        return MemoryIndex()

    @pytest.fixture
    def reference(self) -> MemoryIndex:
        return MemoryIndex()
