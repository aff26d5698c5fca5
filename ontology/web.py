"""Asking web services: bounded, polite, and never led elsewhere with what is secret."""

from __future__ import annotations

import ipaddress
import re
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urljoin, urlsplit

import msgspec
import requests

from parfocal import __version__
from parfocal.errors import ParfocalError, SourceMalformed, SourceRefused, SourceUnavailable

MOST_BYTES = 4 << 30
_MOST_ANSWER = 64 << 20
_TRIES = 4
_LONGEST_WAIT = 60.0
_HOPS = 5
_PIECE = 1 << 18
_BUSY = (429, 500, 502, 503, 504)
_MOVED = (301, 302, 303, 307, 308)
_SECRET = re.compile(r"(?i)([?&](?:api_?key|token|access_token)=)[^&#]*")


def shown(url: str) -> str:
    """Return an address fit for messages, without the secrets in its query.

    >>> shown("https://a.example/x?apikey=abc&q=1")
    'https://a.example/x?apikey=***&q=1'
    """
    return _SECRET.sub(r"\1***", url)[:300]


class Web:
    """Asks one service, whose address the operator named, one request at a time.

    ``headers`` go to that service's own scheme, host and port only. Redirects to other hosts are
    refused, or, for downloads, followed without headers into public networks only.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30.0,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.url = url.rstrip("/")
        self._headers = dict(headers or {})
        self._timeout = timeout
        self._sleep = sleep
        self._session = requests.Session()
        # Proxies stay as the environment says; passwords of a .netrc are nobody's business here.
        self._session.trust_env = True
        self._session.auth = _no_login
        self._session.headers["User-Agent"] = f"parfocal/{__version__}"

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def json(
        self,
        path: str,
        params: Mapping[str, str | int] | None = None,
        *,
        form: Mapping[str, str | int] | None = None,
        missing: bool = False,
    ) -> Any:
        """Return a decoded answer; None for one that is not there, where that may be."""
        address = self._join(path)
        for left in reversed(range(_TRIES)):
            try:
                with self._ask(address, params=params, form=form) as answer:
                    if answer.status_code == 404 and missing:
                        return None
                    self._check(answer)
                    decoded = _decoded(answer, _taken(answer, _MOST_ANSWER))
                    self._pause(answer)
                    return decoded
            except _Again as again:
                self._wait(again, left)
        raise AssertionError("the last try returns or raises")

    def download(self, path: str, file: BinaryIO, most: int = MOST_BYTES) -> None:
        """Write an answer into a file, led elsewhere or not."""
        address = self._join(path)
        for left in reversed(range(_TRIES)):
            try:
                file.seek(0)
                file.truncate()
                with self._ask(address, elsewhere=True) as answer:
                    self._check(answer)
                    for piece in _pieces(answer, most):
                        file.write(piece)
                return
            except _Again as again:
                self._wait(again, left)

    def refuse_inner(self, address: str) -> None:
        """Raise SourceRefused for an address that the service gave and that is not public."""
        if _origin(address) != _origin(self.url):
            _refuse_inner(address, elsewhere=True)

    # -------------------------------------------------------------- inside

    def _join(self, path: str) -> str:
        """Return the address of a path; one that a service gave must be the service's own."""
        address = path if "://" in path else f"{self.url}/{path.lstrip('/')}"
        if _origin(address) != _origin(self.url):
            raise SourceRefused("leads to another host than the service's", where=shown(address))
        return address

    def _ask(
        self,
        address: str,
        *,
        params: Mapping[str, str | int] | None = None,
        form: Mapping[str, str | int] | None = None,
        elsewhere: bool = False,
    ) -> requests.Response:
        for _ in range(_HOPS):
            own = _origin(address) == _origin(self.url)
            try:
                answer = self._session.request(
                    "POST" if form is not None else "GET",
                    address,
                    params=params,
                    data=form,
                    headers=self._headers if own else None,
                    timeout=self._timeout,
                    allow_redirects=False,
                    stream=True,
                )
            except requests.RequestException as error:
                raise _Again(_reason(error), address) from error
            if answer.status_code not in _MOVED:
                return answer
            address, params = urljoin(address, answer.headers.get("Location", "")), None
            answer.close()
            if _origin(address) != _origin(self.url):
                _refuse_inner(address, elsewhere=elsewhere)
        raise SourceRefused("leads from one address to the next without end", where=shown(address))

    def _check(self, answer: requests.Response) -> None:
        status, where = answer.status_code, shown(answer.url)
        if status in (401, 403):
            raise SourceRefused(
                f"the service refuses the key (status {status})",
                where=where,
                hint="ontology.remote.api_key: is it there, whole, and not expired?",
            )
        if status in _BUSY:
            raise _Again(f"answers status {status}", answer.url, _told_wait(answer))
        if status >= 400:
            raise SourceRefused(f"answers status {status}", where=where)

    def _wait(self, again: _Again, left: int) -> None:
        if not left or again.seconds > _LONGEST_WAIT:
            raise SourceUnavailable(
                again.reason, where=shown(again.address), hint="try again later"
            ) from again
        self._sleep(again.seconds or 2.0 ** (_TRIES - 1 - left))

    def _pause(self, answer: requests.Response) -> None:
        """Wait when the service says that nothing is left of what it grants."""
        if _number(answer.headers.get("RateLimit-Remaining", "1")) == 0:
            self._sleep(min(_number(answer.headers.get("RateLimit-Reset", "1")), _LONGEST_WAIT))


class _Again(Exception):
    """An answer that may be better the next time."""

    def __init__(self, reason: str, address: str, seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.address = address
        self.seconds = seconds


def _no_login(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _origin(address: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(address)
        return parts.scheme, (parts.hostname or ""), parts.port
    except ValueError as error:
        raise SourceRefused("is no address", where=shown(address)) from error


def _refuse_inner(address: str, *, elsewhere: bool) -> None:
    """Raise SourceRefused for a redirect that may not be followed."""
    scheme, host, port = _origin(address)
    if not elsewhere or scheme not in ("http", "https") or not host:
        raise SourceRefused("leads to another host than the service's", where=shown(address))
    try:
        found = socket.getaddrinfo(host, port or scheme, type=socket.SOCK_STREAM)
    except OSError as error:
        raise _Again(f"no address for the host {host}", address) from error
    for *_, place in found:
        reached = ipaddress.ip_address(str(place[0]).partition("%")[0])
        if not reached.is_global or reached.is_multicast:
            raise SourceRefused("leads into a network that is not public", where=shown(address))


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not to be trusted"
    if isinstance(error, requests.Timeout):
        return "does not answer in time"
    return "cannot be reached"


def _told_wait(answer: requests.Response) -> float:
    told = answer.headers.get("Retry-After") or answer.headers.get("RateLimit-Reset") or ""
    return _number(told)


def _number(text: str) -> float:
    try:
        return max(0.0, float(text))
    except ValueError:
        return 0.0


def _pieces(answer: requests.Response, most: int) -> Any:
    """Yield an answer's content; _Again for one that breaks off."""
    told = answer.headers.get("Content-Length", "")
    expected = int(told) if told.isdigit() and "Content-Encoding" not in answer.headers else -1
    taken = 0
    try:
        for piece in answer.iter_content(_PIECE):
            taken += len(piece)
            if taken > most:
                raise SourceMalformed("the answer is too large", where=shown(answer.url))
            yield piece
    except requests.RequestException as error:
        raise _Again("the answer breaks off", answer.url) from error
    if 0 <= taken < expected:
        raise _Again("the answer breaks off", answer.url)


def _taken(answer: requests.Response, most: int) -> bytes:
    return b"".join(_pieces(answer, most))


def _decoded(answer: requests.Response, content: bytes) -> Any:
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        page = b"<html" in content[:2000].lower()
        raise SourceMalformed(
            "answers a web page instead of data" if page else "answers what is no JSON",
            where=shown(answer.url),
            hint="is the address that of the service's programming interface?",
        ) from error


def fetch(url: str, path: Path, *, timeout: float = 60.0) -> None:
    """Download a file from an address that the operator named."""
    web = Web(url, timeout=timeout)
    try:
        with path.open("wb") as file:
            web.download(url, file)
    except OSError as error:
        raise ParfocalError(f"cannot be written: {error.strerror}", where=str(path)) from error
    finally:
        web.close()
