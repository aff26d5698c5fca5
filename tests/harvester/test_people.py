"""People and organisations as archives write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.words.people import person, read_orcid, read_ror
from parfocal.model import Person


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0000-0002-1825-0097", "0000-0002-1825-0097"),
        ("https://orcid.org/0000-0002-1825-0097", "0000-0002-1825-0097"),
        ("http://www.orcid.org/0000000218250097/", "0000-0002-1825-0097"),
        ("ORCID: 0000 0002 1825 0097", "0000-0002-1825-0097"),
        ("0000\u20110002\u20111825\u20110097", "0000-0002-1825-0097"),
        ("0000-0002-1694-233x", "0000-0002-1694-233X"),
        ("0000-0002-1825-0098", ""),
        ("1234567890123456789", ""),
        ("", ""),
    ],
)
def test_orcids(text: str, expected: str) -> None:
    assert read_orcid(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://ror.org/02catss52", "02catss52"),
        ("ror.org/02CATSS52/", "02catss52"),
        ("02mhbdp94", "02mhbdp94"),
        ("https://ror.org/02catss53", ""),
        ("https://example.org/office", ""),
        ("", ""),
    ],
)
def test_rors(text: str, expected: str) -> None:
    assert read_ror(text) == expected


def test_a_person_keeps_what_is_right() -> None:
    made = person(
        " Ada  Example ",
        given="Ada",
        family="Example",
        orcid="orcid.org/0000-0002-1825-0097",
        affiliation="Institute\nof Examples",
        ror="https://ror.org/02catss52",
        email="mailto:ada@example.org",
        roles=["author", " author", ""],
    )
    assert made == Person(
        "Ada Example",
        "Ada",
        "Example",
        "0000-0002-1825-0097",
        "Institute of Examples",
        "ada@example.org",
        ("author",),
        ror="02catss52",
    )


def test_a_person_drops_what_is_wrong() -> None:
    made = person("A", orcid="0000-0002-1825-0098", ror="none", email="ask me")
    assert made == Person("A")


def test_a_name_with_a_comma_is_taken_apart_and_stays() -> None:
    made = person("Example, Ada B.")
    assert (made.name, made.given_name, made.family_name) == (
        "Example, Ada B.",
        "Ada B.",
        "Example",
    )
    assert person("Institute, Dept. A, City").family_name == ""


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=80))
def test_any_words_make_a_person(name: str, orcid: str, ror: str) -> None:
    made = person(name, orcid=orcid, ror=ror)
    assert made.orcid in ("", read_orcid(made.orcid))
    assert made.ror in ("", read_ror(made.ror))
