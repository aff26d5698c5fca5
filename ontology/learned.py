"""What curators of the harvested archives agree that a text means.

Learned from curated claims, study by study; used where an archive gives words without accessions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec import Struct

from ontology.wording import squash
from parfocal.identifiers import Curie
from parfocal.mappings import Mapping

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


_STUDIES = "studies: "


def taught_by(mappings: Iterable[Mapping]) -> Mappings:
    """Return what a file of learned mappings holds."""
    learned = Mappings()
    for one in mappings:
        studies = one.comment.removeprefix(_STUDIES).split("|")
        for study in studies if one.term is not None else ():
            learned.learn(one.field, one.text, Curie(str(one.term)), study)
    return learned


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

    def mappings(self, label: Callable[[Curie], str]) -> Iterator[Mapping]:
        """Yield what all studies that had a text agree on, as a mapping file keeps it."""
        for (field, wording), said in sorted(self._said.items()):
            total = sum(map(len, said.values()))
            for term, studies in sorted(said.items()):
                yield Mapping(
                    text=wording,
                    field=field,
                    term=term,
                    label=label(term),
                    confidence=round(len(studies) / total, 3),
                    comment=_STUDIES + "|".join(sorted(studies)),
                    justification="semapv:BackgroundKnowledgeBasedMatching",
                )

    def __len__(self) -> int:
        """Return the number of wordings known."""
        return len(self._said)
