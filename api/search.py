"""``/api/v1/search``, ``/suggest`` and ``/fields``: parse, one call, print."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

import msgspec
from flask import Blueprint, Response, stream_with_context

from api import parameters
from api.context import catalogue, thumbnail_address
from api.problems import ParameterInvalid
from api.viewers import viewer
from parfocal import shapes
from parfocal.answers import Hit, SearchAnswer
from parfocal.formats import csv_rows
from parfocal.query import Query
from parfocal.query_json import read_json

blueprint = Blueprint("search", __name__, url_prefix="/api/v1")
FORMATS = {"json": "application/json", "jsonl": "application/x-ndjson", "csv": "text/csv"}


def json_response(value: Any, status: int = 200) -> Response:
    """Return a value as JSON."""
    return Response(msgspec.json.encode(value), status, mimetype="application/json")


def hit_shape(found: Hit) -> dict[str, Any]:
    """Return a hit with the address of its picture here, if this server can draw it."""
    return {**shapes.hit(found), "thumbnail": thumbnail_address(found.record)}


def answer_shape(query: Query, text: str | None, answer: SearchAnswer) -> dict[str, Any]:
    """Return an answer as the API gives it."""
    shape = shapes.search_answer(query, text, answer)
    return {**shape, "hits": [hit_shape(found) for found in answer.hits]}


def _lines(hits: Iterator[Hit]) -> Iterator[bytes]:
    for found in hits:
        yield msgspec.json.encode(hit_shape(found)) + b"\n"


def _stream(query: Query, form: str) -> Response:
    """Stream every hit; the first one is fetched before the status is sent, so that errors show."""
    hits = catalogue().stream(query, viewer())
    rest = chain(list(islice(hits, 1)), hits)
    body = csv_rows(rest) if form == "csv" else _lines(rest)
    response = Response(stream_with_context(body), mimetype=FORMATS[form])
    response.headers["Content-Disposition"] = f'attachment; filename="parfocal.{form}"'
    return response


@blueprint.get("/search")
def by_address() -> Response:
    """Answer a query given in the address."""
    parameters.refuse_unknown(parameters.SEARCH, repeated=("facet",))
    form = parameters.choice("format", "json", tuple(FORMATS))
    query = parameters.search_query()
    if form != "json":
        if query.after is not None:
            raise ParameterInvalid(
                f"{form} gives every hit, so it has no pages", where="after", hint="leave it out"
            )
        return _stream(query, form)
    answer = catalogue().search(query, viewer())
    return json_response(answer_shape(query, parameters.text("q"), answer))


@blueprint.post("/search")
def by_body() -> Response:
    """Answer a query given as JSON."""
    parameters.refuse_unknown(())
    query = read_json(parameters.json_body())
    answer = catalogue().search(query, viewer())
    return json_response(answer_shape(query, None, answer))


@blueprint.get("/suggest")
def suggest() -> Response:
    """Return what a beginning could become."""
    parameters.refuse_unknown(("q", "limit"))
    limit = parameters.number("limit", 10, 1, 50)
    prefix = parameters.text("q", limit=200)
    found = catalogue().suggest(prefix, viewer(), limit) if prefix.strip() else ()
    return json_response({"suggestions": [msgspec.structs.asdict(one) for one in found]})


@blueprint.get("/fields")
def fields() -> Response:
    """Return the table of searchable fields."""
    parameters.refuse_unknown(())
    return json_response({"fields": [msgspec.structs.asdict(f) for f in catalogue().fields()]})
