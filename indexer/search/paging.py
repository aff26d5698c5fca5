"""Page tokens: opaque, checked, bound to the question that they continue."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Literal

import msgspec
from msgspec import Struct

from parfocal.errors import QueryInvalid
from parfocal.query import Query

_ASK_AGAIN = "leave the token out to start at the first page"


class Place(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the next page begins.

    ``by`` seq: after ``seq``; value: after (``value``, ``seq``), None being among records without a
    value, which come last; rank: at ``offset`` of the order that the index had at ``generation``.
    """

    by: Literal["seq", "value", "rank"]
    seq: int = 0
    value: float | None = None
    offset: int = 0
    generation: str = ""
    score: float = 0.0


class _Sealed(Struct, frozen=True, forbid_unknown_fields=True):
    asked: str
    place: Place


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=9).hexdigest()


def question(query: Query) -> str:
    """Return a digest of what decides the order of all hits: conditions, level, sort."""
    return _digest(msgspec.json.encode([query.where, query.level, query.sort]))


def write(place: Place, query: Query) -> str:
    """Return the token of a place in the hits of a query."""
    content = msgspec.json.encode(_Sealed(question(query), place))
    return base64.urlsafe_b64encode(_digest(content).encode() + content).decode().rstrip("=")


def read(query: Query) -> Place | None:
    """Return where the page asked for begins; QueryInvalid for a token of something else."""
    if query.after is None:
        return None
    try:
        raw = base64.b64decode(query.after + "=" * (-len(query.after) % 4), b"-_", validate=True)
        sealed = msgspec.json.decode(raw[18:], type=_Sealed)
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise QueryInvalid("the page token is damaged", hint=_ASK_AGAIN) from error
    if raw[:18].decode("ascii", "replace") != _digest(raw[18:]):
        raise QueryInvalid("the page token is damaged", hint=_ASK_AGAIN)
    if sealed.asked != question(query):
        raise QueryInvalid("the page token belongs to another query", hint=_ASK_AGAIN)
    return sealed.place


def outdated() -> QueryInvalid:
    """Return the error of a token whose order the index no longer has."""
    return QueryInvalid(
        "the index changed since the page token was given",
        hint="start again at the first page, or ask for sort=id, whose order never changes",
    )
