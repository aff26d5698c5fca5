"""The source ``idr-searchengine``: bulk results of IDR's search engine."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from harvester.searchengine import client as searchengine_client
from harvester.sources.idr_searchengine import IdrSearchengine
from parfocal.config import SourceSettings
from parfocal.errors import SourceRefused, SourceUnavailable
from parfocal.model import Dataset, Image, Record
from parfocal.sources import make_source
from parfocal.testing.http_sources import FAST, HttpSourceContract
from parfocal.testing.loopback import Asked, Given, Loopback, given_json, serve
from parfocal.testing.sources import fetch_all, normalise_all, raw_items
from parfocal.values import Problem
from tests.fakes.idr_searchengine import FakeSearchengine, small_engine


def source_at(server: Loopback, **more: object) -> IdrSearchengine:
    options = {"url": f"{server.url}/searchengine/", **FAST, **more}
    return IdrSearchengine("engine", IdrSearchengine.Options(**options))


class TestPages(HttpSourceContract):
    misbehaviour = ("empty", "duplicate-page", "endless-next")

    @pytest.fixture
    def name(self) -> str:
        return "engine"

    @pytest.fixture
    def archive(self) -> FakeSearchengine:
        return small_engine()

    @pytest.fixture
    def source(self, server: Loopback) -> IdrSearchengine:
        return source_at(server, web="https://omero.example.org/")

    def add(self, archive: FakeSearchengine) -> None:
        ids = (id for id in range(100, 0, -1) if id not in archive.images)
        place = {"project_id": 51, "project_name": "idr0018-x/experimentA"}
        archive.image(next(ids), "new", ("Organism", "Danio rerio"), **place)

    def change(self, archive: FakeSearchengine) -> None:
        pairs = archive.images[21]["key_values"]
        pairs.append({"name": "Phenotype", "value": f"number {len(pairs)}", "index": 9})

    def remove(self, archive: FakeSearchengine) -> None:
        del archive.images[next(iter(archive.images))]


class TestCsv(TestPages):
    """Files instead of pages; what a server does to any request is left to the class above."""

    misbehaviour = ()
    test_failure_that_lasts = None
    test_address_that_always_fails = None
    test_archive_misbehaves = None

    @pytest.fixture
    def source(self, server: Loopback) -> IdrSearchengine:
        return source_at(server, results="csv")


@pytest.fixture
def engine() -> FakeSearchengine:
    return small_engine()


Records = dict[str, Record]


def walked(engine: FakeSearchengine, **more: object) -> tuple[Records, list[Problem]]:
    """The records of a walk by their native ids, and what it says."""
    with serve(engine) as server:
        source = source_at(server, **more)
        found = fetch_all(source)
        problems = [one for one in found if isinstance(one, Problem)]
        return {r.id.partition(":")[2]: r for r in normalise_all(source, found)}, problems


def values(record: Record, key: str) -> list[str]:
    return [pair.value for pair in record.key_values if pair.key == key]


def test_containers_and_images_in_their_places(engine: FakeSearchengine) -> None:
    found, problems = walked(engine, web="https://omero.example.org/")
    assert problems == []
    places = {id: record.part_of and record.part_of[7:] for id, record in found.items()}
    assert places["project-51"] is None
    assert places["dataset-700"] == "project-51"
    assert places["image-1"] == "dataset-701"
    assert places["plate-90"] == "screen-3"
    assert places["image-21"] == "plate-90"
    project, image = found["project-51"], found["image-21"]
    assert isinstance(project, Dataset)
    assert isinstance(image, Image)
    assert (project.ome_type, project.title) == ("Project", "idr0018-x/experimentA")
    assert project.licence == "CC-BY-4.0"
    assert values(project, "Sample Type") == ["tissue"]
    assert found["screen-3"].identifiers == ("doi:10.17867/10000101",)
    assert values(image, "Gene Symbol") == ["A", "B"]
    assert values(image, "well_id") == ["6"]
    assert image.plate == "JL_1"
    assert [link.url for link in image.links] == [
        "https://omero.example.org/webclient/img_detail/21/",
        "https://omero.example.org/webclient/?show=image-21",
    ]


@pytest.mark.parametrize("results", ["csv", "parquet"])
def test_files_say_the_same_but_for_repeated_keys(engine: FakeSearchengine, results: str) -> None:
    if results == "parquet":
        pytest.importorskip("pyarrow")
    by_page, _ = walked(engine)
    by_file, problems = walked(engine, results=results)
    assert problems == []
    assert by_file.keys() == by_page.keys()
    for id, record in by_page.items():
        same = by_file[id]
        assert (same.title, same.part_of) == (record.title, record.part_of)
        if id != "screen-3" and record.level == "image":
            assert values(same, "Organism") == values(record, "Organism")
    assert values(by_file["image-21"], "Gene Symbol") == ["B"]


def test_conditions_go_to_the_engine(engine: FakeSearchengine) -> None:
    condition = {"name": "gene symbol", "value": "g3", "operator": "equals"}
    found, problems = walked(engine, filters=[condition])
    assert problems == []
    assert [id for id in found if id.startswith("image")] == ["image-3"]
    either = [[condition, {**condition, "value": "g5"}]]
    found, _ = walked(engine, or_filters=either)
    assert [id for id in found if id.startswith("image")] == ["image-3", "image-5"]
    found, _ = walked(engine, or_filters=either, case_sensitive=True)
    assert [id for id in found if id.startswith("image")] == []
    found, _ = walked(engine, filters=[{**condition, "value": ["g1", "g2"], "operator": "in"}])
    assert [id for id in found if id.startswith("image")] == ["image-1", "image-2"]


def test_condition_that_is_wrong(engine: FakeSearchengine) -> None:
    with pytest.raises(SourceRefused, match="condition of the source"):
        walked(engine, filters=[{"name": "Organism"}])


def test_only_some_containers(engine: FakeSearchengine) -> None:
    found, _ = walked(engine, containers=["idr0001-y/screenA"])
    assert {id for id in found if id.startswith("image")} == {f"image-{n}" for n in range(21, 25)}
    with pytest.raises(SourceRefused, match="no container 'idr9999'"):
        walked(engine, containers=["idr9999"])


def test_engine_without_list_of_containers_is_asked_for_everything() -> None:
    plain = small_engine(lists_containers=False)
    found, problems = walked(plain)
    assert problems == []
    wanted, _ = walked(small_engine())
    assert {id for id in found if "image" in id} == {id for id in wanted if "image" in id}
    assert found["project-51"].title == "idr0018-x/experimentA"
    assert found["image-1"].part_of == "engine:dataset-701"


def test_engine_that_keeps_nothing_of_containers() -> None:
    found, problems = walked(small_engine(knows_containers=False))
    assert problems == []
    assert found["project-51"].title == "idr0018-x/experimentA"


def test_more_images_than_shown_is_a_problem(engine: FakeSearchengine) -> None:
    normal = engine.answer

    def hiding(asked: Asked) -> Given:
        if asked.path.endswith("/submitquery/"):
            return given_json({"Error": "Your query returns no results"})
        return normal(asked)

    engine.answer = hiding  # type: ignore[method-assign]
    _, problems = walked(engine)
    assert [(one.item, one.reason) for one in problems] == [
        ("project/51", "the engine shows 0 of 7 images"),
        ("screen/3", "the engine shows 0 of 4 images"),
    ]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("Something went wrong, please try later.", SourceUnavailable),
        ("No such key", SourceRefused),
    ],
)
def test_errors_come_with_status_200(
    engine: FakeSearchengine, words: str, error: type[Exception]
) -> None:
    asked: list[Asked] = []

    def failing(one: Asked) -> Given:
        asked.append(one)
        return given_json({"Error": words})

    engine.answer = failing  # type: ignore[method-assign]
    with pytest.raises(error, match=words[:10]):
        walked(engine)
    assert len(asked) == (FAST["retries"] + 1 if error is SourceUnavailable else 1)


def test_page_behind_the_last_one_is_a_bare_list() -> None:
    answer = searchengine_client.Answer(200, "http://127.0.0.1/", {}, b"[]")
    assert searchengine_client.read_page(answer).rows == ()


def test_job_that_fails_is_told(engine: FakeSearchengine) -> None:
    engine.failing_jobs = True
    with pytest.raises(SourceUnavailable, match="failed to make the file"):
        walked(engine, results="csv")


def test_job_that_is_never_done_is_given_up(engine: FakeSearchengine) -> None:
    engine.answered = lambda asked: [setattr(job, "looks", 9) for job in engine.jobs.values()]
    with pytest.raises(SourceUnavailable, match="not made within"):
        walked(engine, results="csv", job_wait=0.02)


def test_existing_job_is_used_again(engine: FakeSearchengine) -> None:
    walked(engine, results="csv")
    jobs = set(engine.jobs)
    found, _ = walked(engine, results="csv")
    assert set(engine.jobs) == jobs
    assert "image-1" in found


def test_finished_pages_are_not_asked_for_again(engine: FakeSearchengine) -> None:
    with serve(engine) as server:
        source = source_at(server)
        items = raw_items(fetch_all(source))
        whole = len(server.asked)
        server.forget()
        last = [item.cursor for item in items if item.cursor][-1]
        fetch_all(source, last)
        assert len(server.asked) == 1 < whole


def test_engine_that_does_not_heed_the_container(engine: FakeSearchengine) -> None:
    engine.heeds_containers = False
    found, problems = walked(engine)
    assert problems == []
    wanted, _ = walked(small_engine())
    places = {id: (record.part_of, record.key_values) for id, record in found.items()}
    assert places == {id: (record.part_of, record.key_values) for id, record in wanted.items()}


def test_example_of_the_documentation(engine: FakeSearchengine) -> None:
    page = Path(__file__).parents[2] / "docs" / "sources" / "idr-searchengine.md"
    block = re.findall(r"^```toml\n(.*?)^```", page.read_text(), re.M | re.S)[0]
    (table,) = tomllib.loads(block)["sources"]
    with serve(engine) as server:
        url = f"{server.url}/searchengine/"
        source = make_source(SourceSettings(**{**table, "url": url, "rate": 0}))
        found = normalise_all(source, fetch_all(source))
    images = [record.title for record in found if isinstance(record, Image)]
    assert images == [f"field {number}" for number in range(21, 25)]


def test_preset_makes_a_source() -> None:
    source = make_source(SourceSettings(name="a", preset="idr-searchengine"))
    assert isinstance(source, IdrSearchengine)
