"""Reading the parameters of a request, strictly: what is unknown, repeated or wrong is refused."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from urllib.parse import unquote_to_bytes

from flask import request

from api.problems import MediaTypeRefused, NotAcceptable, ParameterInvalid
from parfocal.query import Query
from parfocal.query_text import parse_query

MAX_SIZE = 1000
MAX_TEXT = 10_000
SEARCH = ("q", "level", "facet", "sort", "size", "after", "expand", "collapse", "format")


def refuse_unknown(allowed: Collection[str], repeated: Collection[str] = ()) -> None:
    """Raise ParameterInvalid for a parameter that is unknown here, or that comes twice."""
    try:
        unquote_to_bytes(request.query_string).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ParameterInvalid("the address is not UTF-8") from error
    for name in request.args:
        if name not in allowed:
            known = ", ".join(sorted(allowed)) or "none"
            raise ParameterInvalid(
                f"there is no parameter {name[:100]!r} here",
                where=name[:100],
                hint=f"parameters are {known}",
            )
        if name not in repeated and len(request.args.getlist(name)) > 1:
            raise ParameterInvalid(f"{name!r} is given more than once", where=name)


def text(name: str, default: str = "", limit: int = MAX_TEXT) -> str:
    """Return a text parameter, at most ``limit`` characters."""
    value = request.args.get(name, default)
    if len(value) > limit:
        raise ParameterInvalid(f"{name!r} is longer than {limit:,} characters", where=name)
    return value


def number(name: str, default: int, low: int, high: int) -> int:
    """Return a whole number between two bounds."""
    value = request.args.get(name)
    if value is None or value == "":
        return default
    if not (value.isascii() and value.isdigit() and len(value) < 12 and low <= int(value) <= high):
        raise ParameterInvalid(f"{name!r} must be a number from {low} to {high}", where=name)
    return int(value)


def choice(name: str, default: str, allowed: Sequence[str]) -> str:
    """Return one of the allowed words."""
    value = request.args.get(name) or default
    if value not in allowed:
        raise ParameterInvalid(
            f"{name!r} cannot be {value[:100]!r}",
            where=name,
            hint=f"one of: {', '.join(filter(None, allowed))}",
        )
    return value


def search_query() -> Query:
    """Return the question of a search request by URL; what its text says of level or sort wins."""
    return parse_query(
        text("q"),
        level=request.args.get("level") or None,
        facets=request.args.getlist("facet"),
        sort=request.args.get("sort") or None,
        size=number("size", 20, 0, MAX_SIZE),
        after=text("after", limit=2000) or None,
        expand=request.args.get("expand") or None,
        collapse=choice("collapse", "", ("", "true", "false")) == "true",
    )


def json_body() -> bytes:
    """Return the body of a request that must be JSON."""
    if request.mimetype != "application/json":
        raise MediaTypeRefused(
            f"a body of type {request.mimetype[:100] or 'unknown'!r} is not read here",
            hint="send the JSON form with Content-Type: application/json",
        )
    return request.get_data()


def negotiate(offered: Sequence[str], default: str) -> str:
    """Return the media type that the asker likes best; NotAcceptable when there is none."""
    header = request.headers.get("Accept", "")
    if not header.strip():
        return default
    accepted = request.accept_mimetypes
    if accepted.quality(default) > 0 and accepted.quality(default) >= max(
        accepted.quality(kind) for kind in offered
    ):
        return default
    best = accepted.best_match(list(offered))
    if best is None:
        raise NotAcceptable(
            f"nothing here is of type {header[:200]}", hint=f"available: {', '.join(offered)}"
        )
    return best
