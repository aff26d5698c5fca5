"""People and organisations as archives write them: names, ORCID iDs, ROR ids."""

from __future__ import annotations

import re
from collections.abc import Iterable

from parfocal.identifiers import parse_orcid
from parfocal.model import Person

_ORCID = re.compile(r"(?<![\dA-Za-z])(\d{4})[\s_\u2010-\u2015-]?(\d{4})[\s_\u2010-\u2015-]?"
                    r"(\d{4})[\s_\u2010-\u2015-]?(\d{3}[\dXx])(?![\dA-Za-z])")  # fmt: skip
_ROR = re.compile(r"(?<![0-9a-z])(0[0-9a-hjkmnp-tv-z]{6}\d{2})(?![0-9a-z])", re.I)
_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
MAX_TEXT = 2000


def read_orcid(text: str) -> str:
    """Return the ORCID iD in a text, in any writing; "" without one whose checksum is right.

    >>> read_orcid("http://orcid.org/0000000218250097"), read_orcid("0000-0002-1825-0098")
    ('0000-0002-1825-0097', '')
    """
    for match in _ORCID.finditer(text[:MAX_TEXT]):
        found = parse_orcid("-".join(match.groups()))
        if found:
            return found
    return ""


def _checked(ror: str) -> bool:
    """Whether the last two digits of a ROR id are its checksum (ISO 7064 over base 32)."""
    number = 0
    for letter in ror[:7]:
        number = number * 32 + _LETTERS.index(letter)
    return 98 - number * 100 % 97 == int(ror[7:])


def read_ror(text: str) -> str:
    """Return the ROR id in a text, without address; "" without one whose checksum is right.

    >>> read_ror("https://ror.org/02mhbdp94"), read_ror("02mhbdp95")
    ('02mhbdp94', '')
    """
    found = (match[1].lower() for match in _ROR.finditer(text[:MAX_TEXT]))
    return next((ror for ror in found if _checked(ror)), "")


def _named(name: str, given: str, family: str) -> tuple[str, str, str]:
    """Return name, given and family name; "Doe, John" is taken apart, and stays the name."""
    first, comma, rest = name.partition(",")
    if comma and not given and not family and "," not in rest:
        return name, rest.strip(), first.strip()
    return name or f"{given} {family}".strip(), given, family


def person(
    name: str,
    *,
    given: str = "",
    family: str = "",
    orcid: str = "",
    affiliation: str = "",
    ror: str = "",
    email: str = "",
    roles: Iterable[str] = (),
) -> Person:
    """Return a person or organisation; what is no ORCID iD, ROR id or e-mail address is dropped.

    >>> person("", given="Ada", family="Example", orcid="https://orcid.org/0000").name
    'Ada Example'
    """
    name, given, family = _named(*(" ".join(part.split()) for part in (name, given, family)))
    address = email.strip().removeprefix("mailto:")
    return Person(
        name=name,
        given_name=given,
        family_name=family,
        orcid=read_orcid(orcid),
        affiliation=" ".join(affiliation.split()),
        ror=read_ror(ror),
        email=address if re.fullmatch(r"[^\s@<>]+@[^\s@<>]+", address) else "",
        roles=tuple(dict.fromkeys(role for given_role in roles if (role := given_role.strip()))),
    )
