"""Answers of an OAI-PMH provider: errors, headers, records, resumption tokens.

A page with one record that is no XML is taken apart, so that the others survive; what cannot be
read travels on as it is and is told when it is to become a record.
"""

from __future__ import annotations

import re

from lxml import etree
from msgspec import Struct

from harvester.formats.elements import Element, child, name_of
from harvester.formats.xml_reading import clean_xml, has_doctype, parse_xml
from harvester.words.leaves import words
from parfocal.errors import SourceMalformed

_ROOT = re.compile(r"<(?:([A-Za-z_][\w.-]*):)?OAI-PMH\b[^>]*>")
_END = re.compile(r"</(?:[A-Za-z_][\w.-]*:)?OAI-PMH\s*>\s*$")
_START = re.compile(
    r"<((?:[A-Za-z_][\w.-]*:)?)record\b[^<>]*>"
    r"(?=\s*(?:<!--(?:(?!-->).){0,2000}-->\s*)*+<\1header\b[^<>]*(?<!/)>)",
    re.DOTALL,
)
_TOKEN = re.compile(r"<((?:[\w.-]+:)?)resumptionToken\b[^<>]*?(?:/>|>[^<]*</\1resumptionToken\s*>)")
_CLOSE = re.compile(r"</(?:[A-Za-z_][\w.-]*:)?record\s*>")
_HEADER_END = re.compile(r"</(?:[\w.-]+:)?header\s*>|<(?:[\w.-]+:)?metadata\b")
_IDENTIFIER = re.compile(r"<(?:[\w.-]+:)?identifier\b[^<>]*>([^<]*)<")
_DATESTAMP = re.compile(r"<(?:[\w.-]+:)?datestamp\b[^<>]*>([^<]*)<")
_DATE = re.compile(r"<(?:[\w.-]+:)?responseDate\b[^<>]*>([^<]*)<")
_NAMES = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'"}


class Entry(Struct, frozen=True):
    """One record or header; ``xml`` is the record as it came, ``broken`` why it is no XML."""

    identifier: str
    datestamp: str = ""
    deleted: bool = False
    sets: tuple[str, ...] = ()
    xml: str = ""
    broken: str = ""


class OaiPage(Struct, frozen=True):
    """One answer: its date, an error, or entries and what comes after them."""

    date: str = ""
    error: str = ""
    message: str = ""
    entries: tuple[Entry, ...] = ()
    token: str = ""
    size: int | None = None
    root: Element = None


def read_oai(content: bytes, where: str) -> OaiPage:
    """Read an answer; SourceMalformed when it is none of a provider, or is cut off."""
    text = clean_xml(content)
    try:
        root = parse_xml(text, where)
    except SourceMalformed:
        if has_doctype(text) or not _ROOT.search(text[:10_000]) or not _END.search(text):
            raise
        return _salvage(text, where)
    if name_of(root) != "OAI-PMH":
        raise SourceMalformed("not an answer of OAI-PMH", where=where)
    return _page(root)


def _text(element: Element | None) -> str:
    return words("".join(element.itertext())) if element is not None else ""


def _page(root: Element) -> OaiPage:
    date, error = _text(child(root, "responseDate")), child(root, "error")
    if error is not None:
        return OaiPage(date, words(error.get("code")) or "unknown", _text(error), root=root)
    entries: list[Entry] = []
    token = None
    for listed in root:
        for element in listed:
            name = name_of(element)
            if name == "record" and name_of(listed) in ("ListRecords", "GetRecord"):
                entries.append(_record(element))
            elif name == "header" and name_of(listed) == "ListIdentifiers":
                entries.append(_header(element))
            elif name == "resumptionToken":
                token = element
    size = words(token.get("completeListSize")) if token is not None else ""
    number = int(size) if re.fullmatch(r"[0-9]{1,12}", size) else None
    return OaiPage(date, "", "", tuple(entries), _text(token), number, root)


def _header(header: Element, xml: str = "") -> Entry:
    return Entry(
        _text(child(header, "identifier")),
        _text(child(header, "datestamp")),
        header.get("status") == "deleted",
        tuple(filter(None, (_text(one) for one in header.findall("{*}setSpec")))),
        xml,
    )


def _record(record: Element) -> Entry:
    header = child(record, "header")
    xml = etree.tostring(record, encoding="unicode", with_tail=False)
    return _header(header, xml) if header is not None else Entry("", xml=xml)


# ------------------------------------------------------------------ pages with a broken record


def _salvage(text: str, where: str) -> OaiPage:
    """Read each record of a page by itself; what stands around them must be in order."""
    opening = _ROOT.search(text)
    starts = [match.start() for match in _START.finditer(text)]
    if opening is None or not starts:
        return _page(parse_xml(text, where))
    ends = [*starts[1:], _list_end(text, starts[-1])]
    entries = [_alone(opening, text[a:b]) for a, b in zip(starts, ends, strict=True)]
    frame = _page(parse_xml(text[: starts[0]] + text[ends[-1] :], where))
    date = _DATE.search(text)
    return OaiPage(
        date[1].strip() if date else "", "", "", tuple(entries), frame.token, frame.size, frame.root
    )


def _list_end(text: str, start: int) -> int:
    """Return where the last record ends: before the token, or where the list is closed."""
    token = None
    for match in _TOKEN.finditer(text, start):
        token = match
    end = token.start() if token else text.rfind("</", 0, text.rfind("</"))
    return max(start, end)


def _alone(opening: re.Match[str], text: str) -> Entry:
    """Read one record within the namespaces of its page; a broken one keeps its identifier."""
    close = None
    for match in _CLOSE.finditer(text):
        close = match
    body = text[: close.end()] if close else text
    prefix = f"{opening[1]}:" if opening[1] else ""
    try:
        root = parse_xml(f"{opening.group()}{body}</{prefix}OAI-PMH>")
    except SourceMalformed as error:
        return _broken(body, error.message)
    return _record(root[0]) if len(root) else _broken(body, "there is no record")


def _broken(text: str, reason: str) -> Entry:
    header = _HEADER_END.split(text, maxsplit=1)[0]
    identifier, stamp = _IDENTIFIER.search(header), _DATESTAMP.search(header)
    name = identifier[1].strip() if identifier else ""
    for entity, character in _NAMES.items():
        name = name.replace(entity, character)
    return Entry(name, stamp[1].strip() if stamp else "", xml=text, broken=reason)
