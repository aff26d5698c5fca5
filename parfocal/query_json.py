"""The query language as JSON, for programs; docs/query.md describes it for users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast, get_args

import msgspec

from parfocal.errors import QueryInvalid
from parfocal.fields import FIELDS, field_named
from parfocal.query import (
    All,
    AnyOf,
    Clause,
    Everything,
    FacetRequest,
    FieldMatch,
    FieldOp,
    KeyMatch,
    KeyOp,
    Not,
    Phrase,
    Query,
    Sort,
    Within,
    tokens,
)
from parfocal.query_scan import MAX_CLAUSES, MAX_NESTING
from parfocal.query_text import parse_text
from parfocal.query_values import (
    OPEN_END,
    check_facet,
    check_key_match,
    check_match,
    check_size,
    closest,
    read_expand,
    read_facet,
    read_level,
    read_sort,
)

MEMBERS = ("where", "facets", "sort", "size", "after", "level", "expand", "collapse")
FIELD_OPS: tuple[str, ...] = (*get_args(FieldOp), "range")
KEY_OPS: tuple[str, ...] = get_args(KeyOp)
MAX_VALUES = 10_000
MAX_STRING = 10_000
MAX_BODY = 4_000_000
_MAX_BITS = 1_000
_SHAPES: dict[str, tuple[str, ...]] = {
    "all": ("all",),
    "any": ("any",),
    "not": ("not",),
    "text": ("text",),
    "phrase": ("phrase",),
    "within": ("within",),
    "field": ("field", "op", "value"),
    "key": ("key", "op", "value"),
}


def read_json(content: bytes | str) -> Query:
    """Read a query from a JSON document; QueryInvalid when it is none or too long.

    >>> read_json('{"where": {"text": "mitosis"}, "size": 5}').size
    5
    """
    if len(content) > MAX_BODY:
        raise QueryInvalid(
            f"a query has at most {MAX_BODY} bytes", hint="ask in several queries", where=""
        )
    try:
        return parse_json(msgspec.json.decode(content))
    except RecursionError as error:
        raise _too_deep("") from error
    except (msgspec.DecodeError, UnicodeError) as error:
        raise QueryInvalid(
            f"not valid JSON: {error}", hint='write {"where": {"text": "mitosis"}}'
        ) from error


def parse_json(query: object) -> Query:
    """Read a query from its JSON form; QueryInvalid's ``where`` is the JSON pointer of the place.

    >>> parse_json({"where": {"field": "size_x", "op": ">=", "value": 1024}}).where
    FieldMatch(field='size_x', op='>=', values=('1024',), position=-1)
    """
    table = _table(query, "", "a query")
    for name in table:
        if name not in MEMBERS:
            hint = closest(str(name), MEMBERS, f"members are {', '.join(MEMBERS)}")
            raise QueryInvalid(f"unknown member {name[:100]!r}", hint=hint, where=_under("", name))
    reader = _Reader()
    where = reader.clause(table["where"], "/where", top=True) if "where" in table else Everything()
    said = {**{name: table[name] for name in ("level", "sort", "expand") if name in table}}
    said.update(reader.members)
    level = _maybe_text(said, "level")
    sort = _maybe_text(said, "sort")
    expand = _maybe_text(said, "expand")
    return Query(
        where=where,
        level=(read_level(level, where="/level") if level else None) or "any",
        facets=_facets(table.get("facets", [])),
        sort=read_sort(sort, where="/sort") if sort else Sort(),
        size=check_size(_whole(table.get("size", Query().size), "/size"), where="/size"),
        after=_maybe_text(table, "after") or None,
        expand=read_expand(expand, where="/expand") if expand else Query().expand,
        collapse=_yes(table.get("collapse", False), "/collapse"),
    )


def _yes(value: object, where: str) -> bool:
    if not isinstance(value, bool):
        raise QueryInvalid(f"true or false is expected, not {value!r:.100}", where=where)
    return value


def _under(where: str, name: object) -> str:
    """Return the JSON pointer of a member."""
    escaped = str(name)[:100].replace("~", "~0").replace("/", "~1")
    return f"{where}/{escaped}"


def _too_deep(where: str) -> QueryInvalid:
    return QueryInvalid(
        f"the query is nested more than {MAX_NESTING} deep",
        hint="write a simpler query",
        where=where,
    )


def _table(value: object, where: str, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise QueryInvalid(f"{what} is a JSON object", hint='write {"...": ...}', where=where)
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise QueryInvalid("a text is needed here", hint='write "..."', where=where)
    if len(value) > MAX_STRING:
        raise QueryInvalid(
            f"a text has at most {MAX_STRING} characters", hint="shorten it", where=where
        )
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise QueryInvalid("the text is no valid Unicode", hint="send UTF-8", where=where)
    return value


def _maybe_text(table: Mapping[str, Any], name: str) -> str:
    value = table.get(name)
    return "" if value is None else _text(value, f"/{name}")


def _whole(value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise QueryInvalid("a whole number is needed here", hint="write 20", where=where)
    return value


def _list(value: object, where: str, limit: int) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise QueryInvalid("a list is needed here", hint="write [..., ...]", where=where)
    if len(value) > limit:
        raise QueryInvalid(
            f"a list has at most {limit} entries here", hint="ask in several queries", where=where
        )
    return list(value)


def _facets(value: object) -> tuple[FacetRequest, ...]:
    found = []
    for number, facet in enumerate(_list(value, "/facets", len(FIELDS))):
        where = f"/facets/{number}"
        if isinstance(facet, str):
            found.append(read_facet(facet, where=where))
            continue
        table = _table(facet, where, "a facet")
        _only(table, ("field", "size"), where)
        if "field" not in table:
            raise QueryInvalid("a facet needs a field", hint='{"field": "organism"}', where=where)
        size = _whole(table.get("size", FacetRequest("").size), f"{where}/size")
        found.append(check_facet(_text(table["field"], f"{where}/field"), size, where=where))
    return tuple(found)


def _only(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for name in table:
        if name not in known:
            raise QueryInvalid(
                f"unknown member {str(name)[:100]!r}",
                hint=closest(str(name), known, f"members here are {', '.join(known)}"),
                where=_under(where, name),
            )


class _Reader:
    """Reads the tree of clauses; keeps what text clauses say of level, sort and expand."""

    def __init__(self) -> None:
        self.members: dict[str, str] = {}
        self.clauses = 0

    def clause(self, value: object, where: str, *, top: bool = False, depth: int = 0) -> Clause:
        """Read one clause; ``top`` when it holds for the whole query."""
        if depth > MAX_NESTING:
            raise _too_deep(where)
        table = _table(value, where, "a clause")
        kind = self.kind(table, where)
        self.count(where)
        at = f"{where}/{kind}"
        match kind:
            case "all" | "any":
                inner = self.clauses_of(table[kind], at, top=top and kind == "all", depth=depth)
                return All(inner) if kind == "all" else AnyOf(inner)
            case "not":
                return Not(self.clause(table["not"], at, depth=depth + 1))
            case "text":
                return self.text(table["text"], at, top=top)
            case "phrase":
                return Phrase(_words(table["phrase"], at))
            case "within":
                return Within(_filled(table["within"], at))
            case "field":
                return self.field(table, where)
            case _:
                return self.key(table, where)

    def kind(self, table: Mapping[str, Any], where: str) -> str:
        """Return which clause an object is, by its members."""
        kinds = [name for name in _SHAPES if name in table]
        if len(kinds) != 1:
            raise QueryInvalid(
                f"a clause has one of {', '.join(_SHAPES)}, not {len(kinds)} of them",
                hint='join clauses by {"all": [..., ...]}',
                where=where,
            )
        _only(table, _SHAPES[kinds[0]], where)
        return kinds[0]

    def count(self, where: str) -> None:
        """Count clauses, so that a query stays bounded."""
        self.clauses += 1
        if self.clauses > MAX_CLAUSES:
            raise QueryInvalid(
                f"a query has at most {MAX_CLAUSES} clauses",
                hint="many values of one field or key go into one clause by 'in'",
                where=where,
            )

    def clauses_of(self, value: object, where: str, *, top: bool, depth: int) -> tuple[Clause, ...]:
        """Read a list of clauses."""
        return tuple(
            self.clause(item, f"{where}/{number}", top=top, depth=depth + 1)
            for number, item in enumerate(_list(value, where, MAX_CLAUSES))
        )

    def text(self, value: object, where: str, *, top: bool) -> Clause:
        """Read a clause in the text language."""
        text = _text(value, where)
        try:
            clause, members = parse_text(text)
        except QueryInvalid as error:
            error.where = where
            raise
        if members and not (top and self.members.keys().isdisjoint(members)):
            name = next(iter(members))
            raise QueryInvalid(
                f"{name}: is about the whole query",
                hint=f'write it as a member of the query: {{"{name}": "{members[name]}"}}',
                where=where,
            )
        self.members.update(members)
        return clause

    def field(self, table: Mapping[str, Any], where: str) -> FieldMatch:
        """Read a condition on a field."""
        name = _text(table["field"], f"{where}/field")
        field = field_named(name)
        if field is None:
            known = [name for field in FIELDS for name in (field.name, *field.aliases)]
            hint = closest(name, known, 'a key of the source is {"key": ..., "op": ...}')
            raise QueryInvalid(
                f"there is no field {name[:100]!r}", hint=hint, where=f"{where}/field"
            )
        op = _op(table, FIELD_OPS, "is", where)
        values = _values(op, table, where)
        plain = cast("FieldOp", "is" if op == "range" else op)
        try:
            check_match(field, plain, values)
        except QueryInvalid as error:
            error.where = f"{where}/value"
            raise
        return FieldMatch(field.name, plain, values)

    def key(self, table: Mapping[str, Any], where: str) -> KeyMatch:
        """Read a condition on a key-value pair."""
        key = _filled(table["key"], f"{where}/key")
        op = cast("KeyOp", _op(table, KEY_OPS, "equals", where))
        values = _values(op, table, where)
        try:
            check_key_match(op, values)
        except QueryInvalid as error:
            error.where = f"{where}/value"
            raise
        return KeyMatch(None if key == OPEN_END else key, op, values)


def _filled(value: object, where: str) -> str:
    text = " ".join(_text(value, where).split())
    if not text:
        raise QueryInvalid("the text is empty", hint="write what to search for", where=where)
    return text


def _words(value: object, where: str) -> str:
    text = _filled(value, where)
    if not tokens(text):
        raise QueryInvalid("there is no word in the phrase", hint="write a word", where=where)
    return text


def _op(table: Mapping[str, Any], known: tuple[str, ...], default: str, where: str) -> str:
    if "op" not in table:
        return default if "value" in table else "exists"
    op = _text(table["op"], f"{where}/op")
    if op not in known:
        hint = closest(op, known, f"operators here are {', '.join(known)}")
        raise QueryInvalid(f"there is no operator {op[:100]!r}", hint=hint, where=f"{where}/op")
    return op


def _values(op: str, table: Mapping[str, Any], where: str) -> tuple[str, ...]:
    """Return the values as texts: none for exists, two for range, any number for in and not_in."""
    at = f"{where}/value"
    if op == "exists":
        if table.get("value") is not None:
            raise QueryInvalid("exists takes no value", hint="leave it out", where=at)
        return ()
    if table.get("value") is None:
        raise QueryInvalid("a value is missing", hint='write "value": ...', where=where)
    if op == "range":
        return _bounds(table["value"], at)
    if op in ("in", "not_in"):
        items = _list(table["value"], at, MAX_VALUES)
        found = tuple(_value(item, f"{at}/{number}") for number, item in enumerate(items))
        if not found:
            raise QueryInvalid("the list is empty", hint="write at least one value", where=at)
        return found
    return (_value(table["value"], at),)


def _bounds(value: object, where: str) -> tuple[str, str]:
    ends = _list(value, where, 2)
    if len(ends) != 2 or ends == [None, None]:
        hint = "write [2019, 2021], or null for an open end: [2019, null]"
        raise QueryInvalid("a range has two ends", hint=hint, where=where)
    low, high = (
        OPEN_END if end is None else _value(end, f"{where}/{number}")
        for number, end in enumerate(ends)
    )
    return low, high


def _value(value: object, where: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise QueryInvalid("a text or number is needed here", hint='write "..."', where=where)
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        raise QueryInvalid("the number is too large", hint="write fewer digits", where=where)
    return _filled(value if isinstance(value, str) else str(value), where)
