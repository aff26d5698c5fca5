"""Conditions on fields, as engines compare them: texts, terms, numbers, dates."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import NoReturn

from parfocal.answers import Expansion
from parfocal.concepts import meaning_of
from parfocal.errors import QueryInvalid
from parfocal.field_values import micrometres
from parfocal.fields import Field, require_field
from parfocal.identifiers import Curie, parse_doi
from parfocal.interfaces import TermStore
from parfocal.prefixes import curie_of
from parfocal.query import (
    AnyOf,
    Clause,
    Expand,
    FieldContains,
    FieldExists,
    FieldIn,
    FieldMatch,
    FieldRange,
    Not,
    date_number,
    fold,
)

Understood = tuple[Clause, tuple[Expansion, ...]]
_OPEN = ("*", "")
_MEASURE = re.compile(r"([-+]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d{1,3})?)\s*(\D*)")
_PLACES = ("study", "container")
_WHOLE = "cluster"
_NATIVE = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}:(\S.*)", re.DOTALL)
_EXAMPLES = {"number": "1024", "length": "0.2um", "date": "2019 or 2019-03-24"}


def understand_field(asked: FieldMatch, terms: TermStore, expand: Expand) -> Understood:
    """Return a condition on a field as engines compare it, and how its terms were understood."""
    field = require_field(asked.field, asked.position)
    if asked.op == "exists":
        return FieldExists(field.name), ()
    if not asked.values:
        _refuse(asked, "", f"{field.name} {asked.op} needs a value", f"write {field.name}:VALUE")
    if field.type in ("number", "length", "date"):
        return _ordered(asked, field), ()
    if field.name == _WHOLE and asked.op not in ("is", "in", "not_in"):
        _refuse(asked, asked.values[0], "a cluster has a whole name", f"write {_WHOLE}:NAME")
    if asked.op == "contains":
        found = tuple(FieldContains(field.name, fold(value)) for value in asked.values)
        return found[0] if len(found) == 1 else AnyOf(found), ()
    if asked.op in (">=", "<=", ">", "<"):
        _refuse(
            asked,
            asked.values[0],
            f"{field.name} is text: it has no order",
            f"write {field.name}:VALUE",
        )
    return _among(asked, field, terms, expand)


def _refuse(asked: FieldMatch, value: str, message: str, hint: str) -> NoReturn:
    raise QueryInvalid(message, hint=hint, position=asked.position, length=len(value))


# ------------------------------------------------------------------ texts and terms


def _among(asked: FieldMatch, field: Field, terms: TermStore, expand: Expand) -> Understood:
    reach: Expand = "subclasses" if asked.op == "within" else expand
    texts: dict[str, None] = {}
    found: dict[Curie, None] = {}
    expansions: list[Expansion] = []
    label = ""
    for value in asked.values:
        texts.update(dict.fromkeys(_texts(field, value)))
        if field.type != "term":
            continue
        meaning = None
        if reach != "none":
            meaning = meaning_of(value, terms, reach, field.prefixes, part_of=field.part_of)
        if meaning is None:
            found.update(dict.fromkeys(_bare_curie(value)))
            continue
        texts.update((fold(name), None) for name in meaning.names)
        found.update(dict.fromkeys(meaning.terms))
        label = label or meaning.label
        expansions.append(meaning.expansion(field.name))
    clause: Clause = FieldIn(field.name, tuple(texts), tuple(found), label or asked.values[0])
    return (Not(clause) if asked.op == "not_in" else clause), tuple(expansions)


def _bare_curie(value: str) -> tuple[Curie, ...]:
    curie = curie_of(value)
    return (curie,) if curie else ()


def _texts(field: Field, value: str) -> tuple[str, ...]:
    """Return the ways in which records may hold a value of a text field."""
    folded = fold(value)
    if field.name == _WHOLE:
        return (value.strip(),)
    if field.name in _PLACES:
        native = _NATIVE.fullmatch(value.strip())
        return (folded, fold(native.group(1))) if native else (folded,)
    if field.name == "doi":
        doi = parse_doi(value)
        return (doi,) if doi else (folded,)
    if field.name == "licence":
        return tuple(dict.fromkeys((folded, folded.replace(" ", "-"))))
    return (folded,)


# ------------------------------------------------------------------ numbers, lengths, dates


def _ordered(asked: FieldMatch, field: Field) -> Clause:
    if asked.op in ("contains", "within"):
        _refuse(
            asked,
            asked.values[0],
            f"{field.name} is a {field.type}: it {asked.op} nothing",
            f"write {field.name}:{_EXAMPLES[field.type]}",
        )
    if asked.op in ("in", "not_in"):
        every = tuple(_exactly(asked, field, value, value) for value in asked.values)
        either: Clause = every[0] if len(every) == 1 else AnyOf(every)
        return Not(either) if asked.op == "not_in" else either
    if asked.op == "is":
        return _exactly(asked, field, asked.values[0], asked.values[-1])
    return _beyond(asked, field, asked.values[0])


def _exactly(asked: FieldMatch, field: Field, low: str, high: str) -> FieldRange:
    lowest = None if low in _OPEN else _number(asked, field, low)
    highest = None if high in _OPEN else _number(asked, field, high, last=True)
    if lowest is not None and highest is not None and lowest > highest:
        _refuse(asked, low, f"the range from {low} to {high} is empty", f"write [{high} TO {low}]")
    return FieldRange(field.name, lowest, highest)


def _beyond(asked: FieldMatch, field: Field, value: str) -> FieldRange:
    """Return a one-sided range; a year counts whole, so that after 2019 begins with 2020."""
    last = asked.op in (">", "<=")
    bound = _number(asked, field, value, last=last)
    if asked.op in (">", ">="):
        return FieldRange(field.name, low=bound, low_open=asked.op == ">")
    return FieldRange(field.name, high=bound, high_open=asked.op == "<")


def _number(asked: FieldMatch, field: Field, value: str, *, last: bool = False) -> float:
    read: dict[str, Callable[[str], float | None]] = {
        "date": lambda text: _date(text, last=last),
        "length": _length,
        "number": _plain,
    }
    number = read[field.type](value.strip())
    if number is None or not math.isfinite(number):
        _refuse(
            asked,
            value,
            f"{value[:100]!r} is no {field.type}",
            f"write {field.name}:{_EXAMPLES[field.type]}",
        )
    return number


def _date(text: str, *, last: bool) -> float | None:
    number = date_number(text, last=last)
    if number is None:
        return None
    month, day = number // 100 % 100, number % 100
    return float(number) if 1 <= month <= 12 and 1 <= day <= 31 else None


def _length(text: str) -> float | None:
    match = _MEASURE.fullmatch(text)
    return micrometres(float(match.group(1)), match.group(2) or "um") if match else None


def _plain(text: str) -> float | None:
    match = _MEASURE.fullmatch(text)
    if match is None or match.group(2).strip().lower() not in ("", "px", "x"):
        return None
    return float(match.group(1))
