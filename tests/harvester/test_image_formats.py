"""Which files are images, by their names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.formats.image_formats import image_format


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/b.tif", "TIFF"),
        ("A.TIFF", "TIFF"),
        ("x.y.ome.tiff", "OME-TIFF"),
        ("embryo.zarr", "OME-Zarr"),
        ("embryo.ome.zarr.zip", "OME-Zarr"),
        ("scan.svs", "Aperio SVS"),
        ("brain.nii.gz", "NIfTI"),
        ("cell.tif.gz", "TIFF"),
        ("stack.mrc", "MRC"),
        ("table.csv", ""),
        ("all.zip", ""),
        ("tif", ""),
        (".tif/notes", ""),
        ("", ""),
    ],
)
def test_formats(path: str, name: str) -> None:
    assert image_format(path) == name


@given(st.text())
def test_any_name_is_read(path: str) -> None:
    assert image_format(path) == image_format(path + "/") or path.endswith("/")
