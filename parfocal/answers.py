"""What the catalogue answers: hits filled from the store, ready to print or to render."""

from __future__ import annotations

from msgspec import Struct

from parfocal.identifiers import RecordId
from parfocal.model import Annotation, Dataset, Level, Link, Record, Twin
from parfocal.query import Clause, FacetValue
from parfocal.sameness import with_twins
from parfocal.values import SourceState


class Reason(Struct, frozen=True):
    """Why a hit matched: the words of the query, what they matched, and how.

    ``how`` is words, phrase, curated, label, synonym, doubted, key-value or field; ``text`` is the
    record's own wording, ``label`` and ``term`` the ontology term between, ``field`` or ``key``
    where it stood, ``inherited_from`` the record that it was taken from.
    """

    asked: str
    how: str
    text: str = ""
    term: str = ""
    label: str = ""
    field: str = ""
    key: str = ""
    inherited_from: RecordId | None = None


class HitAnnotation(Struct, frozen=True):
    """An annotation as shown with a hit.

    The claim, its term's IRI, and where it was inherited from.
    """

    claim: Annotation
    iri: str
    inherited_from: RecordId | None = None


class Place(Struct, frozen=True):
    """A record that another lies in, by name."""

    id: RecordId
    title: str
    level: Level


class Hit(Struct, frozen=True):
    """One hit.

    ``snippet`` is plain text; ``marks`` are (start, end) of matched words within it. ``cluster``
    is the same for what is one data set in several sources.
    """

    id: RecordId
    type: str
    level: Level
    title: str
    snippet: str
    marks: tuple[tuple[int, int], ...]
    container: Place | None
    study: Place | None
    source: str
    annotations: tuple[HitAnnotation, ...]
    reasons: tuple[Reason, ...]
    thumbnail: str
    links: tuple[Link, ...]
    record: Record
    score: float = 0.0
    images: int | None = None
    best: RecordId | None = None
    cluster: str = ""


class SourceView(Struct, frozen=True):
    """A source as a viewer may know it: ``records`` counts what this viewer sees."""

    name: str
    kind: str
    records: int
    state: SourceState


class Suggestion(Struct, frozen=True):
    """A completion: ``kind`` is term or value, ``count`` the records that it would find."""

    text: str
    kind: str
    field: str
    term: str
    label: str
    count: int


class Expansion(Struct, frozen=True):
    """How words of a query were understood: a term, its synonyms, and how many terms below it."""

    text: str
    term: str
    label: str
    synonyms: tuple[str, ...]
    narrower: int
    field: str = ""


class SearchAnswer(Struct, frozen=True):
    """A page of hits; ``where`` is the query as understood, ``expansions`` that for people."""

    total: int
    levels: dict[str, int]
    hits: tuple[Hit, ...]
    facets: dict[str, tuple[FacetValue, ...]]
    where: Clause
    expansions: tuple[Expansion, ...]
    next: str | None = None


class RecordView(Struct, frozen=True):
    """A record with what surrounds it, all of it visible to the viewer."""

    record: Record
    ancestors: tuple[Dataset, ...]
    study: Place | None
    container: Place | None
    annotations: tuple[HitAnnotation, ...]
    twins: tuple[Twin, ...] = ()

    def told(self, base: str) -> Record:
        """Return the record with its twins, as programs get it."""
        return with_twins(self.record, self.twins, base)
