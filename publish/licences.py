"""Licences for data: SPDX identifier, name, address, and how else they are written."""

from __future__ import annotations

import re

from msgspec import Struct


class Licence(Struct, frozen=True):
    """A licence; ``open`` says whether the data may be used for anything by anybody."""

    spdx: str
    name: str
    url: str
    open: bool = True


def _creative_commons(kind: str, name: str, version: str) -> Licence:
    return Licence(
        f"CC-{kind.upper()}-{version}",
        f"Creative Commons {name} {version}",
        f"https://creativecommons.org/licenses/{kind}/{version}/",
        "nc" not in kind and "nd" not in kind,
    )


LICENCES: tuple[Licence, ...] = (
    Licence(
        "CC0-1.0",
        "Creative Commons Zero v1.0 Universal",
        "https://creativecommons.org/publicdomain/zero/1.0/",
    ),
    *(
        _creative_commons(kind, name, version)
        for version in ("4.0", "3.0", "2.0")
        for kind, name in (
            ("by", "Attribution"),
            ("by-sa", "Attribution Share Alike"),
            ("by-nc", "Attribution Non Commercial"),
            ("by-nd", "Attribution No Derivatives"),
            ("by-nc-sa", "Attribution Non Commercial Share Alike"),
            ("by-nc-nd", "Attribution Non Commercial No Derivatives"),
        )
    ),
    Licence(
        "ODbL-1.0",
        "Open Data Commons Open Database License v1.0",
        "https://opendatacommons.org/licenses/odbl/1-0/",
    ),
    Licence(
        "ODC-By-1.0",
        "Open Data Commons Attribution License v1.0",
        "https://opendatacommons.org/licenses/by/1-0/",
    ),
    Licence(
        "PDDL-1.0",
        "Open Data Commons Public Domain Dedication & License 1.0",
        "https://opendatacommons.org/licenses/pddl/1-0/",
    ),
    Licence("MIT", "MIT License", "https://opensource.org/license/mit"),
    Licence("Apache-2.0", "Apache License 2.0", "https://www.apache.org/licenses/LICENSE-2.0"),
)


def _plain(text: str) -> str:
    address = re.sub(r"^https?://(www\.)?|/(legalcode|deed)?(\.[a-z]{2})?/?$", "", text.lower())
    return re.sub(r"[^a-z0-9]+", "-", address).strip("-")


def licence_of(text: str) -> Licence | None:
    """Return the licence however it is written; None for one that is not known.

    >>> licence_of("https://creativecommons.org/licenses/by/4.0/legalcode").spdx
    'CC-BY-4.0'
    >>> licence_of("CC BY 4.0").spdx, licence_of("cc0").spdx
    ('CC-BY-4.0', 'CC0-1.0')
    """
    asked = _plain(text)
    if asked == "cc0":
        asked = "cc0-1-0"
    for licence in LICENCES:
        if asked and asked in (_plain(licence.spdx), _plain(licence.url), _plain(licence.name)):
            return licence
    return None


def is_address(text: str) -> bool:
    """Whether a text is a web address.

    >>> is_address("https://example.org/terms"), is_address("javascript:alert(1)")
    (True, False)
    """
    return re.fullmatch(r"https?://[^\s/\"<>]+\.[^\s\"<>]+", text) is not None
