"""Small readings of what people write: text encodings and dates."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from itertools import islice

_PLAUSIBLE = frozenset("°µμ®©™±·•αβγδεκλπσΔ§½²³≤≥…—\xa0\xd7\u2018\u2019\u201c\u201d\u2013\u223c")
_BEYOND_ASCII = re.compile(r"(.?)([^\x00-\x7f])", re.DOTALL)
_WINDOWS = {
    byte: bytes((byte,)).decode("cp1252")
    for byte in range(0x80, 0xA0)
    if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}
_MONTHS = (
    *("jan", "feb", "mar", "apr", "may", "jun"),
    *("jul", "aug", "sep", "oct", "nov", "dec"),
)
_ISO = re.compile(r"(\d{4})(?:[-/.](\d{1,2})(?:[-/.](\d{1,2}))?)?(?!\d)")
_COMPACT = re.compile(r"((?:19|20)\d\d)(\d\d)(\d\d)(?:T\d{4,6}.*|\s.*)?")
_EPOCH = re.compile(r"\d{10}(?:\d{3})?(?:\.\d+)?")
_DAY_FIRST = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?!\d)")
_NAMED = re.compile(
    r"(?:(?<!\d)(\d{1,2})(?:st|nd|rd|th)?[\s-]+)?([A-Za-z]{3})[a-z]*\.?[\s,-]+"
    r"(?:(\d{1,2})(?:st|nd|rd|th)?,?\s+(?:\d{1,2}:\d\d(?::\d\d)?\s+(?:[A-Z]{3,4}\s+)?)?)?"
    r"((?:19|20)\d\d)(?![\d:])"
)


def _strangeness(text: str) -> int:
    """Count characters beyond ASCII that running text hardly ever has, among the first ones."""
    strange = 0
    for match in islice(_BEYOND_ASCII.finditer(text), 5000):
        before, character = match.groups()
        if character not in _PLAUSIBLE:
            inside = before.islower() and not character.islower()
            strange += inside or not character.isalpha()
    return strange


def decode_text(content: bytes) -> tuple[str, str]:
    """Return a file's text and its encoding, which is a guess unless it is ``utf-8``.

    >>> decode_text("Müller".encode("latin-1"))
    ('Müller', 'windows-1252')
    """
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", "replace"), "utf-16"
    try:
        return content.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        windows = content.decode("latin-1").translate(_WINDOWS)
        mac = content.decode("mac-roman")
    if _strangeness(mac) < _strangeness(windows):
        return mac, "mac-roman"
    return windows, "windows-1252"


def _checked(year: str, month: str | int | None, day: str | None) -> str:
    try:
        date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        return year
    parts = (year, f"{int(month):02d}" if month else "", f"{int(day):02d}" if day else "")
    return "-".join(part for part in parts if part)


def _of_epoch(digits: str) -> str:
    """Return the day (UTC) of seconds or, with 13 digits, milliseconds since 1970."""
    seconds = float(digits) / (1000 if len(digits.partition(".")[0]) == 13 else 1)
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def _of_numbers(match: re.Match[str]) -> str:
    """Return a date with the year last; only the year where day and month could be either way."""
    first, mark, second, year = match.groups()
    if mark == "." or int(first) > 12:
        return _checked(year, second, first)
    return _checked(year, first, second) if int(second) > 12 else year


def _of_names(text: str) -> str:
    for match in _NAMED.finditer(text):
        before, month, after, year = match.groups()
        if month.lower() in _MONTHS:
            return _checked(year, _MONTHS.index(month.lower()) + 1, before or after)
    return ""


def read_date(text: str) -> str:
    """Return a date as YYYY, YYYY-MM or YYYY-MM-DD; "" when there is none.

    Reads ISO dates and times (of a range the beginning), compact ones, seconds and milliseconds
    since 1970, and dates with English names of months.

    >>> read_date("2020-3-3"), read_date("12 May 2021"), read_date("soon")
    ('2020-03-03', '2021-05-12', '')
    """
    text = text.strip()[:200]
    if _EPOCH.fullmatch(text):
        return _of_epoch(text)
    match = _COMPACT.fullmatch(text)
    if match and len(compact := _checked(*match.groups())) == 10:
        return compact
    match = _ISO.match(text)
    if match:
        return _checked(*match.groups())
    match = _DAY_FIRST.match(text)
    return _of_numbers(match) if match else _of_names(text)
