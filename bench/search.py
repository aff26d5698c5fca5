"""Search latency through HTTP on many records replicated from a folder, against raw tantivy.

    python bench/search.py FOLDER [--records 1000000] [--words 200] [--keep WORK]

FOLDER holds studies in IDR's file layout. Their records are stored and indexed again and again
under new names, each image with one of 50,000 made-up terms. Asked are the most frequent words,
each once: with three facets, and within a closure of 5,000 terms. Our answers come from
``parfocal serve`` through one connection; raw tantivy answers in this process from the same index,
once for the word itself and once for all that we find (a word also finds what lies in a study
whose text has it). Prints p50, p95 and the ratios of p95. ``--keep`` keeps the data for another
run; ``--check`` ends with exit code 1 when a p95 is more than three times raw tantivy's for the
same hits.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import itertools
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

import msgspec
import tantivy
from tantivy import Occur

from harvester.sources.idr_studies import IdrStudies
from indexer.search.tantivy import TantivyIndex
from indexer.search.tantivy_document import register, schema
from parfocal.concepts import STOP_WORDS
from parfocal.identifiers import Curie, RecordId
from parfocal.model import Annotation, Dataset, Image, Record
from parfocal.projecting import project
from parfocal.store.sqlite import SqliteStore
from parfocal.testing.sources import Visit
from parfocal.values import Batch, Normalised, RawItem

FACETS = ("organism", "gene", "container")
TERMS = 50_000
CLOSURE = 5_000
BATCH = 2_000
PAGE = 20
TARGET = 3.0


def term(number: int) -> Curie:
    return Curie(f"MADEUP:{number:07d}")


# ------------------------------------------------------------------ the data


def records(folder: Path) -> list[Record]:
    """Read all records of the folder, containers before what lies in them."""
    source = IdrStudies("idr", IdrStudies.Options(path=folder))

    async def fetched() -> list[RawItem]:
        found = [item async for item in source.fetch(Visit())]
        return [item for item in found if isinstance(item, RawItem)]

    made: dict[RecordId, Record] = {}
    for item in asyncio.run(fetched()):
        for each in source.normalise(item):
            if isinstance(each, Dataset | Image):
                made[each.id] = each
    return sorted(made.values(), key=lambda record: isinstance(record, Image))


def replicated(found: list[Record], number: int) -> Iterator[Record]:
    """Yield so many records: all, then the images again and again under new names."""
    chance = random.Random(1)
    containers = [record for record in found if isinstance(record, Dataset)]
    images = [record for record in found if isinstance(record, Image)]
    yield from containers[:number]
    for count, image in enumerate(itertools.cycle(images), len(containers)):
        if count >= number:
            return
        claim = Annotation("term", "", term(chance.randrange(TERMS)), "", "label", 1.0, "bench")
        yield msgspec.structs.replace(
            image,
            id=RecordId(f"{image.id}#{count}"),
            annotations=(*image.annotations, claim),
        )


def fill(folder: Path, number: int, work: Path) -> None:
    """Store and index the records, and load the terms of the closure."""
    store, index = SqliteStore(work / "parfocal.sqlite"), TantivyIndex(work / "search")
    run, _ = store.begin("idr")
    copies = replicated(records(folder), number)
    for count in itertools.count():
        part = tuple(itertools.islice(copies, BATCH))
        if not part:
            break
        item = RawItem(f"part-{count}", str(count).encode())
        store.commit("idr", run, Batch((Normalised(item, part, ()),)))
    store.finish("idr", run, complete=True)
    start = time.perf_counter()
    project(store, index)
    print(f"indexed {number:,} records, {number / (time.perf_counter() - start):,.0f} a second")
    index.close()
    store.close()
    ontology = work / "made-up.obo"
    lines = ["format-version: 1.2", "ontology: made-up"]
    for each in range(CLOSURE):
        lines += ["", "[Term]", f"id: {term(each)}", f"name: madeup{each}"]
        lines += [f"is_a: {term(0)}"] if each else []
    ontology.write_text("\n".join(lines) + "\n", encoding="utf-8")
    subprocess.run([*command(work), "ontology", "load", str(ontology)], check=True, cwd=work)


# ------------------------------------------------------------------ our server


def command(work: Path) -> list[str]:
    return [sys.executable, "-m", "parfocal", "--data-dir", str(work)]


@contextlib.contextmanager
def served(work: Path) -> Iterator[http.client.HTTPConnection]:
    """Serve the data; give one connection that stays open."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port = trial.getsockname()[1]
    server = subprocess.Popen([*command(work), "serve", "--port", str(port)], cwd=work)
    try:
        until = time.monotonic() + 60
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            try:
                connection.connect()
                break
            except OSError:
                if time.monotonic() > until or server.poll() is not None:
                    raise
                time.sleep(0.2)
        yield connection
        connection.close()
    finally:
        server.terminate()
        server.wait()


def asked(connection: http.client.HTTPConnection, q: str, facets: tuple[str, ...]) -> int:
    """Ask the API; return the total."""
    given = [("q", q), ("level", "any"), ("size", str(PAGE)), *(("facet", f) for f in facets)]
    connection.request("GET", f"/api/v1/search?{urlencode(given)}")
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise RuntimeError(body.decode())
    return int(msgspec.json.decode(body)["total"])


# ------------------------------------------------------------------ raw tantivy


class Raw:
    """Plain queries on the same index."""

    def __init__(self, folder: Path) -> None:
        index = tantivy.Index(schema(), path=str(folder))
        register(index)
        index.reload()
        self._searcher, self._layout = index.searcher(), index.schema
        self._closure = [term(number) for number in range(CLOSURE)]
        self._buckets = {f: {"terms": {"field": f"facet_{f}", "size": 10}} for f in FACETS}

    def frequent(self, number: int) -> list[str]:
        """Return the most frequent words of three letters or more."""
        counted = self._searcher.terms_with_prefix("own", "")
        found = [(n, w) for w, n in counted if len(w) > 2 and w.isalpha() and w not in STOP_WORDS]
        return [word for _, word in sorted(found, reverse=True)[:number]]

    def holders(self, word: str) -> list[str]:
        """Return the studies and containers whose text has a word."""
        levels = tantivy.Query.term_set_query(self._layout, "level", ["study", "container"])
        own = tantivy.Query.term_query(self._layout, "own", word)
        query = tantivy.Query.boolean_query([(Occur.Must, own), (Occur.Must, levels)])
        hits = self._searcher.search(query, 10_000).hits
        return [str(self._searcher.doc(at).get_first("id")) for _, at in hits]

    def ask(self, word: str, within: bool, holders: list[str]) -> int:
        """Answer as plainly as can be: count and best hits, and facets or the closure."""
        query = tantivy.Query.term_query(self._layout, "own", word)
        if holders:
            lies_in = tantivy.Query.term_set_query(self._layout, "lies_in", holders)
            query = tantivy.Query.boolean_query([(Occur.Should, query), (Occur.Should, lies_in)])
        if within:
            terms = tantivy.Query.term_set_query(self._layout, "claims", self._closure)
            query = tantivy.Query.boolean_query([(Occur.Must, query), (Occur.Must, terms)])
        found = self._searcher.search(query, PAGE)
        for _, address in found.hits:
            self._searcher.doc(address)
        if not within:
            self._searcher.aggregate(query, self._buckets)
        return int(found.count or 0)  # type: ignore[attr-defined]


# ------------------------------------------------------------------ the comparison


def times(call: Callable[[str], object], words: list[str]) -> list[float]:
    """Return milliseconds of each call, one for each word, sorted."""
    found = []
    for word in words:
        start = time.perf_counter()
        call(word)
        found.append((time.perf_counter() - start) * 1000)
    return sorted(found)


def p95(values: list[float]) -> float:
    return values[max(0, int(len(values) * 0.95) - 1)]


def shown(name: str, values: list[float]) -> None:
    print(f"{name:32} p50 {statistics.median(values):8.2f}  p95 {p95(values):8.2f} ms")


class Both(msgspec.Struct):
    """One kind of question, to our server and to raw tantivy."""

    raw: Raw
    connection: http.client.HTTPConnection
    within: bool
    end: str
    facets: tuple[str, ...]
    holders: dict[str, list[str]]

    def ours(self, word: str) -> int:
        return asked(self.connection, word + self.end, self.facets)

    def same(self, word: str) -> int:
        return self.raw.ask(word, self.within, self.holders[word])

    def plain(self, word: str) -> int:
        return self.raw.ask(word, self.within, [])

    def check(self, words: list[str]) -> None:
        for word in words:
            if self.ours(word) != self.same(word):
                raise RuntimeError(f"raw tantivy finds something else for {word}")


def compare(work: Path, number: int) -> bool:
    """Print the times of both; return whether ours are near enough to raw tantivy's."""
    raw = Raw(work / "search")
    words = raw.frequent(number)
    holders = {word: raw.holders(word) for word in words}
    good = True
    with served(work) as connection:
        asked(connection, "warm", FACETS)
        for name, within in (("text + 3 facets", False), ("text + 5,000 terms", True)):
            end, facets = (f" within:{term(0)}", ()) if within else ("", FACETS)
            both = Both(raw, connection, within, end, facets, holders)
            both.check(words[:3])
            ours, same = times(both.ours, words), times(both.same, words)
            plain = times(both.plain, words)
            shown(name, ours)
            shown("  raw, the same hits", same)
            shown("  raw, the word itself", plain)
            ratio = p95(ours) / p95(same)
            print(
                f"  p95 ratio {ratio:.2f} (same hits), {p95(ours) / p95(plain):.2f} (word itself)"
            )
            good = good and ratio <= TARGET
    return good


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="folder of studies in IDR's layout")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--words", type=int, default=200, help="words asked")
    parser.add_argument("--keep", type=Path, help="folder that keeps the data")
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="parfocal-bench-") as scratch:
        work = (given.keep or Path(scratch)).absolute()
        work.mkdir(parents=True, exist_ok=True)
        if not (work / "made-up.obo").exists():
            fill(given.folder.absolute(), given.records, work)
        good = compare(work, given.words)
    sys.exit(1 if given.check and not good else 0)


if __name__ == "__main__":
    main()
