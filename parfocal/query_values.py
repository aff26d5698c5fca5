"""Checks shared by both forms of a query: does the value suit the field, is the member allowed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import NoReturn, cast, get_args

from parfocal.errors import QueryInvalid
from parfocal.field_values import micrometres
from parfocal.fields import FIELDS, Field, field_named
from parfocal.model import Level
from parfocal.query import Expand, FacetRequest, FieldOp, KeyOp, Sort, first_number

LEVELS: tuple[str, ...] = ("any", *get_args(Level))
EXPANDS: tuple[str, ...] = get_args(Expand)
MAX_SIZE = 1_000
MAX_FACET_SIZE = 10_000
OPEN_END = "*"
COMPARISONS = (">=", "<=", ">", "<")
_MEASURE = re.compile(r"([-+]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d{1,3})?)\s*(\D*)")
_DATE = re.compile(r"\d{4}(-(0?[1-9]|1[0-2])(-(0?[1-9]|[12]\d|3[01])([T ].{1,40})?)?)?")
_SORTABLE = tuple(field.name for field in FIELDS if field.type in ("number", "length", "date"))
_EXAMPLES = {"number": "1024", "length": "0.2um", "date": "2019-03-24"}


def closest(word: str, known: Sequence[str], fallback: str) -> str:
    """Return a hint that proposes the most similar known word, else the fallback.

    >>> closest("organsim", ["organism", "tissue"], "see the docs")
    'did you mean organism?'
    """
    near = get_close_matches(word.lower(), known, n=1, cutoff=0.7)
    return f"did you mean {near[0]}?" if near else fallback


def check_match(field: Field, op: FieldOp, values: Sequence[str], position: int = -1) -> None:
    """Raise QueryInvalid when an operator or value does not suit the type of its field."""
    ordered = field.type in ("number", "length", "date")
    if not ordered and (op in COMPARISONS or (op == "is" and len(values) == 2)):
        _refuse(f"{field.name} is text: it has no order", field, values, position)
    if ordered and op == "contains":
        _refuse(f"{field.name} is a {field.type}: it contains no text", field, values, position)
    if op == "within" and field.type != "term":
        _refuse(f"{field.name} holds no ontology terms", field, values, position)
    is_range = op == "is" and len(values) == 2
    for value in values if ordered else ():
        if not (is_range and value == OPEN_END) and not _readable(field, value):
            _refuse(f"{value[:100]!r} is no {field.type}", field, (value,), position)


def _refuse(message: str, field: Field, values: Sequence[str], position: int) -> NoReturn:
    example = _EXAMPLES.get(field.type, '"some text"')
    raise QueryInvalid(
        message,
        hint=f"write {field.name}:{example}",
        position=position,
        length=sum(map(len, values)),
    )


def _readable(field: Field, value: str) -> bool:
    if field.type == "date":
        return _DATE.fullmatch(value.strip()) is not None
    match = _MEASURE.fullmatch(value.strip())
    if match is None:
        return False
    unit = match.group(2).strip()
    return not unit or (field.type == "length" and micrometres(1.0, unit) is not None)


def check_key_match(op: KeyOp, values: Sequence[str], position: int = -1) -> None:
    """Raise QueryInvalid when a comparison of key-values has no number."""
    if op in COMPARISONS and first_number(values[0]) is None:
        raise QueryInvalid(
            f"{values[0][:100]!r} has no number, and {op} compares numbers",
            hint='write kv:"Concentration>=5"; kv:"key=value" compares text',
            position=position,
            length=len(values[0]),
        )


def read_level(text: str, *, where: str = "level", position: int = -1) -> Level | None:
    """Check a level; None stands for ``any``."""
    if text not in LEVELS:
        raise QueryInvalid(
            f"there is no level {text[:100]!r}",
            hint=f"levels are {', '.join(LEVELS)}",
            where=where,
            position=position,
            length=len(text),
        )
    return None if text == "any" else cast("Level", text)


def read_expand(text: str, *, where: str = "expand", position: int = -1) -> Expand:
    """Check how far words are expanded: none, synonyms or subclasses."""
    if text not in EXPANDS:
        raise QueryInvalid(
            f"words cannot be expanded by {text[:100]!r}",
            hint=f"write one of {', '.join(EXPANDS)}",
            where=where,
            position=position,
            length=len(text),
        )
    return cast("Expand", text)


def read_sort(text: str, *, where: str = "sort", position: int = -1) -> Sort:
    """Read an order of hits; a minus in front turns it round.

    >>> read_sort("-date")
    Sort(by='date', descending=True)
    """
    name = text.removeprefix("-")
    field = field_named(name)
    if name in ("relevance", "id"):
        return Sort(name, text.startswith("-"))
    if field is None or field.name not in _SORTABLE:
        raise QueryInvalid(
            f"hits cannot be sorted by {name[:100]!r}",
            hint=f"sort by relevance, id, {', '.join(_SORTABLE)}; a minus in front turns it round",
            where=where,
            position=position,
            length=len(text),
        )
    return Sort(field.name, text.startswith("-"))


def read_facet(text: str, *, where: str = "facets") -> FacetRequest:
    """Read a facet with or without its size.

    >>> read_facet("container:1000")
    FacetRequest(field='container', size=1000)
    """
    name, _, size = text.partition(":")
    if size and not re.fullmatch(r"[0-9]{1,6}", size):
        raise QueryInvalid(
            f"{size[:100]!r} is no number of facet values", hint="write container:100", where=where
        )
    return check_facet(name, int(size) if size else FacetRequest("").size, where=where)


def check_facet(name: str, size: int, *, where: str = "facets") -> FacetRequest:
    """Raise QueryInvalid when a field has no facet or too many values are asked for."""
    known = [field.name for field in FIELDS if field.facet]
    field = field_named(name)
    if field is None or not field.facet:
        raise QueryInvalid(
            f"there is no facet {name[:100]!r}",
            hint=closest(name, known, f"facets are {', '.join(known)}"),
            where=where,
        )
    if not 1 <= size <= MAX_FACET_SIZE:
        raise QueryInvalid(
            f"a facet has 1 to {MAX_FACET_SIZE} values, not {size}",
            hint="ask for fewer",
            where=where,
        )
    return FacetRequest(field.name, size)


def check_size(size: int, *, where: str = "size") -> int:
    """Raise QueryInvalid when a page would be too large."""
    if not 0 <= size <= MAX_SIZE:
        raise QueryInvalid(
            f"a page has 0 to {MAX_SIZE} hits, not {size}",
            hint="take page after page by the token in 'next'",
            where=where,
        )
    return size
