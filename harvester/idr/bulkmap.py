"""``*-bulkmap-config.yml``: under which keys the columns of an IDR annotation table are shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml
from msgspec import Struct

from parfocal.errors import SourceMalformed

MAX_BYTES = 2_000_000
_MAX_DEPTH = 20
_MAX_NODES = 200_000


class BulkColumn(Struct, frozen=True, array_like=True):
    """One entry: column name, client name ("" when not given), separator of values, namespace."""

    name: str
    client_name: str = ""
    split: str = ""
    namespace: str = ""


def _events(text: str, where: str) -> Iterator[yaml.Event]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        for count, event in enumerate(yaml.parse(text, Loader=loader)):
            if isinstance(event, yaml.AliasEvent) or count > _MAX_NODES:
                raise SourceMalformed(
                    "is a YAML file with aliases or far too many values", where=where
                )
            yield event
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise SourceMalformed(f"is not valid YAML: {problem}", where=f"{where}{place}") from error


def _node(event: yaml.Event, events: Iterator[yaml.Event], depth: int, where: str) -> Any:
    """Build plain dicts, lists and strings; a mapping's keys are strings or left out."""
    if depth > _MAX_DEPTH:
        raise SourceMalformed("is nested too deeply", where=where)
    if isinstance(event, yaml.ScalarEvent):
        return event.value
    if isinstance(event, yaml.SequenceStartEvent):
        items = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(_node(event, events, depth + 1, where))
        return items
    mapping = {}
    while not isinstance(event := next(events), yaml.MappingEndEvent):
        key = _node(event, events, depth + 1, where)
        value = _node(next(events), events, depth + 1, where)
        if isinstance(key, str):
            mapping[key] = value
    return mapping


def _load(text: str, where: str) -> Any:
    events = _events(text, where)
    for event in events:
        if isinstance(event, yaml.NodeEvent):
            return _node(event, events, 0, where)
    return None


def _text(value: object) -> str:
    return value if isinstance(value, str) and value not in ("~", "null") else ""


def _columns(entries: object, split: str, namespace: str) -> Iterator[BulkColumn]:
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict):
            continue
        group = entry.get("group")
        if isinstance(group, dict):
            yield from _columns(group.get("columns"), split, _text(group.get("namespace")))
        elif _text(entry.get("name")):
            own = _text(entry["split"]) if "split" in entry else split
            client = _text(entry.get("clientname")).strip()
            yield BulkColumn(entry["name"].strip(), client, own, namespace)


def read_bulkmap(text: str, where: str) -> tuple[BulkColumn, ...]:
    """Return the columns of a bulkmap configuration; SourceMalformed when it is none.

    >>> read_bulkmap("columns: [{name: 'Comment [Gene]', clientname: Gene Symbol}]", "x.yml")[0]
    BulkColumn(name='Comment [Gene]', client_name='Gene Symbol', split='', namespace='')
    """
    loaded = _load(text, where)
    if not isinstance(loaded, dict) or not isinstance(loaded.get("columns"), list):
        raise SourceMalformed(
            "has no list 'columns'", where=where, hint="compare with another bulkmap-config.yml"
        )
    defaults = loaded.get("defaults")
    split = _text(defaults.get("split")) if isinstance(defaults, dict) else ""
    return tuple(_columns(loaded["columns"], split, ""))
