"""The source ``local``: what becomes of a folder of images."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harvester.demo.lab import generate
from harvester.sources.local import LocalFiles
from parfocal.errors import SourceUnavailable
from parfocal.model import Dataset, Image, KeyValue, Record
from parfocal.testing.sources import SourceContract, fetch_all, raw_items
from parfocal.values import Problem, RawItem

OME = "http://www.openmicroscopy.org/Schemas/OME/2016-06"


def ome_xml(body: str = "", *, name: str = "cells", images: int = 1) -> str:
    every = "".join(
        f'<Image ID="Image:{n}" Name="{name} {n}"><Pixels ID="Pixels:{n}" DimensionOrder="XYZCT" '
        f'Type="uint8" SizeX="8" SizeY="4" SizeZ="1" SizeC="1" SizeT="1">'
        f'<Channel ID="Channel:{n}:0"/>{body or "<MetadataOnly/>"}</Pixels></Image>'
        for n in range(images)
    )
    return f'<?xml version="1.0" encoding="UTF-8"?><OME xmlns="{OME}">{every}</OME>'


def write_tiff(path: Path, description: str = "", pages: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.arange(pages * 32, dtype=np.uint8).reshape(pages, 4, 8)
    tifffile.imwrite(
        path, pixels, description=description.encode(), metadata=None, photometric="minisblack"
    )


def local(path: Path, name: str = "lab") -> LocalFiles:
    return LocalFiles(name, LocalFiles.Options(path=path))


def harvest(path: Path) -> tuple[dict[str, Record], list[Problem]]:
    source = local(path)
    found = fetch_all(source)
    problems = [one for one in found if isinstance(one, Problem)]
    records: dict[str, Record] = {}
    for item in raw_items(found):
        for made in source.normalise(item):
            if isinstance(made, Problem):
                problems.append(made)
            else:
                assert made.id not in records
                records[made.id] = made
    return records, problems


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demonstration's lab disk with what the demonstration has not: nested and loose files."""
    root = tmp_path_factory.mktemp("disk")
    generate(root)
    lab = root / "lab"
    write_tiff(lab / "loose.tif", pages=3)
    write_tiff(lab / "hela-h2b-timelapse" / "controls" / "day-2" / "c.ome.tif", ome_xml(images=2))
    return lab


class TestLocal(SourceContract):
    @pytest.fixture
    def source(self, disk: Path) -> LocalFiles:
        return local(disk)

    @pytest.fixture
    def name(self) -> str:
        return "lab"

    @pytest.fixture
    def broken(self, tmp_path: Path) -> LocalFiles:
        write_tiff(tmp_path / "study" / "good.tif")
        (tmp_path / "study" / "bad.tif").write_bytes(b"II*\0\xff\xff")
        (tmp_path / "study" / "bad.ome.xml").write_text("<OME><Image")
        return local(tmp_path)


def test_folders_become_studies_and_containers(disk: Path) -> None:
    records, problems = harvest(disk)
    assert problems == []
    study = records["lab:hela-h2b-timelapse"]
    assert isinstance(study, Dataset)
    assert (study.ome_type, study.licence, study.date) == ("Study", "CC-BY-4.0", "2024-03-14")
    assert [person.orcid for person in study.creators] == ["0000-0002-1825-0097", ""]
    assert KeyValue("Cell Line", "HeLa") in study.key_values
    deep = records["lab:hela-h2b-timelapse/controls/day-2"]
    assert isinstance(deep, Dataset)
    assert (deep.ome_type, deep.part_of) == ("Dataset", study.id)
    assert records["lab:hela-h2b-timelapse/controls/day-2/c.ome.tif#1"].part_of == deep.id
    assert "lab:hela-h2b-timelapse/controls" not in records
    assert records["lab:loose.tif"].part_of == f"lab:{disk.name}"


def test_image_of_an_ome_tiff(disk: Path) -> None:
    image = harvest(disk)[0]["lab:hela-h2b-timelapse/h2b-tubulin-02.ome.tif"]
    assert isinstance(image, Image)
    assert (image.size_x, image.size_c, image.size_t, image.format) == (256, 2, 2, "OME-TIFF")
    assert image.location == "hela-h2b-timelapse/h2b-tubulin-02.ome.tif"
    assert [channel.colour for channel in image.channels] == ["FF40C0", "20E060"]
    assert image.objective is not None
    assert image.objective.numerical_aperture == 1.4
    assert KeyValue("Compound", "nocodazole") in image.key_values
    assert KeyValue("Gene Symbol", "TUBA1B") in image.key_values
    assert KeyValue("Exposure (ms)", "120", "parfocal.demo") in image.key_values


def test_plate_of_ome_zarr(disk: Path) -> None:
    records, _ = harvest(disk)
    plate = records["lab:mitotic-arrest-screen/plate-1.ome.zarr"]
    assert isinstance(plate, Dataset)
    assert (plate.ome_type, plate.title) == ("Plate", "Plate 1")
    image = records["lab:mitotic-arrest-screen/plate-1.ome.zarr/B/2/0"]
    assert isinstance(image, Image)
    assert (image.well, image.plate, image.part_of) == ("B02", "Plate 1", plate.id)
    assert KeyValue("Compound", "paclitaxel") in image.key_values
    assert image.pixel_size_x is not None
    assert (image.pixel_size_x.value, image.pixel_size_x.unit) == (0.65, "micrometer")


def test_labels_of_ome_zarr(disk: Path) -> None:
    image = harvest(disk)[0]["lab:mouse-kidney-cleared/cortex-1.ome.zarr"]
    assert isinstance(image, Image)
    assert (image.size_z, image.size_c, image.labels) == (5, 3, ("nuclei",))


def test_companion_set_is_one_image(tmp_path: Path) -> None:
    data = "".join(
        f'<TiffData IFD="0"><UUID FileName="s_{n}.ome.tif">urn:uuid:{n}</UUID></TiffData>'
        for n in range(3)
    )
    folder = tmp_path / "study"
    pointer = f'<OME xmlns="{OME}"><BinaryOnly MetadataFile="s.companion.ome" UUID="u"/></OME>'
    for n in range(3):
        write_tiff(folder / f"s_{n}.ome.tif", pointer)
    (folder / "s.companion.ome").write_text(ome_xml(data))
    records, problems = harvest(tmp_path)
    assert [p for p in problems if p.severity == "error"] == []
    images = [record for record in records.values() if isinstance(record, Image)]
    assert [image.id for image in images] == ["lab:study/s.companion.ome"]
    assert images[0].location == "study/s_0.ome.tif"


def test_files_that_name_each_other_are_one_image(tmp_path: Path) -> None:
    data = "".join(
        f'<TiffData><UUID FileName="t{n}.ome.tif">urn:uuid:{n}</UUID></TiffData>' for n in range(2)
    )
    for n in range(2):
        write_tiff(tmp_path / "study" / f"t{n}.ome.tif", ome_xml(data))
    write_tiff(tmp_path / "study" / "0-copy.ome.tif", ome_xml(data))
    images = [r.id for r in harvest(tmp_path)[0].values() if isinstance(r, Image)]
    assert images == ["lab:study/0-copy.ome.tif", "lab:study/t0.ome.tif"]


def test_missing_companion_is_a_warning(tmp_path: Path) -> None:
    pointer = f'<OME xmlns="{OME}"><BinaryOnly MetadataFile="gone.companion.ome" UUID="u"/></OME>'
    write_tiff(tmp_path / "study" / "a.ome.tif", pointer)
    records, problems = harvest(tmp_path)
    assert "lab:study/a.ome.tif" in records
    assert [(p.severity, "gone.companion.ome" in p.reason) for p in problems] == [("warning", True)]


def test_links_out_of_the_tree_are_refused(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    write_tiff(outside / "secret.tif")
    write_tiff(root / "study" / "a.tif")
    (root / "study" / "link.tif").symlink_to(outside / "secret.tif")
    (root / "linked").symlink_to(outside)
    (root / "study" / "same.tif").symlink_to(root / "study" / "a.tif")
    records, problems = harvest(root)
    assert {p.item for p in problems} == {"study/link.tif", "linked"}
    assert {"lab:study/a.tif", "lab:study/same.tif"} < set(records)
    assert not any("secret" in identifier for identifier in records)


def test_zarr_links_and_paths_out_of_the_tree_are_refused(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    (outside / ".zarray").write_text('{"shape": [4, 8], "dtype": "|u1"}')
    for number, path in enumerate(["../../../outside", str(outside), "linked", "a/../b", ""]):
        group = root / "study" / f"{number}.zarr"
        group.mkdir(parents=True)
        image = {"multiscales": [{"axes": ["y", "x"], "datasets": [{"path": path}]}]}
        (group / ".zattrs").write_text(json.dumps(image))
    (root / "study" / "2.zarr" / "linked").symlink_to(outside)
    records, problems = harvest(root)
    assert records == {}
    assert {p.item for p in problems} == {f"study/{n}.zarr" for n in range(5)}


def test_damaged_toml_closes_its_folder_only(tmp_path: Path) -> None:
    write_tiff(tmp_path / "secret" / "a.tif")
    (tmp_path / "secret" / "parfocal.toml").write_text('[dataset]\naccess = ["lab"\n')
    write_tiff(tmp_path / "open" / "a.tif")
    records, problems = harvest(tmp_path)
    assert set(records) == {"lab:open", "lab:open/a.tif"}
    assert [(p.item, p.place) for p in problems] == [("secret", "line 2, at the end")]


def test_access_of_a_data_set_covers_everything_in_it(tmp_path: Path) -> None:
    write_tiff(tmp_path / "mine" / "deep" / "a.tif")
    write_tiff(tmp_path / "mine" / "open" / "b.tif")
    (tmp_path / "mine" / "parfocal.toml").write_text('[dataset]\naccess = ["lab"]\n')
    (tmp_path / "mine" / "open" / "parfocal.toml").write_text("[dataset]\naccess = []\n")
    records, _ = harvest(tmp_path)
    assert records["lab:mine/deep/a.tif"].access.groups == ("lab",)
    assert records["lab:mine"].access.groups == records["lab:mine/deep"].access.groups == ("lab",)
    assert records["lab:mine/open"].access.public
    assert records["lab:mine/open/b.tif"].part_of == "lab:mine/open"


def test_bad_rows_of_a_table_are_problems(tmp_path: Path) -> None:
    write_tiff(tmp_path / "study" / "a.tif")
    table = "file,Gene Symbol\na.tif,CDK1\na.tif,CDK2,too,many\n"
    (tmp_path / "study" / "parfocal.csv").write_text(table)
    records, problems = harvest(tmp_path)
    assert records["lab:study/a.tif"].key_values == (KeyValue("Gene Symbol", "CDK1"),)
    assert [(p.item, p.place) for p in problems] == [("study/parfocal.csv", "line 3, column 3")]


def test_root_that_is_one_data_set(tmp_path: Path) -> None:
    write_tiff(tmp_path / "inner" / "a.tif")
    (tmp_path / "parfocal.toml").write_text('[dataset]\ntitle = "All"\n')
    records, _ = harvest(tmp_path)
    assert records[f"lab:{tmp_path.name}"].title == "All"
    assert records["lab:inner"].part_of == f"lab:{tmp_path.name}"


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="no such folder"):
        fetch_all(local(tmp_path / "gone"))


def test_unknown_files_are_left_alone_but_unread_images_are_known_by_name(tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    for name in ("notes.txt", "results.xlsx", "picture.png", ".hidden.tif"):
        (tmp_path / "study" / name).write_bytes(b"x")
    (tmp_path / "study" / "scan.czi").write_bytes(b"ZISRAWFILE")
    records, problems = harvest(tmp_path)
    assert problems == []
    assert set(records) == {"lab:study", "lab:study/scan.czi"}
    image = records["lab:study/scan.czi"]
    assert isinstance(image, Image)
    assert (image.title, image.format, image.size_x) == ("scan.czi", "Zeiss CZI", None)
    assert KeyValue("File size", "10 bytes") in image.key_values


def test_pipes_do_not_block(tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    os.mkfifo(tmp_path / "study" / "a.tif")
    records, problems = harvest(tmp_path)
    assert records == {}
    assert [p.item for p in problems] == ["study/a.tif"]


def test_unchanged_files_give_equal_items(disk: Path) -> None:
    before = [item.digest for item in raw_items(fetch_all(local(disk)))]
    for file in disk.rglob("*.tif"):
        os.utime(file)
    assert [item.digest for item in raw_items(fetch_all(local(disk)))] == before


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.sampled_from(
        ["a.tif", "a.ome.xml", "a.ome.xml.gz", "parfocal.csv", "parfocal.toml", "a.zarr/zarr.json",
         "a.zarr/.zattrs"]
    ),
    content=st.one_of(
        st.binary(max_size=200),
        st.sampled_from([b"II*\0\x08\0\0\0", b"MM\0+\0\x08\0\0", b"[" * 100_000,
                         b'{"a":' * 100_000,
                         b"<OME>" * 10_000, b'{"multiscales": 3}', b'{"plate": {"wells": [3]}}',
                         b"file," * 2000, b"[dataset]\nauthors = 3",
                         b"\xff\xfe<\0O\0M\0E\0/\0>\0"]),
    ),
)  # fmt: skip
def test_any_content_is_read_or_a_problem(tmp_path: Path, name: str, content: bytes) -> None:
    folder = tmp_path / "study"
    write_tiff(folder / "good.tif")
    place = folder / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    records, problems = harvest(tmp_path)
    place.unlink()
    assert all(problem.reason for problem in problems)
    assert "lab:study/good.tif" in records or any(p.item == "study" for p in problems)


@pytest.mark.parametrize("kept", [0.15, 0.5, 0.99])
def test_a_truncated_file_is_an_error_beside_its_record(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "set" / "cells.ome.tif"
    write_tiff(tmp_path / "set" / "whole.tif")
    with tifffile.TiffWriter(path) as writer:
        for _ in range(4):
            writer.write(
                np.ones((128, 128), "uint8"), rowsperstrip=16, metadata=None, contiguous=False,
                photometric="minisblack", description=ome_xml().encode(),
            )  # fmt: skip
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    records, problems = harvest(tmp_path)
    assert {"lab:set/cells.ome.tif", "lab:set/whole.tif"} <= set(records)
    (problem,) = [one for one in problems if one.severity == "error"]
    assert problem.item == "set/cells.ome.tif"
    assert f"beyond the end of the file, {int(len(content) * kept):,} bytes" in problem.reason
    assert "copy it again" in problem.hint


def test_a_truncated_member_of_a_set_is_an_error(tmp_path: Path) -> None:
    planes = "".join(
        f'<TiffData FirstT="{n}"><UUID FileName="{name}">urn:uuid:{n}</UUID></TiffData>'
        for n, name in enumerate(("a.ome.tif", "b.ome.tif"))
    )
    for name in ("a.ome.tif", "b.ome.tif"):
        write_tiff(tmp_path / "set" / name, ome_xml(planes))
    path = tmp_path / "set" / "b.ome.tif"
    path.write_bytes(path.read_bytes()[:-9])
    records, problems = harvest(tmp_path)
    assert "lab:set/b.ome.tif" not in records
    errors = [one.item for one in problems if one.severity == "error"]
    assert errors == ["set/b.ome.tif"]


@pytest.mark.corpus
def test_every_file_of_the_corpus_is_read_or_a_problem(corpus: Path) -> None:
    records, problems = harvest(corpus / "ome")
    xml = [r for r in records.values() if isinstance(r, Image) and r.format == "OME-XML"]
    assert len(xml) == 388
    assert not [p for p in problems if p.item.endswith(".ome.xml") and p.severity == "error"]
    plates = [r for r in records.values() if r.ome_type == "Plate"]
    assert len(plates) == 68
    challenge = [r for r in records.values() if "/hcs.zarr/" in r.id]
    assert len(challenge) == 8


@pytest.mark.slow
def test_thousands_of_headers_a_second(tmp_path: Path) -> None:
    write_tiff(tmp_path / "study" / "f0.tif")
    content = (tmp_path / "study" / "f0.tif").read_bytes()
    for n in range(1, 3000):
        (tmp_path / "study" / f"f{n}.tif").write_bytes(content)
    start = time.perf_counter()
    items = [one for one in fetch_all(local(tmp_path)) if isinstance(one, RawItem)]
    assert len(items) == 3002  # study, files, and that all of them were read
    assert len(items) / (time.perf_counter() - start) > 1000


def test_raw_items_hold_no_pixels(disk: Path) -> None:
    items = raw_items(fetch_all(local(disk)))
    assert max(len(item.content) for item in items) < 20_000
    assert all(msgspec.msgpack.decode(item.content)["type"] for item in items)


def test_ome_xml_of_a_plate_is_merged_into_its_fields(tmp_path: Path) -> None:
    generate(tmp_path)
    folder = tmp_path / "lab" / "mitotic-arrest-screen" / "plate-1.ome.zarr" / "OME"
    folder.mkdir()
    wells = "".join(
        f'<Well ID="Well:{n}" Row="{n // 3}" Column="{n % 3}"><WellSample ID="S:{n}" Index="{n}">'
        f'<ImageRef ID="Image:{n}"/></WellSample></Well>'
        for n in range(6)
    )
    images = "".join(
        f'<Image ID="Image:{n}" Name="field {n}"><AcquisitionDate>2021-02-0{n + 1}T00:00:00'
        f'</AcquisitionDate><InstrumentRef ID="Instrument:0"/><Pixels ID="Pixels:{n}" '
        'DimensionOrder="XYCZT" Type="uint16" SizeX="9" SizeY="9" SizeZ="1" SizeC="1" SizeT="1"/>'
        f'<AnnotationRef ID="Annotation:{n}"/></Image>'
        for n in range(6)
    )
    annotations = "".join(
        f'<CommentAnnotation ID="Annotation:{n}"><Value>note {n}</Value></CommentAnnotation>'
        for n in range(6)
    )
    xml = (
        f'<OME xmlns="{OME}"><Plate ID="Plate:0">{wells}</Plate><Instrument ID="Instrument:0">'
        f'<Microscope Model="M1"/></Instrument>{images}'
        f"<StructuredAnnotations>{annotations}</StructuredAnnotations></OME>"
    )
    (folder / "METADATA.ome.xml").write_text(xml)
    records, problems = harvest(tmp_path / "lab")
    assert problems == []
    image = records["lab:mitotic-arrest-screen/plate-1.ome.zarr/B/2/0"]
    assert isinstance(image, Image)
    assert (image.well, image.date, image.instrument) == ("B02", "2021-02-05", "M1")
    assert KeyValue("Comment", "note 4") in image.key_values
    assert image.size_x != 9  # the array knows better
    (folder / "METADATA.ome.xml").write_text("<OME")
    records, problems = harvest(tmp_path / "lab")
    assert "lab:mitotic-arrest-screen/plate-1.ome.zarr/B/2/0" in records
    assert [p.severity for p in problems] == ["warning"]


def test_parts_of_an_unread_image_are_no_images(tmp_path: Path) -> None:
    for name in ("a.oif", "b.vsi", "_b_/stack1/frame_t.ets", "c.ics", "c.ids"):
        path = tmp_path / "study" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    write_tiff(tmp_path / "study" / "a.oif.files" / "s_C001.tif")
    images = {r.title for r in harvest(tmp_path)[0].values() if isinstance(r, Image)}
    assert images == {"a.oif", "b.vsi", "c.ics"}
