"""Sources side by side: what disturbs whom, who holds what, where a broken-off run goes on."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest

from parfocal import lock
from parfocal.catalogue import Catalogue
from parfocal.config import Settings
from parfocal.errors import ConfigError, SourceUnavailable, StoreFull, StoreLocked
from parfocal.harvesting import harvest, rebuild_records
from parfocal.identifiers import record_id
from parfocal.model import ANONYMOUS, Access, Dataset, Provenance
from parfocal.pipeline import Wanted
from parfocal.query import Query
from parfocal.values import Deleted, Mark, Problem, RawItem, Unchanged


class Archive:
    """A source over a list of keys; ``between`` is awaited before each, errors are raised."""

    def __init__(self, name, keys, between=None):
        self.name = name
        self.keys = list(keys)
        self.between = between
        self.fetched = []
        self.marks = []
        self.title = "as it was"

    async def fetch(self, walk):
        self.marks.append(walk.mark)
        for key in self.keys:
            if isinstance(key, BaseException):
                raise key
            if isinstance(key, Problem | Deleted | Unchanged | Mark):
                yield key
                continue
            if walk.cursor and key <= walk.cursor:
                continue
            if self.between:
                await self.between(key)
            self.fetched.append(key)
            yield RawItem(key, f"{key} {self.title}".encode(), key)

    def normalise(self, item):
        yield Dataset(
            id=record_id(self.name, item.key),
            title=item.content.decode(),
            provenance=Provenance(self.name, item.key),
        )


class Daily(Archive):
    """A source that can tell what changed."""

    async def fetch_since(self, since, walk):
        self.since = since
        async for found in self.fetch(walk):
            yield found
        yield Unchanged("", below=True)


@pytest.fixture
def open_catalogue(tmp_path):
    """Open a catalogue over archives, in one folder."""

    def open_it(*archives, **settings):
        tables = [
            {"name": archive.name, "kind": "made-up", **settings.pop(archive.name, {})}
            for archive in archives
        ]
        made = Settings.model_validate(
            {
                "data_dir": tmp_path / "data",
                "sources": tables,
                "ontology": {"bundled": False},
                **settings,
            }
        )
        catalogue = Catalogue.open(made)
        catalogue.source = {archive.name: archive for archive in archives}.__getitem__
        return catalogue

    return open_it


def keys(count):
    return [f"k{number:05d}" for number in range(count)]


def by_name(reports):
    return {report.source: report for report in reports}


async def soon(event):
    """Wait for what another source does; a walk that waits in vain fails."""
    for _ in range(500):
        if event.is_set():
            return
        await asyncio.sleep(0.01)
    raise SourceUnavailable("the other source did not get its turn")


def test_sources_walk_side_by_side(open_catalogue):
    begun = {"a": threading.Event(), "b": threading.Event()}

    def wait_for(own, other):
        async def between(key):
            begun[own].set()
            await soon(begun[other])

        return between

    a = Archive("a", keys(3), wait_for("a", "b"))
    b = Archive("b", keys(2), wait_for("b", "a"))
    with open_catalogue(a, b) as catalogue:
        reports = by_name(harvest(catalogue))
        assert {name: run.counts.new for name, run in reports.items()} == {"a": 3, "b": 2}
        assert catalogue.count(Query(), ANONYMOUS) == 5


def test_no_rebuild_begins_when_the_settings_of_one_source_are_wrong(open_catalogue):
    a, b = Archive("a", keys(2)), Archive("b", keys(2))
    with open_catalogue(a, b) as catalogue:
        list(harvest(catalogue))
        catalogue.source = {"a": a}.__getitem__
        with pytest.raises(KeyError):
            list(rebuild_records(catalogue, "renormalise"))
        assert [run.scope for run in catalogue.store.runs("a")] == [""]


def test_no_more_sources_at_once_than_the_settings_say(open_catalogue):
    running, most = set(), []

    def watch(name):
        async def between(key):
            running.add(name)
            most.append(len(running))
            await asyncio.sleep(0)
            if key == keys(3)[-1]:
                running.discard(name)

        return between

    archives = [Archive(name, keys(3), watch(name)) for name in "abcd"]
    with open_catalogue(*archives, harvest={"at_once": 2}) as catalogue:
        assert len(list(harvest(catalogue))) == 4
    assert max(most) <= 2


def test_a_slow_commit_of_one_source_stalls_no_other(open_catalogue, monkeypatch):
    fetched = threading.Event()

    async def tell(key):
        if key == keys(40)[-1]:
            fetched.set()

    slow, quick = Archive("slow", keys(1)), Archive("quick", keys(40), tell)
    with open_catalogue(slow, quick) as catalogue:
        commit = catalogue.store.commit

        def wait(source, run, batch):
            if source == "slow":
                assert fetched.wait(10), "the other source was not fetched meanwhile"
            return commit(source, run, batch)

        monkeypatch.setattr(catalogue.store, "commit", wait)
        assert {report.state for report in harvest(catalogue)} == {"complete"}


def test_no_more_is_fetched_ahead_than_two_portions(open_catalogue, monkeypatch):
    source = Archive("s", keys(2500))
    seen = []
    with open_catalogue(source) as catalogue:
        commit = catalogue.store.commit

        def watch(name, run, batch):
            threading.Event().wait(0.05)
            seen.append((len(source.fetched), int(batch.cursor[1:] or 0)))
            return commit(name, run, batch)

        monkeypatch.setattr(catalogue.store, "commit", watch)
        list(harvest(catalogue))
    assert max(fetched - committed for fetched, committed in seen) <= 501


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (SourceUnavailable("no answer", where="host"), "host: no answer"),
        (KeyError("pages"), "should not have happened: KeyError"),
    ],
)
def test_a_source_that_fails_disturbs_no_other(open_catalogue, error, words):
    broken = Archive("broken", [*keys(2), error])
    with open_catalogue(broken, Archive("good", keys(5))) as catalogue:
        reports = by_name(harvest(catalogue))
        assert (reports["broken"].state, reports["good"].state) == ("failed", "complete")
        assert words in reports["broken"].message
        assert reports["broken"].counts.new == 2
        assert catalogue.count(Query(), ANONYMOUS) >= 5
        broken.keys = keys(2)
        assert by_name(harvest(catalogue))["broken"].state == "complete"


def test_a_full_disk_ends_everything(open_catalogue, monkeypatch):
    with open_catalogue(Archive("a", keys(1)), Archive("b", keys(1))) as catalogue:

        def full(*_):
            raise StoreFull("no space is left")

        monkeypatch.setattr(catalogue.store, "commit", full)
        with pytest.raises(StoreFull):
            list(harvest(catalogue))


# ------------------------------------------------------------------ who holds what


def test_a_source_is_harvested_by_one_process_at_a_time(open_catalogue):
    with open_catalogue(Archive("a", keys(1)), Archive("b", keys(1))) as catalogue:
        other = lock.of_source(catalogue.settings.data_dir, "a")
        assert other.take()
        with pytest.raises(StoreLocked, match=r"'a' .*process \d+ since 20"):
            list(harvest(catalogue, ["a"]))
        done = []
        with pytest.raises(StoreLocked, match="'a'"):
            done.extend(harvest(catalogue, ["a", "b"]))
        assert catalogue.store.runs("b")[0].state == "complete"
        assert catalogue.store.runs("a") == ()
        other.give_back()
        assert [report.state for report in harvest(catalogue, ["a"])] == ["complete"]


def test_who_finds_index_and_graph_taken_waits_at_the_end(open_catalogue):
    archive = Archive("a", keys(3))
    with open_catalogue(archive) as catalogue:
        other = lock.of_projections(catalogue.settings.data_dir)
        assert other.take()
        reports = harvest(catalogue)
        assert next(reports).counts.new == 3
        with ThreadPoolExecutor(1) as pool:
            rest = pool.submit(list, reports)
            assert not rest.done()
            other.give_back()
            assert rest.result(20) == []
        assert catalogue.count(Query(), ANONYMOUS) == 3


def test_two_processes_harvest_different_sources(open_catalogue):
    """Each opens a catalogue of its own over the same folder."""

    def run(name):
        with open_catalogue(Archive(name, keys(700))) as catalogue:
            return [report.state for report in harvest(catalogue)]

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(run, "ab")) == [["complete"], ["complete"]]
    with open_catalogue(Archive("a", ())) as catalogue:
        assert catalogue.count(Query(), ANONYMOUS) == 1400
        assert catalogue.store.revision() == 1400


def test_the_lock_goes_with_its_catalogue(open_catalogue):
    with open_catalogue(Archive("a", keys(1))) as catalogue:
        list(harvest(catalogue))
        assert not lock.of_projections(catalogue.settings.data_dir).take()
    again = lock.of_projections(catalogue.settings.data_dir)
    assert again.take()
    again.give_back()


# ------------------------------------------------------------------ broken off


def test_a_harvest_that_is_stopped_goes_on_where_it_was(open_catalogue):
    stop = threading.Event()

    async def between(key):
        if key == "k01200":
            stop.set()
            await asyncio.sleep(60)

    archive = Archive("a", keys(1500), between)
    with open_catalogue(archive) as catalogue:
        assert list(harvest(catalogue, stop=stop)) == []
        assert catalogue.store.runs("a")[0].state == "running"
        archive.between, archive.fetched = None, []
        (report,) = harvest(catalogue)
        assert (report.counts.new, report.state) == (1500, "complete")
        assert archive.fetched[0] > "k00400"


def test_leaving_the_iteration_leaves_everything_resumable(open_catalogue):
    archive = Archive("a", keys(5))
    waiting = Archive("b", keys(2), lambda key: asyncio.sleep(60))
    with open_catalogue(archive, waiting) as catalogue:
        reports = harvest(catalogue)
        assert next(reports).source == "a"
        reports.close()
        waiting.between = None
        assert by_name(harvest(catalogue))["b"].counts.new == 2


# ------------------------------------------------------------------ less than everything


def test_a_limited_run_tombstones_nothing(open_catalogue):
    archive = Archive("a", keys(10))
    with open_catalogue(archive) as catalogue:
        list(harvest(catalogue))
        archive.keys = keys(6)
        (report,) = harvest(catalogue, wanted=Wanted(limit=4))
        assert (report.state, report.scope, report.items) == ("limited", "limit", 4)
        assert report.counts.tombstoned == 0
        assert "4 items" in report.message
        assert next(harvest(catalogue)).counts.tombstoned == 4


def test_a_limited_run_does_not_take_an_interrupted_one_up(open_catalogue):
    archive = Archive("a", keys(5))
    with open_catalogue(archive) as catalogue:
        run, _ = catalogue.store.begin("a")
        (report,) = harvest(catalogue, wanted=Wanted(limit=1))
        assert report.run != run
        assert [one.state for one in catalogue.store.runs("a")] == ["limited", "interrupted"]


def test_since_is_refused_by_a_source_that_cannot_tell(open_catalogue):
    with open_catalogue(Archive("a", keys(1))) as catalogue:
        with pytest.raises(ConfigError, match="cannot tell what changed") as caught:
            list(harvest(catalogue, wanted=Wanted(since=date(2026, 1, 2))))
        assert "without --since" in caught.value.hint
        assert catalogue.store.runs("a") == ()


def test_since_takes_in_changes_and_leaves_the_rest(open_catalogue):
    archive = Daily("a", [*keys(6), Mark("one")])
    with open_catalogue(archive) as catalogue:
        list(harvest(catalogue))
        archive.keys, archive.title = ["k00002", Deleted("k00004"), Mark("two")], "as it is"
        (report,) = harvest(catalogue, wanted=Wanted(since=date(2026, 1, 2)))
        assert archive.since == date(2026, 1, 2)
        assert report.scope == "since 2026-01-02"
        assert (report.counts.changed, report.counts.tombstoned) == (1, 1)
        # What changed between the last whole walk and that day is still to be asked for.
        assert catalogue.store.mark("a") == "one"


def test_deletions_that_take_most_of_a_source_are_doubted(open_catalogue):
    archive = Daily("a", keys(6))
    with open_catalogue(archive) as catalogue:
        list(harvest(catalogue))
        archive.keys = [Deleted(key) for key in keys(5)]
        wanted = Wanted(since=date(2026, 1, 2))
        (report,) = harvest(catalogue, wanted=wanted)
        assert (report.counts.tombstoned, report.refused) == (0, 5)
        assert "allow-shrink" in report.message
        (report,) = harvest(catalogue, wanted=Wanted(since=date(2026, 1, 2), allow_shrink=True))
        assert (report.counts.tombstoned, report.refused) == (5, 0)


def test_a_problem_over_everything_keeps_everything(open_catalogue):
    archive = Archive("a", keys(6))
    with open_catalogue(archive) as catalogue:
        list(harvest(catalogue))
        archive.keys = [*keys(4), Problem("", "5 are said to be there, 4 came")]
        assert next(harvest(catalogue)).counts.tombstoned == 0
        archive.keys = keys(4)
        assert next(harvest(catalogue)).counts.tombstoned == 2


# ------------------------------------------------------------------ settings that change


def test_a_new_schedule_reads_nothing_again(open_catalogue):
    archive = Archive("a", keys(4))
    with open_catalogue(archive) as catalogue:
        list(harvest(catalogue))
    with open_catalogue(archive, a={"every": "6h"}) as catalogue:
        assert [report.skipped for report in harvest(catalogue)] == [4]


def test_another_access_makes_records_anew_without_the_archive(open_catalogue):
    archive = Archive("a", [*keys(4), Mark("seen until now")])
    with open_catalogue(archive) as catalogue:
        list(harvest(catalogue))
    with open_catalogue(archive, a={"access": ["lab"]}) as catalogue:
        rebuilt, walked = harvest(catalogue)
        assert (rebuilt.scope, rebuilt.counts.changed) == ("renormalise", 4)
        assert (walked.skipped, walked.counts.unchanged) == (4, 4)
        assert archive.marks == ["", "seen until now"]
        record = catalogue.store.get(record_id("a", "k00000"))
        assert record.access == Access(("lab",))


def test_other_options_read_everything_again(open_catalogue):
    archive = Archive("a", [*keys(2), Mark("now")])
    with open_catalogue(archive) as catalogue:
        list(harvest(catalogue))
    with open_catalogue(archive, a={"url": "https://elsewhere.example"}) as catalogue:
        assert [(run.scope, run.skipped) for run in harvest(catalogue)] == [("", 0)]
        assert archive.marks == ["", ""]


@pytest.mark.parametrize(("setting", "kept"), [("all", 3), ("none", 0), ("30d", 3)])
def test_raw_items_are_kept_as_long_as_the_settings_say(open_catalogue, setting, kept):
    archive = Archive("a", keys(3))
    with open_catalogue(archive, harvest={"raw": setting}) as catalogue:
        list(harvest(catalogue))
        items = catalogue.store.kept("a")
        assert sum(one.item is not None for one in items) == kept
        assert [run.skipped for run in harvest(catalogue)] == [3]


def test_without_raw_items_another_access_asks_the_archive(open_catalogue):
    archive = Archive("a", keys(3))
    with open_catalogue(archive, a={"raw": "none"}) as catalogue:
        list(harvest(catalogue))
    with open_catalogue(archive, a={"raw": "none", "access": ["lab"]}) as catalogue:
        assert [(run.scope, run.counts.changed) for run in harvest(catalogue)] == [("", 3)]


def test_annotators_are_asked_by_one_source_at_a_time(open_catalogue):
    inside, most = [], []

    class Watched:
        def annotate(self, record):
            inside.append(record.id)
            threading.Event().wait(0.001)
            most.append(len(inside))
            inside.remove(record.id)
            return record.annotations

    with open_catalogue(*(Archive(name, keys(40)) for name in "abc")) as catalogue:
        catalogue.__dict__["annotators"] = (Watched(),)
        assert len(list(harvest(catalogue))) == 3
    assert most == [1] * 120
