"""The source ``omero``: OMERO servers by the interfaces of OMERO.web."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.fakes.omero import FakeOmero, Thing, small_world

from harvester.sources.omero import Omero
from parfocal.testing.http_sources import FAST, HttpSourceContract
from parfocal.testing.loopback import Loopback, serve

PASSWORD = "secret-ada"


def source_at(server: Loopback, **more: object) -> Omero:
    return Omero("omero", Omero.Options(url=server.url, **{**FAST, "page_size": 4, **more}))


def logged_in(server: Loopback, **more: object) -> Omero:
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
        return small_world()

    @pytest.fixture
    def source(self, server: Loopback) -> Omero:
        return source_at(server)


class TestPublicWithLogin(OmeroContract):
    """A login that expires silently makes the visitor everybody."""

    misbehaviour = ("empty", "duplicate-page", "expired")

    @pytest.fixture
    def archive(self) -> FakeOmero:
        return small_world()

    @pytest.fixture
    def source(self, server: Loopback) -> Omero:
        return logged_in(server)
