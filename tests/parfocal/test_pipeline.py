import msgspec
import pytest

from parfocal.errors import SourceUnavailable
from parfocal.identifiers import RecordId
from parfocal.model import Access, Annotation
from parfocal.pipeline import Harvest, annotated, narrowed
from parfocal.projecting import Ancestors, project
from parfocal.store.sqlite import SqliteStore
from parfocal.testing.store import dataset, image
from parfocal.values import Problem, RawItem


class ListSource:
    """A source over a list of (key, records); a record may also be a Problem or an exception."""

    def __init__(self, *items):
        self.items = list(items)
        self.fetched = []

    async def fetch(self, walk):
        for key, content in self.items:
            if walk.cursor and key <= walk.cursor:
                continue
            if isinstance(content, Exception):
                raise content
            self.fetched.append(key)
            if isinstance(content, Problem):
                yield content
            else:
                yield RawItem(key, repr(content).encode(), cursor=key)

    def normalise(self, item):
        content = dict(self.items)[item.key]
        for record in content:
            if isinstance(record, Exception):
                raise record
            yield record


class Recorder:
    """A projection that remembers what it was given."""

    def __init__(self):
        self.reached = 0
        self.seen = []
        self.titles = {}

    def revision(self):
        return self.reached

    def apply(self, changes, revision):
        for change in changes:
            self.seen.append((change.id, tuple(a.title for a in change.ancestors)))
            self.titles[change.id] = self.seen[-1][1]
        self.reached = revision


@pytest.fixture
def store():
    store = SqliteStore()
    yield store
    store.close()


def test_harvest_reports_and_stores(store):
    report = Harvest(store, "s", ListSource(("a", [dataset("a"), image("a/1", "a")]))).run()
    assert (report.state, report.counts.new, report.items) == ("complete", 2, 1)


def test_one_bad_item_never_stops_the_run(store):
    source = ListSource(
        ("a", [dataset("a")]),
        ("b", [dataset("b"), KeyError("x")]),
        ("c", Problem("c", "unreadable")),
        ("d", [dataset("d")]),
    )
    report = Harvest(store, "s", source).run()
    assert (report.counts.new, report.problems, report.state) == (2, 2, "complete")
    assert {problem.item for _, problem in store.problems("s")} == {"b", "c"}


def test_source_that_fails_as_a_whole_keeps_what_came(store):
    source = ListSource(("a", [dataset("a")]), ("b", SourceUnavailable("no answer", where="host")))
    report = Harvest(store, "s", source).run()
    assert (report.state, report.counts.new) == ("failed", 1)
    assert "no answer" in report.message


def test_killed_run_goes_on_after_its_last_commit(store, monkeypatch):
    monkeypatch.setattr("parfocal.pipeline._ITEMS_A_BATCH", 1)
    source = ListSource(*((f"k{n}", [dataset(f"d{n}")]) for n in range(4)))
    source.items.insert(2, ("k1x", KeyboardInterrupt()))
    broken = ListSource(*source.items)
    broken.items[2] = ("k1x", RuntimeError("killed"))
    with pytest.raises(RuntimeError):
        Harvest(store, "s", broken).run()
    rest = ListSource(*(pair for pair in source.items if pair[0] != "k1x"))
    report = Harvest(store, "s", rest).run()
    assert rest.fetched == ["k2", "k3"]
    assert report.counts.new == 4


def test_access_of_the_source_only_narrows():
    public, lab = dataset("a"), msgspec.structs.replace(dataset("a"), access=Access(("lab", "b")))
    assert narrowed(public, ()) == public
    assert narrowed(public, ("lab",)).access == Access(("lab",))
    assert narrowed(lab, ()) == lab
    assert narrowed(lab, ("lab", "c")).access == Access(("lab",))
    assert narrowed(lab, ("c",)).access == Access(("-",))


def test_claims_stand_behind_the_records_own():
    class One:
        def annotate(self, record):
            one = Annotation("organism", "x", "A:1", "x", "label", 0.9, "test")
            return (*record.annotations, one)

    assert len(annotated(dataset("a"), [One(), One()]).annotations) == 2


def test_projection_gets_ancestors_nearest_first(store):
    Harvest(
        store,
        "s",
        ListSource(("a", [dataset("a"), dataset("a/b", "a"), image("a/b/1", "a/b")])),
    ).run()
    recorder = Recorder()
    assert project(store, recorder) == 3
    assert recorder.seen[-1] == ("s:a/b/1", ("a/b", "a"))
    assert project(store, recorder) == 0


def test_changed_parent_sends_what_lies_in_it_again(store):
    rest = ("b", [dataset("a/b", "a"), image("a/b/1", "a/b"), image("a/b/2", "a/b")])
    other = ("z", [dataset("z"), image("z/1", "z")])
    Harvest(store, "s", ListSource(("a", [dataset("a")]), rest, other)).run()
    recorder = Recorder()
    project(store, recorder)
    recorder.seen.clear()
    Harvest(store, "s", ListSource(("a", [dataset("a", title="new")]), rest, other)).run()
    project(store, recorder)
    assert [id for id, _ in recorder.seen] == ["s:a", "s:a/b", "s:a/b/1", "s:a/b/2"]
    assert recorder.titles["s:a/b/1"] == ("a/b", "new")


def test_first_projection_sends_everything_once(store):
    Harvest(store, "s", ListSource(("a", [dataset("a"), image("a/1", "a")]))).run()
    recorder = Recorder()
    project(store, recorder)
    assert len(recorder.seen) == 2


def test_ring_of_parents_ends(store):
    Harvest(
        store, "s", ListSource(("a", [dataset("a", "b"), dataset("b", "a"), image("i", "a")]))
    ).run()
    chain = Ancestors(store).of(store.get(RecordId("s:i")))
    assert [record.id for record in chain] == ["s:a", "s:b"]
    project(store, Recorder())
    Harvest(
        store,
        "s",
        ListSource(("a", [dataset("a", "b", "new"), dataset("b", "a"), image("i", "a")])),
    ).run()
    recorder = Recorder()
    recorder.reached = 3
    project(store, recorder)
    assert recorder.titles["s:i"] == ("new", "b")
