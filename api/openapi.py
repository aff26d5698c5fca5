"""``/openapi.json``: the API described as OpenAPI 3.1."""

from __future__ import annotations

from functools import cache
from typing import Any

from flask import Blueprint, Response

from api import parameters
from api.addresses import TREES
from api.context import base_url, conditional
from api.records import formats
from api.schemas import COUNT, LEVELS, TEXT, Schema, components, ref
from api.search import FORMATS, json_response
from api.sparql import MEDIA_TYPES
from parfocal import __version__

blueprint = Blueprint("openapi", __name__)
_PROBLEM = {"application/problem+json": {"schema": ref("ProblemDetails")}}
_SPARQL = ("application/sparql-results+json", "application/sparql-results+xml", "text/csv")
_SPARQL_TYPES = (*_SPARQL, "text/tab-separated-values", "text/turtle", "application/n-triples")


def _parameter(name: str, sentence: str, schema: Schema, where: str = "query") -> Schema:
    made = {"name": name, "in": where, "description": sentence, "schema": schema}
    return {**made, "required": True} if where == "path" else made


def _answer(sentence: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"200": {"description": sentence, "content": content}}


def _json(name: str) -> dict[str, Any]:
    return {"application/json": {"schema": ref(name)}}


def _operation(
    name: str, sentence: str, answer: dict[str, Any], *given: Schema, **more: Any
) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": name,
        "summary": sentence,
        "responses": {**answer, "default": {"description": "A problem.", "content": _PROBLEM}},
        **more,
    }
    return {**made, "parameters": list(given)} if given else made


def _search() -> dict[str, Any]:
    size = {"type": "integer", "minimum": 0, "maximum": parameters.MAX_SIZE, "default": 20}
    answer = _answer(
        "A page of hits; as jsonl or csv every hit.",
        {
            "application/json": {"schema": ref("SearchAnswer")},
            FORMATS["jsonl"]: {"schema": TEXT},
            FORMATS["csv"]: {"schema": TEXT},
        },
    )
    given = (
        _parameter("q", "The query as text.", {**TEXT, "maxLength": parameters.MAX_TEXT}),
        _parameter("level", "What the hits are.", {"enum": ["any", *LEVELS], "default": "any"}),
        {
            **_parameter(
                "facet", "A field to count values of: organism, container:1000; may repeat.", {}
            ),
            "schema": {"type": "array", "items": TEXT},
            "explode": True,
        },
        _parameter("sort", "relevance, id, or a number or date field; -date descends.", TEXT),
        _parameter("size", "Hits a page.", size),
        _parameter("after", "Token of the next page, from the answer before.", TEXT),
        _parameter("expand", "How far words reach.", {"enum": ["none", "synonyms", "subclasses"]}),
        _parameter(
            "collapse",
            "With level study, list what is one data set in several sources once.",
            {"enum": ["true", "false"], "default": "false"},
        ),
        _parameter("format", "How the answer is written.", {"enum": list(FORMATS)}),
    )
    body = {"required": True, "content": _json("Question")}
    return {
        "get": _operation("search", "Search by text.", answer, *given),
        "post": _operation(
            "searchByJson",
            "Search by the JSON form.",
            _answer("A page of hits.", _json("SearchAnswer")),
            requestBody=body,
        ),
    }


def _tree() -> dict[str, Any]:
    given = (
        _parameter("name", "A field of terms that is a facet.", {"enum": list(TREES)}, "path"),
        _parameter("q", "The query as text.", {**TEXT, "maxLength": parameters.MAX_TEXT}),
        _parameter("level", "What is counted.", {"enum": ["any", *LEVELS], "default": "any"}),
        _parameter("expand", "How far words reach.", {"enum": ["none", "synonyms", "subclasses"]}),
    )
    answer = _answer("The terms of the hits, counted at each level.", _json("FacetTree"))
    return {"get": _operation("facetTree", "A facet's terms as a tree.", answer, *given)}


def _review() -> dict[str, Any]:
    field = _parameter("field", "Only texts of this field.", TEXT)
    size = _parameter("size", "How many.", {"type": "integer", "minimum": 1, "maximum": 100})
    after = _parameter("after", "Token of the next page, from the answer before.", TEXT)
    texts = _answer("Texts without a term, with candidates.", _json("OpenTexts"))
    decisions = _answer("All decisions, in order.", _json("Decisions"))
    body = {"required": True, "content": _json("Decision")}
    made = _answer("The decision, or how many were taken back.", _json("Decided"))
    return {
        "/api/v1/review": {
            "get": _operation("review", "Texts that wait for a curator.", texts, field, size, after)
        },
        "/api/v1/review/decisions": {
            "get": _operation("decisions", "What curators decided.", decisions),
            "post": _operation("decide", "Decide on a text.", made, requestBody=body),
        },
    }


def _sparql() -> dict[str, Any]:
    form = _parameter("format", "Overrides the Accept header.", {"enum": list(MEDIA_TYPES)})
    answer = _answer("The answer.", {kind: {"schema": TEXT} for kind in _SPARQL_TYPES})
    body = {
        "required": True,
        "content": {
            "application/sparql-query": {"schema": TEXT},
            "application/x-www-form-urlencoded": {
                "schema": {"type": "object", "properties": {"query": TEXT, "format": TEXT}}
            },
        },
    }
    query = _parameter("query", "A SELECT, ASK, CONSTRUCT or DESCRIBE query.", TEXT)
    return {
        "get": _operation("sparql", "Ask the graph.", answer, query, form),
        "post": _operation("sparqlByBody", "Ask the graph.", answer, form, requestBody=body),
    }


def _record_paths() -> dict[str, Any]:
    identifier = _parameter(
        "id", "Identifier source:name; slashes in it stay slashes.", TEXT, "path"
    )
    kinds: dict[str, Any] = {form.media_type: {"schema": TEXT} for form in formats().values()}
    kinds |= {"text/html": {"schema": TEXT}, **_json("Record")}
    size = _parameter("size", "Longest side in pixels.", {"enum": ["128", "256", "512"]})
    fallback = _parameter("fallback", "What to give without a picture.", {"enum": ["pattern"]})
    picture = {"image/png": {"schema": {"type": "string", "contentMediaType": "image/png"}}}
    sentence = "One record; .json, .jsonld, .ttl or .nt after the identifier choose its form."
    return {
        "/records/{id}": {
            "get": _operation(
                "record", sentence, _answer("The record, by Accept header.", kinds), identifier
            )
        },
        "/records/{id}/thumbnail": {
            "get": _operation(
                "thumbnail",
                "A small picture of an image.",
                _answer("The picture.", picture),
                identifier,
                size,
                fallback,
            )
        },
    }


def _paths() -> dict[str, Any]:
    name = _parameter("name", "Name of the source.", TEXT, "path")
    size = {"type": "integer", "minimum": 1, "maximum": 50, "default": 10}
    health = _answer("All parts answer.", _json("Health"))
    health |= {"503": {"description": "A part does not answer.", "content": _json("Health")}}
    return {
        "/api/v1/search": _search(),
        "/api/v1/facets/{name}": _tree(),
        **_review(),
        "/api/v1/suggest": {
            "get": _operation(
                "suggest",
                "Complete a beginning.",
                _answer("Completions that find something.", _json("Suggestions")),
                _parameter("q", "The beginning.", {**TEXT, "maxLength": 200}),
                _parameter("limit", "How many at most.", size),
            )
        },
        "/api/v1/fields": {
            "get": _operation(
                "fields", "Searchable fields.", _answer("The fields.", _json("Fields"))
            )
        },
        "/api/v1/sources": {
            "get": _operation("sources", "Sources.", _answer("The sources.", _json("Sources")))
        },
        "/api/v1/sources/{name}/runs": {
            "get": _operation(
                "runs",
                "The last runs over a source, newest first.",
                _answer("Runs.", _json("SourceRuns")),
                name,
                _parameter("size", "Runs to return.", COUNT),
            )
        },
        "/api/v1/sources/{name}/problems": {
            "get": _operation(
                "problems",
                "What the last run of a source could not read.",
                _answer("A page of problems.", _json("SourceProblems")),
                name,
                _parameter("after", "Number to go on after.", COUNT),
                _parameter("size", "Problems a page.", COUNT),
            )
        },
        **_record_paths(),
        "/sparql": _sparql(),
        "/context.jsonld": {
            "get": _operation(
                "context",
                "The JSON-LD context of all records.",
                _answer("The context.", {"application/ld+json": {"schema": {"type": "object"}}}),
            )
        },
        "/healthz": {"get": _operation("health", "State of the server.", health)},
    }


@cache
def description() -> dict[str, Any]:
    """Return the description without the server's address."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "parfocal",
            "version": __version__,
            "summary": "Find bioimages across archives by what they mean.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": _paths(),
        "components": {
            "schemas": components(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """Return the description of this API."""
    parameters.refuse_unknown(())
    response = json_response({**description(), "servers": [{"url": base_url()}]})
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.add_etag()
    return conditional(response)
