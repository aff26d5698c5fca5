"""When to log in again: once for everybody whose session expired, and not for what stays closed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar

from parfocal.errors import SourceRefused

_USELESS = 3
_SECONDS_BETWEEN = 300.0
_inside: ContextVar[bool] = ContextVar("_inside", default=False)


class Logins:
    """The login of one walk; ``era`` counts how often it was done.

    A login that is refused is not tried again: accounts get locked by that. Neither is one that
    helped three times nobody, for a while: then it is the objects that are closed.
    """

    def __init__(self, login: Callable[[], Awaitable[None]] | None) -> None:
        self._login = login
        self._lock = asyncio.Lock()
        self._refused: SourceRefused | None = None
        self._useless = 0
        self._last = 0.0
        self.era = 0

    def may_help(self) -> bool:
        """Whether to log in after a refusal; never for the requests of the login itself."""
        if self._login is None or _inside.get():
            return False
        return self._useless < _USELESS or time.monotonic() - self._last > _SECONDS_BETWEEN

    def helped(self, did: bool) -> None:
        """Note whether a request that was refused went well after a login."""
        self._useless = 0 if did else self._useless + 1

    async def renew(self, era: int) -> None:
        """Log in, unless somebody did since ``era``; raise SourceRefused when that is refused."""
        async with self._lock:
            if self.era != era or self._login is None:
                return
            if self._refused is not None:
                raise self._refused
            token = _inside.set(True)
            try:
                await self._login()
            except SourceRefused as error:
                self._refused = error
                raise
            finally:
                _inside.reset(token)
            self.era += 1
            self._last = time.monotonic()
