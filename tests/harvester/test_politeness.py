"""Politeness proof: a server that records shows that no host ever sees more than was set."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from typing import Any

import pytest

from harvester.asking.ahead import in_order
from harvester.asking.http import Http, HttpOptions
from harvester.asking.politeness import Hosts, Limits
from parfocal.testing.loopback import Asked, Fault, Given, Loopback, given_json, serve
from parfocal.testing.sources import Visit


class Recording:
    def answer(self, asked: Asked) -> Given:
        return given_json(asked.path)


async def walk(server: Loopback, count: int, **options: Any) -> None:
    """What a source does: as much at once as it may."""
    chosen = HttpOptions(**{"url": server.url, "rate": 0, "retry_wait": 0.01, **options})
    async with Http(chosen, Visit()) as http:

        async def ask(number: int) -> None:
            await http.get(f"{server.url}/{options.get('contact')}/{number}")

        async for _ in in_order(ask, range(count), 50):
            pass


async def side_by_side(*walks: Any) -> None:
    await asyncio.gather(*walks)


def most_in_a_window(times: Iterable[float], seconds: float) -> int:
    """The largest number of requests that came within so many seconds."""
    moments = sorted(times)
    return max(
        sum(1 for later in moments[place:] if later - first < seconds)
        for place, first in enumerate(moments)
    )


def test_two_sources_share_the_concurrency_of_a_host() -> None:
    with serve(Recording(), delay=0.01) as server:
        first = walk(server, 20, concurrency=3, contact="first")
        second = walk(server, 20, concurrency=3, contact="second")
        asyncio.run(side_by_side(first, second))
    assert len(server.asked) == 40
    assert 2 <= server.most_at_once <= 3


def test_two_sources_share_the_rate_of_a_host() -> None:
    with serve(Recording()) as server:
        first = walk(server, 15, rate=20, contact="first")
        second = walk(server, 15, rate=20, contact="second")
        asyncio.run(side_by_side(first, second))
    times = [asked.at for asked in server.asked]
    assert len(times) == 30
    assert max(times) - min(times) >= 27 / 20
    # A request may be late, and then the next one follows it sooner.
    assert most_in_a_window(times, 0.5) <= 20 * 0.5 + 2


def test_limits_hold_over_all_threads_of_the_process() -> None:
    with serve(Recording(), delay=0.01) as server:
        threads = [
            threading.Thread(target=asyncio.run, args=(walk(server, 10, concurrency=2),))
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(server.asked) == 30
    assert 1 <= server.most_at_once <= 2


def test_repeats_count_as_well() -> None:
    with serve(Recording()) as server:
        server.faults += [Fault("503", path=f"/{number}", times=2) for number in range(5)]
        asyncio.run(walk(server, 5, rate=20, retry_wait=0.001, concurrency=5))
    times = [asked.at for asked in server.asked]
    assert len(times) == 15
    assert max(times) - min(times) >= 12 / 20


def test_two_hosts_do_not_wait_for_each_other() -> None:
    with serve(Recording(), delay=0.02) as one, serve(Recording(), delay=0.02) as other:
        asyncio.run(side_by_side(walk(one, 5, concurrency=1), walk(other, 5, concurrency=1)))
        overlap = {asked.at < one.asked[-1].at for asked in other.asked}
    assert overlap == {True, False} or len(overlap) == 1
    assert (one.most_at_once, other.most_at_once) == (1, 1)


def test_host_that_asks_for_a_pause_gets_one_from_everybody() -> None:
    with serve(Recording()) as server:
        server.faults.append(Fault("429-retry-after"))
        first = walk(server, 4, concurrency=1, contact="first")
        second = walk(server, 4, concurrency=1, contact="second")
        asyncio.run(side_by_side(first, second))
    times = [asked.at for asked in server.asked]
    assert times[1] - times[0] >= 0.95


# ------------------------------------------------------------------ the limits themselves


def test_cancelled_waiters_give_their_turn_on() -> None:
    async def run() -> list[str]:
        hosts, limits, order = Hosts(), Limits(1, 0), list[str]()
        hosts.join("h", limits)

        async def one(name: str) -> None:
            async with hosts.turn("h"):
                order.append(name)
                await asyncio.sleep(0)

        async with hosts.turn("h"):
            waiting = [asyncio.ensure_future(one(name)) for name in "abc"]
            await asyncio.sleep(0)
            waiting[0].cancel()
            await asyncio.sleep(0)
        waiting[1].cancel()  # It was just told that it is its turn.
        await asyncio.gather(*waiting, return_exceptions=True)
        async with hosts.turn("h"):
            order.append("end")
        hosts.leave("h", limits)
        return order

    assert asyncio.run(asyncio.wait_for(run(), 5)) == ["c", "end"]


def test_limit_is_the_strictest_of_those_who_are_there() -> None:
    async def run() -> list[int]:
        hosts, strict, loose, counts = Hosts(), Limits(1, 0), Limits(3, 0), list[int]()
        hosts.join("h", loose)
        hosts.join("h", strict)
        now = 0

        async def one() -> None:
            nonlocal now
            async with hosts.turn("h"):
                now += 1
                counts.append(now)
                await asyncio.sleep(0.001)
                now -= 1

        await asyncio.gather(*(one() for _ in range(6)))
        hosts.leave("h", strict)
        await asyncio.gather(*(one() for _ in range(6)))
        return counts

    counts = asyncio.run(run())
    assert max(counts[:6]) == 1
    assert max(counts[6:]) == 3


# ------------------------------------------------------------------ several at once, in order


def test_results_come_in_order_and_nothing_is_read_far_ahead() -> None:
    taken: list[int] = []

    def numbers() -> Iterable[int]:
        for number in range(20):
            taken.append(number)
            yield number

    async def slow_first(number: int) -> int:
        await asyncio.sleep(0.003 if number % 4 == 0 else 0)
        return number

    async def run() -> list[int]:
        results = []
        async for result in in_order(slow_first, numbers(), 4):
            results.append(result)
            assert len(taken) <= result + 4
        return results

    assert asyncio.run(run()) == list(range(20))


def test_failure_comes_at_its_place_and_ends_what_is_under_way() -> None:
    ended: list[int] = []

    async def ask(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        try:
            await asyncio.sleep(0 if number < 3 else 60)
        except asyncio.CancelledError:
            ended.append(number)
            raise
        return number

    async def run() -> list[int]:
        results = list[int]()
        with pytest.raises(ValueError, match="three"):
            await collect(results)
        return results

    async def collect(results: list[int]) -> None:
        async for result in in_order(ask, range(100), 4):
            results.append(result)
            await asyncio.sleep(0.001)

    assert asyncio.run(run()) == [0, 1, 2]
    assert ended[:2] == [4, 5]
