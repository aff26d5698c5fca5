import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ontology.reliability import ENOUGH, Answer, bins_of, plot_words, reliability_plot

SVG = "{http://www.w3.org/2000/svg}"
ANSWERS = st.lists(
    st.builds(Answer, st.floats(0.01, 1.0), st.booleans(), st.floats(0.1, 1.0)), max_size=80
)


def answers(score, right, wrong):
    return [Answer(score, True, 1.0)] * right + [Answer(score, False, 1.0)] * wrong


def test_a_bin_holds_answers_of_one_score():
    low, high = bins_of([*answers(0.9, 45, 5), *answers(0.6, 30, 20)])
    assert (low.lowest, low.highest, low.mean, low.pairs, low.right) == (0.6, 0.6, 0.6, 50, 0.6)
    assert (high.mean, high.right) == (0.9, 0.9)
    assert high.likely[0] == pytest.approx(0.786, abs=0.001)
    assert high.likely[1] == pytest.approx(0.957, abs=0.001)


def test_small_and_near_groups_are_put_together():
    few = bins_of([*answers(0.6, 3, 0), *answers(0.75, 12, 0), *answers(0.95, 2, 0)])
    assert [(one.lowest, one.highest, one.pairs) for one in few] == [(0.6, 0.95, 17)]
    near = bins_of([*answers(0.94, 50, 0), *answers(0.95, 50, 0)])
    assert len(near) == 1


@given(ANSWERS)
def test_no_answer_is_lost_and_bins_do_not_overlap(given_answers):
    bins = bins_of(given_answers)
    assert sum(one.pairs for one in bins) == pytest.approx(
        sum(one.weight for one in given_answers), abs=0.1
    )
    assert all(one.highest < other.lowest for one, other in pairwise(bins))
    assert len(bins) < 2 or all(one.pairs >= ENOUGH - 0.01 for one in bins)
    assert all(0 <= one.likely[0] <= one.likely[1] <= 1 for one in bins)


@given(ANSWERS)
def test_a_plot_is_a_drawing_with_words(given_answers):
    bins = bins_of(given_answers)
    drawn = ET.fromstring(reliability_plot(bins))
    assert drawn.find(f"{SVG}title").text
    assert drawn.find(f"{SVG}desc").text == plot_words(bins)
    assert len(drawn.findall(f".//{SVG}circle")) == len(bins)
    side = float(drawn.get("width"))
    assert all(0 < float(one.get("cx")) < side for one in drawn.iter(f"{SVG}circle"))
