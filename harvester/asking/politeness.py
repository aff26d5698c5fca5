"""How hard a host is asked: at once, a second, and when it wants to be left alone.

The limits belong to the process: sources that ask the same host share them, and the strictest of
their settings holds.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from dataclasses import dataclass, field

from msgspec import Struct

# Requests travel for different times, so that evenly sent ones arrive unevenly.
_MARGIN = 1.05
_HOSTS_KEPT = 4096


class Limits(Struct, frozen=True):
    """Requests at once and requests a second to one host; a rate of 0 is no limit."""

    concurrency: int
    rate: float

    @property
    def interval(self) -> float:
        """Return the seconds between the beginnings of two requests."""
        return _MARGIN / self.rate if self.rate > 0 else 0.0


@dataclass(eq=False)
class _Waiter:
    loop: asyncio.AbstractEventLoop
    turn: asyncio.Future[None]
    granted: bool = False

    def wake(self) -> None:
        """Tell the waiting task; called under the lock, from any thread."""
        self.granted = True
        if _running_loop() is self.loop:
            self._done()
        else:  # costs two system calls
            self.loop.call_soon_threadsafe(self._done)

    def _done(self) -> None:
        if not self.turn.done():
            self.turn.set_result(None)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


@dataclass(eq=False)
class _Host:
    limits: list[Limits] = field(default_factory=list)
    active: int = 0
    next_start: float = 0.0
    held_until: float = 0.0
    waiters: deque[_Waiter] = field(default_factory=deque)

    def concurrency(self) -> int:
        return min((limits.concurrency for limits in self.limits), default=1)

    def interval(self) -> float:
        return max((limits.interval for limits in self.limits), default=0.0)

    def idle(self, now: float) -> bool:
        busy = self.limits or self.active or self.waiters
        return not busy and max(self.next_start, self.held_until) < now


class Hosts:
    """All hosts that a process asks; safe from every thread and event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hosts: dict[str, _Host] = {}

    def join(self, name: str, limits: Limits) -> None:
        """Let limits hold for a host until they leave."""
        with self._lock:
            if len(self._hosts) > _HOSTS_KEPT:
                now = time.monotonic()
                self._hosts = {n: h for n, h in self._hosts.items() if not h.idle(now)}
            self._hosts.setdefault(name, _Host()).limits.append(limits)

    def leave(self, name: str, limits: Limits) -> None:
        """End what ``join`` began."""
        with self._lock:
            host = self._hosts[name]
            host.limits.remove(limits)
            self._wake(host)

    def hold(self, name: str, seconds: float) -> None:
        """Ask nothing of a host for a while."""
        with self._lock:
            host = self._hosts.setdefault(name, _Host())
            host.held_until = max(host.held_until, time.monotonic() + seconds)

    def held(self, name: str) -> float:
        """Return the seconds for which a host wants to be left alone."""
        with self._lock:
            host = self._hosts.get(name)
            return max(0.0, host.held_until - time.monotonic()) if host else 0.0

    def turn(self, name: str) -> _Turn:
        """Wait until a joined host may be asked, and count as one request until the end."""
        return _Turn(self, name)

    async def begin(self, name: str) -> None:
        """Wait for a turn; what ends with ``end``."""
        await self._enter(name)
        try:
            while (wait := self._wait(name)) > 0:
                await asyncio.sleep(wait)
                if self.held(name) <= 0:
                    break
        except BaseException:
            self.end(name)
            raise

    def end(self, name: str) -> None:
        """Let the next one have its turn."""
        with self._lock:
            host = self._hosts[name]
            host.active -= 1
            self._wake(host)

    async def _enter(self, name: str) -> None:
        loop = asyncio.get_running_loop()
        with self._lock:
            host = self._hosts[name]
            if not host.waiters and host.active < host.concurrency():
                host.active += 1
                return
            waiter = _Waiter(loop, loop.create_future())
            host.waiters.append(waiter)
        try:
            await waiter.turn
        except asyncio.CancelledError:
            with self._lock:
                if waiter.granted:
                    host.active -= 1
                    self._wake(host)
                else:
                    host.waiters.remove(waiter)
            raise

    def _wait(self, name: str) -> float:
        """Reserve the next moment at which a request may begin; return the seconds until it."""
        with self._lock:
            host, now = self._hosts[name], time.monotonic()
            start = max(now, host.next_start, host.held_until)
            host.next_start = start + host.interval()
            return start - now

    @staticmethod
    def _wake(host: _Host) -> None:
        while host.waiters and host.active < host.concurrency():
            host.active += 1
            host.waiters.popleft().wake()


class _Turn:
    """One request to a host, as a context."""

    __slots__ = ("_hosts", "_name")

    def __init__(self, hosts: Hosts, name: str) -> None:
        self._hosts = hosts
        self._name = name

    async def __aenter__(self) -> None:
        await self._hosts.begin(self._name)

    async def __aexit__(self, *_: object) -> None:
        self._hosts.end(self._name)


HOSTS = Hosts()
"""The hosts of this process."""
