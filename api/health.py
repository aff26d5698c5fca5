"""``/healthz``: whether store, index and graph answer, and whether they are up to date."""

from __future__ import annotations

import logging
from typing import Any

from flask import Blueprint, Response

from api import parameters
from api.context import catalogue
from api.search import json_response
from parfocal.errors import ParfocalError

blueprint = Blueprint("health", __name__)
PARTS = ("store", "index", "graph")
log = logging.getLogger("parfocal.api")


def _revision(name: str, part: Any) -> int | None:
    try:
        revision: int = part.revision()
    except (ParfocalError, OSError) as error:
        log.warning("health: %s: %s", name, error)
        return None
    return revision


def _state(revision: int | None, newest: int) -> str:
    if revision is None:
        return "unavailable"
    return "ok" if revision >= newest else "behind"


@blueprint.get("/healthz")
def health() -> Response:
    """Return how each part is; 503 when one does not answer.

    Revisions stay inside: they would tell a stranger how many private records there are.
    """
    parameters.refuse_unknown(())
    opened = catalogue()
    reached = {name: _revision(name, getattr(opened, name)) for name in PARTS}
    newest = reached["store"] or 0
    parts = {name: _state(revision, newest) for name, revision in reached.items()}
    state = next((bad for bad in ("unavailable", "behind") if bad in parts.values()), "ok")
    response = json_response({"status": state, **parts}, 503 if state == "unavailable" else 200)
    response.headers["Cache-Control"] = "no-store"
    return response
