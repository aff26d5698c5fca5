"""What is answered to programs, as plain values.

The same from the API and from the command line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from parfocal.answers import Expansion, Hit, HitAnnotation, Place, Reason, SearchAnswer
from parfocal.identifiers import native_of
from parfocal.query import FacetValue, Query

_TERMS_SHOWN = 200
_LISTS = {"terms", "ids"}


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
        "thumbnail": found.thumbnail,
        "links": [{"url": i.url, "label": i.label, "kind": i.kind} for i in found.record.links],
        "images": found.images,
        "best": found.best,
        "cluster": found.cluster,
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


def _shortened(value: Any) -> Any:
    """Return an understood clause with long lists of terms cut; ``more_terms`` counts the rest."""
    if isinstance(value, list):
        return [_shortened(each) for each in value]
    if not isinstance(value, dict):
        return value
    short = {name: _shortened(each) for name, each in value.items() if name not in _LISTS}
    for name in _LISTS & value.keys():
        short[name] = value[name][:_TERMS_SHOWN]
        if len(value[name]) > _TERMS_SHOWN:
            short[f"more_{name}"] = len(value[name]) - _TERMS_SHOWN
    return short


def question(asked: Query, text: str | None, answer: SearchAnswer) -> dict[str, Any]:
    """Return the query as it was understood and expanded."""
    return {
        "text": text,
        "level": asked.level,
        "expand": asked.expand,
        "collapse": asked.collapse,
        "sort": {"by": asked.sort.by, "descending": asked.sort.descending},
        "size": asked.size,
        "where": _shortened(msgspec.to_builtins(answer.where)),
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
