"""What people call terms that no loaded ontology names so: short species, parfocal's own table."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from ontology.decisions import shipped_names
from ontology.species import species
from parfocal.fields import FIELDS
from parfocal.identifiers import Curie
from parfocal.query import fold

# In a field they mean the organism; in a question they are words like others.
_PLAIN_WORDS = frozenset(("man", "patient"))


def nicknamed(text: str) -> Iterator[Curie]:
    """Yield the terms that people call so.

    >>> list(nicknamed("S. pombe")), list(nicknamed("U-2 OS")), list(nicknamed("patient"))
    (['NCBITaxon:4896'], ['EFO:0002869'], [])
    """
    wording = fold(text)
    if wording in _PLAIN_WORDS:
        return
    yield from _table().get(wording, ())
    short = species(text)
    if short is not None:
        yield short


@cache
def _table() -> dict[str, tuple[Curie, ...]]:
    names: dict[str, dict[Curie, None]] = {}
    for field in FIELDS:
        for (_, text), term in shipped_names().of_field(field.name):
            names.setdefault(text, {})[term] = None
    return {text: tuple(terms) for text, terms in names.items()}
