"""``/api/v1/sources``: what was harvested, how the last run ended, and what could not be read."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Blueprint, Response

from api import parameters
from api.context import catalogue
from api.search import json_response
from api.viewers import viewer
from parfocal.catalogue import SourceView
from parfocal.errors import RecordNotFound
from parfocal.values import Problem, RunReport

blueprint = Blueprint("sources", __name__, url_prefix="/api/v1/sources")


def source_shape(source: SourceView) -> dict[str, Any]:
    """Return a source as the API shows it."""
    run = source.state.last_run
    return {
        "name": source.name,
        "kind": source.kind,
        "records": source.records,
        "last_run": None if run is None else msgspec.to_builtins(run),
    }


def _require(name: str) -> None:
    """Raise RecordNotFound when the source is not to be known."""
    if not any(source.name == name for source in catalogue().sources(viewer())):
        raise RecordNotFound(
            f"there is no source {name[:100]!r}", hint="/api/v1/sources lists them"
        )


def run_page(name: str, limit: int) -> tuple[RunReport, ...]:
    """Return the last runs, newest first; RecordNotFound when the source is not to be known."""
    _require(name)
    return catalogue().store.runs(name, limit)


def problem_page(name: str, after: int, limit: int) -> list[tuple[int, Problem]]:
    """Return problems of the last run; RecordNotFound when the source is not to be known."""
    _require(name)
    return catalogue().store.problems(name, after=after, limit=limit)


@blueprint.get("")
def sources() -> Response:
    """Return all sources that the viewer may know of."""
    parameters.refuse_unknown(())
    return json_response(
        {"sources": [source_shape(source) for source in catalogue().sources(viewer())]}
    )


@blueprint.get("/<name>/runs")
def runs(name: str) -> Response:
    """Return the last runs over a source, newest first."""
    parameters.refuse_unknown(("size",))
    size = parameters.number("size", 30, 1, parameters.MAX_SIZE)
    shown = [msgspec.to_builtins(run) for run in run_page(name, size)]
    return json_response({"source": name, "runs": shown})


@blueprint.get("/<name>/problems")
def problems(name: str) -> Response:
    """Return what could not be read, or not be believed, in a source's last run."""
    parameters.refuse_unknown(("after", "size"))
    size = parameters.number("size", 100, 1, parameters.MAX_SIZE)
    after = parameters.number("after", 0, 0, 10**11)
    page = problem_page(name, after, size + 1)
    shown = [{"number": number, **msgspec.structs.asdict(one)} for number, one in page[:size]]
    following = str(page[size - 1][0]) if len(page) > size else None
    return json_response({"source": name, "problems": shown, "next": following})
