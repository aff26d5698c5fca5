"""Rules of text: they hold for every text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from indexer.search.tantivy_document import sortable
from indexer.texts import CONTAINS_LIMIT, TEXT_LIMIT, Cache, bounded, comparable, pieces, words

TEXTS = st.text(max_size=40)


@given(TEXTS)
def test_comparable_texts_have_no_control_character_and_stay_as_they_are(text: str) -> None:
    once = comparable(text)
    assert comparable(once) == once
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in once)


@given(st.integers(0, 9000), st.integers(1, CONTAINS_LIMIT))
def test_whatever_is_looked_for_lies_in_one_piece(start: int, length: int) -> None:
    text = "".join(chr(0x4E00 + n % 5000) for n in range(10_000))
    wanted = text[start : start + length]
    assert any(wanted in piece for piece in pieces(text))
    assert all(len(piece) <= TEXT_LIMIT for piece in pieces(text))


def test_bounded_texts_differ_when_the_texts_do() -> None:
    one, other = "a" * 100_000 + "b", "a" * 100_000 + "c"
    assert bounded(one) != bounded(other)
    assert len(bounded(one).encode()) < 32_766 // 2


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_sortable_sorts_like_the_number(one: float, other: float) -> None:
    assert (sortable(one) < sortable(other)) == (one < other)


def test_words_split_at_what_is_no_letter_or_digit() -> None:
    assert words("HeLa_H2B-GFP 5µm") == ["hela", "h2b", "gfp", "5μm"]


def test_a_cache_forgets_when_full_and_keeps_nothing_large() -> None:
    made: list[int] = []
    cache = Cache(lambda key: made.append(key) or key * 2, 2)
    assert [cache(1), cache(1), cache(2), cache(3), cache(1)] == [2, 2, 4, 6, 2]
    assert made == [1, 2, 3, 1]
    assert cache(9, keep=False) == 18
    assert 9 not in cache.kept
