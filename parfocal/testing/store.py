"""The contract of record stores; subclass it and give a fixture ``store``."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from parfocal.errors import RecordNotFound
from parfocal.identifiers import RecordId, record_id
from parfocal.interfaces import RecordStore
from parfocal.model import Dataset, Image, Provenance, Record
from parfocal.values import Batch, Normalised, Problem, RawItem, Rebuilt, RunReport, Unchanged


def dataset(name: str, part_of: str | None = None, title: str = "") -> Dataset:
    """Make a small data set of the source ``s``."""
    return Dataset(
        id=record_id("s", name),
        title=title or name,
        part_of=record_id("s", part_of) if part_of else None,
        provenance=Provenance("s", name),
    )


def image(name: str, part_of: str | None = None, title: str = "") -> Image:
    """Make a small image of the source ``s``."""
    return Image(
        id=record_id("s", name),
        title=title or name,
        part_of=record_id("s", part_of) if part_of else None,
        provenance=Provenance("s", name),
    )


def item(key: str, *records: Record, problems: tuple[Problem, ...] = ()) -> Normalised:
    """Make a normalised item whose content stands for its records."""
    content = msgspec.json.encode([msgspec.to_builtins(record) for record in records])
    return Normalised(RawItem(key, content, cursor=key), records, problems)


class RecordStoreContract:
    """What every record store does."""

    @pytest.fixture
    def store(self) -> RecordStore:
        """Give an empty store."""
        raise NotImplementedError

    def harvest(self, store: RecordStore, *items: Normalised, **options: bool) -> RunReport:
        """Do one whole run over these items; those kept already with this digest are unchanged."""
        run, _ = store.begin("s", full=options.get("full", False))
        fresh = [i for i in items if store.digest("s", i.item.key) != i.item.digest]
        left = tuple(Unchanged(i.item.key) for i in items if i not in fresh)
        store.commit("s", run, Batch(tuple(fresh), left))
        return store.finish(
            "s", run, complete=True, allow_shrink=options.get("allow_shrink", False)
        )

    def test_records_come_back_as_they_were(self, store: RecordStore) -> None:
        study, picture = dataset("study"), image("study/a", "study")
        report = self.harvest(store, item("k", study, picture))
        assert report.counts.new == 2
        assert report.state == "complete"
        assert store.get(study.id) == study
        assert store.get_many([picture.id, RecordId("s:none")]) == {picture.id: picture}

    def test_identity_is_its_own_and_stays(self, store: RecordStore) -> None:
        before = store.identity()
        self.harvest(store, item("k", dataset("a")))
        assert len(before) >= 16
        assert store.identity() == before

    def test_missing_record_is_an_error(self, store: RecordStore) -> None:
        with pytest.raises(RecordNotFound):
            store.get(RecordId("s:none"))

    def test_every_change_gets_the_next_revision(self, store: RecordStore) -> None:
        self.harvest(store, item("k", dataset("a"), dataset("b")))
        assert [(c.revision, c.seq, c.id) for c in store.changes(0)] == [
            (1, 1, "s:a"),
            (2, 2, "s:b"),
        ]
        self.harvest(store, item("k", dataset("a", title="other"), dataset("b")))
        assert [(c.revision, c.seq) for c in store.changes(0)] == [(2, 2), (3, 1)]
        assert store.revision() == 3
        assert store.changes(0, until=2) == store.changes(0, limit=1)

    def test_second_run_over_the_same_writes_nothing(self, store: RecordStore) -> None:
        kept = item("k", dataset("a"), image("a/1", "a"))
        self.harvest(store, kept)
        report = self.harvest(store, kept)
        assert (report.counts.unchanged, report.skipped, store.revision()) == (2, 1, 2)

    def test_full_run_reads_again_but_writes_only_what_differs(self, store: RecordStore) -> None:
        kept = item("k", dataset("a"))
        self.harvest(store, kept)
        report = self.harvest(store, kept, full=True)
        assert (report.skipped, report.counts.unchanged, store.revision()) == (0, 1, 1)

    def test_another_fingerprint_forgets_digests(self, store: RecordStore) -> None:
        kept = item("k", dataset("a"))
        self.harvest(store, kept)
        assert store.digest("s", "k") == kept.item.digest
        store.begin("s", fingerprint="other")
        assert store.digest("s", "k") is None

    def test_what_is_gone_becomes_a_tombstone(self, store: RecordStore) -> None:
        items = [item(f"k{n}", dataset(f"d{n}")) for n in range(5)]
        self.harvest(store, *items)
        report = self.harvest(store, *items[:4])
        assert report.counts.tombstoned == 1
        assert store.changes(5)[0].record is None
        with pytest.raises(RecordNotFound):
            store.get(RecordId("s:d4"))
        assert self.harvest(store, *items).counts.new == 1
        assert store.get(RecordId("s:d4")) == dataset("d4")

    def test_record_dropped_from_an_item_becomes_a_tombstone(self, store: RecordStore) -> None:
        self.harvest(store, item("k", *(dataset(f"d{n}") for n in range(4))))
        report = self.harvest(store, item("k", *(dataset(f"d{n}") for n in range(3))))
        assert report.counts.tombstoned == 1

    def test_record_that_moves_between_items_lives_on(self, store: RecordStore) -> None:
        a, b, c = dataset("a"), dataset("b"), dataset("c")
        self.harvest(store, item("1", a, b), item("2", c))
        for first, second in (((a,), (b, c)), ((a, b), (c,)), ((), (a, b, c))):
            report = self.harvest(store, item("1", *first), item("2", *second))
            assert report.counts.tombstoned == 0
            assert store.revision() == 3

    @pytest.mark.parametrize("left", [0, 2])
    def test_shrunken_source_tombstones_nothing(self, store: RecordStore, left: int) -> None:
        items = [item(f"k{n}", dataset(f"d{n}")) for n in range(5)]
        self.harvest(store, *items)
        report = self.harvest(store, *items[:left])
        assert report.counts.tombstoned == 0
        assert "allow-shrink" in report.message
        assert report.problems == 1
        assert self.harvest(store, *items[:left], allow_shrink=True).counts.tombstoned == 5 - left

    def test_failed_walk_tombstones_nothing(self, store: RecordStore) -> None:
        self.harvest(store, item("1", dataset("a")), item("2", dataset("b")))
        run, _ = store.begin("s")
        store.commit("s", run, Batch(unchanged=(Unchanged("1"),)))
        report = store.finish("s", run, complete=False, message="lost the line")
        assert (report.state, report.message, report.counts.tombstoned) == (
            "failed",
            "lost the line",
            0,
        )

    def test_unchanged_below_covers_what_lies_there_and_no_more(self, store: RecordStore) -> None:
        keys = ("dir", "dir#1", "dir/a", "dir/b/c", "dir-else", "dir0", "other")
        self.harvest(store, *(item(key, dataset(key)) for key in keys))
        run, _ = store.begin("s")
        seen = store.commit("s", run, Batch(unchanged=(Unchanged("dir", below=True),)))
        assert seen.unchanged == 4
        report = store.finish("s", run, complete=True)
        assert report.counts.tombstoned == 3
        assert {change.id for change in store.records()} == {
            dataset(key).id for key in ("dir", "dir#1", "dir/a", "dir/b/c")
        }

    def test_walk_over_changes_leaves_the_rest(self, store: RecordStore) -> None:
        self.harvest(store, *(item(key, dataset(key)) for key in "abc"))
        run, _ = store.begin("s")
        everything_else = (Unchanged("", below=True),)
        store.commit("s", run, Batch(unchanged=everything_else, deleted=("b",)))
        assert store.finish("s", run, complete=True).counts.tombstoned == 1
        assert {change.id for change in store.records()} == {dataset("a").id, dataset("c").id}

    def test_deleted_waits_for_a_run_that_ends_well(self, store: RecordStore) -> None:
        self.harvest(store, *(item(key, dataset(key)) for key in "abc"))
        run, _ = store.begin("s")
        store.commit("s", run, Batch(deleted=("b",)))
        store.finish("s", run, complete=False, message="lost the line")
        assert store.get(dataset("b").id)
        run, _ = store.begin("s")
        store.commit("s", run, Batch(unchanged=(Unchanged("", below=True),)))
        assert store.finish("s", run, complete=True).counts.tombstoned == 1

    def test_stamps_are_kept_with_items(self, store: RecordStore) -> None:
        run, _ = store.begin("s")
        kept = Normalised(RawItem("k", b"{}", stamp="etag 1"), (dataset("a"),))
        store.commit("s", run, Batch((kept,)))
        assert store.stamp("s", "k") == "etag 1"
        assert store.stamp("s", "none") == ""
        store.commit("s", run, Batch(unchanged=(Unchanged("k", stamp="etag 2"),)))
        assert store.stamp("s", "k") == "etag 2"
        store.finish("s", run, complete=True)
        store.begin("s", full=True)
        assert store.stamp("s", "k") == ""

    def test_mark_is_kept_by_a_complete_run(self, store: RecordStore) -> None:
        run, _ = store.begin("s")
        store.commit("s", run, Batch((item("k", dataset("a")),), mark="monday"))
        assert store.mark("s") == ""
        store.finish("s", run, complete=True)
        assert store.mark("s") == "monday"
        run, _ = store.begin("s")
        store.commit("s", run, Batch(mark="tuesday"))
        store.finish("s", run, complete=False)
        assert store.mark("s") == "monday"

    def test_mark_stays_when_something_could_not_be_read(self, store: RecordStore) -> None:
        run, _ = store.begin("s")
        store.commit("s", run, Batch((item("k", dataset("a")),), mark="monday"))
        store.finish("s", run, complete=True)
        run, _ = store.begin("s")
        seen = (Unchanged("k"),)
        store.commit("s", run, Batch((), seen, (), (Problem("x", "no"),), mark="tuesday"))
        store.finish("s", run, complete=True)
        assert store.mark("s") == "monday"
        store.begin("s", full=True)
        assert store.mark("s") == ""

    def test_run_counts_what_servers_answered(self, store: RecordStore) -> None:
        run, _ = store.begin("s")
        store.commit("s", run, Batch((item("k", dataset("a")),), requests=2, received=100))
        store.commit("s", run, Batch(requests=1, received=11))
        report = store.finish("s", run, complete=True)
        assert (report.requests, report.received) == (3, 111)

    def test_problem_protects_what_it_hides(self, store: RecordStore) -> None:
        items = [item(f"dir/{n}", dataset(f"d{n}")) for n in range(3)]
        self.harvest(store, *items)
        run, _ = store.begin("s")
        store.commit(
            "s",
            run,
            Batch(
                unchanged=(Unchanged("dir/0"), Unchanged("dir/1")), problems=(Problem("dir", "no"),)
            ),
        )
        assert store.finish("s", run, complete=True).counts.tombstoned == 0

    def test_item_that_fails_keeps_its_records(self, store: RecordStore) -> None:
        self.harvest(store, item("k", dataset("a")))
        bad = Normalised(RawItem("k", b"broken"), (), (Problem("k", "broken"),))
        report = self.harvest(store, bad)
        assert (report.counts.tombstoned, report.problems) == (0, 1)
        assert store.get(RecordId("s:a")) == dataset("a")

    def test_problems_stay_until_their_item_is_read_again(self, store: RecordStore) -> None:
        bad = item(
            "k", dataset("a"), problems=(Problem("k", "odd", place="row 3", severity="warning"),)
        )
        assert self.harvest(store, bad).warnings == 1
        assert self.harvest(store, bad).warnings == 1
        assert [problem.place for _, problem in store.problems("s")] == ["row 3"]
        assert self.harvest(store, item("k", dataset("a"), dataset("b"))).warnings == 0

    def test_killed_run_is_taken_up_again(self, store: RecordStore) -> None:
        run, cursor = store.begin("s")
        assert cursor is None
        store.commit("s", run, Batch((item("1", dataset("a")),), cursor="1"))
        assert store.begin("s") == (run, "1")
        store.commit("s", run, Batch((item("2", dataset("b")),), cursor="2"))
        assert store.finish("s", run, complete=True).counts.new == 2
        assert store.begin("s")[1] is None

    def test_same_identifier_twice_keeps_the_first(self, store: RecordStore) -> None:
        report = self.harvest(
            store, item("1", dataset("a", title="first")), item("2", dataset("a", title="second"))
        )
        assert (report.counts.new, report.warnings) == (1, 1)
        assert store.get(RecordId("s:a")).title == "first"

    def test_children_are_found_page_by_page(self, store: RecordStore) -> None:
        self.harvest(store, item("k", dataset("a"), *(image(f"a/{n}", "a") for n in range(5))))
        first = store.children(RecordId("s:a"), limit=2)
        rest = store.children(RecordId("s:a"), after=first[-1].seq)
        assert [c.id for c in (*first, *rest)] == [f"s:a/{n}" for n in range(5)]
        assert [c.id for c in store.children(RecordId("s:a"), until=2)] == ["s:a/0"]

    def test_records_are_listed_by_source(self, store: RecordStore) -> None:
        self.harvest(store, item("k", dataset("a"), dataset("b")))
        assert [c.id for c in store.records(source="s")] == ["s:a", "s:b"]
        assert [c.id for c in store.records(after=1)] == ["s:b"]
        assert store.records(source="t") == []

    def test_sources_and_runs_are_remembered(self, store: RecordStore) -> None:
        self.harvest(store, item("k", dataset("a")))
        self.harvest(store, item("k", dataset("a")))
        state = store.sources()[0]
        assert (state.name, state.records) == ("s", 1)
        assert state.last_run == store.runs("s")[0]
        assert len(store.runs("s")) == 2

    def test_a_run_of_another_scope_is_not_taken_up(self, store: RecordStore) -> None:
        run, _ = store.begin("s")
        store.commit("s", run, Batch((item("1", dataset("a")),), cursor="1"))
        other, cursor = store.begin("s", scope="since 2026-01-02")
        assert (other != run, cursor) == (True, None)
        assert store.begin("s", scope="since 2026-01-02") == (other, None)
        assert store.runs("s")[1].state == "interrupted"

    def test_a_limited_run_says_nothing_of_the_rest(self, store: RecordStore) -> None:
        self.harvest(store, item("1", dataset("a")), item("2", dataset("b")), item("3"))
        run, _ = store.begin("s", scope="limit")
        store.commit("s", run, Batch(unchanged=(Unchanged("1"),), mark="later", seconds=2.5))
        report = store.finish("s", run, complete=True)
        assert (report.state, report.counts.tombstoned) == ("limited", 0)
        assert (report.seconds, store.mark("s")) == (2.5, "")

    def test_a_problem_of_everything_protects_everything(self, store: RecordStore) -> None:
        self.harvest(store, *(item(f"k{n}", dataset(f"d{n}")) for n in range(3)))
        run, _ = store.begin("s")
        seen = (Unchanged("k0"), Unchanged("k1"))
        store.commit("s", run, Batch(unchanged=seen, problems=(Problem("", "one is missing"),)))
        assert store.finish("s", run, complete=True).counts.tombstoned == 0

    def test_an_item_read_in_part_keeps_all_its_records(self, store: RecordStore) -> None:
        self.harvest(store, item("k", *(dataset(f"d{n}") for n in range(4))))
        part = item("k", *(dataset(f"d{n}") for n in range(3)), problems=(Problem("k", "row 4"),))
        assert self.harvest(store, part, full=True).counts.tombstoned == 0

    def test_records_are_made_anew_of_what_is_kept(self, store: RecordStore) -> None:
        self.harvest(store, item("1", dataset("a"), dataset("b")), item("2", dataset("c")))
        run, after = store.begin_rebuild("s", "renormalise", "x")
        assert after == 0
        first, second = store.kept("s")
        assert first.item is not None
        assert first.item.digest == store.digest("s", "1")
        anew = Normalised(first.item, (dataset("a", title="A"),), (Problem("1", "odd"),))
        store.rebuild("s", run, Rebuilt(first.number, ((first.number, anew),)))
        assert store.begin_rebuild("s", "renormalise", "x") == (run, first.number)
        assert store.kept("s", after=first.number) == [second]
        # An item that ends with an error keeps what it gave before.
        assert store.finish_rebuild("s", run, fingerprint="x").counts.tombstoned == 0
        assert (store.get(RecordId("s:a")).title, store.fingerprint("s")) == ("A", "x")
        run, _ = store.begin_rebuild("s", "renormalise", "x")
        good = Normalised(first.item, anew.records)
        store.rebuild("s", run, Rebuilt(second.number, ((first.number, good),)))
        assert store.finish_rebuild("s", run).counts.tombstoned == 1
        assert store.problems("s") == []

    def test_raw_items_can_be_forgotten(self, store: RecordStore) -> None:
        kept = item("1", dataset("a"))
        self.harvest(store, kept)
        assert store.forget_raw("s", "2000") == 0
        assert store.forget_raw("s", "9999") == 1
        (left,) = store.kept("s")
        assert left.item is None
        assert store.digest("s", "1") == kept.item.digest
        assert [change.id for change in store.records_of("s", left.number)] == ["s:a"]

    def test_a_run_can_be_tried_on_a_scratch_store(
        self, store: RecordStore, tmp_path: Path
    ) -> None:
        self.harvest(store, *(item(f"k{n}", dataset(f"d{n}")) for n in range(3)))
        tried = store.scratch(tmp_path / "scratch.sqlite", ["s"])
        assert self.harvest(tried, item("k0", dataset("d0")), item("k1")).counts.tombstoned == 0
        assert self.harvest(tried, *(item(f"k{n}", dataset(f"d{n}")) for n in range(2))).skipped
        tried.close()
        assert (store.revision(), len(store.runs("s"))) == (3, 1)

    def test_journals_hold_their_state(self, store: RecordStore) -> None:
        assert store.journal("publish/a") is None
        store.write_journal("publish/a", {"step": "reserve", "doi": "10.1/a"})
        store.write_journal("publish/b", {"step": "check"})
        store.write_journal("publish/a", {"step": "upload"})
        assert store.journal("publish/a") == {"step": "upload"}
        assert list(store.journals("publish/")) == ["publish/a", "publish/b"]
        assert store.journals("other/") == {}
