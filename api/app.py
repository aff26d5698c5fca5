"""The application factory: blueprints, who is asking, limits, security headers."""

from __future__ import annotations

import hashlib
import secrets
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask, Response, g, request

from api import (
    context,
    facets,
    health,
    openapi,
    pages,
    problems,
    records,
    review,
    search,
    signin,
    sources,
    sparql,
    thumbnails,
    viewers,
    words,
)
from api.patterns import DEFINITIONS

if TYPE_CHECKING:
    from parfocal.catalogue import Catalogue

MAX_BODY = 4 * 1024 * 1024
MAX_ADDRESS = 16_000
BLUEPRINTS = (
    search.blueprint,
    review.blueprint,
    review.pages,
    facets.blueprint,
    sources.blueprint,
    health.blueprint,
    openapi.blueprint,
    sparql.blueprint,
    records.blueprint,
    signin.blueprint,
    pages.blueprint,
)
_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def _begin() -> None:
    g.request_id = secrets.token_hex(6)
    if len(request.full_path) > MAX_ADDRESS:
        raise problems.AddressTooLong(
            f"the address is longer than {MAX_ADDRESS:,} characters",
            hint="send a long query by POST /api/v1/search",
        )
    viewers.identify()


def _finish(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.get("request_id", "")
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if request.path.startswith("/static/"):
        response.headers["Cache-Control"] = (
            "public, max-age=31536000, immutable" if request.args.get("v") else "no-cache"
        )
        return response
    response.vary.update(("Cookie", "Authorization"))
    if viewers.viewer().groups:
        kept = response.headers.get("Cache-Control", "")
        response.headers["Cache-Control"] = kept if "private" in kept else "private, no-cache"
    else:
        response.headers.setdefault("Cache-Control", "no-cache")
    return response


@lru_cache(maxsize=64)
def _version(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=6).hexdigest()


def _asset(name: str) -> str:
    """Return the address of a static file, which changes when the file does."""
    folder = Path(__file__).parent / "static"
    return f"/static/{name}?v={_version(folder / name)}"


def create_app(catalogue: Catalogue) -> Flask:
    """Make the web application that serves a catalogue.

    >>> from parfocal.catalogue import Catalogue
    >>> with Catalogue.in_memory() as catalogue:
    ...     create_app(catalogue).test_client().get("/api/v1/search").json["total"]
    0
    """
    app = Flask("api", static_folder=str(Path(__file__).parent / "static"))
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.url_map.merge_slashes = False
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.extensions[context.KEY] = catalogue
    app.extensions[viewers.KEY] = viewers.open_door(catalogue.settings)
    app.extensions[thumbnails.KEY] = thumbnails.PictureCache(
        catalogue.settings.data_dir / "thumbnails"
    )
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    app.before_request(_begin)
    app.after_request(_finish)
    app.jinja_env.globals.update(asset=_asset, who=viewers.viewer, definitions=DEFINITIONS)
    words.register(app)
    problems.register(app)
    return app
