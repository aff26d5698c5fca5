"""XML from strangers: read strictly, without document types and entities, once it is clean.

lxml's own recovery drops text silently, so characters that XML forbids are removed first, and then
nothing is forgiven.
"""

from __future__ import annotations

import codecs
import re

from lxml import etree

from harvester.asking.charsets import is_charset
from harvester.formats.elements import Element
from parfocal.errors import SourceMalformed

_DECLARED = re.compile(rb"^\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REFERENCE = re.compile(r"&#(?:x([0-9a-fA-F]{1,10})|([0-9]{1,10}));")
_DOCTYPE = re.compile(r"(?:\s|<!--(?:(?!-->).)*-->|<\?(?:(?!\?>).)*\?>)*+<!(?!--)", re.DOTALL)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def _decode(content: bytes) -> str:
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, "replace")
    declared = _DECLARED.match(content)
    named = declared[1].decode("ascii") if declared else ""
    try:
        return content.decode(named if is_charset(named) else "utf-8", "replace")
    except LookupError:
        return content.decode("utf-8", "replace")


def _reference(match: re.Match[str]) -> str:
    number = int(match[1], 16) if match[1] else int(match[2])
    legal = number <= 0x10FFFF and not _ILLEGAL.match(chr(number))
    return match.group() if legal else ""


def clean_xml(content: bytes) -> str:
    r"""Return XML as text without its declaration and without characters that XML forbids.

    >>> clean_xml(b"<?xml version='1.0'?><a>x\x01y&#2; &amp; z</a>")
    '<a>xy &amp; z</a>'
    """
    text = _DECLARATION.sub("", _decode(content), count=1)
    return _REFERENCE.sub(_reference, _ILLEGAL.sub("", text)).strip()


def has_doctype(text: str) -> bool:
    """Whether a document type, which may hold entities, stands before the root element.

    >>> has_doctype("<!-- x --><!DOCTYPE a><a/>"), has_doctype("<a><![CDATA[<!DOCTYPE]]></a>")
    (True, False)
    """
    return _DOCTYPE.match(text, 0, 100_000) is not None


def parse_xml(text: str, where: str = "") -> Element:
    """Parse clean text strictly; SourceMalformed for a document type or what is no XML."""
    if has_doctype(text):
        raise SourceMalformed(
            "XML with a document type is refused", where=where, hint="it could hold entities"
        )
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, encoding="utf-8"
    )
    try:
        root = etree.fromstring(text.encode(), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise SourceMalformed(f"not XML: {error}", where=where) from error
    if root.getroottree().docinfo.doctype:
        raise SourceMalformed("XML with a document type is refused", where=where)
    return root


def read_xml(content: bytes, where: str = "") -> Element:
    """Clean and parse XML; SourceMalformed says what is wrong with it."""
    return parse_xml(clean_xml(content), where)
