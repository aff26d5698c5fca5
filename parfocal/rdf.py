"""Records as RDF, written directly: the graph that pyld gives of their JSON-LD, but faster."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

from msgspec import Struct

from parfocal.identifiers import native_of, record_iri
from parfocal.model import PREFIXES, Annotation, Dataset, KeyValue, Provenance, Record
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
_LONG = 200  # characters; longer values are rarely said twice
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


@cache
def _plain(model: type[Struct]) -> tuple[tuple[Property, str], ...]:
    """Return the properties that are no parts, each with its predicate as it is written."""
    plain = (field for field in properties_of(model) if field.kind != "part" and field.told)
    return tuple((field, _predicate(field.iri)) for field in plain)


@cache
def _part_properties(model: type[Struct]) -> tuple[Property, ...]:
    """Return the properties that are parts, without those that every record writes its own way."""
    own_way = (KeyValue, Annotation, Provenance)
    parts = (field for field in properties_of(model) if field.kind == "part")
    return tuple(field for field in parts if field.part not in own_way)


@lru_cache(maxsize=64)
def _class_statements(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{_TYPE}{full_iri(name)}>" for name in names)


def _statements(node: Struct, base: str) -> list[str]:
    """Return predicate and object of all that a node itself says, without its parts."""
    found = list(_class_statements(types_of(node)))
    for field, predicate in _plain(type(node)):
        value = getattr(node, field.name)
        if value == field.default:
            continue
        values = value if field.many else value.groups if field.kind == "access" else (value,)
        for one in values:
            found.append(predicate + _object(field, one, base))
            if field.kind == "term" and term_curie(term_iri(one)) != one:
                found.append(_predicate("parfocal:curie") + literal(one))
    return found


@lru_cache(maxsize=8192)
def _part_statements(node: Struct, base: str) -> tuple[str, ...]:
    """Return the same of a part: claims and people are the same on thousands of records."""
    return tuple(_statements(node, base))


def _pair_statement(key: str, value: str) -> str:
    predicate = _key_predicate(key)
    return predicate + literal(value) if predicate else ""


_known_pair_statement = lru_cache(maxsize=16384)(_pair_statement)


@lru_cache(maxsize=1024)
def _namespace_statement(namespace: str) -> str:
    return _predicate("ome:Namespace") + literal(namespace)


@lru_cache(maxsize=4096)
def _direct(
    claims: tuple[Annotation, ...], dataset: bool
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Return what follows from claims: of the record itself, and of the terms of a data set."""
    own, others = [], []
    for term in direct_terms(claims):
        own.append(f"{_predicate(term.predicate)}<{term.iri}>")
        if dataset:
            others.append((term.iri, f"{_TYPE}{full_iri(term.type)}>"))
            others.append((term.iri, _predicate(term.name_property) + literal(term.label)))
    return tuple(own), tuple(others)


class _Writer:
    """Collects the text of one record; ``end`` closes each line (graph name and full stop)."""

    def __init__(self, iri: str, base: str, end: str) -> None:
        self.pieces: list[str] = []
        self.iri = iri
        self.base = base
        self.end = end

    def add(self, iri: str, statements: Sequence[str]) -> None:
        """Write all that is said of one node."""
        if statements:
            subject = f"<{iri}>"
            self.pieces += (subject, (self.end + subject).join(statements), self.end)

    def record(self, record: Record) -> None:
        iri, own = self.iri, _statements(record, self.base)
        dataset = isinstance(record, Dataset)
        own += self.origin(record)
        own += self.pairs(record.key_values)
        direct, others = _direct(record.annotations, dataset)
        own += direct
        annotation = _predicate("parfocal:annotation")
        for number, claim in enumerate(record.annotations, 1):
            part = f"{iri}#claim{number}"
            own.append(f"{annotation}<{part}>")
            self.add(part, _part_statements(claim, self.base))
        own += self.parts(record, iri + "#")
        for number in range(1, len(record.creators) + 1 if dataset else 1):
            own.append(f"{_predicate('schema:author')}<{iri}#creator{number}>")
        self.add(iri, own)
        for term, statement in others:
            self.add(term, [statement])

    def origin(self, record: Record) -> list[str]:
        """Return where a record comes from; its native identifier only if its own says less."""
        redundant = record.provenance.native_id == native_of(record.id)
        return [
            predicate + _object(field, value, self.base)
            for field, predicate in _plain(Provenance)
            for value in field.values(record.provenance)
            if not (redundant and field.name == "native_id")
        ]

    def pairs(self, pairs: tuple[KeyValue, ...]) -> list[str]:
        """Return a statement for each pair; one whose key cannot be a property gets a node."""
        found: list[str] = []
        namespaces: set[str] = set()
        for number, pair in enumerate(pairs, 1):
            written = _pair_statement if len(pair.value) > _LONG else _known_pair_statement
            statement = written(pair.key, pair.value)
            if not statement:
                part = f"{self.iri}#kv{number}"
                self.add(part, _statements(pair, self.base))
                statement = f"{_predicate('parfocal:keyValue')}<{part}>"
            elif pair.namespace:
                namespaces.add(pair.namespace)
            found.append(statement)
        found += map(_namespace_statement, sorted(namespaces))
        return found

    def parts(self, node: Struct, prefix: str) -> list[str]:
        """Write a node's parts, and return the statements that say whose they are."""
        found = []
        for field in _part_properties(type(node)):
            for number, value in enumerate(field.values(node), 1):
                part = f"{prefix}{field.fragment}{number if field.many else ''}"
                found.append(f"{_predicate(field.iri)}<{part}>")
                self.add(
                    part, [*_part_statements(value, self.base), *self.parts(value, part + "-")]
                )
        return found


def _write(record: Record, iri: str, base: str, end: str) -> bytes:
    writer = _Writer(iri, base, end)
    writer.record(record)
    # A lone surrogate, which only a record made by hand can hold, becomes a question mark.
    return "".join(writer.pieces).encode("utf-8", "replace")


def quads(record: Record, base: str) -> bytes:
    """Return a record as N-Quads in its own named graph, which is the record's IRI."""
    iri = record_iri(record.id, base)
    return _write(record, iri, base, f" <{iri}> .\n")


def triples(record: Record, base: str) -> bytes:
    """Return a record as N-Triples."""
    iri = record_iri(record.id, base)
    return _write(record, iri, base, " .\n")
