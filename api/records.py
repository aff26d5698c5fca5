"""``/records/...``: one record as page, JSON-LD, Turtle, N-Triples or JSON, and its picture."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from flask import Blueprint, Response

from api import parameters, thumbnails
from api.context import base_url, catalogue, conditional
from api.record_page import record_page
from api.viewers import viewer
from parfocal import registry
from parfocal.answers import RecordView
from parfocal.errors import RecordInvalid, RecordNotFound
from parfocal.identifiers import RecordId, parse_record_id, record_path
from parfocal.jsonld import context as jsonld_context
from parfocal.values import Format

blueprint = Blueprint("records", __name__)
HTML = "text/html"
PICTURE = "/thumbnail"


def formats() -> dict[str, Format]:
    """Return the installed ways to write a record, by name."""
    return {name: registry.load("formats", name) for name in registry.names("formats")}


def look_up(text: str) -> RecordView | None:
    """Return the record of an identifier if it is one and this viewer may see it."""
    try:
        return catalogue().view(parse_record_id(text), viewer())
    except (RecordInvalid, RecordNotFound):
        return None


def _missing(text: str) -> RecordNotFound:
    return RecordNotFound(
        f"there is no record {text[:200]!r}, or it is not for you to see",
        hint="it may have been withdrawn, or need a sign-in; the search finds what there is",
    )


def alternates(identifier: RecordId) -> Iterator[tuple[str, str, str]]:
    """Yield (name, media type, path) of the record's other forms."""
    for name, form in sorted(formats().items()):
        yield name, form.media_type, record_path(identifier) + form.suffix


def _with_links(response: Response, identifier: RecordId) -> Response:
    for _, media_type, path in alternates(identifier):
        response.headers.add("Link", f'<{path}>; rel="alternate"; type="{media_type}"')
    response.headers.add("Link", f'<{base_url()}{record_path(identifier)}>; rel="canonical"')
    response.headers.add("Link", '</context.jsonld>; rel="describedby"')
    return response


def _dump(view: RecordView, form: Format) -> Response:
    response = Response(form.dump(view.told(base_url()), base_url()), mimetype=form.media_type)
    response.add_etag()
    return _with_links(response, view.record.id)


def _negotiated(view: RecordView) -> Response:
    by_type = {form.media_type: form for form in formats().values()}
    wanted = parameters.negotiate([HTML, *by_type], HTML)
    if wanted != HTML:
        parameters.refuse_unknown(())
        response = _dump(view, by_type[wanted])
    else:
        parameters.refuse_unknown(("after", "pairs"))
        response = Response(record_page(view, list(alternates(view.record.id))), mimetype=HTML)
        _with_links(response, view.record.id)
    response.vary.add("Accept")
    return response


def _by_suffix(path: str) -> Response | None:
    for form in formats().values():
        view = look_up(path.removesuffix(form.suffix)) if path.endswith(form.suffix) else None
        if view is not None:
            parameters.refuse_unknown(())
            return _dump(view, form)
    return None


@blueprint.get("/records/<path:path>")
def record(path: str) -> Response:
    """Answer for a record; the whole path is tried as an identifier before a suffix is cut off."""
    view = look_up(path)
    if view is not None:
        return conditional(_negotiated(view))
    if path.endswith(PICTURE):
        view = look_up(path.removesuffix(PICTURE))
        if view is not None:
            return thumbnails.answer(view)
    response = _by_suffix(path)
    if response is None:
        raise _missing(path)
    return conditional(response)


@blueprint.get("/context.jsonld")
def context() -> Response:
    """Return the JSON-LD context, generated from the model."""
    parameters.refuse_unknown(())
    response = Response(
        msgspec.json.encode({"@context": jsonld_context()}), mimetype="application/ld+json"
    )
    response.add_etag()
    response.headers["Access-Control-Allow-Origin"] = "*"
    return conditional(response)
