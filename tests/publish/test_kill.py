"""kill -9 at every point of a run, then one finished run: same DOI, one package, whole."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from parfocal.catalogue import Catalogue
from parfocal.config import Settings
from publish.draft import Draft

SCRIPT = Path(__file__).with_name("killed.py")


def is_whole(package: Path) -> bool:
    lines = (package / "manifest-sha256.txt").read_text().splitlines()
    named = dict(reversed(line.split("  ", 1)) for line in lines)
    found = {
        path.relative_to(package).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in package.rglob("*")
        if path.is_file() and path.name != "manifest-sha256.txt"
    }
    return found == named and len(found) == 10


@pytest.mark.slow
def test_killed_at_any_point_a_run_goes_on(
    catalogue: Catalogue,
    draft: Draft,
    doi_options: dict[str, Any],
    datacite: Any,
    tmp_path: Path,
) -> None:
    catalogue.close()
    done = subprocess.run(
        [
            sys.executable,
            str(SCRIPT),
            str(tmp_path),
            msgspec.json.encode(draft).decode(),
            json.dumps(doi_options),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    runs = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(runs) > 50
    assert [run["killed"] for run in runs] == [True] * (len(runs) - 1) + [False]
    for run in runs:
        published = Path(run["folder"]) / "published"
        assert [path.name for path in published.iterdir()] == [run["key"]]
        assert is_whole(published / run["key"]), run
        used = Settings(data_dir=Path(run["folder"]) / "data")
        with Catalogue.open(used) as reopened:
            journal = reopened.store.journal(f"publish/{run['key']}")
        assert journal is not None
        assert journal["publication"]["doi"] == f"10.5072/parfocal.{run['key']}"
    states = {doi: found["state"] for doi, found in datacite.dois.items()}
    assert states == {f"10.5072/parfocal.{run['key']}": "findable" for run in runs}
