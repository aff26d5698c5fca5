"""Annotation by exact labels and synonyms: what a value under a known key means."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ontology.choice import best_match
from parfocal import __version__
from parfocal.fields import Field, field_of_key
from parfocal.interfaces import TermStore
from parfocal.model import Annotation, Record
from parfocal.prefixes import curie_of
from parfocal.values import TermMatch

LABEL_SCORE = 0.95
SYNONYM_SCORES = {"EXACT": 0.9, "RELATED": 0.7}
OTHER_SCORE = 0.6
_LONGEST = 300
_MOST_KEYS = 20_000
_MOST_VALUES = 200_000
_UNSEEN: Final = object()


class LabelAnnotator:
    """Claims the term whose label or synonym equals a value, in the field of the value's key.

    Looks at the ontologies of the field in their order. A text that already has a believed claim in
    that field is left alone. Answers are remembered, so loading an ontology needs a new annotator.
    """

    def __init__(self, terms: TermStore) -> None:
        self._terms = terms
        self._by = {
            summary.name: " ".join(
                f"parfocal {__version__} with {summary.name} {summary.version}".split()
            )
            for summary in terms.ontologies()
        }
        self._keys: dict[str, dict[str, Annotation | None] | None] = {}
        self._remembered = 0

    def annotate(self, record: Record) -> Iterable[Annotation]:
        """Return claims that say more than the record's own, one for a text in a field."""
        keys = self._keys
        found: dict[tuple[str, str], Annotation] | None = None
        for pair in record.key_values:
            values = keys.get(pair.key, _UNSEEN)
            if values is None:
                continue
            if values is _UNSEEN or (claim := values.get(pair.value, _UNSEEN)) is _UNSEEN:  # type: ignore[attr-defined]
                claim = self._claim(pair.key, pair.value)
            if claim is not None:
                found = {} if found is None else found
                found.setdefault((claim.field, claim.text), claim)
        if found is None:
            return ()
        said = {(known.field, known.term) for known in record.annotations if known.score >= 0.5}
        texts = {(known.field, known.text) for known in record.annotations if known.score >= 0.5}
        return [
            claim
            for place, claim in found.items()
            if place not in texts and (claim.field, claim.term) not in said
        ]

    def _claim(self, key: str, text: str) -> Annotation | None:
        """Look a value up and remember the answer; the memory is emptied when it is full."""
        if self._remembered >= _MOST_VALUES or len(self._keys) >= _MOST_KEYS:
            self._keys.clear()
            self._remembered = 0
        field = field_of_key(key)
        if field is None or field.type != "term" or not field.prefixes:
            self._keys[key] = None
            return None
        values = self._keys.get(key)
        if values is None:
            values = self._keys[key] = {}
        claim = self._look_up(field, key, text)
        values[text] = claim
        self._remembered += 1
        return claim

    def _look_up(self, field: Field, key: str, text: str) -> Annotation | None:
        if not text.strip() or len(text) > _LONGEST:
            return None
        match = best_match(self._terms, text, field.prefixes) or self._named_by_id(field, text)
        if match is None:
            return None
        term = self._terms.get(match.curie)
        return Annotation(
            field=field.name,
            text=text,
            term=match.curie,
            label=match.label,
            method=match.method,
            score=score(match),
            by=self._by.get(term.ontology if term else "", f"parfocal {__version__}"),
            key=key,
        )

    def _named_by_id(self, field: Field, text: str) -> TermMatch | None:
        """Return the term whose CURIE or address the text is, of the field's ontologies only."""
        curie = curie_of(text)
        if curie is None or curie.partition(":")[0] not in field.prefixes:
            return None
        term = self._terms.get(curie)
        if term is not None and term.obsolete and term.replaced_by:
            term = self._terms.get(term.replaced_by[0])
        if term is None or term.obsolete or not term.label:
            return None
        return TermMatch(term.curie, term.label, "label")


def score(match: TermMatch) -> float:
    """Return how far a match is believed, by how it was found.

    >>> from parfocal.identifiers import Curie
    >>> score(TermMatch(Curie("NCBITaxon:9606"), "Homo sapiens", "synonym", "EXACT"))
    0.9
    """
    if match.method == "label":
        return LABEL_SCORE
    return SYNONYM_SCORES.get(match.scope, OTHER_SCORE)
