"""What a result card, table row or picture needs, ready for the templates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup
from msgspec import Struct

from api import patterns
from api.context import can_draw, is_web_address, thumbnail_path
from api.words import shortened, title_of, why
from parfocal.answers import Hit, HitAnnotation, Place
from parfocal.fields import plain_key
from parfocal.identifiers import RecordId, native_of
from parfocal.model import Link, Record

PICTURE_SIZE = 256
REASONS_SHOWN = 3


class Picture(Struct, frozen=True):
    """A drawn thumbnail at ``path``, or else a pattern."""

    path: str
    pattern: Markup


class Crumb(Struct, frozen=True):
    """A record on the way to another."""

    id: RecordId
    title: str
    level: str


class Card(Struct, frozen=True):
    """One hit as the page shows it."""

    hit: Hit
    title: str
    picture: Picture
    crumbs: tuple[Crumb, ...]
    reasons: tuple[str, ...]
    viewers: tuple[Link, ...]


def picture_of(record: Record, size: int = PICTURE_SIZE) -> Picture:
    """Return the picture of a record: its own thumbnail, or a pattern made from its axes."""
    if can_draw(record):
        return Picture(thumbnail_path(record.id, size), Markup(""))
    return Picture("", patterns.inline(record))


def crumbs(*places: Place | None) -> tuple[Crumb, ...]:
    """Return places as breadcrumbs, outermost first; a place without a title goes by its name."""
    return tuple(
        Crumb(place.id, shortened(place.title.strip() or native_of(place.id), 60), place.level)
        for place in places
        if place is not None
    )


def safe_links(links: Iterable[Link]) -> tuple[Link, ...]:
    """Return the links that may be followed: http and https only."""
    return tuple(link for link in links if is_web_address(link.url))


def card(hit: Hit, best: Record | None) -> Card:
    """Return a hit as a card; ``best`` is the image that stands for a study or data set."""
    study = hit.study if hit.study and hit.study.id != hit.id else None
    drawable = best if best is not None and can_draw(best) else hit.record
    return Card(
        hit=hit,
        title=shortened(title_of(hit.record), 160),
        picture=picture_of(drawable),
        crumbs=crumbs(study, hit.container),
        reasons=tuple(dict.fromkeys(shortened(why(one), 160) for one in hit.reasons))[
            :REASONS_SHOWN
        ],
        viewers=tuple(link for link in safe_links(hit.record.links) if link.kind == "viewer")[:1],
    )


def terms_of(annotations: Sequence[HitAnnotation], field: str) -> list[str]:
    """Return the labels of the believed terms of a field, each once."""
    return list(
        dict.fromkeys(
            one.claim.label or one.claim.text
            for one in annotations
            if one.claim.field == field and one.claim.believed
        )
    )


def values_of(record: Record, key: str) -> list[str]:
    """Return a record's values of a source key, however it is wrapped, at most five."""
    wanted = plain_key(key)
    return [shortened(p.value, 80) for p in record.key_values if plain_key(p.key) == wanted][:5]


def offered_columns(hits: Iterable[Hit], chosen: Sequence[str], limit: int = 30) -> list[str]:
    """Return the keys of these hits that could become columns of the table."""
    taken = {plain_key(key) for key in chosen}
    keys = dict.fromkeys(pair.key for hit in hits for pair in hit.record.key_values)
    return [key for key in keys if plain_key(key) not in taken and len(key) < 60][:limit]
