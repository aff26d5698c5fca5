"""SPDX identifiers of licences, however they are written."""

from __future__ import annotations

import re
from functools import cache

from license_expression import get_spdx_licensing

MAX_TEXT = 2000
_PAGE = re.compile(
    r"creativecommons\.org/(?:licen[sc]es/([a-z-]+)/(\d\.\d)(?:/([a-z]{2,3})\b)?"
    r"|publicdomain/(zero|mark)/(\d\.\d))",
    re.I,
)
_LISTED_PAGE = re.compile(
    r"(?:spdx\.org/licenses|opensource\.org/licenses?|apache\.org/licenses)"
    r"/([A-Za-z0-9.+-]+?)(?:\.html|\.json|\.txt|\.php)?/?$",
    re.I,
)
_OPEN_DATA = re.compile(r"opendatacommons\.org/licenses/(odbl|by|pddl)\b", re.I)
_OPEN_DATA_IDS = {"odbl": "ODbL-1.0", "by": "ODC-By-1.0", "pddl": "PDDL-1.0"}
_LONG = (
    (re.compile(r"creative\s+commons", re.I), "cc"),
    (re.compile(r"\battribution\b", re.I), "by"),
    (re.compile(r"\bnon[\s-]*commercial\b", re.I), "nc"),
    (re.compile(r"\bno[\s-]*deriv(?:ative)?s?\b(?:\s+works\b)?", re.I), "nd"),
    (re.compile(r"\bshare[\s-]*alike\b", re.I), "sa"),
)
_SHORT = re.compile(
    r"\bcc[\s-]*(by(?:[\s-]*(?:nc|sa|nd))*|0|zero)(?![a-z])"
    r"(?:[\s,-]+(?:public|licen[cs]e|international|universal|unported|generic|version)\b)*"
    r"[\s-]*v?(\d(?:\.\d)?)?(?![\d.]*\d)",
    re.I,
)
_NAMES = {
    "mit license": "MIT",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "license-2.0": "Apache-2.0",
    "cc-zero": "CC0-1.0",
    "public domain mark 1.0": "CC-PDM-1.0",
}


@cache
def _listed() -> dict[str, str]:
    """Return the identifiers of the SPDX list, by their lower-case form."""
    known = get_spdx_licensing().known_symbols
    kept = (key for key in known if not key.startswith(("LicenseRef-", "DocumentRef-")))
    return {key.lower(): key for key in kept}


def _on_list(identifier: str) -> str:
    return _listed().get(identifier.lower(), "")


def _of_address(text: str) -> str:
    page = _PAGE.search(text)
    if page and page[4]:
        return f"{'CC0' if page[4].lower() == 'zero' else 'CC-PDM'}-{page[5]}"
    if page:
        return _ported(f"CC-{page[1]}-{page[2]}", page[3] or "")
    data = _OPEN_DATA.search(text)
    if data:
        return _OPEN_DATA_IDS[data[1].lower()]
    listed = _LISTED_PAGE.search(text)
    return _of_name(listed[1]) if listed else ""


def _ported(identifier: str, place: str) -> str:
    """Return the identifier of a licence for one country; "" where the list has none for it.

    ``deed`` and two-letter languages of the deeds of version 4 name no other licence.
    """
    if not place or identifier.endswith("-4.0"):
        return _on_list(identifier)
    return _on_list(f"{identifier}-{place}")


def _of_name(text: str) -> str:
    return _on_list(text) or _NAMES.get(text.lower(), "")


def _of_words(text: str) -> str:
    """Return the one Creative Commons licence that running words name; "" for none or several."""
    for pattern, short in _LONG:
        text = pattern.sub(short, text)
    found = {_short(*match.groups()) for match in _SHORT.finditer(text)}
    return found.pop() if len(found) == 1 else ""


def _short(kind: str, version: str | None) -> str:
    if kind.lower() in ("0", "zero"):
        return "CC0-1.0"
    if not version:
        return ""
    parts = "-".join(re.findall(r"by|nc|sa|nd", kind.lower()))
    return _on_list(f"CC-{parts}-{version if '.' in version else version + '.0'}")


def spdx(text: str, url: str = "") -> str:
    """Return the SPDX identifier of a licence given as name or address, else what was written.

    Where words and an address disagree, the address counts.

    >>> spdx("https://creativecommons.org/licenses/by/4.0/"), spdx("CC BY-NC 4.0"), spdx("CC0")
    ('CC-BY-4.0', 'CC-BY-NC-4.0', 'CC0-1.0')
    >>> spdx("bsd-3-clause"), spdx("our own terms")
    ('BSD-3-Clause', 'our own terms')
    """
    text, url = text.strip(), url.strip()
    start, address = text[:MAX_TEXT], url[:MAX_TEXT]
    return (
        _of_address(address)
        or _of_address(start)
        or _of_name(start)
        or _of_words(start)
        or text
        or url
    )
