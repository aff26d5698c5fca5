"""The embedded engine: the contract, and what belongs to files and processes."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from indexer.search.memory import MemoryIndex
from indexer.search.tantivy import TantivyIndex, open_index
from parfocal.config import Settings
from parfocal.errors import IndexUnavailable, QueryInvalid
from parfocal.model import ANONYMOUS
from parfocal.query import Everything, Query, Token
from parfocal.testing.search import SearchIndexContract
from parfocal.testing.searchable import archive, image, names
from parfocal.values import Change


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "search"


class TestTantivyIndex(SearchIndexContract):
    examples = 60

    @pytest.fixture
    def index(self, folder: Path) -> Iterator[TantivyIndex]:
        index = TantivyIndex(folder)
        yield index
        index.close()

    @pytest.fixture
    def reference(self) -> MemoryIndex:
        return MemoryIndex()

    @pytest.fixture
    def reopened(self, index: TantivyIndex, folder: Path) -> Callable[[], TantivyIndex]:
        def reopen() -> TantivyIndex:
            index.close()
            return TantivyIndex(folder)

        return reopen


def test_it_lies_in_the_data_folder(tmp_path: Path) -> None:
    index = open_index(Settings(data_dir=tmp_path / "data"))
    assert not (tmp_path / "data").exists()
    index.apply(archive(), 4)
    assert (tmp_path / "data" / "search" / "meta.json").exists()
    index.close()


def test_a_reader_sees_what_another_commits_and_pages_on(folder: Path) -> None:
    writer, reader = TantivyIndex(folder), TantivyIndex(folder)
    assert reader.count(Query(), ANONYMOUS) == 0
    writer.apply(archive(), 20)
    page = reader.search(Query(Token("spindle"), size=2), ANONYMOUS)
    assert page.total == 5
    extra = image("u", "more", "spindle")
    writer.apply([Change(21, 50, extra.id, extra)], 21)
    rest = reader.search(Query(Token("spindle"), size=100, after=page.next), ANONYMOUS)
    assert (rest.total, len(rest.matches)) == (5, 3)
    assert reader.search(Query(Token("spindle")), ANONYMOUS).total == 6
    assert reader.revision() == 21
    writer.close()


def test_a_token_of_a_forgotten_state_is_refused(folder: Path) -> None:
    index = TantivyIndex(folder)
    index.apply(archive(), 20)
    token = index.search(Query(Token("spindle"), size=1), ANONYMOUS).next
    for number in range(21, 40):
        extra = image("u", f"x{number}", "spindle")
        index.apply([Change(number, number + 50, extra.id, extra)], number)
        index.count(Query(), ANONYMOUS)
    with pytest.raises(QueryInvalid, match="index changed") as caught:
        index.search(Query(Token("spindle"), size=1, after=token), ANONYMOUS)
    assert "sort=id" in caught.value.hint
    index.close()


def test_a_second_writer_is_told_to_wait(folder: Path) -> None:
    first, second = TantivyIndex(folder), TantivyIndex(folder)
    first.apply(archive(), 20)
    for attempt in (lambda: second.apply([], 21), second.clear):
        with pytest.raises(IndexUnavailable, match="another process is writing"):
            attempt()
    first.close()
    second.apply([], 21)
    assert second.revision() == 21
    second.close()


@pytest.mark.parametrize("damage", ["meta.json", "parfocal-index", "segments"])
def test_a_damaged_index_says_how_to_mend_it(folder: Path, damage: str) -> None:
    index = TantivyIndex(folder)
    index.apply(archive(), 20)
    index.close()
    damaged = [folder / damage] if damage != "segments" else sorted(folder.glob("*.term"))
    for path in damaged:
        path.write_bytes(b"garbage")
    index = TantivyIndex(folder)
    with pytest.raises(IndexUnavailable) as caught:
        index.search(Query(Token("spindle")), ANONYMOUS)
    assert "parfocal reindex" in caught.value.hint
    index.clear()
    assert (index.revision(), index.count(Query(), ANONYMOUS)) == (0, 0)
    index.apply(archive(), 7)
    assert names(index, Token("tubulin")) == ["st/screen/w2"]
    index.close()


def test_a_reader_survives_that_the_index_is_made_anew(folder: Path) -> None:
    writer, reader = TantivyIndex(folder), TantivyIndex(folder)
    writer.apply(archive(), 20)
    assert reader.count(Query(), ANONYMOUS) == 6
    writer.close()
    (folder / "parfocal-index").write_text("0")
    writer.clear()
    writer.apply(archive()[:1], 1)
    assert reader.count(Query(), ANONYMOUS) == 1
    writer.close()


KILLED = """
import os, signal, sys
from pathlib import Path
from indexer.search.tantivy import TantivyIndex
from parfocal.testing.searchable import archive
index = TantivyIndex(Path(sys.argv[1]))
index.apply(archive()[:3], 3)
def dying():
    yield from archive()[3:]
    os.kill(os.getpid(), signal.SIGKILL)
index.apply(dying(), 20)
"""


def test_killed_in_a_batch_it_is_at_the_revision_before(folder: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder)], check=False)
    assert done.returncode == -signal.SIGKILL
    index = TantivyIndex(folder)
    assert (index.revision(), index.count(Query(Everything()), ANONYMOUS)) == (3, 3)
    index.apply(archive(), 20)
    assert index.count(Query(), ANONYMOUS) == 6
    index.close()
