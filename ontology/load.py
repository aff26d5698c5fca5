"""Reading an ontology file of any kind: pronto first, then the tolerant readers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import BinaryIO

from ontology.document import Document
from ontology.functional import read_functional
from ontology.graphs import read_json
from ontology.obo import read_obo
from ontology.opening import Kind, open_bytes, sniff
from ontology.owl import read_owl
from ontology.pronto_reader import MAX_BYTES, ProntoRefused, read_by_pronto
from ontology.table import read_table
from ontology.turtle import read_turtle
from parfocal.values import TermInfo

_TOLERANT = {
    "obo": read_obo,
    "owl": read_owl,
    "functional": read_functional,
    "json": read_json,
    "table": read_table,
    "turtle": read_turtle,
}


def read(path: Path) -> Document:
    """Open an ontology file; OntologyInvalid says what is wrong with it and where.

    OBO and OWL in RDF/XML go to pronto first; what it refuses goes to the tolerant readers, and
    ``skipped`` tells why. The terms of a streamed file may still raise while they are walked.
    """
    kind = sniff(path)
    refusal = ""
    if kind in ("obo", "owl"):
        with open_bytes(path) as stream:
            content = stream.read(MAX_BYTES + 1)
        if len(content) <= MAX_BYTES:
            try:
                return read_by_pronto(content, path)
            except ProntoRefused as error:
                refusal = f"pronto refused the file ({error})"
        else:
            refusal = "the file is too large for pronto"
        del content
    document = _read_tolerantly(kind, path)
    if refusal:
        document.skipped.note(refusal)
    return document


def _read_tolerantly(kind: Kind, path: Path) -> Document:
    with ExitStack() as stack:
        stream = stack.enter_context(open_bytes(path))
        document = _TOLERANT[kind](stream, path)
        document.terms = _closing(stream, document.terms)
        stack.pop_all()
    return document


def _closing(stream: BinaryIO, terms: Iterator[TermInfo]) -> Iterator[TermInfo]:
    """Yield the terms and close the file after the last one, or after an error."""
    with closing(stream):
        yield from terms
