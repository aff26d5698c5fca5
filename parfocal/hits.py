"""Filling an index's matches from the store: places, inherited annotations, snippet, reasons."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from parfocal.answers import Hit, HitAnnotation, Place, Reason
from parfocal.fields import FIELDS
from parfocal.identifiers import curie_iri
from parfocal.model import Annotation, Dataset, Record, Viewer, study_and_container
from parfocal.query import (
    All,
    AnyOf,
    Clause,
    Concept,
    FieldContains,
    FieldIn,
    KeyMatch,
    Match,
    Phrase,
    Terms,
    Token,
    fold,
    tokens,
)

_INHERITED = frozenset(field.name for field in FIELDS if field.inherited)
_SNIPPET = 220


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
            if claim.believed and claim.field in _INHERITED and claim.field not in have
        ]
        own += [HitAnnotation(claim, curie_iri(claim.term), ancestor.id) for claim in wanted]
        have |= {claim.field for claim in wanted}
    return tuple(own)


def positive(clause: Clause) -> Iterator[Clause]:
    """Yield the leaves of a query that a hit can show: those that are not negated."""
    if isinstance(clause, All | AnyOf):
        for part in clause.clauses:
            yield from positive(part)
    elif isinstance(clause, Token | Phrase | Concept | Terms | FieldIn | FieldContains | KeyMatch):
        yield clause


def words_asked(where: Clause) -> frozenset[str]:
    """Return the words that a snippet should mark, folded."""
    texts: list[str] = []
    for leaf in positive(where):
        if isinstance(leaf, Token | Phrase | FieldContains):
            texts.append(leaf.text)
        elif isinstance(leaf, Concept):
            texts += [leaf.text, leaf.label, *leaf.synonyms]
        elif isinstance(leaf, FieldIn):
            texts += leaf.texts[:50]
        elif isinstance(leaf, KeyMatch) and leaf.op in ("equals", "contains", "in"):
            texts += leaf.values
    return frozenset(word for text in texts for word in tokens(text))


def _by_term(
    terms: Iterable[str], asked: str, annotations: Sequence[HitAnnotation], field: str = ""
) -> Reason | None:
    wanted = frozenset(terms)
    for found in annotations:
        claim = found.claim
        if claim.term in wanted and field in ("", claim.field):
            return Reason(
                asked,
                claim.method,
                claim.text,
                claim.term,
                claim.label,
                claim.field,
                claim.key,
                found.inherited_from,
            )
    return None


def _by_words(
    asked: str, words: Iterable[str], record: Record, ancestors: Sequence[Dataset]
) -> Reason | None:
    wanted = set(words)
    if not wanted:
        return None
    for each in (record, *ancestors):
        origin = None if each is record else each.id
        for key, text in _texts(each):
            if wanted <= set(tokens(text)):
                return Reason(asked, "words", text[:300], key=key, inherited_from=origin)
    return None


def _texts(record: Record) -> Iterator[tuple[str, str]]:
    yield "title", record.title
    for pair in record.key_values:
        yield pair.key, pair.value
    yield "description", record.description


def _by_pair(leaf: KeyMatch, record: Record) -> Reason | None:
    wanted = [fold(value) for value in leaf.values]
    for pair in record.key_values:
        value = fold(pair.value)
        if leaf.key is not None and fold(pair.key) != fold(leaf.key):
            continue
        contained = leaf.op == "contains" and any(text in value for text in wanted)
        if contained or leaf.op not in ("equals", "in", "contains") or value in wanted:
            asked = f"{leaf.key or '*'} {leaf.op} {' | '.join(leaf.values)}".strip()
            return Reason(asked, "key-value", pair.value, key=pair.key)
    return None


def _reason(
    leaf: Clause, record: Record, ancestors: Sequence[Dataset], annotations: Sequence[HitAnnotation]
) -> Reason | None:
    believed = [found for found in annotations if found.claim.believed]
    match leaf:
        case Concept():
            return _by_term(leaf.terms, leaf.text, believed) or _by_words(
                leaf.text, tokens(leaf.text), record, ancestors
            )
        case Terms():
            return _by_term(leaf.terms, leaf.asked, annotations)
        case FieldIn():
            return _by_term(leaf.terms, leaf.label or leaf.field, believed, leaf.field)
        case Token() | Phrase():
            return _by_words(leaf.text, tokens(leaf.text), record, ancestors)
        case KeyMatch():
            return _by_pair(leaf, record)
        case _:
            return None


def reasons(
    where: Clause,
    record: Record,
    ancestors: Sequence[Dataset],
    annotations: Sequence[HitAnnotation],
) -> tuple[Reason, ...]:
    """Return why a record matches, one reason for each part of the query that can be shown."""
    found = (_reason(leaf, record, ancestors, annotations) for leaf in positive(where))
    return tuple(dict.fromkeys(reason for reason in found if reason is not None))


def snippet(record: Record, words: frozenset[str]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Return the text of a record that best shows the words, cut short, and where they stand."""
    candidates = [record.description, *(f"{pair.key}: {pair.value}" for pair in record.key_values)]
    best = max(
        candidates, key=lambda text: len(words.intersection(tokens(text[:5000]))), default=""
    )
    text = _window(best, words)
    marks = tuple(
        (match.start(), match.end())
        for match in re.finditer(r"[^\W_]+", text)
        if match.group().casefold() in words
    )
    return text, marks


def _window(text: str, words: frozenset[str]) -> str:
    text = " ".join(text[:20_000].split())
    if len(text) <= _SNIPPET:
        return text
    hits = (m.start() for m in re.finditer(r"[^\W_]+", text) if m.group().casefold() in words)
    start = max(0, next(hits, 0) - 60)
    start = text.rfind(" ", 0, start) + 1 if start else 0
    cut = text[start : start + _SNIPPET].rsplit(" ", 1)[0]
    return ("… " if start else "") + cut + " …"


def fill(
    match: Match, record: Record, ancestors: Sequence[Dataset], where: Clause, thumbnail: str
) -> Hit:
    """Make a hit of a match: ``ancestors`` are those that the viewer may see."""
    study, container = places(record, ancestors)
    annotations = annotations_of(record, ancestors)
    text, marks = snippet(record, words_asked(where))
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
        reasons=reasons(where, record, ancestors, annotations),
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
