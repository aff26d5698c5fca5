"""robots.txt as RFC 9309 has it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.asking.robots import Rules

TEXT = """
# everybody
User-agent: *
Disallow: /private
Allow: /private/open
Disallow: /*.pdf$
Disallow: /a*b*c

User-agent: Other
User-agent: Parfocal  # us
Disallow: /only-us
Allow:
"""


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/", True),
        ("/private", False),
        ("/private/x", False),
        ("/private/open/x", True),
        ("/x.pdf", False),
        ("/x.pdf?y", True),
        ("/a1b2c3", False),
        ("/acb", True),
        ("/only-us", True),
    ],
)
def test_longest_rule_decides(path: str, allowed: bool) -> None:
    assert Rules(TEXT, "unknown/1").allow(path) is allowed


def test_own_group_counts_alone() -> None:
    rules = Rules(TEXT, "parfocal/1.0 (+me)")
    assert not rules.allow("/only-us")
    assert rules.allow("/private")


def test_no_rules_allow_all() -> None:
    assert Rules("", "parfocal/1").allow("/x")
    assert Rules("User-agent: *\nDisallow:", "parfocal/1").allow("/x")


def test_hostile_pattern_takes_no_time() -> None:
    rules = Rules("User-agent: *\nDisallow: /" + "*a" * 200 + "b$", "parfocal/1")
    assert rules.allow("/" + "a" * 8000)


@given(st.text(max_size=80), st.text(max_size=20))
def test_any_text_gives_an_answer(text: str, path: str) -> None:
    assert Rules("User-agent: *\nDisallow: " + text, "parfocal/1").allow(path) in (True, False)
