"""Encodings and dates as people write them."""

import re
import time
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.words.coerce import decode_text, read_date


@pytest.mark.parametrize(
    ("text", "encoding", "expected"),
    [
        ("Dulbecco\u2019s Modified Eagle\u2019s at 37 °C", "mac-roman", "mac-roman"),
        ("OPERA® QHS", "mac-roman", "mac-roman"),
        ("Hériché JK, 37 °C, 100\xa0U/ml", "latin-1", "windows-1252"),
        ("Södermalm, Ängelholm", "latin-1", "windows-1252"),
        ("\u201cso-called\u201d \u2013 5 µm", "cp1252", "windows-1252"),
        ("5 µm", "utf-8", "utf-8"),
        ("5 µm", "utf-8-sig", "utf-8"),
        ("5 µm", "utf-16", "utf-16"),
    ],
)
def test_decodes(text: str, encoding: str, expected: str) -> None:
    assert decode_text(text.encode(encoding)) == (text.removeprefix("\ufeff"), expected)


def test_any_bytes_decode_quickly() -> None:
    started = time.monotonic()
    decode_text(bytes(range(256)) * 100_000)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020-03-03", "2020-03-03"),
        ("2020/3", "2020-03"),
        ("2020", "2020"),
        ("2020-13-40", "2020"),
        ("May 3, 2021", "2021-05-03"),
        ("3 May 2021", "2021-05-03"),
        ("20201212", "2020-12-12"),
        ("20201212 10:11:12.5", "2020-12-12"),
        ("20201399", ""),
        ("99991231", ""),
        ("2015-12-11T10:00:00+00:00", "2015-12-11"),
        ("2019-2021", "2019"),
        ("2020-01-01/2020-02-01", "2020-01-01"),
        ("1449828000000", "2015-12-11"),
        ("1449828000", "2015-12-11"),
        ("25/12/2020", "2020-12-25"),
        ("12/25/2020", "2020-12-25"),
        ("05/12/2020", "2020"),
        ("05.12.2020", "2020-12-05"),
        ("31.02.2020", "2020"),
        ("03-Dec-2020", "2020-12-03"),
        ("Thu Dec  3 10:20:30 2020", "2020-12-03"),
        ("Thu, 03 Dec 2020 10:20:30 GMT", "2020-12-03"),
        ("December 3rd, 2020", "2020-12-03"),
        ("Dec 2020", "2020-12"),
        ("tomorrow", ""),
        ("12345", ""),
        ("", ""),
    ],
)
def test_dates(text: str, expected: str) -> None:
    assert read_date(text) == expected


@given(st.text(max_size=60))
def test_any_text_gives_a_date_or_nothing(text: str) -> None:
    assert re.fullmatch(r"(\d{4}(-\d\d(-\d\d)?)?)?", read_date(text))


@given(st.dates(min_value=date(1000, 1, 1)))
def test_every_day_is_read_back(day: date) -> None:
    assert read_date(day.isoformat()) == day.isoformat()
