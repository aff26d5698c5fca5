"""The term store at the size of the whole NCBI taxonomy: loading, memory, closures.

    python bench/terms.py [--terms 2600000] [--keep FOLDER] [--check]

Makes up an OBO file of so many taxa in a tree some thirty levels deep, with synonyms, always the
same one; loads it and measures in processes of their own. Beside it, in the same run, stands what
is bare: reading the file line by line, and as many names out of an SQLite table in order.
``--check`` ends with exit code 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

DEEPEST = 30
SUBTREE = 100_000
GOALS = {
    "load_s": 240.0,
    "open_ms": 200.0,
    "memory_mb": 200.0,
    "ancestors_ms": 1.0,
    "descendants_ms": 100.0,
}


def parents(terms: int) -> Iterator[tuple[int, int]]:
    """Yield (term, parent): a tree thirty deep, with one subtree of just 100,000 terms.

    The subtree's root is term 2; the last ``SUBTREE - 1`` terms lie below it.
    """
    chance = random.Random(20261121)
    depth = bytearray(terms + 1)
    depth[2] = 1
    yield 2, 1
    first = terms - min(SUBTREE, terms // 2) + 2
    for term in range(3, terms + 1):
        low, high = (3, term - 1) if term < first else (first, term - 1)
        parent = 2 if low == first else 1
        if low <= high:
            # Near the newest terms, as in a taxonomy, where most are species or below.
            reach = max(1, (high - low) // 3)
            found = high - int(reach * chance.random() ** 2)
            if depth[found] < DEEPEST - 1:
                parent = found
        depth[term] = depth[parent] + 1
        yield term, parent


def write(path: Path, terms: int) -> int:
    """Write the file; return the depth of the tree."""
    depth = bytearray(terms + 1)
    with path.open("w", encoding="utf-8") as file:
        file.write("format-version: 1.2\ndata-version: 2026-11-21\nontology: ncbitaxon\n\n")
        file.write("[Term]\nid: NCBITaxon:1\nname: root\nnamespace: ncbi_taxonomy\n\n")
        for term, parent in parents(terms):
            depth[term] = depth[parent] + 1
            file.write(
                f"[Term]\nid: NCBITaxon:{term}\nname: Taxonia species{term:07d}\n"
                f'namespace: ncbi_taxonomy\nsynonym: "common taxon {term}" EXACT common []\n'
                f"xref: GC_ID:1\nis_a: NCBITaxon:{parent} ! Taxonia species{parent:07d}\n"
                "property_value: has_rank NCBITaxon:species\n\n"
            )
    return max(depth)


def in_child(job: str, folder: Path) -> dict[str, float]:
    """Run a job of this file in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--job", job, "--keep", str(folder)],
        check=True,
        stdout=subprocess.PIPE,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def load_all(folder: Path) -> dict[str, float]:
    """Load the file."""
    from ontology.load import read
    from ontology.terms import SqliteTermStore

    store = SqliteTermStore(folder / "terms.sqlite")
    start, cpu = time.perf_counter(), time.process_time()
    summary = store.load(read(folder / "taxa.obo"))
    took, used = time.perf_counter() - start, time.process_time() - cpu
    store.close()
    return {
        "load_s": took,
        "load_cpu_s": used,
        "terms": summary.terms,
        "load_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def ask(folder: Path) -> dict[str, float]:
    """Open the store and ask it."""
    from ontology.terms import SqliteTermStore
    from parfocal.identifiers import Curie

    start = time.perf_counter()
    store = SqliteTermStore(folder / "terms.sqlite")
    store.find("common taxon 77")
    opened = time.perf_counter() - start
    terms = store.ontologies()[0].terms
    asked = iter(random.Random(1).sample(range(3, terms), 3000))
    one = Curie("NCBITaxon:2")
    found = {
        "open_ms": opened * 1000,
        "ancestors_ms": each(lambda: store.ancestors(Curie(f"NCBITaxon:{next(asked)}")), 2000),
        "find_ms": each(lambda: store.find(f"common taxon {next(asked)}"), 900),
    }
    below: list[float] = []
    for _ in range(7):
        store._forget()
        start = time.perf_counter()
        size = len(store.descendants(one))
        below.append((time.perf_counter() - start) * 1000)
    found["descendants_ms"] = statistics.median(below)
    found["descendants"] = size
    found["memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    store.close()
    return found


def bare(folder: Path) -> dict[str, float]:
    """Do what is least: read the lines; take 100,000 names in order out of a table."""
    start = time.perf_counter()
    with (folder / "taxa.obo").open("rb") as file:
        lines = sum(1 for line in file if line.decode())
    read = time.perf_counter() - start
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE name(id INTEGER PRIMARY KEY, curie TEXT)")
    connection.executemany(
        "INSERT INTO name VALUES(?,?)", ((n, f"NCBITaxon:{n}") for n in range(SUBTREE))
    )
    names = [
        each(lambda: frozenset(c for (c,) in connection.execute("SELECT curie FROM name")), 1)
        for _ in range(7)
    ]
    return {
        "bare_lines": lines,
        "bare_read_s": read,
        "bare_names_ms": statistics.median(names),
        "bare_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def each(act: Callable[[], object], times: int) -> float:
    """Return the median milliseconds of an act."""
    took = []
    for _ in range(times):
        start = time.perf_counter()
        act()
        took.append(time.perf_counter() - start)
    return statistics.median(took) * 1000


JOBS = {"load": load_all, "ask": ask, "bare": bare}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--terms", type=int, default=2_600_000)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--job", choices=JOBS)
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args()
    if asked.job:
        print(json.dumps(JOBS[asked.job](asked.keep)))
        return
    with tempfile.TemporaryDirectory() as made:
        folder = asked.keep or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        depth = write(folder / "taxa.obo", asked.terms)
        size = (folder / "taxa.obo").stat().st_size / 1e6
        found = {"deepest": depth, "file_mb": size}
        for job in ("bare", "load", "ask"):
            found |= in_child(job, folder)
        found["store_mb"] = (folder / "terms.sqlite").stat().st_size / 1e6
    found["load_ratio"] = found["load_s"] / found["bare_read_s"]
    found["descendants_ratio"] = found["descendants_ms"] / found["bare_names_ms"]
    for name, value in found.items():
        goal = f"   (goal: < {GOALS[name]:g})" if name in GOALS else ""
        print(f"{name:22} {value:14,.3f}{goal}")
    missed = [name for name, most in GOALS.items() if found[name] >= most]
    if missed and asked.check:
        sys.exit(f"missed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
