"""Understood clauses in Elasticsearch's query language, and the mapping that they ask.

Every text goes into the query as a value, never into its structure. Key-values are nested
documents, so that a condition holds within one pair.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from indexer.document import Document
from indexer.entries import Pair
from indexer.search.levels import COMPARISONS, bound_of
from indexer.texts import CUT, KEY_LIMIT, bounded, comparable, pieces, words
from parfocal.fields import FIELDS
from parfocal.query import (
    All,
    AnyOf,
    Clause,
    Concept,
    Everything,
    FieldContains,
    FieldExists,
    FieldIn,
    FieldRange,
    KeyMatch,
    LiesIn,
    Not,
    Phrase,
    Terms,
    Token,
)

Dsl = dict[str, Any]
VERSION = "2"
"""Raised whenever mapping or documents change; the index's name carries it."""
_SIGNS = frozenset('.?+*|{}[]()"\\#@&<>~^$-')
_MOST_STATES = 2_000_000
REVISION_ID = "revision"
EVERYTHING: Dsl = {"match_all": {"boost": 0.0}}
NOTHING: Dsl = {"match_none": {}}
_OWN, _INHERITED, _MEANT = 3.0, 1.0, 2.0
_TERMS_AT_ONCE = 60_000
_RANGE = {">=": "gte", "<=": "lte", ">": "gt", "<": "lt"}
_JOIN = "\x7f"


def mapping() -> Dsl:
    """Return settings and mapping of the index."""
    keyword, text = {"type": "keyword"}, {"type": "text", "analyzer": "whitespace"}
    keywords = ("id", "level", "audience", "study_key", "container_key", "field", "pieces", "terms")
    properties: Dsl = {name: keyword for name in (*keywords, "claims", "suggest")}
    for field in FIELDS:
        if field.type in ("term", "keyword"):
            properties[f"facet_{field.name}"] = keyword
        else:
            properties[f"num_{field.name}"] = {"type": "double"}
    properties |= {
        "seq": {"type": "long"},
        "revision": {"type": "long"},
        "own": text,
        "inherited": text,
        "pairs": {
            "type": "nested",
            "properties": {
                "key": keyword,
                "value": keyword,
                "pieces": keyword,
                "number": {"type": "double"},
            },
        },
    }
    return {
        "settings": {
            "number_of_shards": 1,
            "number_of_replicas": 0,
            "refresh_interval": "-1",
            "max_result_window": 20_000,
            "mapping.nested_objects.limit": 1_000_000,
            "max_regex_length": 4_000,
        },
        "mappings": {"dynamic": False, "_source": {"enabled": False}, "properties": properties},
    }


# ------------------------------------------------------------------ documents


def finite(number: float) -> float:
    """Return a number that the engine takes: beyond the largest is the largest."""
    return max(-sys.float_info.max, min(sys.float_info.max, number))


def _pair(pair: Pair) -> Dsl:
    found: Dsl = {"key": bounded(pair.key, KEY_LIMIT), "value": bounded(pair.value)}
    parts = pieces(pair.value)
    if parts:
        found["pieces"] = parts
    if pair.number is not None:
        found["number"] = finite(pair.number)
    return found


def content(doc: Document) -> Dsl:
    """Return a document as the index takes it."""
    found: Dsl = {
        "seq": doc.seq,
        "id": doc.id,
        "level": doc.level,
        "audience": doc.audience,
        "study_key": doc.studies,
        "container_key": doc.containers,
        "own": doc.texts,
        "inherited": doc.inherited,
        "claims": doc.claims,
        "pairs": [_pair(pair) for pair in doc.pairs],
    }
    lists: dict[str, list[str]] = {"field": [], "pieces": [], "terms": [], "suggest": []}
    for name, entry in doc.fields.items():
        lists["field"] += [_text(name, text) for text in entry.texts]
        lists["field"] += [_term(name, term) for term in entry.terms]
        lists["pieces"] += [name + _JOIN + part for text in entry.texts for part in pieces(text)]
        lists["terms"] += entry.terms
        lists["suggest"] += [
            _JOIN.join((bounded(comparable(text)), name, text)) for text in entry.suggestions
        ]
        found[f"facet_{name}"] = entry.facets
        if entry.numbers:
            found[f"num_{name}"] = entry.numbers
        if entry.texts or entry.terms or entry.numbers:
            lists["field"].append(name)
    return found | lists


def _text(field: str, text: str) -> str:
    return field + _JOIN + bounded(text)


def _term(field: str, term: str) -> str:
    return field + _JOIN + _JOIN + term


# ------------------------------------------------------------------ clauses


def both(parts: Iterable[Dsl]) -> Dsl:
    """Return the query that all parts must match."""
    return {"bool": {"must": list(parts)}}


def either(parts: Iterable[Dsl]) -> Dsl:
    """Return the query that one part must match."""
    listed = list(parts)
    return {"bool": {"should": listed, "minimum_should_match": 1}} if listed else NOTHING


def terms(field: str, values: Iterable[str]) -> Dsl:
    """Return the query of any of the values, however many."""
    listed = list(values)
    parts = [listed[at : at + _TERMS_AT_ONCE] for at in range(0, len(listed), _TERMS_AT_ONCE)]
    return either({"terms": {field: part}} for part in parts)


def constant(query: Dsl, score: float = 0.0) -> Dsl:
    """Return a condition: a query with one score for all that it matches."""
    return {"constant_score": {"filter": query, "boost": score}}


def query_of(clause: Clause) -> Dsl:
    """Return the query of a clause; conditions that are not words give no score."""
    match clause:
        case Everything():
            return EVERYTHING
        case All():
            return both(map(query_of, clause.clauses)) if clause.clauses else EVERYTHING
        case AnyOf():
            return either(map(query_of, clause.clauses))
        case Not():
            return {"bool": {"must": [EVERYTHING], "must_not": [query_of(clause.clause)]}}
        case Token():
            return _words(clause.text)
        case Phrase():
            return _phrase(clause.text) if words(clause.text) else EVERYTHING
        case Concept():
            return _concept(clause)
    return constant(_condition(clause))


def _condition(clause: Clause) -> Dsl:
    match clause:
        case Terms():
            return terms("claims", clause.terms)
        case KeyMatch():
            return _key(clause)
        case FieldIn():
            texts = [_text(clause.field, comparable(text)) for text in clause.texts]
            return terms("field", texts + [_term(clause.field, term) for term in clause.terms])
        case FieldContains():
            return _contains(("field", "pieces"), clause.text, clause.field + _JOIN)
        case FieldRange():
            return _range(clause)
        case FieldExists():
            return {"term": {"field": clause.field}}
        case LiesIn():
            return either(terms(each, clause.ids) for each in ("study_key", "container_key"))
    raise AssertionError(clause)


def _words(text: str) -> Dsl:
    asked = list(dict.fromkeys(words(text)))
    return both(map(_phrase, asked)) if asked else EVERYTHING


def _phrase(text: str) -> Dsl:
    joined = " ".join(words(text))
    return either(
        [
            {"match_phrase": {"own": {"query": joined, "boost": _OWN}}},
            constant({"match_phrase": {"inherited": {"query": joined}}}, _INHERITED),
        ]
    )


def _concept(clause: Concept) -> Dsl:
    found = [_words(clause.text)] if words(clause.text) else []
    found += [_phrase(synonym) for synonym in clause.synonyms if words(synonym)]
    if clause.terms:
        found.append(constant(terms("terms", clause.terms), _MEANT))
    return either(found)


def _escaped(text: str) -> str:
    return "".join(f"\\{sign}" if sign in _SIGNS else sign for sign in text)


def _contains(fields: Iterable[str], text: str, prefix: str = "") -> Dsl:
    # Not a wildcard query: those have a fixed bound that a text of repeated letters exceeds.
    # Before the cut of a long value: what stands behind it is a digest, not the source's words.
    pattern = f"{_escaped(prefix)}[^{CUT}]*{_escaped(comparable(text))}.*"
    asked = {"value": pattern, "flags": "NONE", "max_determinized_states": _MOST_STATES}
    return either({"regexp": {field: asked}} for field in fields)


def _range(clause: FieldRange) -> Dsl:
    name = f"num_{clause.field}"
    bounds: Dsl = {}
    if clause.low is not None:
        bounds["gt" if clause.low_open else "gte"] = clause.low
    if clause.high is not None:
        bounds["lt" if clause.high_open else "lte"] = clause.high
    return {"range": {name: bounds}} if bounds else {"exists": {"field": name}}


def _key(clause: KeyMatch) -> Dsl:
    present = _pair_with(clause.key, [])
    if clause.op == "exists":
        return present
    found = _pair_with(clause.key, [_value(clause)])
    if clause.op in ("not_equals", "not_contains"):
        return {"bool": {"filter": [present], "must_not": [found]}}
    return found


def _value(clause: KeyMatch) -> Dsl:
    if clause.op in COMPARISONS:
        bound = finite(bound_of(clause.values))
        return {"range": {"pairs.number": {_RANGE[clause.op]: bound}}}
    if clause.op in ("contains", "not_contains"):
        return either(_contains(("pairs.value", "pairs.pieces"), text) for text in clause.values)
    same = terms("pairs.value", [bounded(comparable(value)) for value in clause.values])
    return {"bool": {"must_not": [same]}} if clause.op == "not_in" else same


def _pair_with(key: str | None, conditions: list[Dsl]) -> Dsl:
    """Return the query of records with one pair that has the key and meets the conditions."""
    if key is not None:
        folded = bounded(comparable(key), KEY_LIMIT)
        conditions = [{"term": {"pairs.key": folded}}, *conditions]
    inner = {"bool": {"filter": conditions or [{"exists": {"field": "pairs.key"}}]}}
    return {"nested": {"path": "pairs", "query": inner, "score_mode": "none"}}
