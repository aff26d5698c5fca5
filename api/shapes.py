"""What the API answers, as plain values: one function a shape, the same for JSON, JSON Lines and CSV."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from api.context import base_url, thumbnail_address
from parfocal.answers import Expansion, Hit, HitAnnotation, Place, Reason, SearchAnswer
from parfocal.identifiers import native_of, record_iri
from parfocal.query import FacetValue, Query

COLUMNS = (
    "id",
    "type",
    "level",
    "title",
    "snippet",
    "study",
    "container",
    "source",
    "terms",
    "images",
    "thumbnail",
    "url",
)


def _native(place: Place | None) -> str | None:
    return native_of(place.id) if place else None


def annotation(shown: HitAnnotation) -> dict[str, Any]:
    """Return an annotation: the claim, its term's IRI, and whence it was inherited."""
    claim = msgspec.structs.asdict(shown.claim)
    return {**claim, "iri": shown.iri, "inherited_from": shown.inherited_from}


def reason(why: Reason) -> dict[str, Any]:
    """Return one reason why a hit matched."""
    return msgspec.structs.asdict(why)


def hit(found: Hit) -> dict[str, Any]:
    """Return one hit; study and container are the archive's own identifiers."""
    return {
        "id": found.id,
        "type": found.type,
        "level": found.level,
        "title": found.title,
        "snippet": found.snippet,
        "container": _native(found.container),
        "study": _native(found.study),
        "source": found.source,
        "annotations": [annotation(shown) for shown in found.annotations],
        "reasons": [reason(why) for why in found.reasons],
        "thumbnail": thumbnail_address(found.record),
        "links": [{"url": i.url, "label": i.label, "kind": i.kind} for i in found.record.links],
        "images": found.images,
        "best": found.best,
    }


def facets(found: Mapping[str, tuple[FacetValue, ...]]) -> dict[str, list[dict[str, Any]]]:
    """Return facets, each a list of value, label and count."""
    return {
        name: [{"value": v.value, "label": v.label, "count": v.count} for v in values]
        for name, values in found.items()
    }


def expansion(one: Expansion) -> dict[str, Any]:
    """Return how words were understood."""
    return msgspec.structs.asdict(one)


def question(asked: Query, text: str | None, answer: SearchAnswer) -> dict[str, Any]:
    """Return the query as it was understood and expanded."""
    return {
        "text": text,
        "level": asked.level,
        "expand": asked.expand,
        "sort": {"by": asked.sort.by, "descending": asked.sort.descending},
        "size": asked.size,
        "where": msgspec.to_builtins(answer.where),
        "expansions": [expansion(one) for one in answer.expansions],
    }


def search_answer(asked: Query, text: str | None, answer: SearchAnswer) -> dict[str, Any]:
    """Return a page of hits with totals, facets and the query as understood."""
    return {
        "total": answer.total,
        "levels": answer.levels,
        "hits": [hit(found) for found in answer.hits],
        "facets": facets(answer.facets),
        "query": question(asked, text, answer),
        "next": answer.next,
    }


def row(found: Hit) -> list[str]:
    """Return a hit as one row of a table, in the order of COLUMNS."""
    shape = hit(found)
    terms = dict.fromkeys(f"{a.claim.label} ({a.claim.term})" for a in found.annotations)
    shape |= {"terms": "; ".join(terms), "url": record_iri(found.id, base_url())}
    return ["" if shape[name] is None else str(shape[name]) for name in COLUMNS]


def lines(hits: Iterator[Hit]) -> Iterator[bytes]:
    """Yield hits as JSON Lines."""
    encoder = msgspec.json.Encoder()
    for found in hits:
        yield encoder.encode(hit(found)) + b"\n"
