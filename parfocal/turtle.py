"""Turtle by rdflib, with our prefixes alone; apart, because rdflib takes long to load."""

from __future__ import annotations

import re

from rdflib import Graph, URIRef
from rdflib.namespace import NamespaceManager

from parfocal.model import PREFIXES

_LOCAL = re.compile(r"(?:\w|%[0-9A-Fa-f]{2})(?:[\w-]|%[0-9A-Fa-f]{2})*", re.ASCII)
_SPACES = tuple(PREFIXES.items())


class _OurPrefixes(NamespaceManager):
    """Shortens what has one of our prefixes.

    rdflib would make a prefix for any other property, by cutting its address before the last word,
    which may be within a percent-encoded letter; and ``keys:Gene%20Symbol`` it would cut in two.
    """

    def compute_qname(self, uri: str, generate: bool = True) -> tuple[str, URIRef, str]:
        """Return prefix, its address and the rest; KeyError means that it is written in full."""
        for prefix, space in _SPACES:
            if uri.startswith(space) and _LOCAL.fullmatch(uri, len(space)):
                return prefix, URIRef(space), uri[len(space) :]
        raise KeyError(uri)


def turtle(n_triples: bytes) -> bytes:
    """Return N-Triples as Turtle, UTF-8.

    >>> print(turtle(b'<http://x/a> <https://w3id.org/parfocal/keys/Gene%20Symbol> "A" .').decode())
    @prefix keys: <https://w3id.org/parfocal/keys/> .
    <BLANKLINE>
    <http://x/a> keys:Gene%20Symbol "A" .
    <BLANKLINE>
    <BLANKLINE>
    """
    graph = Graph(bind_namespaces="none")
    graph.namespace_manager = _OurPrefixes(graph, bind_namespaces="none")
    graph.parse(data=n_triples, format="nt")
    return bytes(graph.serialize(format="turtle", encoding="utf-8"))
