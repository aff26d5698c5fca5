"""Records made anew of what is kept, as a fresh harvest would make them, without the archive."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from parfocal.errors import StoreCorrupt
from parfocal.identifiers import RecordId, record_id
from parfocal.model import Access, Annotation, Dataset, Image, KeyValue, Provenance, encode
from parfocal.pipeline import Harvest
from parfocal.rebuilding import Rebuild, needed
from parfocal.store.sqlite import SqliteStore
from parfocal.values import Normalised, Problem, RawItem, Rebuilt


class Shelf:
    """A source of small texts; ``normalise`` can be changed, and the archive can be shut."""

    def __init__(self, *texts):
        self.texts = dict(enumerate(texts))
        self.open = True
        self.suffix = ""
        self.drop = ()
        self.wrong = ()

    async def fetch(self, walk):
        assert self.open, "the archive was asked"
        for number, text in self.texts.items():
            key = f"k{number:04d}"
            if key > walk.cursor:
                yield RawItem(key, text.encode(), key)

    def normalise(self, item):
        words = item.content.decode().split()
        if item.key in self.wrong:
            yield Problem(item.key, "odd", severity="warning")
        study = None
        for word in words:
            if word in self.drop:
                continue
            if study is None:
                study = record_id("s", word)
                yield Dataset(
                    id=study, title=word + self.suffix, provenance=Provenance("s", item.key)
                )
            else:
                yield Image(
                    id=record_id("s", word),
                    title=word + self.suffix,
                    part_of=study,
                    provenance=Provenance("s", item.key),
                    key_values=(KeyValue("Organism", word),),
                )


class Claims:
    """An annotator whose claims carry a version."""

    def __init__(self, version):
        self.version = version

    def annotate(self, record):
        claims = (
            Annotation(
                "organism", pair.value, "A:1", self.version, "label", 0.9, "parfocal test", pair.key
            )
            for pair in record.key_values
        )
        return (*record.annotations, *claims)


@pytest.fixture
def store():
    store = SqliteStore()
    yield store
    store.close()


def run(rebuild):
    with ThreadPoolExecutor(1) as worker:
        return asyncio.run(rebuild.run(worker))


def renormalise(store, source, *annotators, fingerprint="a:b:d", **options):
    return run(Rebuild(store, "s", source, annotators, "renormalise", fingerprint, **options))


def content(store):
    """Every live record, and what is wrong with the source."""
    records = {c.id: c.record and encode(c.record) for c in store.changes(0, limit=10_000)}
    return {i: body for i, body in records.items() if body}, [p for _, p in store.problems("s")]


def fresh(source, *annotators, **options):
    source.open = True
    store = SqliteStore()
    Harvest(store, "s", source, annotators, **options).run()
    left = content(store)
    store.close()
    return left


TEXTS = ("a a1 a2", "b b1", "c c1 c2 c3", "d d1")


@pytest.fixture
def shelf(store):
    """A source that was harvested, and is out of reach now."""
    shelf = Shelf(*TEXTS)
    Harvest(store, "s", shelf, (Claims("one"),)).run(fingerprint="a:b:c")
    shelf.open = False
    return shelf


def test_renormalising_gives_what_a_fresh_harvest_gives(store, shelf):
    shelf.suffix, shelf.drop, shelf.wrong = " anew", ("a2", "b1"), ("k0002",)
    report = renormalise(store, shelf, Claims("two"), groups=("lab",))
    assert (report.scope, report.state) == ("renormalise", "complete")
    assert (report.counts.changed, report.counts.tombstoned, report.items) == (9, 2, 4)
    assert content(store) == fresh(shelf, Claims("two"), groups=("lab",))
    assert store.get(RecordId("s:a")).access == Access(("lab",))


def test_problems_are_replaced(store, shelf):
    shelf.wrong = ("k0001",)
    assert renormalise(store, shelf, Claims("one")).warnings == 1
    shelf.wrong = ()
    assert renormalise(store, shelf, Claims("one")).warnings == 0
    assert store.problems("s") == []


def test_nothing_new_writes_nothing(store, shelf):
    before = store.revision()
    report = renormalise(store, shelf, Claims("one"))
    assert (report.counts.unchanged, store.revision()) == (11, before)


def test_digests_are_trusted_afterwards(store, shelf):
    shelf.suffix = " anew"
    renormalise(store, shelf, Claims("one"), fingerprint="a:x:d")
    shelf.open = True
    report = Harvest(store, "s", shelf, (Claims("one"),)).run(fingerprint="a:x:d")
    assert (report.skipped, report.counts.unchanged) == (4, 11)


def test_a_source_with_other_options_is_still_to_be_read(store, shelf):
    renormalise(store, shelf, Claims("one"), fingerprint="other:b:c")
    shelf.open = True
    assert Harvest(store, "s", shelf, (Claims("one"),)).run(fingerprint="other:b:c").skipped == 0


def test_losing_most_of_a_source_is_doubted(store, shelf):
    shelf.drop = ("a1", "a2", "b1", "c1", "c2", "c3", "d1")
    report = renormalise(store, shelf, Claims("one"))
    assert (report.counts.tombstoned, report.refused) == (0, 7)
    report = renormalise(store, shelf, Claims("one"), allow_shrink=True)
    assert (report.counts.tombstoned, report.refused) == (7, 0)


def test_an_item_that_fails_keeps_its_records(store, shelf):
    def broken(item):
        if item.key == "k0001":
            raise ValueError("no such letter")
        yield from Shelf.normalise(shelf, item)

    shelf.normalise = broken
    report = renormalise(store, shelf, Claims("one"))
    assert (report.problems, report.counts.tombstoned) == (1, 0)
    assert store.get(RecordId("s:b1")).title == "b1"


def test_a_killed_rebuild_goes_on_where_it_was(store, shelf, monkeypatch):
    monkeypatch.setattr("parfocal.rebuilding._ITEMS_A_READ", 1)
    normalised = []
    plain, shelf.suffix = shelf.normalise, " anew"

    def killed(item):
        if item.key == "k0002":
            raise KeyboardInterrupt
        yield from plain(item)

    def watched(item):
        normalised.append(item.key)
        yield from plain(item)

    shelf.normalise = killed
    with pytest.raises(KeyboardInterrupt):
        renormalise(store, shelf, Claims("one"))
    shelf.normalise = watched
    report = renormalise(store, shelf, Claims("one"))
    assert normalised == ["k0002", "k0003"]
    assert (report.counts.changed, report.items) == (11, 4)
    assert content(store) == fresh(shelf, Claims("one"))


def test_a_rebuild_is_not_taken_up_for_another_purpose(store, shelf):
    run_number, _ = store.begin_rebuild("s", "renormalise", "a:b:x")
    store.rebuild("s", run_number, Rebuilt(1, ((1, Normalised(store.kept("s")[0].item)),)))
    report = renormalise(store, shelf, Claims("one"))
    assert report.run != run_number
    assert report.items == 4
    assert {one.state for one in store.runs("s")} == {"complete", "interrupted"}


def test_the_report_is_that_of_the_run_that_ended_not_of_a_later_one(store, shelf):
    killed, _ = store.begin_rebuild("s", "renormalise", "a:b:d")
    store.begin_rebuild("s", "reannotate", "a:b:d")
    report = renormalise(store, shelf)
    assert (report.run, report.scope, report.state) == (killed, "renormalise", "complete")


def test_a_walk_that_fails_is_told_though_a_rebuild_came_after_it_was_killed(store):
    killed, _ = store.begin("s", fingerprint="a:b:d")
    renormalise(store, Shelf())
    assert store.begin("s", fingerprint="a:b:d") == (killed, None)
    assert store.finish("s", killed, complete=False, message="gone").state == "failed"


def test_identifiers_used_twice_end_as_in_a_harvest(store):
    shelf = Shelf("a a1", "b a1", "c c1")
    Harvest(store, "s", shelf).run(fingerprint="a:b:c")
    shelf.open, shelf.suffix = False, " anew"
    renormalise(store, shelf)
    assert content(store) == fresh(shelf)
    shelf.open, shelf.drop = False, ("a",)
    renormalise(store, shelf)
    assert content(store)[0] == fresh(shelf)[0]


def test_items_that_are_not_kept_leave_their_records(store, shelf):
    assert store.forget_raw("s", "9999") == 4
    shelf.suffix = " anew"
    report = renormalise(store, shelf, Claims("one"))
    assert (report.counts.changed, report.counts.tombstoned) == (0, 0)
    assert "4 raw items are no longer kept" in report.message
    assert "--full" in report.message
    assert store.fingerprint("s") == "a:b:c"


def test_damaged_raw_items_are_named():
    store = SqliteStore()
    Harvest(store, "s", Shelf("a")).run()
    store._db().execute("UPDATE raw SET content = x'00ff'")
    with pytest.raises(StoreCorrupt, match="cannot be decompressed"):
        store.kept("s")
    store.close()


# ------------------------------------------------------------------ claims only


def reannotate(store, source, *annotators, fingerprint="a:b:d"):
    return run(Rebuild(store, "s", source, annotators, "reannotate", fingerprint))


@pytest.mark.parametrize("before", ["", "9999"])
def test_reannotating_gives_what_a_fresh_harvest_gives(store, shelf, before):
    store.forget_raw("s", before)
    report = reannotate(store, shelf, Claims("two"))
    assert (report.scope, report.counts.changed, report.counts.unchanged) == ("reannotate", 7, 4)
    assert content(store) == fresh(shelf, Claims("two"))
    assert store.fingerprint("s") == "a:b:d"


def test_claims_of_the_source_stay(store):
    own = Annotation("gene", "x", "A:2", "x", "curated", 1.0, "the curators")
    shelf = Shelf("a a1")
    plain = shelf.normalise
    shelf.normalise = lambda item: (
        msgspec.structs.replace(record, annotations=(own,)) for record in plain(item)
    )
    Harvest(store, "s", shelf, (Claims("one"),)).run()
    store.forget_raw("s", "9999")
    reannotate(store, shelf, Claims("two"))
    (first, second) = store.get(RecordId("s:a1")).annotations
    assert (first, second.label) == (own, "two")


def test_reannotating_in_portions_goes_on_where_it_was(store, shelf, monkeypatch):
    monkeypatch.setattr("parfocal.rebuilding._ITEMS_A_READ", 1)
    store.forget_raw("s", "9999")
    seen = []

    class Killed(Claims):
        def annotate(self, record):
            if record.id == "s:c1":
                raise KeyboardInterrupt
            return super().annotate(record)

    class Watched(Claims):
        def annotate(self, record):
            seen.append(record.id)
            return super().annotate(record)

    with pytest.raises(KeyboardInterrupt):
        reannotate(store, shelf, Killed("two"))
    reannotate(store, shelf, Watched("two"))
    assert "s:a" not in seen
    assert "s:d1" in seen
    assert content(store) == fresh(shelf, Claims("two"))


@pytest.mark.parametrize(
    ("old", "new", "kept", "how"),
    [
        ("r:s:c", "r:s:c", True, None),
        ("r:s:c", "r:s:d", True, "reannotate"),
        ("r:s:c", "r:s:d", False, "reannotate"),
        ("r:s:c", "r:t:d", True, "renormalise"),
        ("r:s:c", "r:t:d", False, None),
        ("r:s:c", "q:s:c", True, None),
        ("", "r:s:c", True, None),
        ("as earlier versions wrote it", "r:s:c", True, None),
    ],
)
def test_what_a_harvest_does_first(old, new, kept, how):
    assert needed(old, new, kept) == how
