"""Errors as RFC 9457 problem details for programs and as pages for people; never status 200."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from flask import Flask, Response, g, render_template, request
from werkzeug.exceptions import HTTPException

from parfocal.errors import ParfocalError, QueryInvalid

log = logging.getLogger("parfocal.api")
MEDIA_TYPE = "application/problem+json"
TYPE = "urn:parfocal:problem:"


class ParameterInvalid(ParfocalError):
    """A parameter of the request is unknown, repeated or wrong; ``where`` names it."""

    status = 400
    code = "parameter-invalid"


class TokenRefused(ParfocalError):
    """The bearer token is not one that this server knows."""

    status = 401
    code = "token-refused"


class FormExpired(ParfocalError):
    """A form was sent without the sign that this server gave out with it."""

    status = 403
    code = "form-expired"


class CuratorsOnly(ParfocalError):
    """Only viewers whom the settings call curators may do that."""

    status = 403
    code = "curators-only"


class NotAcceptable(ParfocalError):
    """None of the asked media types can be given."""

    status = 406
    code = "not-acceptable"


class AddressTooLong(ParfocalError):
    """The address of the request is too long."""

    status = 414
    code = "address-too-long"


class MediaTypeRefused(ParfocalError):
    """The body of the request is of a type that is not read here."""

    status = 415
    code = "media-type-refused"


class PictureMissing(ParfocalError):
    """The record has no picture that could be made here."""

    status = 404
    code = "picture-missing"


_HTTP_HINTS = {
    404: "check the address; the search page finds records by words",
    405: "the header Allow lists the methods of this address",
    413: "a request body may have at most 4 MiB",
    415: "send application/json",
}
_CODE_TITLES = {CuratorsOnly.code: "This page is for curators"}
_TITLES = {
    400: "This cannot be understood",
    401: "This token is not known here",
    403: "This form has expired",
    404: "There is nothing here, or not for you",
    405: "This address does not do that",
    406: "Not available in that form",
    413: "That is too large",
    414: "That address is too long",
    415: "That kind of content is not read here",
    500: "Something went wrong",
    503: "Not available at the moment",
}


def wants_page() -> bool:
    """Whether the asker is a browser rather than a program."""
    if request.path.startswith(("/api/", "/openapi", "/healthz")):
        return False
    best = request.accept_mimetypes.best_match(
        ["application/json", MEDIA_TYPE, "application/ld+json", "text/html"], default=""
    )
    return best == "text/html" and "text/html" in request.headers.get("Accept", "")


def _details(error: ParfocalError) -> dict[str, Any]:
    """Return the members of a problem; a failure inside does not tell where files lie."""
    details: dict[str, Any] = {
        "type": TYPE + error.code,
        "title": error.code.replace("-", " ").capitalize(),
        "status": error.status,
        "detail": error.message,
    }
    if error.hint:
        details["hint"] = error.hint
    if isinstance(error, QueryInvalid):
        if error.position >= 0:
            details |= {"position": error.position, "length": error.length}
        if error.where:
            details["pointer"] = error.where
    elif isinstance(error, ParameterInvalid) and error.where:
        details["parameter"] = error.where
    details["retryable"] = error.retryable
    return details


def respond(details: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    """Return a problem as a page or as JSON, whichever the asker reads."""
    status = int(details["status"])
    details["request_id"] = g.get("request_id", "")
    if wants_page():
        code = str(details["type"]).removeprefix(TYPE)
        heading = _CODE_TITLES.get(code) or _TITLES.get(status, _TITLES[500])
        content: str | bytes = render_template("error.html", problem=details, heading=heading)
        response = Response(content, status, mimetype="text/html")
    else:
        response = Response(msgspec.json.encode(details), status, mimetype=MEDIA_TYPE)
    response.headers.update(headers or {})
    response.headers["Cache-Control"] = "no-store"
    return response


def _known(error: ParfocalError) -> Response:
    if error.status >= 500:
        log.error("request %s: %s", g.get("request_id", ""), error)
    headers = {"Retry-After": "10"} if error.retryable else {}
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="parfocal"'
    return respond(_details(error), headers)


def _http(error: HTTPException) -> Response:
    kept = {k: v for k, v in error.get_headers() if k in ("Allow", "Retry-After")}
    details = {
        "type": "about:blank",
        "title": error.name,
        "status": error.code or 500,
        "detail": error.description or error.name,
        "retryable": False,
    }
    if error.code in _HTTP_HINTS:
        details["hint"] = _HTTP_HINTS[error.code]
    return respond(details, kept)


def _unknown(error: Exception) -> Response:
    log.error("request %s failed", g.get("request_id", ""), exc_info=error)
    return respond(
        {
            "type": TYPE + "error",
            "title": "Internal error",
            "status": 500,
            "detail": "the server failed to answer this request",
            "hint": "try again; if it stays, tell the operator the request id",
            "retryable": False,
        }
    )


def register(app: Flask) -> None:
    """Answer every error of the application with a problem."""
    app.register_error_handler(ParfocalError, _known)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unknown)
