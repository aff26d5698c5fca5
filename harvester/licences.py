"""SPDX identifiers of licences, however they are written."""

from __future__ import annotations

import re

_CREATIVE_COMMONS = re.compile(
    r"creativecommons\.org/(?:licenses/([a-z-]+)/(\d\.\d)|publicdomain/(zero|mark)/(\d\.\d))", re.I
)
_SHORT = re.compile(
    r"^(?:cc|creative commons)[ -]?(by(?:[ -]n[cd])?(?:[ -](?:sa|nd))?|0|zero)"
    r"[ -]?(?:v?(\d(?:\.\d)?))?(?: international| universal)?$",
    re.I,
)
_SPDX_PAGE = re.compile(r"spdx\.org/licenses/([A-Za-z0-9.+-]+?)(?:\.html|\.json)?/?$")
_OTHERS = {
    "mit": "MIT",
    "apache-2.0": "Apache-2.0",
    "bsd-3-clause": "BSD-3-Clause",
    "odbl-1.0": "ODbL-1.0",
    "pddl-1.0": "PDDL-1.0",
}


def spdx(text: str) -> str:
    """Return the SPDX identifier of a licence given as URL or name; what was written if unknown.

    >>> spdx("https://creativecommons.org/licenses/by/4.0/"), spdx("CC BY-NC 4.0"), spdx("CC0")
    ('CC-BY-4.0', 'CC-BY-NC-4.0', 'CC0-1.0')
    """
    text = text.strip()
    page = _CREATIVE_COMMONS.search(text)
    if page and page[1]:
        return f"CC-{page[1].upper()}-{page[2]}"
    if page:
        return f"{'CC0' if page[3].lower() == 'zero' else 'PDM'}-{page[4]}"
    short = _SHORT.match(text)
    if short and short[1].lower() in ("0", "zero"):
        return "CC0-1.0"
    if short and short[2]:
        version = short[2] if "." in short[2] else f"{short[2]}.0"
        return f"CC-{short[1].upper().replace(' ', '-')}-{version}"
    listed = _SPDX_PAGE.search(text)
    return listed[1] if listed else _OTHERS.get(text.lower(), text)
