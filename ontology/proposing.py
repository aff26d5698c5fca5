"""Proposing terms for texts that no reader understood: for a curator's eye, never for search."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from rapidfuzz import fuzz, process

from ontology.reading import Reader
from ontology.wording import numbers
from parfocal.fields import FIELDS, field_named
from parfocal.identifiers import Curie
from parfocal.knowledge import Knowledge
from parfocal.query import fold
from parfocal.review import Candidate

_CUTOFF = 60.0
_MOST_NAMES = 150_000
_ELSEWHERE = 0.6
_ALL = tuple(dict.fromkeys(prefix for field in FIELDS for prefix in field.prefixes))


class TermProposer:
    """Looks for terms with similar names, in the field's ontologies and by exact name in all."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge
        self._names: dict[str, dict[str, tuple[str, Curie]]] = {}

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self._knowledge.terms)

    def propose(self, field: str, text: str, limit: int = 5) -> tuple[Candidate, ...]:
        """Return the likeliest terms first, each once."""
        found: dict[Curie, Candidate] = {}
        for one in (*self._read(field, text), *self._elsewhere(text), *self._similar(field, text)):
            best = found.get(one.term)
            if best is None or one.score > best.score:
                found[one.term] = one
        return tuple(sorted(found.values(), key=lambda one: (-one.score, one.term))[:limit])

    def _read(self, field: str, text: str) -> Iterator[Candidate]:
        known = field_named(field)
        for one in self._reader.read(known, text) if known else ():
            yield Candidate(one.term, one.label, one.method, one.score)

    def _elsewhere(self, text: str) -> Iterator[Candidate]:
        """Yield terms of that very name in ontologies that the field does not look at."""
        for match in self._knowledge.terms.find(text, _ALL):
            yield Candidate(match.curie, match.label, match.method, _ELSEWHERE)

    def _similar(self, field: str, text: str) -> Iterator[Candidate]:
        names = self._of_field(field)
        near = process.extract(
            fold(text), names.keys(), scorer=fuzz.token_sort_ratio, limit=20, score_cutoff=_CUTOFF
        )
        said = numbers(text)
        for name, likeness, _ in near:
            if not numbers(name) <= said:
                continue
            label, curie = names[name]
            yield Candidate(curie, label, "similar", round(0.8 * likeness / 100, 3))

    def _of_field(self, name: str) -> dict[str, tuple[str, Curie]]:
        if name not in self._names:
            field = field_named(name)
            held: dict[str, tuple[str, Curie]] = {}
            for prefix in field.prefixes if field else ():
                for curie, _, text in self._knowledge.terms.names(prefix):
                    if len(held) >= _MOST_NAMES:
                        break
                    held.setdefault(fold(text), (self._label(curie) or text, curie))
            self._names[name] = held
        return self._names[name]

    def _label(self, curie: Curie) -> str:
        term = self._knowledge.terms.get(curie)
        return term.label if term else ""
