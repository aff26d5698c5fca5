"""JSON of unknown shape: its texts and numbers with the path that leads to each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeAlias

from parfocal.model import KeyValue

Json: TypeAlias = dict[str, Any]
MAX_DEPTH = 40
MAX_VALUE = 20_000
"""Longest value of a key that is kept."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def words(value: object) -> str:
    """Return a JSON text, number or truth value as text; "" for anything else.

    >>> words(" a "), words(3), words(True), words({"a": 1})
    ('a', '3', 'true', '')
    """
    if isinstance(value, str) and value.isascii() and value.isprintable():
        return value.strip()  # nearly every value is like that
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, (str, int, float)):
        return ""
    text = str(value).encode("utf-8", "replace").decode("utf-8")
    return _CONTROL.sub("", text).strip()


def entries(value: object) -> list[Any]:
    """Return a list as it is, nothing for None, and one thing as a list of one.

    >>> entries(None), entries("a"), entries(["a", None])
    ([], ['a'], ['a'])
    """
    if value is None:
        return []
    return [one for one in value if one is not None] if isinstance(value, list) else [value]


def objects(value: object) -> list[Json]:
    """Return the objects of a list, or of one thing."""
    return [one for one in entries(value) if isinstance(one, dict)]


def child(value: object, *path: str) -> Any:
    """Return what a path of names leads to, None when there is nothing.

    >>> child({"a": {"b": 1}}, "a", "b"), child([], "a")
    (1, None)
    """
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def leaves(value: object, path: str, depth: int = 0) -> Iterator[KeyValue]:
    """Yield every text and number below a value; the key is its dotted path, without indices.

    >>> [(pair.key, pair.value) for pair in leaves({"b": [1, {"c": "x"}]}, "a")]
    [('a.b', '1'), ('a.b.c', 'x')]
    """
    if depth > MAX_DEPTH:
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}" if path else str(name), depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, path, depth + 1)
    elif text := words(value):
        yield KeyValue(path, text[:MAX_VALUE])
