"""Understood clauses as tantivy queries; they answer exactly as the memory engine does.

Inherited text is not copied into every record: records name what they inherit from, and a word that
stands in the text of a study finds what lies in the study by its id.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import tantivy
from tantivy import FieldType, Occur

from indexer.document import PUBLIC
from indexer.search.levels import bound_of
from indexer.search.tantivy_document import (
    HAS_PAIRS,
    HIDDEN,
    PIECE,
    TERM,
    WHOLE,
    key_digest,
    sortable,
)
from indexer.texts import CUT, KEY_LIMIT, bounded, comparable, words
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

TQuery = tantivy.Query
_OWN, _INHERITED, _MEANT = 3.0, 1.0, 2.0
"""Weights: words of the record, words of what it lies in, a term that a text means."""
_FEW = 64
_SPECIAL = re.compile(r"([\\.+*?()|\[\]{}^$])")
_LAST = 0xFFFF_FFFF_FFFF_FFFF


def both(parts: Iterable[TQuery]) -> TQuery:
    """Return the query that all parts must match."""
    listed = list(parts)
    if len(listed) == 1:
        return listed[0]
    return TQuery.boolean_query([(Occur.Must, part) for part in listed])


def either(parts: Iterable[TQuery]) -> TQuery:
    """Return the query that one part must match."""
    listed = list(parts)
    if not listed:
        return TQuery.empty_query()
    if len(listed) == 1:
        return listed[0]
    return TQuery.boolean_query([(Occur.Should, part) for part in listed])


def but_not(query: TQuery, excluded: TQuery) -> TQuery:
    """Return the query that one must match and the other must not."""
    return TQuery.boolean_query([(Occur.Must, query), (Occur.MustNot, excluded)])


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)


class Compiler:
    """Turns clauses into queries against one moment of an index.

    ``holders`` answers which studies and containers match a query on ``own``; ``vocabulary`` lists
    the terms of a raw field with a prefix.
    """

    def __init__(
        self,
        index: tantivy.Index,
        holders: Callable[[str, Callable[[], TQuery]], list[str]],
        vocabulary: Callable[[str, str], list[str]],
    ) -> None:
        self._index = index
        self._schema = index.schema
        self._holders = holders
        self._vocabulary = vocabulary

    def term(self, field: str, value: str | int) -> TQuery:
        """Return the query of one term."""
        return TQuery.term_query(self._schema, field, value, index_option="basic")

    def term_set(self, field: str, values: Iterable[str | int]) -> TQuery:
        """Return the query of any of many terms."""
        listed = list(values)
        if len(listed) == 1:
            return TQuery.const_score_query(self.term(field, listed[0]), 0.0)
        return (
            TQuery.term_set_query(self._schema, field, listed) if listed else TQuery.empty_query()
        )

    def hidden_from(self, audience: Iterable[str]) -> TQuery:
        """Return the query of what is not public and meant for none of the audience."""
        hidden = self.term("meta", HIDDEN)
        groups = [each for each in audience if each != PUBLIC]
        return but_not(hidden, self.term_set("audience", groups)) if groups else hidden

    def query(self, clause: Clause) -> TQuery:
        """Return the query of a clause; conditions that are not words give no score."""
        match clause:
            case Everything():
                return TQuery.const_score_query(TQuery.all_query(), 0.0)
            case All():
                parts = [self.query(part) for part in clause.clauses]
                return both(parts) if parts else self.query(Everything())
            case AnyOf():
                return either(self.query(part) for part in clause.clauses)
            case Not():
                return but_not(self.query(Everything()), self.query(clause.clause))
            case Token():
                return self._words(clause.text)
            case Phrase():
                return self._phrases([clause.text], everything_if_empty=True)
            case Concept():
                return self._concept(clause)
        return TQuery.const_score_query(self._condition(clause), 0.0)

    def _condition(self, clause: Clause) -> TQuery:
        match clause:
            case Terms():
                return self.term_set("claims", clause.terms)
            case KeyMatch():
                return self._key(clause)
            case FieldIn():
                return self._field_in(clause)
            case FieldContains():
                return self._contains("field", clause.field, clause.text)
            case FieldRange():
                return self._range(clause)
            case FieldExists():
                return self.term("field", clause.field)
            case LiesIn():
                places = ("study_key", "container_key")
                return either(self.term_set(place, clause.ids) for place in places)
        raise AssertionError(clause)

    # -------------------------------------------------------------- words

    def _own(self, listed: list[str]) -> TQuery:
        if len(listed) == 1:
            return TQuery.term_query(self._schema, "own", listed[0], index_option="freq")
        return TQuery.phrase_query(self._schema, "own", list(listed))

    def _own_or_inherited(self, phrases: list[list[str]]) -> TQuery:
        """Return the query of phrases in own text, or in the text of what a record lies in."""

        def own() -> TQuery:
            return either(self._own(phrase) for phrase in phrases)

        name = "\0".join(" ".join(phrase) for phrase in phrases)
        holders = self._holders(name, own)
        # A few terms join the union of words at no cost; many are quicker as a set.
        inherited = (
            [self.term("lies_in", holder) for holder in holders]
            if len(holders) <= _FEW
            else [self.term_set("lies_in", holders)]
        )
        weighed = [TQuery.const_score_query(each, _INHERITED) for each in inherited]
        return either([TQuery.boost_query(own(), _OWN), *weighed])

    def _words(self, text: str) -> TQuery:
        asked = list(dict.fromkeys(words(text)))
        if not asked:
            return self.query(Everything())
        return both(self._own_or_inherited([[word]]) for word in asked)

    def _phrases(self, texts: Iterable[str], *, everything_if_empty: bool = False) -> TQuery:
        phrases = [phrase for phrase in map(words, texts) if phrase]
        if not phrases:
            return self.query(Everything()) if everything_if_empty else TQuery.empty_query()
        return self._own_or_inherited(phrases)

    def _concept(self, clause: Concept) -> TQuery:
        found = [self._words(clause.text)] if words(clause.text) else []
        if clause.synonyms:
            found.append(self._phrases(clause.synonyms))
        if clause.terms:
            meant = self.term_set("terms", clause.terms)
            found.append(TQuery.const_score_query(meant, _MEANT))
        return either(found)

    # -------------------------------------------------------------- fields

    def _field_in(self, clause: FieldIn) -> TQuery:
        texts = [clause.field + WHOLE + bounded(comparable(text)) for text in clause.texts]
        return self.term_set("field", texts + [clause.field + TERM + t for t in clause.terms])

    def _contains(self, field: str, name: str | None, text: str) -> TQuery:
        names = f"[^{WHOLE}{PIECE}]*" if name is None else _escaped(name)
        # What is found lies before the digest of a long value, not in it.
        pattern = f"{names}[{WHOLE}{PIECE}][^{CUT}]*{_escaped(comparable(text))}.*"
        return TQuery.regex_query(self._schema, field, pattern)

    def _range(self, clause: FieldRange) -> TQuery:
        name = f"num_{clause.field}"
        if clause.low is None and clause.high is None:
            return TQuery.exists_query(name)
        return self.number_range(
            name, clause.low, clause.high, not clause.low_open, not clause.high_open
        )

    def number_range(
        self,
        field: str,
        low: float | None,
        high: float | None,
        with_low: bool = True,
        with_high: bool = True,
    ) -> TQuery:
        """Return the query of a number field between bounds; None is no bound."""
        kind = FieldType.Unsigned if field == "seq" else FieldType.Float
        return TQuery.range_query(
            self._schema, field, kind, low, high, with_low or low is None, with_high or high is None
        )

    # -------------------------------------------------------------- key-values

    def _key(self, clause: KeyMatch) -> TQuery:
        key = None if clause.key is None else bounded(comparable(clause.key), KEY_LIMIT)
        has_key = self.term("keys", HAS_PAIRS if key is None else key)
        match clause.op:
            case "exists":
                return has_key
            case "equals" | "in":
                return self.term_set("kv", self._equal(key, clause.values))
            case "not_equals":
                return but_not(has_key, self.term_set("kv", self._equal(key, clause.values)))
            case "contains":
                return self._pairs_contain(key, clause.values)
            case "not_contains":
                return but_not(has_key, self._pairs_contain(key, clause.values))
            case "not_in":
                return self.term_set("kv", self._other_values(key, clause.values))
        bound = bound_of(clause.values)
        return either(self._compared(each, clause.op, bound) for each in self._keys(key))

    def _keys(self, key: str | None) -> list[str]:
        """Return the keys meant: the one asked for, or all that there are; they are few."""
        if key is not None:
            return [key]
        return [each for each in self._vocabulary("keys", "") if each != HAS_PAIRS]

    def _equal(self, key: str | None, values: Iterable[str]) -> list[str]:
        texts = [WHOLE + bounded(comparable(value)) for value in values]
        return [each + text for each in self._keys(key) for text in texts]

    def _other_values(self, key: str | None, values: Iterable[str]) -> list[str]:
        """Return the terms of all other values; as many as the key has."""
        same = set(self._equal(key, values))
        return [
            term
            for each in self._keys(key)
            for term in self._vocabulary("kv", each + WHOLE)
            if term not in same
        ]

    def _pairs_contain(self, key: str | None, values: Iterable[str]) -> TQuery:
        return either(self._contains("kv", key, value) for value in values)

    def _compared(self, key: str, op: str, bound: float) -> TQuery:
        digest, at = key_digest(key), sortable(bound)
        low, high = {
            ">=": (at, _LAST),
            ">": (at + 1, _LAST),
            "<=": (0, at),
            "<": (0, at - 1),
        }[op]
        return self._index.parse_query(f"kv_num:[{digest}{low:016x} TO {digest}{high:016x}]")
