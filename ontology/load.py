"""Reading an ontology file of any kind: pronto first, then the tolerant readers."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from ontology.document import Document
from ontology.functional import read_functional
from ontology.graphs import read_json
from ontology.obo import read_obo
from ontology.opening import open_bytes, sniff
from ontology.owl import read_owl
from ontology.pronto_reader import MAX_BYTES, ProntoRefused, read_by_pronto
from ontology.table import read_table

_TOLERANT = {
    "obo": read_obo,
    "owl": read_owl,
    "functional": read_functional,
    "json": read_json,
    "table": read_table,
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
    document = _TOLERANT[kind](open_bytes(path), path)
    if refusal:
        document.skipped.note(refusal)
    return document


def bundled() -> tuple[Path, ...]:
    """Return the tables of terms that parfocal ships, for a start without network."""
    folder = resources.files("ontology") / "data"
    return tuple(
        sorted(Path(str(item)) for item in folder.iterdir() if item.name.endswith(".tsv.gz"))
    )
