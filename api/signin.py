"""The sign-in page: a token once, a session cookie from then on."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, Response, render_template, request

from api import parameters
from api.viewers import (
    COOKIE,
    FORM_COOKIE,
    FORM_SECONDS,
    SESSION_SECONDS,
    door,
    nonce,
    set_cookie,
    viewer,
)

blueprint = Blueprint("signin", __name__)


def _local(address: str) -> str:
    """Return an address of this server to go to; anything else becomes the front page."""
    parts = urlsplit(address)
    odd = "\\" in address or not address.startswith("/") or address.startswith("//")
    return "/" if odd or parts.scheme or parts.netloc or not address.isprintable() else address


def _form(status: int = 200, *, wrong: bool = False, following: str = "/") -> Response:
    mark = nonce()
    page = render_template(
        "signin.html",
        sign=door().form_sign(mark),
        wrong=wrong,
        following=following,
        possible=door().has_viewers,
        reader=viewer(),
    )
    response = Response(page, status, mimetype="text/html")
    set_cookie(response, FORM_COOKIE, mark, FORM_SECONDS)
    return response


@blueprint.get("/sign-in")
def show() -> Response:
    """Show the form."""
    parameters.refuse_unknown(("next",))
    return _form(following=_local(parameters.text("next", "/", 2000)))


@blueprint.post("/sign-in")
def sign_in() -> Response:
    """Take a token, give a session cookie and go back to where the asker came from."""
    parameters.refuse_unknown(())
    door().check_form(request.cookies.get(FORM_COOKIE, ""), request.form.get("sign", ""))
    following = _local(request.form.get("next", "/"))
    token = request.form.get("token", "")
    if door().by_token(token) is None:
        return _form(403, wrong=True, following=following)
    response = Response(status=303, headers={"Location": following})
    set_cookie(response, COOKIE, door().session(token), SESSION_SECONDS)
    return response


@blueprint.post("/sign-out")
def sign_out() -> Response:
    """Forget the session."""
    parameters.refuse_unknown(())
    door().check_form(request.cookies.get(FORM_COOKIE, ""), request.form.get("sign", ""))
    response = Response(status=303, headers={"Location": "/"})
    response.delete_cookie(COOKIE, httponly=True, samesite="Lax")
    return response
