"""The address below which the stored graph lies, and the public one, each in place of the other.

The stored graph knows nothing of the server's address, so that a server may move without anything
being written anew. Queries are changed before they are parsed, answers while they are written.
"""

from __future__ import annotations

import re
from functools import lru_cache

INTERNAL = "http://catalogue.invalid"
"""A name that is reserved (RFC 6761), so nothing outside has an address below it."""


@lru_cache(maxsize=8)
def _public(base: str) -> re.Pattern[str]:
    # The whole address, not the beginning of a longer host name or port.
    return re.compile(re.escape(base) + r"""(?=[/>"'#?])""")


def to_internal(sparql: str, base: str) -> str:
    """Return a query with the internal address where it has the public one.

    >>> to_internal("DESCRIBE <http://localhost/records/a:b>", "http://localhost")
    'DESCRIBE <http://catalogue.invalid/records/a:b>'
    """
    return _public(base).sub(INTERNAL, sparql) if base else sparql


class Publisher:
    """Puts the public address in place of the internal one, in content that comes in pieces.

    >>> publisher = Publisher("http://localhost")
    >>> publisher.feed(b"<http://catalogue.in") + publisher.feed(b"valid/a>") + publisher.end()
    b'<http://localhost/a>'
    """

    def __init__(self, base: str) -> None:
        self._old, self._new = INTERNAL.encode(), base.encode()
        self._kept = b""

    def feed(self, piece: bytes) -> bytes:
        """Return what is certain so far; the end, which may begin an address, is kept."""
        content = self._kept + piece
        last = content.rfind(self._old)
        complete = last + len(self._old) if last >= 0 else 0
        cut = max(complete, len(content) - len(self._old) + 1, 0)
        self._kept = content[cut:]
        return content[:cut].replace(self._old, self._new)

    def end(self) -> bytes:
        """Return what was kept."""
        kept, self._kept = self._kept, b""
        return kept
