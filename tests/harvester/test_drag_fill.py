"""Columns of accessions that count up are noticed; honest ones are left alone."""

import time

from harvester.idr.drag_fill import find_drag_fill


def column(text: str, *numbers: int) -> list[tuple[str, str]]:
    return [(text, f"EFO_{number:07d}") for number in numbers]


def test_most_common_accession_is_believed() -> None:
    found = find_drag_fill(column("HeLa", 5, 5, 5, 6, 7, 8))
    assert found
    assert {accession for _, accession in found.doubted} == {
        "EFO_0000006",
        "EFO_0000007",
        "EFO_0000008",
    }
    assert (found.first, found.last, found.rows) == (3, 5, 3)


def test_a_column_that_only_counts_is_doubted_whole() -> None:
    found = find_drag_fill(column("HeLa", 5, 6, 7))
    assert found
    assert found.rows == 3


def test_counting_in_larger_steps() -> None:
    found = find_drag_fill(column("Tail", *[15] * 9, 19, 24, 29))
    assert found
    assert found.rows == 3


def test_different_texts_may_count() -> None:
    assert find_drag_fill([(f"text {n}", f"EFO_{n}") for n in range(50)]) is None


def test_one_text_with_two_terms_far_apart_is_left_alone() -> None:
    assert find_drag_fill(column("wing", 5, 5, 900, 5, 900)) is None


def test_empty_texts_and_empty_accessions_are_left_alone() -> None:
    assert find_drag_fill([("", f"EFO_{n}") for n in range(9)]) is None
    assert find_drag_fill([("HeLa", "")] * 9) is None
    assert find_drag_fill([]) is None


def test_many_texts_take_no_longer_than_rows() -> None:
    cells = [(f"text {n // 2}", f"EFO_{n % 2 + 1}") for n in range(200_000)]
    started = time.monotonic()
    assert find_drag_fill(cells)
    assert time.monotonic() - started < 10
