"""Annotation of values: what a value under a known key means, as the reader of values says."""

from __future__ import annotations

from collections.abc import Iterable

from ontology.decisions import Decisions
from ontology.learned import taught_by
from ontology.reading import Reader, Reading
from parfocal import __version__
from parfocal.fields import Field, field_of_key
from parfocal.identifiers import Curie
from parfocal.knowledge import Knowledge
from parfocal.model import Annotation, Record

_MOST_KEYS = 20_000
_MOST_VALUES = 200_000
_Claims = tuple[Annotation, ...]
_Organisms = tuple[Curie, ...]


class _Fields(dict[str, Field | None]):
    """The fields of terms by key; None for all other keys."""

    def __missing__(self, key: str) -> Field | None:
        if len(self) >= _MOST_KEYS:
            self.clear()
        field = field_of_key(key)
        found = field if field is not None and field.type == "term" and field.prefixes else None
        self[key] = found
        return found


class ValueAnnotator:
    """Claims the terms that a value names, in the field of the value's key.

    A text that already has a believed claim in that field is left alone. Answers are remembered, so
    loading an ontology needs a new annotator.
    """

    def __init__(self, knowledge: Knowledge) -> None:
        self._terms = terms = knowledge.terms
        self._reader = Reader(terms, Decisions(knowledge.decisions), taught_by(knowledge.learned))
        self._by = {
            summary.name: " ".join(
                f"parfocal {__version__} with {summary.name} {summary.version}".split()
            )
            for summary in terms.ontologies()
        }
        self._fields = _Fields()
        self._known: dict[tuple[str, str, _Organisms], _Claims] = {}

    def annotate(self, record: Record) -> tuple[Annotation, ...]:
        """Return the record's annotations with claims that say more than its own."""
        fields = self._fields
        pairs = [
            (pair.key, pair.value, field)
            for pair in record.key_values
            if (field := fields[pair.key]) is not None
        ]
        if not pairs:
            return record.annotations
        organisms = self._organisms(record, pairs)
        found = {
            (claim.field, claim.text, claim.term): claim
            for key, value, field in reversed(pairs)
            for claim in self._claims(key, value, field, organisms)
        }
        if not found:
            return record.annotations
        news = self._news(record, reversed(found.values()))
        return (*record.annotations, *news) if news else record.annotations

    def _news(self, record: Record, claims: Iterable[Annotation]) -> list[Annotation]:
        said = {(known.field, known.term) for known in record.annotations if known.believed}
        texts = {(known.field, known.text) for known in record.annotations if known.believed}
        return [
            claim
            for claim in claims
            if (claim.field, claim.text) not in texts and (claim.field, claim.term) not in said
        ]

    def _organisms(self, record: Record, pairs: Iterable[tuple[str, str, Field]]) -> _Organisms:
        """Return what the record itself says the sample is; it decides which anatomy is meant."""
        found = {
            known.term: None
            for known in record.annotations
            if known.field == "organism" and known.believed
        }
        for key, value, field in pairs:
            if field.name == "organism":
                found.update((claim.term, None) for claim in self._claims(key, value, field, ()))
        return tuple(found)

    def _claims(self, key: str, text: str, field: Field, organisms: _Organisms) -> _Claims:
        """Read a value and remember the answer; the memory is emptied when it is full."""
        place = key, text, organisms if field.name != "organism" else ()
        known = self._known.get(place)
        if known is not None:
            return known
        if len(self._known) >= _MOST_VALUES:
            self._known.clear()
        readings = self._reader.read(field, text, organisms)
        claims = self._known[place] = tuple(self._claim(field, key, each) for each in readings)
        return claims

    def _claim(self, field: Field, key: str, reading: Reading) -> Annotation:
        term = self._terms.get(reading.term)
        return Annotation(
            field=field.name,
            text=reading.text,
            term=reading.term,
            label=reading.label,
            method=reading.method,
            score=reading.score,
            by=self._by.get(term.ontology if term else "", f"parfocal {__version__}"),
            key=key,
            start=reading.start,
        )
