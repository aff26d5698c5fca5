"""Walking folders and reading files that nobody vouches for."""

import gzip
import os
from pathlib import Path

import pytest

from harvester.formats.crawl import FoundFile, read_file, unzip, walk_tree
from parfocal.errors import SourceMalformed, SourceRefused
from parfocal.values import Problem


def names(found: list[FoundFile | Problem]) -> list[str]:
    return [one.name if isinstance(one, FoundFile) else f"! {one.item}" for one in found]


def walk(root: Path, **options: int) -> list[FoundFile | Problem]:
    return list(walk_tree(root, lambda name: name.endswith(".txt"), **options))


def test_walk_is_sorted_and_leaves_out_hidden_and_unwanted(tmp_path: Path) -> None:
    for name in ("b/2.txt", "b/1.txt", "a.txt", ".hidden/x.txt", "b/.x.txt", "c.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert names(walk(tmp_path)) == ["a.txt", "b/1.txt", "b/2.txt"]


def test_links_leave_the_tree_neither_as_file_nor_as_folder(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret.txt").write_text("s")
    (root / "file.txt").symlink_to(tmp_path / "secret.txt")
    (root / "folder").symlink_to(tmp_path)
    (root / "up.txt").symlink_to("../secret.txt")
    (root / "nowhere.txt").symlink_to("missing")
    assert names(walk(root)) == ["! file.txt", "! folder", "! nowhere.txt", "! up.txt"]


def test_links_round_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "a.txt").write_text("x")
    found = walk(tmp_path)
    assert names(found) == ["a.txt", "! loop"]


def test_depth_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "a/b/c").mkdir(parents=True)
    assert names(walk(tmp_path, depth=1)) == ["! a/b"]


def test_names_that_are_not_utf8_are_told(tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(bytes(tmp_path) + b"/\xff.txt")).write_text("x")
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    found = walk(tmp_path)
    assert isinstance(found[0], Problem)
    found[0].item.encode()


def test_reading_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * 11)
    file = FoundFile("a.txt", path, 11)
    assert read_file(file, 11) == b"x" * 11
    with pytest.raises(SourceMalformed):
        read_file(file, 10)


def test_a_file_swapped_for_a_link_or_pipe_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/hostname")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "gone"):
        with pytest.raises(SourceRefused) as caught:
            read_file(FoundFile(name, tmp_path / name, 1), 10)
        assert caught.value.where == name


@pytest.mark.parametrize("content", [b"", b"no gzip", gzip.compress(b"x" * 99)[:-4]])
def test_damaged_gzip(content: bytes) -> None:
    if content:
        with pytest.raises(SourceMalformed):
            unzip(content, "a.gz", 1000)
    else:
        assert unzip(content, "a.gz", 1000) == b""


def test_gzip_bomb_is_refused() -> None:
    with pytest.raises(SourceMalformed):
        unzip(gzip.compress(b"\x00" * 10_000_000), "a.gz", 1_000_000)
