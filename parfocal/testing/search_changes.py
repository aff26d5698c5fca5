"""The part of the search contract about changes, what lasts, and hostile texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import pytest

from parfocal.identifiers import RecordId
from parfocal.interfaces import SearchIndex
from parfocal.model import ANONYMOUS, KeyValue
from parfocal.query import (
    FacetRequest,
    FieldContains,
    FieldIn,
    FieldRange,
    KeyMatch,
    Query,
    Token,
)
from parfocal.testing.searchable import HELD, LAB, archive, image, names, numbered, study
from parfocal.values import Change


class SearchChangesContract:
    """What every search index does when records come, change and go."""

    @pytest.fixture
    def index(self) -> SearchIndex:
        """Give an empty index."""
        raise NotImplementedError

    @pytest.fixture
    def reopened(self, index: SearchIndex) -> Callable[[], SearchIndex] | None:
        """Give a function that closes the index and opens it again; None if it does not last."""
        return None

    @pytest.fixture
    def filled(self, index: SearchIndex) -> SearchIndex:
        """Give the index with the sample archive in it."""
        index.apply(archive(), 20)
        return index

    def test_an_empty_index_answers(self, index: SearchIndex) -> None:
        page = index.search(Query(Token("x"), facets=(FacetRequest("gene"),)), ANONYMOUS)
        assert (page.total, page.matches, page.facets) == (0, (), {"gene": ()})
        assert index.revision() == 0

    def test_repeating_changes_changes_nothing(self, filled: SearchIndex) -> None:
        before = filled.search(Query(size=100), ANONYMOUS)
        filled.apply(archive(), 20)
        filled.apply([*archive(), *archive()], 21)
        again = filled.search(Query(size=100), ANONYMOUS)
        assert again.matches == before.matches
        assert filled.revision() == 21

    def test_a_changed_record_is_replaced_and_a_tombstone_removes(
        self, filled: SearchIndex
    ) -> None:
        changes = archive()
        w1 = next(change for change in changes if change.id.endswith("w1"))
        assert w1.record is not None
        changed = msgspec.structs.replace(w1.record, title="renamed", key_values=())
        filled.apply([msgspec.structs.replace(w1, record=changed)], 21)
        assert names(filled, Token("renamed")) == ["st/screen/w1"]
        assert names(filled, KeyMatch("gene symbol", "equals", ("cdk1",))) == ["st/screen/w3"]
        filled.apply([Change(22, w1.seq, w1.id, None), Change(22, 999, RecordId("s:no"), None)], 22)
        assert names(filled, FieldIn("type", ("well",))) == ["st/screen/w2", "st/screen/w3"]
        assert filled.revision() == 22

    def test_what_lies_in_a_changed_record_follows(self, filled: SearchIndex) -> None:
        changed = study("s", "st", "Renamed entirely", date="2021-02-03")
        resent = [
            msgspec.structs.replace(
                change,
                record=changed if change.id == changed.id else change.record,
                ancestors=tuple(changed if a.id == changed.id else a for a in change.ancestors),
            )
            for change in archive()
            if change.id.startswith("s:st")
        ]
        filled.apply(resent, 30)
        assert names(filled, Token("entirely")) == ["st", "st/screen", *HELD]
        assert names(filled, Token("assembly")) == []
        assert names(filled, FieldIn("organism", ("homo sapiens",))) == []
        assert len(names(filled, FieldRange("date", 20210203, 20210203))) == 5

    def test_clearing_empties(self, filled: SearchIndex) -> None:
        filled.clear()
        assert (filled.revision(), filled.count(Query(), LAB)) == (0, 0)
        filled.apply(archive(), 3)
        assert filled.count(Query(), ANONYMOUS) == 6

    def test_what_was_applied_lasts(
        self, filled: SearchIndex, reopened: Callable[[], SearchIndex] | None
    ) -> None:
        if reopened is None:
            pytest.skip("this index does not outlive its process")
        before = filled.search(Query(size=100), ANONYMOUS)
        again = reopened()
        assert again.revision() == 20
        assert again.search(Query(size=100), ANONYMOUS) == before

    def test_a_batch_that_breaks_leaves_nothing(
        self, filled: SearchIndex, reopened: Callable[[], SearchIndex] | None
    ) -> None:
        def breaking() -> Iterator[Change]:
            extra = image("u", "late", "halfway")
            yield Change(21, 500, extra.id, extra)
            raise RuntimeError("the store failed")

        with pytest.raises(RuntimeError, match="the store failed"):
            filled.apply(breaking(), 21)
        assert filled.revision() == 20
        assert names(filled, Token("halfway")) == []

    # -------------------------------------------------------------- hostile texts

    def test_long_values_are_found_exactly(self, index: SearchIndex) -> None:
        long = "".join(f"{number} " for number in range(20_000))
        other = long[:-2] + "x"
        one = image("s", "one", "One", KeyValue("Log", long), KeyValue("Gene Symbol", long))
        two = image("s", "two", "Two", KeyValue("Log", other), KeyValue("k" * 5000, "here"))
        index.apply(numbered([(one, ()), (two, ())]), 1)
        assert names(index, KeyMatch("log", "equals", (long,))) == ["one"]
        assert names(index, KeyMatch("log", "equals", (other,))) == ["two"]
        assert names(index, KeyMatch("log", "contains", ("3499 3500 3501",))) == ["one", "two"]
        assert names(index, KeyMatch("log", "contains", ("9998 1999x",))) == ["two"]
        assert names(index, KeyMatch(None, "contains", ("19998 19999",))) == ["one"]
        assert names(index, KeyMatch("log", "not_contains", ("19999",))) == ["two"]
        assert names(index, KeyMatch("k" * 5000, "equals", ("here",))) == ["two"]
        assert names(index, FieldIn("gene", (long,))) == ["one"]
        for not_in_it in ("\ufffd", "a", "f"):
            assert names(index, KeyMatch("log", "contains", (not_in_it,))) == []
        assert names(index, FieldContains("gene", "7777 7778")) == ["one"]
        assert names(index, Token("19998")) == ["one", "two"]

    def test_long_words_are_cut_alike(self, index: SearchIndex) -> None:
        word = "Z" * 100_000
        index.apply(numbered([(image("s", "one", word), ())]), 1)
        assert names(index, Token(word)) == ["one"]
        assert names(index, Token("z" * 50)) == []

    def test_no_character_is_special(self, index: SearchIndex) -> None:
        values = ['a.*+?()|[]{}^$\\"b', "nul\x00tab\tnew\nline", "😀 ملف שלום", "a*b?c", "<a&b>~@#"]
        records = [image("s", f"r{n}", v, KeyValue("K", v)) for n, v in enumerate(values)]
        index.apply(numbered([(record, ()) for record in records]), 1)
        for number, value in enumerate(values):
            for op in ("equals", "contains", "in"):
                for key in ("k", None):
                    assert names(index, KeyMatch(key, op, (value,))) == [f"r{number}"]
        for part in (".*", "+?(", "\\", '"', "😀", "ملف", "*b?", "&b>~@", "[]{}"):
            found = [f"r{n}" for n, value in enumerate(values) if part in value]
            assert names(index, KeyMatch("k", "contains", (part,))) == found
        assert names(index, Token("שלום")) == ["r2"]
