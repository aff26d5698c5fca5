"""Annotation of a folder's records with the dictionaries of given ontologies.

    python bench/annotate.py FOLDER ONTOLOGY... [--records 60000]

FOLDER holds studies in IDR's file layout; ONTOLOGY are files that ``parfocal ontology load`` reads
(none: the shipped tables). All annotators of the pipeline run over every record, in one process.
The baseline is the bare automaton (ahocorasick_rs) over the same values with the same names,
without fields, choices, evidence or claims. Both see each record once, after their dictionaries
are built, then once more. Prints records a second, the ratio, and the memory of the process.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from ahocorasick_rs import AhoCorasick, MatchKind

from harvester.sources.idr_studies import IdrStudies
from ontology.annotate import ValueAnnotator
from ontology.checked import AccessionAnnotator
from ontology.load import read
from ontology.mentions import MentionAnnotator
from ontology.terms import SqliteTermStore
from parfocal.fields import FIELDS
from parfocal.identifiers import record_id
from parfocal.knowledge import Knowledge
from parfocal.model import Dataset, Image, KeyValue, Provenance, Record
from parfocal.pipeline import annotated
from parfocal.testing.sources import Visit
from parfocal.values import RawItem

STRANGE = Dataset(
    id=record_id("s", "strange"),
    title="A title of no use",
    provenance=Provenance("s", "strange"),
    key_values=(KeyValue("Organism", "nothing of this name"),),
)
"""A record that needs every dictionary."""


def records(folder: Path, most: int) -> list[Record]:
    source = IdrStudies("idr", IdrStudies.Options(path=folder))

    async def fetched() -> list[RawItem]:
        return [one async for one in source.fetch(Visit()) if isinstance(one, RawItem)]

    items = asyncio.run(fetched())
    found: list[Record] = []
    for item in items:
        found += [one for one in source.normalise(item) if isinstance(one, Dataset | Image)]
    every = max(1, len(found) // most)
    return found[::every]


def terms_of(folder: str, ontologies: Iterable[Path]) -> SqliteTermStore:
    store = SqliteTermStore(Path(folder) / "terms.sqlite")
    for path in ontologies:
        store.load(read(path))
    if not store.version():
        store.load_bundled()
    return store


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def bare(names: list[str], found: list[Record]) -> tuple[float, float]:
    automaton = AhoCorasick(names, matchkind=MatchKind.LeftmostLongest)

    def walk() -> None:
        for record in found:
            for pair in record.key_values:
                automaton.find_matches_as_indexes(pair.value.lower())
            if isinstance(record, Dataset):
                automaton.find_matches_as_indexes(f"{record.title} {record.description}".lower())

    return timed(walk), timed(walk)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("ontologies", type=Path, nargs="*")
    parser.add_argument("--records", type=int, default=60_000)
    given = parser.parse_args()
    found = records(given.folder, given.records)
    before = megabytes()
    with tempfile.TemporaryDirectory() as folder:
        store = terms_of(folder, given.ontologies)
        prefixes = dict.fromkeys(prefix for field in FIELDS for prefix in field.prefixes)
        names = [text.lower() for prefix in prefixes for _, _, text in store.names(prefix)]
        terms = sum(one.terms for one in store.ontologies())
        knowledge = Knowledge(store)
        annotators = (
            AccessionAnnotator(knowledge),
            ValueAnnotator(knowledge),
            MentionAnnotator(knowledge),
        )
        ready = timed(lambda: annotated(STRANGE, annotators))
        first = timed(lambda: [annotated(one, annotators) for one in found])
        again = timed(lambda: [annotated(one, annotators) for one in found])
        ours = megabytes()
        base, base_again = bare(names, found)
        store.close()
    count = len(found)
    print(f"{count:,} records, {terms:,} terms, {len(names):,} names in the fields' ontologies")
    print(
        f"ready after {ready:.1f} s; memory {before:.0f} MB with the records, {ours:.0f} MB at most"
    )
    print(f"annotators, first   {count / first:10,.0f} records/s  {base / first:6.1%} of bare")
    print(
        f"annotators, again   {count / again:10,.0f} records/s  {base_again / again:6.1%} of bare"
    )
    print(f"bare automaton      {count / base:10,.0f} records/s")


if __name__ == "__main__":
    main()
