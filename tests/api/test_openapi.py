"""The description is valid OpenAPI 3.1, names every route, and the answers are as it says."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

PAGES = {"/", "/about", "/review", "/sources", "/sign-in", "/sign-out", "/openapi.json"}


@pytest.fixture
def description(client) -> dict[str, Any]:
    return client.get("/openapi.json").json


def check(description: dict[str, Any], name: str, value: Any) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": description["components"]}
    errors = [error.message for error in Draft202012Validator(schema).iter_errors(value)]
    assert errors == []


def test_description_is_valid(description):
    assert [str(error) for error in OpenAPIV31SpecValidator(description).iter_errors()] == []


def test_description_is_strict(description):
    loose = [
        name
        for name, schema in description["components"]["schemas"].items()
        if schema.get("type") == "object" and schema.get("additionalProperties") is not False
    ]
    assert loose == []


def test_every_route_is_described(app, description):
    routes = {
        rule.rule.replace("<path:path>", "{id}").replace("<name>", "{name}")
        for rule in app.url_map.iter_rules()
        if not rule.rule.startswith("/static")
    }
    assert routes - PAGES <= set(description["paths"])
    assert set(description["paths"]) - routes == {"/records/{id}/thumbnail"}


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("/api/v1/search?q=human&facet=organism&facet=container:1000&level=image", "SearchAnswer"),
        ("/api/v1/search?q=mitotic&level=study", "SearchAnswer"),
        ("/api/v1/search?size=1000", "SearchAnswer"),
        ("/api/v1/suggest?q=he", "Suggestions"),
        ("/api/v1/fields", "Fields"),
        ("/api/v1/sources", "Sources"),
        ("/api/v1/sources/idr/problems", "SourceProblems"),
        ("/api/v1/sources/idr/runs", "SourceRuns"),
        ("/healthz", "Health"),
        ("/records/idr:huge.json", "Record"),
        ("/records/idr:idr0001-sample-study.json", "Record"),
        ("/api/v1/search?q=a%20AND", "ProblemDetails"),
        ("/api/v1/search?nonsense=1", "ProblemDetails"),
        ("/records/idr:none.json", "ProblemDetails"),
    ],
)
def test_answers_are_as_described(client, description, address, name):
    check(description, name, client.get(address).json)


def test_private_records_are_as_described(member, description):
    check(description, "Record", member.get("/records/private:secretfolder.json").json)


def test_questions_are_as_described(client, description):
    question = {
        "where": {"all": [{"text": "HeLa"}, {"not": {"field": "size_x", "op": ">=", "value": 9}}]},
        "facets": ["organism", {"field": "container", "size": 1000}],
        "level": "image",
        "size": 5,
    }
    check(description, "Question", question)
    answer = client.post("/api/v1/search", json=question)
    assert answer.status_code == 200
    check(description, "SearchAnswer", answer.json)
