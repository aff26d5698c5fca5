"""Asking servers: within limits, politely, again when that may help, and never tricked.

All network sources ask through :class:`Http`. See :mod:`harvester.asking.politeness` for what a
host is spared and :mod:`harvester.asking.addresses` for what may be asked.
"""

from __future__ import annotations

import asyncio
import json as json_text
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import IO, Any, Self

import msgspec
from aiohttp import CookieJar
from yarl import URL

from harvester.asking.addresses import origin, parse_address, shown
from harvester.asking.answers import Answer, Garbled, check_whole
from harvester.asking.connection import Busy, Connection, Failed, Request, harmless, host_name
from harvester.asking.http_options import HttpOptions as HttpOptions
from harvester.asking.logins import Logins
from harvester.asking.patience import wait_asked
from harvester.asking.politeness import HOSTS
from harvester.asking.robots import Robots
from parfocal.errors import (
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
_MAX_BACK_OFF = 60.0
_dice = random.SystemRandom()


class _Denied(SourceRefused):
    """Login is needed or has expired."""


class Http:
    """A client for one walk over one archive; cookies and logins live as long as it does.

    ``login`` is called when the archive answers that one is needed (401, 403), at most once for
    each request. Limits to hosts are shared with all other sources of the process.
    """

    def __init__(self, options: HttpOptions, walk: Walk, *, login: Login | None = None) -> None:
        self.options = options
        self._logins = Logins(partial(login, self) if login else None)
        self._connection = Connection(options, walk)
        self._robots = Robots(self, options.user_agent)

    @property
    def cookies(self) -> CookieJar:
        """Return the cookies that the archive gave."""
        return self._connection.cookies

    async def __aenter__(self) -> Self:
        await self._connection.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._connection.close()

    async def get(
        self,
        url: str | URL,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        expect: tuple[int, ...] = (200,),
        limit: int | None = None,
        web_page: bool = False,
        check: Callable[[Answer], object] | None = None,
        into: IO[bytes] | None = None,
    ) -> Answer:
        """Ask for an address; return an answer with one of the expected statuses.

        ``limit`` is the largest body in bytes. ``web_page`` respects robots.txt. ``check`` looks at
        the answer: when it raises SourceMalformed or SourceUnavailable the request is repeated,
        when it raises SourceRefused the login is. With ``into`` the body goes into that file, and
        the answer has none. Raises SourceError.
        """
        address = _with_params(url, params)
        if web_page:
            await self._robots.check(address)
        return await self._ask(
            Request(
                "GET",
                address,
                dict(headers or {}),
                None,
                expect,
                limit or self.options.max_mb * 1024 * 1024,
                check,
                repeatable=True,
                into=into,
            )
        )

    async def head(
        self,
        url: str | URL,
        *,
        headers: Mapping[str, str] | None = None,
        expect: tuple[int, ...] = (200,),
    ) -> Answer:
        """Ask for the headers of an address only; the answer has no body."""
        wanted = dict(headers or {})
        return await self._ask(
            Request("HEAD", parse_address(url), wanted, None, expect, 1, None, repeatable=True)
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
        What is sent may hold a password, so that it goes to the operator's address only.
        """
        if not self._connection.is_home(parse_address(url)):
            raise SourceRefused("nothing is sent to another host", where=shown(url))
        kind, body = _body(json, form, content)
        return await self._ask(
            Request(
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

    async def _ask(self, request: Request) -> Answer:
        attempt, renewed = 0, False
        while True:
            era = self._logins.era
            try:
                answer = await self._follow(request)
            except SourceRefused as error:
                if renewed:
                    self._logins.helped(False)
                if renewed or not isinstance(error, _Denied) or not self._logins.may_help():
                    raise
                await self._logins.renew(era)
                renewed = True
            except SourceError as error:
                again = request.repeatable or isinstance(error, Busy)
                if not again or not error.retryable or attempt >= self.options.retries:
                    raise
                wait = self._back_off(attempt)
                if isinstance(error, Busy):  # Others would meet the same.
                    HOSTS.hold(host_name(request.url), wait)
                await asyncio.sleep(wait)
                attempt += 1
            else:
                if renewed:
                    self._logins.helped(True)
                return answer

    def _back_off(self, attempt: int) -> float:
        """Return a random part of a time that doubles with every attempt."""
        longest = min(_MAX_BACK_OFF, self.options.retry_wait * 2.0**attempt)
        return _dice.uniform(0, longest)

    async def _follow(self, request: Request) -> Answer:
        """Ask and follow redirects; every hop is checked as if it were the first."""
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._connection.ask(request)
            if answer.status not in _REDIRECTS or answer.status in request.expect:
                self._judge(request, answer)
                return answer
            request = self._redirected(request, answer)
        raise SourceMalformed("redirects without end", where=shown(request.url))

    def _redirected(self, request: Request, answer: Answer) -> Request:
        where = shown(request.url)
        try:
            target = request.url.join(URL(answer.headers.get("location", "")))
        except ValueError as error:
            raise SourceMalformed("redirects to no address", where=where) from error
        if not answer.headers.get("location"):
            raise SourceMalformed("redirects to nowhere", where=where)
        target = parse_address(target)
        home = self._connection.is_home(target) and self._connection.is_home(request.url)
        leaves = origin(target) != origin(request.url) and not home
        keeps = answer.status in (307, 308)
        if request.method == "POST" and keeps and leaves:
            raise SourceRefused("redirects what was sent to another host", where=where)
        return msgspec.structs.replace(
            request,
            url=target,
            method=request.method if keeps or request.method == "HEAD" else "GET",
            body=request.body if keeps else None,
            headers=harmless(request.headers) if leaves else request.headers,
        )

    def _judge(self, request: Request, answer: Answer) -> None:
        """Raise unless the answer is an expected one."""
        status = answer.status
        if status in request.expect:
            here = request.into is None
            if here and status == 200 and (request.method == "GET" or answer.content):
                check_whole(answer)
            if request.check is not None:
                _look(request.check, answer)
            return
        where = shown(request.url)
        spent = status == 403 and wait_asked(status, answer.headers) > 0
        if status == 429 or spent or (status == 503 and "retry-after" in answer.headers):
            raise Busy(f"the server is busy (answered {status})", where=where)
        if status in (401, 403) and self._connection.is_home(request.url):
            raise _Denied(
                f"the server refused (answered {status})",
                where=where,
                hint="check the credentials of the source and what they may read",
            )
        if status == 500:
            raise Failed("the server failed (answered 500)", where=where)
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


def _with_params(url: str | URL, params: Params | None) -> URL:
    address = parse_address(url)
    if not params:
        return address
    pairs = params.items() if isinstance(params, Mapping) else params
    try:
        return address.extend_query([(name, str(value)) for name, value in pairs])
    except ValueError as error:
        raise SourceRefused("cannot be written as an address", where=shown(address)) from error


def _body(
    json: Any, form: Mapping[str, str] | None, content: bytes | None
) -> tuple[str, bytes | None]:
    if json is not None:
        return "application/json", json_text.dumps(json).encode()
    if form is not None:
        pairs = URL.build(query=dict(form)).raw_query_string
        return "application/x-www-form-urlencoded", pairs.encode()
    return "", content
