"""Encodings, licences and dates as people write them."""

import time

import pytest

from harvester.coerce import decode_text, read_date, read_licence


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
    ("text", "url", "expected"),
    [
        ("CC BY 4.0 ", "", "CC-BY-4.0"),
        ("CC-BY-SA 3.0", "", "CC-BY-SA-3.0"),
        ("CC BY-NC-ND 4.0", "", "CC-BY-NC-ND-4.0"),
        ("CC0", "", "CC0-1.0"),
        ("", "https://creativecommons.org/licenses/by-nc/4.0/", "CC-BY-NC-4.0"),
        ("CC BY", "", "CC BY"),
        ("MIT", "", "MIT"),
        ("", "https://example.org/terms", "https://example.org/terms"),
        ("", "", ""),
    ],
)
def test_licences(text: str, url: str, expected: str) -> None:
    assert read_licence(text, url) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020-03-03", "2020-03-03"),
        ("2020/3", "2020-03"),
        ("2020", "2020"),
        ("2020-13-40", "2020"),
        ("May 3, 2021", "2021-05-03"),
        ("3 May 2021", "2021-05-03"),
        ("20201212", ""),
        ("tomorrow", ""),
    ],
)
def test_dates(text: str, expected: str) -> None:
    assert read_date(text) == expected
