"""Servers that break the protocol on purpose: an error of ours, in bounded time and memory."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from harvester.asking.http import Http, HttpOptions
from parfocal.errors import SourceError
from parfocal.testing.sources import Visit

Say = Callable[[asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


def say(content: bytes) -> Say:
    async def once(to: asyncio.StreamWriter) -> None:
        to.write(content)
        await to.drain()

    return once


def again(begin: bytes, part: bytes) -> Say:
    async def for_ever(to: asyncio.StreamWriter) -> None:
        to.write(begin)
        while True:
            to.write(part)
            await to.drain()

    return for_ever


def chunk(content: bytes) -> bytes:
    return b"%x\r\n" % len(content) + content + b"\r\n"


def ask(saying: Say, **options: Any) -> Any:
    async def answer(came: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        try:
            await came.readuntil(b"\r\n\r\n")
            await saying(to)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            to.close()

    async def run() -> Any:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        chosen = {"url": url, "rate": 0, "retries": 0, "timeout": 1, "max_mb": 1, **options}
        try:
            async with Http(HttpOptions(**chosen), Visit()) as http:
                return await http.get(url)
        finally:
            server.close()
            await asyncio.sleep(0.01)

    return asyncio.run(run())


@pytest.mark.parametrize(
    "saying",
    [
        say(b""),
        say(b"\x00\xff\r\n\r\n" * 100),
        say(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nabc"),
        say(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 30\r\n\r\nabc"),
        say(OK + b"Content-Length: 1000\r\n\r\nabc"),
        say(OK + b"Content-Length: 5\r\n\r\n" + b"z" * 100),
        say(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
        say(b"HTTP/1.1 302 Found\r\nLocation: http://\xff\xfe/\r\nContent-Length: 0\r\n\r\n"),
        say(OK + b"Content-Encoding: br\r\nContent-Length: 3\r\n\r\nabc"),
        say(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc"),
        again(OK, b"".join(b"X-%d: %s\r\n" % (n, b"y" * 4000) for n in range(50))),
        again(OK + b"Transfer-Encoding: chunked\r\n\r\n", chunk(b"z" * 65536)),
        again(
            OK + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
            chunk(gzip.compress(b"") * 2000),
        ),
    ],
)
def test_broken_protocol_is_an_error_of_ours(saying: Say) -> None:
    with pytest.raises(SourceError):
        ask(saying)


def test_server_that_says_continue_for_ever_ends_at_the_timeout() -> None:
    with pytest.raises(SourceError, match="within"):
        ask(again(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), timeout=0.2)


def test_headers_that_are_no_text_can_be_kept() -> None:
    """A stamp goes into the store, which takes text only."""
    answer = ask(say(b'HTTP/1.1 200 OK\r\nETag: "\xff\xfe"\r\nContent-Length: 2\r\n\r\n{}'))
    assert answer.stamp.encode() == b'"??"'


def test_halves_of_characters_in_json_can_be_kept() -> None:
    body = rb'{"a": "x\ud800y", "b": ["\udfff"], "c": "\ud83d\ude00"}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    told = ask(say(head % len(body) + body)).json()
    assert told == {"a": "x?y", "b": ["?"], "c": "😀"}


@pytest.mark.parametrize(
    "host", ["a" * 64 + ".example", "a..b", ".a", "xn--a", "ä" * 80 + ".example", "\ud800.com"]
)
def test_host_that_is_no_name_is_refused(host: str) -> None:
    async def run() -> None:
        async with Http(HttpOptions(url="https://archive.example"), Visit()) as http:
            await http.get(f"http://{host}/")

    with pytest.raises(SourceError):
        asyncio.run(run())
