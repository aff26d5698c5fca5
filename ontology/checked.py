"""Checking curators' accessions against the text beside them.

An accession that is obsolete is kept with less trust, beside its replacement; one whose text is
the label of quite another term contradicts itself and is no longer believed. Everything else is
the curators' word and stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from ontology.wording import squash, words_of
from parfocal import __version__
from parfocal.fields import FIELDS, field_named
from parfocal.identifiers import Curie
from parfocal.knowledge import Knowledge
from parfocal.model import CONTRADICTED, Annotation, Record
from parfocal.values import TermInfo

CURATED = "curated"
OBSOLETE = "obsolete"
_CURATED_SCORE = 1.0
_OBSOLETE_SCORE = 0.4
_CONTRADICTED_SCORE = 0.2
_REPLACED_SCORE = 0.97
_OURS = (CURATED, OBSOLETE, CONTRADICTED)
_MOST = 200_000
_ALL_PREFIXES = tuple(dict.fromkeys(prefix for field in FIELDS for prefix in field.prefixes))


class AccessionAnnotator:
    """Says how far curators' accessions can be trusted; verdicts are remembered."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._terms = knowledge.terms
        self._verdicts: dict[Annotation, tuple[Annotation, ...]] = {}

    def annotate(self, record: Record) -> tuple[Annotation, ...]:
        """Return the record's annotations, curators' ones with the trust that they deserve."""
        if not any(claim.method in _OURS for claim in record.annotations):
            return record.annotations
        given = {(claim.field, claim.term) for claim in record.annotations}
        checked = tuple(
            found
            for claim in record.annotations
            for found in self._verdict(claim)
            if found.term == claim.term or (found.field, found.term) not in given
        )
        return record.annotations if checked == record.annotations else checked

    def _verdict(self, claim: Annotation) -> tuple[Annotation, ...]:
        if claim.method not in _OURS:
            return (claim,)
        known = self._verdicts.get(claim)
        if known is None:
            if len(self._verdicts) >= _MOST:
                self._verdicts.clear()
            known = self._verdicts[claim] = tuple(self._checked(claim))
        return known

    def _checked(self, claim: Annotation) -> Iterator[Annotation]:
        term = self._terms.get(claim.term)
        if term is not None and term.obsolete and term.replaced_by:
            yield replace(claim, method=OBSOLETE, score=_OBSOLETE_SCORE)
            yield from self._replaced(claim, term)
        elif term is not None and self._contradicts(claim, term):
            yield replace(claim, method=CONTRADICTED, score=_CONTRADICTED_SCORE, label=term.label)
        elif claim.method == CURATED:
            yield claim
        else:
            yield replace(claim, method=CURATED, score=_CURATED_SCORE)

    def _replaced(self, claim: Annotation, term: TermInfo) -> Iterator[Annotation]:
        for curie in term.replaced_by:
            new = self._terms.get(curie)
            if new is not None and not new.obsolete:
                yield replace(
                    claim,
                    term=curie,
                    label=new.label,
                    method="replaced",
                    score=_REPLACED_SCORE,
                    by=f"parfocal {__version__}: {claim.term} is obsolete",
                )

    def _contradicts(self, claim: Annotation, term: TermInfo) -> bool:
        """Whether the text is another term's label and shares no word with this term's names."""
        if not claim.text or claim.text == claim.term:
            return False
        names = (term.label, *(text for _, text in term.synonyms))
        words = set(words_of(claim.text))
        if any(words & set(words_of(name)) for name in names):
            return False
        wording = squash(claim.text)
        if any(wording in squash(name) or squash(name) in wording for name in names if name):
            return False
        own = claim.term.partition(":")[0]
        field = field_named(claim.field)
        fitting = field is None or not field.prefixes or own in field.prefixes
        # Two ontologies of one field may call one thing by quite different names.
        return any(
            other != claim.term and (not fitting or other.partition(":")[0] == own)
            for other in self._labelled(claim)
        )

    def _labelled(self, claim: Annotation) -> Iterator[Curie]:
        for match in self._terms.find(claim.text, _ALL_PREFIXES):
            if match.method == "label":
                yield match.curie
