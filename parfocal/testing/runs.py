"""Runs of a source into a store of its own: undisturbed, broken off, and what they leave behind."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, ClassVar

from parfocal.identifiers import RecordId
from parfocal.interfaces import Source, Walk
from parfocal.model import encode
from parfocal.pipeline import Harvest
from parfocal.store.sqlite import SqliteStore
from parfocal.testing.loopback import Asked, Given
from parfocal.values import Fetched, RunReport

_ADDRESS = re.compile(r"https?:(?:\\?/){2}[^\s\"'<>\\\\]+")

State = dict[RecordId, bytes]


class Killed(BaseException):
    """Stands for kill -9: nothing catches it."""


class BrokenOff:
    """A source whose walk dies after ``count`` things."""

    Options: ClassVar[type[Any]] = object

    def __init__(self, source: Source, count: int) -> None:
        self._source = source
        self._count = count

    async def fetch(self, walk: Walk) -> AsyncIterator[Fetched]:
        left = self._count
        async for one in self._source.fetch(walk):
            if left == 0:
                raise Killed
            left -= 1
            yield one

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)


class Nobody:
    """An archive that nobody should ask."""

    def answer(self, asked: Asked) -> Given:
        return Given(200, b"{}")


def with_links(target: str, asked: Asked, given: Given) -> Given:
    """Let all addresses of an answer lead to one place."""
    headers = tuple((name, _ADDRESS.sub(target, value)) for name, value in given.headers)
    content = _ADDRESS.sub(target, given.content.decode("latin-1")).encode("latin-1")
    return replace(given, content=content, headers=headers)


def redirected(target: str, asked: Asked, given: Given) -> Given:
    """Lead to one place in place of every answer."""
    return Given(302, b"", "text/plain", (("Location", target),))


def harvest(store: SqliteStore, name: str, source: Any, **more: Any) -> RunReport:
    """Run a source once into a store."""
    return Harvest(store, name, source).run(**more)


def state(store: SqliteStore) -> State:
    """Return all live records."""
    found: State = {}
    after = 0
    while page := store.records(after=after):
        after = page[-1].seq
        found |= {change.id: encode(change.record) for change in page if change.record}
    return found


def tombstones(store: SqliteStore) -> set[RecordId]:
    """Return what is gone."""
    return {change.id for change in store.changes(0, limit=100_000) if change.record is None}


def said(store: SqliteStore, name: str, report: RunReport) -> str:
    """Return everything that a run tells people."""
    problems = [problem for _, problem in store.problems(name)]
    return f"{report.state} {report.message} {problems}"


def is_clean(report: RunReport) -> bool:
    """Whether a run says that all went well."""
    return report.state == "complete" and not (report.problems or report.warnings)


def spread(count: int, most: int) -> list[int]:
    """Return at most ``most`` of ``range(count)``: first, last, and evenly between."""
    if count <= most:
        return list(range(count))
    return sorted({round(place * (count - 1) / (most - 1)) for place in range(most)})
