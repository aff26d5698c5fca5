"""From draft to package: content, privacy, resuming, DOIs."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from parfocal.catalogue import Catalogue
from parfocal.config import Settings
from parfocal.errors import CheckFailed, PublishError, StoreLocked
from parfocal.lock import only_writer
from parfocal.model import ANONYMOUS, Viewer
from publish.draft import Draft
from publish.repositories.folder import Folder
from publish.workflow import journal_of, publish, state_of


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_package_holds_files_metadata_and_checksums(
    catalogue: Catalogue, draft: Draft, tmp_path: Path
) -> None:
    found = publish(catalogue, draft, ANONYMOUS)
    package = tmp_path / "published" / "spindles-1234"
    assert found.url == package.resolve().as_uri()
    content = tree(package)
    assert set(content) == {
        "README.md",
        "data/disk/spindles/a b#1.tif",
        "data/disk/spindles/cells.zarr/.zattrs",
        "data/disk/spindles/cells.zarr/0/.zarray",
        "data/disk/spindles/cells.zarr/0/0/0",
        "datacite.json",
        "datacite.xml",
        "manifest-sha256.txt",
        "metadata/images.csv",
        "metadata/records.jsonl",
        "ro-crate-metadata.json",
    }
    manifest = dict(
        reversed(line.split("  ", 1))
        for line in content["manifest-sha256.txt"].decode().splitlines()
    )
    del content["manifest-sha256.txt"]
    assert manifest == {n: hashlib.sha256(c).hexdigest() for n, c in content.items()}
    assert sorted(p.name for p in (tmp_path / "published").iterdir()) == ["spindles-1234"]


def test_private_records_and_files_stay_out(
    catalogue: Catalogue, draft: Draft, tmp_path: Path
) -> None:
    publish(catalogue, draft, ANONYMOUS)
    for name, content in tree(tmp_path / "published").items():
        assert "secret" not in name
        assert b"secret" not in content
    table = (tmp_path / "published/spindles-1234/metadata/images.csv").read_text()
    rows = list(csv.DictReader(table.splitlines()))
    assert [row["id"] for row in rows] == ["disk:spindles/a b#1.tif", "disk:spindles/cells.zarr"]
    assert rows[0]["key_values"] == "Gene Symbol==CDK1"


def test_members_of_the_group_can_publish_its_records(
    catalogue: Catalogue, draft: Draft, tmp_path: Path
) -> None:
    publish(catalogue, draft, Viewer(frozenset({"lab"})))
    assert (tmp_path / "published/spindles-1234/data/disk/spindles/secret.tif").is_file()
    lines = (tmp_path / "published/spindles-1234/metadata/records.jsonl").read_text().splitlines()
    assert len(lines) == 4
    assert all(json.loads(line)["@context"] for line in lines)


def test_second_run_changes_nothing(catalogue: Catalogue, draft: Draft, tmp_path: Path) -> None:
    first = publish(catalogue, draft, ANONYMOUS)
    before = tree(tmp_path / "published")
    assert publish(catalogue, draft, ANONYMOUS) == first
    assert tree(tmp_path / "published") == before
    journal = journal_of(catalogue, draft.key)
    assert journal is not None
    assert journal.is_done
    assert journal.step == "release"


def test_a_package_that_is_gone_is_built_again(
    catalogue: Catalogue, draft: Draft, tmp_path: Path
) -> None:
    first = publish(catalogue, draft, ANONYMOUS)
    before = tree(tmp_path / "published")
    shutil.rmtree(tmp_path / "published" / draft.key)
    assert state(catalogue, draft) == "missing"
    told: list[str] = []
    again = publish(catalogue, draft, ANONYMOUS, tell=lambda step, message: told.append(message))
    assert again == first
    assert told[0] == "the published package is gone; it is built again"
    assert tree(tmp_path / "published") == before
    assert state(catalogue, draft) == "published"


def test_a_package_that_is_gone_keeps_its_doi(
    catalogue: Catalogue,
    settings_of: Callable[..., Settings],
    draft: Draft,
    doi_options: dict[str, Any],
    tmp_path: Path,
) -> None:
    catalogue.close()
    with Catalogue.open(settings_of(**doi_options)) as catalogue:
        first = publish(catalogue, draft, ANONYMOUS)
        shutil.rmtree(tmp_path / "published" / draft.key)
        changed = msgspec.structs.replace(draft, title="A better title")
        with pytest.raises(CheckFailed, match="published already"):
            publish(catalogue, changed, ANONYMOUS)
        assert publish(catalogue, draft, ANONYMOUS) == first
        assert first.doi
        assert (tmp_path / "published" / draft.key / "datacite.json").is_file()


@pytest.mark.parametrize(
    "name", ["README.md", "manifest-sha256.txt", "data/disk/spindles/a b#1.tif"]
)
@pytest.mark.parametrize("kind", ["changed", "removed", "link"])
def test_an_altered_package_is_told_and_left_alone(
    catalogue: Catalogue, draft: Draft, tmp_path: Path, name: str, kind: str
) -> None:
    publish(catalogue, draft, ANONYMOUS)
    file = tmp_path / "published" / draft.key / name
    content = file.read_bytes()
    file.unlink()
    if kind == "changed":
        file.write_bytes(content + b" ")
    elif kind == "link":
        file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PublishError, match="was altered") as caught:
        publish(catalogue, draft, ANONYMOUS)
    assert caught.value.message.endswith(f": {name}")
    assert "backup" in caught.value.hint
    assert state(catalogue, draft) == "altered"


def state(catalogue: Catalogue, draft: Draft) -> str:
    journal = journal_of(catalogue, draft.key)
    assert journal is not None
    return state_of(catalogue, journal)


def test_one_run_of_a_key_at_a_time(catalogue: Catalogue, draft: Draft, tmp_path: Path) -> None:
    with (
        only_writer(catalogue.settings.data_dir / "publish" / draft.key),
        pytest.raises(StoreLocked),
    ):
        publish(catalogue, draft, ANONYMOUS)
    assert not (tmp_path / "published").exists()


def test_interrupted_draft_may_change_and_keeps_its_place(
    catalogue: Catalogue, draft: Draft, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: object, key: str, package: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Folder, "_upload", full)
        with pytest.raises(PublishError, match="No space left"):
            publish(catalogue, draft, ANONYMOUS)
    journal = journal_of(catalogue, draft.key)
    assert journal is not None
    assert journal.step == "package"
    changed = msgspec.structs.replace(draft, title="A better title")
    publish(catalogue, changed, ANONYMOUS)
    readme = (tmp_path / "published" / draft.key / "README.md").read_text()
    assert readme.startswith("# A better title")
