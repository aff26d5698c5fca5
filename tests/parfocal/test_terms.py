import pytest

from parfocal.terms import MemoryTermStore
from parfocal.testing.terms import TermStoreContract


class TestMemoryTermStore(TermStoreContract):
    @pytest.fixture
    def make(self):
        return MemoryTermStore
