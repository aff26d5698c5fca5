"""What curators of the harvested archives agree that a text means.

Learned from curated claims, study by study; used where an archive gives words without accessions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from ontology.wording import squash
from parfocal.identifiers import Curie

AGREEMENT = 0.6
"""Share of the studies that must say the same."""


class Learned(Struct, frozen=True):
    """A term that curators gave a text, with the number of studies for it and for any term."""

    term: Curie
    support: int
    studies: int

    @property
    def agreement(self) -> float:
        """Share of the studies that say so."""
        return self.support / self.studies


class Mappings:
    """Learned mappings: (field, wording) to terms with the studies whose curators say so."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, str], dict[Curie, set[str]]] = {}

    def learn(self, field: str, text: str, term: Curie, study: str) -> None:
        """Count one study's word for a text."""
        wording = squash(text)
        if wording:
            self._said.setdefault((field, wording), {}).setdefault(term, set()).add(study)

    def find(
        self, field: str, text: str, prefixes: Sequence[str], *, without: Iterable[str] = ()
    ) -> Learned | None:
        """Return what most studies agree on, leaving out some studies; None when they do not."""
        left_out = frozenset(without)
        votes = {
            term: len(studies - left_out)
            for term, studies in self._said.get((field, squash(text)), {}).items()
            if term.partition(":")[0] in prefixes
        }
        total = sum(votes.values())
        if not total:
            return None
        term = max(sorted(votes), key=lambda each: votes[each])
        found = Learned(term, votes[term], total)
        return found if found.agreement >= AGREEMENT else None

    def __len__(self) -> int:
        """Return the number of wordings known."""
        return len(self._said)
