"""Mappings of texts to ontology terms, read from and written as SSSOM TSV.

A mapping says what a text means in a field, that it does not mean a term, or that it is no term at
all. Files stay readable for other SSSOM tools: the text is ``subject_label`` (a literal), the field
``subject_category``, the term ``object_id``; ``sssom:NoTermFound`` stands for "not a term" and the
modifier ``Not`` for a rejected term. See https://mapping-commons.github.io/sssom/.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from parfocal.errors import ConfigError
from parfocal.fields import field_named
from parfocal.identifiers import Curie
from parfocal.prefixes import curie_of

NO_TERM = "sssom:NoTermFound"
_MANUAL = "semapv:ManualMappingCuration"
_COLUMNS = (
    *("subject_label", "subject_type", "subject_category", "predicate_id", "predicate_modifier"),
    *("object_id", "object_label", "mapping_justification", "confidence"),
    *("author_label", "mapping_date", "comment"),
)
_REQUIRED = ("subject_label", "object_id")
_HEADER = """\
#mapping_set_id: https://w3id.org/parfocal/mappings/local
#mapping_set_title: What texts of image archives mean
#license: https://creativecommons.org/publicdomain/zero/1.0/
"""
_MAX_BYTES = 64 * 1024 * 1024


class Mapping(Struct, frozen=True):
    """What a text means in a field.

    ``term`` None: the text is no term. ``negated``: it does not mean this term. ``field`` "" counts
    in every field. ``confidence`` runs from 0 to 1.
    """

    text: str
    field: str
    term: Curie | None
    label: str = ""
    negated: bool = False
    confidence: float = 1.0
    author: str = ""
    date: str = ""
    comment: str = ""
    justification: str = _MANUAL


def read_sssom(path: Path) -> tuple[Mapping, ...]:
    """Read a mapping file; ConfigError names line and column of what is wrong in it.

    Rows about identifiers instead of texts (without ``subject_label``) are left out.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigError(f"is larger than {_MAX_BYTES // 2**20} MB", where=str(path))
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise ConfigError("is not UTF-8", where=str(path), hint="save it as UTF-8") from error
    return tuple(_rows(text, str(path)))


def _rows(text: str, where: str) -> Iterator[Mapping]:
    lines = text.replace("\r\n", "\n").split("\n")
    start = next((n for n, line in enumerate(lines) if not line.startswith("#")), len(lines))
    reader = csv.DictReader(lines[start:], delimiter="\t", quoting=csv.QUOTE_NONE)
    missing = [name for name in _REQUIRED if name not in (reader.fieldnames or ())]
    if missing:
        raise ConfigError(
            f"has no column {missing[0]}",
            where=where,
            hint="a mapping file is SSSOM TSV with subject_label, subject_category and object_id",
        )
    for row in reader:
        if (row.get("subject_label") or "").strip():
            yield _mapping(row, f"{where}, line {start + reader.line_num}")


def _mapping(row: dict[str, str | None], where: str) -> Mapping:
    cell = {name: (row.get(name) or "").strip() for name in _COLUMNS}
    field = cell["subject_category"]
    known = field_named(field) if field else None
    if field and known is None:
        raise ConfigError(f"there is no field {field!r}", where=where, hint="see docs/search.md")
    term = None if cell["object_id"] in (NO_TERM, "") else curie_of(cell["object_id"])
    if term is None and cell["object_id"] not in (NO_TERM, ""):
        raise ConfigError(
            f"object_id {cell['object_id']!r} is no term", where=where, hint="write PREFIX:number"
        )
    return Mapping(
        text=str(row["subject_label"]),
        field=known.name if known else "",
        term=term,
        label=cell["object_label"],
        negated=cell["predicate_modifier"].lower() == "not",
        confidence=_confidence(cell["confidence"], where),
        author=cell["author_label"],
        date=cell["mapping_date"],
        comment=cell["comment"],
        justification=cell["mapping_justification"] or _MANUAL,
    )


def _confidence(text: str, where: str) -> float:
    try:
        value = float(text or 1.0)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ConfigError(f"confidence {text!r} is not a number from 0 to 1", where=where)
    return value


def _plain(text: str) -> str:
    """Return a cell's text; tabs and line breaks would break the table."""
    return " ".join(text.split()) if any(mark in text for mark in "\t\r\n") else text


def sssom(mappings: Iterable[Mapping]) -> str:
    """Return mappings as SSSOM TSV, in their order."""
    out = io.StringIO()
    out.write(_HEADER)
    out.write("\t".join(_COLUMNS) + "\n")
    for one in mappings:
        out.write("\t".join(_plain(cell) for cell in _cells(one)) + "\n")
    return out.getvalue()


def _cells(one: Mapping) -> tuple[str, ...]:
    return (
        *(one.text, "rdfs literal", one.field, "skos:exactMatch", "Not" if one.negated else ""),
        *(one.term or NO_TERM, one.label, one.justification, f"{one.confidence:g}"),
        *(one.author, one.date, one.comment),
    )


def write_sssom(path: Path, mappings: Sequence[Mapping]) -> None:
    """Write a mapping file in one step: a reader sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    with beside.open("w", encoding="utf-8") as file:
        file.write(sssom(mappings))
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
