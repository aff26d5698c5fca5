"""What people ask of the real IDR, answered exactly: on every engine, by command and HTTP."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from api.app import create_app
from parfocal.catalogue import Catalogue
from parfocal.cli import root
from parfocal.config import Settings
from parfocal.model import ANONYMOUS
from parfocal.pipeline import Harvest
from parfocal.projecting import project
from parfocal.query_text import parse_query

pytestmark = [pytest.mark.corpus, pytest.mark.slow]

SLICE = ("idr0018-neff-histopathology", "idr0052-walther-condensinmap", "idr0026-weigelin")
SIGNS = {"equals": "=", "contains": "~", "not_equals": "!="}
STUDY_KEYS = {"Imaging Method": "imaging_method"}


def condition(part: dict[str, Any]) -> str:
    """One condition of the list of questions, in the query language."""
    key, value, operator = part.get("name", "*"), part["value"], part["operator"]
    if key in STUDY_KEYS:
        return f'{STUDY_KEYS[key]}:{SIGNS[operator]}"{value}"'
    if operator in SIGNS:
        return f'kv:"{key}{SIGNS[operator]}{value}"'
    values = " OR ".join(f'"{each}"' for each in value)
    return f'kv:"{key}"{"=" if operator == "in" else "<>"}({values})'


def as_text(question: dict[str, Any]) -> str:
    asked = question["filter"]
    if "closure" in asked:
        return f"within:{asked['term']}"
    parts = [condition(part) for part in asked.get("and", ())]
    either = " OR ".join(condition(part) for part in asked.get("or", ()))
    return " ".join([*parts, f"({either})"] if parts and either else parts or [either])


def as_json(question: dict[str, Any]) -> dict[str, Any]:
    asked = question["filter"]
    if "closure" in asked:
        return {"within": asked["term"]}

    def clause(part: dict[str, Any]) -> dict[str, Any]:
        place = (
            {"field": STUDY_KEYS[part["name"]]}
            if part.get("name") in STUDY_KEYS
            else {"key": part.get("name", "*")}
        )
        return {**place, "op": part["operator"], "value": part["value"]}

    groups = [{"all": [clause(p) for p in asked["and"]]}] if asked.get("and") else []
    groups += [{"any": [clause(p) for p in asked["or"]]}] if asked.get("or") else []
    return {"all": groups}


@pytest.fixture(scope="session")
def questions(corpus: Path) -> list[dict[str, Any]]:
    found = json.loads((corpus / "queries" / "idr-queries" / "queries.json").read_text())
    return [question for question in found if question["expected"]["rows"]]


@pytest.fixture(scope="session")
def idr(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole corpus harvested, annotated and indexed; the path of its settings file."""
    folder = tmp_path_factory.mktemp("idr")
    file = folder / "parfocal.toml"
    file.write_text(
        'data_dir = "data"\n[[sources]]\nname = "idr"\nkind = "idr-studies"\n'
        f'path = "{corpus / "idr"}"\n'
    )
    ontologies = [
        str(corpus / "ontologies" / name)
        for name in ("cmpo.obo", "ncbitaxon-taxslim.obo.gz", "fbbi.owl.gz")
    ]
    run(file, "ontology", "load", *ontologies)
    with Catalogue.open(settings_of(file)) as catalogue:
        # Without the graph, which these questions do not need.
        report = Harvest(
            catalogue.store, "idr", catalogue.source("idr"), catalogue.annotators
        ).run()
        assert report.state == "complete"
        project(catalogue.store, catalogue.index)
    return file


def settings_of(file: Path) -> Settings:
    from parfocal import config

    return config.load(file, environ={})


def run(file: Path, *arguments: str) -> str:
    done = CliRunner().invoke(root, ["--config", str(file), *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="session")
def elastic(idr: Path, elasticsearch_url: str) -> Path:
    """The same store with Elasticsearch as its engine."""
    file = idr.with_name("elastic.toml")
    search = f'[search]\nengine = "elastic"\nurl = "{elasticsearch_url}"\nindex = "idr-queries"\n'
    file.write_text(idr.read_text() + search)
    with Catalogue.open(settings_of(file)) as catalogue:
        catalogue.index.clear()
        project(catalogue.store, catalogue.index)
    return file


@pytest.fixture(scope="session")
def rows(corpus: Path) -> dict[str, int]:
    """The number of rows of every annotation file of the corpus, by container."""
    counted = {}
    for path in sorted((corpus / "idr").rglob("*-annotation*.csv*")):
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("latin-1")
        lines = csv.reader(io.StringIO(text, newline=""))
        study = path.relative_to(corpus / "idr").parts[0]
        name = f"{study}/{path.name.split('-')[1]}"
        assert name not in counted
        counted[name] = sum(1 for line in lines if any(cell.strip() for cell in line)) - 1
    return counted


# ------------------------------------------------------------------ every row is there


def test_every_row_is_a_record_of_its_container(
    idr: Path, rows: dict[str, int], corpus: Path
) -> None:
    assert sum(rows.values()) >= 227_256
    answer = json.loads(
        run(idr, "search", "level:image", "--facet", "container:1000", "--size", "0", "--json")
    )
    found = {value["value"]: value["count"] for value in answer["facets"]["container"]}
    assert found == rows
    assert answer["total"] == answer["levels"]["image"] == sum(rows.values())
    # Some study files came without the tables of their screens or experiments.
    assert len(rows) <= answer["levels"]["container"] < 1.2 * len(rows)
    assert answer["levels"]["study"] == len(list((corpus / "idr").glob("idr*")))


# ------------------------------------------------------------------ the answers


def by_command(file: Path, question: dict[str, Any]) -> dict[str, Any]:
    printed = run(
        file, "search", as_text(question), "--facet", "container:1000", "--size", "1", "--json"
    )
    return json.loads(printed)


def by_address(client: Any, question: dict[str, Any]) -> dict[str, Any]:
    given = {"q": as_text(question), "facet": "container:1000", "size": "1"}
    answer = client.get("/api/v1/search", query_string=given)
    assert answer.status_code == 200, answer.text
    return answer.json


def by_body(client: Any, question: dict[str, Any]) -> dict[str, Any]:
    body = {
        "where": as_json(question),
        "facets": [{"field": "container", "size": 1000}],
        "size": 1,
    }
    answer = client.post("/api/v1/search", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json


def check(question: dict[str, Any], answer: dict[str, Any]) -> list[str]:
    """Return how an answer differs from what the files themselves say."""
    found = {value["value"]: value["count"] for value in answer["facets"]["container"]}
    expected = question["expected"]["per_container"]
    if "closure" in question["filter"]:
        return [
            f"{question['id']}: {name}: {found.get(name, 0)} of {number}"
            for name, number in expected.items()
            if found.get(name, 0) < number
        ]
    if found == expected:
        return []
    differ = {n for n in {*found, *expected} if found.get(n) != expected.get(n)}
    return [f"{question['id']}: {n}: {found.get(n)} not {expected.get(n)}" for n in sorted(differ)]


def differences(questions: list[dict[str, Any]], ask: Any, place: Any) -> list[str]:
    assert len(questions) == 42
    return [line for question in questions for line in check(question, ask(place, question))]


def test_tantivy_answers_on_the_command_line(idr: Path, questions) -> None:
    assert differences(questions, by_command, idr) == []


@pytest.mark.server
def test_elasticsearch_answers_on_the_command_line(elastic: Path, questions) -> None:
    assert differences(questions, by_command, elastic) == []


@pytest.fixture
def client(idr: Path) -> Iterator[Any]:
    with Catalogue.open(settings_of(idr), read_only=True) as catalogue:
        yield create_app(catalogue).test_client()


@pytest.fixture
def elastic_client(elastic: Path) -> Iterator[Any]:
    with Catalogue.open(settings_of(elastic), read_only=True) as catalogue:
        yield create_app(catalogue).test_client()


@pytest.mark.parametrize("ask", [by_address, by_body])
def test_tantivy_answers_over_http(ask, client, questions) -> None:
    assert differences(questions, ask, client) == []


@pytest.mark.server
@pytest.mark.parametrize("ask", [by_address, by_body])
def test_elasticsearch_answers_over_http(ask, elastic_client, questions) -> None:
    assert differences(questions, ask, elastic_client) == []


def test_memory_answers_for_a_slice(idr: Path, questions) -> None:
    with Catalogue.open(settings_of(idr), read_only=True) as catalogue:
        records = [
            change.record
            for change in all_records(catalogue)
            if change.id.partition(":")[2].startswith(SLICE)
        ]
        assert len(records) > 1000
        with Catalogue.in_memory(records, terms=catalogue.terms) as small:
            client = create_app(small).test_client()
            wrong = []
            for question in questions:
                kept = {
                    name: number
                    for name, number in question["expected"]["per_container"].items()
                    if name.startswith(SLICE)
                }
                narrowed = {**question, "expected": {"per_container": kept}}
                wrong += check(narrowed, by_address(client, question))
    assert wrong == []


def all_records(catalogue: Catalogue) -> Iterator[Any]:
    after = 0
    while page := catalogue.store.records(after=after, limit=5000):
        yield from page
        after = page[-1].seq


def test_rows_found_by_ontology_say_why(idr: Path, questions) -> None:
    """Every hit of a closure question has a stored claim with a term of the closure."""
    with Catalogue.open(settings_of(idr), read_only=True) as catalogue:
        for question in questions:
            if question["filter"].get("ontology") != "CMPO":
                continue
            closure = catalogue.terms.descendants(question["filter"]["term"])
            unexplained = [
                hit.id
                for hit in catalogue.stream(parse_query(as_text(question)), ANONYMOUS)
                if not closure & {annotation.claim.term for annotation in hit.annotations}
            ]
            assert unexplained == [], question["id"]
