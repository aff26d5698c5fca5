"""Documents as tantivy indexes them: the schema, and terms that make each condition one look-up.

A raw term joins a name and a text by a control character that no text has: key and whole value (or
its beginning and digest), key and piece of a long value, field and believed term. Numbers in
key-values are hexadecimal digits that sort like the numbers.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator

import msgspec
import tantivy

from indexer.document import PUBLIC, Described, Document
from indexer.entries import Entry, Pair
from indexer.texts import KEY_LIMIT, TEXT_LIMIT, Cache, bounded, comparable, pieces
from parfocal.fields import FIELDS

VERSION = "3"
"""Raised whenever schema or terms change; an index of another version is built again."""
WHOLE, TERM, PIECE = "\x7f", "\x80", "\x81"
HAS_PAIRS = "\x7f"
"""The term in ``keys`` of every record with key-values."""
HIDDEN = "hidden"
"""The term in ``meta`` of every document that is not public."""
_HAS_PAIRS = '"\x7f"'
REVISION = "revision"
FACETS = tuple(field.name for field in FIELDS if field.type in ("term", "keyword"))
NUMBERS = tuple(field.name for field in FIELDS if field.type not in ("term", "keyword"))
_RAW = (
    "audience",
    "lies_in",
    "keys",
    "kv",
    "kv_any",
    "kv_num",
    "field",
    "terms",
    "claims",
    "suggest",
)
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
    return int(bits ^ 0xFFFF_FFFF_FFFF_FFFF if bits >> 63 else bits | 1 << 63)


def key_digest(key: str) -> str:
    """Return 16 hexadecimal digits that stand for a key before a number."""
    return hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=8).hexdigest()


def text_terms(name: str, text: str) -> list[str]:
    """Return the terms of a text under a name: the whole, and the pieces of a long one."""
    return [name + WHOLE + bounded(text), *(name + PIECE + piece for piece in pieces(text))]


def _json(value: object) -> str:
    return _encode(value).decode()


def _items(values: Iterable[object]) -> str:
    """Return values as they stand between the brackets of a JSON array."""
    return _json(list(values))[1:-1]


class _KeyTerms(msgspec.Struct, frozen=True, eq=False, gc=False):
    """What a key gives: the comparable key as JSON, and how terms of values and numbers begin."""

    key: str
    before_value: str
    before_number: str


class _PairTerms(msgspec.Struct, frozen=True, eq=False, gc=False):
    """What a pair gives to three fields, as JSON; made once for all records that have the pair."""

    key: str
    kv: str
    number: str


class _EntryTerms(msgspec.Struct, frozen=True, eq=False, gc=False):
    """What a field's entry gives to the shared fields and to its own columns, as JSON."""

    field: str
    terms: str
    suggest: str
    columns: str


def _key_terms(name: str) -> _KeyTerms:
    key = bounded(name, KEY_LIMIT)
    return _KeyTerms(_json(key), _json(key + WHOLE)[:-1], f'"{key_digest(key)}')


_terms_of_key = Cache(_key_terms, 10_000)


def _pair_terms(pair: Pair) -> _PairTerms:
    key = _terms_of_key(pair.key)
    value = pair.value
    if len(value) <= TEXT_LIMIT:
        kv = key.before_value + _json(value)[1:]
    else:
        kv = _items(text_terms(bounded(pair.key, KEY_LIMIT), value))
    number = "" if pair.number is None else f'{key.before_number}{sortable(pair.number):016x}"'
    return _PairTerms(key.key, kv, number)


def _columns(entry: Entry) -> Iterator[str]:
    if entry.numbers:
        yield f'"num_{entry.field}":{_json(entry.numbers)}'
    if entry.facets:
        yield f'"facet_{entry.field}":{_json(entry.facets)}'


def _entry_terms(entry: Entry) -> _EntryTerms:
    found = [term for text in entry.texts for term in text_terms(entry.field, text)]
    found += [entry.field + TERM + term for term in entry.terms]
    if found or entry.numbers:
        found.append(entry.field)
    suggest = [WHOLE.join((comparable(text), entry.field, text)) for text in entry.suggestions]
    return _EntryTerms(
        _items(found), _items(entry.terms), _items(suggest), ",".join(_columns(entry))
    )


_terms_of_pair = Cache(_pair_terms, 50_000)
_terms_of_entry = Cache(_entry_terms, 50_000)


def _joined(parts: Iterable[str]) -> str:
    return ",".join(filter(None, parts))


def _pairs(pairs: tuple[Pair, ...]) -> str:
    kept = _terms_of_pair.kept
    terms = [
        kept.get(pair) or _terms_of_pair(pair, keep=len(pair.value) <= KEY_LIMIT) for pair in pairs
    ]
    keys = ",".join(dict.fromkeys([each.key for each in terms]))
    kv = ",".join([each.kv for each in terms])
    numbers = _joined([each.number for each in terms])
    return f'"keys":[{_HAS_PAIRS},{keys}],"kv":[{kv}],"kv_num":[{numbers}],'


def _fields(fields: dict[str, Entry]) -> str:
    terms = [_terms_of_entry(entry) for entry in fields.values()]
    field = _joined([each.field for each in terms])
    believed = _joined([each.terms for each in terms])
    suggest = _joined([each.suggest for each in terms])
    columns = _joined([each.columns for each in terms])
    return f'"field":[{field}],"terms":[{believed}],"suggest":[{suggest}],{columns}'


def _described(described: Described) -> str:
    hidden = "" if described.audience == (PUBLIC,) else f'"meta":"{HIDDEN}",'
    return (
        f'{hidden}"level":"{described.level}","audience":{_json(described.audience)},'
        f'"lies_in":{_json(described.ancestors)},"study_key":{_json(described.studies)},'
        f'"container_key":{_json(described.containers)},"claims":{_json(described.claims)},'
        f"{_fields(described.fields)}"
    )


_descriptions = Cache(_described, 10_000)


def content(doc: Document) -> str:
    """Return a document as the JSON that the index takes."""
    described = _descriptions(doc.described, keep=doc.level == "image")
    return (
        f'{{"seq":{doc.seq},"id":{_json(doc.id)},"own":{_json(doc.texts)},'
        f"{_pairs(doc.pairs) if doc.pairs else ''}{described}}}"
    )


def revision_content(revision: int) -> str:
    """Return the document that holds the revision reached; no viewer ever finds it."""
    return _json({"meta": [REVISION, HIDDEN], "revision": revision})
