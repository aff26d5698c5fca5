"""How fast a harvest is, against bare tantivy on the same documents in the same run.

    python bench/pipeline.py FOLDER [--ontology FILE ...] [--dictionary 200000] [--copies 1]

FOLDER holds studies in IDR's file layout. Harvested is as ``parfocal harvest`` does it (normalise,
annotate and store, while index and graph follow), once without and once with the graph, each in a
process of its own, so that its memory can be told; then tantivy alone takes in the documents of our
index, and plain ones (title, text, ``key=value`` terms, facets, number, the record itself).
``--dictionary`` adds an ontology of so many made-up terms, ``--copies`` harvests the folder as so
many sources; ``--check`` ends with exit code 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import tantivy

from indexer.document import build
from indexer.search.tantivy_document import content, register, schema
from parfocal.catalogue import Catalogue
from parfocal.config import Settings
from parfocal.harvesting import harvest
from parfocal.model import Record, encode
from parfocal.projecting import Ancestors
from parfocal.store.sqlite import SqliteStore
from parfocal.values import Change

SEARCH_TARGET = 0.25
GRAPH_TARGET = 0.08
MEMORY_TARGET_MB = 1024
A_READ = 5000


def settings_for(folder: Path, work: Path, copies: int) -> Settings:
    """Return settings of so many sources over one folder, with all else in a work folder."""
    sources = [
        {"name": f"idr{copy}", "kind": "idr-studies", "path": str(folder)} for copy in range(copies)
    ]
    return Settings.model_validate({"data_dir": work, "sources": sources})


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# ------------------------------------------------------------------ the harvest


class Nothing:
    """Stands where the graph would be, and takes nothing in."""

    def __init__(self) -> None:
        self._revision = 0

    def revision(self) -> int:
        return self._revision

    def apply(self, changes: Iterable[Change], revision: int) -> None:
        self._revision = revision

    def clear(self) -> None:
        self._revision = 0

    def close(self) -> None:
        return


def harvest_stage(folder: Path, work: Path, copies: int, graph: bool) -> dict[str, Any]:
    """Harvest everything as ``parfocal harvest`` does, until index and graph are up to date."""
    settings = settings_for(folder, work, copies)
    with Catalogue.open(settings) as catalogue:
        if not graph:
            catalogue.graph = Nothing()  # type: ignore[assignment]
        start = time.perf_counter()
        reports = list(harvest(catalogue))
        return {
            "records": sum(report.counts.new for report in reports),
            "problems": sum(report.problems for report in reports),
            "seconds": time.perf_counter() - start,
            "mb": peak_mb(),
        }


# ------------------------------------------------------------------ the baseline


def stored_records(work: Path) -> Iterator[tuple[int, Record]]:
    store = SqliteStore(work / "parfocal.sqlite")
    after = 0
    while page := store.records(after=after, limit=A_READ):
        for change in page:
            if change.record is not None:
                yield change.seq, change.record
        after = page[-1].seq
    store.close()


def plain_schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw")
    builder.add_text_field("title")
    builder.add_text_field("body")
    builder.add_text_field("kv", tokenizer_name="raw", index_option="basic")
    for name in ("type", "container", "term"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic", fast=True)
    builder.add_unsigned_field("seq", indexed=True, fast=True)
    builder.add_bytes_field("record", stored=True, indexed=False)
    return builder.build()


def plain_document(seq: int, record: Record) -> dict[str, Any]:
    pairs = record.key_values
    return {
        "id": [record.id],
        "title": [record.title],
        "body": [" ".join(pair.value for pair in pairs)],
        "kv": [f"{pair.key}={pair.value}".casefold() for pair in pairs],
        "type": [record.ome_type],
        "container": [record.part_of or ""],
        "term": [claim.term for claim in record.annotations],
        "seq": [seq],
        "record": [encode(record)],
    }


def timed(schema: tantivy.Schema, work: Path, documents: Iterator[Any]) -> float:
    """Return the documents a second that tantivy takes in; making them is not timed."""
    with tempfile.TemporaryDirectory(dir=work) as folder:
        index = tantivy.Index(schema, path=folder)
        register(index)
        writer = index.writer(heap_size=512_000_000, num_threads=2)
        count, seconds = 0, 0.0
        for chunk in batched(documents, A_READ):
            start = time.perf_counter()
            for document in chunk:
                if isinstance(document, str):
                    writer.add_json(document)
                else:
                    writer.add_document(tantivy.Document.from_dict(document, schema))
            count += len(chunk)
            seconds += time.perf_counter() - start
        start = time.perf_counter()
        writer.commit()
        writer.wait_merging_threads()
        return count / (seconds + time.perf_counter() - start)


def batched(documents: Iterator[Any], size: int) -> Iterator[list[Any]]:
    while chunk := list(islice(documents, size)):
        yield chunk


def same_documents(work: Path) -> Iterator[str]:
    """Yield the very documents that the index is made of."""
    store = SqliteStore(work / "parfocal.sqlite")
    ancestors, after = Ancestors(store), 0
    while page := store.records(after=after, limit=A_READ):
        for change in page:
            above = ancestors.of(change.record) if change.record else ()
            built = build(msgspec.structs.replace(change, ancestors=above))
            if built is not None:
                yield content(built)
        after = page[-1].seq
    store.close()


def raw_stage(work: Path) -> dict[str, Any]:
    """Measure tantivy alone: with plain documents of the records, and with those of our index."""
    plain = (plain_document(seq, record) for seq, record in stored_records(work))
    return {
        "plain_per_s": timed(plain_schema(), work, plain),
        "same_per_s": timed(schema(), work, same_documents(work)),
    }


# ------------------------------------------------------------------ a large dictionary


def made_up_ontology(folder: Path, count: int, path: Path) -> None:
    """Write an OBO file of ``count`` terms of one to four words that stand in the study files."""
    chance = random.Random(20)
    words: set[str] = set()
    for file in sorted(folder.glob("*/*-study.txt")):
        words.update(w for w in file.read_text(errors="replace").split() if w.isalpha())
    known = sorted(words) or ["cell"]
    with path.open("w", encoding="utf-8") as stream:
        stream.write("format-version: 1.2\nontology: made-up\n")
        for number in range(count):
            label = " ".join(chance.choices(known, k=chance.randint(1, 4)))
            parent = f"MADEUP:{chance.randrange(number):07d}" if number else ""
            stream.write(f"\n[Term]\nid: MADEUP:{number:07d}\nname: {label} {number}\n")
            stream.write(f'synonym: "{label}" EXACT []\n')
            if parent:
                stream.write(f"is_a: {parent}\n")


def load_ontologies(files: list[Path], work: Path) -> None:
    command = [str(Path(sys.executable).with_name("parfocal")), "--data-dir", str(work)]
    subprocess.run([*command, "ontology", "load", *map(str, files)], check=True, cwd=work)


# ------------------------------------------------------------------ together


def run_stage(*arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, __file__, *arguments], check=True, stdout=subprocess.PIPE, text=True
    )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def ontologies(given: argparse.Namespace, folder: Path, work: Path) -> list[Path]:
    """Return the ontology files to load, the made-up one among them."""
    files = [path.absolute() for path in given.ontology]
    if given.dictionary:
        files.append(work / "made-up.obo")
        made_up_ontology(folder, given.dictionary, files[-1])
    return files


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Run every stage and return what they measured, with the ratios."""
    folder = given.folder.absolute()
    measured: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="parfocal-bench-") as name:
        files = ontologies(given, folder, Path(name))
        for part in ("index",) if given.no_graph else ("index", "graph"):
            work = Path(name) / part
            work.mkdir()
            if files:
                load_ontologies(files, work)
            stage = [str(folder), "--work", str(work), "--copies", str(given.copies)]
            stage += ["--no-graph"] if part == "index" else []
            measured[part] = run_stage(*stage, "--stage", "harvest")
        measured["raw"] = run_stage(*stage, "--stage", "raw")
    for part in ("index", "graph"):
        if part in measured:
            found = measured[part]
            for kind in ("plain", "same"):
                rate = found["records"] / found["seconds"]
                found[kind] = rate / measured["raw"][f"{kind}_per_s"]
    return measured


def report(measured: dict[str, Any]) -> bool:
    """Print what was measured; return whether every target is met."""
    raw, index = measured["raw"], measured["index"]
    print(f"{index['records']:,} records, {index['problems']:,} problems")
    print(f"bare tantivy   {raw['plain_per_s']:>10,.0f} plain documents/s")
    print(f"               {raw['same_per_s']:>10,.0f} documents/s, the same as in our index")
    good = True
    for part, target in (("index", SEARCH_TARGET), ("graph", GRAPH_TARGET)):
        if part in measured:
            found = measured[part]
            good = good and found["same"] >= target and found["mb"] <= MEMORY_TARGET_MB
            name = "harvest + index" if part == "index" else "harvest + index + graph"
            print(f"{name:<24} {found['seconds']:>8.1f} s   peak memory {found['mb']:,.0f} MB")
            print(f"  {found['same']:>6.1%} of bare tantivy (target {target:.0%})")
            print(f"  {found['plain']:>6.1%} of bare tantivy with plain documents")
    return good


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="folder of studies in IDR's layout")
    parser.add_argument("--ontology", type=Path, nargs="*", default=[], help="files to load first")
    parser.add_argument("--dictionary", type=int, default=0, help="made-up terms to load as well")
    parser.add_argument("--copies", type=int, default=1, help="sources made of the folder")
    parser.add_argument("--no-graph", action="store_true", help="leave the triple store out")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    parser.add_argument("--stage", choices=["harvest", "raw"], help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.stage == "harvest":
        graph = not given.no_graph
        print(json.dumps(harvest_stage(given.folder, given.work, given.copies, graph)))
    elif given.stage == "raw":
        print(json.dumps(raw_stage(given.work)))
    else:
        measured = measure(given)
        good = True
        if given.json:
            print(json.dumps(measured))
        else:
            good = report(measured)
        sys.exit(1 if given.check and not good else 0)


if __name__ == "__main__":
    main()
