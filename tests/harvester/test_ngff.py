"""What OME-Zarr documents say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.formats import ngff
from harvester.formats.zarr_tree import Group, PlateGroup, Tree, read_group
from parfocal.errors import SourceMalformed
from parfocal.model import Quantity

AXES = [
    {"name": "t", "type": "time", "unit": "second"},
    {"name": "c", "type": "channel"},
    {"name": "z", "type": "space", "unit": "micrometer"},
    {"name": "y", "type": "space", "unit": "micrometer"},
    {"name": "x", "type": "space", "unit": "micrometer"},
]
SCALE = {"type": "scale", "scale": [2.0, 1.0, 0.5, 0.25, 0.25]}
SHAPE = [3, 2, 5, 40, 60]


def image(**more: Any) -> dict[str, Any]:
    multiscale = {
        "name": "cells",
        "axes": AXES,
        "datasets": [{"path": "0", "coordinateTransformations": [SCALE]}],
        **more,
    }
    omero = {
        "channels": [{"label": "DNA", "color": "0000FF"}, {"label": "RNA", "color": "nonsense"}]
    }
    return {"multiscales": [multiscale], "omero": omero}


def write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def read(root: Path, name: str) -> list[Group | PlateGroup | tuple[str, str]]:
    return list(read_group(Tree(root), name))


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_image(tmp_path: Path, version: str) -> None:
    root = tmp_path / "a.zarr"
    if version == "0.4":
        write(root / ".zattrs", image(version="0.4"))
        write(root / "0" / ".zattrs", {})
        write(root / "0" / ".zarray", {"shape": SHAPE, "dtype": "<u2"})
        write(root / "labels" / ".zattrs", {"labels": ["cells"]})
    else:
        group = {"zarr_format": 3, "node_type": "group"}
        write(root / "zarr.json", {**group, "attributes": {"ome": {"version": "0.5", **image()}}})
        array = {"zarr_format": 3, "node_type": "array", "shape": SHAPE, "data_type": "uint16"}
        write(root / "0" / "zarr.json", array)
        labels = {"version": "0.5", "labels": ["cells"]}
        write(root / "labels" / "zarr.json", {**group, "attributes": {"ome": labels}})
    (found,) = read(tmp_path, "a.zarr")
    assert isinstance(found, Group)
    facts = ngff.image_of(found.documents, "")
    sizes = (facts.size_t, facts.size_c, facts.size_z, facts.size_y, facts.size_x)
    assert list(sizes) == SHAPE
    assert (facts.title, facts.pixel_type, facts.dimension_order) == ("cells", "uint16", "XYZCT")
    assert facts.pixel_size_x == Quantity(0.25, "micrometer")
    assert facts.pixel_size_z == Quantity(0.5, "micrometer")
    assert facts.time_increment == Quantity(2.0, "second")
    assert [(c.name, c.colour) for c in facts.channels] == [("DNA", "0000FF"), ("RNA", "")]
    assert facts.labels == ("cells",)


def test_scale_of_the_whole_image_multiplies() -> None:
    attributes = image(coordinateTransformations=[{"type": "scale", "scale": [1, 1, 1, 4, 4]}])
    facts = ngff.read_image(attributes, {"shape": SHAPE})
    assert facts.pixel_size_x == Quantity(1.0, "micrometer")


def test_draft_of_0_6() -> None:
    step = {"type": "sequence", "input": "0", "output": "w", "transformations": [SCALE]}
    multiscale = {
        "coordinateSystems": [{"name": "w", "axes": AXES}],
        "datasets": [{"path": "0", "coordinateTransformations": [step]}],
    }
    facts = ngff.read_image({"multiscales": [multiscale]}, {"shape": SHAPE})
    assert (facts.size_x, facts.pixel_size_x) == (60, Quantity(0.25, "micrometer"))


def test_two_dimensions_have_one_plane() -> None:
    multiscale = {"axes": ["y", "x"], "datasets": [{"path": "0"}]}
    facts = ngff.read_image({"multiscales": [multiscale]}, {"shape": [4, 8], "dtype": "|u1"})
    assert (facts.size_x, facts.size_y, facts.size_z, facts.size_c) == (8, 4, 1, 1)
    assert facts.pixel_type == "uint8"


def test_collection_of_bioformats2raw(tmp_path: Path) -> None:
    root = tmp_path / "a.zarr"
    write(root / ".zattrs", {"bioformats2raw.layout": 3})
    for name in ("0", "1"):
        write(root / name / ".zattrs", image())
        write(root / name / "0" / ".zarray", {"shape": SHAPE, "dtype": "<u2"})
    (root / "OME").mkdir()
    (root / "OME" / "METADATA.ome.xml").write_text("<OME/>")
    (found,) = read(tmp_path, "a.zarr")
    assert isinstance(found, Group)
    assert (found.images, found.xml) == (("0", "1"), b"<OME/>")
    assert ngff.image_of(found.documents, "1").size_x == 60


def test_plate_with_a_missing_well(tmp_path: Path) -> None:
    root = tmp_path / "p.zarr"
    wells = [{"path": "A/1"}, {"path": "B/12"}, {"path": "../x"}]
    write(root / ".zattrs", {"plate": {"name": "P", "wells": wells}})
    write(root / "A" / "1" / ".zattrs", {"well": {"images": [{"path": "0"}, {"path": "1"}]}})
    write(root / "A" / "1" / "0" / ".zattrs", image())
    plate, first, *rest = read(tmp_path, "p.zarr")
    assert isinstance(plate, PlateGroup)
    assert isinstance(first, Group)
    assert (first.path, first.well, first.plate) == ("p.zarr/A/1/0", "A01", "P")
    assert [p[0] for p in rest if isinstance(p, tuple)] == [
        "p.zarr/A/1/1",
        "p.zarr/B/12",
        "p.zarr/../x",
    ]


def test_deep_json_is_malformed() -> None:
    with pytest.raises(SourceMalformed, match="JSON"):
        ngff.parse(b"[" * 100_000, "zarr.json")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON, JSON, st.sampled_from(["multiscales", "plate", "well", "omero", "labels"]))
def test_any_json_is_read_or_malformed(value: Any, array: Any, key: str) -> None:
    attributes = {**image(), key: value}
    array = array if isinstance(array, dict) else {"shape": array}
    try:
        ngff.read_image(attributes, array)
        ngff.read_plate(attributes, "p")
        ngff.well_images(attributes)
        ngff.first_level(attributes)
    except SourceMalformed:
        pass


@given(JSON, st.sampled_from(["axes", "datasets", "coordinateTransformations", "name"]))
def test_any_multiscale_is_read(value: Any, key: str) -> None:
    ngff.read_image(image(**{key: value}), {"shape": SHAPE})
