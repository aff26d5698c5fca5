"""What happens to records when files are renamed, moved, copied, replaced, and not touched."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from harvester.lab import files as lab_files
from harvester.lab.tree import DiskTree
from parfocal.model import Image, Record
from parfocal.pipeline import Harvest
from parfocal.store.sqlite import SqliteStore
from parfocal.values import RunReport
from tests.fakes.lab_disk import htd, local, tiff, write, write_plate, write_zip

OME = (
    '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:{uuid}">'
    '<Image ID="Image:0" Name="{name}"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" '
    'SizeX="8" SizeY="4" SizeZ="1" SizeC="1" SizeT="1"><Channel ID="Channel:0:0"/><TiffData/>'
    "</Pixels></Image></OME>"
)


class Disk:
    """A disk and the store that it is harvested into."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = SqliteStore()

    def write(self, path: str, content: bytes) -> None:
        write(self.root / path, content)

    def harvest(self, *, full: bool = False) -> RunReport:
        report = Harvest(self.store, "lab", local(self.root)).run(full=full, allow_shrink=True)
        assert report.state == "complete"
        return report

    def records(self) -> dict[str, Record]:
        found = (change.record for change in self.store.records())
        return {record.id: record for record in found if record is not None}

    def places(self) -> dict[str, str]:
        """Where each image lies, by the last part of its id."""
        return {
            record.id.partition(":")[2]: record.location
            for record in self.records().values() if isinstance(record, Image)
        }  # fmt: skip


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    (tmp_path / "disk").mkdir()
    return Disk(tmp_path / "disk")


def test_a_renamed_file_keeps_its_record(disk: Disk) -> None:
    disk.write("s/a.tif", tiff(pixel=1))
    disk.write("s/other.tif", tiff(pixel=2))
    disk.harvest()
    before = disk.store.revision()
    (disk.root / "s/a.tif").rename(disk.root / "s/renamed.tif")
    report = disk.harvest()
    assert disk.places() == {"s/a.tif": "s/renamed.tif", "s/other.tif": "s/other.tif"}
    assert (report.counts.new, report.counts.changed, report.counts.tombstoned) == (0, 1, 0)
    assert disk.store.revision() == before + 1
    assert disk.records()["lab:s/a.tif"].title == "renamed.tif"


@pytest.mark.parametrize("full", [False, True])
def test_a_moved_file_keeps_its_record_ever_after(disk: Disk, full: bool) -> None:
    disk.write("s/a.tif", tiff(pixel=1))
    disk.write("s/b.tif", tiff(pixel=2))
    disk.harvest()
    (disk.root / "t" / "deep").mkdir(parents=True)
    shutil.move(disk.root / "s/a.tif", disk.root / "t/deep/a.tif")
    disk.harvest()
    assert disk.harvest(full=full).counts.tombstoned == 0
    assert disk.places()["s/a.tif"] == "t/deep/a.tif"
    assert disk.records()["lab:s/a.tif"].part_of == "lab:t/deep"
    disk.write("t/deep/a.tif", tiff(pixel=9))  # edited where it lies now
    disk.harvest()
    assert disk.places()["s/a.tif"] == "t/deep/a.tif"
    (disk.root / "t/deep/a.tif").rename(disk.root / "s/a.tif")
    disk.harvest()
    assert set(disk.places()) == {"s/a.tif", "s/b.tif"}
    assert disk.places()["s/a.tif"] == "s/a.tif"


def test_a_copy_is_no_move(disk: Disk) -> None:
    disk.write("s/a.tif", tiff())
    disk.harvest()
    shutil.copy2(disk.root / "s/a.tif", disk.root / "s/copy.tif")
    disk.harvest()
    assert disk.places() == {"s/a.tif": "s/a.tif", "s/copy.tif": "s/copy.tif"}


def test_two_equal_files_stay_two_records_when_both_move(disk: Disk) -> None:
    for name in ("s/a.tif", "s/b.tif"):
        disk.write(name, tiff())
    disk.harvest()
    (disk.root / "t").mkdir()
    for name in ("a", "b"):
        (disk.root / f"s/{name}.tif").rename(disk.root / f"t/{name}.tif")
    disk.harvest()
    assert disk.places() == {"s/a.tif": "t/a.tif", "s/b.tif": "t/b.tif"}


def test_one_of_two_equal_files_moves_and_is_copied(disk: Disk) -> None:
    for name in ("s/a.tif", "s/b.tif"):
        disk.write(name, tiff())
    disk.harvest()
    (disk.root / "s/b.tif").rename(disk.root / "s/moved.tif")
    shutil.copy2(disk.root / "s/moved.tif", disk.root / "s/new.tif")
    disk.harvest()
    places = disk.places()
    assert places["s/a.tif"] == "s/a.tif"
    assert sorted(places) in (
        ["s/a.tif", "s/b.tif", "s/moved.tif"],
        ["s/a.tif", "s/b.tif", "s/new.tif"],
    )
    assert len(set(places.values())) == 3


def test_another_file_at_the_old_place_gets_a_record_of_its_own(disk: Disk) -> None:
    disk.write("s/a.tif", tiff(pixel=1))
    disk.harvest()
    (disk.root / "s/a.tif").rename(disk.root / "s/moved.tif")
    disk.harvest()
    disk.write("s/a.tif", tiff(pixel=2))
    disk.harvest()
    disk.harvest(full=True)
    places = disk.places()
    assert places.pop("s/a.tif") == "s/moved.tif"
    assert list(places.values()) == ["s/a.tif"]
    assert disk.harvest().counts.unchanged == 3


def test_an_edited_file_with_a_uuid_keeps_its_record_when_it_moves(disk: Disk) -> None:
    uuid = "0a1b2c3d-0000-4000-8000-000000000001"
    disk.write("s/a.ome.tif", tiff(description=OME.format(uuid=uuid, name="before")))
    disk.harvest()
    (disk.root / "s/a.ome.tif").unlink()
    disk.write("s/b.ome.tif", tiff(description=OME.format(uuid=uuid, name="after")))
    disk.harvest()
    assert disk.places() == {"s/a.ome.tif": "s/b.ome.tif"}
    assert disk.records()["lab:s/a.ome.tif"].title == "after"


def test_a_renamed_study_keeps_its_records(disk: Disk) -> None:
    disk.write("s/a.tif", tiff(pixel=1))
    disk.write("s/deep/b.tif", tiff(pixel=2))
    disk.write("s/run.zip", b"")
    write_zip(disk.root / "s/run.zip", {"m.tif": tiff(pixel=3)})
    write_plate(disk.root / "s" / "plate")
    disk.harvest()
    before = set(disk.records())
    (disk.root / "s").rename(disk.root / "renamed")
    report = disk.harvest()
    assert set(disk.records()) == before
    assert (report.counts.new, report.counts.tombstoned) == (0, 0)
    assert disk.records()["lab:s"].title == "renamed"
    assert disk.places()["s/deep/b.tif"] == "renamed/deep/b.tif"
    assert disk.places()["s/run.zip!/m.tif"] == "renamed/run.zip!/m.tif"
    assert disk.places()["s/plate/P1.HTD#A01_s1"].startswith("renamed/plate/P1_A01_s1")
    assert disk.harvest().counts.unchanged == len(before)


def test_a_study_that_is_gone_is_not_taken_for_another(disk: Disk) -> None:
    disk.write("s/a.tif", tiff(pixel=1))
    disk.harvest()
    shutil.rmtree(disk.root / "s")
    disk.write("t/a.tif", tiff(pixel=2))
    disk.harvest()
    assert set(disk.records()) == {"lab:t", "lab:t/a.tif"}


# ------------------------------------------------------------------ unchanged files


class Opened:
    """Counts the files that are opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []
        opened = DiskTree.opened

        def counting(tree: DiskTree, file: lab_files.Found) -> object:
            self.names.append(file.name)
            return opened(tree, file)

        monkeypatch.setattr(DiskTree, "opened", counting)


def _large_disk(disk: Disk) -> None:
    for number in range(70):
        disk.write(f"leaf/{number:02d}.tif", tiff(pixel=number))
    for number in range(3):
        disk.write(f"s/{number}.tif", tiff(pixel=100 + number))
    write_plate(disk.root / "s" / "plate")
    write_zip(disk.root / "s" / "run.zip", {"m.tif": tiff(pixel=3)})


def test_unchanged_files_are_not_opened(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    _large_disk(disk)
    first = disk.harvest()
    opened = Opened(monkeypatch)
    again = disk.harvest()
    assert opened.names == []
    assert again.counts.unchanged == first.counts.new
    assert (again.counts.new, again.counts.changed, again.counts.tombstoned) == (0, 0, 0)


def test_only_what_changed_is_opened(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    _large_disk(disk)
    disk.harvest()
    opened = Opened(monkeypatch)
    disk.write("leaf/07.tif", tiff(32))
    disk.write("s/plate/P1_B02_s2_w1.tif", tiff(32))
    os.utime(disk.root / "s/1.tif", ns=(0, 0))
    report = disk.harvest()
    assert set(opened.names) == {
        "leaf/07.tif", "s/1.tif", "s/plate/P1.HTD", "s/plate/P1_A01_s1_w1.tif",
        "s/plate/P1_A01_s1_w2.tif", "s/plate/P1_B02_s2_w1.tif", "s/plate/P1_B02_s2_w2.tif",
    }  # fmt: skip
    assert (report.counts.changed, report.counts.tombstoned) == (2, 0)


def test_a_deleted_file_of_a_large_folder_is_gone(disk: Disk) -> None:
    _large_disk(disk)
    disk.harvest()
    (disk.root / "leaf/07.tif").unlink()
    (disk.root / "s/plate/P1_B02_s2_w1.tif").unlink()
    (disk.root / "s/plate/P1_B02_s2_w2.tif").unlink()
    (disk.root / "s/run.zip").unlink()
    before = set(disk.records())
    report = disk.harvest()
    gone = before - set(disk.records())
    assert gone == {"lab:leaf/07.tif", "lab:s/plate/P1.HTD#B02_s2", "lab:s/run.zip!",
                    "lab:s/run.zip!/m.tif"}  # fmt: skip
    assert report.counts.tombstoned == 4


def test_a_changed_sidecar_is_read_with_all_that_it_covers(disk: Disk) -> None:
    _large_disk(disk)
    disk.harvest()
    disk.write("s/parfocal.csv", b"file,Compound\nplate/P1_A01*.tif,taxol\nm.tif,DMSO\n")
    disk.write("leaf/parfocal.toml", b'[dataset]\ntitle = "Leaf"\naccess = ["lab"]\n')
    disk.harvest()
    records = disk.records()
    assert [p.value for p in records["lab:s/plate/P1.HTD#A01_s1"].key_values][-1] == "taxol"
    assert [p.value for p in records["lab:s/run.zip!/m.tif"].key_values] == ["DMSO"]
    assert records["lab:leaf"].title == "Leaf"
    assert records["lab:leaf/07.tif"].access.groups == ("lab",)


def test_a_changed_description_of_a_plate_is_read_again(disk: Disk) -> None:
    write_plate(disk.root / "s" / "plate")
    disk.harvest()
    changed = htd(sites=(2, 1), waves=2).replace("wave 2", "Cy5")
    disk.write("s/plate/P1.HTD", changed.encode("latin-1"))
    disk.harvest()
    image = disk.records()["lab:s/plate/P1.HTD#A01_s1"]
    assert isinstance(image, Image)
    assert [channel.name for channel in image.channels] == ["wave 1", "Cy5"]


def test_a_problem_stays_told_while_its_file_is_as_it_was(disk: Disk) -> None:
    _large_disk(disk)
    disk.write("leaf/bad.tif", b"II*\0\xff\xff")
    disk.write("s/plate/P1_B02_s2_w1.tif", b"nothing")
    first, again = disk.harvest(), disk.harvest()
    assert first.problems == again.problems == 2


def test_sets_of_files_are_one_image_when_nothing_is_opened(disk: Disk) -> None:
    planes = "".join(
        f'<TiffData><UUID FileName="t{n}.ome.tif">urn:uuid:{n}</UUID></TiffData>' for n in range(2)
    )
    text = OME.format(uuid="1" * 12, name="set").replace("<TiffData/>", planes)
    for n in range(2):
        disk.write(f"s/t{n}.ome.tif", tiff(description=text, pixel=n))
    disk.write("s/alone.tif", tiff(pixel=7))
    disk.harvest()
    os.utime(disk.root / "s/alone.tif", ns=(0, 0))
    disk.harvest()
    assert set(disk.places()) == {"s/t0.ome.tif", "s/alone.tif"}
    disk.write("s/new.tif", tiff(pixel=8))
    disk.harvest()
    assert set(disk.places()) == {"s/t0.ome.tif", "s/alone.tif", "s/new.tif"}
