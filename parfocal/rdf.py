"""Records as RDF, written directly: the graph that pyld gives of their JSON-LD, but faster."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from msgspec import Struct

from parfocal.identifiers import Curie, RecordId, record_iri
from parfocal.model import Dataset, KeyValue, Record
from parfocal.vocabulary import (
    RDF_TYPE,
    XSD,
    Property,
    date_type,
    direct_terms,
    full_iri,
    properties_of,
    resource_iri,
    term_curie,
    term_iri,
    types_of,
)

_SPECIAL = re.compile(r'[\x00-\x1f"\\\x7f]')
_ESCAPES = {code: f"\\u{code:04X}" for code in (*range(0x20), 0x7F)} | {
    ord(char): escape
    for char, escape in zip(
        '\b\t\n\f\r"\\', (r"\b", r"\t", r"\n", r"\f", r"\r", r"\"", "\\\\"), strict=True
    )
}
_DOUBLE = re.compile(r"(\d)0*E\+?(-)?0*(\d)")
_TYPE = f" <{RDF_TYPE}> <"


def literal(text: str) -> str:
    r"""Return a plain literal in N-Quads syntax.

    >>> print(literal('a "b"\n'))
    "a \"b\"\n"
    """
    if _SPECIAL.search(text):
        text = text.translate(_ESCAPES)
    return f'"{text}"'


@lru_cache(maxsize=4096)
def _double(value: float) -> str:
    """Return xsd:double in canonical form: 16 significant digits, as JSON-LD prescribes."""
    lexical = _DOUBLE.sub(r"\1E\2\3", f"{value:1.15E}")
    return f'"{lexical}"^^<{XSD}double>'


@lru_cache(maxsize=64)
def _predicate(name: str) -> str:
    return f" <{full_iri(name)}> "


_key_literal = lru_cache(maxsize=16384)(literal)


def _object(field: Property, value: str | int | float, base: str) -> str:
    """Return one value that is not a part, in N-Quads syntax."""
    if field.kind == "text":
        return literal(str(value))
    if field.kind == "integer":
        return f'"{value}"^^<{XSD}integer>'
    if field.kind == "double":
        return _double(float(value))
    text = str(value)
    if field.kind == "record":
        return f"<{record_iri(RecordId(text), base)}>"
    if field.kind == "term":
        return f"<{term_iri(Curie(text))}>"
    if field.kind == "date":
        kind = date_type(text)
        return f"{literal(text)}^^<{XSD}{kind}>" if kind else literal(text)
    iri = resource_iri(field.scheme, text)
    return f"<{iri}>" if iri else literal(text)


class _Writer:
    """Collects the lines of one record; ``end`` closes each (graph name and full stop)."""

    def __init__(self, iri: str, base: str, end: str) -> None:
        self.lines: list[str] = []
        self.iri = iri
        self.base = base
        self.end = end

    def add(self, subject: str, predicate: str, value: str) -> None:
        self.lines.append(f"<{subject}>{_predicate(predicate)}{value}{self.end}")

    def node(self, value: Struct, iri: str) -> None:
        for name in types_of(value):
            self.lines.append(f"<{iri}>{_TYPE}{full_iri(name)}>{self.end}")
        for field in properties_of(type(value)):
            values = field.values(value)
            if values:
                self.property(field, values, iri)

    def property(self, field: Property, values: tuple[Any, ...], iri: str) -> None:
        if field.kind == "part":
            self.parts(field, values, iri)
            return
        if field.kind == "access":
            values = values[0].groups
        for one in values:
            written = _object(field, one, self.base) if field.kind != "access" else literal(one)
            self.add(iri, field.iri, written)
            if field.kind == "term" and term_curie(term_iri(one)) != one:
                self.add(iri, "parfocal:curie", literal(one))

    def parts(self, field: Property, values: tuple[Any, ...], iri: str) -> None:
        prefix = iri + ("#" if iri == self.iri else "-") + field.fragment
        if field.part is KeyValue:
            self.pairs(values, prefix)
            return
        for number, one in enumerate(values, 1):
            part = f"{prefix}{number}" if field.many else prefix
            self.add(iri, field.iri, f"<{part}>")
            self.node(one, part)

    def pairs(self, values: tuple[KeyValue, ...], prefix: str) -> None:
        """Write key-values, by far the most lines, without looking at the model each time."""
        end, add = self.end, self.lines.append
        start = f"<{self.iri}>{_predicate('parfocal:keyValue')}"
        key, value = _predicate("parfocal:key"), _predicate("parfocal:value")
        for number, pair in enumerate(values, 1):
            node = f"<{prefix}{number}>"
            add(
                f"{start}{node}{end}{node}{key}{_key_literal(pair.key)}{end}"
                f"{node}{value}{literal(pair.value)}{end}"
            )
            if pair.namespace:
                add(f"{node}{_predicate('ome:Namespace')}{_key_literal(pair.namespace)}{end}")

    def direct(self, record: Record) -> None:
        """Write what the GIDE crate profile expects on a data set; terms only on an image."""
        dataset = isinstance(record, Dataset)
        for term in direct_terms(record):
            self.add(self.iri, term.predicate, f"<{term.iri}>")
            if dataset:
                self.lines.append(f"<{term.iri}>{_TYPE}{full_iri(term.type)}>{self.end}")
                self.add(term.iri, term.name_property, literal(term.label))
        for number in range(1, len(record.creators) + 1 if dataset else 1):
            self.add(self.iri, "schema:author", f"<{self.iri}#creator{number}>")


def _write(record: Record, iri: str, base: str, end: str) -> bytes:
    writer = _Writer(iri, base, end)
    writer.node(record, iri)
    writer.direct(record)
    # A lone surrogate, which only a record made by hand can hold, becomes a question mark.
    return "".join(writer.lines).encode("utf-8", "replace")


def quads(record: Record, base: str) -> bytes:
    """Return a record as N-Quads in its own named graph, which is the record's IRI."""
    iri = record_iri(record.id, base)
    return _write(record, iri, base, f" <{iri}> .\n")


def triples(record: Record, base: str) -> bytes:
    """Return a record as N-Triples."""
    iri = record_iri(record.id, base)
    return _write(record, iri, base, " .\n")
