"""``/api/v1/search``, ``/suggest`` and ``/fields``: parse, one call, print."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

import msgspec
from flask import Blueprint, Response, stream_with_context

from api import parameters, shapes
from api.context import catalogue
from api.problems import ParameterInvalid
from api.viewers import viewer
from parfocal.answers import Hit
from parfocal.errors import QueryInvalid
from parfocal.query import Query
from parfocal.query_json import parse_json

blueprint = Blueprint("search", __name__, url_prefix="/api/v1")
FORMATS = {"json": "application/json", "jsonl": "application/x-ndjson", "csv": "text/csv"}
ROWS_A_CHUNK = 200


def json_response(value: Any, status: int = 200) -> Response:
    """Return a value as JSON."""
    return Response(msgspec.json.encode(value), status, mimetype="application/json")


def _csv(hits: Iterator[Hit]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(shapes.COLUMNS)
    for number, found in enumerate(hits, 1):
        writer.writerow(shapes.row(found))
        if number % ROWS_A_CHUNK == 0:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _stream(query: Query, form: str) -> Response:
    """Stream every hit; the first one is fetched before the status is sent, so that errors show."""
    hits = catalogue().stream(query, viewer())
    rest = chain(list(islice(hits, 1)), hits)
    body: Iterator[str] | Iterator[bytes] = _csv(rest) if form == "csv" else shapes.lines(rest)
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
    return json_response(shapes.search_answer(query, parameters.text("q"), answer))


@blueprint.post("/search")
def by_body() -> Response:
    """Answer a query given as JSON."""
    parameters.refuse_unknown(())
    try:
        asked = msgspec.json.decode(parameters.json_body())
    except (msgspec.DecodeError, RecursionError) as error:
        raise QueryInvalid(f"the body is not JSON: {error}", hint="send a JSON object") from error
    query = parse_json(asked)
    answer = catalogue().search(query, viewer())
    return json_response(shapes.search_answer(query, None, answer))


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
