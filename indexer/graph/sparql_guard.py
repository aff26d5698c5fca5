"""What a SPARQL query may be: read-only, local, not too long, not too deep.

A query is looked at three times: its words here (as it stands, and with unicode escapes resolved),
and its syntax tree by rdflib in the worker. It runs only if none finds SERVICE or an update.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from parfocal.errors import SparqlRefused

MAX_LENGTH = 64 * 1024
MAX_DEPTH = 100

_TOKEN = re.compile(
    r"""
    (?P<comment>\#[^\r\n]*)
  | (?P<iri><[^\x00-\x20<>"{}|^`\\]*>)
  | (?P<long>\"{3}(?:[^"\\]|\\.|\"{1,2}(?!\"))*\"{3}|'{3}(?:[^'\\]|\\.|'{1,2}(?!'))*'{3})
  | (?P<string>"(?:[^"\\\r\n]|\\.)*"|'(?:[^'\\\r\n]|\\.)*')
  | (?P<variable>[?$]\w+)
  | (?P<language>@[A-Za-z]+(?:-[A-Za-z0-9]+)*)
  | (?P<name>[\w.-]*:(?:[\w:.-]|%[0-9A-Fa-f]{2}|\\.)*)
  | (?P<word>[^\W\d]\w*)
  | (?P<open>[{(\[])
  | (?P<close>[})\]])
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})")
_UPDATES = {"LOAD", "CLEAR", "DROP", "ADD", "MOVE", "COPY", "CREATE", "INSERT", "DELETE"}


def place(text: str, position: int) -> str:
    r"""Return where a character stands, for people.

    >>> place("a\nbc", 3)
    'line 2, column 2'
    """
    line = text.count("\n", 0, position) + 1
    return f"line {line}, column {position - text.rfind(chr(10), 0, position)}"


def _unescaped(text: str) -> str:
    def char(match: re.Match[str]) -> str:
        code = int(match[1] or match[2], 16)
        return chr(code) if code < 0x110000 else ""

    return _ESCAPE.sub(char, text)


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    for match in _TOKEN.finditer(text):
        yield match.lastgroup or "", match.group(), match.start()


def _check_words(text: str) -> None:
    depth = 0
    for kind, token, position in _tokens(text):
        if kind == "open":
            depth += 1
        elif kind == "close":
            depth -= 1
        elif kind == "word":
            _check_word(token.upper(), text, position)
        if depth > MAX_DEPTH:
            raise SparqlRefused(
                f"brackets are nested more than {MAX_DEPTH} deep", where=place(text, position)
            )


def _check_word(word: str, text: str, position: int) -> None:
    if word == "SERVICE":
        raise SparqlRefused(
            "SERVICE is not allowed: queries are answered from this catalogue alone",
            where=place(text, position),
            hint="ask the other endpoint from your own program and join the answers there",
        )
    if word in _UPDATES:
        raise SparqlRefused(
            f"{word} is not allowed: the graph can only be read",
            where=place(text, position),
            hint="write SELECT, ASK, CONSTRUCT or DESCRIBE",
        )


def check(text: str) -> None:
    """Raise SparqlRefused, with the place, for what may not run whatever its syntax.

    >>> check("SELECT * { ?s ?p 'SERVICE' } # SERVICE")
    """
    if len(text.encode("utf-8", "replace")) > MAX_LENGTH:
        raise SparqlRefused(f"the query is longer than {MAX_LENGTH // 1024} kB")
    _check_words(text)
    if "\\" in text:
        _check_words(_unescaped(text))


def parse(text: str) -> bool:
    """Parse with rdflib, and say whether the query names its own data set (FROM).

    Raises SparqlRefused, with the place, for what is no query, and for SERVICE.
    """
    from pyparsing.exceptions import ParseBaseException
    from rdflib.plugins.sparql.parser import parseQuery

    try:
        tree = parseQuery(text)
    except ParseBaseException as error:
        raise SparqlRefused(
            f"not a SPARQL query: {error.msg}",
            where=f"line {error.lineno}, column {error.column}",
            hint="a query begins with SELECT, ASK, CONSTRUCT or DESCRIBE",
        ) from error
    except RecursionError as error:
        raise SparqlRefused("the query is nested too deep") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SparqlRefused(f"not a SPARQL query: {error}") from error
    if _has_service(tree):
        raise SparqlRefused("SERVICE is not allowed")
    return bool(tree[1].datasetClause)


def _has_service(tree: Any) -> bool:
    pending = [tree]
    while pending:
        node = pending.pop()
        if getattr(node, "name", "") == "ServiceGraphPattern":
            return True
        if hasattr(node, "values") and callable(node.values):
            pending.extend(node.values())
        if isinstance(node, list) or type(node).__name__ == "ParseResults":
            pending.extend(node)
    return False
