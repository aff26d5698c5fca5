"""Which source fills which field: runs the contract of every source and writes the table.

``python bench/coverage.py`` writes ``docs/coverage.md``; with ``--check`` it compares, and fails
when the page says something else.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import entry_points
from pathlib import Path

import msgspec
import pytest

from parfocal.fields import FIELDS
from parfocal.model import Dataset, Image
from parfocal.testing.coverage import SEARCHED

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "coverage.md"
TEST = "test_fields_are_filled"
LETTERS = {"study": "S", "container": "C", "image": "I"}
LEFT_OUT = {"id", "provenance", "ome_type", "twins"}
PLACES = {"source", "study", "container", "cluster", "type"}
WORDS = """# What each source fills

Made by `python bench/coverage.py` from what the contract tests of the sources harvest, so this page
says what was seen, not what was meant: **S** in studies, **C** in data sets, screens and plates,
**I** in images and wells. An empty cell means that no sample of that archive has it. Every source
gives identifiers and says where a record comes from; what has no field is kept as key-values,
under the archive's own words.
"""
SEARCHABLE = """By a key that belongs to the field, a term that the archive gives, or a field of the
record; what annotators add comes on top."""

Filled = dict[str, dict[str, set[str]]]


class Collector:
    """Gathers what the contract of each source says that it fills."""

    def __init__(self) -> None:
        self.kinds = {point.value: point.name for point in entry_points(group="parfocal.sources")}
        self.filled: Filled = {name: {} for name in self.kinds.values()}
        self.failed: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)
        told = dict(report.user_properties)
        kind = self.kinds.get(str(told.get("source")))
        if report.when != "call" or kind is None:
            return
        for name, levels in dict(told["fields"]).items():
            self.filled[kind].setdefault(name, set()).update(levels)


def collect() -> Collector:
    """Run the contract's one test in every class that is a source's contract."""
    collector = Collector()
    files = sorted((ROOT / "tests" / "harvester").glob("test_*.py"))
    holding = [str(file) for file in files if "Contract" in file.read_text(encoding="utf-8")]
    os.environ["PARFOCAL_CORPUS"] = "/nowhere"  # what the page says must not depend on it
    options = ["-q", "-k", TEST, "-p", "no:cacheprovider", "--continue-on-collection-errors"]
    pytest.main([*holding, *options, "-o", "addopts=--import-mode=importlib"], [collector])
    return collector


def table(title: str, names: list[str], filled: Filled, prefix: str = "") -> str:
    """Return a table of fields by source."""
    kinds = sorted(filled)
    lines = [f"| {title} | " + " | ".join(f"`{kind}`" for kind in kinds) + " |"]
    lines.append("|---|" + "---|" * len(kinds))
    for name in names:
        cells = (filled[kind].get(prefix + name, set()) for kind in kinds)
        written = ("".join(LETTERS[level] for level in LETTERS if level in cell) for cell in cells)
        lines.append(f"| `{name}` | " + " | ".join(written) + " |")
    return "\n".join(lines)


def page(filled: Filled) -> str:
    """Return the whole page."""
    images = [field.name for field in msgspec.structs.fields(Image)]
    studies = [field.name for field in msgspec.structs.fields(Dataset)]
    every = [*(name for name in images if name in studies), *studies, *images]
    of_model = [name for name in dict.fromkeys(every) if name not in LEFT_OUT]
    searched = [field.name for field in FIELDS if field.name not in PLACES]
    parts = (
        WORDS,
        "## Fields of a record\n",
        table("field", of_model, filled) + "\n",
        "## Searchable fields\n",
        SEARCHABLE + "\n",
        table("field", searched, filled, SEARCHED) + "\n",
    )
    return "\n".join(parts)


def main() -> int:
    """Write or check the page."""
    collector = collect()
    missing = sorted(kind for kind, fields in collector.filled.items() if not fields)
    for problem in (*collector.failed, *(f"no contract: {kind}" for kind in missing)):
        print(problem)
    written = page(collector.filled)
    if "--check" not in sys.argv:
        PAGE.write_text(written, encoding="utf-8")
        return int(bool(collector.failed or missing))
    same = PAGE.read_text(encoding="utf-8") == written
    if not same:
        print("docs/coverage.md is out of date; run: python bench/coverage.py")
    return int(bool(not same or collector.failed or missing))


if __name__ == "__main__":
    sys.exit(main())
