"""Who is asking: a bearer token, a session cookie from the sign-in page, or nobody."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from flask import Response, current_app, g, request
from itsdangerous import BadSignature, URLSafeTimedSerializer

from api.problems import FormExpired, TokenRefused
from parfocal.config import Settings, ViewerSettings
from parfocal.errors import StoreError
from parfocal.model import ANONYMOUS, Viewer

KEY = "parfocal-door"
COOKIE = "parfocal_session"
FORM_COOKIE = "parfocal_form"
SESSION_SECONDS = 30 * 24 * 3600
FORM_SECONDS = 3600


class Door:
    """Knows the configured viewers, and signs and reads their session cookies."""

    def __init__(self, viewers: Sequence[ViewerSettings], secret: bytes) -> None:
        self._secret = secret
        self._viewers = tuple(
            (
                self._digest(v.token.get_secret_value()),
                Viewer(frozenset(v.groups), v.name, v.curator),
            )
            for v in viewers
        )
        self._sessions = URLSafeTimedSerializer(secret, salt="session")
        self._forms = URLSafeTimedSerializer(secret, salt="form")

    @property
    def has_viewers(self) -> bool:
        """Whether anybody can sign in at all."""
        return bool(self._viewers)

    def _digest(self, token: str) -> str:
        return hmac.new(self._secret, token.encode(), hashlib.sha256).hexdigest()

    def _by_digest(self, digest: str) -> Viewer | None:
        """Compare with every viewer, so that the time tells nothing."""
        found = None
        for known, viewer in self._viewers:
            if hmac.compare_digest(known.encode(), digest.encode()):
                found = viewer
        return found

    def by_token(self, token: str) -> Viewer | None:
        """Return the viewer whose token this is."""
        return self._by_digest(self._digest(token))

    def session(self, token: str) -> str:
        """Return a signed cookie that stands for a token without telling it."""
        return str(self._sessions.dumps(self._digest(token)))

    def by_session(self, cookie: str) -> Viewer | None:
        """Return the viewer of a cookie; None when it is forged, old, or its token withdrawn."""
        try:
            digest = self._sessions.loads(cookie, max_age=SESSION_SECONDS)
        except BadSignature:
            return None
        return self._by_digest(str(digest))

    def form_sign(self, nonce: str) -> str:
        """Return what a form must bring back, bound to the browser's nonce."""
        return str(self._forms.dumps(nonce))

    def check_form(self, nonce: str, sign: str) -> None:
        """Raise FormExpired unless the sign was given out for this nonce, less than an hour ago."""
        try:
            given = str(self._forms.loads(sign, max_age=FORM_SECONDS))
        except BadSignature:
            given = ""
        if not nonce or not hmac.compare_digest(given.encode(), nonce.encode()):
            raise FormExpired("the form is too old, or cookies are off", hint="load it again")


def _secret(folder: Path) -> bytes:
    """Return the secret of a data folder, made at first use, readable by its owner alone."""
    path = folder / "session.key"
    if not folder.is_dir():
        return secrets.token_bytes(32)
    try:
        if not path.exists():
            fresh = folder / f".session.key.{secrets.token_hex(8)}"
            with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as f:
                f.write(secrets.token_bytes(32))
            try:
                os.link(fresh, path)
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        return path.read_bytes()
    except OSError as error:
        raise StoreError(
            f"the session secret cannot be kept: {error.strerror}",
            where=str(path),
            hint="the data folder must be writable when [[server.viewers]] are configured",
        ) from error


def open_door(settings: Settings) -> Door:
    """Make the door of a server; without configured viewers nothing is written."""
    viewers = settings.server.viewers
    return Door(viewers, _secret(settings.data_dir) if viewers else secrets.token_bytes(32))


def door() -> Door:
    """Return the door of the running application."""
    return cast("Door", current_app.extensions[KEY])


def _ask() -> Viewer:
    given = request.headers.get("Authorization", "")
    if given:
        scheme, _, token = given.partition(" ")
        viewer = door().by_token(token.strip()) if scheme.lower() == "bearer" else None
        if viewer is None:
            raise TokenRefused(
                "the authorization is not known here",
                hint="send 'Authorization: Bearer TOKEN' with a known token, or none",
            )
        return viewer
    cookie = request.cookies.get(COOKIE, "")
    return (door().by_session(cookie) if cookie else None) or ANONYMOUS


def identify() -> None:
    """Find out who asks, before any view runs; TokenRefused for a wrong token."""
    g.viewer = ANONYMOUS
    g.viewer = _ask()


def viewer() -> Viewer:
    """Return who asks."""
    return cast("Viewer", g.get("viewer", ANONYMOUS))


def form_sign(response_nonce: str) -> str:
    """Return the sign for a form on this page."""
    return door().form_sign(response_nonce)


def nonce() -> str:
    """Return this browser's nonce, a new one at its first form."""
    return request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(24)


def set_cookie(response: Response, name: str, value: str, seconds: int) -> None:
    """Set a cookie that scripts and other sites cannot use."""
    response.set_cookie(
        name, value, max_age=seconds, httponly=True, samesite="Lax", secure=request.is_secure
    )
