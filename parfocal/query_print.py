"""A query as text again, in one canonical spelling."""

from __future__ import annotations

import re
from itertools import pairwise

from parfocal.query import (
    All,
    AnyOf,
    Clause,
    Concept,
    Everything,
    FieldContains,
    FieldExists,
    FieldIn,
    FieldMatch,
    FieldRange,
    KeyMatch,
    LiesIn,
    Not,
    Phrase,
    Query,
    Sort,
    Terms,
    Token,
    Within,
    Words,
)
from parfocal.query_parts import is_plain_words
from parfocal.query_scan import OPERATORS
from parfocal.query_values import COMPARISONS, OPEN_END

_BARE_VALUE = re.compile(r"[\w.][\w.:/+%-]*")
_KEY_SPECIAL = re.compile(r'([\\"=~<>]|!(?=[=~])|^\*$|!$)')
_KEY_SIGNS = {"equals": "=", "contains": "~", "not_equals": "!=", "not_contains": "!~"}


def format_query(query: Query) -> str:
    """Return a query as text that reads back to the same clauses, level, sort and expansion.

    >>> from parfocal.query_text import parse_query
    >>> format_query(parse_query("(mitosis)   AND species:x sort:-date"))
    'mitosis organism:x sort:-date'
    """
    parts = [] if query.where == Everything() else [format_clause(query.where)]
    if query.level != "any":
        parts.append(f"level:{query.level}")
    if query.sort != Sort():
        parts.append(f"sort:{'-' * query.sort.descending}{query.sort.by}")
    if query.expand != Query().expand:
        parts.append(f"expand:{query.expand}")
    return " ".join(parts)


def format_clause(clause: Clause) -> str:
    """Return a clause as text; an understood one as what it was made from."""
    match clause:
        case All(clauses=()) | Everything():
            return "*"
        case AnyOf(clauses=()):
            return "-*"
        case All(clauses):
            return _joined(clauses)
        case AnyOf(clauses):
            return " OR ".join(_within_or(part) for part in clauses)
        case Not(negated):
            return f"-{_grouped(negated)}"
        case _:
            return _leaf(clause)


def _joined(clauses: tuple[Clause, ...]) -> str:
    """Join what must all match; two groups of bare words are kept apart by AND."""
    text = _within_all(clauses[0])
    for before, after in pairwise(clauses):
        apart = isinstance(before, Words | Token) and isinstance(after, Words | Token)
        text += (" AND " if apart else " ") + _within_all(after)
    return text


def _within_all(clause: Clause) -> str:
    return (
        f"({format_clause(clause)})" if isinstance(clause, All | AnyOf) else format_clause(clause)
    )


def _within_or(clause: Clause) -> str:
    return f"({format_clause(clause)})" if isinstance(clause, AnyOf) else format_clause(clause)


def _grouped(clause: Clause) -> str:
    text = format_clause(clause)
    several = isinstance(clause, Words | Token) and " " in text
    return f"({text})" if several or isinstance(clause, All | AnyOf) else text


def _leaf(clause: Clause) -> str:
    match clause:
        case Words(text=text) | Token(text) | Concept(text=text):
            return _words(text)
        case Phrase(text):
            return _quoted(text)
        case Within(term=term) | Terms(asked=term):
            return f"within:{_value(term)}"
        case KeyMatch():
            return _key_match(clause)
        case FieldMatch(field, op, values):
            return f"{field}:{_condition(op, values)}"
        case FieldIn(field, texts, terms, label):
            return f"{field}:{_condition('in', tuple(texts) or ((label,) if label else terms))}"
        case FieldContains(field, text):
            return f"{field}:~{_value(text)}"
        case LiesIn(asked):
            return f"cluster:{_value(asked) if asked != OPEN_END else asked}"
        case FieldExists(field):
            return f"{field}:*"
        case FieldRange():
            return _range(clause)
        case _:
            raise AssertionError(f"a clause without a text form: {clause}")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _value(text: str) -> str:
    plain = _BARE_VALUE.fullmatch(text) and not text.startswith("within:") and text not in OPERATORS
    return text if plain else _quoted(text)


def _words(text: str) -> str:
    """Return bare words; what would not read back as words, as a phrase."""
    return text if is_plain_words(text) else _quoted(text)


def _condition(op: str, values: tuple[str, ...]) -> str:
    if op == "exists":
        return OPEN_END
    if op in ("in", "not_in"):
        return ("<>" if op == "not_in" else "") + _set(values)
    if op == "is" and len(values) == 2:
        return "[" + " TO ".join(_bound(value) for value in values) + "]"
    sign = {"contains": "~", "within": "within:"}.get(op, op if op in COMPARISONS else "")
    return sign + _value(values[0])


def _bound(text: str) -> str:
    return text if text == OPEN_END else _value(text)


def _set(values: tuple[str, ...]) -> str:
    return "(" + " OR ".join(_value(value) for value in values) + ")"


def _range(clause: FieldRange) -> str:
    parts = []
    if clause.low is not None:
        parts.append(f"{clause.field}:{'>' if clause.low_open else '>='}{clause.low:.17g}")
    if clause.high is not None:
        parts.append(f"{clause.field}:{'<' if clause.high_open else '<='}{clause.high:.17g}")
    return f"({' '.join(parts)})" if len(parts) == 2 else "".join(parts) or f"{clause.field}:*"


def _key_match(clause: KeyMatch) -> str:
    key = OPEN_END if clause.key is None else _KEY_SPECIAL.sub(r"\\\1", clause.key)
    if clause.op == "exists":
        return f'kv:"{key}"'
    if clause.op in ("in", "not_in"):
        sign = "=" if clause.op == "in" else "<>"
        return f'kv:"{key}"{sign}{_set(clause.values)}'
    sign = _KEY_SIGNS.get(clause.op, clause.op)
    return f'kv:"{key}{sign}{_quoted(clause.values[0])[1:-1]}"'
