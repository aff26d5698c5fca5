"""Records as RDF, written directly: the graph that pyld gives of their JSON-LD, but faster."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any

from msgspec import Struct

from parfocal.identifiers import record_iri
from parfocal.model import PREFIXES, Dataset, KeyValue, Record
from parfocal.vocabulary import (
    RDF_TYPE,
    XSD,
    Property,
    date_type,
    direct_terms,
    full_iri,
    key_name,
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


@lru_cache(maxsize=16384)
def _key_predicate(key: str) -> str:
    name = key_name(key)
    return f" <{PREFIXES['keys']}{name}> " if name else ""


def _object(field: Property, value: Any, base: str) -> str:
    """Return one value that is not a part, in N-Quads syntax."""
    if field.kind in ("text", "access"):
        return literal(value)
    if field.kind == "integer":
        return f'"{value}"^^<{XSD}integer>'
    if field.kind == "double":
        return _double(float(value) + 0.0)  # minus zero becomes zero
    if field.kind == "record":
        return f"<{record_iri(value, base)}>"
    if field.kind == "term":
        return f"<{term_iri(value)}>"
    if field.kind == "date":
        kind = date_type(value)
        return f"{literal(value)}^^<{XSD}{kind}>" if kind else literal(value)
    iri = resource_iri(field.scheme, value)
    return f"<{iri}>" if iri else literal(value)


def _statements(node: Struct, base: str) -> tuple[str, ...]:
    """Return predicate and object of all that a node itself says, without its parts."""
    found = [f"{_TYPE}{full_iri(name)}>" for name in types_of(node)]
    for field in properties_of(type(node)):
        if field.kind == "part":
            continue
        values = field.values(node)
        if field.kind == "access" and values:
            values = values[0].groups
        predicate = _predicate(field.iri)
        for value in values:
            found.append(predicate + _object(field, value, base))
            if field.kind == "term" and term_curie(term_iri(value)) != value:
                found.append(_predicate("parfocal:curie") + literal(value))
    return tuple(found)


# Claims, people and channels of one data set are the same on thousands of its images.
_part_statements = lru_cache(maxsize=8192)(_statements)


@cache
def _part_properties(model: type[Struct]) -> tuple[Property, ...]:
    return tuple(field for field in properties_of(model) if field.kind == "part")


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
        end = self.end
        known = _statements if iri == self.iri else _part_statements
        self.lines += [f"<{iri}>{statement}{end}" for statement in known(value, self.base)]
        for field in _part_properties(type(value)):
            values = field.values(value)
            if values:
                self.parts(field, values, iri)

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
        """Write key-values: one statement each; three, and the namespace's, where there is one."""
        start, end, add = f"<{self.iri}>", self.end, self.lines.append
        for number, pair in enumerate(values, 1):
            predicate = "" if pair.namespace else _key_predicate(pair.key)
            if predicate:
                add(f"{start}{predicate}{literal(pair.value)}{end}")
                continue
            self.add(self.iri, "parfocal:keyValue", f"<{prefix}{number}>")
            self.node(pair, f"{prefix}{number}")

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
