"""The tables of terms that parfocal ships: ids, labels, exact synonyms and is_a, tab-separated.

The first line is ``#parfocal-terms<TAB>name<TAB>version``; each other line holds id, label,
synonyms and parents, several of them separated by ``|``; a fifth cell may hold what it is part of.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import BinaryIO

from ontology.document import Document, Skipped
from parfocal.errors import OntologyInvalid
from parfocal.identifiers import Curie
from parfocal.mappings import read_sssom
from parfocal.prefixes import curie_of
from parfocal.values import TermInfo

MAGIC = "#parfocal-terms"


def bundled() -> tuple[Path, ...]:
    """Return the tables of terms that parfocal ships, for a start without network."""
    folder = resources.files("ontology") / "data"
    return tuple(
        sorted(Path(str(item)) for item in folder.iterdir() if item.name.endswith(".tsv.gz"))
    )


def read_table(stream: BinaryIO, path: Path) -> Document:
    """Read a table of terms from its bytes."""
    lines = io.TextIOWrapper(stream, encoding="utf-8", errors="replace")
    header = lines.readline().rstrip("\n").split("\t")
    if len(header) != 3 or header[0] != MAGIC or not header[1]:
        raise OntologyInvalid(
            "the first line names no ontology and version",
            where=str(path),
            hint=f"{MAGIC} NAME VERSION",
        )
    skipped = Skipped()
    return Document(
        name=header[1],
        version=header[2],
        reader="table",
        terms=_terms(lines, header[1], skipped),
        skipped=skipped,
    )


def common_names() -> Document:
    """Return names that people use and ontologies lack, as synonyms of the terms."""
    path = Path(str(resources.files("ontology") / "data" / "names.sssom.tsv"))
    names: dict[tuple[Curie, str], dict[str, None]] = {}
    for one in read_sssom(path):
        if one.term is not None:
            names.setdefault((one.term, one.label), {})[one.text] = None
    return Document(
        name="names",
        version=hashlib.blake2b(path.read_bytes(), digest_size=4).hexdigest(),
        reader="table",
        terms=iter(
            [
                TermInfo(curie, label, "names", tuple(("EXACT", text) for text in texts))
                for (curie, label), texts in names.items()
            ]
        ),
        skipped=Skipped(),
    )


def _terms(lines: Iterator[str], ontology: str, skipped: Skipped) -> Iterator[TermInfo]:
    for number, line in enumerate(lines, start=2):
        cells = line.rstrip("\n").split("\t")
        curie = curie_of(cells[0])
        if curie is None or len(cells) not in (4, 5):
            skipped.note("row that is not id, label, synonyms, parents, wholes", f"line {number}")
            continue
        yield TermInfo(
            curie=curie,
            label=cells[1],
            ontology=ontology,
            synonyms=tuple(("EXACT", text) for text in cells[2].split("|") if text),
            parents=_curies(cells[3]),
            part_of=_curies(cells[4]) if len(cells) == 5 else (),
        )


def _curies(cell: str) -> tuple[Curie, ...]:
    return tuple(Curie(curie) for curie in cell.split("|") if curie)
