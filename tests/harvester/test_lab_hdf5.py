"""HDF5 files: what is read of them, which layouts are known, and that hostile ones do no harm."""

from __future__ import annotations

import io
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from harvester.formats import hdf5_tree
from harvester.formats.archive_members import MemoryContent
from harvester.formats.hdf5_process import Hdf5Reader
from harvester.formats.hdf5_records import layout_of, pictures_of
from harvester.formats.hdf5_tree import Hdf5Document, read_hdf5
from harvester.sources.local import LocalFiles
from parfocal.errors import PluginMissing, SourceMalformed
from parfocal.model import Dataset, Image, KeyValue
from parfocal.testing.sources import SourceContract
from tests.fakes.lab_disk import harvest, local, write, write_zip

Fill = Callable[[Any], None]


def made(fill: Fill) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        fill(file)
    return buffer.getvalue()


def read(fill: Fill) -> Hdf5Document:
    return read_hdf5(MemoryContent(made(fill)))


def letters(text: str) -> Any:
    return np.array([letter.encode() for letter in text], "S1")


def plain(file: Any) -> None:
    file.attrs["title"] = "cells"
    file.create_dataset("raw", shape=(3, 64, 48), dtype="uint16")
    file["raw"].attrs["element_size_um"] = [2.0, 0.5, 0.25]
    file["note"] = "fixed"


def imaris(file: Any) -> None:
    image = file.create_group("DataSetInfo/Image")
    for name, text in {
        "X": "64", "Y": "32", "Z": "4", "Unit": "um", "Name": "(name not specified)",
        "ExtMin0": "0", "ExtMax0": "32", "ExtMin1": "0", "ExtMax1": "16", "ExtMin2": "-4",
        "ExtMax2": "4", "RecordingDate": "2023-05-06 10:11:12.000",
    }.items():  # fmt: skip
        image.attrs[name] = letters(text)
    for number, name in enumerate(("GFP", "RFP")):
        channel = file.create_group(f"DataSetInfo/Channel {number}")
        channel.attrs["Name"] = letters(name)
        channel.attrs["Color"] = letters("0.000 1.000 0.000")
        channel.attrs["LSMEmissionWavelength"] = letters("525")
        for time in range(2):
            path = f"DataSet/ResolutionLevel 0/TimePoint {time}/Channel {number}/Data"
            file.create_dataset(path, shape=(4, 32, 64), dtype="uint8")


def viewer(file: Any) -> None:
    for time in range(3):
        for setup in range(2):
            path = f"t{time:05d}/s{setup:02d}/0/cells"
            file.create_dataset(path, shape=(5, 20, 30), dtype="int16")
    for setup in range(2):
        file[f"s{setup:02d}/resolutions"] = np.ones((1, 3))


def ilastik(file: Any) -> None:
    data = file.create_dataset("exported_data", shape=(7, 20, 30, 2), dtype="float32")
    data.attrs["axistags"] = '{"axes": [{"key": "t"}, {"key": "y"}, {"key": "x"}, {"key": "c"}]}'


class TestHdf5AsSource(SourceContract):
    @pytest.fixture
    def source(self, tmp_path: Path) -> LocalFiles:
        for name, fill in {
            "a.h5": plain, "b.ims": imaris, "c.h5": viewer, "d.h5": ilastik
        }.items():  # fmt: skip
            write(tmp_path / "study" / name, made(fill))
        write_zip(tmp_path / "study" / "e.zip", {"in.hdf5": made(plain)})
        return local(tmp_path)

    @pytest.fixture
    def name(self) -> str:
        return "lab"

    @pytest.fixture
    def broken(self, tmp_path: Path) -> LocalFiles:
        write(tmp_path / "study" / "a.h5", made(plain))
        write(tmp_path / "study" / "bad.h5", made(plain)[:700])
        write(tmp_path / "study" / "none.h5", b"nothing")
        return local(tmp_path)


def test_attributes_and_data_sets_are_kept(tmp_path: Path) -> None:
    write(tmp_path / "study" / "a.h5", made(plain))
    records, problems = harvest(tmp_path)
    assert problems == []
    image = records["lab:study/a.h5"]
    assert isinstance(image, Image)
    assert (image.format, image.size_x, image.size_y, image.size_z) == ("HDF5", 48, 64, 3)
    assert image.pixel_type == "uint16"
    assert image.pixel_size_x is not None
    assert image.pixel_size_z is not None
    assert (image.pixel_size_x.value, image.pixel_size_z.value) == (0.25, 2.0)
    assert KeyValue("title", "cells") in image.key_values
    assert KeyValue("note", "fixed") in image.key_values
    assert KeyValue("/raw", "3 x 64 x 48, uint16", "HDF5 data set") in image.key_values


def test_imaris_files_are_known() -> None:
    document = read(imaris)
    (picture,) = pictures_of(document)
    facts = picture.facts
    assert layout_of(document) == facts.format == "Imaris"
    assert (facts.size_x, facts.size_y, facts.size_z, facts.size_c, facts.size_t) == (
        64,
        32,
        4,
        2,
        2,
    )
    assert facts.pixel_size_x is not None
    assert facts.pixel_size_z is not None
    assert (facts.pixel_size_x.value, facts.pixel_size_z.value) == (0.5, 2.0)
    assert [(c.name, c.colour) for c in facts.channels] == [("GFP", "00FF00"), ("RFP", "00FF00")]
    assert facts.channels[0].emission is not None
    assert facts.channels[0].emission.value == 525.0
    assert facts.date == "2023-05-06"


def test_big_data_viewer_files_have_an_image_for_each_setup(tmp_path: Path) -> None:
    write(tmp_path / "study" / "a.h5", made(viewer))
    records, _ = harvest(tmp_path)
    held = records["lab:study/a.h5"]
    assert isinstance(held, Dataset)
    image = records["lab:study/a.h5#s01"]
    assert isinstance(image, Image)
    assert (image.part_of, image.format) == (held.id, "BigDataViewer HDF5")
    assert (image.size_x, image.size_y, image.size_z, image.size_t) == (30, 20, 5, 3)


def test_axes_of_ilastik_are_read() -> None:
    (picture,) = pictures_of(read(ilastik))
    facts = picture.facts
    assert (facts.format, facts.size_t, facts.size_c, facts.size_z) == ("ilastik HDF5", 7, 2, 1)


@pytest.mark.parametrize(
    ("group", "layout"), [("PixelClassification", "ilastik project"), ("other", "HDF5")]
)
def test_layouts_are_named(group: str, layout: str) -> None:
    assert layout_of(read(lambda file: file.create_group(group))) == layout


# ------------------------------------------------------------------ hostile files


def test_links_out_of_the_file_are_told_and_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "secret.h5", made(lambda file: file.create_group("secret")))

    def fill(file: Any) -> None:
        file["out"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/")
        file["soft"] = h5py.SoftLink("/out/secret")
        file["round"] = file["/"]

    document = read(fill)
    assert [node.path for node in document.nodes] == ["/"]
    assert document.warnings == ("/out is a link to another file, which is not followed",)


def test_values_in_other_files_are_not_read(tmp_path: Path) -> None:
    write(tmp_path / "secret.bin", b"secret!!")

    def fill(file: Any) -> None:
        outside = [(str(tmp_path / "secret.bin"), 0, 8)]
        file.create_dataset("raw", (8,), "uint8", external=outside)

    document = read(fill)
    assert document.nodes[-1].text == ""
    assert ["other files" in warning for warning in document.warnings] == [True]


def test_deep_wide_and_long_files_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5_tree, "MAX_MEMBERS", 10)

    def fill(file: Any) -> None:
        file.create_group("/".join("d" * 100))
        for number in range(30):
            file.create_group(f"w/{number}")
        file.attrs["long"] = "x" * 40_000

    document = read(fill)
    assert len(document.nodes) < 40
    assert len(document.warnings) == 3


def test_many_attributes_are_bounded() -> None:
    def fill(file: Any) -> None:
        for number in range(300):
            file.attrs[f"a{number:03d}"] = "x" * 2000

    document = read(fill)
    assert sum(len(text) for _, text in document.nodes[0].attributes) <= hdf5_tree.MAX_TEXT
    assert document.warnings


def test_damaged_files_neither_crash_nor_hang(tmp_path: Path) -> None:
    good = made(imaris)
    chance = random.Random(5)
    reader = Hdf5Reader(seconds=1.0)
    try:
        for _ in range(150):
            content = bytearray(good)
            for _ in range(chance.choice((1, 5, 30))):
                content[chance.randrange(len(content))] = chance.randrange(256)
            try:
                assert isinstance(reader.read(MemoryContent(bytes(content))), Hdf5Document)
            except SourceMalformed as error:
                assert "Traceback" not in error.message  # noqa: PT017
    finally:
        reader.close()


def test_a_process_that_died_or_hangs_is_a_problem_of_its_file_only() -> None:
    reader = Hdf5Reader(seconds=0.3)
    content = MemoryContent(made(plain))
    try:
        reader._seconds = 0.0001
        with pytest.raises(SourceMalformed, match="longer than"):
            reader.read(content)
        reader._seconds = 20
        assert reader.read(content).nodes
        assert reader._process is not None
        os.kill(reader._process.pid, signal.SIGKILL)
        with pytest.raises(SourceMalformed, match="crashes"):
            reader.read(content)
        assert reader.read(content).nodes
    finally:
        reader.close()


def test_without_the_extra_a_file_is_known_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> Hdf5Document:
        raise PluginMissing("reading HDF5 files needs the package h5py", hint="pip install it")

    monkeypatch.setattr(Hdf5Reader, "read", missing)
    write(tmp_path / "study" / "a.h5", made(plain))
    records, problems = harvest(tmp_path)
    image = records["lab:study/a.h5"]
    assert isinstance(image, Image)
    assert (image.format, image.size_x) == ("HDF5", None)
    assert [(problem.severity, "h5py" in problem.reason) for problem in problems] == [
        ("warning", True)
    ]
