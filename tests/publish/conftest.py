"""A lab disk, a catalogue over it, drafts, and a DataCite service on loopback."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from parfocal.catalogue import Catalogue
from parfocal.config import PublishSettings, Settings
from parfocal.identifiers import Curie, record_id
from parfocal.model import (
    Access,
    Annotation,
    Dataset,
    Image,
    KeyValue,
    Link,
    Person,
    Provenance,
    Publication,
    Record,
)
from publish.draft import Article, Creator, Draft, Term


def _fakes() -> ModuleType:
    """Load tests/fakes/datacite.py; tests are no package."""
    path = Path(__file__).parents[1] / "fakes" / "datacite.py"
    spec = importlib.util.spec_from_file_location("fake_datacite", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fake_datacite"] = module
    spec.loader.exec_module(module)
    return module


fakes = _fakes()


def claim(field: str, term: str, label: str, *, score: float = 1.0) -> Annotation:
    return Annotation(field, label, Curie(term), label, "curated", score, "a curator")


def records() -> tuple[Record, ...]:
    """A public data set with two images, one of them private, beside a private data set."""
    study = Dataset(
        id=record_id("disk", "spindles"),
        title="Spindles of dividing cells",
        description="Time-lapse images of dividing HeLa cells, one cell a movie.",
        provenance=Provenance("disk", "spindles", "spindles"),
        licence="CC-BY-4.0",
        ome_type="Project",
        publisher="Example Institute",
        creators=(
            Person("Quill, Ada", "Ada", "Quill", "0000-0002-1825-0097", "Example Institute"),
            Person("Field, Bo", affiliation="Example Institute"),
        ),
        publications=(Publication("Silenced genes and division", doi="10.1000/xyz"),),
        keywords=("mitosis",),
        funding=("Example Fund 17",),
        annotations=(
            claim("organism", "NCBITaxon:9606", "Homo sapiens"),
            claim("organism", "NCBITaxon:9607", "dragged", score=0.2),
            claim("imaging_method", "FBbi:00000251", "confocal microscopy"),
        ),
    )

    def image(name: str, *groups: str, form: str = "TIFF") -> Image:
        return Image(
            id=record_id("disk", name),
            title=name.rpartition("/")[2],
            part_of=study.id,
            provenance=Provenance("disk", name, name),
            access=Access(groups),
            location=name,
            format=form,
            size_x=64,
            key_values=(KeyValue("Gene Symbol", "=CDK1"),),
            links=(Link("https://viewer.example.org/1", "Viewer", "viewer"),),
            annotations=(claim("cell_line", "CLO:0003684", "HeLa"),),
        )

    return (
        study,
        image("spindles/a b#1.tif"),
        image("spindles/cells.zarr", form="OME-Zarr 0.4"),
        image("spindles/secret.tif", "lab"),
    )


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """The lab's disk."""
    root = tmp_path / "disk"
    (root / "spindles/cells.zarr/0/0").mkdir(parents=True)
    (root / "spindles/a b#1.tif").write_bytes(b"II*\0 picture one")
    (root / "spindles/cells.zarr/.zattrs").write_text("{}")
    (root / "spindles/cells.zarr/0/.zarray").write_text("{}")
    (root / "spindles/cells.zarr/0/0/0").write_bytes(b"\1\2\3")
    (root / "spindles/secret.tif").write_bytes(b"II*\0 secret picture")
    (root / "spindles/.hidden").write_text("not to publish")
    return root


@pytest.fixture
def settings_of(disk: Path, tmp_path: Path) -> Callable[..., Settings]:
    def make(**publish: Any) -> Settings:
        return Settings.model_validate(
            {
                "data_dir": tmp_path / "data",
                "sources": [{"name": "disk", "kind": "local", "path": str(disk)}],
                "publish": {"folder": tmp_path / "published", **publish},
            }
        )

    return make


@pytest.fixture
def catalogue(settings_of: Callable[..., Settings]) -> Iterator[Catalogue]:
    with Catalogue.open(settings_of()) as opened:
        opened.add(records())
        yield opened


@pytest.fixture
def draft() -> Draft:
    """A draft that passes all checks."""
    return Draft(
        key="spindles-1234",
        title="Spindles of dividing cells",
        description="Time-lapse images of dividing HeLa cells, one cell a movie.",
        licence="CC-BY-4.0",
        publisher="Example Institute",
        date="2026-11-21",
        keywords=("mitosis",),
        funding=("Example Fund 17",),
        records=("disk:spindles",),
        creators=(
            Creator(
                "Quill, Ada", "Ada", "Quill", "0000-0002-1825-0097", "Example Institute", "a@b.org"
            ),
            Creator("Field, Bo", affiliation="Example Institute"),
        ),
        organisms=(Term("NCBITaxon:9606", "Homo sapiens"),),
        methods=(Term("FBbi:00000251", "confocal microscopy"),),
        subjects=(Term("CLO:0003684", "HeLa"),),
        publications=(Article("Silenced genes and division", "10.1000/xyz"),),
    )


@pytest.fixture
def datacite() -> Iterator[Any]:
    with fakes.FakeDatacite() as service:
        yield service


def doi_settings(url: str) -> dict[str, Any]:
    return {
        "doi_prefix": fakes.PREFIX,
        "landing_url": "https://data.example.org/packages",
        "datacite_url": url,
        "datacite_user": fakes.USER,
        "datacite_password": fakes.PASSWORD,
    }


@pytest.fixture
def doi_options(datacite: Any) -> dict[str, Any]:
    """Settings under ``[publish]`` for DOIs by the service on loopback."""
    return doi_settings(datacite.url)


@pytest.fixture
def publish_settings(doi_options: dict[str, Any], tmp_path: Path) -> PublishSettings:
    return PublishSettings(folder=tmp_path / "published", **doi_options)
