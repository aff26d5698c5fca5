"""Sidecar files of folders of images."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.formats.sidecar import Rules, read_csv, read_toml
from parfocal.errors import SourceMalformed
from parfocal.model import KeyValue

TOML = b"""
[dataset]
title = "Cells"
authors = ["Ada", {name = "Ben", orcid = "orcid.org/0000-0002-1825-0097", affiliation = "I"}]
licence = "CC BY 4.0"
date = 2024-05-06
doi = "https://doi.org/10.1234/ABC"
keywords = ["a", "b"]
access = ["lab"]
Organism = "Homo sapiens"
Dose = [1, 2.5]
[[dataset.publications]]
title = "Paper"
doi = "10.1/x"

[[files]]
pattern = "*.tif"
"Gene Symbol" = "CDK1"
"""


def test_data_set_of_toml() -> None:
    facts = read_toml(TOML).dataset
    assert facts is not None
    assert (facts.title, facts.licence, facts.date) == ("Cells", "CC-BY-4.0", "2024-05-06")
    assert (facts.doi, facts.keywords, facts.access) == ("10.1234/abc", ("a", "b"), ("lab",))
    assert [(a.name, a.orcid, a.affiliation) for a in facts.authors] == [
        ("Ada", "", ""),
        ("Ben", "0000-0002-1825-0097", "I"),
    ]
    assert facts.pairs == (
        KeyValue("Organism", "Homo sapiens"),
        KeyValue("Dose", "1"),
        KeyValue("Dose", "2.5"),
    )


def test_settings_file_of_the_program_is_no_data_set() -> None:
    assert read_toml(b'data_dir = "x"\n[[sources]]\nname = "a"\n').dataset is None


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"[dataset]\ntitle = \n", "line 2, column 9"),
        (b"[dataset]\ntitle = 'a", "line 2"),
        (b"[dataset]\ntitle = '\xff'", "line 2"),
        (b"dataset = 3", "dataset"),
        (b"[dataset]\nauthors = 'Ada'", "dataset.authors"),
        (b"[dataset]\nauthors = [3]", "dataset.authors[0]"),
        (b"[dataset]\nauthors = [{name = 'A', orcid = '1'}]", "dataset.authors[0].orcid"),
        (b"[dataset]\ntitle = [1]", "dataset.title"),
        (b"[[files]]\nkey = 'a'", "files[0]"),
        (b"files = 3", "files"),
        (b"a = " + b"[" * 100_000, ""),
    ],
)
def test_wrong_toml_says_where(content: bytes, place: str) -> None:
    with pytest.raises(SourceMalformed) as caught:
        read_toml(content)
    assert caught.value.where.startswith(place)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_table(delimiter: str, encoding: str) -> None:
    rows = [["File", "Zelle", "Größe"], ["a.tif", "HeLa", "5 µm"], ["*.tif", "", "x"]]
    text = "\r\n".join(delimiter.join(row) for row in rows)
    rules, problems = read_csv(text.encode(encoding))
    assert problems == ()
    assert rules.pairs("a.tif") == (
        KeyValue("Zelle", "HeLa"),
        KeyValue("Größe", "5 µm"),
        KeyValue("Größe", "x"),
    )
    assert rules.pairs("b.tif") == (KeyValue("Größe", "x"),)


def test_rows_that_do_not_fit_are_told_and_left_out() -> None:
    rules, problems = read_csv(b"file,k\na,1,2\n,5\nb,3\nc\n")
    assert [place for place, _ in problems] == ["line 2, column 3", "line 3, column 1"]
    assert rules.pairs("a") == ()
    assert rules.pairs("b") == (KeyValue("k", "3"),)


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"", "line 1, column 1"),
        (b"name,k\na,1\n", "line 1, column 1"),
        (b"file," * 1_000_000, "line 1"),
        (b'file,k\na,"' + b"x" * 200_000, "line 2"),
    ],
)
def test_wrong_tables_say_where(content: bytes, place: str) -> None:
    with pytest.raises(SourceMalformed) as caught:
        read_csv(content)
    assert caught.value.where.startswith(place)


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("a.tif", "a.tif", True),
        ("a.tif", "deep/a.tif", True),
        ("deep/a.tif", "a.tif", False),
        ("*.tif", "deep/a.tif", True),
        ("p.zarr/A/1", "p.zarr/A/1/0", True),
        ("p.zarr/A/1", "p.zarr/A/10/0", False),
        ("p.zarr/A/*", "p.zarr/A/10/0", True),
        ("p.zarr", "p.zarr/B/1/0", True),
        ("[", "a", False),
    ],
)
def test_patterns(pattern: str, path: str, fits: bool) -> None:
    pairs = (KeyValue("k", "v"),)
    assert Rules([(pattern, pairs)]).pairs(path) == (pairs if fits else ())


@given(st.binary(max_size=300), st.binary(max_size=100))
def test_any_content_is_read_or_malformed(start: bytes, end: bytes) -> None:
    for content in (start, b"file,a\n" + start, b"[dataset]\n" + end):
        for read in (read_csv, read_toml):
            with contextlib.suppress(SourceMalformed):
                read(content)
