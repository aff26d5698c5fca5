"""Commands: draft, check, run, status; exit codes; nothing written before checks pass."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from parfocal.catalogue import Catalogue
from parfocal.config import Settings
from parfocal.errors import CheckFailed, ConfigError, ParfocalError, PublishError, RecordNotFound
from publish.cli import publish
from publish.draft import read_draft

Run = Callable[..., Result]


@pytest.fixture
def settings(catalogue: Catalogue) -> Settings:
    return catalogue.settings


@pytest.fixture
def run(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str) -> Result:
        done = CliRunner().invoke(publish, arguments, obj=settings)
        if isinstance(done.exception, ParfocalError):
            raise done.exception
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
        return done

    return invoke


def test_draft_of_a_study_is_ready_when_the_catalogue_knows_enough(
    run: Run, tmp_path: Path
) -> None:
    run("draft", "disk:spindles", "-o", "d.toml")
    draft = read_draft(tmp_path / "d.toml")
    assert draft.title == "Spindles of dividing cells"
    assert draft.key.startswith("spindles-")
    assert [term.term for term in draft.organisms] == ["NCBITaxon:9606"]
    assert [term.term for term in draft.methods] == ["FBbi:00000251"]
    assert [term.term for term in draft.subjects] == ["CLO:0003684"]
    assert draft.creators[0].orcid == "0000-0002-1825-0097"
    assert draft.publications[0].doi == "10.1000/xyz"
    assert run("check", "d.toml").exit_code == 0
    assert "published" in run("run", "d.toml").output
    assert (tmp_path / "published" / draft.key / "ro-crate-metadata.json").is_file()
    assert draft.key in run("status").output
    assert "published" in run("status", "d.toml").output


def test_same_records_get_the_same_key(run: Run, tmp_path: Path) -> None:
    run("draft", "disk:spindles", "-o", "a.toml")
    run("draft", "disk:spindles", "-o", "b.toml")
    assert read_draft(tmp_path / "a.toml") == read_draft(tmp_path / "b.toml")


def test_check_finds_what_run_refuses(run: Run, tmp_path: Path) -> None:
    run("draft", "disk:spindles", "-o", "d.toml")
    run("run", "d.toml")
    draft = tmp_path / "d.toml"
    changed = draft.read_text().replace("Spindles of dividing cells", "A better title", 1)
    draft.write_text(changed)
    done = run("check", "d.toml")
    assert done.exit_code == 2
    words = "is published already, and the draft has changed since"
    assert words in done.output
    assert json.loads(run("check", "d.toml", "--json").output)["ok"] is False
    with pytest.raises(CheckFailed, match=words):
        run("run", "d.toml")


def test_status_and_run_tell_what_became_of_a_package(run: Run, tmp_path: Path) -> None:
    run("draft", "disk:spindles", "-o", "d.toml")
    run("run", "d.toml")
    package = next((tmp_path / "published").iterdir())
    (package / "README.md").write_text("another")
    assert " altered " in run("status").output
    with pytest.raises(PublishError, match=r"altered: README\.md"):
        run("run", "d.toml")
    shutil.rmtree(package)
    assert json.loads(run("status", "--json").output)[0]["state"] == "missing"
    assert "gone; it is built again" in run("run", "d.toml").output
    assert " published " in run("status").output


def test_draft_of_a_folder_says_what_is_missing(run: Run, disk: Path, tmp_path: Path) -> None:
    run("draft", str(disk / "spindles"), "-o", "d.toml")
    done = run("check", "d.toml")
    assert done.exit_code == 2
    assert "error: creators: nobody is named" in done.output
    with pytest.raises(CheckFailed):
        run("run", "d.toml")
    with pytest.raises(CheckFailed):
        run("run", "d.toml", "--dry-run")
    assert not (tmp_path / "published").exists()
    assert json.loads(run("status", "--json").output) == []


def test_json_everywhere(run: Run) -> None:
    made = json.loads(run("draft", "disk:spindles", "--json").output)
    assert made["draft"]["records"] == ["disk:spindles"]
    file = made["file"]
    checked = json.loads(run("check", file, "--json").output)
    assert checked["ok"] is True
    assert {finding["severity"] for finding in checked["findings"]} == {"warning"}
    plan = json.loads(run("run", file, "--dry-run", "--json").output)
    assert (plan["images"], plan["files"]) == (2, 4)
    published = json.loads(run("run", file, "--json").output)
    assert published["url"].startswith("file:///")
    status = json.loads(run("status", "--json").output)
    assert [one["step"] for one in status] == ["release"]
    assert json.loads(run("status", file, "--json").output) == status


def test_dry_run_writes_nothing(run: Run, tmp_path: Path) -> None:
    run("draft", "disk:spindles", "-o", "d.toml")
    before = sorted(tmp_path.rglob("*"))
    assert "spindles" in run("run", "d.toml", "--dry-run").output
    assert sorted(tmp_path.rglob("*")) == before


def test_draft_is_never_written_over_silently(run: Run) -> None:
    run("draft", "disk:spindles", "-o", "d.toml")
    with pytest.raises(ConfigError, match="there already"):
        run("draft", "disk:spindles", "-o", "d.toml")
    run("draft", "disk:spindles", "-o", "d.toml", "--force")
    with pytest.raises(ConfigError, match="cannot be written"):
        run("draft", "disk:spindles", "-o", "no/such/folder/d.toml")


def test_private_records_need_their_group(run: Run, tmp_path: Path) -> None:
    with pytest.raises(RecordNotFound):
        run("draft", "disk:spindles/secret.tif", "-o", "d.toml")
    run("draft", "disk:spindles/secret.tif", "-o", "d.toml", "--group", "lab")
    assert run("check", "d.toml").exit_code == 2
    assert "become public" in run("check", "d.toml", "--group", "lab").output


def test_published_key_cannot_be_used_for_something_else(run: Run, tmp_path: Path) -> None:
    run("draft", "disk:spindles", "-o", "d.toml")
    run("run", "d.toml")
    file = tmp_path / "d.toml"
    file.write_text(file.read_text().replace("Spindles of", "More spindles of"))
    with pytest.raises(CheckFailed, match="published already") as caught:
        run("run", "d.toml")
    assert "another key" in caught.value.hint


def test_key_begun_with_one_target_stays_there(run: Run) -> None:
    run("draft", "disk:spindles", "-o", "d.toml")
    run("run", "d.toml")
    with pytest.raises(ParfocalError, match=r"no repositories plug-in|begun with"):
        run("run", "d.toml", "--target", "nowhere")


def test_errors_of_the_disk_are_told(run: Run, tmp_path: Path, settings: Settings) -> None:
    run("draft", "disk:spindles", "-o", "d.toml")
    (tmp_path / "published").write_text("a file, no folder")
    with pytest.raises(ParfocalError, match="the disk refused") as caught:
        run("run", "d.toml")
    assert caught.value.hint
    assert settings.publish.folder.is_file()


def test_doi_end_to_end(
    catalogue: Catalogue,
    settings_of: Callable[..., Settings],
    doi_options: dict[str, Any],
    datacite: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = settings_of(**doi_options)
    for arguments in (["draft", "disk:spindles", "-o", "d.toml"], ["run", "d.toml", "--json"]):
        done = CliRunner().invoke(publish, arguments, obj=settings)
        assert done.exit_code == 0, done.exception
    doi = json.loads(done.output)["doi"]
    assert doi == f"10.5072/parfocal.{read_draft(tmp_path / 'd.toml').key}"
    assert datacite.dois[doi]["state"] == "findable"
    assert doi in CliRunner().invoke(publish, ["status"], obj=settings).output


def test_every_command_explains_itself() -> None:
    assert isinstance(publish, click.Group)
    assert set(publish.commands) == {"draft", "check", "run", "status"}
