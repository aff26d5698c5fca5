"""``/sparql``: the SPARQL 1.1 protocol for programs, and a page with an editor for people."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Blueprint, Response, request

from api import parameters
from api.context import catalogue
from api.problems import MediaTypeRefused, NotAcceptable, ParameterInvalid
from api.sparql_page import query_page
from api.viewers import viewer
from parfocal.errors import QueryInvalid
from parfocal.values import Answer

blueprint = Blueprint("sparql", __name__)
MEDIA_TYPES = {
    "json": "application/sparql-results+json, application/ld+json",
    "xml": "application/sparql-results+xml, application/rdf+xml",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "turtle": "text/turtle",
    "ntriples": "application/n-triples",
    "jsonld": "application/ld+json",
}
_DATASET = ("default-graph-uri", "named-graph-uri")
_ALLOWED = ("query", "format")
_SOLUTIONS = ("json", "xml", "csv", "tsv")
_GRAPHS = ("turtle", "ntriples", "jsonld", "json", "xml")
# General names that are also answered, with the special type of the answer.
_GENERAL = {
    "application/sparql-results+json": ("application/json",),
    "application/sparql-results+xml": ("application/xml", "text/xml"),
    "application/ld+json": ("application/json",),
    "application/rdf+xml": ("application/xml",),
    "text/turtle": ("application/x-turtle",),
    "application/n-triples": ("text/plain",),
}
MAX_QUERY = 100_000


def run(text: str) -> Response:
    """Run a query and return its answer as the asker wants it."""
    if not text.strip():
        raise QueryInvalid("there is no query", hint="send query=SELECT ... or a query as the body")
    form = request.values.get("format", "")
    if form and form not in MEDIA_TYPES:
        raise ParameterInvalid(
            f"'format' cannot be {form[:100]!r}",
            where="format",
            hint=f"one of: {', '.join(MEDIA_TYPES)}",
        )
    accept = MEDIA_TYPES.get(form) or request.headers.get("Accept", "")
    timeout = catalogue().settings.graph.timeout
    answer = catalogue().sparql(text, viewer(), accept=accept, timeout=timeout)
    _refuse_substitute(answer, form)
    response = Response(answer.content, content_type=answer.media_type)
    response.vary.add("Accept")
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


def _refuse_substitute(answer: Answer, form: str) -> None:
    """Refuse an answer in another form than the one that was asked for."""
    graph = answer.kind == "graph"
    what, possible = ("a graph", _GRAPHS) if graph else ("solutions", _SOLUTIONS)
    told = f"one of: format={', '.join(possible)}"
    if form:
        if form not in possible:
            raise ParameterInvalid(f"{what} cannot be written as {form}", where="format", hint=told)
        return
    accepted = request.accept_mimetypes
    names = (answer.media_type, *_GENERAL.get(answer.media_type, ()))
    if accepted and not any(accepted.quality(name) > 0 for name in names):
        raise NotAcceptable(f"{what} cannot be written as {str(accepted)[:200]}", hint=told)


def _refuse_dataset(names: Iterable[str]) -> None:
    for name in names:
        if name in _DATASET:
            raise ParameterInvalid(
                f"{name!r} is not read here; the query itself can choose graphs",
                where=name,
                hint="write FROM <...> or FROM NAMED <...> in the query",
            )


def _browser() -> bool:
    """Whether a person asks, who reads a table rather than JSON."""
    best = request.accept_mimetypes.best_match(
        ["application/sparql-results+json", "text/turtle", "text/csv", "text/html"], default=""
    )
    return best == "text/html" and "format" not in request.args


@blueprint.get("/sparql")
def by_address() -> Response:
    """Answer ``query=`` in the address; a browser gets the page."""
    _refuse_dataset(request.args)
    parameters.refuse_unknown(_ALLOWED)
    text = parameters.text("query", limit=MAX_QUERY)
    if _browser():
        response = query_page(text)
        response.vary.add("Accept")
        return response
    return run(text)


def _form_query() -> str:
    _refuse_dataset(request.form)
    for name in request.form:
        if name not in _ALLOWED:
            raise ParameterInvalid(f"there is no parameter {name[:100]!r} here", where=name[:100])
        if len(request.form.getlist(name)) > 1:
            raise ParameterInvalid(f"{name!r} is given more than once", where=name)
    return request.form.get("query", "")


@blueprint.post("/sparql")
def by_body() -> Response:
    """Answer a query sent as a form or as the body itself; updates are not taken."""
    _refuse_dataset(request.args)
    if request.mimetype == "application/sparql-query":
        parameters.refuse_unknown(("format",))
        try:
            return run(request.get_data().decode("utf-8"))
        except UnicodeDecodeError as error:
            raise QueryInvalid("the query is not UTF-8") from error
    parameters.refuse_unknown(())
    if request.mimetype == "application/x-www-form-urlencoded":
        return run(_form_query())
    raise MediaTypeRefused(
        f"a body of type {request.mimetype[:100] or 'unknown'!r} is not read here",
        hint="send application/sparql-query, or a form with query=",
    )
