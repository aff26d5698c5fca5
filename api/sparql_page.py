"""The page around the SPARQL editor: examples, the answer as a table, limits, a permalink."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import msgspec
from flask import Response, render_template
from msgspec import Struct

from api.context import catalogue
from api.viewers import viewer
from api.words import shortened
from parfocal.errors import ParfocalError
from parfocal.model import PREFIXES
from parfocal.values import Answer

ROWS_SHOWN = 200
TEXT_SHOWN = 30_000
CELL_SHOWN = 300

EXAMPLES = (
    (
        "Studies and how many records lie in each",
        "SELECT ?study ?title (COUNT(?part) AS ?parts) WHERE {\n"
        "  ?study a schema:Dataset ; schema:name ?title .\n"
        "  ?part schema:isPartOf ?study .\n"
        "} GROUP BY ?study ?title ORDER BY DESC(?parts) LIMIT 20\n",
    ),
    (
        "Terms that annotations mean, most frequent first",
        "SELECT ?term ?label (COUNT(?claim) AS ?claims) WHERE {\n"
        "  ?claim oa:hasBody ?term ; rdfs:label ?label .\n"
        "} GROUP BY ?term ?label ORDER BY DESC(?claims) LIMIT 20\n",
    ),
    (
        "One key of the source, with its values",
        "SELECT ?value (COUNT(?record) AS ?records) WHERE {\n"
        "  ?record keys:Gene%20Symbol ?value .\n"
        "} GROUP BY ?value ORDER BY DESC(?records) LIMIT 20\n",
    ),
    (
        "Images at least 512 pixels wide",
        "SELECT ?image ?title ?width WHERE {\n"
        "  ?image a ome:Image ; ome:SizeX ?width ; schema:name ?title .\n"
        "  FILTER(?width >= 512)\n"
        "} ORDER BY DESC(?width) LIMIT 20\n",
    ),
)
_NAMES = ("schema", "oa", "rdfs", "ome", "keys", "parfocal")
_PREFIXES = "".join(f"PREFIX {name}: <{PREFIXES[name]}>\n" for name in _NAMES)


class Cell(Struct, frozen=True):
    """One value of a table of results."""

    text: str
    link: str = ""


class Table(Struct, frozen=True):
    """Results to show; ``left`` rows are not shown."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    left: int = 0
    text: str = ""
    truth: str = ""


def _compact(iri: str) -> str:
    """Return an IRI by its prefix, if it has one here."""
    for name, space in PREFIXES.items():
        if iri.startswith(space) and len(iri) > len(space):
            return f"{name}:{iri[len(space) :]}"
    return iri


def _cell(binding: Any) -> Cell:
    if not binding:
        return Cell("")
    value = str(binding.get("value", ""))
    if binding.get("type") == "uri" and value.startswith(("http://", "https://")):
        return Cell(shortened(_compact(value), CELL_SHOWN), value)
    return Cell(shortened(value, CELL_SHOWN))


def _table(answer: Answer) -> Table:
    if answer.kind == "graph":
        text = answer.content[: TEXT_SHOWN * 4].decode("utf-8", "ignore")[:TEXT_SHOWN]
        return Table(text=text)
    found = msgspec.json.decode(answer.content)
    if answer.kind == "boolean":
        return Table(truth="Yes" if found["boolean"] else "No")
    columns = tuple(found["head"]["vars"])
    bindings = found["results"]["bindings"]
    rows = tuple(
        tuple(_cell(row.get(column)) for column in columns) for row in bindings[:ROWS_SHOWN]
    )
    return Table(columns, rows, max(len(bindings) - ROWS_SHOWN, 0))


def query_page(text: str) -> Response:
    """Return the page, with the answer when there is a query."""
    table, error = None, None
    if text.strip():
        accept = "application/sparql-results+json, text/turtle;q=0.9"
        timeout = catalogue().settings.graph.timeout
        try:
            table = _table(catalogue().sparql(text, viewer(), accept=accept, timeout=timeout))
        except ParfocalError as failed:
            error = failed
    page = render_template(
        "sparql.html",
        query=text or _PREFIXES + EXAMPLES[0][1],
        asked=bool(text.strip()),
        table=table,
        error=error,
        examples=[
            (name, "/sparql?" + urlencode({"query": _PREFIXES + body})) for name, body in EXAMPLES
        ],
        prefixes=PREFIXES,
        limits=catalogue().settings.graph,
        downloads="/sparql?" + urlencode({"query": text}),
    )
    return Response(page, error.status if error else 200, mimetype="text/html")
