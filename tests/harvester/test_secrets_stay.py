"""Secrets of sources go to their archive, and nowhere else: no store, report, error or stranger."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harvester.sources.datacite import DataciteDois
from harvester.sources.dataverse import DataverseSets
from harvester.sources.invenio import InvenioRecords
from harvester.sources.omero import Omero
from harvester.sources.s3 import S3Images
from parfocal.catalogue import Catalogue
from parfocal.config import Settings
from parfocal.harvesting import harvest as harvest_all
from parfocal.store.sqlite import SqliteStore
from parfocal.testing.http_sources import EVER, FAST, harvest
from parfocal.testing.loopback import Asked, Fault, Given, Loopback, serve
from parfocal.testing.runs import said, state
from tests.fakes.datacite_rest import FakeDataciteRest
from tests.fakes.dataverse import FakeDataverse
from tests.fakes.invenio import FakeInvenio
from tests.fakes.omero import small_world
from tests.fakes.s3 import FakeS3

SECRET = "s3cret-of-the-lab"
OMERO_PASSWORD = "secret-ada"
BASIC = base64.b64encode(f"LAB.ONE:{SECRET}".encode()).decode()
FORMS = (SECRET, BASIC, OMERO_PASSWORD)


def bucket() -> FakeS3:
    held = FakeS3()
    held.put_image("a/one.zarr", "one")
    return held


KINDS: dict[str, tuple[Callable[[], Any], Any, dict[str, Any]]] = {
    "dataverse": (FakeDataverse, DataverseSets, {"token": "env:LAB_SECRET"}),
    "invenio": (FakeInvenio, InvenioRecords, {"token": "env:LAB_SECRET", "page_size": 10}),
    "datacite": (
        FakeDataciteRest,
        DataciteDois,
        {"prefix": "10.5072", "user": "LAB.ONE", "password": "env:LAB_SECRET"},
    ),
    "s3": (
        bucket,
        S3Images,
        {
            "bucket": "images",
            "access_key": "env:LAB_KEY",
            "secret_key": "env:LAB_SECRET",
            "session_token": "env:LAB_SECRET",
        },
    ),
    "omero": (small_world, Omero, {"username": "ada", "password": "env:OMERO_SECRET"}),
}


class Collector:
    """A stranger whose server writes down what it is told."""

    def answer(self, asked: Asked) -> Given:
        return Given(200, b"{}")


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("LAB_SECRET", SECRET)
    monkeypatch.setenv("LAB_KEY", "KEYOFTHELAB")
    monkeypatch.setenv("OMERO_SECRET", OMERO_PASSWORD)
    return KINDS[request.param]


def make(kind: Any, server: Loopback, **more: Any) -> Any:
    _, cls, options = kind
    return cls("lab", cls.Options(**{**FAST, "url": server.url, **options, **more}))


def held_by(text: str) -> list[str]:
    return [form for form in FORMS if form in text]


def kept(store: SqliteStore) -> str:
    """All that a store keeps of a source, unpacked."""
    items = [repr(item) for item in store.kept("lab", limit=10_000)]
    return repr(state(store)) + "".join(items) + repr(store.runs("lab"))


def test_secret_is_used_and_kept_nowhere(kind: Any, tmp_path: Path) -> None:
    with serve(kind[0]()) as server:
        store = SqliteStore(tmp_path / "store.db")
        source = make(kind, server)
        report = harvest(store, "lab", source)
        asked = repr(server.asked)
    assert held_by(asked) or "authorization" in asked, "the test proves nothing"
    assert report.counts.new, said(store, "lab", report)
    assert held_by(kept(store) + said(store, "lab", report) + repr(source.options)) == []
    store.close()
    for file in tmp_path.iterdir():
        assert held_by(file.read_bytes().decode("latin-1")) == []


@pytest.mark.parametrize("fault", ["401", "403", "500", "reset", "truncated", "html"])
def test_secret_is_in_no_error(kind: Any, fault: str) -> None:
    with serve(kind[0]()) as server:
        for after in (0, 2):
            server.faults[:] = [Fault(fault, after=after, times=EVER)]
            store = SqliteStore()
            report = harvest(store, "lab", make(kind, server))
            assert held_by(said(store, "lab", report) + kept(store)) == []


def test_stranger_is_told_no_secret(kind: Any) -> None:
    """The archive leads all its visitors to another host, which may be asked."""

    def away(asked: Asked, given: Given) -> Given:
        return Given(302, b"", "text/plain", (("Location", f"{stranger.url}{asked.place}"),))

    with serve(kind[0]()) as server, serve(Collector()) as stranger:
        server.alter = away
        harvest(SqliteStore(), "lab", make(kind, server, allow_networks=("127.0.0.0/8",)))
        assert stranger.asked
        assert held_by(repr(stranger.asked)) == []
        for asked in stranger.asked:
            assert not {"authorization", "cookie", "x-dataverse-key"} & asked.headers.keys()
            assert not {name for name in asked.headers if name.startswith("x-amz-")}


def test_missing_secret_fails_its_source_and_disturbs_no_other(tmp_path: Path) -> None:
    with serve(FakeDataverse()) as server:
        own = {"kind": "dataverse", "url": server.url, "rate": 0}
        settings = Settings.model_validate(
            {
                "data_dir": tmp_path,
                "ontology": {"bundled": False},
                "search": {"engine": "memory"},
                "graph": {"engine": "memory"},
                "sources": [
                    {"name": "closed", "token": "env:NOT_THERE_AT_ALL", **own},
                    {"name": "open", **own},
                ],
            }
        )
        with Catalogue.open(settings) as catalogue:
            reports = {report.source: report for report in harvest_all(catalogue)}
    assert reports["open"].state == "complete"
    assert reports["closed"].state == "failed"
    assert "env:NOT_THERE_AT_ALL" in reports["closed"].message
