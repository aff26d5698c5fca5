"""What commands print: words from archives cannot take over a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parfocal.printing import print_table, say, visible

HOSTILE = "a\x1b[2J\x1b]0;owned\x07b\x9b31mc\u202ed\re"


def test_terminal_is_not_told_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    say(HOSTILE)
    say(HOSTILE, err=True)
    print_table(("title",), [(HOSTILE,)])
    said = capsys.readouterr()
    for text in (said.out, said.err):
        assert not set(text) & set("\x1b\x07\x9b\u202e\r")
        assert "owned" in text


def test_lines_and_the_scripts_of_the_world_stay(capsys: pytest.CaptureFixture[str]) -> None:
    say("une cellule\n\tβ-actin 細胞 תא 🧬")
    assert capsys.readouterr().out == "une cellule\n\tβ-actin 細胞 תא 🧬\n"


@given(st.text())
def test_nothing_that_controls_is_left(text: str) -> None:
    assert not any((ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160 for c in visible(text))
