"""Zip and tar archives as trees: what is read, what is refused, and within which bounds."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import stat
import tarfile
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harvester.formats import archive_members, archives
from harvester.formats.archives import open_archive
from harvester.formats.tiff import FileContent
from harvester.sources.local import LocalFiles
from parfocal.errors import SourceError
from parfocal.model import Dataset, Image, KeyValue
from parfocal.testing.sources import SourceContract, Visit, fetch_all, raw_items
from parfocal.values import Problem, Unchanged
from tests.fakes.lab_disk import harvest, local, tiff, write_tar, write_zip

MEMBERS = {
    "b.tif": tiff(16),
    "deep/er/c.tif": tiff(32),
    "deep/er/parfocal.csv": b"file,Compound\nc.tif,nocodazole\n",
    "z.ome.zarr/.zattrs": b'{"multiscales": [{"axes": ["y", "x"], "datasets": [{"path": "0"}]}]}',
    "z.ome.zarr/0/.zarray": b'{"shape": [4, 8], "dtype": "|u1"}',
    "notes.txt": b"nothing",
}
KINDS = ["run.zip", "run.tar", "run.tar.gz", "run.tgz", "run.tar.bz2", "run.tar.xz"]


def write(path: Path, members: dict[str, bytes]) -> None:
    if path.suffix == ".zip":
        write_zip(path, members)
    else:
        modes = {".tar": "w", ".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}
        write_tar(path, members, modes[path.suffix])


class TestArchivesAsSource(SourceContract):
    @pytest.fixture
    def source(self, tmp_path: Path) -> LocalFiles:
        for number, kind in enumerate(KINDS):
            write(tmp_path / f"study{number}" / kind, MEMBERS)
        (tmp_path / "study0" / "beside.tif").write_bytes(tiff())
        return local(tmp_path)

    @pytest.fixture
    def name(self) -> str:
        return "lab"

    @pytest.fixture
    def broken(self, tmp_path: Path) -> LocalFiles:
        write_zip(tmp_path / "good" / "run.zip", MEMBERS)
        (tmp_path / "good" / "bad.zip").write_bytes(b"PK\x03\x04 and no more")
        return local(tmp_path)


@pytest.mark.parametrize("kind", ["run.zip", "run.tar"])
@pytest.mark.parametrize("depth", [1, 2, 3, 4, 9])
def test_what_lies_deep_with_nothing_above_it_is_found(
    tmp_path: Path, kind: str, depth: int
) -> None:
    folder = "/".join("abcdefghi"[:depth])
    write(tmp_path / kind, {f"{folder}/one.tif": tiff(16), f"{folder}/more/two.tif": tiff(32)})
    records, problems = harvest(tmp_path)
    images = {name for name, one in records.items() if isinstance(one, Image)}
    assert images == {f"lab:{kind}!/{folder}/one.tif", f"lab:{kind}!/{folder}/more/two.tif"}
    assert not problems


@pytest.mark.parametrize("kind", KINDS)
def test_members_are_records(tmp_path: Path, kind: str) -> None:
    write(tmp_path / "study" / kind, MEMBERS)
    records, problems = harvest(tmp_path)
    assert problems == []
    at = f"lab:study/{kind}!"
    assert set(records) == {
        "lab:study", at, f"{at}/b.tif", f"{at}/deep/er", f"{at}/deep/er/c.tif", f"{at}/z.ome.zarr"
    }  # fmt: skip
    held, deep = records[at], records[f"{at}/deep/er/c.tif"]
    assert isinstance(held, Dataset)
    assert (held.title, held.part_of) == (kind, "lab:study")
    assert isinstance(deep, Image)
    assert (deep.size_x, deep.title, deep.part_of) == (32, "c.tif", f"{at}/deep/er")
    assert deep.key_values == (KeyValue("Compound", "nocodazole"),)
    zarr = records[f"{at}/z.ome.zarr"]
    assert isinstance(zarr, Image)
    assert (zarr.size_x, zarr.format) == (8, "OME-Zarr")


def test_an_archive_at_the_top_is_a_study(tmp_path: Path) -> None:
    write(tmp_path / "run.zip", MEMBERS)
    records, _ = harvest(tmp_path)
    study = records["lab:run.zip!"]
    assert (study.ome_type, study.title, study.part_of) == ("Study", "run.zip", None)


def test_an_archive_that_is_one_ome_zarr(tmp_path: Path) -> None:
    inner = {k.partition("/")[2]: v for k, v in MEMBERS.items() if k.startswith("z.ome.zarr/")}
    write_zip(tmp_path / "study" / "image.ome.zarr.zip", inner, zipfile.ZIP_STORED)
    records, problems = harvest(tmp_path)
    assert problems == []
    image = records["lab:study/image.ome.zarr.zip!"]
    assert isinstance(image, Image)
    assert (image.size_x, image.part_of) == (8, "lab:study")


@pytest.mark.parametrize("kind", ["run.zip", "run.tar.gz"])
def test_an_archive_that_is_as_it_was_is_not_opened(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "study" / kind, MEMBERS)
    source = local(tmp_path)
    stamps = {item.key: item.stamp for item in raw_items(fetch_all(source))}
    monkeypatch.setattr(archives, "open_zip", None)
    monkeypatch.setattr(archives, "open_tar", None)
    again = fetch_all(source, walk=Visit(stamps=stamps))
    assert Unchanged(f"study/{kind}!", below=True) in again
    assert raw_items(again) == []


def test_a_changed_archive_and_a_changed_sidecar_are_read_again(tmp_path: Path) -> None:
    write(tmp_path / "study" / "run.zip", MEMBERS)
    source = local(tmp_path)
    stamps = {item.key: item.stamp for item in raw_items(fetch_all(source))}
    (tmp_path / "study" / "parfocal.csv").write_text("file,Gene\nb.tif,CDK1\n")
    again = raw_items(fetch_all(source, walk=Visit(stamps=stamps)))
    assert "study/run.zip!/b.tif" in {item.key for item in again}


# ------------------------------------------------------------------ hostile archives


def reasons(path: Path) -> dict[str, str]:
    records, problems = harvest(path)
    assert not any("secret" in identifier for identifier in records)
    return {problem.item: problem.reason for problem in problems}


@pytest.mark.parametrize("kind", ["run.zip", "run.tar", "run.tar.gz"])
@pytest.mark.parametrize(
    "name", ["../secret.tif", "/etc/secret.tif", "a/../../secret.tif", "a\\..\\secret.tif",
             "C:/secret.tif", "a//secret.tif"],
)  # fmt: skip
def test_paths_that_lead_out_are_refused(tmp_path: Path, kind: str, name: str) -> None:
    write(tmp_path / "study" / kind, {name: tiff(), "good.tif": tiff()})
    found = reasons(tmp_path)
    if kind == "run.zip" and "\\" in name:
        return  # the reader makes it a slash, and it is refused as ../ is
    assert ["out of the archive" in reason for reason in found.values()] == [True]


def test_links_and_devices_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "study" / "run.tar"
    path.parent.mkdir()
    with tarfile.open(path, "w") as file:
        for kind, name in (
            (tarfile.SYMTYPE, "soft.tif"), (tarfile.LNKTYPE, "hard.tif"),
            (tarfile.CHRTYPE, "device.tif"), (tarfile.FIFOTYPE, "pipe.tif"),
        ):  # fmt: skip
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            file.addfile(info)
    with zipfile.ZipFile(tmp_path / "study" / "run.zip", "w") as zipped:
        link = zipfile.ZipInfo("soft.tif")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        zipped.writestr(link, "/etc/passwd")
    found = reasons(tmp_path)
    assert len(found) == 5
    assert {reason.split()[-1] for reason in found.values()} == {"link", "file"}


def test_encrypted_members_and_archives_within_are_told(tmp_path: Path) -> None:
    path = tmp_path / "study" / "run.zip"
    inner = tmp_path / "inner.zip"
    write_zip(inner, {"a.tif": tiff()})
    write_zip(path, {"locked.tif": tiff(), "inner.zip": inner.read_bytes(), "b.tif": tiff()})
    inner.unlink()
    content = bytearray(path.read_bytes())
    content[6] |= 1
    place = content.find(b"PK\x01\x02")
    content[place + 8] |= 1
    path.write_bytes(content)
    found = reasons(tmp_path)
    assert found["study/run.zip!/locked.tif"] == "it is encrypted"
    assert "archive within an archive" in found["study/run.zip!/inner.zip"]
    assert "lab:study/run.zip!/b.tif" in harvest(tmp_path)[0]


def test_what_unpacks_to_far_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_members, "FREE_BYTES", 1_000_000)
    bomb = bytes(20_000_000)
    write_tar(tmp_path / "a" / "bomb.tar.gz", {"bomb.tif": bomb}, "w:gz")
    write_tar(tmp_path / "b" / "bomb.tar.xz", {"bomb.tif": bomb}, "w:xz")
    write_zip(tmp_path / "c" / "bomb.zip", {"bomb.tif": bomb})
    found = reasons(tmp_path)
    assert "times its size" in found["a/bomb.tar.gz!"]
    assert "times its size" in found["b/bomb.tar.xz!"]
    records, problems = harvest(tmp_path)
    assert "lab:c/bomb.zip!/bomb.tif" in records
    assert any("times its size" in p.reason for p in problems if p.item == "c/bomb.zip!/bomb.tif")


def test_a_large_compressed_member_is_known_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MAX_WHOLE", 1000)
    write_zip(tmp_path / "study" / "run.zip", {"large.tif": tiff(1000), "small.tif": tiff()})
    records, problems = harvest(tmp_path)
    large, small = (records[f"lab:study/run.zip!/{n}.tif"] for n in ("large", "small"))
    assert isinstance(large, Image)
    assert isinstance(small, Image)
    assert (large.size_x, small.size_x) == (None, 8)
    assert [problem.severity for problem in problems] == ["warning"]


def test_a_header_that_claims_gigabytes_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 8 * 1024**3 - 1
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "run.tar").write_bytes(info.tobuf() + bytes(10_240))
    assert list(reasons(tmp_path)) == ["study/run.tar!"]


@pytest.mark.parametrize("kind", ["run.tar", "run.tar.gz"])
def test_a_truncated_tar_keeps_its_first_members(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "study" / kind
    write(path, {"a.tif": tiff(), "b.tif": tiff(300) + os.urandom(30_000), "c.tif": tiff()})
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    records, problems = harvest(tmp_path)
    assert "lab:study/" + kind + "!/a.tif" in records
    assert any("cut off" in problem.reason for problem in problems)


def test_two_members_of_one_path_are_told(tmp_path: Path) -> None:
    path = tmp_path / "study" / "run.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a.tif", tiff(16))
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr("a.tif", tiff(32))
    records, problems = harvest(tmp_path)
    image = records["lab:study/run.zip!/a.tif"]
    assert isinstance(image, Image)
    assert image.size_x == 16
    assert ["same path" in problem.reason for problem in problems] == [True]


def test_more_members_than_are_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_members, "MAX_MEMBERS", 10)
    write_zip(tmp_path / "study" / "run.zip", {f"{n}.txt": b"" for n in range(11)})
    assert "more than 10 members" in reasons(tmp_path)["study/run.zip!"]


def test_an_archive_without_images_is_left_alone(tmp_path: Path) -> None:
    write_zip(tmp_path / "study" / "papers.zip", {"a.pdf": b"%PDF"})
    assert harvest(tmp_path) == ({}, [])


def test_a_folder_whose_name_ends_as_archives_paths_do(tmp_path: Path) -> None:
    (tmp_path / "odd!").mkdir()
    (tmp_path / "odd!" / "a.tif").write_bytes(tiff())
    records, problems = harvest(tmp_path)
    assert problems == []
    assert "lab:odd!/a.tif" in records


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    kind=st.sampled_from(["x.zip", "x.tar", "x.tar.gz", "x.tar.bz2", "x.tar.xz"]),
    packed=st.booleans(),
    start=st.integers(0, 2000),
    noise=st.binary(min_size=1, max_size=40),
)
def test_any_damage_is_a_problem_or_does_no_harm(
    tmp_path: Path, kind: str, packed: bool, start: int, noise: bytes
) -> None:
    path = tmp_path / kind
    write(path, MEMBERS)
    content = bytearray(path.read_bytes())
    content[start : start + len(noise)] = noise
    if not packed:
        packers = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
        pack = packers.get(kind.rpartition(".")[2])
        content = bytearray(pack(noise * 50)) if pack else bytearray(noise)
    path.write_bytes(content)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with (
            suppress(SourceError),
            open_archive(kind, _Opened(FileContent(descriptor, len(content)))) as tree,
        ):
            listing = tree.listing(f"{kind}!")
            assert not isinstance(listing, Problem)
            for file in listing.files:
                with tree.opened(file) as member:
                    member.at(0, 100)
    finally:
        os.close(descriptor)


class _Opened:
    """A content that is open already."""

    def __init__(self, content: FileContent) -> None:
        self._content = content

    def __enter__(self) -> FileContent:
        return self._content

    def __exit__(self, *error: object) -> None:
        return
