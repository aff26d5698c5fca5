"""Small readings of what people write: text encodings, licences, dates."""

from __future__ import annotations

import re
from datetime import date
from itertools import islice

_PLAUSIBLE = frozenset("°µμ®©™±·•αβγδεκλπσΔ§½²³≤≥…—\xa0\xd7\u2018\u2019\u201c\u201d\u2013\u223c")
_BEYOND_ASCII = re.compile(r"(.?)([^\x00-\x7f])", re.DOTALL)
_WINDOWS = {
    byte: bytes((byte,)).decode("cp1252")
    for byte in range(0x80, 0xA0)
    if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}
_LICENCE = re.compile(r"\bcc[\s-]*(by(?:[\s-]*(?:nc|sa|nd))*|0|zero)\b[\s-]*v?(\d\.\d)?", re.I)
_CREATIVE = re.compile(
    r"creativecommons\.org/(?:licenses/([a-z-]+)|publicdomain/(zero))/(\d\.\d)", re.I
)
_MONTHS = (
    *("jan", "feb", "mar", "apr", "may", "jun"),
    *("jul", "aug", "sep", "oct", "nov", "dec"),
)
_ISO = re.compile(r"(\d{4})(?:[-/.](\d{1,2})(?:[-/.](\d{1,2}))?)?(?!\d)")
_NAMED = re.compile(r"(?:(\d{1,2})\s+)?([A-Za-z]{3})[a-z]*\.?\s+(?:(\d{1,2}),?\s+)?(\d{4})")


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


def read_licence(text: str, url: str = "") -> str:
    """Return the SPDX identifier of a licence as people write it, else the words as they stand.

    >>> read_licence("CC BY 4.0"), read_licence("", "https://creativecommons.org/publicdomain/zero/1.0/")
    ('CC-BY-4.0', 'CC0-1.0')
    """
    match = _CREATIVE.search(f"{url} {text}")
    if match:
        kind, zero, version = match.groups()
        return f"CC0-{version}" if zero else f"CC-{kind.upper()}-{version}"
    match = _LICENCE.search(text)
    if not match:
        return text.strip() or url.strip()
    kind, version = match.groups()
    if kind.lower() in ("0", "zero"):
        return f"CC0-{version or '1.0'}"
    parts = "-".join(re.findall(r"by|nc|sa|nd", kind.lower())).upper()
    return f"CC-{parts}-{version}" if version else text.strip()


def _checked(year: str, month: str | int | None, day: str | None) -> str:
    try:
        date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        return year
    parts = (year, f"{int(month):02d}" if month else "", f"{int(day):02d}" if day else "")
    return "-".join(part for part in parts if part)


def read_date(text: str) -> str:
    """Return a date as YYYY, YYYY-MM or YYYY-MM-DD; "" when there is none.

    >>> read_date("2020-3-3"), read_date("12 May 2021"), read_date("soon")
    ('2020-03-03', '2021-05-12', '')
    """
    match = _ISO.match(text.strip())
    if match:
        return _checked(*match.groups())
    named = _NAMED.search(text)
    if named and named.group(2).lower() in _MONTHS:
        before, month, after, year = named.groups()
        return _checked(year, _MONTHS.index(month.lower()) + 1, before or after)
    return ""
