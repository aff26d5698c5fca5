"""What every source must do that asks servers, also when those fail.

A source's own tests subclass :class:`HttpSourceContract` and give a fake archive and a source::

    class TestMySource(HttpSourceContract):
        @pytest.fixture
        def archive(self): return FakeArchive()

        @pytest.fixture
        def source(self, server): return MySource("mine", MySource.Options(url=server.url, **FAST))

        @pytest.fixture
        def name(self): return "mine"

The fake archive holds a small world, at least three raw items and, where there is paging, three
pages. It can ``add()`` an object, ``change()`` one, ``remove()`` one, and ``misbehave(how)`` in the
ways that only the archive itself can, until ``misbehave("")``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, ClassVar

import pytest

from parfocal import pipeline
from parfocal.interfaces import Source
from parfocal.store.sqlite import SqliteStore
from parfocal.testing.loopback import Fault, Loopback, serve
from parfocal.testing.runs import (
    BrokenOff,
    Killed,
    Nobody,
    State,
    is_clean,
    redirected,
    said,
    spread,
    tombstones,
    with_links,
)
from parfocal.testing.runs import harvest as harvest
from parfocal.testing.runs import state as state
from parfocal.testing.sources import SourceContract, fetch_all, raw_items
from parfocal.values import RunReport

FAST: dict[str, Any] = {
    "rate": 0,
    "concurrency": 2,
    "timeout": 0.5,
    "retries": 2,
    "retry_wait": 0.004,
}
"""Options that make a failing server bearable in tests."""

PASSING = ("500", "502", "503", "429", "reset", "html", "truncated", "drip", "429-retry-after")
LASTING = ("500", "502", "429", "401", "403", "reset", "html", "truncated", "redirect-loop", "drip")
SLOW = ("drip", "429-retry-after")
MISBEHAVIOUR = ("empty", "duplicate-page", "endless-next", "expired")
EVER = 1_000_000


class HttpSourceContract(SourceContract):
    """The behaviour of a source whose archive is a server.

    ``misbehaviour`` is what the fake archive can do, ``skips_unchanged`` says that a second walk
    asks for less than the first, ``sees_deletions`` that a walk over changes finds what is gone,
    ``asked_again`` how many requests a resumed walk may repeat, ``secrets`` what must never be seen
    anywhere but in requests.
    """

    misbehaviour: ClassVar[tuple[str, ...]] = MISBEHAVIOUR
    skips_unchanged: ClassVar[bool] = False
    sees_deletions: ClassVar[bool] = True
    asked_again: ClassVar[int] = 6
    secrets: ClassVar[tuple[str, ...]] = ()

    @pytest.fixture
    def archive(self) -> Any:
        """A fake archive with at least three raw items."""
        raise NotImplementedError

    @pytest.fixture
    def server(self, archive: Any) -> Iterator[Loopback]:
        """A server that answers as the archive says."""
        with serve(archive) as loopback:
            yield loopback

    # ------------------------------------------------------------- hooks, for other fakes

    def add(self, archive: Any) -> None:
        """Bring one more object into the archive, in front of the others where it can."""
        archive.add()

    def change(self, archive: Any) -> None:
        """Change what an object of the archive says."""
        archive.change()

    def remove(self, archive: Any) -> None:
        """Take an object out of the archive."""
        archive.remove()

    def misbehave(self, archive: Any, how: str) -> None:
        """Let the archive misbehave; "" makes it well."""
        archive.misbehave(how)

    # ------------------------------------------------------------- what tests are made of

    def _undisturbed(self, server: Loopback, source: Source, name: str) -> tuple[State, list[str]]:
        """Return the records of a walk into an empty store, and what it asked for."""
        server.forget()
        store = SqliteStore()
        report = harvest(store, name, source)
        assert report.state == "complete", report.message
        assert report.problems == 0, said(store, name, report)
        found = state(store)
        places = [asked.place for asked in server.asked]
        store.close()
        server.forget()
        assert found
        return found, places

    def _check_calm_again(
        self, server: Loopback, source: Source, name: str, store: SqliteStore, wanted: State
    ) -> None:
        """The next undisturbed harvest gives exactly the undisturbed state."""
        server.forget()
        report = harvest(store, name, source)
        assert report.state == "complete", report.message
        assert report.problems == 0, said(store, name, report)
        assert state(store) == wanted

    def _check_disturbed(
        self, store: SqliteStore, name: str, report: RunReport, wanted: State, before: State
    ) -> None:
        """What a walk may leave behind when the archive failed but did not change."""
        now = state(store)
        assert tombstones(store) == set()
        assert {id: now.get(id) for id in before} == before
        assert {id for id in now if now[id] != wanted.get(id)} == set()
        if now != wanted:
            assert not is_clean(report), "records are missing, and the report says nothing"
        self._check_secrets(said(store, name, report))

    def _check_secrets(self, text: str) -> None:
        assert [secret for secret in self.secrets if secret in text] == []

    # ------------------------------------------------------------- what changes

    def test_second_run_changes_nothing(self, server: Loopback, source: Source, name: str) -> None:
        wanted, places = self._undisturbed(server, source, name)
        store = SqliteStore()
        first = harvest(store, name, source)
        sent = server.sent
        server.forget()
        second = harvest(store, name, source)
        counts = second.counts
        assert second.state == "complete"
        assert (counts.new, counts.changed, counts.tombstoned) == (0, 0, 0)
        assert first.counts.new == len(wanted)
        assert state(store) == wanted
        if self.skips_unchanged:
            assert server.sent < sent or len(server.asked) < len(places)

    def test_addition_change_and_deletion_are_found(
        self, archive: Any, server: Loopback, source: Source, name: str
    ) -> None:
        store = SqliteStore()
        harvest(store, name, source)
        for what in (self.add, self.change, self.remove):
            before = state(store)
            what(archive)
            gone_only = what == self.remove and not self.sees_deletions
            report = harvest(store, name, source, full=gone_only)
            assert report.state == "complete", report.message
            wanted, _ = self._undisturbed(server, source, name)
            assert wanted != before, f"{what.__name__} does nothing that is harvested"
            assert state(store) == wanted
            assert tombstones(store) >= before.keys() - wanted.keys()

    def test_objects_shift_while_pages_are_read(
        self, archive: Any, server: Loopback, source: Source, name: str
    ) -> None:
        _, places = self._undisturbed(server, source, name)
        for what in (self.add, self.remove):
            for place in spread(len(places), 3):
                self._shift(archive, server, source, name, what, place)

    def _shift(
        self, archive: Any, server: Loopback, source: Source, name: str, what: Any, place: int
    ) -> None:
        store = SqliteStore()
        harvest(store, name, source)
        before = state(store)
        server.forget()

        def step(_: object) -> None:
            if len(server.asked) == place + 1:
                what(archive)

        server.before = step
        report = harvest(store, name, source)
        happened = len(server.asked) > place
        server.forget()
        if not happened:
            what(archive)
        wanted, _ = self._undisturbed(server, source, name)
        always = before.keys() & wanted.keys()
        lost = always - state(store).keys()
        assert lost == set(), f"{what.__name__} at request {place}: {said(store, name, report)}"
        if what == self.remove and not self.sees_deletions:
            harvest(store, name, source, full=True)
        self._check_calm_again(server, source, name, store, wanted)

    # ------------------------------------------------------------- killed

    def test_resumes_wherever_it_was_killed(
        self, server: Loopback, source: Source, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pipeline, "_ITEMS_A_BATCH", 1)
        wanted, places = self._undisturbed(server, source, name)
        things = fetch_all(source)
        for count in spread(len(things), 10):
            store = SqliteStore()
            server.forget()
            with pytest.raises(Killed):
                harvest(store, name, BrokenOff(source, count))
            report = harvest(store, name, source)
            assert report.state == "complete", report.message
            assert state(store) == wanted, f"killed after {count} of {len(things)}"
            most = len(places) + self.asked_again + FAST["concurrency"]
            assert len(server.asked) <= most, f"killed after {count}: finished pages asked again"

    # ------------------------------------------------------------- fault matrix

    @pytest.mark.parametrize("kind", PASSING)
    def test_failure_that_passes(
        self, server: Loopback, source: Source, name: str, kind: str
    ) -> None:
        wanted, places = self._undisturbed(server, source, name)
        for place in spread(len(places), 4)[1:2] if kind in SLOW else spread(len(places), 4):
            store = SqliteStore()
            server.faults.append(Fault(kind, after=place))
            report = harvest(store, name, source)
            self._check_disturbed(store, name, report, wanted, {})
            if kind not in ("html", "truncated"):
                assert report.state == "complete", report.message
                assert state(store) == wanted
            self._check_calm_again(server, source, name, store, wanted)

    @pytest.mark.parametrize("kind", LASTING)
    def test_failure_that_lasts(
        self, server: Loopback, source: Source, name: str, kind: str
    ) -> None:
        wanted, places = self._undisturbed(server, source, name)
        for place in [1] if kind in SLOW else spread(len(places), 3):
            self._last(server, source, name, Fault(kind, after=place, times=EVER), wanted)

    @pytest.mark.parametrize("kind", ["500", "403", "html", "truncated", "redirect-loop"])
    def test_address_that_always_fails(
        self, server: Loopback, source: Source, name: str, kind: str
    ) -> None:
        wanted, places = self._undisturbed(server, source, name)
        different = sorted(set(places))
        for place in spread(len(different), 4):
            fault = Fault(kind, path=different[place], times=EVER)
            self._last(server, source, name, fault, wanted)

    def _last(
        self, server: Loopback, source: Source, name: str, fault: Fault, wanted: State
    ) -> None:
        """A failure of a server that was harvested well before, and of one that never was."""
        for known in (True, False):
            if fault.kind in SLOW and not known:
                continue
            store = SqliteStore()
            if known:
                harvest(store, name, source)
            server.forget()
            fault.seen = fault.struck = 0
            server.faults.append(fault)
            report = harvest(store, name, source)
            self._check_disturbed(store, name, report, wanted, wanted if known else {})
            if fault.struck:
                assert not is_clean(report), f"{fault}: the report says nothing"
            self._check_calm_again(server, source, name, store, wanted)

    def test_clock_of_the_server_is_wrong(
        self, archive: Any, server: Loopback, source: Source, name: str
    ) -> None:
        wanted, _ = self._undisturbed(server, source, name)
        store = SqliteStore()
        server.faults.append(Fault("skew", times=EVER))
        report = harvest(store, name, source)
        assert report.state == "complete", report.message
        assert state(store) == wanted
        self.change(archive)
        harvest(store, name, source)
        changed, _ = self._undisturbed(server, source, name)
        assert state(store) == changed
        self.change(archive)
        harvest(store, name, source)
        changed, _ = self._undisturbed(server, source, name)
        assert state(store) == changed

    @pytest.mark.parametrize("how", MISBEHAVIOUR)
    def test_archive_misbehaves(
        self, archive: Any, server: Loopback, source: Source, name: str, how: str
    ) -> None:
        if how not in self.misbehaviour:
            pytest.skip(f"an archive of this kind knows no {how}")
        wanted, places = self._undisturbed(server, source, name)
        for known in (True, False):
            store = SqliteStore()
            if known:
                harvest(store, name, source)
            server.forget()
            self.misbehave(archive, how)
            report = harvest(store, name, source)
            before = wanted if known else {}
            if how == "empty" and not known:
                assert state(store) == {}
            else:
                self._check_disturbed(store, name, report, wanted, before)
            assert len(server.asked) <= 100 + 20 * len(places), "it asks and asks"
            if how == "empty" and known and state(store) == wanted and server.asked:
                assert not is_clean(report) or report.message, "nothing is said of the emptiness"
            self.misbehave(archive, "")
            self._check_calm_again(server, source, name, store, wanted)

    # ------------------------------------------------------------- hostile archives

    def test_addresses_of_the_archive_lead_nowhere_inside(
        self, server: Loopback, source: Source, name: str
    ) -> None:
        """Links and redirects to a host that is not public, in every answer."""
        if getattr(getattr(source, "options", None), "allow_networks", ()):
            pytest.skip("this source may ask the network of the test")
        with serve(Nobody()) as inside:
            there = f"{inside.url}/secret"
            server.alter = partial(with_links, there)
            harvest(SqliteStore(), name, source)
            store = SqliteStore()
            server.alter = None
            harvest(store, name, source)
            before = state(store)
            server.alter = partial(redirected, there)
            report = harvest(store, name, source)
            assert inside.asked == []
        assert state(store) == before
        assert not is_clean(report)

    # ------------------------------------------------------------- manners

    def test_never_asks_more_at_once_than_is_set(
        self, server: Loopback, source: Source, name: str
    ) -> None:
        server.delay = 0.005
        harvest(SqliteStore(), name, source)
        assert 1 <= server.most_at_once <= FAST["concurrency"]

    def test_tells_who_asks(self, server: Loopback, source: Source, name: str) -> None:
        harvest(SqliteStore(), name, source)
        agents = {asked.headers.get("user-agent", "") for asked in server.asked}
        assert agents
        assert all(agent.startswith("parfocal/") for agent in agents)

    def test_counts_what_was_asked(self, server: Loopback, source: Source, name: str) -> None:
        store = SqliteStore()
        report = harvest(store, name, source)
        assert report.requests == len(server.asked)
        assert report.received > 0

    def test_keeps_no_secrets(self, server: Loopback, source: Source, name: str) -> None:
        store = SqliteStore()
        report = harvest(store, name, source)
        self._check_secrets(said(store, name, report))
        self._check_secrets(repr(state(store)))
        for item in raw_items(fetch_all(source)):
            self._check_secrets(repr(item))
        self._check_secrets(repr(getattr(source, "options", "")))
