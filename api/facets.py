"""``/api/v1/facets/{name}``: the terms of a facet as a tree, counted at each level."""

from __future__ import annotations

from flask import Blueprint, Response

from api import parameters
from api.addresses import TREES
from api.context import catalogue
from api.problems import ParameterInvalid
from api.search import json_response
from api.viewers import viewer
from parfocal.query_text import parse_query

blueprint = Blueprint("facets", __name__, url_prefix="/api/v1/facets")


@blueprint.get("/<name>")
def tree(name: str) -> Response:
    """Return the terms that hits have in a field, below what holds several of them."""
    parameters.refuse_unknown(("q", "level", "expand"))
    if name not in TREES:
        raise ParameterInvalid(
            f"{name[:100]!r} has no tree", where="name", hint=f"one of: {', '.join(TREES)}"
        )
    query = parse_query(
        parameters.text("q"),
        level=parameters.text("level", limit=20) or None,
        expand=parameters.text("expand", limit=20) or None,
    )
    return json_response({"field": name, "tree": catalogue().facet_tree(name, query, viewer())})
