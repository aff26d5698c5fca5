"""Which serialisation an ``Accept`` header asks for, for solutions, yes or no, and graphs."""

from __future__ import annotations

from typing import Literal

Kind = Literal["solutions", "boolean", "graph"]

SOLUTIONS = {
    "application/sparql-results+json": "JSON",
    "application/sparql-results+xml": "XML",
    "text/csv": "CSV",
    "text/tab-separated-values": "TSV",
}
GRAPHS = {
    "text/turtle": "TURTLE",
    "application/n-triples": "N_TRIPLES",
    "application/ld+json": "JSON_LD",
    "application/rdf+xml": "RDF_XML",
}
_SAME_SOLUTIONS = {
    "application/json": "application/sparql-results+json",
    "application/xml": "application/sparql-results+xml",
    "text/xml": "application/sparql-results+xml",
}
_SAME_GRAPHS = {
    "application/json": "application/ld+json",
    "application/x-turtle": "text/turtle",
    "text/plain": "application/n-triples",
    "application/xml": "application/rdf+xml",
}


def _wishes(accept: str) -> list[str]:
    """Return the media types of an Accept header, the most wanted first."""
    wishes = []
    for part in accept[:4000].split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip() == "q":
                weight = _weight(value)
        if name and weight > 0:
            wishes.append((-weight, name))
    return [name for _, name in sorted(wishes, key=lambda wish: wish[0])]


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def media_type(accept: str, kind: Kind) -> str:
    """Return the media type to answer with; what nobody can give becomes the usual one.

    >>> media_type("text/html, text/csv;q=0.5", "solutions")
    'text/csv'
    """
    known = GRAPHS if kind == "graph" else SOLUTIONS
    same = _SAME_GRAPHS if kind == "graph" else _SAME_SOLUTIONS
    for wish in _wishes(accept):
        name = same.get(wish, wish)
        if name in known:
            return name
        if name.endswith("/*"):
            found = next((one for one in known if one.startswith(name[:-1])), None)
            if found or name == "*/*":
                return found or next(iter(known))
    return next(iter(known))
