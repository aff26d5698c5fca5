"""Small pictures of local images."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image as Picture

from harvester.demo.lab import generate
from harvester.sources.local import LocalFiles
from parfocal.errors import PluginMissing, SourceError, SourceMalformed, SourceRefused
from parfocal.model import Channel, Dataset, Image, Provenance
from parfocal.testing.sources import fetch_all, normalise_all

FROM = Provenance(source="lab", native_id="x")


def local(path: Path) -> LocalFiles:
    return LocalFiles("lab", LocalFiles.Options(path=path))


def image(location: str, *colours: str, native: str = "") -> Image:
    channels = tuple(Channel(colour=colour) for colour in colours)
    return Image(
        id=f"lab:{native or location}", provenance=FROM, location=location, channels=channels
    )


def picture(content: bytes) -> Picture.Image:
    opened = Picture.open(io.BytesIO(content))
    assert opened.format == "PNG"
    return opened.convert("RGB")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("demo")
    generate(root)
    return root / "lab"


def test_every_image_of_the_demonstration_has_a_picture(lab: Path) -> None:
    source = local(lab)
    records = normalise_all(source, fetch_all(source))
    images = [record for record in records if isinstance(record, Image)]
    assert len(images) == 19
    for record in images:
        if record.format == "HDF5":
            continue  # only its metadata are read
        drawn = picture(source.thumbnail(record, 128))
        assert max(drawn.size) == 128
        values = np.asarray(drawn)
        assert values.std() > 15
        assert values.max() > 200


def test_demonstration_is_the_same_every_time(lab: Path, tmp_path: Path) -> None:
    generate(tmp_path)
    for file in lab.rglob("*"):
        if file.is_file():
            assert (tmp_path / "lab" / file.relative_to(lab)).read_bytes() == file.read_bytes()


def test_channels_take_their_colours(tmp_path: Path) -> None:
    pixels = np.zeros((2, 64, 64), "uint16")
    pixels[0, :, :32] = 1000
    pixels[1, :, 32:] = 50
    tifffile.imwrite(tmp_path / "a.ome.tif", pixels, metadata={"axes": "CYX"})
    drawn = picture(local(tmp_path).thumbnail(image("a.ome.tif", "FF0000", "00FF00"), 64))
    assert drawn.getpixel((8, 32)) == (255, 0, 0)
    assert drawn.getpixel((56, 32)) == (0, 255, 0)


def test_middle_plane_and_first_time(tmp_path: Path) -> None:
    pixels = np.zeros((2, 5, 32, 32), "uint8")
    pixels[0, 2, :16] = 200
    pixels[1] = 255
    tifffile.imwrite(tmp_path / "a.ome.tif", pixels, metadata={"axes": "TZYX"})
    drawn = picture(local(tmp_path).thumbnail(image("a.ome.tif"), 32))
    assert drawn.getpixel((16, 2)) == (255, 255, 255)
    assert drawn.getpixel((16, 30)) == (0, 0, 0)


def test_second_image_of_a_file(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as file:
        file.write(np.zeros((16, 16), "uint8"))
        file.write(np.zeros((16, 32), "uint8"))
    drawn = local(tmp_path).thumbnail(image("a.ome.tif", native="a.ome.tif#1"), 64)
    assert picture(drawn).size == (32, 16)
    with pytest.raises(SourceMalformed, match="no image 7"):
        local(tmp_path).thumbnail(image("a.ome.tif", native="a.ome.tif#7"), 64)


def test_colour_picture_keeps_its_colours(tmp_path: Path) -> None:
    pixels = np.zeros((32, 32, 3), "uint8")
    pixels[..., 2] = 250
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb")
    source = local(tmp_path)
    (record,) = [r for r in normalise_all(source, fetch_all(source)) if isinstance(r, Image)]
    assert picture(source.thumbnail(record, 32)).getpixel((4, 4)) == (0, 0, 255)


def test_low_level_is_read_of_a_pyramid(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(np.zeros((512, 512), "uint8"), subifds=1, tile=(64, 64))
        file.write(np.full((128, 128), 9, "uint8"), subfiletype=1, tile=(64, 64))
    drawn = picture(local(tmp_path).thumbnail(image("a.tif"), 96))
    assert drawn.size == (96, 96)


def test_huge_plane_without_levels_is_refused(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    group.create_array("0", shape=(100_000, 100_000), chunks=(1000, 1000), dtype="uint8")
    group.attrs["multiscales"] = [{"axes": ["y", "x"], "datasets": [{"path": "0"}]}]
    with pytest.raises(SourceRefused, match="too many"):
        local(tmp_path).thumbnail(image("a.zarr"), 64)


def test_huge_chunk_is_refused(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    group.create_array("0", shape=(8, 8, 8), chunks=(10_000, 10_000, 10_000), dtype="uint8")
    axes = ["z", "y", "x"]
    group.attrs["multiscales"] = [{"axes": axes, "datasets": [{"path": "0"}]}]
    with pytest.raises(SourceRefused):
        local(tmp_path).thumbnail(image("a.zarr"), 64)


@pytest.mark.parametrize("location", ["../secret.tif", "/etc/passwd", "link.tif", "a\0b.tif"])
def test_nothing_outside_the_root_is_drawn(tmp_path: Path, location: str) -> None:
    tifffile.imwrite(tmp_path / "secret.tif", np.zeros((8, 8), "uint8"))
    root = tmp_path / "root"
    root.mkdir()
    (root / "link.tif").symlink_to(tmp_path / "secret.tif")
    with pytest.raises(SourceRefused, match="out of"):
        local(root).thumbnail(image(location), 64)


def test_chunk_that_is_a_link_out_of_the_tree_is_not_read(tmp_path: Path) -> None:
    root = tmp_path / "root"
    group = zarr.open_group(root / "a.zarr", mode="w", zarr_format=2)
    array = group.create_array("0", shape=(8, 8), chunks=(8, 8), dtype="uint8", compressors=None)
    array[...] = np.eye(8) * 255
    group.attrs["multiscales"] = [{"axes": ["y", "x"], "datasets": [{"path": "0"}]}]
    (secret,) = (root / "a.zarr" / "0").glob("0*")
    secret.rename(tmp_path / "secret")
    secret.symlink_to(tmp_path / "secret")
    drawn = picture(local(root).thumbnail(image("a.zarr"), 64))
    assert np.asarray(drawn).max() == 0


@pytest.mark.parametrize("name", ["a.tif", "a.ome.xml", "a.zarr/.zattrs"])
@pytest.mark.parametrize(
    "content", [b"", b"II*\0\x08\0\0\0\xff\xff", b"<OME/>", b"{", b"[" * 99_999]
)
def test_rubbish_is_a_source_error(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError):
        local(tmp_path).thumbnail(image(name.partition("/")[0]), 64)


@pytest.mark.parametrize("path", ["../b", "/etc", "", "0/../0"])
def test_wrong_paths_within_a_group_are_source_errors(tmp_path: Path, path: str) -> None:
    (tmp_path / "a.zarr").mkdir()
    attributes = {"multiscales": [{"axes": ["y", "x"], "datasets": [{"path": path}]}]}
    (tmp_path / "a.zarr" / ".zattrs").write_text(json.dumps(attributes))
    with pytest.raises(SourceError):
        local(tmp_path).thumbnail(image("a.zarr"), 64)


def test_truncated_pixels_are_a_source_error(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    noise = np.random.default_rng(1).integers(0, 255, (64, 64)).astype("uint8")
    tifffile.imwrite(path, noise, compression="zlib", metadata=None)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(SourceError):
        local(tmp_path).thumbnail(image("a.tif"), 64)


def test_data_set_has_no_picture(tmp_path: Path) -> None:
    with pytest.raises(SourceRefused, match="no pixels"):
        local(tmp_path).thumbnail(Dataset(id="lab:x", provenance=FROM), 64)


def test_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "harvester.formats.thumbnail", None)
    with pytest.raises(PluginMissing):
        local(tmp_path).thumbnail(image("a.tif"), 64)


def test_a_field_of_a_plate_shows_all_its_channels(tmp_path: Path) -> None:
    generate(tmp_path)
    source = local(tmp_path / "lab")
    records = {record.id: record for record in normalise_all(source, fetch_all(source))}
    field = records["lab:mitotic-arrest-imagexpress/plate/Arrest-1.HTD#B02"]
    pixels = np.asarray(picture(source.thumbnail(field, 64)))
    assert pixels.shape == (64, 64, 3)
    assert (np.abs(pixels[..., 0].astype(int) - pixels[..., 1]) > 20).any()
    (tmp_path / "lab/mitotic-arrest-imagexpress/plate/Arrest-1_B02_w2.TIF").unlink()
    assert source.thumbnail(field, 64)


def test_a_member_of_an_archive_is_drawn(tmp_path: Path) -> None:
    generate(tmp_path)
    source = local(tmp_path / "lab")
    shown = picture(source.thumbnail(image("kidney-exports/day-3.zip!/projections/actin.tif"), 64))
    assert shown.size == (64, 64)
    for location in ("kidney-exports/day-3.zip!/gone.tif", "kidney-exports/none.zip!/a.tif"):
        with pytest.raises(SourceError):
            source.thumbnail(image(location), 64)
    with pytest.raises(SourceError):
        source.thumbnail(image("kidney-exports/day-3.zip!/../../secret.tif"), 64)
