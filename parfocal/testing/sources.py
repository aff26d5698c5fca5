"""What every source must do; a test class gives ``source`` and ``name``, and ``broken`` if it can.

A source's own tests subclass :class:`SourceContract`::

    class TestMySource(SourceContract):
        @pytest.fixture
        def source(self, tmp_path): ...
"""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from parfocal.identifiers import parse_record_id, source_of
from parfocal.interfaces import Source, Walk
from parfocal.model import Record, decode, encode
from parfocal.testing.coverage import filled
from parfocal.values import Fetched, Problem, RawItem


@dataclass
class Visit:
    """A Walk whose memory a test gives."""

    cursor: str = ""
    mark: str = ""
    stamps: dict[str, str] = field(default_factory=dict)
    kept: list[RawItem] = field(default_factory=list)
    requests: int = 0
    received: int = 0

    def stamp(self, key: str) -> str:
        """Return the stamp given for an item."""
        return self.stamps.get(key, "")

    def kin(self, key: str, identity: str) -> list[tuple[str, str]]:
        """Return (key, name) of the kept items that may be the same thing."""
        return [
            (item.key, item.name or item.key)
            for item in self.kept
            if key in (item.key, item.name) or (identity and identity == item.identity)
        ]

    def answered(self, size: int) -> None:
        """Count one answer."""
        self.requests += 1
        self.received += size


def fetch_all(source: Source, cursor: str = "", walk: Walk | None = None) -> list[Fetched]:
    """Return everything that a walk yields, from a cursor or with another memory."""

    async def whole() -> list[Fetched]:
        return [found async for found in source.fetch(walk or Visit(cursor))]

    return asyncio.run(whole())


def fetch_some(source: Source, count: int) -> list[Fetched]:
    """Return what a walk yields until it is broken off after ``count`` things."""

    async def walk() -> list[Fetched]:
        found: list[Fetched] = []
        stream = source.fetch(Visit())
        async for one in stream:
            found.append(one)
            if len(found) == count:
                break
        return found

    return asyncio.run(walk())


def raw_items(found: list[Fetched]) -> list[RawItem]:
    """Return the raw items among what a walk yielded."""
    return [one for one in found if isinstance(one, RawItem)]


def normalise_all(source: Source, found: list[Fetched]) -> list[Record]:
    """Return the records of a walk, in its order."""
    return [
        record
        for item in raw_items(found)
        for record in source.normalise(item)
        if not isinstance(record, Problem)
    ]


class SourceContract:
    """The behaviour that the pipeline relies on."""

    @pytest.fixture
    def source(self) -> Source:
        """A source over input with at least three raw items and no errors."""
        raise NotImplementedError

    @pytest.fixture
    def name(self) -> str:
        """The name under which ``source`` was made."""
        raise NotImplementedError

    @pytest.fixture
    def fullest(self, source: Source) -> Source:
        """A source over input that fills all that it can, if ``source`` has less."""
        return source

    @pytest.fixture
    def broken(self) -> Source:
        """A source over input that is partly unreadable and partly good."""
        pytest.skip("this source has no input that can be broken")

    def test_walk_has_no_errors(self, source: Source) -> None:
        errors = [one for one in fetch_all(source) if isinstance(one, Problem)]
        assert [problem for problem in errors if problem.severity == "error"] == []

    def test_walk_is_the_same_twice(self, source: Source) -> None:
        first = fetch_all(source)
        assert len(raw_items(first)) >= 3
        assert fetch_all(source) == first

    def test_keys_are_unique(self, source: Source) -> None:
        keys = [item.key for item in raw_items(fetch_all(source))]
        assert len(set(keys)) == len(keys)
        assert all(keys)

    def test_resumes_after_every_item(self, source: Source) -> None:
        whole = fetch_all(source)
        for place, one in enumerate(whole):
            if isinstance(one, RawItem) and one.cursor:
                assert fetch_all(source, one.cursor) == whole[place + 1 :]

    def test_walk_may_be_broken_off(self, source: Source) -> None:
        assert fetch_some(source, 2) == fetch_all(source)[:2]

    def test_normalise_is_pure(self, source: Source) -> None:
        items = raw_items(fetch_all(source))
        before = copy.deepcopy(items)
        forward = {item.key: list(source.normalise(item)) for item in items}
        backward = {item.key: list(source.normalise(item)) for item in reversed(items)}
        assert forward == backward
        assert items == before

    def test_normalise_needs_nothing_but_the_item(self, source: Source) -> None:
        for item in raw_items(fetch_all(source)):
            travelled = pickle.loads(pickle.dumps(item))  # noqa: S301
            assert list(source.normalise(travelled)) == list(source.normalise(item))

    def test_records_survive_their_json(self, source: Source) -> None:
        records = normalise_all(source, fetch_all(source))
        assert records
        assert [decode(encode(record)) for record in records] == records

    def test_identifiers_are_unique_and_the_sources_own(self, source: Source, name: str) -> None:
        records = normalise_all(source, fetch_all(source))
        ids = [record.id for record in records]
        assert len(set(ids)) == len(ids)
        assert {source_of(parse_record_id(identifier)) for identifier in ids} == {name}
        assert {record.provenance.source for record in records} == {name}

    def test_fields_are_filled(
        self, fullest: Source, record_property: Callable[[str, object], None]
    ) -> None:
        """What is filled goes into ``docs/coverage.md``, by way of the test's report."""
        found = fetch_all(fullest)
        assert [one for one in found if isinstance(one, Problem) and one.severity == "error"] == []
        fields = filled(normalise_all(fullest, found))
        assert {"id", "title", "provenance"} <= fields.keys()
        record_property("source", f"{type(fullest).__module__}:{type(fullest).__name__}")
        record_property("fields", {name: sorted(levels) for name, levels in fields.items()})

    def test_parents_come_first(self, source: Source) -> None:
        seen = set()
        for record in normalise_all(source, fetch_all(source)):
            assert record.part_of is None or record.part_of in seen
            seen.add(record.id)

    def test_annotations_have_evidence(self, source: Source) -> None:
        for record in normalise_all(source, fetch_all(source)):
            for annotation in record.annotations:
                assert annotation.text
                assert annotation.by
                assert annotation.believed == (annotation.method != "doubted")

    def test_rubbish_becomes_a_problem(self, source: Source) -> None:
        for content in (b"", b"\x00", b"{", b"\xff" * 100, b"[" * 100_000):
            found = list(source.normalise(RawItem("rubbish", content)))
            assert found
            assert all(isinstance(one, Problem) for one in found)

    def test_broken_input_becomes_problems(self, broken: Source) -> None:
        found = fetch_all(broken)
        problems = [one for one in found if isinstance(one, Problem)]
        for item in raw_items(found):
            problems += [one for one in broken.normalise(item) if isinstance(one, Problem)]
        assert problems
        assert all(problem.item and problem.reason for problem in problems)
        assert not any("Traceback" in problem.reason for problem in problems)
        assert normalise_all(broken, found), "the good part must still be read"
