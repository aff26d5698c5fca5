"""One request and its answer: checked address, a turn at the host, cookies, time and size."""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

import aiohttp
from msgspec import Struct
from yarl import URL

from harvester.asking.addresses import Guard, origin, parse_address, shown
from harvester.asking.answers import Answer, Body
from harvester.asking.http_options import HttpOptions
from harvester.asking.patience import PATIENCE, wait_asked
from harvester.asking.politeness import HOSTS, Limits
from parfocal.errors import (
    ConfigError,
    SourceError,
    SourceMalformed,
    SourceRefused,
    SourceUnavailable,
)
from parfocal.interfaces import Walk

_CHUNK = 128 * 1024
_LONGEST_REFUSAL = 64 * 1024
_MOST_COOKIES = 100
# Headers that may go to a host that the operator did not name.
_HARMLESS = frozenset(
    {"accept", "accept-language", "if-none-match", "if-modified-since", "range", "content-type"}
)


class Busy(SourceUnavailable):
    """The server did not take the request, so that it can be repeated whatever it was."""


class Failed(SourceUnavailable):
    """The server is up, and fails at this request (500)."""


class LeftAlone(SourceUnavailable):
    """The server wants no request for longer than we wait."""

    retryable = False


class Request(Struct, frozen=True):
    """What is asked, and how its answer is judged."""

    method: str
    url: URL
    headers: Mapping[str, str]
    body: bytes | None
    expect: tuple[int, ...]
    limit: int
    check: Callable[[Answer], object] | None = None
    repeatable: bool = True
    into: IO[bytes] | None = None


def harmless(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers without any that could be credentials."""
    return {name: value for name, value in headers.items() if name.lower() in _HARMLESS}


def host_name(url: URL) -> str:
    """Return the name under which limits to a host are kept."""
    return f"{url.host}:{url.port}"


class Connection:
    """The connections of one walk; cookies and credentials go to the operator's address only."""

    def __init__(self, options: HttpOptions, walk: Walk) -> None:
        self._options = options
        self._walk = walk
        homes = [_trusted_origins(parse_address(home)) for home in options.homes()]
        # All may lie on any network, but credentials are for one archive.
        self._home = homes[0]
        trusted = {(host, port) for home in homes for _, host, port in home}
        self._guard = Guard(trusted, options.networks())
        self._limits = Limits(options.concurrency, options.rate)
        self._joined: set[str] = set()

    async def open(self) -> None:
        """Make ready; raise ConfigError when the own certificates cannot be read."""
        tls = _tls_of(self._options.ca_file)
        self._connector = aiohttp.TCPConnector(resolver=self._guard, limit=0, ssl=tls)
        self.cookies = aiohttp.CookieJar(unsafe=True)
        self._session = self._client(self.cookies)
        self._strangers = self._client(aiohttp.DummyCookieJar())

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()
        await self._strangers.close()
        await self._connector.close()
        for name in self._joined:
            HOSTS.leave(name, self._limits)
        self._joined.clear()

    def _client(self, cookies: aiohttp.abc.AbstractCookieJar) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=self._connector,
            connector_owner=False,
            cookie_jar=cookies,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            auto_decompress=False,
            headers={"User-Agent": self._options.user_agent, "Accept-Encoding": "gzip, deflate"},
        )

    def is_home(self, url: URL) -> bool:
        """Whether an address is the operator's own, that may get credentials."""
        return origin(url) in self._home

    async def ask(self, request: Request) -> Answer:
        """Return the answer to one request, whatever its status; redirects are not followed."""
        url = parse_address(request.url)
        self._guard.check_literal(url)
        name = host_name(url)
        if name not in self._joined:
            self._joined.add(name)
            HOSTS.join(name, self._limits)
        _check_patience(name, url)
        async with HOSTS.turn(name):
            try:
                async with asyncio.timeout(self._options.timeout):
                    answer = await self._exchange(request, url)
            except (aiohttp.ClientError, OSError) as error:
                raise self._failure(error, url) from error
        if (wait := wait_asked(answer.status, answer.headers)) > 0:
            HOSTS.hold(name, wait)
        return answer

    async def _exchange(self, request: Request, url: URL) -> Answer:
        at_home = self.is_home(url)
        session = self._session if at_home else self._strangers
        headers = request.headers if at_home else harmless(request.headers)
        async with session.request(
            request.method, url, data=request.body, headers=headers, allow_redirects=False
        ) as response:
            content = await self._read(response, request, url)
        if len(self.cookies) > _MOST_COOKIES:
            self.cookies.clear()
        return Answer(response.status, str(url), _kept(response.headers), content)

    async def _read(self, response: aiohttp.ClientResponse, request: Request, url: URL) -> bytes:
        """Read a body; that of an answer nobody wants only as far as it is short and readable."""
        wanted = response.status in request.expect
        limit = request.limit if wanted else _LONGEST_REFUSAL
        body = Body(limit, url, request.into if wanted else None)
        try:
            body.unpack(response.headers.get("Content-Encoding", ""))
            async for chunk in response.content.iter_chunked(_CHUNK):
                body.feed(chunk)
            return body.close()
        except SourceMalformed:
            response.close()
            if wanted:
                raise
            return b""
        finally:
            self._walk.answered(body.received)

    def _failure(self, error: aiohttp.ClientError | OSError, url: URL) -> SourceError:
        """Say in our own words what failed: theirs may hold addresses with secrets."""
        where = shown(url)
        if isinstance(error, TimeoutError):
            return SourceUnavailable(
                f"no whole answer within {self._options.timeout:g} s", where=where
            )
        if isinstance(error, aiohttp.ClientSSLError):
            return SourceRefused(
                "the certificate of the server is not trusted",
                where=where,
                hint="ca_file of the source names certificates of your own authority",
            )
        if isinstance(error, aiohttp.ClientConnectorError):
            words = error.strerror or "no connection"
            return Busy(f"the server cannot be reached: {words}", where=where)
        if isinstance(error, aiohttp.InvalidURL):
            return SourceRefused("is no address", where=where)
        if isinstance(error, aiohttp.ClientPayloadError):
            return SourceUnavailable("the answer is cut off", where=where)
        return SourceUnavailable("the connection broke", where=where)


def _check_patience(name: str, url: URL) -> None:
    if (wait := HOSTS.held(name)) > PATIENCE:
        raise LeftAlone(
            f"the server wants to be left alone for {wait / 60:.0f} minutes",
            where=shown(url),
            hint="harvest again later",
        )


def _trusted_origins(home: URL) -> frozenset[tuple[str, str, int]]:
    """The operator's address, and the same host with TLS when it was named without."""
    origins = {origin(home)}
    if home.scheme == "http" and home.port == 80:
        origins.add(("https", home.host or "", 443))
    return frozenset(origins)


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers with lower-case names, without cookies and without bytes that are no text."""
    return {
        name.lower(): value.encode("utf-8", "replace").decode()
        for name, value in headers.items()
        if name.lower() != "set-cookie"
    }


def _tls_of(ca_file: Path | None) -> ssl.SSLContext:
    """What verifies servers; a file of certificates is read again when it has changed."""
    try:
        return _tls(ca_file, ca_file.stat().st_mtime_ns if ca_file else 0)
    except OSError as error:
        raise ConfigError("cannot be read", where=f"ca_file {ca_file}") from error


@functools.lru_cache(maxsize=8)
def _tls(ca_file: Path | None, changed: int) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            raise ConfigError("holds no certificates", where=f"ca_file {ca_file}") from error
    return context
