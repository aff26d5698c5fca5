"""Files of any web server as objects: whole, in parts, and their stamps.

Paths begin with the host. Addresses come from lists, so that the client of all sources decides
which may be asked.
"""

from __future__ import annotations

from functools import partial
from urllib.parse import quote

from harvester.asking.answers import Answer
from harvester.asking.http import Http
from harvester.s3.answers import (
    Got,
    Hidden,
    Stored,
    check_key,
    check_part,
    check_whole_object,
    etag_of,
)
from parfocal.errors import SourceMalformed, SourceRefused

_ABSENT = (404, 410)
_EXPECTED = (200, 403, *_ABSENT)
_SURELY_ABSENT = ".parfocal-is-not-there"


class WebObjects:
    """Objects below ``https://`` or ``http://``."""

    def __init__(self, http: Http, root: str, tells: dict[str, bool]) -> None:
        """``tells`` remembers which servers say that a file is not there; shared in a walk."""
        self._http = http
        self._root = root
        self._tells = tells

    def address(self, path: str) -> str:
        """Return the address of a path."""
        return self._root + quote(check_key(path), safe="/~:")

    async def get(self, path: str, most: int) -> Got | None:
        """Return a whole file; None when there is none. Raises SourceError, Hidden among them."""

        def check(answer: Answer) -> None:
            if answer.status == 200:
                check_whole_object(path, answer)

        address = self.address(path)
        answer = await self._http.get(address, expect=_EXPECTED, limit=most, check=check)
        return Got(answer.content, etag_of(answer)) if await self._is_there(answer, path) else None

    async def stamp(self, path: str) -> str | None:
        """Return a file's ETag or time; None when there is none."""
        answer = await self._http.head(self.address(path), expect=_EXPECTED)
        return etag_of(answer) if await self._is_there(answer, path) else None

    async def _is_there(self, answer: Answer, path: str) -> bool:
        """Whether an answer is a file; stores may answer strangers 403 for what is missing."""
        host = path.partition("/")[0]
        if answer.status in _ABSENT:
            self._tells[host] = True
        elif answer.status == 403:
            if host not in self._tells:
                absent = f"{path.rpartition('/')[0]}/{_SURELY_ABSENT}"
                probe = await self._http.head(self.address(absent), expect=_EXPECTED)
                self._tells[host] = probe.status != 403
            kind = SourceRefused if self._tells[host] else Hidden
            raise kind("the server refused (answered 403)", where=path)
        return answer.status == 200

    async def stored(self, path: str) -> Stored:
        """Return size and ETag of a file; SourceRefused when there is none."""
        answer = await self._http.head(self.address(path), expect=_EXPECTED)
        if answer.status != 200:
            raise SourceRefused(f"is not there (answered {answer.status})", where=path)
        length = answer.headers.get("content-length", "")
        if not length.isdecimal():
            raise SourceMalformed("the server does not tell how large the file is", where=path)
        return Stored(path, int(length), etag_of(answer))

    async def part(self, path: str, start: int, length: int, etag: str) -> bytes:
        """Return bytes of a file, which must still be the one with an ETag."""
        answer = await self._http.get(
            self.address(path),
            headers={"Range": f"bytes={start}-{start + length - 1}"},
            expect=(206,),
            limit=length,
            check=partial(check_part, start, length),
        )
        if etag and etag_of(answer) not in ("", etag):
            raise SourceMalformed("changed while it was read; the next harvest reads it")
        return answer.content
