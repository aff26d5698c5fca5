"""Drafts: TOML there and back, errors with lines."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parfocal.errors import ConfigError
from publish.draft import Article, Creator, Draft, Term, line_of, parse_draft, read_draft
from publish.draft_text import write_draft

_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
_TEXTS = st.lists(_TEXT, max_size=3).map(tuple)


def several(kind: type, *names: str) -> st.SearchStrategy:
    return st.lists(st.builds(kind, **dict.fromkeys(names, _TEXT)), max_size=2).map(tuple)


@settings(max_examples=60, deadline=None)
@given(
    st.builds(
        Draft,
        **dict.fromkeys(
            ("key", "title", "description", "licence", "publisher", "date", "folder"), _TEXT
        ),
        keywords=_TEXTS,
        funding=_TEXTS,
        records=_TEXTS,
        creators=several(Creator, "name", "given_name", "family_name", "orcid", "email"),
        organisms=several(Term, "term", "label"),
        methods=several(Term, "term", "label"),
        subjects=several(Term, "term", "label"),
        publications=several(Article, "title", "doi", "url"),
    )
)
def test_draft_reads_back(draft: Draft) -> None:
    again = parse_draft(write_draft(draft))
    assert again == draft
    assert again.digest == draft.digest


def test_empty_draft_says_what_is_required() -> None:
    text = write_draft(Draft())
    assert parse_draft(text) == Draft()
    assert text.count("# Required") >= 8
    assert "# [[creators]]" in text


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('title = "a"\nlicense = "CC0-1.0"\n', 2, "unknown member 'license'"),
        ('title = "a"\n\ndate = 2026-01-01\n', 3, "date"),
        ('title = "a"\nkeywords = "b"\n', 2, "keywords"),
        ('[[creators]]\nname = "A"\n[[creators]]\nnam = "B"\n', 4, "creators[1].nam"),
        ('[[creators]]\nname = "A"\n[[organisms]]\nterm = 9606\n', 4, "organisms[0].term"),
        ('creators = ["A"]\n', 1, "creators"),
        ('title = "a\n', 1, "not valid TOML"),
        ("title = 'a'\ntitle = 'b'\n", 2, "not valid TOML"),
        ("a = " + "[" * 100_000, 0, "not valid TOML"),
        ("\x00", 1, "not valid TOML"),
    ],
)
def test_errors_name_member_and_line(text: str, line: int, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_draft(text, "d.toml")
    assert message in caught.value.message
    assert caught.value.where == (f"d.toml:{line}" if line else "d.toml")
    assert caught.value.hint


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b'key = "a"\ntitle = "caf\xe9"\n')
    with pytest.raises(ConfigError, match="not UTF-8") as caught:
        read_draft(latin)
    assert caught.value.where == f"{latin}:2"
    huge = tmp_path / "huge.toml"
    huge.write_bytes(b"#" * 5_000_001)
    for path, message in ((tmp_path / "none", "no such"), (tmp_path, "read"), (huge, "at most")):
        with pytest.raises(ConfigError, match=message):
            read_draft(path)


def test_line_of_members() -> None:
    text = 'title = "a"\n[[creators]]\nname = "x"\n[[creators]]\nname = "y"\norcid = "z"\n'
    assert line_of(text, "title") == 1
    assert line_of(text, "creators[1].orcid") == 6
    assert line_of(text, "creators[1].email") == 4
    assert line_of(text, "nothing") == 0
