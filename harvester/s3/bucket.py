"""A bucket of an S3 service, asked through the client of all sources: lists, objects, ranges.

Requests go through our own client, as no host may see more than it is promised and no redirect may
lead where it likes; both are beyond what the S3 libraries let one set.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from email.utils import parsedate_to_datetime
from functools import partial
from urllib.parse import quote

from yarl import URL

from harvester.asking.addresses import origin, shown
from harvester.asking.answers import Answer
from harvester.asking.http import Http
from harvester.formats.elements import Element
from harvester.formats.xml_reading import read_xml
from harvester.s3.answers import (
    Got,
    Page,
    check_key,
    check_part,
    check_whole_object,
    etag_of,
    read_page,
    text_of_child,
)
from harvester.s3.fast import FastObjects, Unsure
from harvester.s3.options import S3Options
from harvester.s3.signature import signed
from parfocal.errors import SourceError, SourceMalformed, SourceRefused, SourceUnavailable
from parfocal.interfaces import Walk

PAGE = 1000
MAX_PAGE_BYTES = 32 * 1024 * 1024
_MOVED = (301, 302, 307, 308)
_EXPECTED = (200, 206, *_MOVED, 400, 403, 404, 416)
_MAX_MOVES = 5
_AWS_HOST = re.compile(r"^(.*?)s3[.-](?:[a-z0-9-]+\.)?amazonaws\.com$")
_AGAIN = frozenset({"RequestTimeout", "SlowDown", "InternalError", "ServiceUnavailable"})
_EXPIRED = frozenset({"ExpiredToken", "RequestExpired", "InvalidToken", "TokenRefreshRequired"})


class TokenExpired(SourceRefused):
    """A list cannot be gone on with where it was."""


Check = Callable[[Answer], object]
Headers = dict[str, str]


def _whole(path: str, held: tuple[bytes, str] | None) -> Got | None:
    """What the fast way gave, unless it looks cut off; then Unsure."""
    if held is None:
        return None
    answer = Answer(200, path, {"etag": held[1]}, held[0])
    try:
        check_whole_object(path, answer)
    except SourceMalformed as error:
        raise Unsure from error
    return Got(*held)


def _judge(check: Check | None, answer: Answer) -> None:
    """Look at a good answer, and whether a refusal that calls itself XML came whole."""
    if answer.status >= 300:
        if answer.content and answer.media_type.endswith("/xml"):
            read_xml(answer.content, answer.url)
    elif check is not None:
        check(answer)


def _error_of(answer: Answer) -> tuple[str, Element | None]:
    """The code of S3's error document, and the document; "" without one."""
    try:
        root = read_xml(answer.content)
    except SourceMalformed:
        return "", None
    return text_of_child(root, "Code"), root


class Bucket:
    """The objects of one bucket; use as ``async with``."""

    def __init__(self, options: S3Options, walk: Walk) -> None:
        self._options = options
        self._walk = walk
        self._keys = options.keys()
        self._region = options.region
        self._base = options.bucket_address()
        self._clock = datetime.timedelta()
        self._stack = AsyncExitStack()
        self._fast = FastObjects(options, walk) if options.engine == "obstore" else None

    async def __aenter__(self) -> Bucket:
        await self._settle(self._base)
        if self._fast is not None:
            self._fast.open()
            self._stack.callback(self._fast.close)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _settle(self, base: str) -> None:
        """Make a bucket's address the one that is trusted with signatures."""
        options = self._options.model_copy(update={"url": base})
        http = await self._stack.enter_async_context(Http(options, self._walk))
        self._base, self._http = base, http

    # ------------------------------------------------------------------ what can be asked

    async def page(self, prefix: str, *, after: str = "", token: str = "", most: int = 0) -> Page:
        """Return a page of what lies directly in a folder (``prefix`` with its slash)."""
        pairs = {
            "list-type": "2",
            "delimiter": "/",
            "encoding-type": "url",
            "max-keys": str(most or PAGE),
            "prefix": prefix,
            "continuation-token": token,
            "start-after": "" if token else after,
        }
        query = "&".join(f"{name}={quote(text, safe='')}" for name, text in pairs.items() if text)
        pages: list[Page] = []

        def check(answer: Answer) -> None:
            pages.append(read_page(answer.content, answer.url))

        if await self._ask("GET", f"?{query}", MAX_PAGE_BYTES, check) is None:
            raise SourceRefused("there is no such bucket", where=self._options.bucket)
        return pages[-1]

    def address(self, path: str) -> str:
        """Return the web address of a key."""
        return self._base + _tail(path)

    async def get(self, path: str, most: int) -> Got | None:
        """Return a whole object; None when there is none. Raises SourceError."""
        if self._fast is not None:
            with suppress(Unsure):
                return _whole(path, await self._fast.get(check_key(path), most))
        check = partial(check_whole_object, path)
        answer = await self._ask("GET", _tail(check_key(path)), most, check)
        return None if answer is None else Got(answer.content, etag_of(answer))

    async def stamp(self, path: str) -> str | None:
        """Return an object's ETag; None when there is none."""
        if self._fast is not None:
            with suppress(Unsure):
                return await self._fast.stamp(check_key(path))
        answer = await self._ask("HEAD", _tail(check_key(path)), 1, None)
        return None if answer is None else etag_of(answer)

    async def part(self, path: str, start: int, length: int, etag: str) -> bytes:
        """Return bytes of an object, which must still be the one with an ETag."""
        check = partial(check_part, start, length)
        headers = {"Range": f"bytes={start}-{start + length - 1}"}
        try:
            answer = await self._ask("GET", _tail(check_key(path)), length, check, headers)
        except SourceMalformed as error:
            if error.retryable:
                raise
            raise SourceMalformed("cannot be read in parts", where=path) from error
        if answer is None or (etag and etag_of(answer) not in ("", etag)):
            raise SourceMalformed("changed while it was read; the next harvest reads it")
        return answer.content

    # ------------------------------------------------------------------ asking

    async def _ask(
        self, method: str, tail: str, most: int, check: Check | None, headers: Headers | None = None
    ) -> Answer | None:
        """Ask for what stands behind the bucket's address; None when it is not there."""
        elsewhere = ""
        for _ in range(_MAX_MOVES):
            region, url = self._region, elsewhere or self._base + tail
            answer = await self._send(method, url, most, check, headers or {})
            if answer.status < 300:
                return answer
            code, document = _error_of(answer)
            if answer.status == 404 and code != "NoSuchBucket":
                return None
            elsewhere = await self._mend(answer, code, document, region, url)
        raise SourceMalformed("redirects without end", where=shown(self._base + tail))

    async def _send(
        self, method: str, url: str, most: int, check: Check | None, headers: Headers
    ) -> Answer:
        # What is signed must be sent as it is written.
        address = URL(url, encoded=True)
        if self._keys is not None and origin(address) == origin(URL(self._base)):
            now = datetime.datetime.now(datetime.UTC) + self._clock
            headers = signed(method, address, headers, self._keys, self._region, now)
        if method == "HEAD":
            return await self._http.head(address, headers=headers, expect=_EXPECTED)
        return await self._http.get(
            address, headers=headers, expect=_EXPECTED, limit=most, check=partial(_judge, check)
        )

    async def _mend(
        self, answer: Answer, code: str, document: Element | None, region: str, url: str
    ) -> str:
        """Do what a refusal asks for, and return the address to ask next ("" for the same)."""
        told = answer.headers.get("x-amz-bucket-region", "")
        if not told and document is not None:
            told = text_of_child(document, "Region")
        if (told and told != region) or region != self._region:
            if told and told != self._region:
                await self._move(told)
            return ""
        if answer.status in _MOVED and answer.headers.get("location"):
            return str(URL(url).join(URL(answer.headers["location"])))
        if code == "RequestTimeTooSkewed" and self._set_clock(answer):
            return ""
        if code in _EXPIRED and (fresh := self._options.keys()) != self._keys:
            self._keys = fresh
            return ""
        raise _refusal(answer, code, shown(url))

    async def _move(self, region: str) -> None:
        """Ask for the bucket in another region from now on."""
        self._region = region
        host = URL(self._base).host or ""
        moved = _AWS_HOST.sub(rf"\g<1>s3.{region}.amazonaws.com", host)
        if moved != host:
            await self._settle(str(URL(self._base).with_host(moved)).rstrip("/"))

    def _set_clock(self, answer: Answer) -> bool:
        """Take over the server's time; False when that changes nothing."""
        try:
            theirs = parsedate_to_datetime(answer.headers.get("date", ""))
        except ValueError:
            return False
        ahead = theirs.astimezone(datetime.UTC) - datetime.datetime.now(datetime.UTC)
        changed = abs(ahead - self._clock) > datetime.timedelta(minutes=1)
        self._clock = ahead
        return changed


def _tail(path: str) -> str:
    return "/" + quote(path, safe="/~")


def _refusal(answer: Answer, code: str, where: str) -> SourceError:
    said = f"answered {answer.status}{', ' if code else ''}{code[:80]}"
    if code == "InvalidArgument":
        return TokenExpired(f"the service refused ({said})", where=where)
    if code in _AGAIN:
        return SourceUnavailable(f"the service failed ({said})", where=where)
    if answer.status == 404:
        return SourceRefused(f"there is no such bucket ({said})", where=where)
    if answer.status in _MOVED:
        hint = "set url or region of the source to where the bucket is"
        return SourceRefused(f"the bucket is elsewhere ({said})", where=where, hint=hint)
    hint = "check the keys, the session token and the region of the source, and what it may read"
    return SourceRefused(f"the service refused ({said})", where=where, hint=hint)
