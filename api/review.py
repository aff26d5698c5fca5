"""``/review`` and ``/api/v1/review``: texts without a term, and curators' decisions on them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast
from urllib.parse import urlencode

import msgspec
from flask import Blueprint, Response, render_template, request
from msgspec import Struct
from msgspec.structs import replace

from api import parameters
from api.context import catalogue
from api.problems import CuratorsOnly, ParameterInvalid
from api.search import json_response
from api.viewers import FORM_COOKIE, FORM_SECONDS, door, form_sign, nonce, set_cookie, viewer
from parfocal.fields import FIELDS, require_field
from parfocal.knowledge import decision_files
from parfocal.mappings import Mapping
from parfocal.model import Viewer
from parfocal.review import (
    Kind,
    OpenText,
    decide,
    open_texts,
    read_decisions,
    undecided,
    undo,
)

blueprint = Blueprint("review", __name__, url_prefix="/api/v1/review")
pages = Blueprint("review_pages", __name__)
KINDS = ("accept", "reject", "no-term", "undo")
PAGE_SIZE = 15
_MOST_DECISIONS = 50
_REVIEWED = tuple(field.name for field in FIELDS if field.type == "term" and field.prefixes)


class Decision(Struct, forbid_unknown_fields=True):
    """The body of a decision."""

    field: str
    text: str
    decision: str
    term: str = ""


@lru_cache(maxsize=4)
def _open_texts(identity: str, revision: int, groups: frozenset[str]) -> tuple[OpenText, ...]:
    """Count anew only when the store has changed: it is read from end to end."""
    return tuple(open_texts(catalogue().store, Viewer(groups)))


def _curator() -> Viewer:
    if not viewer().curator:
        raise CuratorsOnly(
            "only curators decide what texts mean",
            hint="sign in as a viewer with curator = true in the settings",
        )
    return viewer()


def _decisions() -> tuple[Mapping, ...]:
    return read_decisions(decision_files(catalogue().settings)[0])


def _page(field: str, start: int, size: int) -> tuple[list[OpenText], int]:
    """Return some of the open texts with candidates, and how many there are."""
    store = catalogue().store
    found = _open_texts(store.identity(), store.revision(), _curator().groups)
    left = undecided(found, _decisions(), field)
    proposer = catalogue().proposer
    return [
        replace(one, candidates=proposer.propose(one.field, one.text))
        for one in left[start : start + size]
    ], len(left)


def _decide(made: Decision) -> dict[str, Any]:
    """Write a decision and return it; an undone one as a count."""
    curator = _curator()
    if made.decision not in KINDS:
        raise ParameterInvalid(
            f"a decision cannot be {made.decision[:100]!r}",
            where="decision",
            hint=f"one of: {', '.join(KINDS)}",
        )
    path = decision_files(catalogue().settings)[0]
    if made.decision == "undo":
        return {"undone": undo(path, require_field(made.field).name, made.text)}
    kind = cast("Kind", made.decision)
    terms = catalogue().terms
    written = decide(path, kind, made.field, made.text, made.term, terms, curator.name)
    return {"decided": written}


# ------------------------------------------------------------------ the API


@blueprint.get("")
def listed() -> Response:
    """Return texts without a term, the most frequent first, with candidates."""
    _curator()
    parameters.refuse_unknown(("field", "size", "after"))
    field = parameters.choice("field", "", ("", *_REVIEWED))
    start = parameters.number("after", 0, 0, 1_000_000)
    size = parameters.number("size", PAGE_SIZE, 1, 100)
    texts, total = _page(field, start, size)
    following = str(start + size) if start + size < total else None
    return json_response({"total": total, "texts": texts, "next": following})


@blueprint.get("/decisions")
def decisions() -> Response:
    """Return what was decided, in order."""
    _curator()
    parameters.refuse_unknown(())
    return json_response({"decisions": _decisions()})


@blueprint.post("/decisions")
def decided() -> Response:
    """Take a decision."""
    _curator()
    parameters.refuse_unknown(())
    try:
        made = msgspec.json.decode(parameters.json_body(), type=Decision)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ParameterInvalid(f"not a decision: {error}", where="body") from error
    return json_response(_decide(made))


# ------------------------------------------------------------------ the page


@pages.get("/review")
def show() -> Response:
    """Show texts without a term to a curator."""
    _curator()
    parameters.refuse_unknown(("field", "after", "done"))
    field = parameters.choice("field", "", ("", *_REVIEWED))
    start = parameters.number("after", 0, 0, 1_000_000)
    texts, total = _page(field, start, PAGE_SIZE)
    mark = nonce()
    page = render_template(
        "review.html",
        texts=texts,
        total=total,
        field=field,
        fields=_REVIEWED,
        start=start,
        following=start + PAGE_SIZE if start + PAGE_SIZE < total else None,
        decisions=tuple(reversed(_decisions()))[:_MOST_DECISIONS],
        done=parameters.text("done", limit=400),
        sign=form_sign(mark),
    )
    response = Response(page, mimetype="text/html")
    set_cookie(response, FORM_COOKIE, mark, FORM_SECONDS)
    return response


@pages.post("/review")
def take() -> Response:
    """Take a decision from the page's form, and show the page again."""
    _curator()
    parameters.refuse_unknown(())
    door().check_form(request.cookies.get(FORM_COOKIE, ""), request.form.get("sign", ""))
    given = {name: request.form.get(name, "") for name in ("field", "text", "decision", "term")}
    _decide(Decision(**given))
    back = {
        "field": request.form.get("shown", ""),
        "after": request.form.get("after", ""),
        "done": given["text"][:300],
    }
    query = urlencode({name: value for name, value in back.items() if value})
    return Response(status=303, headers={"Location": f"/review?{query}"})
