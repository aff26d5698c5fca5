r"""Documents as tantivy indexes them: the schema, and terms that make every condition one look-up.

A raw term joins a name and a text by one character: ``key\0value`` is the whole value (or its beginning and
digest), ``key\2piece`` a piece of a long one, ``field\1CURIE`` a believed term. Numbers in key-values are
hexadecimal digits that sort like the numbers.
"""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import msgspec
import tantivy

from indexer.document import KEY_LIMIT, Cache, Document, Entry, Pair, bounded, comparable, pieces
from parfocal.fields import FIELDS

VERSION = "1"
"""Raised whenever schema or terms change; an index of another version is built again."""
WHOLE, TERM, PIECE = "\0", "\1", "\2"
ANY_KEY = ""
HAS_PAIRS = "\0"
"""The term in ``keys`` of every record with key-values."""
REVISION = "revision"
FACETS = tuple(field.name for field in FIELDS if field.type in ("term", "keyword"))
NUMBERS = tuple(field.name for field in FIELDS if field.type not in ("term", "keyword"))
_RAW = ("audience", "lies_in", "keys", "kv", "kv_any", "kv_num", "field", "terms", "claims", "suggest")
_encode = msgspec.json.Encoder().encode


def schema() -> tantivy.Schema:
    """Return the schema; what it means is in :func:`content`."""
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("seq", indexed=True, fast=True)
    builder.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("own", tokenizer_name="blanks", index_option="position")
    for name in _RAW:
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    for name in ("level", "study_key", "container_key", *(f"facet_{name}" for name in FACETS)):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic", fast=True)
    for name in NUMBERS:
        builder.add_float_field(f"num_{name}", indexed=True, fast=True)
    builder.add_text_field("meta", tokenizer_name="raw", index_option="basic")
    builder.add_unsigned_field("revision", stored=True)
    return builder.build()


def register(index: tantivy.Index) -> None:
    """Tell an index how ``own`` is split: at the blanks that the document put between words."""
    blanks = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
    index.register_tokenizer("blanks", blanks)


def sortable(number: float) -> int:
    """Return an integer that sorts like the number.

    >>> sortable(-1.5) < sortable(-0.0) == sortable(0.0) < sortable(2e9)
    True
    """
    (bits,) = struct.unpack(">Q", struct.pack(">d", number + 0.0))
    return bits ^ 0xFFFF_FFFF_FFFF_FFFF if bits >> 63 else bits | 1 << 63


def key_digest(key: str) -> str:
    """Return 16 hexadecimal digits that stand for a key before a number."""
    return hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=8).hexdigest()


_key_digest = Cache(key_digest, 10_000)


def number_term(digest: str, number: float) -> str:
    """Return the term of a number under a key."""
    return f"{digest}{sortable(number):016x}"


def text_terms(name: str, text: str) -> list[str]:
    """Return the terms of a text under a name: the whole, and the pieces of a long one."""
    return [name + WHOLE + bounded(text), *(name + PIECE + piece for piece in pieces(text))]


class _PairTerms(msgspec.Struct, frozen=True, eq=False, gc=False):
    key: str
    kv: list[str]
    any: list[str]
    numbers: tuple[str, ...]


def _pair_terms(pair: Pair) -> _PairTerms:
    key = bounded(pair.key, KEY_LIMIT)
    numbers: tuple[str, ...] = ()
    if pair.number is not None:
        digests = (_key_digest(key), _key_digest(ANY_KEY))
        numbers = tuple(number_term(digest, pair.number) for digest in digests)
    return _PairTerms(key, text_terms(key, pair.value), text_terms(ANY_KEY, pair.value), numbers)


def _entry_terms(entry: Entry) -> tuple[str, ...]:
    found = [term for text in entry.texts for term in text_terms(entry.field, text)]
    found += [entry.field + TERM + term for term in entry.terms]
    return tuple(found) + ((entry.field,) if found or entry.numbers else ())


def _suggestion_terms(entry: Entry) -> tuple[str, ...]:
    return tuple(f"{comparable(text)}\0{entry.field}\0{text}" for text in entry.suggestions)


_terms_of_pair = Cache(_pair_terms, 50_000)
_terms_of_entry = Cache(_entry_terms, 50_000)
_suggestions_of_entry = Cache(_suggestion_terms, 50_000)


def _add_pairs(found: dict[str, Any], pairs: tuple[Pair, ...]) -> None:
    kv: list[str] = []
    any_key: list[str] = []
    numbers: list[str] = []
    keys = {HAS_PAIRS: None}
    for pair in pairs:
        terms = _terms_of_pair(pair) if len(pair.value) < KEY_LIMIT else _pair_terms(pair)
        keys[terms.key] = None
        kv += terms.kv
        any_key += terms.any
        numbers += terms.numbers
    found["keys"], found["kv"], found["kv_any"] = list(keys), kv, any_key
    if numbers:
        found["kv_num"] = numbers


def _add_fields(found: dict[str, Any], fields: dict[str, Entry]) -> None:
    field: list[str] = []
    terms: list[str] = []
    suggest: list[str] = []
    for name, entry in fields.items():
        field += _terms_of_entry(entry)
        if entry.numbers:
            found[f"num_{name}"] = entry.numbers
        if entry.facets:
            found[f"facet_{name}"] = entry.facets
        if entry.suggestions:
            suggest += _suggestions_of_entry(entry)
        terms += entry.terms
    found["field"], found["terms"], found["suggest"] = field, terms, suggest


def content(doc: Document) -> str:
    """Return a document as the JSON that the index takes."""
    found: dict[str, Any] = {
        "seq": doc.seq,
        "id": doc.id,
        "level": doc.level,
        "audience": doc.audience,
        "lies_in": doc.ancestors,
        "study_key": doc.studies,
        "container_key": doc.containers,
        "own": doc.texts,
        "claims": doc.claims,
    }
    if doc.pairs:
        _add_pairs(found, doc.pairs)
    _add_fields(found, doc.fields)
    return _encode(found).decode()


def revision_content(revision: int) -> str:
    """Return the document that holds the revision reached; no viewer ever finds it."""
    return _encode({"meta": REVISION, "revision": revision}).decode()
