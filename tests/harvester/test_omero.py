"""The source ``omero``: OMERO servers by the interfaces of OMERO.web."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harvester.omero import annotations as omero_annotations
from harvester.omero.items import Held, IdSet, encode_item, read_cursor
from harvester.omero.notes import read_notes
from harvester.sources.omero import Omero
from parfocal.config import SourceSettings
from parfocal.errors import SourceRefused
from parfocal.model import Channel, Dataset, Image, Position, Quantity, Record
from parfocal.sources import make_source
from parfocal.store.sqlite import SqliteStore
from parfocal.testing.http_sources import FAST, HttpSourceContract, harvest, state
from parfocal.testing.loopback import Asked, Fault, Given, Loopback, given_json, serve
from parfocal.testing.sources import Visit, fetch_all, normalise_all, raw_items
from parfocal.values import Fetched, Problem, RawItem
from tests.fakes.omero import FakeOmero, Thing, small_world, tiny_world

PASSWORD = "secret-ada"


def source_at(server: Loopback, /, **more: object) -> Omero:
    return Omero("omero", Omero.Options(url=server.url, **{**FAST, "page_size": 4, **more}))


def logged_in(server: Loopback, /, **more: object) -> Omero:
    return source_at(server, username="ada", password="env:OMERO_TEST", **more)


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMERO_TEST", PASSWORD)


def first(omero: FakeOmero, kind: str, name: str) -> Thing:
    return next(t for t in omero.things.values() if t.kind == kind and t.name == name)


class OmeroContract(HttpSourceContract):
    skips_unchanged = True
    asked_again = 30  # pages under way with details of their images
    secrets = (PASSWORD,)

    @pytest.fixture
    def name(self) -> str:
        return "omero"

    def add(self, archive: FakeOmero) -> None:
        archive.image("a first one.tif", first(archive, "dataset", "Cells"))

    def change(self, archive: FakeOmero) -> None:
        shared = first(archive, "image", "shared.tif")
        archive.note("map", [["Phenotype", f"number {archive.number()}"]], shared)

    def remove(self, archive: FakeOmero) -> None:
        images = [t for t in archive.things.values() if t.name.startswith("cell ")]
        archive.remove(images[0])


class TestPublic(OmeroContract):
    """Everybody may look."""

    misbehaviour = ("empty", "duplicate-page", "endless-next")

    @pytest.fixture
    def archive(self) -> FakeOmero:
        return tiny_world()

    @pytest.fixture
    def source(self, server: Loopback) -> Omero:
        return source_at(server, page_size=3)

    @pytest.fixture
    def fullest(self) -> Iterator[Omero]:
        with serve(small_world()) as server:
            yield source_at(server, timeout=30.0)


class TestPublicWithLogin(OmeroContract):
    """A login that expires silently makes the visitor everybody.

    What fails whoever asks is left to the class above.
    """

    test_failure_that_passes = None
    test_address_that_always_fails = None
    misbehaviour = ("empty", "duplicate-page", "expired")

    @pytest.fixture
    def archive(self) -> FakeOmero:
        return tiny_world()

    @pytest.fixture
    def source(self, server: Loopback) -> Omero:
        return logged_in(server, page_size=3)


# ------------------------------------------------------------------ what is harvested


@pytest.fixture
def omero() -> FakeOmero:
    return small_world()


Records = dict[str, Record]


def records_of(omero: FakeOmero, make: Callable[..., Omero] = source_at, **more: object) -> Records:
    """The records of a whole walk by their native ids, which has no errors."""
    with serve(omero) as server:
        source = make(server, **more)
        found = fetch_all(source)
        errors = [one for one in found if isinstance(one, Problem) and one.severity == "error"]
        assert errors == []
        return {record.id.partition(":")[2]: record for record in normalise_all(source, found)}


def values(record: Record, key: str) -> list[str]:
    return [pair.value for pair in record.key_values if pair.key == key]


def number(omero: FakeOmero, kind: str, name: str) -> int:
    return first(omero, kind, name).id


def test_every_object_becomes_a_record_in_its_place(omero: FakeOmero) -> None:
    found = records_of(omero)
    places = {record.title: record.part_of for record in found.values()}
    plate, cells = number(omero, "plate", "P1"), number(omero, "dataset", "Cells")
    mitosis = number(omero, "project", "Mitosis")
    assert places["Mitosis"] is None
    assert places["Cells"] == f"omero:project-{mitosis}"
    assert places["Loose"] is None
    assert places["P1"] == f"omero:screen-{number(omero, 'screen', 'Screen of genes')}"
    assert places["shared.tif"] == f"omero:dataset-{cells}"
    assert places["B1 field 1"] == f"omero:plate-{plate}"
    assert places["orphan.tif"] is None
    assert "Not yet published" not in places
    assert "hidden.tif" not in places
    kinds = {record.title: record.ome_type for record in found.values()}
    assert [kinds[name] for name in ("Mitosis", "Cells", "Screen of genes", "P1")] == [
        *("Project", "Dataset", "Screen", "Plate")
    ]


def test_annotations_of_every_kind_and_level(omero: FakeOmero) -> None:
    found = records_of(omero)
    shared = found[f"image-{number(omero, 'image', 'shared.tif')}"]
    assert values(shared, "Organism") == ["Homo sapiens"]
    assert values(shared, "Gene") == ["A", "B"]
    assert values(shared, "Tag") == ["favourite"]
    assert values(shared, "Comment") == ["out of focus"]
    assert values(shared, "Rating") == ["4"]
    namespaces = {pair.namespace for pair in shared.key_values if pair.key == "Gene"}
    assert namespaces == {"openmicroscopy.org/omero/client/mapAnnotation"}
    project = found[f"project-{number(omero, 'project', 'Mitosis')}"]
    assert isinstance(project, Dataset)
    assert (project.licence, project.date) == ("CC-BY-4.0", "2016-05-27")
    assert project.identifiers == ("doi:10.17867/10000101",)
    assert [publication.doi for publication in project.publications] == ["10.1038/nsmb.2816"]
    assert values(project, "License") == ["CC BY 4.0"]
    assert values(project, "File") == ["results.csv"]
    assert values(project, "Number of files attached") == ["1"]
    assert [link.label for link in project.links if link.kind == "data"] == ["results.csv"]
    cells = found[f"dataset-{number(omero, 'dataset', 'Cells')}"]
    assert isinstance(cells, Dataset)
    assert cells.keywords == ("favourite",)
    plate = found[f"plate-{number(omero, 'plate', 'P1')}"]
    assert values(plate, "Boolean") == ["true"]
    assert values(plate, "PlateAcquisition") == ["Run 1"]
    assert values(plate, "PlateAcquisition.StartTime") == ["2015-12-11"]
    assert values(plate, "Tag") == ["second run"]


def test_what_is_known_of_an_image(omero: FakeOmero) -> None:
    wavelength = {"@type": "TBD#LengthI", "Unit": "NANOMETER", "Symbol": "nm", "Value": 470}
    shared = first(omero, "image", "shared.tif")
    shared.channels = [
        {"Name": "CFP", "Color": 65535, "EmissionWavelength": wavelength, "Fluor": "mTurquoise"},
        {"Name": "RFP", "Color": -16776961, "AcquisitionMode": {"value": "WideField"}},
    ]
    image = records_of(omero)[f"image-{shared.id}"]
    assert isinstance(image, Image)
    assert (image.size_x, image.size_y, image.size_z, image.size_c) == (512, 256, 3, 2)
    assert image.pixel_size_x == Quantity(0.5, "µm")
    assert image.pixel_type == "uint16"
    assert image.date == "2015-12-11"
    assert image.roi_count == 2
    assert image.channels == (
        Channel("CFP", "mTurquoise", emission=Quantity(470.0, "nm"), colour="0000FF"),
        Channel("RFP", colour="FF0000", acquisition_mode="WideField"),
    )
    assert [person.name for person in image.creators] == ["Ada Example"]
    assert image.thumbnail.endswith(f"/webgateway/render_thumbnail/{shared.id}/")
    viewers = [link.url for link in image.links if link.kind == "viewer"]
    assert [url.partition("/webclient")[2] for url in viewers] == [f"/img_detail/{shared.id}/"]
    assert values(image, "Pixels.SignificantBits") == ["12"]


def test_fields_of_wells(omero: FakeOmero) -> None:
    found = records_of(omero)
    field = found[f"image-{number(omero, 'image', 'B1 field 1')}"]
    assert isinstance(field, Image)
    assert (field.plate, field.well, field.ome_type) == ("P1", "B01", "Image")
    assert field.size_x == 512
    assert field.position == Position(Quantity(1.5, "reference frame"))
    assert values(field, "Compound") == ["nocodazole"], "linked to well and image, it counts once"
    assert values(found[f"image-{number(omero, 'image', 'B1 field 2')}"], "Compound") == [
        "nocodazole"
    ]
    empty = [record for record in found.values() if record.ome_type == "Well"]
    assert [(well.title, values(well, "Compound")) for well in empty] == [("P1 C01", ["DMSO"])]


def test_an_image_without_pixels_is_kept(omero: FakeOmero) -> None:
    image = records_of(omero)[f"image-{number(omero, 'image', 'no pixels.tif')}"]
    assert isinstance(image, Image)
    assert (image.size_x, image.thumbnail, values(image, "Tag")) == (None, "", ["favourite"])


@pytest.mark.parametrize("details", ["channels", "sizes", "listed"])
def test_details_cost_requests(omero: FakeOmero, details: str) -> None:
    with serve(omero) as server:
        source = source_at(server, details=details, roi_counts=False)
        images = {r.title: r for r in normalise_all(source, fetch_all(source))}
        asked = [one.path for one in server.asked]
    field, single = images["B1 field 1"], images["cell 1.tif"]
    assert isinstance(field, Image)
    assert isinstance(single, Image)
    assert single.size_x == 512
    assert bool(field.size_x) == (details != "listed")
    assert bool(single.channels) == (details == "channels")
    alone = [path for path in asked if re.search(r"/m/(images|wells)/\d+/$", path)]
    assert bool(alone) == (details != "listed")
    assert not any("/rois/" in path for path in asked)


def test_counting_regions_skips_groups_without_any(omero: FakeOmero) -> None:
    first(omero, "image", "shared.tif").rois = 0
    with serve(omero) as server:
        fetch_all(source_at(server))
        asked = [one for one in server.asked if one.path.endswith("/rois/")]
    assert [list(one.query) for one in asked] == [["group", "limit"]]


# ------------------------------------------------------------------ who may see it


def test_a_login_shows_what_its_user_may_see_to_the_group_that_owns_it(omero: FakeOmero) -> None:
    found = {r.title: r.access.groups for r in records_of(omero, logged_in).values()}
    assert found["hidden.tif"] == found["Not yet published"] == ("Lab A",)
    assert found["Cells"] == ("Open data",)


def test_groups_can_be_opened_and_renamed(omero: FakeOmero) -> None:
    more = {"public_groups": ("Open data",), "groups": {"Lab A": ("lab", "guests")}}
    found = {r.title: r.access.groups for r in records_of(omero, logged_in, **more).values()}
    assert found["hidden.tif"] == ("lab", "guests")
    assert found["Cells"] == ()
    everybody = records_of(omero, logged_in, public_groups=("*",))
    assert {record.access.groups for record in everybody.values()} == {()}


def test_settings_that_would_open_by_mistake_are_refused() -> None:
    for wrong in ({"groups": {"Lab": ()}}, {"password": "env:X"}, {"password": "plain"}):
        with pytest.raises(ValidationError):
            Omero.Options(url="http://127.0.0.1:1/", **wrong)


# ------------------------------------------------------------------ servers and logins


def test_private_server_is_walked_with_a_login(omero: FakeOmero) -> None:
    omero.public = False
    omero.cookie = "renamed_by_the_admin"
    assert "hidden.tif" in {record.title for record in records_of(omero, logged_in).values()}


def test_wrong_password_is_said_in_the_servers_words(omero: FakeOmero, monkeypatch) -> None:
    monkeypatch.setenv("OMERO_TEST", "wrong")
    with serve(omero) as server, pytest.raises(SourceRefused, match="check your user name"):
        fetch_all(logged_in(server))


def test_private_server_without_a_login_refuses(omero: FakeOmero) -> None:
    omero.public = False
    with serve(omero) as server, pytest.raises(SourceRefused):
        fetch_all(source_at(server))


@pytest.mark.parametrize(("public", "tells"), [(True, True), (True, False), (False, True)])
def test_session_that_expires_is_renewed(public: bool, tells: bool) -> None:
    wanted = {record.title for record in records_of(tiny_world(), logged_in).values()}
    for moment in (4, 5, 6, 7, 8, 9, 14, 25, 40):
        world = tiny_world()
        world.public, world.tells_user = public, tells
        count = 0

        def expire(asked: Asked, world: FakeOmero = world, moment: int = moment) -> None:
            nonlocal count
            count += 1
            if count == moment:
                world.expire()

        world.before_answer = expire
        found = records_of(world, logged_in)
        assert {record.title for record in found.values()} == wanted, moment
        assert world.logins >= 1


def test_one_server_of_several_is_chosen(omero: FakeOmero) -> None:
    other = {"id": 2, "host": "second.example.org", "port": 4064}
    omero.servers.append(other)
    with serve(omero) as server:
        for name in ("2", "second.example.org"):
            assert raw_items(fetch_all(logged_in(server, server=name)))
            form = next(one for one in server.asked if b"username" in one.body)
            assert b"server=2" in form.body
            server.forget()
        with pytest.raises(SourceRefused, match="no server"):
            fetch_all(logged_in(server, server="third"))
        found = fetch_all(logged_in(server))
    notices = [one.reason for one in found if isinstance(one, Problem)]
    assert notices == ["the web offers 2 servers; this is omero.example.org"]


@pytest.mark.parametrize("links", ["absolute", "relative", "empty", "elsewhere"])
def test_links_of_any_form(links: str) -> None:
    omero = small_world(prefix="/below/a/path")
    omero.links = links
    with serve(omero) as server:
        for end in ("", "/", "/webclient/", "/api/v0/"):
            url = f"{server.url}/below/a/path{end}"
            source = Omero("omero", Omero.Options(url=url, **FAST))
            assert len(raw_items(fetch_all(source))) > 10
        assert {one.headers["host"] for one in server.asked} == {server.url.removeprefix("http://")}


def test_smaller_pages_than_asked_for(omero: FakeOmero) -> None:
    omero.most = 2
    titles = {record.title for record in records_of(omero, page_size=200).values()}
    assert titles == {record.title for record in records_of(small_world()).values()}


# ------------------------------------------------------------------ annotations


def test_annotations_by_the_coming_endpoint(omero: FakeOmero) -> None:
    wanted = records_of(omero)
    omero.webclient_open = False
    omero.api_annotations = True
    found = records_of(omero)
    assert found.keys() == wanted.keys()
    for id, record in found.items():
        assert sorted(map(str, record.key_values)) == sorted(map(str, wanted[id].key_values))


def test_closed_annotations_are_told(omero: FakeOmero) -> None:
    omero.webclient_open = False
    with serve(omero) as server:
        found = fetch_all(source_at(server))
    notices = [one.reason for one in found if isinstance(one, Problem)]
    assert notices == ["the server does not open its annotations"]
    assert len(raw_items(found)) > 10


def test_annotations_that_were_open_do_not_vanish(omero: FakeOmero) -> None:
    with serve(omero) as server:
        store = SqliteStore()
        harvest(store, "omero", source_at(server))
        before = state(store)
        omero.webclient_open = False
        report = harvest(store, "omero", source_at(server))
    assert report.state == "failed"
    assert "annotations can no longer be read" in report.message
    assert state(store) == before


def test_one_page_holds_all_annotations(omero: FakeOmero, monkeypatch) -> None:
    monkeypatch.setattr(omero_annotations, "_FULL", 3)
    wanted = records_of(small_world())
    found = records_of(omero)
    assert {id: record.key_values for id, record in found.items()} == {
        id: record.key_values for id, record in wanted.items()
    }


def test_page_two_is_never_asked_for(omero: FakeOmero) -> None:
    with serve(omero) as server:
        fetch_all(source_at(server))
        pages = {one.one("page") for one in server.asked if "annotations" in one.path}
    assert pages == {"1"}


# ------------------------------------------------------------------ unchanged, moved, hidden


def test_unchanged_images_are_not_asked_for_again(omero: FakeOmero) -> None:
    with serve(omero) as server:
        store = SqliteStore()
        harvest(store, "omero", source_at(server))
        server.forget()
        omero.note("tag", "new", first(omero, "image", "cell 2.tif"))
        report = harvest(store, "omero", source_at(server))
        alone = [one.path for one in server.asked if re.search(r"/m/images/\d+/$", one.path)]
    assert report.counts.changed == 1
    changed, shared = (number(omero, "image", name) for name in ("cell 2.tif", "shared.tif"))
    assert set(alone) <= {f"/api/v0/m/images/{id}/" for id in (changed, shared)}
    assert f"/api/v0/m/images/{changed}/" in alone


def test_complete_walk_comes_when_it_is_due(omero: FakeOmero) -> None:
    with serve(omero) as server:
        source = source_at(server)
        stamps = {one.key: one.stamp for one in raw_items(fetch_all(source))}
        for day, due in (("2001-01-01", True), (datetime.now(UTC).date().isoformat(), False)):
            mark = f'{{"complete":"{day}","annotations":"webclient"}}'
            again = fetch_all(source, walk=Visit(mark=mark, stamps=stamps))
            assert bool(raw_items(again)) == due


def test_counts_let_whole_containers_be_skipped(omero: FakeOmero) -> None:
    with serve(omero) as server:
        store = SqliteStore()
        source = source_at(server, first_look="counts")
        harvest(store, "omero", source)
        before = state(store)
        server.forget()
        report = harvest(store, "omero", source)
        listed = [one.path for one in server.asked if re.search(r"/(images|wells)/$", one.path)]
        assert state(store) == before
        assert report.counts.tombstoned == 0
        assert not [path for path in listed if "/datasets/" in path]
        omero.image("a new one.tif", first(omero, "dataset", "Cells"))
        report = harvest(store, "omero", source)
    assert (report.counts.new, report.problems) == (1, 0)


def test_data_set_that_hides_images_keeps_them(omero: FakeOmero) -> None:
    """The data set still claims its images, but the list is empty."""
    with serve(omero) as server:
        store = SqliteStore()
        harvest(store, "omero", source_at(server))
        before = state(store)
        inside = f"/m/datasets/{number(omero, 'dataset', 'Cells')}/images/"
        server.faults.clear()
        normal = omero.answer

        def hiding(asked: Asked) -> Given:
            if asked.path.endswith(inside):
                meta = {"offset": 0, "limit": 4, "maxLimit": 500, "totalCount": 0}
                return given_json({"meta": meta, "data": []})
            return normal(asked)

        omero.answer = hiding  # type: ignore[method-assign]
        report = harvest(store, "omero", source_at(server))
    assert report.problems > 0
    assert state(store).keys() == before.keys()


def test_run_without_fields_makes_the_server_fail(omero: FakeOmero) -> None:
    plate = first(omero, "plate", "P1")
    omero.add("run", "A run without fields", plate)
    found = records_of(omero)
    assert values(found[f"plate-{plate.id}"], "PlateAcquisition") == ["Run 1"]


def test_image_in_two_data_sets_is_one_record(omero: FakeOmero) -> None:
    with serve(omero) as server:
        keys = [item.key for item in raw_items(fetch_all(source_at(server)))]
    shared = number(omero, "image", "shared.tif")
    cells = number(omero, "dataset", "Cells")
    assert [key for key in keys if key.endswith(f"/{shared}")] == [
        f"dataset/{cells}/image/{shared}"
    ]
    record = records_of(omero)[f"dataset-{cells}"]
    again = number(omero, "project", "Again")
    assert [link.label for link in record.links if link.kind == "other"] == [
        f"also in project {again}"
    ]


# ------------------------------------------------------------------ small parts


@given(st.sets(st.integers(0, 50_000), max_size=200))
def test_set_of_ids_as_text(ids: set[int]) -> None:
    made = IdSet()
    assert all(made.add(id) for id in ids)
    again = IdSet(made.text())
    assert len(again) == len(ids)
    assert all(id in again for id in ids)
    assert again.text() == made.text()


@given(st.text(max_size=40))
def test_any_cursor_can_be_read(text: str) -> None:
    place, _, _ = read_cursor(text)
    assert place.phase >= 0 or place.offset <= 0 or text


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_any_annotation_can_be_read(value: object) -> None:
    for name in ("values", "Value", "textValue", "file"):
        body = json.dumps({"id": 1, "class": "MapAnnotationI", name: value}).encode()
        read_notes([body], "http://127.0.0.1/")


@pytest.mark.corpus
def test_documented_answers(corpus: Path) -> None:
    """The project, plate links, channels and people of the documentation."""
    folder = corpus / "api" / "omero-json"
    files = sorted(folder.glob("*json_api_rst_*.json"))
    _, projects, channels, *_ = [json.loads(file.read_text()) for file in files]
    options = Omero.Options(url="https://omero.example.org/")
    source = Omero("omero", options)
    body = msgspec.json.encode(projects["data"][0])
    held = Held("project", "https://omero.example.org/", "ben", body)
    (record,) = source.normalise(RawItem("project/11601", encode_item(held)))
    assert isinstance(record, Dataset)
    assert (record.title, record.description) == ("New data", "Example Project")
    assert record.access.groups == ("read-ann",)
    assert [person.name for person in record.creators] == ["Ben Nevis"]
    image = {"@id": 5, "Name": "a", "Pixels": {"SizeX": 3, "Channels": channels}}
    held = Held("image", "https://omero.example.org/", "", msgspec.json.encode(image))
    (shown,) = source.normalise(RawItem("orphaned/image/5", encode_item(held)))
    assert isinstance(shown, Image)
    assert [channel.name for channel in shown.channels] == ["CFP_JP4", "RD_TR-PE"]
    assert shown.channels[1].excitation == Quantity(555.0, "nm")


def test_example_of_the_documentation(omero: FakeOmero, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Path(__file__).parents[2] / "docs" / "sources" / "omero.md"
    block = re.findall(r"^```toml\n(.*?)^```", page.read_text(), re.M | re.S)[0]
    (table,) = tomllib.loads(block)["sources"]
    monkeypatch.setenv("OMERO_PASSWORD", PASSWORD)
    omero.group(4, "Published", "read-only")
    with serve(omero) as server:
        settings = SourceSettings(**{**table, "url": server.url, "username": "ada", "rate": 0})
        source = make_source(settings)
        found = {r.title: r.access for r in normalise_all(source, fetch_all(source))}
    assert found["hidden.tif"].public
    assert found["Cells"].groups == ("Open data",)


@pytest.mark.parametrize("preset", ["idr-omero", "ssbd-omero", "omero"])
def test_presets_make_sources(preset: str) -> None:
    more = {"url": "https://omero.example.org/"} if preset == "omero" else {}
    source = make_source(SourceSettings(name="a", preset=preset, **more))
    assert isinstance(source, Omero)


def test_data_set_that_claims_too_much_is_not_walked_for_ever(omero: FakeOmero) -> None:
    cells = first(omero, "dataset", "Cells")
    normal = omero._count
    omero._count = lambda t: 10**12 if t is cells else normal(t)  # type: ignore[method-assign]
    with serve(omero) as server:
        found = fetch_all(source_at(server))
        asked = len(server.asked)
    problems = [(one.item, one.reason) for one in found if isinstance(one, Problem)]
    assert problems == [(f"dataset/{cells.id}", "7 of 1000000000000 objects can be seen")]
    assert asked < 100


def test_data_set_that_cannot_be_read_is_one_problem(omero: FakeOmero) -> None:
    cells = first(omero, "dataset", "Cells")
    for number in range(30):
        omero.image(f"more {number}.tif", cells)
    with serve(omero) as server:
        path = f"/m/datasets/{cells.id}/images/"
        server.faults.append(Fault("500", path=path, times=10**6))
        found = fetch_all(source_at(server))
        refused = sum(1 for one in server.asked if one.path.endswith(path))
    problems = [one for one in found if isinstance(one, Problem)]
    assert {one.item for one in problems} == {f"dataset/{cells.id}", "dataset", "plate", "orphaned"}
    assert refused <= 2 * (FAST["retries"] + 1)
    assert any(item.key.startswith("orphaned/") for item in raw_items(found))


def test_images_that_lie_in_nothing_are_kept_unless_the_operator_knows_them(
    omero: FakeOmero,
) -> None:
    normal = omero._visible

    def hiding(kind: str, inside: object, asked: Asked, user: int) -> list[Thing]:
        found = normal(kind, inside, asked, user)  # type: ignore[arg-type]
        return [] if asked.one("orphaned") == "true" else found

    with serve(omero) as server:
        store = SqliteStore()
        harvest(store, "omero", source_at(server))
        omero._visible = hiding  # type: ignore[method-assign]
        kept = harvest(store, "omero", source_at(server))
        known = harvest(store, "omero", source_at(server, unreachable=1))
    assert (kept.counts.tombstoned, kept.problems) == (0, 3)
    assert (known.counts.tombstoned, known.problems, known.warnings) == (1, 0, 1)


def test_login_that_was_lost_and_found_on_the_way_does_not_count(omero: FakeOmero) -> None:
    """A refused request logs in again; what was listed before that was everybody's."""
    wanted = {record.title for record in records_of(small_world(), logged_in).values()}
    normal = omero.answer
    lost = []

    def losing(asked: Asked) -> Given:
        if asked.path.endswith("/m/datasets/") and not lost:
            lost.append("session")
            omero.expire()
        given = normal(asked)
        if lost == ["session"] and "annotations" in asked.path:
            lost.append("refused")
            return Given(403, b"", "text/html")
        return given

    omero.answer = losing  # type: ignore[method-assign]
    found = records_of(omero, logged_in)
    assert lost == ["session", "refused"]
    assert {record.title for record in found.values()} == wanted


def test_object_that_cannot_be_read_hides_no_other(omero: FakeOmero) -> None:
    wanted = {item.key for item in raw_items(walk(omero))}
    strange = first(omero, "image", "cell 2.tif")
    strange.facts = {"Name": {"not": "a text"}, "omero:details": None, "AcquisitionDate": "soon"}
    first(omero, "image", "cell 3.tif").facts = {"@id": "five"}
    found = walk(omero)
    problems = [one for one in found if isinstance(one, Problem)]
    cells = f"dataset/{number(omero, 'dataset', 'Cells')}"
    assert problems[0] == Problem(cells, "an object of the list has no id")
    lost = f"{cells}/image/{number(omero, 'image', 'cell 3.tif')}"
    assert wanted - {item.key for item in raw_items(found)} == {lost}


def walk(omero: FakeOmero) -> list[Fetched]:
    with serve(omero) as server:
        return fetch_all(source_at(server, page_size=200))


def test_container_is_not_skipped_before_its_images_were_read(omero: FakeOmero) -> None:
    with serve(omero) as server:
        store = SqliteStore()
        source = source_at(server, first_look="counts")
        path = f"/m/datasets/{number(omero, 'dataset', 'Cells')}/images/"
        server.faults.append(Fault("500", path=path, times=10**6))
        failed = harvest(store, "omero", source)
        server.faults.clear()
        again = harvest(store, "omero", source)
    assert failed.problems > 0
    assert again.problems == 0
    titles = {msgspec.json.decode(body)["title"] for body in state(store).values()}
    assert {"cell 1.tif", "shared.tif"} <= titles
