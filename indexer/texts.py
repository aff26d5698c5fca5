"""Rules of text that all engines share: what compares equal, what a word is, what is too long."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Generic, TypeVar

from parfocal.query import fold, tokens

TOKEN_LIMIT = 127
"""Characters of a word that count; longer words are cut, in documents and queries alike."""
KEY_LIMIT = 1000
"""Characters up to which a key is indexed as it is; longer ones by their beginning and a digest."""
TEXT_LIMIT = 4000
"""The same for a value."""
CONTAINS_LIMIT = 500
"""Longest text that ``contains`` takes; pieces of long values overlap by so much."""

CUT = "\x82"
"""What stands between the beginning of a long text and its digest, and in no comparable text."""

# C0, DEL and C1: engines join texts by some of them, so none is left in a text.
_CONTROLS = dict.fromkeys([*range(32), *range(127, 160)], "\N{REPLACEMENT CHARACTER}")

K = TypeVar("K")
V = TypeVar("V")


def comparable(text: str) -> str:
    r"""Return a text as engines compare it: folded, control characters replaced.

    >>> comparable(" Gene\x00 Symbol")
    'gene\ufffd symbol'
    """
    folded = fold(text)
    return folded if folded.isprintable() else folded.translate(_CONTROLS)


def words(text: str) -> list[str]:
    """Return the words of a text as they are indexed and asked for.

    >>> words("HeLa-H2B")
    ['hela', 'h2b']
    """
    found = tokens(text)
    if len(text) > TOKEN_LIMIT:
        return [word[:TOKEN_LIMIT] for word in found]
    return found


def bounded(text: str, limit: int = TEXT_LIMIT) -> str:
    """Return a text that fits into an engine's dictionary: itself, or its beginning with a digest.

    >>> len(bounded("a" * 100_000))
    4033
    """
    if len(text) <= limit:
        return text
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()
    return f"{text[:limit]}{CUT}{digest}"


def pieces(text: str) -> list[str]:
    """Return the overlapping pieces of a text too long to be indexed whole; none for other texts.

    >>> [len(piece) for piece in pieces("a" * 5000)]
    [4000, 1500]
    """
    if len(text) <= TEXT_LIMIT:
        return []
    step = TEXT_LIMIT - CONTAINS_LIMIT
    return [text[at : at + TEXT_LIMIT] for at in range(0, len(text) - CONTAINS_LIMIT, step)]


class Cache(Generic[K, V]):
    """A dictionary that forgets everything when it is full; safe under concurrent use."""

    def __init__(self, make: Callable[[K], V], limit: int) -> None:
        self._make = make
        self._limit = limit
        self.kept: dict[K, V] = {}

    def __call__(self, key: K, *, keep: bool = True) -> V:
        """Return what was made of a key, now or before; what is large should not be kept."""
        if not keep:
            return self._make(key)
        found = self.kept.get(key)
        if found is None:
            if len(self.kept) >= self._limit:
                self.kept = {}
            found = self.kept[key] = self._make(key)
        return found
