"""The header of a TIFF file on a server: by ranges that hold tags and their values, never pixels.

The reader of :mod:`harvester.formats.tiff` runs over what is there already; what it missed is
asked for, and it runs again, until it missed nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from harvester.asking.ahead import gathered
from harvester.formats.tiff import TiffHeader, read_first_page
from parfocal.errors import SourceMalformed

_ALIGNED = 1
"""Bytes between two values that only bring the second to an even place."""
_START = 8
_START_BIG = 16
_MOST_STEPS = 64
_MOST_BYTES = 80 * 1024 * 1024
AskRange = Callable[[int, int], Awaitable[bytes]]
"""Gives so many bytes from an offset."""


class _Window:
    """The parts of a file that are known; what else is read is noted, and zeros are given."""

    def __init__(self, length: int) -> None:
        self.length = length
        self._known: list[tuple[int, bytes]] = []
        self.missed: list[tuple[int, int]] = []
        self._start = b""

    def at(self, offset: int, length: int) -> bytes:
        """Return bytes from a place; of the beginning only what is known."""
        if offset == 0:
            return self._start
        for begin, content in self._known:
            if begin <= offset and offset + length <= begin + len(content):
                return content[offset - begin :][:length]
        if (offset, length) not in self.missed:
            self.missed.append((offset, length))
        return bytes(length)

    async def fill(self, ask: AskRange) -> None:
        """Ask for all that was missed; neighbours in one request."""
        spans: list[list[int]] = []
        for offset, length in sorted(self.missed):
            if spans and spans[-1][1] + _ALIGNED >= offset:
                spans[-1][1] = max(spans[-1][1], offset + length)
            else:
                spans.append([offset, offset + length])
        if sum(end - begin for begin, end in spans) > _MOST_BYTES:
            raise SourceMalformed(f"a header of more than {_MOST_BYTES} bytes")
        contents = await gathered(ask(begin, end - begin) for begin, end in spans)
        self._known += [(span[0], content) for span, content in zip(spans, contents, strict=True)]
        self.missed.clear()

    async def begin(self, ask: AskRange) -> None:
        """Ask for the bytes that every TIFF file begins with."""
        self._start = await ask(0, min(_START, self.length))
        if self._start[2:4] in (b"\x2b\0", b"\0\x2b") and self.length >= _START_BIG:
            self._start += await ask(_START, _START_BIG - _START)


async def read_remote_header(ask: AskRange, length: int) -> TiffHeader:
    """Read the first page's tags of a TIFF file of so many bytes; SourceMalformed if it is none."""
    window = _Window(length)
    await window.begin(ask)
    for _ in range(_MOST_STEPS):
        try:
            header = read_first_page(window)
        except SourceMalformed:
            if not window.missed:
                raise
        else:
            if not window.missed:
                return header
        await window.fill(ask)
    raise SourceMalformed("the header lies in too many places")
