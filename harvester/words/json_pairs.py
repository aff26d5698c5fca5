"""What an archive's JSON says beyond what the model has, as key-values."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from parfocal.model import KeyValue

MAX_DEPTH = 8
MAX_VALUE = 100_000


def pairs_of(
    told: Mapping[str, Any], *, without: Collection[str] = (), namespace: str = ""
) -> Iterator[KeyValue]:
    """Yield a pair for each value, its key the path of names; what is empty says nothing.

    >>> pairs = pairs_of({"size": 3, "by": [{"name": "Ada"}, {"name": None}]})
    >>> [(pair.key, pair.value) for pair in pairs]
    [('size', '3'), ('by.name', 'Ada')]
    """
    for name, value in told.items():
        if name not in without:
            for key, text in _flat(str(name), value, MAX_DEPTH):
                yield KeyValue(_clean(key)[:500], _clean(text)[:MAX_VALUE], namespace)


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _flat(key: str, value: object, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and depth:
        for name, inner in value.items():
            yield from _flat(f"{key}.{name}", inner, depth - 1)
    elif isinstance(value, list) and depth:
        for inner in value:
            yield from _flat(key, inner, depth - 1)
    elif isinstance(value, bool):
        yield key, "true" if value else "false"
    elif isinstance(value, (str, int, float)):
        text = value.strip() if isinstance(value, str) else str(value)
        if text and text.lower() != "null":
            yield key, text
