"""What lies in a folder of a bucket, in the order of keys, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator

from harvester.s3.answers import Page, Stored
from harvester.s3.bucket import Bucket, TokenExpired
from parfocal.errors import SourceMalformed
from parfocal.values import Problem

_MOST_EMPTY_PAGES = 100


class Listing:
    """One folder's list; a page at a time is held."""

    def __init__(self, bucket: Bucket, prefix: str, *, after: str = "") -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._last = after
        self._before: frozenset[str] = frozenset()
        self._empty = 0
        self._told = False
        self._resuming = bool(after)

    async def found(self, first: Page | None = None) -> AsyncIterator[Stored | Problem]:
        """Yield objects and folders (keys that end in a slash) once each.

        ``first`` is the first page, when it was asked for already. Raises SourceError.
        """
        page = first or await self._bucket.page(self._prefix, after=self._last)
        while True:
            for one in page.found:
                if self._is_new(one.key):
                    if one.key < self._last:
                        problem = self._disorder()
                        if problem is not None:
                            yield problem
                    self._last = max(self._last, one.key)
                    yield one
            self._before = frozenset(one.key for one in page.found)
            if not page.more:
                return
            page = await self._next(page)

    def _is_new(self, key: str) -> bool:
        if self._resuming and key < self._last:
            return False  # the server does not know start-after, and begins anew
        self._resuming = False
        return key not in self._before and key not in ("", self._prefix, self._last)

    def _disorder(self) -> Problem | None:
        """Tell once that the server's order is not that of keys: a walk could lose its place."""
        if self._told:
            return None
        self._told = True
        reason = "the server does not list the folder in the order of keys"
        return Problem(self._prefix.rstrip("/"), reason, hint="nothing of it is taken for deleted")

    async def _next(self, page: Page) -> Page:
        try:
            following = await self._bucket.page(self._prefix, after=self._last, token=page.token)
        except TokenExpired:
            if not page.token:
                raise
            # The token has expired; the last key is as good a place to go on.
            following = await self._bucket.page(self._prefix, after=self._last)
        fresh = any(one.key > self._last for one in following.found)
        self._empty = 0 if fresh else self._empty + 1
        stuck = following.more and following.token == page.token and not fresh
        if stuck or self._empty > _MOST_EMPTY_PAGES:
            raise SourceMalformed("the list of the folder does not end", where=self._prefix)
        return following
