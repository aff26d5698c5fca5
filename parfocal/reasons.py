"""Why a record matches a query: the evidence behind each part of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from parfocal.answers import HitAnnotation, Reason
from parfocal.model import Dataset, Record
from parfocal.query import (
    All,
    AnyOf,
    Clause,
    Concept,
    FieldContains,
    FieldIn,
    KeyMatch,
    Phrase,
    Terms,
    Token,
    fold,
    tokens,
)


def positive(clause: Clause) -> Iterator[Clause]:
    """Yield the leaves that a hit can show: those not negated, each bare word on its own."""
    if isinstance(clause, All | AnyOf):
        for part in clause.clauses:
            yield from positive(part)
    elif isinstance(clause, Token):
        yield from (Phrase(word) for word in tokens(clause.text))
    elif isinstance(clause, Phrase | Concept | Terms | FieldIn | FieldContains | KeyMatch):
        yield clause


def _by_term(
    wanted: frozenset[str], asked: str, annotations: Sequence[HitAnnotation], field: str = ""
) -> Reason | None:
    for found in annotations:
        claim = found.claim
        if claim.term in wanted and field in ("", claim.field):
            return Reason(
                asked,
                claim.method,
                claim.text,
                claim.term,
                claim.label,
                claim.field,
                claim.key,
                found.inherited_from,
            )
    return None


def _by_words(
    asked: str, words: Iterable[str], record: Record, ancestors: Sequence[Dataset]
) -> Reason | None:
    wanted = set(words)
    if not wanted:
        return None
    for each in (record, *ancestors):
        origin = None if each is record else each.id
        for key, text in _texts(each):
            if wanted <= set(tokens(text)):
                return Reason(asked, "words", text[:300], key=key, inherited_from=origin)
    return None


def _by_wording(concept: Concept, record: Record, ancestors: Sequence[Dataset]) -> Reason | None:
    for wording in (concept.text, *concept.synonyms):
        if found := _by_words(concept.text, tokens(wording), record, ancestors):
            return found
    return None


def _texts(record: Record) -> Iterator[tuple[str, str]]:
    yield "title", record.title
    for pair in record.key_values:
        yield pair.key, pair.value
    yield "description", record.description
    if isinstance(record, Dataset):
        for keyword in record.keywords:
            yield "keyword", keyword


def _by_pair(leaf: KeyMatch, record: Record) -> Reason | None:
    wanted = [fold(value) for value in leaf.values]
    for pair in record.key_values:
        value = fold(pair.value)
        if leaf.key is not None and fold(pair.key) != fold(leaf.key):
            continue
        contained = leaf.op == "contains" and any(text in value for text in wanted)
        if contained or leaf.op not in ("equals", "in", "contains") or value in wanted:
            asked = f"{leaf.key or '*'} {leaf.op} {' | '.join(leaf.values)}".strip()
            return Reason(asked, "key-value", pair.value, key=pair.key)
    return None


class Explainer:
    """Says why records match a query; what all records share is prepared once."""

    def __init__(self, where: Clause) -> None:
        self._leaves = [
            (leaf, frozenset(leaf.terms if isinstance(leaf, Concept | Terms | FieldIn) else ()))
            for leaf in positive(where)
        ]

    def reasons(
        self,
        record: Record,
        ancestors: Sequence[Dataset],
        annotations: Sequence[HitAnnotation],
    ) -> tuple[Reason, ...]:
        """Return one reason for each part of the query that can be shown."""
        believed = [found for found in annotations if found.claim.believed]
        found = (
            _by_term(terms, leaf.asked, annotations)
            if isinstance(leaf, Terms)
            else _reason(leaf, terms, record, ancestors, believed)
            for leaf, terms in self._leaves
        )
        return tuple(dict.fromkeys(reason for reason in found if reason is not None))


def _reason(
    leaf: Clause,
    terms: frozenset[str],
    record: Record,
    ancestors: Sequence[Dataset],
    believed: Sequence[HitAnnotation],
) -> Reason | None:
    match leaf:
        case Concept():
            return _by_term(terms, leaf.text, believed) or _by_wording(leaf, record, ancestors)
        case FieldIn():
            return _by_term(terms, leaf.label or leaf.field, believed, leaf.field)
        case Phrase():
            return _by_words(leaf.text, tokens(leaf.text), record, ancestors)
        case KeyMatch():
            return _by_pair(leaf, record)
        case _:
            return None
