"""Asking servers: within limits, politely, again when that may help, and never tricked.

All network sources ask through :class:`Http`. See :mod:`harvester.politeness` for what a host is
spared and :mod:`harvester.addresses` for what may be asked.
"""

from __future__ import annotations

import asyncio
import json as json_text
import random
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec
from msgspec import Struct
from yarl import URL

from harvester.addresses import Guard, origin, parse_address, shown
from harvester.answers import Answer, Body, Garbled, check_whole
from harvester.http_options import HttpOptions as HttpOptions
from harvester.patience import PATIENCE, wait_asked
from harvester.politeness import HOSTS, Limits
from harvester.robots import Robots
from parfocal.errors import (
    ConfigError,
    SourceError,
    SourceMalformed,
    SourceRefused,
    SourceUnavailable,
)
from parfocal.interfaces import Walk

Params = Mapping[str, str | int] | Sequence[tuple[str, str]]
Login = Callable[["Http"], Awaitable[None]]

MAX_REDIRECTS = 10
_REDIRECTS = (301, 302, 303, 307, 308)
_MAX_ERROR_BODY = 64 * 1024
_MAX_BACK_OFF = 60.0
_CHUNK = 128 * 1024
# Headers that may go to a host that the operator did not name.
_HARMLESS = frozenset(
    {"accept", "accept-language", "if-none-match", "if-modified-since", "range", "content-type"}
)
_logging_in: ContextVar[bool] = ContextVar("_logging_in", default=False)
_dice = random.SystemRandom()


class _Busy(SourceUnavailable):
    """The server did not take the request, so that it can be repeated whatever it was."""


class _Denied(SourceRefused):
    """Login is needed or has expired."""


class _Request(Struct, frozen=True):
    method: str
    url: URL
    headers: Mapping[str, str]
    body: bytes | None
    expect: tuple[int, ...]
    limit: int
    check: Callable[[Answer], object] | None
    repeatable: bool


class Http:
    """A client for one walk over one archive; cookies and logins live as long as it does.

    ``login`` is called when the archive answers that one is needed (401, 403), at most once for
    each request. Limits to hosts are shared with all other sources of the process.
    """

    def __init__(self, options: HttpOptions, walk: Walk, *, login: Login | None = None) -> None:
        self.options = options
        self._walk = walk
        self._login = login
        self._login_lock = asyncio.Lock()
        self._era = 0
        home = parse_address(options.url)
        self._home = _trusted_origins(home)
        self._guard = Guard({(host, port) for _, host, port in self._home}, options.networks())
        self._limits = Limits(options.concurrency, options.rate)
        self._joined: set[str] = set()
        self._robots = Robots(self, options.user_agent)

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            resolver=self._guard, limit=0, ssl=_tls(self.options.ca_file)
        )
        self.cookies = aiohttp.CookieJar(unsafe=True)
        self._session = self._open(connector, self.cookies)
        self._strangers = self._open(connector, aiohttp.DummyCookieJar())
        self._connector = connector
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()
        await self._strangers.close()
        await self._connector.close()
        for name in self._joined:
            HOSTS.leave(name, self._limits)
        self._joined.clear()

    def _open(
        self, connector: aiohttp.TCPConnector, cookies: aiohttp.abc.AbstractCookieJar
    ) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector,
            connector_owner=False,
            cookie_jar=cookies,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            auto_decompress=False,
            headers={"User-Agent": self.options.user_agent, "Accept-Encoding": "gzip, deflate"},
        )

    async def get(
        self,
        url: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        expect: tuple[int, ...] = (200,),
        limit: int | None = None,
        web_page: bool = False,
        check: Callable[[Answer], object] | None = None,
    ) -> Answer:
        """Ask for an address; return an answer with one of the expected statuses.

        ``limit`` is the largest body in bytes. ``web_page`` respects robots.txt. ``check`` looks at
        the answer: when it raises SourceMalformed or SourceUnavailable the request is repeated,
        when it raises SourceRefused the login is. Raises SourceError.
        """
        address = _with_params(url, params)
        if web_page:
            await self._robots.check(address)
        return await self._ask(
            _Request(
                "GET",
                address,
                dict(headers or {}),
                None,
                expect,
                limit or self.options.max_mb * 1024 * 1024,
                check,
                repeatable=True,
            )
        )

    async def post(
        self,
        url: str,
        *,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        params: Params | None = None,
        expect: tuple[int, ...] = (200, 201),
        limit: int | None = None,
        repeatable: bool = False,
        check: Callable[[Answer], object] | None = None,
    ) -> Answer:
        """Send JSON, a form or bytes; return the answer.

        Only a ``repeatable`` one (a search) is repeated when it is unknown whether it arrived.
        """
        kind, body = _body(json, form, content)
        return await self._ask(
            _Request(
                "POST",
                _with_params(url, params),
                {**({"Content-Type": kind} if kind else {}), **(headers or {})},
                body,
                expect,
                limit or self.options.max_mb * 1024 * 1024,
                check,
                repeatable,
            )
        )

    async def _ask(self, request: _Request) -> Answer:
        may_log_in = self._login is not None and not _logging_in.get()
        attempt = 0
        while True:
            era = self._era
            try:
                return await self._follow(request)
            except SourceRefused as error:
                if not may_log_in or not isinstance(error, _Denied):
                    raise
                may_log_in = False
                await self._log_in(era)
            except SourceError as error:
                again = request.repeatable or isinstance(error, _Busy)
                if not again or not error.retryable or attempt >= self.options.retries:
                    raise
                self._check_patience(request.url, error)
                await asyncio.sleep(self._back_off(attempt))
                attempt += 1

    def _back_off(self, attempt: int) -> float:
        """Return a random part of a time that doubles with every attempt."""
        longest = min(_MAX_BACK_OFF, self.options.retry_wait * 2.0**attempt)
        return _dice.uniform(0, longest)

    def _check_patience(self, url: URL, error: SourceError) -> None:
        wait = HOSTS.held(_host_name(url))
        if wait > PATIENCE:
            raise SourceUnavailable(
                f"the server wants to be left alone for {wait / 60:.0f} minutes",
                where=shown(url),
                hint="harvest again later; the walk goes on where it ended",
            ) from error

    async def _log_in(self, era: int) -> None:
        """Log in, unless another request did since the refused one began."""
        async with self._login_lock:
            if self._era != era or self._login is None:
                return
            token = _logging_in.set(True)
            try:
                await self._login(self)
            finally:
                _logging_in.reset(token)
            self._era += 1

    async def _follow(self, request: _Request) -> Answer:
        """Ask and follow redirects; every hop is checked as if it were the first."""
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._hop(request)
            if answer.status not in _REDIRECTS or answer.status in request.expect:
                self._judge(request, answer)
                return answer
            request = self._redirected(request, answer)
        raise SourceMalformed("redirects without end", where=shown(request.url))

    def _redirected(self, request: _Request, answer: Answer) -> _Request:
        where = shown(request.url)
        try:
            target = request.url.join(URL(answer.headers.get("location", "")))
        except ValueError as error:
            raise SourceMalformed("redirects to no address", where=where) from error
        if not answer.headers.get("location"):
            raise SourceMalformed("redirects to nowhere", where=where)
        target = parse_address(target)
        leaves = origin(target) != origin(request.url)
        keeps = answer.status in (307, 308)
        if request.method != "GET" and keeps and leaves:
            raise SourceRefused("redirects what was sent to another host", where=where)
        return msgspec.structs.replace(
            request,
            url=target,
            method=request.method if keeps else "GET",
            body=request.body if keeps else None,
            headers=_harmless(request.headers) if leaves else request.headers,
        )

    async def _hop(self, request: _Request) -> Answer:
        url = parse_address(request.url)
        self._guard.check_literal(url)
        name = _host_name(url)
        if name not in self._joined:
            self._joined.add(name)
            HOSTS.join(name, self._limits)
        async with HOSTS.turn(name):
            try:
                async with asyncio.timeout(self.options.timeout):
                    answer = await self._exchange(request, url)
            except TimeoutError as error:
                raise SourceUnavailable(
                    f"no whole answer within {self.options.timeout:g} s", where=shown(url)
                ) from error
            except aiohttp.ClientError as error:
                raise _failure(error, url) from error
            except OSError as error:
                raise SourceUnavailable(
                    f"the connection broke: {error.strerror or 'closed'}", where=shown(url)
                ) from error
        self._heed(name, answer)
        return answer

    async def _exchange(self, request: _Request, url: URL) -> Answer:
        at_home = origin(url) in self._home
        session = self._session if at_home else self._strangers
        headers = request.headers if at_home else _harmless(request.headers)
        async with session.request(
            request.method, url, data=request.body, headers=headers, allow_redirects=False
        ) as response:
            fine = response.status in request.expect
            limit = request.limit if fine else max(_MAX_ERROR_BODY, 0)
            body = Body(response.headers.get("Content-Encoding", ""), limit, shown(url))
            try:
                content = await _read(response, body, complete=fine)
            finally:
                self._walk.answered(body.received)
        kept = {
            name.lower(): value
            for name, value in response.headers.items()
            if name.lower() != "set-cookie"
        }
        return Answer(response.status, shown(url) if not at_home else str(url), kept, content)

    def _heed(self, name: str, answer: Answer) -> None:
        """Leave a host alone when it asks for that."""
        wait = wait_asked(answer.status, answer.headers)
        if wait > 0:
            HOSTS.hold(name, wait)

    def _judge(self, request: _Request, answer: Answer) -> None:
        """Raise unless the answer is an expected one."""
        status, where = answer.status, shown(request.url)
        if status in request.expect:
            if status == 200:
                check_whole(answer)
            if request.check is not None:
                _look(request.check, answer)
            return
        spent = status == 403 and wait_asked(status, answer.headers) > 0
        if status == 429 or spent or (status == 503 and "retry-after" in answer.headers):
            raise _Busy(f"the server is busy (answered {status})", where=where)
        if status in (401, 403):
            raise _Denied(
                f"the server refused (answered {status})",
                where=where,
                hint="check the credentials of the source and what they may read",
            )
        if status in (408, 425) or (status >= 500 and status != 501):
            raise SourceUnavailable(f"the server failed (answered {status})", where=where)
        raise SourceRefused(f"the server answered {status}", where=where)


def _look(check: Callable[[Answer], object], answer: Answer) -> None:
    try:
        check(answer)
    except SourceRefused as error:
        raise _Denied(error.message, where=error.where, hint=error.hint) from error
    except SourceMalformed as error:
        raise Garbled(error.message, where=error.where, hint=error.hint) from error


async def _read(response: aiohttp.ClientResponse, body: Body, *, complete: bool) -> bytes:
    """Read a body; that of an answer nobody wants is read as far as it is short and readable."""
    try:
        async for chunk in response.content.iter_chunked(_CHUNK):
            body.feed(chunk)
        return body.close()
    except SourceMalformed:
        if complete:
            raise
        response.close()
        return b""


def _failure(error: aiohttp.ClientError, url: URL) -> SourceError:
    """Say in our own words what failed: theirs may hold addresses with secrets."""
    where = shown(url)
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return SourceRefused(
            "the certificate of the server is not trusted",
            where=where,
            hint="ca_file of the source names certificates of your own authority",
        )
    if isinstance(error, aiohttp.ClientConnectorError):
        words = error.strerror or "no connection"
        return _Busy(f"the server cannot be reached: {words}", where=where)
    if isinstance(error, aiohttp.InvalidURL):
        return SourceRefused("is no address", where=where)
    if isinstance(error, aiohttp.ClientPayloadError):
        return SourceUnavailable("the answer is cut off", where=where)
    return SourceUnavailable("the connection broke", where=where)


def _trusted_origins(home: URL) -> frozenset[tuple[str, str, int]]:
    """The operator's address, and the same host with TLS when it was named without."""
    origins = {origin(home)}
    if home.scheme == "http" and home.port == 80:
        origins.add(("https", home.host or "", 443))
    return frozenset(origins)


def _host_name(url: URL) -> str:
    return f"{url.host}:{url.port}"


def _harmless(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() in _HARMLESS}


def _with_params(url: str, params: Params | None) -> URL:
    address = parse_address(url)
    if not params:
        return address
    pairs = params.items() if isinstance(params, Mapping) else params
    return address.extend_query([(name, str(value)) for name, value in pairs])


def _body(
    json: Any, form: Mapping[str, str] | None, content: bytes | None
) -> tuple[str, bytes | None]:
    if json is not None:
        return "application/json", json_text.dumps(json).encode()
    if form is not None:
        pairs = URL.build(query=dict(form)).raw_query_string
        return "application/x-www-form-urlencoded", pairs.encode()
    return "", content


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            raise ConfigError("holds no certificates", where=f"ca_file {ca_file}") from error
    return context
