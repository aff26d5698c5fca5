"""The page on what each source fills says what the contracts of the sources see."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_page_on_coverage_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "bench/coverage.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
