"""The search page and the page about this catalogue."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Blueprint, Response, render_template

from api import addresses, parameters
from api.addresses import Filter, State
from api.cards import Card, card, offered_columns, terms_of, values_of
from api.context import base_url, catalogue
from api.examples import examples
from api.nothing import explain_nothing
from api.run_plot import plot_of
from api.snippets import snippets
from api.sources import problem_page, run_page
from api.viewers import viewer
from parfocal.answers import SearchAnswer
from parfocal.errors import QueryInvalid
from parfocal.facet_tree import Node
from parfocal.fields import require_field
from parfocal.identifiers import Curie, RecordId
from parfocal.model import Record
from parfocal.query import FacetRequest, FacetValue, FieldMatch, Query

blueprint = Blueprint("pages", __name__)
STUDIES_SHOWN = 8
RUNS_SHOWN = 30
PICTURES_SHOWN = 8


def _page(template: str, status: int = 200, **values: Any) -> Response:
    return Response(render_template(template, **values), status, mimetype="text/html")


def _reel() -> list[Card]:
    """Return a few images that have a picture here."""
    opened = catalogue()
    sources = opened.settings.sources
    names = tuple(source.name for source in sources if opened.draws(source.name))
    if not names:
        return []
    query = Query(FieldMatch("source", "in", names), level="image", size=PICTURES_SHOWN)
    return [card(hit, None) for hit in catalogue().search(query, viewer()).hits]


def _front(state: State) -> Response:
    answer = catalogue().search(Query(level="study", size=STUDIES_SHOWN), viewer())
    return _page(
        "front.html",
        state=state,
        levels=answer.levels,
        cards=_cards(answer),
        reel=_reel(),
        examples=examples(),
    )


def _best(answer: SearchAnswer) -> dict[RecordId, Record]:
    wanted = [hit.best for hit in answer.hits if hit.best is not None and hit.best != hit.id]
    found = catalogue().store.get_many(wanted)
    return {id: one for id, one in found.items() if one.access.visible_to(viewer())}


def _cards(answer: SearchAnswer) -> list[Card]:
    best = _best(answer)
    return [card(hit, best.get(hit.best) if hit.best else None) for hit in answer.hits]


def _facets(state: State, asked: Query, answer: SearchAnswer) -> dict[str, tuple[FacetValue, ...]]:
    """Return facet values; a filtered field is counted as if it were not, to add values."""
    found = dict(answer.facets)
    for field in dict.fromkeys(one.field for one in state.filters):
        if field in addresses.FACETS:
            query = addresses.facet_query(state, asked, field)
            found |= catalogue().search(query, viewer()).facets
    return {name: found[name] for name in addresses.FACETS if found.get(name)}


def _label(one: Filter) -> str:
    """Return what to call a filter's value that no facet on the page names."""
    field = FacetRequest(one.field, addresses.MORE_SIZE)
    if not require_field(one.field).facet:
        return one.value
    query = Query(FieldMatch(one.field, "is", (one.value,)), facets=(field,), size=1)
    values = catalogue().search(query, viewer()).facets.get(one.field, ())
    found = next((v.label for v in values if v.value == one.value and v.label), "")
    term = None if found else catalogue().terms.get(Curie(one.value))
    return found or (term.label if term else "") or one.value


def _labels(state: State, facets: dict[str, tuple[FacetValue, ...]]) -> dict[Filter, str]:
    known = {
        Filter(name, value.value): value.label
        for name, values in facets.items()
        for value in values
    }
    return {one: known.get(one) or _label(one) for one in state.filters}


def _refused(state: State, error: QueryInvalid) -> Response:
    before = state.q[: error.position] if error.position >= 0 else ""
    wrong = state.q[error.position :][: max(error.length, 1)] if error.position >= 0 else ""
    after = state.q[error.position :][max(error.length, 1) :] if error.position >= 0 else ""
    parts = (before, wrong, after) if error.position >= 0 else None
    return _page("refused.html", 400, state=state, error=error, parts=parts)


def _tree(state: State, asked: Query) -> tuple[Node, ...]:
    """Return the opened facet as a tree, counted as if it were not filtered."""
    if not state.tree:
        return ()
    query = addresses.facet_query(state, asked, state.tree)
    return catalogue().facet_tree(state.tree, query, viewer())


def _results(state: State, asked: Query) -> Response:
    query = addresses.page_query(state, asked)
    answer = catalogue().search(query, viewer())
    facets = _facets(state, asked, answer)
    shown = msgspec.structs.replace(state, level=asked.level)
    return _page(
        "results.html",
        state=shown,
        answer=answer,
        cards=_cards(answer),
        facets=facets,
        labels=_labels(state, facets),
        columns=offered_columns(answer.hits, state.columns) if state.view == "table" else [],
        nothing=explain_nothing(shown, asked) if answer.total == 0 else None,
        snippets=snippets(query, answer),
        sorts=addresses.SORTS,
        make_filter=Filter,
        facet_size=addresses.FACET_SIZE,
        trees=addresses.TREES,
        tree=_tree(state, asked),
        terms_of=terms_of,
        values_of=values_of,
    )


@blueprint.get("/")
def search() -> Response:
    """Show the front page, or the answer to the question in the address."""
    state = addresses.read_state()
    if not state.asked and not state.after:
        return _front(state)
    try:
        asked = addresses.question(state)
        return _results(state, asked)
    except QueryInvalid as error:
        return _refused(state, error)


@blueprint.get("/about")
def about() -> Response:
    """Show what is here, how to cite it, and how programs reach it."""
    parameters.refuse_unknown(())
    names = ("source", "organism", "imaging_method", "licence")
    answer = catalogue().search(
        Query(level="image", size=1, facets=tuple(FacetRequest(name, 12) for name in names)),
        viewer(),
    )
    return _page(
        "about.html",
        levels=answer.levels,
        facets={name: answer.facets.get(name, ()) for name in names},
        base=base_url(),
        ontologies=catalogue().terms.ontologies(),
    )


@blueprint.get("/sources")
def sources() -> Response:
    """Show how fresh each archive is and what failed."""
    parameters.refuse_unknown(("problems", "after", "history"))
    chosen = parameters.text("problems", limit=100)
    history = parameters.text("history", limit=100)
    runs = run_page(history, RUNS_SHOWN) if history else ()
    after = parameters.number("after", 0, 0, 10**11)
    page = problem_page(chosen, after, 51) if chosen else []
    return _page(
        "sources.html",
        sources=catalogue().sources(viewer()),
        history=history,
        runs=runs,
        plot=plot_of(runs),
        chosen=chosen,
        problems=page[:50],
        following=page[49][0] if len(page) > 50 else 0,
    )
