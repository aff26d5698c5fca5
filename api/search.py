"""``/api/v1/search``, ``/suggest`` and ``/fields``: parse, one call, print."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

import msgspec
from flask import Blueprint, Response, request, stream_with_context

from api import parameters
from api.context import catalogue
from api.problems import ParameterInvalid
from api.viewers import viewer
from parfocal import shapes
from parfocal.catalogue import Suggestion
from parfocal.fields import field_named
from parfocal.formats import csv_rows, jsonl_rows
from parfocal.query import Query
from parfocal.query_json import read_json

blueprint = Blueprint("search", __name__, url_prefix="/api/v1")
FORMATS = {"json": "application/json", "jsonl": "application/x-ndjson", "csv": "text/csv"}


def json_response(value: Any, status: int = 200) -> Response:
    """Return a value as JSON."""
    return Response(msgspec.json.encode(value), status, mimetype="application/json")


def _stream(query: Query, form: str) -> Response:
    """Stream every hit; the first one is fetched before the status is sent, so that errors show."""
    hits = catalogue().stream(query, viewer())
    rest = chain(list(islice(hits, 1)), hits)
    body = csv_rows(rest) if form == "csv" else jsonl_rows(rest)
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
        for name in ("after", "size", "facet"):
            if request.args.get(name):
                raise ParameterInvalid(
                    f"{form} gives every hit and nothing else", where=name, hint="leave it out"
                )
        return _stream(query, form)
    answer = catalogue().search(query, viewer())
    return json_response(shapes.search_answer(query, parameters.text("q"), answer))


@blueprint.post("/search")
def by_body() -> Response:
    """Answer a query given as JSON."""
    parameters.refuse_unknown(())
    query = read_json(parameters.json_body())
    answer = catalogue().search(query, viewer())
    return json_response(shapes.search_answer(query, None, answer))


def _beginnings(text: str) -> Iterator[tuple[str, str]]:
    """Yield what may be completed and the field of it: all, then the last part, the last word."""
    yield "", text
    part = re.search(r'(?:(\w+):)?"?([^():"]*)$', text)
    if part is None:
        return
    pieces = re.split(r"\b(?:AND|OR|NOT)\b|(?:^|\s)-", part[2])
    field = field_named(part[1]) if part[1] and len(pieces) == 1 else None
    yield field.name if field else "", pieces[-1]
    yield "", pieces[-1].rpartition(" ")[2]


def _suggestions(text: str, limit: int) -> tuple[Suggestion, ...]:
    """Return completions of the whole text, else of its last part, else of its last word."""
    for field, beginning in _beginnings(text):
        found = catalogue().suggest(beginning, viewer(), 50 if field else limit)
        kept = tuple(one for one in found if not field or one.field == field)
        if kept:
            return kept[:limit]
    return ()


@blueprint.get("/suggest")
def suggest() -> Response:
    """Return what a beginning could become."""
    parameters.refuse_unknown(("q", "limit"))
    limit = parameters.number("limit", 10, 1, 50)
    prefix = parameters.text("q", limit=200)
    found = _suggestions(prefix, limit)
    return json_response({"suggestions": [msgspec.structs.asdict(one) for one in found]})


@blueprint.get("/fields")
def fields() -> Response:
    """Return the table of searchable fields."""
    parameters.refuse_unknown(())
    return json_response({"fields": [msgspec.structs.asdict(f) for f in catalogue().fields()]})
