"""Filling an index's matches from the store: places, inherited annotations, snippet, reasons."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from parfocal.answers import Hit, HitAnnotation, Place
from parfocal.fields import FIELDS
from parfocal.identifiers import curie_iri
from parfocal.model import Annotation, Dataset, Record, Viewer, study_and_container
from parfocal.query import Clause, Match
from parfocal.reasons import Explainer
from parfocal.snippets import phrases_asked, snippet

_INHERITED = frozenset(field.name for field in FIELDS if field.inherited)


def visible_ancestors(
    record: Record, ancestors: Iterable[Dataset], viewer: Viewer
) -> tuple[Dataset, ...]:
    """Return the ancestors that a viewer may know of, nearest first."""
    return tuple(ancestor for ancestor in ancestors if ancestor.access.visible_to(viewer))


def places(record: Record, ancestors: Sequence[Dataset]) -> tuple[Place | None, Place | None]:
    """Return the study and the container that a record lies in, as places."""
    study, container = study_and_container(record, ancestors)
    by_id = {each.id: each for each in (record, *ancestors)}
    found = [
        Place(by_id[id].id, by_id[id].title, by_id[id].level) if id else None
        for id in (study, container)
    ]
    return found[0], found[1]


def annotations_of(record: Record, ancestors: Sequence[Dataset]) -> tuple[HitAnnotation, ...]:
    """Return a record's annotations; for inherited fields without one, the nearest ancestor's."""
    own = [HitAnnotation(claim, curie_iri(claim.term)) for claim in record.annotations]
    have = {claim.field for claim in record.annotations if claim.believed}
    for ancestor in ancestors:
        wanted = [
            claim
            for claim in ancestor.annotations
            if claim.inherited and claim.field in _INHERITED and claim.field not in have
        ]
        own += [HitAnnotation(claim, curie_iri(claim.term), ancestor.id) for claim in wanted]
        have |= {claim.field for claim in wanted}
    return tuple(own)


class Filler:
    """Makes hits of one query's matches; ``ancestors`` are those that the viewer may see."""

    def __init__(self, where: Clause) -> None:
        self._explainer = Explainer(where)
        self._phrases = phrases_asked(where)

    def fill(
        self, match: Match, record: Record, ancestors: Sequence[Dataset], thumbnail: str
    ) -> Hit:
        """Make a hit of a match."""
        study, container = places(record, ancestors)
        annotations = annotations_of(record, ancestors)
        text, marks = snippet(record, self._phrases)
        return Hit(
            id=record.id,
            type=record.ome_type,
            level=record.level,
            title=record.title,
            snippet=text,
            marks=marks,
            container=container,
            study=study,
            source=record.provenance.source,
            annotations=annotations,
            reasons=self._explainer.reasons(record, ancestors, annotations),
            thumbnail=thumbnail,
            links=record.links,
            record=record,
            score=match.score,
            images=match.images,
            best=match.best,
        )


def claims_label(term: str, annotations: Iterable[Annotation]) -> str:
    """Return the label that a record gives a term; "" when it has none."""
    return next((claim.label for claim in annotations if claim.term == term and claim.label), "")
