"""A tolerant OBO reader, 1.0 to 1.4, line by line; what it cannot read it skips and says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ontology.document import Document, Skipped, ontology_name, version_name
from parfocal.errors import OntologyInvalid
from parfocal.identifiers import Curie
from parfocal.prefixes import curie_of
from parfocal.values import TermInfo

_MAX_LINE = 1 << 20
_TAG = re.compile(r"[\w-]+")
_MOST_TAGS = 1000
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"?\s*([A-Z]+)?', re.DOTALL)
_OPEN_QUOTE = re.compile(r'[^"]*"(?:[^"\\]|\\.)*\\?')
_COMMENT = re.compile(r"\s+!\s.*$", re.DOTALL)
_QUALIFIERS = re.compile(r"\s*(?<!\\)\{[^{}]*=[^{}]*\}\s*$")
_ESCAPES = {"n": "\n", "t": "\t", "W": " "}
_SCOPES = {"EXACT", "NARROW", "BROAD", "RELATED"}
_OLD_SYNONYMS = {
    "exact_synonym": "EXACT",
    "narrow_synonym": "NARROW",
    "broad_synonym": "BROAD",
    "related_synonym": "RELATED",
}
PART_OF = {"part_of", "BFO:0000050", "OBO_REL:part_of", "RO:part_of"}
"""Names of the relation between a part and its whole."""
Frame = dict[str, list[str]]


def read_obo(stream: BinaryIO, path: Path) -> Document:
    """Read an OBO file from its bytes; only the header is read before the terms are asked for."""
    skipped = Skipped()
    frames = _frames(_lines(stream, skipped), skipped)
    _, header = next(frames)
    document = Document(
        name=ontology_name(_first(header, "ontology"), path),
        version=version_name(_first(header, "data-version") or _first(header, "date"), path),
        reader="obo",
        terms=iter(()),
        skipped=skipped,
    )
    document.terms = _terms(frames, document.name, skipped)
    return document


def _lines(stream: BinaryIO, skipped: Skipped) -> Iterator[str]:
    """Yield logical lines; bytes that are not UTF-8 are read as Latin-1."""
    raw, line, carried = b"\n", "", ""
    for raw in stream:
        if len(raw) > _MAX_LINE:
            skipped.note("line longer than 1 MiB", raw[:60].decode("latin-1"))
            continue
        try:
            line = raw.decode()
        except UnicodeDecodeError:
            skipped.note("line that is not UTF-8, read as Latin-1", raw[:60].decode("latin-1"))
            line = raw.decode("latin-1")
        line = line.rstrip("\r\n")
        if carried or line[-1:] == "\\":
            line = carried + line
            carried = ""
            if line[-1:] == "\\" and line[-2:-1] != "\\" and len(line) < _MAX_LINE:
                carried = line[:-1]
                continue
        yield line
    if carried:
        yield carried
    _check_whole(raw, line)


def _check_whole(raw: bytes, line: str) -> None:
    """Refuse a file whose last line ends within a quote: the rest of it was lost."""
    if raw.endswith((b"\n", b"\r")) or not _OPEN_QUOTE.fullmatch(line):
        return
    raise OntologyInvalid("the file ends in the middle", where=line[:60], hint="download it again")


def _frames(lines: Iterator[str], skipped: Skipped) -> Iterator[tuple[str, Frame]]:
    """Yield (kind, tags) of each frame; the header first, of kind ""."""
    kind, frame = "", Frame()
    tags: dict[str, str] = {}
    for line in lines:
        text = line.strip().lstrip("\ufeff")
        if not text or text[0] == "!":
            continue
        if text[0] == "[" and "]" in text:
            yield kind, frame
            kind, frame = text[1 : text.index("]")].strip().lower(), Frame()
            continue
        written, colon, value = text.partition(":")
        tag = tags.get(written) or _tag(written, tags)
        if colon and tag:
            frame.setdefault(tag, []).append(value.lstrip())
        else:
            skipped.note("line that is no tag", text)
    yield kind, frame


def _tag(written: str, tags: dict[str, str]) -> str:
    """Return a tag as it is meant, remembering it; "" for what is none."""
    tag = written.rstrip()
    if not _TAG.fullmatch(tag):
        return ""
    if len(tags) < _MOST_TAGS:
        tags[written] = tag
    return tag


def _terms(
    frames: Iterator[tuple[str, Frame]], ontology: str, skipped: Skipped
) -> Iterator[TermInfo]:
    merged: dict[Curie, Curie] = {}
    seen = False
    for kind, frame in frames:
        if kind != "term":
            skipped.note(f"frame [{kind}], not a class", _first(frame, "id"))
            continue
        term = _term(frame, ontology, skipped)
        if term is None:
            continue
        seen = True
        yield term
        for alternative in frame.get("alt_id", ()):
            curie = curie_of(_identifier(alternative))
            if curie:
                merged[curie] = term.curie
    yield from replaced(merged, ontology)
    if not seen:
        raise OntologyInvalid(
            "the file holds no term", where=ontology, hint="is it an OBO file with [Term] frames?"
        )


def replaced(merged: dict[Curie, Curie], ontology: str) -> Iterator[TermInfo]:
    """Yield the former ids of terms as obsolete terms that the present ones replaced."""
    for former, present in merged.items():
        if former != present:
            yield TermInfo(former, "", ontology, obsolete=True, replaced_by=(present,))


def _term(frame: Frame, ontology: str, skipped: Skipped) -> TermInfo | None:
    written = _identifier(_first(frame, "id"))
    curie = curie_of(written)
    if curie is None:
        skipped.note("term whose id is no CURIE", written)
        return None
    return TermInfo(
        curie=curie,
        label=_plain(_first(frame, "name")),
        ontology=ontology,
        synonyms=tuple(dict.fromkeys(_synonyms(frame, skipped))),
        parents=tuple(dict.fromkeys(_curies(frame, "is_a", skipped))),
        obsolete=_first(frame, "is_obsolete").lower().startswith("true"),
        replaced_by=tuple(dict.fromkeys(_curies(frame, "replaced_by", skipped))),
        definition=_definition(_first(frame, "def")),
        part_of=tuple(dict.fromkeys(_wholes(frame, skipped))),
    )


def _first(frame: Frame, tag: str) -> str:
    values = frame.get(tag)
    return values[0] if values else ""


def _identifier(value: str) -> str:
    """Return the id at the beginning of a value, without qualifiers and comment."""
    words = value.split(None, 1)
    return words[0].replace("\\:", ":") if words else ""


def _curies(frame: Frame, tag: str, skipped: Skipped) -> Iterator[Curie]:
    for value in frame.get(tag, ()):
        curie = curie_of(_identifier(value))
        if curie is None:
            skipped.note(f"{tag} that names no CURIE", value)
        else:
            yield curie


def _wholes(frame: Frame, skipped: Skipped) -> Iterator[Curie]:
    """Yield what a term is a part of; other relationships are counted."""
    for value in frame.get("relationship", ()):
        relation, _, rest = value.partition(" ")
        if relation not in PART_OF:
            skipped.note(f"relationship {relation}")
            continue
        curie = curie_of(_identifier(rest))
        if curie is None:
            skipped.note("part_of that names no CURIE", value)
        else:
            yield curie


def _synonyms(frame: Frame, skipped: Skipped) -> Iterator[tuple[str, str]]:
    for value in frame.get("synonym", ()):
        match = _QUOTED.match(value)
        if match is None:
            skipped.note("synonym without quotes", value)
            continue
        scope = match.group(2) or ""
        yield scope if scope in _SCOPES else "RELATED", _one_line(match.group(1))
    for tag, scope in _OLD_SYNONYMS.items():
        for value in frame.get(tag, ()):
            match = _QUOTED.match(value)
            if match:
                yield scope, _one_line(match.group(1))


def _definition(value: str) -> str:
    match = _QUOTED.match(value)
    return _unescape(match.group(1)) if match else ""


def _plain(value: str) -> str:
    """Return an unquoted value without trailing qualifiers and comment."""
    text = _COMMENT.sub("", value) if "!" in value else value
    if "{" in text:
        text = _QUALIFIERS.sub("", text)
    return _one_line(text)


def _one_line(text: str) -> str:
    return " ".join(_unescape(text).split())


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match.group(1), match.group(1)), text)
