"""Ways to write one record (JSON-LD, Turtle, N-Triples, JSON) and many hits (CSV, JSON Lines)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from parfocal import shapes
from parfocal.answers import Hit, HitAnnotation
from parfocal.identifiers import native_of, record_iri
from parfocal.jsonld import to_jsonld
from parfocal.model import Record, encode
from parfocal.rdf import triples
from parfocal.values import Format


def _pretty(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def _jsonld(record: Record, base: str) -> bytes:
    return _pretty(to_jsonld(record, base))


def _turtle(record: Record, base: str) -> bytes:
    from parfocal.turtle import turtle  # rdflib is loaded when Turtle is first asked for

    return turtle(triples(record, base))


def _json(record: Record, base: str) -> bytes:
    return _pretty({"iri": record_iri(record.id, base), **msgspec.json.decode(encode(record))})


JSON_LD = Format("JSON-LD", "application/ld+json", ".jsonld", _jsonld)
TURTLE = Format("Turtle", "text/turtle", ".ttl", _turtle)
N_TRIPLES = Format("N-Triples", "application/n-triples", ".nt", triples)
JSON = Format("JSON", "application/json", ".json", _json)


# ------------------------------------------------------------------ many hits

CSV_HEADER = (
    "id",
    "type",
    "level",
    "title",
    "source",
    "study",
    "container",
    "date",
    "licence",
    "annotations",
    "snippet",
    "thumbnail",
    "link",
    "images",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def safe_cell(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula.

    >>> safe_cell("=1+1")
    "'=1+1"
    """
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def _claims(annotations: Iterable[HitAnnotation]) -> str:
    return "; ".join(
        f"{one.claim.field}: {one.claim.label} ({one.claim.term})"
        for one in annotations
        if one.claim.believed
    )


def _cells(hit: Hit) -> list[str]:
    record = hit.record
    cells = (
        hit.id,
        hit.type,
        hit.level,
        hit.title,
        hit.source,
        native_of(hit.study.id) if hit.study else "",
        native_of(hit.container.id) if hit.container else "",
        record.date,
        record.licence,
        _claims(hit.annotations),
        hit.snippet,
        hit.thumbnail,
        hit.links[0].url if hit.links else "",
        "" if hit.images is None else str(hit.images),
    )
    return [safe_cell(cell) for cell in cells]


def csv_rows(hits: Iterable[Hit]) -> Iterator[bytes]:
    """Yield hits as CSV lines in UTF-8, the header first; no cell is a formula to a spreadsheet."""
    line = io.StringIO()
    writer = csv.writer(line)
    for cells in _with_header(hits):
        writer.writerow(cells)
        yield line.getvalue().encode()
        line.seek(0)
        line.truncate()


def _with_header(hits: Iterable[Hit]) -> Iterator[list[str]]:
    yield list(CSV_HEADER)
    for hit in hits:
        yield _cells(hit)


def jsonl_rows(hits: Iterable[Hit]) -> Iterator[bytes]:
    """Yield hits as JSON Lines in UTF-8, one object a line."""
    for hit in hits:
        yield msgspec.json.encode(shapes.hit(hit)) + b"\n"
