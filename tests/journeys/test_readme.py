"""What README says to try in the demo works as written there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from parfocal import demo

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(sys.executable).parent


def lines_to_try() -> list[str]:
    """The commands of the list of things to try, each as one line."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    part = text.partition("things to try")[2].partition("\n## ")[0]
    blocks = re.findall(r"^ *```console\n(.*?)^ *```", part, re.MULTILINE | re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ parfocal")]


def in_shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.slow
def test_things_to_try_work_as_written(tmp_path: Path) -> None:
    demo.prepare(tmp_path, 8000)
    assert in_shell("parfocal harvest", tmp_path).returncode in (0, 3)
    lines = lines_to_try()
    assert len(lines) >= 8
    printed = {}
    for line in lines:
        done = in_shell(line, tmp_path)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        assert done.stdout.strip(), line
        printed[line] = done.stdout
    anybody, member = (text for line, text in printed.items() if "--count" in line)
    assert int(anybody) == 0 < int(member)
    assert len(list((tmp_path / "published").glob("*/ro-crate-metadata.json"))) == 1
