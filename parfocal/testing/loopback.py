"""A server on loopback that answers as a fake archive says, and fails as a test says.

with serve(MyFakeArchive()) as server:
server.faults.append(Fault("500", path="/api/images", after=2))
harvest(server.url)
assert server.most_at_once <= 4
"""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import partial
from typing import Protocol

from aiohttp import web

STATUSES = ("500", "502", "503", "429", "401", "403", "404")
SPOILS = ("reset", "truncated", "drip", "skew")
KINDS = (*STATUSES, "html", "redirect-loop", "429-retry-after", *SPOILS)
"""What a :class:`Fault` may be."""

_DRIP_SECONDS = 0.05
_SKEW_SECONDS = 3 * 365 * 86400
_PAGE = b"<!DOCTYPE html><html><body><h1>Down for maintenance</h1></body></html>"


@dataclass(frozen=True)
class Asked:
    """A request as it came. ``at`` is the second it came at, on a clock that only goes forward."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes = b""
    at: float = 0.0

    @property
    def place(self) -> str:
        """Return the path with its query."""
        pairs = [f"{name}={value}" for name, values in self.query.items() for value in values]
        return f"{self.path}?{'&'.join(pairs)}" if pairs else self.path

    def one(self, name: str, default: str = "") -> str:
        """Return the first value of a query parameter."""
        return (self.query.get(name) or [default])[0]


@dataclass(frozen=True)
class Given:
    """An answer."""

    status: int = 200
    content: bytes = b""
    media_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


def given_json(
    value: object, status: int = 200, headers: tuple[tuple[str, str], ...] = ()
) -> Given:
    """Make an answer of a value as JSON."""
    return Given(status, json.dumps(value).encode(), "application/json", headers)


class Archive(Protocol):
    """What a fake archive is for a server: answers, quickly."""

    def answer(self, asked: Asked) -> Given: ...


@dataclass
class Fault:
    """A failure of the server: of requests whose path?query holds ``path``.

    The first ``after`` of them are answered well, then ``times`` fail. ``kind`` is a status, or:
    ``429-retry-after`` (one second), ``reset`` (the connection breaks within the body), ``html``
    (a page with status 200), ``truncated`` (half of the body, as if it were all),
    ``redirect-loop``, ``drip`` (a byte at a time), ``skew`` (the clock is years ahead).
    """

    kind: str
    path: str = ""
    after: int = 0
    times: int = 1
    seen: int = 0
    struck: int = 0
    """How many requests it failed."""

    def __post_init__(self) -> None:
        assert self.kind in KINDS, f"no such fault: {self.kind}"

    def strikes(self, asked: Asked) -> bool:
        """Count a request, and tell whether it is to fail."""
        if self.path not in asked.place:
            return False
        if asked.method == "HEAD" and self.kind == "truncated":
            return False  # there is no body to cut
        self.seen += 1
        return self.after < self.seen <= self.after + self.times


@dataclass
class Loopback:
    """A running server."""

    url: str
    asked: list[Asked] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    most_at_once: int = 0
    delay: float = 0.0
    sent: int = 0
    """Bytes of all bodies that were sent whole."""
    before: Callable[[Asked], None] | None = None
    """Called before every answer, in the thread of the server."""
    alter: Callable[[Asked, Given], Given] | None = None
    """Makes another answer of every one that the archive gives."""
    most: int = 20_000
    """Requests after which everything is gone (410), so that no test runs for ever."""

    def forget(self) -> None:
        """Forget what was asked, and all faults."""
        self.asked.clear()
        self.faults.clear()
        self.most_at_once = self.sent = 0
        self.before = self.alter = None


class _Server:
    def __init__(self, archive: Archive, loopback: Loopback) -> None:
        self._archive = archive
        self._loopback = loopback
        self._now = 0

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        loopback = self._loopback
        self._now += 1
        loopback.most_at_once = max(loopback.most_at_once, self._now)
        try:
            asked = await _asked(request)
            loopback.asked.append(asked)
            if loopback.delay:
                await asyncio.sleep(loopback.delay)
            if len(loopback.asked) > loopback.most:
                return _refusal("410", request)
            if loopback.before:
                loopback.before(asked)
            fault = next((fault for fault in loopback.faults if fault.strikes(asked)), None)
            if fault and fault.kind not in SPOILS:
                fault.struck += 1
                return _refusal(fault.kind, request)
            given = self._archive.answer(asked)
            if loopback.alter:
                given = loopback.alter(asked, given)
            if fault and (given.content or fault.kind == "skew"):
                # Of a refusal only the status matters, not whether its words are whole.
                fault.struck += given.status < 300
                return await _spoilt(fault.kind, request, given)
            loopback.sent += len(given.content) if asked.method != "HEAD" else 0
            return _response(given)
        finally:
            self._now -= 1


async def _asked(request: web.BaseRequest) -> Asked:
    query: dict[str, list[str]] = {}
    for name, value in request.query.items():
        query.setdefault(name, []).append(value)
    headers = {name.lower(): value for name, value in request.headers.items()}
    body = await request.read()
    return Asked(request.method, request.path, query, headers, body, time.monotonic())


def _response(given: Given) -> web.Response:
    response = web.Response(status=given.status, body=given.content)
    response.headers["Content-Type"] = given.media_type
    for name, value in given.headers:
        if name.lower() == "content-type":
            response.headers[name] = value
        else:
            response.headers.add(name, value)
    return response


def _refusal(kind: str, request: web.BaseRequest) -> web.Response:
    """Answer without asking the archive."""
    if kind == "html":
        return _response(Given(200, _PAGE, "text/html"))
    if kind == "redirect-loop":
        return _response(Given(302, b"", "text/html", (("Location", str(request.rel_url)),)))
    if kind == "429-retry-after":
        return _response(Given(429, b"slow down", "text/plain", (("Retry-After", "1"),)))
    return _response(Given(int(kind), b"no", "text/plain"))


async def _spoilt(kind: str, request: web.BaseRequest, given: Given) -> web.StreamResponse:
    """Answer what the archive says, but badly."""
    half = given.content[: len(given.content) // 2]
    if kind == "truncated":
        return _response(Given(given.status, half, given.media_type, given.headers))
    if kind == "skew":
        date = formatdate(time.time() + _SKEW_SECONDS, usegmt=True)
        return _response(
            Given(given.status, given.content, given.media_type, (*given.headers, ("Date", date)))
        )
    response = web.StreamResponse(status=given.status)
    response.headers["Content-Type"] = given.media_type
    response.content_length = max(2, len(given.content))
    await response.prepare(request)
    if kind == "reset":
        await response.write(half or b"x")
        await asyncio.sleep(0)
    else:
        await _drip(response, given.content or b"xx")
    if request.transport is not None:
        request.transport.abort()
    return response


async def _drip(response: web.StreamResponse, content: bytes) -> None:
    for byte in content:
        try:
            await response.write(bytes((byte,)))
        except ConnectionError:
            return
        await asyncio.sleep(_DRIP_SECONDS)


@contextmanager
def serve(
    archive: Archive, *, delay: float = 0.0, tls: ssl.SSLContext | None = None
) -> Iterator[Loopback]:
    """Serve an archive on a free port of 127.0.0.1 until the block ends.

    ``delay`` is how many seconds each answer takes.
    """
    loopback = Loopback("", delay=delay)
    started = threading.Event()
    end: list[Callable[[], object]] = []

    async def run() -> None:
        stop = asyncio.Event()
        server = web.Server(_Server(archive, loopback).handle, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        loopback.url = f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}"
        loop = asyncio.get_running_loop()
        end.append(partial(loop.call_soon_threadsafe, stop.set))
        started.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=asyncio.run, args=(run(),), daemon=True)
    thread.start()
    assert started.wait(10), "the server did not start"
    try:
        yield loopback
    finally:
        end[0]()
        thread.join(10)
