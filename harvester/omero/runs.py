"""The runs (plate acquisitions) of a plate; one without fields makes the server fail over all."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Raw

from harvester.omero.server import Page, Server

_MOST = 1000


class _EmptyRun(Exception):
    """The server failed because a run has no fields."""


async def plate_runs(server: Server, plate: int) -> list[Raw]:
    """Return a plate's runs, without those that the server fails over."""
    url = server.address("plates", plate, "plateacquisitions")
    try:
        return await _listed(server, url, {"limit": server.largest})
    except _EmptyRun:
        total = await server.count(url)
    runs: list[Raw] = []
    for offset in range(min(total, _MOST)):
        try:
            runs += await _listed(server, url, {"offset": offset, "limit": 1})
        except _EmptyRun:
            continue
    return runs


async def _listed(server: Server, url: str, params: Mapping[str, int]) -> list[Raw]:
    """Return runs; _EmptyRun when the server fails in its own words."""
    answer = await server.http.get(url, params=params, expect=(200, 500))
    if answer.status == 500 and answer.content.lstrip()[:1] == b"{":
        raise _EmptyRun
    try:
        if answer.status == 200:
            return msgspec.json.decode(answer.content, type=Page).data
    except (msgspec.DecodeError, RecursionError):
        pass
    return (await server.page(url, params)).data
