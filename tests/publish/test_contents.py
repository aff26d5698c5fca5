"""What is published: nothing private, nothing outside its folder, links not followed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from parfocal.catalogue import Catalogue
from parfocal.config import Settings
from parfocal.identifiers import record_id
from parfocal.model import ANONYMOUS, Image, Provenance, Viewer
from publish.contents import Contents, gather, records_of
from publish.draft import Draft

LAB = Viewer(frozenset({"lab"}))


def image(location: str, **more: str) -> Image:
    return Image(
        id=record_id("disk", f"x/{len(location)}"),
        provenance=Provenance("disk", location, more.pop("url", location)),
        location=location,
        **more,
    )


@pytest.fixture
def gathered(settings_of: Callable[..., Settings]) -> Callable[..., Contents]:
    def gather_image(record: Image) -> Contents:
        with Catalogue.open(settings_of()) as catalogue:
            catalogue.add([record])
            return gather(catalogue, Draft(records=(record.id,)), ANONYMOUS)

    return gather_image


def names(contents: Contents) -> list[str]:
    return [file.path for file in contents.files]


def test_records_come_parents_first_and_only_visible_ones(catalogue: Catalogue) -> None:
    asked = ("disk:spindles", "disk:spindles/cells.zarr")
    seen = [record.id for record in records_of(catalogue, asked, ANONYMOUS)]
    assert seen == ["disk:spindles", "disk:spindles/a b#1.tif", "disk:spindles/cells.zarr"]
    assert len(list(records_of(catalogue, asked, LAB))) == 4


def test_private_records_are_said_to_become_public(catalogue: Catalogue, draft: Draft) -> None:
    assert gather(catalogue, draft, ANONYMOUS).findings == ()
    findings = gather(catalogue, draft, LAB).findings
    assert [(f.place, f.severity) for f in findings] == [("records", "warning")]
    assert "lab" in findings[0].message


def test_unknown_and_invisible_records_are_findings(catalogue: Catalogue, draft: Draft) -> None:
    for asked in ("disk:none", "disk:spindles/secret.tif", "no id"):
        changed = msgspec.structs.replace(draft, records=(asked,))
        findings = gather(catalogue, changed, ANONYMOUS).findings
        assert [(f.place, f.severity) for f in findings] == [("records", "error")]


@pytest.mark.parametrize(
    "location",
    ["../outside.tif", "/etc/passwd", "spindles/../../outside.tif", "none.tif", "a\0b", "x" * 3000],
)
def test_locations_outside_or_gone_are_refused(
    gathered: Callable[..., Contents], disk: Path, location: str
) -> None:
    (disk.parent / "outside.tif").write_text("outside")
    contents = gathered(image(location))
    assert contents.files == ()
    assert [finding.severity for finding in contents.findings] == ["error"]


def test_links_are_not_followed(gathered: Callable[..., Contents], disk: Path) -> None:
    (disk.parent / "outside").mkdir()
    (disk.parent / "outside/a.tif").write_text("outside")
    (disk / "link").symlink_to(disk.parent / "outside")
    (disk / "inner.tif").symlink_to(disk / "spindles/secret.tif")
    for location in ("link/a.tif", "inner.tif"):
        contents = gathered(image(location))
        assert contents.files == ()
        assert contents.findings


def test_links_and_pipes_within_a_folder_are_refused(
    gathered: Callable[..., Contents], disk: Path
) -> None:
    zarr = disk / "spindles/cells.zarr"
    (zarr / "1").symlink_to("/etc")
    os.mkfifo(zarr / "2")
    contents = gathered(image("spindles/cells.zarr"))
    assert len(contents.files) == 3
    assert len(contents.findings) == 2


def test_odd_names_are_refused(gathered: Callable[..., Contents], disk: Path) -> None:
    zarr = disk / "spindles/cells.zarr"
    for name in ("new\nline", "back\\slash", b"latin\xe9".decode("utf-8", "surrogateescape")):
        (zarr / name).write_text("x")
    contents = gathered(image("spindles/cells.zarr"))
    assert len(contents.files) == 3
    assert len(contents.findings) == 3


def test_all_files_of_a_set_come_along(gathered: Callable[..., Contents], disk: Path) -> None:
    text = '<TiffData><UUID FileName="one.ome.tif"/><UUID FileName="two.ome.tif"/>'
    text += '<UUID FileName="../secret.tif"/><UUID FileName="gone.ome.tif"/></TiffData>'
    (disk / "set.companion.ome").write_text(text)
    for name in ("one.ome.tif", "two.ome.tif", "three.ome.tif"):
        (disk / name).write_text(name)
    record = image("one.ome.tif", url="set.companion.ome", format="OME-TIFF")
    assert names(gathered(record)) == [
        "data/disk/one.ome.tif",
        "data/disk/set.companion.ome",
        "data/disk/two.ome.tif",
    ]


def test_folder_is_taken_without_hidden_files(catalogue: Catalogue, disk: Path) -> None:
    contents = gather(catalogue, Draft(folder=str(disk / "spindles")), ANONYMOUS)
    assert "data/a b#1.tif" in names(contents)
    assert "data/cells.zarr/.zattrs" in names(contents)
    assert not [name for name in names(contents) if "hidden" in name]


def test_empty_and_missing_folders_are_findings(catalogue: Catalogue, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in ("empty", "missing"):
        findings = gather(catalogue, Draft(folder=str(tmp_path / folder)), ANONYMOUS).findings
        assert [f.place for f in findings] == ["folder"]


def test_findings_are_bounded(gathered: Callable[..., Contents], disk: Path) -> None:
    for number in range(300):
        (disk / f"spindles/cells.zarr/link{number}").symlink_to("/etc")
    assert len(gathered(image("spindles/cells.zarr")).findings) == 100


def test_well_of_a_plate_brings_the_metadata_of_the_plate(
    gathered: Callable[..., Contents], disk: Path
) -> None:
    for name in ("zarr.json", "A/1/zarr.json", "A/1/0/zarr.json", "A/1/0/0/c", "B/1/0/zarr.json"):
        (disk / "plate.zarr" / name).parent.mkdir(parents=True, exist_ok=True)
        (disk / "plate.zarr" / name).write_text("{}")
    (disk / "plate.zarr/OME").mkdir()
    (disk / "plate.zarr/OME/METADATA.ome.xml").write_text("<OME/>")
    assert names(gathered(image("plate.zarr/A/1/0"))) == [
        f"data/disk/plate.zarr/{name}"
        for name in (
            *("A/1/0/0/c", "A/1/0/zarr.json", "A/1/zarr.json"),
            *("OME/METADATA.ome.xml", "zarr.json"),
        )
    ]
