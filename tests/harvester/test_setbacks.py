"""One bad item is a problem; a server that is down ends the walk."""

from __future__ import annotations

import pytest

from harvester.asking.connection import Failed
from harvester.asking.setbacks import IN_A_ROW, Setbacks
from parfocal.errors import SourceMalformed, SourceRefused, SourceUnavailable

GONE = SourceUnavailable("no answer", where="https://archive.example/7", hint="later")


def test_bad_item_is_a_problem_that_names_it() -> None:
    problem = Setbacks().problem("7", GONE)
    assert (problem.item, problem.reason, problem.place) == ("7", "no answer", GONE.where)


def test_server_that_is_down_ends_the_walk() -> None:
    setbacks = Setbacks()
    for number in range(IN_A_ROW - 1):
        setbacks.problem(str(number), GONE)
    with pytest.raises(SourceUnavailable):
        setbacks.problem("last", GONE)


def test_success_between_them_counts() -> None:
    setbacks = Setbacks()
    for number in range(10 * IN_A_ROW):
        setbacks.problem(str(number), GONE)
        setbacks.success()


@pytest.mark.parametrize("error", [SourceRefused("no"), SourceMalformed("rubbish"), Failed("500")])
def test_server_that_answers_badly_is_up(error: SourceRefused) -> None:
    setbacks = Setbacks()
    for number in range(3 * IN_A_ROW):
        assert setbacks.problem(str(number), error).severity == "error"
