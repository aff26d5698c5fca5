"""What curators here decided about texts: accepted, rejected, not a term."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources
from pathlib import Path

from parfocal.identifiers import Curie
from parfocal.mappings import Mapping, read_sssom
from parfocal.query import fold


@cache
def shipped_names() -> Decisions:
    """Return names that people use and ontologies lack: parfocal's own mapping file."""
    return Decisions(read_sssom(Path(str(resources.files("ontology") / "data/names.sssom.tsv"))))


class Decisions:
    """Decisions by field and text, case ignored; one about every field counts where none is nearer.

    A later decision about the same thing replaces an earlier one.
    """

    def __init__(self, mappings: Iterable[Mapping] = ()) -> None:
        self._terms: dict[tuple[str, str], Curie] = {}
        self._no_terms: set[tuple[str, str]] = set()
        self._rejected: set[tuple[str, str, Curie]] = set()
        for one in mappings:
            self._add(one)

    def _add(self, one: Mapping) -> None:
        place = one.field, fold(one.text)
        if one.term is None:
            self._no_terms.add(place)
            self._terms.pop(place, None)
        elif one.negated:
            self._rejected.add((*place, one.term))
        else:
            self._terms[place] = one.term
            self._no_terms.discard(place)

    def find(self, field: str, text: str) -> Curie | None:
        """Return the term that was accepted for a text, or None."""
        wording = fold(text)
        return self._terms.get((field, wording)) or self._terms.get(("", wording))

    def of_field(self, field: str) -> Iterator[tuple[tuple[str, str], Curie]]:
        """Yield ((field, text), term) of all that was accepted in a field."""
        return ((place, term) for place, term in self._terms.items() if place[0] == field)

    def is_no_term(self, field: str, text: str) -> bool:
        """Whether somebody decided that a text is no term."""
        wording = fold(text)
        return (field, wording) in self._no_terms or (
            ("", wording) in self._no_terms and (field, wording) not in self._terms
        )

    def is_rejected(self, field: str, text: str, term: Curie) -> bool:
        """Whether somebody decided that a text does not mean a term."""
        wording = fold(text)
        return not self._rejected.isdisjoint(((field, wording, term), ("", wording, term)))
