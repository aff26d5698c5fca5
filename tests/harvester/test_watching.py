"""Watching folders: a change is harvested soon; what cannot be watched is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from harvester.cli import harvest
from harvester.lab import watch as lab_watch
from harvester.lab.watch import changes, concerns
from harvester.watching import Watch
from parfocal.catalogue import Catalogue
from parfocal.config import Settings
from parfocal.errors import ConfigError, SourceUnavailable
from parfocal.followers import silent
from tests.fakes.lab_disk import tiff, write


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab_watch, "QUIET_MS", 50)


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    write(tmp_path / "disk" / "s" / "a.tif", tiff())
    source = {"name": "lab", "kind": "local", "path": str(tmp_path / "disk")}
    settings = Settings.model_validate({"data_dir": tmp_path / "data", "sources": [source]})
    with Catalogue.open(settings) as opened:
        yield opened


def test_a_new_file_is_harvested(catalogue: Catalogue, tmp_path: Path) -> None:
    watch = Watch(catalogue)
    try:
        time.sleep(0.7)  # the system needs a moment before it tells of changes
        write(tmp_path / "disk" / "s" / "b.tif", tiff(16))
        report = next(watch.reports(silent))
    finally:
        watch.close()
    assert (report.source, report.state, report.counts.new) == ("lab", "complete", 3)


def test_a_folder_that_is_not_there_is_told(catalogue: Catalogue, tmp_path: Path) -> None:
    (tmp_path / "disk").rename(tmp_path / "gone")
    watch = Watch(catalogue)
    try:
        with pytest.raises(SourceUnavailable, match="no such folder"):
            next(watch.reports(silent))
    finally:
        watch.close()


def test_a_watch_ends_when_it_is_told_to(tmp_path: Path) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=lambda: list(changes(tmp_path, stop)))
    thread.start()
    stop.set()
    thread.join(timeout=10)
    assert not thread.is_alive()


def test_sources_that_cannot_be_watched_are_refused(tmp_path: Path) -> None:
    source = {"name": "crates", "kind": "rocrate", "path": str(tmp_path)}
    settings = Settings.model_validate({"data_dir": tmp_path / "data", "sources": [source]})
    with Catalogue.open(settings) as opened, pytest.raises(ConfigError, match="can be watched"):
        Watch(opened)


@pytest.mark.parametrize("other", ["--dry-run", "--limit=3"])
def test_watch_goes_with_no_trial(tmp_path: Path, other: str) -> None:
    source = {"name": "lab", "kind": "local", "path": str(tmp_path)}
    settings = Settings.model_validate({"data_dir": tmp_path / "data", "sources": [source]})
    done = CliRunner().invoke(harvest, ["--watch", other], obj=settings)
    assert done.exit_code == 2
    assert "--watch goes neither" in done.output


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("a/b.ome.tif", True), ("P.HTD", True), ("parfocal.csv", True), ("i.zarr/.zattrs", True),
        ("i.zarr", True), ("folder", True), (".git/x.tif", False), ("a/parfocal.sqlite", False),
    ],
)  # fmt: skip
def test_what_counts_as_a_change(path: str, counts: bool) -> None:
    assert concerns(path) is counts
