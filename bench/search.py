"""Search latency on many records replicated from the corpus, against raw tantivy in the same run.

    python bench/search.py [--records 1000000] [--corpus ../shared/corpus]

A word also finds what lies in a study whose text has it; raw tantivy is asked twice, for the
records with the word itself and for all the same hits. Prints docs/s of our index and of raw
tantivy fed with the same documents, p50/p95 of text with three facets and of text within a closure
of 5,000 terms through our index and raw tantivy on the same folder, and the ratios. ``--keep
FOLDER`` keeps the index for another run.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import tantivy
from tantivy import Occur

from harvester.sources.idr_studies import IdrStudies
from indexer.document import build
from indexer.search.tantivy import TantivyIndex
from indexer.search.tantivy_document import content, register, schema
from parfocal.identifiers import Curie, RecordId
from parfocal.model import ANONYMOUS, Annotation, Dataset, Record
from parfocal.query import All, FacetRequest, Query, Terms, Token
from parfocal.values import Change, RawItem

FACETS = ("organism", "gene", "container")
WORDS = 400
"""Words asked, each once: the most frequent ones, so that no answer was remembered."""
TERMS = 50_000
CLOSURE = 5_000
BATCH = 20_000


def records(corpus: Path) -> list[tuple[Record, tuple[Dataset, ...]]]:
    """Read the corpus: each record with what it lies in."""

    async def fetched() -> list[RawItem]:
        source = IdrStudies("idr", IdrStudies.Options(path=corpus / "idr"))
        found = [item async for item in source.fetch(None)]
        return [item for item in found if isinstance(item, RawItem)]

    source = IdrStudies("idr", IdrStudies.Options(path=corpus / "idr"))
    made: dict[RecordId, Record] = {}
    for item in asyncio.run(fetched()):
        for record in source.normalise(item):
            if hasattr(record, "part_of"):
                made[record.id] = record
    return [(record, tuple(_ancestors(record, made))) for record in made.values()]


def _ancestors(record: Record, made: dict[RecordId, Record]) -> Iterator[Dataset]:
    parent = made.get(record.part_of) if record.part_of else None
    while isinstance(parent, Dataset):
        yield parent
        parent = made.get(parent.part_of) if parent.part_of else None


def replicated(found: list[tuple[Record, tuple[Dataset, ...]]], number: int) -> Iterator[Change]:
    """Yield so many changes: the records again and again, images under new names with new terms."""
    chance = random.Random(1)
    for seq, (record, ancestors) in enumerate(itertools.islice(itertools.cycle(found), number), 1):
        if seq > len(found) and isinstance(record, Dataset):
            continue
        if not isinstance(record, Dataset):
            term = Curie(f"X:{chance.randrange(TERMS)}")
            claim = Annotation("term", "", term, "", "label", 1.0, "bench")
            record = msgspec.structs.replace(
                record,
                id=RecordId(f"{record.id}#{seq}"),
                annotations=(*record.annotations, claim),
            )
        yield Change(seq, seq, record.id, record, ancestors)


def batches(changes: Iterator[Change]) -> Iterator[list[Change]]:
    while batch := list(itertools.islice(changes, BATCH)):
        yield batch


def fill(index: TantivyIndex, changes: Iterator[Change], folder: Path) -> None:
    """Index all changes; the first batches also by raw tantivy, and print both rates."""
    ours = raw = 0.0
    done = compared = 0
    plain = tantivy.Index(schema(), path=str(folder))
    register(plain)
    writer = plain.writer(256_000_000, 2)
    for number, batch in enumerate(batches(changes)):
        start = time.perf_counter()
        index.apply(batch, batch[-1].revision)
        took = time.perf_counter() - start
        done += len(batch)
        if number < 5:
            documents = [content(doc) for doc in map(build, batch) if doc is not None]
            start = time.perf_counter()
            for document in documents:
                writer.add_json(document)
            writer.commit()
            raw += time.perf_counter() - start
            ours += took
            compared += len(batch)
    index.close()
    print(
        f"indexed {done} records; ours {compared / ours:,.0f}/s, raw {compared / raw:,.0f}/s, "
        f"{raw / ours:.0%} of raw"
    )


def frequent(searcher: tantivy.Searcher, number: int) -> list[str]:
    """Return the most frequent words of three letters or more."""
    counted = searcher.terms_with_prefix("own", "")
    words = [(count, word) for word, count in counted if len(word) > 2 and word.isalpha()]
    return [word for _, word in sorted(words, reverse=True)[:number]]


def times(call: Callable[[str], object], words: list[str]) -> list[float]:
    """Return milliseconds of each call, one for each word, sorted."""
    found = []
    for word in words:
        start = time.perf_counter()
        call(word)
        found.append((time.perf_counter() - start) * 1000)
    return sorted(found)


def shown(name: str, ours: list[float], raw: list[float]) -> None:
    """Print p50 and p95 of both, and the ratio of the p95."""

    def p95(values: list[float]) -> float:
        return values[int(len(values) * 0.95) - 1]

    print(
        f"{name:24} ours p50 {statistics.median(ours):7.2f} p95 {p95(ours):7.2f} ms; "
        f"raw p50 {statistics.median(raw):7.2f} p95 {p95(raw):7.2f} ms; "
        f"p95 ratio {p95(ours) / p95(raw):.2f}"
    )


def compare(index: TantivyIndex, folder: Path) -> None:
    """Time both kinds of query through our index and through raw tantivy on the same folder."""
    plain = tantivy.Index(schema(), path=str(folder))
    register(plain)
    plain.reload()
    searcher, layout = plain.searcher(), plain.schema
    facets = tuple(FacetRequest(field) for field in FACETS)
    closure = tuple(Curie(f"X:{number}") for number in range(CLOSURE))
    buckets = {f: {"terms": {"field": f"facet_{f}", "size": 10}} for f in FACETS}
    terms = tantivy.Query.term_set_query(layout, "claims", list(closure))

    holders = {word: holders_of(searcher, layout, word) for word in frequent(searcher, WORDS)}

    def raw(word: str, within: bool, inherited: bool = False) -> None:
        asked = tantivy.Query.term_query(layout, "own", word)
        if inherited:
            lies_in = tantivy.Query.term_set_query(layout, "lies_in", holders[word])
            asked = tantivy.Query.boolean_query([(Occur.Should, asked), (Occur.Should, lies_in)])
        if within:
            asked = tantivy.Query.boolean_query([(Occur.Must, asked), (Occur.Must, terms)])
        hits = searcher.search(asked, 20).hits
        for _, address in hits:
            searcher.doc(address)
        if not within:
            searcher.aggregate(asked, buckets)

    def ours(word: str, within: bool) -> None:
        token = Token(word)
        where = All((token, Terms("x", "x", closure))) if within else token
        index.search(Query(where, facets=() if within else facets), ANONYMOUS)

    words = list(holders)
    times(lambda word: raw(word, False), words)
    for name, within in (("text + 3 facets", False), ("text + 5,000 terms", True)):
        answered = times(lambda word, w=within: ours(word, w), words)
        shown(name, answered, times(lambda word, w=within: raw(word, w), words))
        same = times(lambda word, w=within: raw(word, w, True), words)
        shown("  raw with the same hits", answered, same)


def holders_of(searcher: tantivy.Searcher, layout: tantivy.Schema, word: str) -> list[str]:
    """Return the studies and containers whose text has a word."""
    levels = tantivy.Query.term_set_query(layout, "level", ["study", "container"])
    parts = [(Occur.Must, tantivy.Query.term_query(layout, "own", word)), (Occur.Must, levels)]
    hits = searcher.search(tantivy.Query.boolean_query(parts), 10_000).hits
    return [str(searcher.doc(address).get_first("id")) for _, address in hits]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--corpus", type=Path, default=Path("../shared/corpus"))
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch) / "index"
        index = TantivyIndex(folder)
        if not index.revision():
            raw = Path(scratch) / "raw"
            raw.mkdir()
            fill(index, replicated(records(options.corpus), options.records), raw)
        compare(index, folder)
        index.close()


if __name__ == "__main__":
    main()
