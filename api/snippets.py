"""The request behind a page, as a programmer would send it: API call, curl, Python, SPARQL."""

from __future__ import annotations

import shlex
from urllib.parse import urlencode

from msgspec import Struct

from api.context import base_url
from api.sparql_text import as_sparql
from parfocal.answers import SearchAnswer
from parfocal.query import Query
from parfocal.query_print import format_clause

_PYTHON = """\
import json
from urllib.parse import urlencode
from urllib.request import urlopen

question = {question}
with urlopen({address} + "?" + urlencode(question)) as answer:
    result = json.load(answer)
print(result["total"])
for hit in result["hits"]:
    print(hit["id"], hit["title"])
"""


class Snippets(Struct, frozen=True):
    """One question in four languages, and the addresses of the whole list."""

    text: str
    api: str
    curl: str
    python: str
    sparql: str
    csv: str
    jsonl: str


def snippets(query: Query, answer: SearchAnswer) -> Snippets:
    """Return the page's query for programs."""
    text = format_clause(query.where)
    given = {"q": text, "level": query.level}
    if query.expand != "subclasses":
        given["expand"] = query.expand
    if query.collapse:
        given["collapse"] = "true"
    if query.sort.by != "relevance":
        given["sort"] = ("-" if query.sort.descending else "") + query.sort.by
    path = "/api/v1/search"
    address = base_url() + path
    return Snippets(
        text=text,
        api=f"{address}?{urlencode(given)}",
        curl=f"curl {shlex.quote(address + '?' + urlencode(given))}",
        python=_PYTHON.format(question=repr(given), address=repr(address)),
        sparql=as_sparql(answer.where),
        csv=f"{path}?{urlencode({**given, 'format': 'csv'})}",
        jsonl=f"{path}?{urlencode({**given, 'format': 'jsonl'})}",
    )
