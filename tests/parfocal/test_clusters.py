"""One data set in several sources, through store, index, graph and catalogue, for each viewer."""

from __future__ import annotations

import json
import random
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parfocal.catalogue import Catalogue
from parfocal.clusters import Clusters
from parfocal.errors import QueryInvalid
from parfocal.identifiers import RecordId
from parfocal.model import ANONYMOUS, Access, Dataset, Image, KeyValue, Link, Provenance, Viewer
from parfocal.projecting import project
from parfocal.query_print import format_query
from parfocal.query_text import parse_query
from parfocal.sameness import twins_for
from parfocal.store import connection, identities
from parfocal.store.sqlite import SqliteStore
from parfocal.values import Batch, Change, Normalised, RawItem

LAB = Viewer(frozenset({"lab"}))


def dataset(id: str, **given: Any) -> Dataset:
    source, _, native = id.partition(":")
    values = {"title": f"Title of {native}", "ome_type": "Study", **given}
    return Dataset(id=RecordId(id), provenance=Provenance(source, native), **values)


def image(id: str, within: str) -> Image:
    source, _, native = id.partition(":")
    return Image(
        id=RecordId(id),
        title=native,
        provenance=Provenance(source, native),
        part_of=RecordId(within),
    )


IDR = dataset("idr:idr0056-stojic-lncrnas", identifiers=("idr0056", "S-BIAD3"))
CRATE = dataset("gide:idr0056")
BIA = dataset("bia:S-BIAD3")
PRIVATE = dataset(
    "lab:cells",
    access=Access(("lab",)),
    links=(Link("https://www.ebi.ac.uk/biostudies/studies/S-BIAD3", kind="landing"),),
)
ALONE = dataset("bia:S-BIAD9")
PICTURES = [image("idr:idr0056-stojic-lncrnas/1", IDR.id), image("bia:S-BIAD3/1", BIA.id)]
EVERYTHING = [IDR, CRATE, BIA, PRIVATE, ALONE, *PICTURES]


def put(store: SqliteStore, *records: Dataset | Image, key: str = "k") -> None:
    """Bring records into the store, each source's as one raw item that gives no others."""
    sources = {record.id.partition(":")[0] for record in records}
    for source in sorted(sources):
        run, _ = store.begin(source, full=True)
        own = tuple(record for record in records if record.id.startswith(f"{source}:"))
        store.commit(source, run, Batch((Normalised(RawItem(key, b"x"), own),)))
        store.finish(source, run, complete=True, allow_shrink=True)


def remove(store: SqliteStore, source: str) -> None:
    """Let a source end without any record."""
    run, _ = store.begin(source, full=True)
    store.commit(source, run, Batch((Normalised(RawItem("k", b"empty")),)))
    store.finish(source, run, complete=True, allow_shrink=True)


class Log:
    """A projection that remembers what came, with the twins that everybody sees."""

    def __init__(self) -> None:
        self.reached = 0
        self.came: list[Change] = []

    def revision(self) -> int:
        return self.reached

    def apply(self, changes: Any, revision: int) -> None:
        self.came = list(changes)
        self.reached = revision

    def clear(self) -> None:
        self.reached = 0

    def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
def store() -> Any:
    opened = SqliteStore()
    yield opened
    opened.close()


@pytest.fixture
def catalogue() -> Any:
    with Catalogue.in_memory(EVERYTHING) as opened:
        yield opened


# ------------------------------------------------------------------ store and log


def test_a_new_namesake_moves_the_others_on_and_not_what_lies_in_them(store: SqliteStore) -> None:
    put(store, IDR, *PICTURES[:1])
    log = Log()
    project(store, log)
    put(store, CRATE)
    project(store, log)
    assert {change.id for change in log.came} == {CRATE.id, IDR.id}
    assert {len(change.namesakes) for change in log.came} == {2}
    project(store, log)
    reached = store.revision()
    put(store, CRATE)
    assert store.revision() == reached  # the same again touches nothing


def test_a_record_without_namesakes_moves_nothing(store: SqliteStore) -> None:
    put(store, IDR, CRATE)
    before = store.revision()
    put(store, ALONE)
    assert store.revision() == before + 1


def test_a_removed_record_splits_the_cluster(store: SqliteStore) -> None:
    put(store, IDR, CRATE, BIA)
    log = Log()
    project(store, log)
    assert {i.id for i in store.namesakes(CRATE.id)} == {IDR.id, CRATE.id, BIA.id}
    remove(store, "idr")
    project(store, log)
    assert {change.id for change in log.came} == {IDR.id, CRATE.id, BIA.id}
    assert store.namesakes(CRATE.id)[0].id == CRATE.id
    assert len(store.namesakes(CRATE.id)) == 1
    assert store.namesakes(IDR.id) == ()


def test_what_lies_in_a_changed_container_still_comes(store: SqliteStore) -> None:
    screen = dataset(
        "idr:idr0056-stojic-lncrnas/screenA",
        ome_type="Screen",
        title="idr0056-stojic-lncrnas/screenA",
        part_of=IDR.id,
    )
    well = image("idr:well", screen.id)
    put(store, IDR, screen, well)
    log = Log()
    project(store, log)
    # The screen is touched by a twin, its study changes: the well lies in both.
    put(store, dataset("omero:Screen:3", title="idr0056-stojic-lncrnas/screenA"))
    put(store, msgspec.structs.replace(IDR, title="another title"), screen, well)
    project(store, log)
    assert {change.id for change in log.came} == {IDR.id, screen.id, well.id, "omero:Screen:3"}
    assert next(c for c in log.came if c.id == well.id).ancestors[1].title == "another title"


def test_changed_access_moves_namesakes_on(store: SqliteStore) -> None:
    put(store, IDR, CRATE)
    log = Log()
    project(store, log)
    put(store, msgspec.structs.replace(CRATE, access=Access(("lab",))))
    project(store, log)
    assert {change.id for change in log.came} == {CRATE.id, IDR.id}


def test_an_older_store_learns_the_names_of_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    opened = SqliteStore(path)
    put(opened, IDR, CRATE)
    opened.close()
    with sqlite3.connect(path) as db:
        tables = ("identities", "names", "touches", "identified")
        for name in tables:
            db.execute(f"DROP TABLE {name}")
        for statement in connection._statements(identities.SCHEMA):
            db.execute(statement)
    db.close()
    opened = SqliteStore(path)
    put(opened, ALONE)
    assert {identity.id for identity in opened.namesakes(IDR.id)} == {IDR.id, CRATE.id}
    opened.close()


@settings(max_examples=25)
@given(st.randoms(use_true_random=False), st.sets(st.sampled_from(["idr", "gide", "bia", "lab"])))
def test_order_and_detours_do_not_matter(luck: random.Random, gone: set[str]) -> None:
    records: list[Dataset] = [IDR, CRATE, BIA, PRIVATE]
    left = [record for record in records if record.id.partition(":")[0] not in gone]
    store, straight = SqliteStore(), SqliteStore()
    for record in luck.sample(records, len(records)):
        put(store, record)
    for source in luck.sample(sorted(gone), len(gone)):
        remove(store, source)
    for record in left:
        put(straight, record)
    for viewer in (ANONYMOUS, LAB):
        told = Clusters(store, viewer).everything()
        assert told == Clusters(straight, viewer).everything()
        for cluster in told.clusters:
            for id in cluster:
                twins = twins_for(id, store.namesakes(id), viewer)
                assert {twin.record for twin in twins} | {id} == set(cluster)
    store.close()
    straight.close()


# ------------------------------------------------------------------ what a viewer is told


def test_a_record_tells_its_twins_with_evidence(catalogue: Catalogue) -> None:
    twins = {twin.record: twin for twin in catalogue.view(BIA.id, ANONYMOUS).twins}
    assert set(twins) == {IDR.id, CRATE.id}
    (evidence,) = twins[IDR.id].evidence
    assert (evidence.kind, evidence.value) == ("says so", "biostudies:s-biad3")
    assert (evidence.here, evidence.there) == ("identifier", "identifiers")
    assert catalogue.view(ALONE.id, ANONYMOUS).twins == ()


def test_a_private_twin_stays_unseen(catalogue: Catalogue) -> None:
    with Catalogue.in_memory([r for r in EVERYTHING if r is not PRIVATE]) as without:
        for text in ("cluster:S-BIAD3", "cluster:*", 'cluster:"lab:cells"', "level:study"):
            query = parse_query(text)
            told, clean = (each.search(query, ANONYMOUS) for each in (catalogue, without))
            assert (told.total, told.levels) == (clean.total, clean.levels), text
            assert [(h.id, h.cluster) for h in told.hits] == [(h.id, h.cluster) for h in clean.hits]
        assert catalogue.sameness(ANONYMOUS) == without.sameness(ANONYMOUS)
        everything = "SELECT * { ?s ?p ?o } ORDER BY ?s ?p ?o"
        answers = [each.sparql(everything, ANONYMOUS).content for each in (catalogue, without)]
        assert json.loads(answers[0]) == json.loads(answers[1])
    assert {t.record for t in catalogue.view(BIA.id, LAB).twins} == {IDR.id, CRATE.id, PRIVATE.id}
    assert catalogue.search(parse_query('cluster:"lab:cells"'), LAB).total == 6


@pytest.mark.parametrize("name", [*(r.id for r in (IDR, CRATE, BIA)), "idr0056", "s-biad3"])
def test_any_name_finds_the_cluster_and_all_in_it(catalogue: Catalogue, name: str) -> None:
    answer = catalogue.search(parse_query(f'cluster:"{name}"'), ANONYMOUS)
    assert {hit.id for hit in answer.hits} == {IDR.id, CRATE.id, BIA.id, *(p.id for p in PICTURES)}
    assert {hit.cluster for hit in answer.hits} == {BIA.id}


def test_clusters_in_queries(catalogue: Catalogue) -> None:
    def found(text: str) -> set[str]:
        return {hit.id for hit in catalogue.search(parse_query(text), ANONYMOUS).hits}

    assert found(f'cluster:"{ALONE.id}"') == {ALONE.id}
    assert found("cluster:nothing") == set()
    assert found("cluster:* level:study") == {IDR.id, CRATE.id, BIA.id}
    assert found("-cluster:idr0056") == {ALONE.id}
    assert found("cluster:(idr0056 OR S-BIAD9) level:study") == {IDR.id, CRATE.id, BIA.id, ALONE.id}
    assert found("cluster:idr0056 level:image") == {picture.id for picture in PICTURES}
    assert catalogue.count(parse_query("cluster:idr0056"), ANONYMOUS) == 5
    assert len(list(catalogue.stream(parse_query("cluster:idr0056"), ANONYMOUS))) == 5
    with pytest.raises(QueryInvalid, match="whole"):
        found("cluster:~idr")


def test_a_query_on_a_cluster_prints_as_it_was_asked(catalogue: Catalogue) -> None:
    answer = catalogue.search(parse_query("cluster:idr0056 level:study"), ANONYMOUS)
    query = msgspec.structs.replace(parse_query("level:study"), where=answer.where)
    assert format_query(query) == "cluster:idr0056 level:study"


def test_a_mention_does_not_make_a_name(catalogue: Catalogue) -> None:
    catalogue.add([dataset("empiar:EMPIAR-1001", key_values=(KeyValue("see", "S-BIAD9"),))])
    answer = catalogue.search(parse_query("cluster:S-BIAD9"), ANONYMOUS)
    assert [hit.id for hit in answer.hits] == [ALONE.id]


# ------------------------------------------------------------------ one of each cluster


def listed(catalogue: Catalogue, text: str, viewer: Viewer = ANONYMOUS, **asked: Any) -> list[str]:
    """Return all hits of a query page by page, each data set once; totals must agree."""
    found: list[str] = []
    query = parse_query(text, level="study", collapse=True, **asked)
    while True:
        page = catalogue.search(query, viewer)
        found += [hit.id for hit in page.hits]
        if page.next is None:
            assert page.total == len(found) == catalogue.count(query, viewer)
            return found
        query = msgspec.structs.replace(query, after=page.next)


@pytest.mark.parametrize("viewer", [ANONYMOUS, LAB])
@pytest.mark.parametrize("asked", [{}, {"sort": "id"}, {"sort": "id", "size": 1}])
def test_of_each_data_set_the_hit_with_most_images_is_listed(
    catalogue: Catalogue, viewer: Viewer, asked: dict[str, Any]
) -> None:
    catalogue.add([image("bia:S-BIAD3/2", BIA.id)])
    assert listed(catalogue, "*", viewer, **asked) == [BIA.id, ALONE.id]
    catalogue.add([image(f"idr:idr0056-stojic-lncrnas/{n}", IDR.id) for n in (2, 3)])
    assert sorted(listed(catalogue, "*", viewer, **asked)) == [ALONE.id, IDR.id]


def test_without_images_the_first_hit_is_listed() -> None:
    with Catalogue.in_memory([IDR, CRATE, BIA]) as bare:
        every = bare.search(parse_query("*", level="study"), ANONYMOUS)
        assert listed(bare, "*") == [every.hits[0].id]


def test_the_copy_that_matches_is_listed(catalogue: Catalogue) -> None:
    assert listed(catalogue, "source:bia") == [BIA.id, ALONE.id]
    assert listed(catalogue, "source:gide") == [CRATE.id]
    assert len(listed(catalogue, "source:(gide OR bia)")) == 2
    assert listed(catalogue, "source:lab") == []
    assert listed(catalogue, "source:lab", LAB) == [PRIVATE.id]
    assert listed(catalogue, "nothing like it") == []


def test_other_levels_list_everything(catalogue: Catalogue) -> None:
    query = parse_query("*", level="image", collapse=True)
    assert catalogue.search(query, ANONYMOUS).total == len(PICTURES)
