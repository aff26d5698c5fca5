"""What a harvest would change is told as a diff, and nothing is written."""

import hashlib
import json
import shutil
from importlib import resources
from pathlib import Path

import pytest
from click.testing import CliRunner

from parfocal.catalogue import Catalogue
from parfocal.cli import root
from parfocal.config import Settings
from parfocal.harvesting import harvest
from parfocal.pipeline import Wanted
from parfocal.preview import FieldChange, catalogue_for_preview, preview

CRATES = Path(str(resources.files("parfocal") / "data" / "demo" / "crates"))
WORM = "1-Bao-WormEmbryo-ro-crate-metadata.json"


@pytest.fixture
def settings(tmp_path):
    shutil.copytree(CRATES, tmp_path / "crates")
    table = {"name": "crates", "kind": "rocrate", "path": str(tmp_path / "crates")}
    made = {"data_dir": tmp_path / "data", "sources": [table], "ontology": {"bundled": False}}
    return Settings.model_validate(made)


@pytest.fixture
def harvested(settings):
    with Catalogue.open(settings) as catalogue:
        list(harvest(catalogue))
    return settings


def change(settings):
    """The next day: one crate changed, one gone, one new."""
    folder = settings.data_dir.parent / "crates"
    text = (folder / WORM).read_text()
    (folder / "new-ro-crate-metadata.json").write_text(text.replace("1-Bao-WormEmbryo", "9-New"))
    (folder / WORM).write_text(text.replace("Cell lineages", "Lineages"))
    next(folder.glob("EMPIAR*")).unlink()


def digests(folder):
    """Every file that there is, with a digest of its content."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith("-shm")
    }


def told(settings, **wanted):
    with catalogue_for_preview(settings) as catalogue:
        return [
            (found.report, list(found.differences))
            for found in preview(catalogue, wanted=Wanted(**wanted))
        ]


def test_the_difference_is_what_the_harvest_then_does(harvested):
    change(harvested)
    ((report, differences),) = told(harvested)
    by_id = {one.id: one for one in differences}
    assert {one.id: one.kind for one in differences} == {
        "crates:1-Bao-WormEmbryo": "changed",
        "crates:9-New": "new",
        "crates:EMPIAR-10310": "tombstoned",
    }
    title = FieldChange(
        "title",
        "Cell lineages of the worm embryo, traced from live images",
        "Lineages of the worm embryo, traced from live images",
    )
    assert title in by_id["crates:1-Bao-WormEmbryo"].fields
    with Catalogue.open(harvested) as catalogue:
        (done,) = harvest(catalogue)
    assert done.counts == report.counts


def test_nothing_is_written(harvested):
    change(harvested)
    before = digests(harvested.data_dir)
    told(harvested)
    told(harvested, full=True)
    assert digests(harvested.data_dir) == before


def test_without_a_store_everything_is_new_and_none_is_made(settings):
    ((report, differences),) = told(settings)
    assert report.counts.new == len(differences) == 3
    assert not settings.data_dir.exists()


def test_unchanged_items_are_known(harvested):
    ((report, differences),) = told(harvested)
    assert (report.skipped, differences) == (3, [])


def test_other_options_are_tried_too(harvested):
    ((report, differences),) = told(harvested, limit=1)
    assert (report.state, report.items, differences) == ("limited", 1, [])
    ((report, differences),) = told(harvested, full=True)
    assert (report.skipped, report.counts.unchanged, differences) == (0, 3, [])


def test_a_source_that_shrank_is_told(harvested):
    for crate in (harvested.data_dir.parent / "crates").glob("[ES]*"):
        crate.unlink()
    ((report, differences),) = told(harvested)
    assert (report.refused, differences) == (2, [])
    ((report, differences),) = told(harvested, allow_shrink=True)
    assert {one.kind for one in differences} == {"tombstoned"}


# ------------------------------------------------------------------ on the command line


@pytest.fixture
def command(harvested):
    folder = harvested.data_dir.parent
    file = folder / "parfocal.toml"
    file.write_text(
        '[[sources]]\nname = "crates"\nkind = "rocrate"\npath = "crates"\n'
        "[ontology]\nbundled = false\n"
    )

    def run(*words):
        return CliRunner().invoke(root, ["--config", str(file), *words])

    return run


def test_the_command_prints_a_diff(command, harvested):
    change(harvested)
    done = command("harvest", "--dry-run")
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert "+ crates:9-New  Cell lineages of the worm embryo, traced from live images" in lines
    assert any(line.startswith("- crates:EMPIAR-10310") for line in lines)
    assert any(line.startswith("    title: ") and " -> " in line for line in lines)
    assert lines[-1] == "nothing was written"


def test_the_command_tells_the_problems_that_are_not_kept(command, harvested):
    bad = harvested.data_dir.parent / "crates" / "bad"
    bad.mkdir()
    (bad / "ro-crate-metadata.json").write_text("{ not")
    done = command("harvest", "--dry-run")
    assert done.exit_code == 3
    assert "error: bad" in done.output
    assert "parfocal sources show" not in done.output


def test_the_command_prints_json(command, harvested):
    change(harvested)
    (answer,) = json.loads(command("harvest", "--dry-run", "--json").output)
    assert answer["report"]["counts"] == {"new": 1, "changed": 1, "unchanged": 1, "tombstoned": 1}
    assert {one["kind"] for one in answer["changes"]} == {"new", "changed", "tombstoned"}
    assert answer["left_out"] == 0


def test_since_is_refused_before_anything_is_read(command):
    done = command("harvest", "--since", "2026-01-02")
    assert done.exit_code != 0
    assert "cannot tell what changed since a day" in str(done.exception)


def test_a_limited_harvest_says_so(command):
    done = command("harvest", "--limit", "2")
    assert done.exit_code == 0
    assert "stopped after 2 items" in done.output


@pytest.mark.parametrize("how", ["renormalise", "reannotate"])
def test_rebuilding_is_told_and_shown(command, how):
    done = command(how, "crates")
    assert done.exit_code == 0
    assert f"crates ({how}): 0 new, 0 changed, 3 unchanged" in done.output
    (report,) = json.loads(command(how, "--json").output)
    assert (report["scope"], report["state"]) == (how, "complete")
    shown = command("sources", "show", "crates").output
    assert how in shown
    assert "duration" in shown
