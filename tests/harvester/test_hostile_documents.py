"""Documents made to take for ever or to break a reader; each must end, one way or the other."""

from __future__ import annotations

import pytest

from harvester.asking.answers import Answer
from harvester.crates.lists import linked_crate
from harvester.formats.xml_reading import read_xml
from harvester.repositories.oai_pages import read_oai
from parfocal.errors import SourceMalformed


def test_comments_before_a_missing_header_take_no_time() -> None:
    records = b"<record>" + b"<!---->" * 5000 + b"<x>"
    with pytest.raises(SourceMalformed):
        read_oai(b"<OAI-PMH><ListRecords>" + records + b"</ListRecords></OAI-PMH>", "x")


@pytest.mark.parametrize("codec", ["idna", "punycode", "undefined", "hex", "unicode_escape"])
def test_encoding_that_is_no_charset_is_not_believed(codec: str) -> None:
    root = read_xml(f"<?xml version='1.0' encoding='{codec}'?><a>é</a>".encode())
    assert root.text == "é"


@pytest.mark.parametrize(
    "start", ["<!", "<!--", "<a foo='", "<![CDATA[", "</a ", "&#", '<a href="']
)
def test_page_that_is_no_html_takes_no_time(start: str) -> None:
    page = Answer(200, "https://archive.example/", {}, (start * 50_000).encode())
    assert linked_crate(page) in ("", "https://archive.example/")
