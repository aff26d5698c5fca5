"""What every view needs of the running application: the catalogue behind it, and its addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from flask import Response, current_app, request

from parfocal.identifiers import RecordId, record_path, source_of
from parfocal.model import Image, Record

if TYPE_CHECKING:
    from parfocal.catalogue import Catalogue

KEY = "parfocal"


def catalogue() -> Catalogue:
    """Return the catalogue that this application serves."""
    return cast("Catalogue", current_app.extensions[KEY])


def base_url() -> str:
    """Return the public address, without a slash at the end."""
    return catalogue().settings.base_url


def conditional(response: Response) -> Response:
    """Return the response, or 304 when the asker has it already."""
    response.make_conditional(request)
    return response


def can_draw(record: Record) -> bool:
    """Whether the record is an image whose kind of source makes thumbnails."""
    return isinstance(record, Image) and catalogue().draws(source_of(record.id))


def thumbnail_path(identifier: RecordId, size: int) -> str:
    """Return the path of a picture for a page: a thumbnail, or else a pattern."""
    return f"{record_path(identifier)}/thumbnail?size={size}&fallback=pattern"


def is_web_address(text: str) -> bool:
    """Whether a harvested text may stand as a link: http or https, with a host.

    >>> is_web_address("javascript:alert(1)"), is_web_address("https://example.org/a")
    (False, True)
    """
    try:
        parts = urlsplit(text.strip())
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)
