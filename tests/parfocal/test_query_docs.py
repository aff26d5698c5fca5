"""docs/query.md: every example parses, every operator is in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from parfocal.query import Expand, FieldOp, KeyOp
from parfocal.query_json import read_json
from parfocal.query_text import format_query, parse_query

TEXT = (Path(__file__).parents[2] / "docs" / "query.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


EXAMPLES = [
    re.split(r" {3,}|(?<=\") {2}(?=[a-z])", line)[0].rstrip()
    for block in blocks("query")
    for line in block.splitlines()
]


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 50
    assert len(blocks("json")) == 2


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_parses_and_prints(example: str) -> None:
    query = parse_query(example)
    printed = format_query(query)
    assert format_query(parse_query(printed)) == printed


@pytest.mark.parametrize("block", blocks("json"))
def test_every_json_example_parses(block: str) -> None:
    assert read_json(block).where


@pytest.mark.parametrize("word", [*get_args(FieldOp), *get_args(KeyOp), *get_args(Expand)])
def test_every_operator_is_named(word: str) -> None:
    assert f"`{word}`" in TEXT or word in TEXT.split("## About")[1]
