"""What a record's own values give to the search document: entries of fields, pairs, words.

Values repeat over millions of rows, so what is made of them is kept in bounded caches.
"""

from __future__ import annotations

from msgspec import Struct

from indexer.texts import TOKEN_LIMIT, Cache, comparable, words
from parfocal.field_values import keywords_of, numbers_of, texts_of
from parfocal.fields import field_of_key
from parfocal.model import PROPOSED, Annotation, KeyValue, Record
from parfocal.query import date_number, first_number

FACET_LIMIT = 1000
"""Longest value, in characters, that a facet offers."""

_CACHED_LENGTH = 1000
"""Characters up to which values are kept in caches."""


class Entry(Struct, frozen=True, eq=False, gc=False):
    """What a record has in one field: comparable texts, terms, claims, and values to show."""

    field: str
    texts: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    facets: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()
    numbers: tuple[float, ...] = ()


class Pair(Struct, frozen=True, eq=False, gc=False):
    """A key-value pair, comparable, with the first number and the words of the value.

    ``of_field`` says whether values of such a key belong to a field.
    """

    key: str
    value: str
    number: float | None
    words: str
    of_field: bool


# ------------------------------------------------------------------ entries of fields


def _entry(key: tuple[str, tuple[str, ...], tuple[Annotation, ...]]) -> Entry:
    field, texts, claims = key
    believed = [claim for claim in claims if claim.believed]
    # An archive that writes the term's name beside its own word says one thing twice.
    meant = {comparable(said) for claim in believed for said in (claim.text, claim.label)}
    plain = [text for text in texts if comparable(text) not in meant]
    known = dict.fromkeys(
        [*texts, *(c.text for c in believed), *(c.label for c in believed if c.label)]
    )
    facets = dict.fromkeys([*(c.term for c in believed), *plain])
    return Entry(
        field,
        texts=tuple(dict.fromkeys(map(comparable, known))),
        terms=tuple(dict.fromkeys(claim.term for claim in believed)),
        claims=tuple(dict.fromkeys(claim.term for claim in claims if claim.method != PROPOSED)),
        facets=tuple(value for value in facets if len(value) <= FACET_LIMIT),
        suggestions=tuple(value for value in known if len(value) <= FACET_LIMIT),
    )


def _keyword(field: str, values: tuple[str, ...], shown: int | None = None) -> Entry:
    return Entry(
        field,
        texts=tuple(dict.fromkeys(map(comparable, values))),
        facets=tuple(value for value in values[:shown] if len(value) <= FACET_LIMIT),
        suggestions=tuple(v for v in values if len(v) <= FACET_LIMIT) if field == "gene" else (),
    )


def _keyword_entry(key: tuple[str, tuple[str, ...]]) -> Entry:
    return _keyword(*key, shown=1 if key[0] == "type" else None)


def _number_entry(key: tuple[str, tuple[float, ...]]) -> Entry:
    return Entry(key[0], numbers=key[1])


_entries = Cache(_entry, 50_000)
keyword_entries = Cache(_keyword_entry, 50_000)
_numbers = Cache(_number_entry, 20_000)


def _claims_by_field(record: Record) -> dict[str, list[Annotation]]:
    grouped: dict[str, list[Annotation]] = {}
    for claim in record.annotations:
        grouped.setdefault(claim.field, []).append(claim)
    return grouped


def is_short(texts: tuple[str, ...]) -> bool:
    """Whether texts are short enough to be kept in a cache."""
    return sum(map(len, texts)) <= _CACHED_LENGTH


def own_fields(record: Record) -> dict[str, Entry]:
    """Return the entries of a record's own values."""
    texts = texts_of(record)
    claims = _claims_by_field(record) if record.annotations else {}
    fields: dict[str, Entry] = {}
    for name in texts.keys() | claims.keys():
        own = texts.get(name, ())
        fields[name] = _entries((name, own, tuple(claims.get(name, ()))), keep=is_short(own))
    for name, values in keywords_of(record).items():
        found = keyword_entries((name, values), keep=is_short(values))
        fields[name] = _joined(fields[name], found) if name in fields else found
    for name, numbers in numbers_of(record).items():
        fields[name] = _numbers((name, numbers))
    date = date_number(record.date) if record.date else None
    if date is not None:
        fields["date"] = _numbers(("date", (float(date),)))
    return fields


def _joined(one: Entry, other: Entry) -> Entry:
    """Join a keyword field's values with claims that somebody made about it."""
    return Entry(
        one.field,
        texts=tuple(dict.fromkeys(one.texts + other.texts)),
        terms=one.terms,
        claims=one.claims,
        facets=tuple(dict.fromkeys(one.facets + other.facets)),
        suggestions=tuple(dict.fromkeys(one.suggestions + other.suggestions)),
    )


def has_any(entry: Entry) -> bool:
    """Whether an entry has values that can be asked for."""
    return bool(entry.texts or entry.terms or entry.numbers)


# ------------------------------------------------------------------ words and pairs


def _joined_words(text: str) -> str:
    return " ".join(words(text))


_short_words = Cache(_joined_words, 50_000)


def words_of(text: str) -> str:
    """Return the words of a text, joined by blanks."""
    return _short_words(text, keep=len(text) <= TOKEN_LIMIT)


_short_keys = Cache(comparable, 10_000)


def _pair(key: tuple[str, str]) -> Pair:
    name, value = key
    folded = comparable(value)
    short = _short_keys(name, keep=len(name) <= TOKEN_LIMIT)
    is_word = len(folded) <= TOKEN_LIMIT and folded.isascii() and folded.isalnum()
    return Pair(
        short,
        folded,
        first_number(folded),
        folded if is_word else _joined_words(value),
        field_of_key(name) is not None,
    )


_short_pairs = Cache(_pair, 50_000)


def pairs_of(pairs: tuple[KeyValue, ...]) -> tuple[Pair, ...]:
    """Return key-value pairs as engines compare them."""
    kept = _short_pairs.kept
    found = []
    for pair in pairs:
        key = (pair.key, pair.value)
        known = kept.get(key)
        if known is None:
            known = _short_pairs(key, keep=len(pair.value) + len(pair.key) <= _CACHED_LENGTH)
            kept = _short_pairs.kept
        found.append(known)
    return tuple(found)
