"""``/healthz``: whether store, index and graph answer, and how far each has come."""

from __future__ import annotations

import logging
from typing import Any

from flask import Blueprint, Response

from api import parameters
from api.context import catalogue
from api.search import json_response
from parfocal.errors import ParfocalError

blueprint = Blueprint("health", __name__)
log = logging.getLogger("parfocal.api")


def _state(name: str, part: Any) -> dict[str, Any]:
    try:
        return {"ok": True, "revision": part.revision()}
    except (ParfocalError, OSError) as error:
        log.warning("health: %s: %s", name, error)
        return {"ok": False, "revision": None}


@blueprint.get("/healthz")
def health() -> Response:
    """Return the revision that each part has reached; 503 when one does not answer."""
    parameters.refuse_unknown(())
    opened = catalogue()
    parts = {name: _state(name, getattr(opened, name)) for name in ("store", "index", "graph")}
    well = all(part["ok"] for part in parts.values())
    behind = len({part["revision"] for part in parts.values()}) > 1
    state = "failing" if not well else "behind" if behind else "ok"
    response = json_response({"status": state, **parts}, 200 if well else 503)
    response.headers["Cache-Control"] = "no-store"
    return response
