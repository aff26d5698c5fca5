"""Several requests under way at once, their results in the order of asking."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
)
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def _stream(over: Iterable[T] | AsyncIterable[T]) -> AsyncIterator[T]:
    if isinstance(over, AsyncIterable):
        async for one in over:
            yield one
    else:
        for one in over:
            yield one


async def in_order(
    ask: Callable[[T], Awaitable[R]], over: Iterable[T] | AsyncIterable[T], at_once: int
) -> AsyncGenerator[R, None]:
    """Yield ``await ask(one)`` for each one of ``over``, in its order, ``at_once`` under way.

    Nothing is read further ahead than that. A failure is raised at its place in the order; what is
    under way then, or when the caller leaves, is cancelled.
    """

    async def answer(one: T) -> R:
        return await ask(one)

    under_way: deque[asyncio.Task[R]] = deque()
    stream = _stream(over)
    try:
        async for one in stream:
            under_way.append(asyncio.ensure_future(answer(one)))
            if len(under_way) >= max(1, at_once):
                yield await under_way.popleft()
        while under_way:
            yield await under_way.popleft()
    finally:
        await _cancel(under_way)


async def gathered(asking: Iterable[Awaitable[R]]) -> list[R]:
    """Wait for all; when some fail, wait for the others too and raise the first failure."""
    results = await asyncio.gather(*asking, return_exceptions=True)
    answers: list[R] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        answers.append(result)
    return answers


async def _cancel(tasks: Iterable[asyncio.Task[R]]) -> None:
    waiting = list(tasks)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
