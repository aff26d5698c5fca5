"""The real studies: every row becomes a record, and the questions put to IDR find the right rows.

The questions are answered here by a few lines over the records, without any search engine.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harvester.sources.idr_studies import IdrStudies
from parfocal.identifiers import native_of
from parfocal.model import KeyValue, Record
from parfocal.testing.sources import Fetched, fetch_all, raw_items
from parfocal.values import Problem, RawItem

pytestmark = pytest.mark.corpus
Test = Callable[[Iterable[KeyValue]], bool]


class Harvest:
    """Everything read once, with the seconds that normalising took."""

    def __init__(self, folder: Path) -> None:
        self.source = IdrStudies("idr", IdrStudies.Options(path=folder))
        self.found: list[Fetched] = fetch_all(self.source)
        self.rows: list[tuple[str, Record]] = []
        self.studies: dict[str, Record] = {}
        self.containers: dict[str, Record] = {}
        self.seconds = 0.0
        for item in raw_items(self.found):
            self._take(item)

    def _take(self, item: RawItem) -> None:
        started = time.process_time()
        made = list(self.source.normalise(item))
        self.seconds += time.process_time() - started
        for record in made:
            assert not isinstance(record, Problem) or record.severity == "warning"
            if isinstance(record, Problem):
                continue
            native = native_of(record.id)
            if "#" in item.key:
                assert record.part_of
                self.rows.append((native_of(record.part_of), record))
            elif record.level == "study":
                self.studies[native] = record
            else:
                self.containers[native] = record

    @property
    def problems(self) -> list[Problem]:
        return [one for one in self.found if isinstance(one, Problem)]


@pytest.fixture(scope="module")
def harvest(corpus: Path) -> Harvest:
    return Harvest(corpus / "idr")


@pytest.fixture(scope="module")
def queries(corpus: Path) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads(
        (corpus / "queries" / "idr-queries" / "queries.json").read_text()
    )
    return loaded


def table_rows(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield container and number of rows of each table, by nothing but the csv module."""
    for path in folder.glob("*/*-annotation*.csv*"):
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8-sig")
        part = next(word for word in path.name.split("-") if word.startswith(("screen", "exper")))
        yield (
            f"{path.parent.name}/{part}",
            sum(1 for _ in csv.reader(io.StringIO(text, newline=""))) - 1,
        )


def test_every_row_becomes_a_record(harvest: Harvest, corpus: Path) -> None:
    expected = dict(table_rows(corpus / "idr"))
    assert Counter(container for container, _ in harvest.rows) == expected
    assert sum(expected.values()) >= 227_256
    assert set(expected) <= set(harvest.containers)
    assert len(harvest.studies) == len(list((corpus / "idr").iterdir()))
    ids = {record.id for _, record in harvest.rows}
    assert len(ids) == len(harvest.rows)


def test_no_file_is_unreadable(harvest: Harvest) -> None:
    assert [problem for problem in harvest.problems if problem.severity == "error"] == []


def test_studies_say_who_when_and_under_which_licence(harvest: Harvest) -> None:
    for native, study in harvest.studies.items():
        assert study.title != native
        assert study.description
        assert study.creators
        assert study.date[:2] == "20"
        assert study.licence.startswith(("CC-BY", "CC0"))
        assert study.links[0].kind == "landing"


def test_containers_carry_their_imaging_method(harvest: Harvest) -> None:
    without = [
        native
        for native, record in harvest.containers.items()
        if not any(pair.key == "Imaging Method" for pair in record.key_values)
    ]
    assert without == []


def one_condition(condition: dict[str, Any]) -> Test:
    key = condition.get("name", "").lower()
    wanted = condition["value"]
    wanted = [word.lower() for word in ([wanted] if isinstance(wanted, str) else wanted)]
    judge: dict[str, Callable[[list[str]], bool]] = {
        "equals": lambda values: wanted[0] in values,
        "contains": lambda values: any(wanted[0] in value for value in values),
        "not_equals": lambda values: wanted[0] not in values,
        "not_contains": lambda values: not any(wanted[0] in value for value in values),
        "in": lambda values: any(value in wanted for value in values),
        "not_in": lambda values: any(value not in wanted for value in values),
    }

    def test(pairs: Iterable[KeyValue]) -> bool:
        values = [pair.value.lower() for pair in pairs if not key or pair.key.lower() == key]
        return bool(values) and judge[condition["operator"]](values)

    return test


def whole_condition(condition: dict[str, Any]) -> Test:
    if "and" in condition:
        tests = [whole_condition(part) for part in condition["and"]]
        return lambda pairs: all(test(pairs) for test in tests)
    if "or" in condition:
        tests = [whole_condition(part) for part in condition["or"]]
        return lambda pairs: any(test(pairs) for test in tests)
    return one_condition(condition)


def count_rows(harvest: Harvest, query: dict[str, Any]) -> dict[str, int]:
    """Count rows per container; a condition on the study's own keys selects studies first."""
    conditions = query["filter"].get("and", [])
    of_study = [c for c in conditions if c.get("name") == "Imaging Method"]
    studies = {
        native
        for native, study in harvest.studies.items()
        if all(one_condition(condition)(study.key_values) for condition in of_study)
    }
    rest = {"and": [c for c in conditions if c not in of_study]} if of_study else query["filter"]
    test = whole_condition(rest)
    return dict(
        Counter(
            container
            for container, record in harvest.rows
            if container.partition("/")[0] in studies and test(record.key_values)
        )
    )


def test_key_value_questions_find_exactly_the_rows(
    harvest: Harvest, queries: list[dict[str, Any]]
) -> None:
    asked = [query for query in queries if "closure" not in query["filter"]]
    assert len(asked) > 25
    for query in asked:
        assert count_rows(harvest, query) == query["expected"]["per_container"], query["id"]


def children(path: Path) -> dict[str, set[str]]:
    """Read is_a of an OBO file, by nothing but its lines."""
    found: dict[str, set[str]] = defaultdict(set)
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    term = ""
    for line in text.splitlines():
        if line.startswith("["):
            term = ""
        elif line.startswith("id: "):
            term = line[4:].strip()
        elif line.startswith("is_a: ") and term:
            found[line[6:].split()[0]].add(term)
    return found


def closure(below: dict[str, set[str]], term: str) -> set[str]:
    found: set[str] = set()
    waiting = [term]
    while waiting:
        here = waiting.pop()
        if here not in found:
            found.add(here)
            waiting += below[here]
    return found


def test_closure_questions_find_all_rows(
    harvest: Harvest, queries: list[dict[str, Any]], corpus: Path
) -> None:
    files = {"CMPO": "cmpo.obo", "NCBITaxon": "ncbitaxon-taxslim.obo.gz"}
    below = {name: children(corpus / "ontologies" / file) for name, file in files.items()}
    containers_of: dict[str, Counter[str]] = defaultdict(Counter)
    sets = Counter(
        (container, frozenset(a.term for a in record.annotations))
        for container, record in harvest.rows
    )
    asked = [query for query in queries if "closure" in query["filter"]]
    for query in asked:
        terms = closure(below[query["filter"]["ontology"]], query["filter"]["term"])
        counted = containers_of[query["id"]]
        for (container, carried), rows in sets.items():
            if not terms.isdisjoint(carried):
                counted[container] += rows
        for container, rows in query["expected"]["per_container"].items():
            assert counted[container] >= rows, (query["id"], container)


def test_drag_fill_is_noticed_where_it_is_and_nowhere_else(harvest: Harvest) -> None:
    told = {
        (problem.item.partition("/")[0], problem.place.split("'")[1])
        for problem in harvest.problems
        if "count up" in problem.reason
    }
    assert {study for study, _ in told} == {
        "idr0056-stojic-lncrnas",
        "idr0070-kerwin-hdbr",
        "idr0072-schormann-subcellref",
        "idr0096-tratwal-marrowquant",
    }
    assert ("idr0056-stojic-lncrnas", "Term Source 1 Accession") in told
    believed = {
        annotation.term
        for container, record in harvest.rows
        if container.startswith("idr0056")
        for annotation in record.annotations
        if annotation.field == "organism" and annotation.believed
    }
    assert believed == {"NCBITaxon:9606"}


BETTER_THAN_THE_LIST = {
    ("idr0070-kerwin-hdbr", "NCBITaxon:9607"): "one dragged row among 4,554 of Homo sapiens",
    ("idr0171-kuzikov-remedi4all", "BTO:4755"): "lost its zeros; we read BTO:0004755",
}


def test_curated_claims_are_those_of_the_gold_list(harvest: Harvest, corpus: Path) -> None:
    path = corpus / "queries" / "annotator-gold" / "gold-row.tsv.gz"
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        gold = list(csv.DictReader(stream, delimiter="\t"))
    made = {
        (container.partition("/")[0], annotation.term, annotation.believed)
        for container, record in harvest.rows
        for annotation in record.annotations
    }
    for line in gold:
        if (line["study"], line["accession"]) in BETTER_THAN_THE_LIST:
            continue
        trusted = line["suspect_dragfill"] == "0"
        if trusted or (line["study"], line["accession"], True) not in made:
            assert (line["study"], line["accession"], trusted) in made, line


def test_reading_rows_is_fast(harvest: Harvest) -> None:
    assert len(harvest.rows) / harvest.seconds > 20_000
