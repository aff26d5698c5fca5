"""Asking an OMERO server for annotations: by the webclient, or by the API of newer servers.

Pages of annotations have no reliable order, so one page must hold all: ids are asked for in
batches, and a batch whose page is full is halved.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal
from urllib.parse import urljoin

import msgspec
from msgspec import Raw, Struct, field

from harvester.asking.ahead import gathered
from harvester.asking.answers import Answer, Garbled
from harvester.omero.server import Server, with_query
from parfocal.errors import SourceMalformed, SourceRefused

Target = Literal["project", "dataset", "screen", "plate", "acquisition", "well", "image"]
Way = Literal["webclient", "api", "none"]
Notes = dict[int, tuple[bytes, ...]]
"""The annotations of each object, by its id, in a fixed order."""

BATCH = 100
_FULL = 5000
_LARGEST = 1_000_000
_AJAX = {"X-Requested-With": "XMLHttpRequest", "Accept": "application/json"}
_TYPES = (
    *("map", "tag", "comment", "file", "xml"),
    *("long", "double", "boolean", "term", "timestamp"),
)


class _Parent(Struct, frozen=True):
    id: int = -1


class _Link(Struct, frozen=True):
    id: int = -1
    parent: _Parent = _Parent()


class _Head(Struct, frozen=True):
    id: int = -1
    link: _Link | None = None


class _ApiHead(Struct, frozen=True):
    id: int = field(name="@id", default=-1)


class _Answer(Struct, frozen=True):
    annotations: list[Raw]


_answers: msgspec.json.Decoder[_Answer] = msgspec.json.Decoder(_Answer)
_heads: msgspec.json.Decoder[_Head] = msgspec.json.Decoder(_Head)
_api_heads: msgspec.json.Decoder[_ApiHead] = msgspec.json.Decoder(_ApiHead)


class Annotations:
    """Reads annotations by whichever way the server opens."""

    def __init__(self, server: Server, known: str = "") -> None:
        """Make a reader; ``known`` is the way of the last complete walk."""
        self._server = server
        self._known = known
        self._lock = asyncio.Lock()
        wanted = server.options.annotations
        self.way: Way | None = None if wanted == "auto" else wanted
        self._lists: tuple[str, ...] = ("annotations",)

    async def of(self, target: Target, ids: Sequence[int]) -> Notes:
        """Return the annotations of objects of one kind; those without any are left out."""
        if not ids:
            return {}
        if self.way is None:
            await self._find_way(target, ids[0])
        if self.way == "none":
            return {}
        ask = self._by_webclient if self.way == "webclient" else self._by_api
        batches = [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]
        found: Notes = {}
        for notes in await gathered(ask(target, batch) for batch in batches):
            found |= notes
        return found

    async def _find_way(self, target: Target, id: int) -> None:
        """Find out once which way is open; a way that was open before must not close silently."""
        async with self._lock:
            if self.way is not None:
                return
            if await self._webclient_opens(target, id):
                self.way = "webclient"
            elif await self._api_opens():
                self.way = "api"
            else:
                await self._do_without()

    async def _webclient_opens(self, target: Target, id: int) -> bool:
        """Whether the webclient is open to us; one request that it refuses does not say so."""
        try:
            await self._by_webclient(target, [id])
        except SourceRefused as refused:
            try:
                await self._by_webclient(target, [])
            except SourceRefused:
                return False
            raise refused from None
        return True

    async def _api_opens(self) -> bool:
        try:
            await self._find_lists()
        except (SourceRefused, SourceMalformed):
            return False
        return True

    async def _do_without(self) -> None:
        await self._server.count(self._server.address("projects"))  # does it refuse everything?
        if self._known in ("webclient", "api"):
            raise SourceRefused(
                "annotations can no longer be read",
                where=self._server.web,
                hint='what was read before stays; annotations = "none" harvests without them',
            )
        self.way = "none"
        self._server.notice("the server does not open its annotations")

    # -------------------------------------------------------------- webclient

    async def _by_webclient(self, target: Target, ids: Sequence[int], limit: int = _FULL) -> Notes:
        url = urljoin(self._server.web, "webclient/api/annotations/")
        params: list[tuple[str, str]] = [(target, str(id)) for id in ids]
        params += [("page", "1"), ("limit", str(limit))]
        found: list[list[Raw]] = []

        def read(answer: Answer) -> None:
            found[:] = [_read(answer, url)]

        await self._server.http.get(with_query(url, params), headers=_AJAX, check=read)
        full = len(found[0]) >= limit
        if len(ids) > 1 and (full or _may_be_cut(len(found[0]))):
            return await self._halves(target, ids)
        if not full:
            return _sorted_by_object(found[0], ids)
        if limit >= _LARGEST:
            raise SourceMalformed(f"{target} {ids[0]} has too many annotations", where=url)
        return await self._by_webclient(target, ids, limit * 10)

    async def _halves(self, target: Target, ids: Sequence[int]) -> Notes:
        ask = self._by_webclient if self.way != "api" else self._by_api
        middle = len(ids) // 2
        first, second = await gathered((ask(target, ids[:middle]), ask(target, ids[middle:])))
        return first | second

    # -------------------------------------------------------------- the API of newer servers

    async def _find_lists(self) -> None:
        """Find the API's list of all annotations, else those of each type."""
        try:
            await self._server.count(self._server.address("annotations"))
        except (SourceRefused, SourceMalformed):
            lists = tuple(f"{kind}annotations" for kind in _TYPES)
            await self._server.count(self._api_address(lists[0]))
            self._lists = lists

    def _api_address(self, name: str) -> str:
        return urljoin(self._server.address("annotations"), f"../{name}/")

    async def _by_api(self, target: Target, ids: Sequence[int]) -> Notes:
        """Ask for each object alone: the answer does not say which object an annotation is of.

        A batch without any annotation is known by its count.
        """
        name = "plateacquisition" if target == "acquisition" else target
        totals = [await self._api_count(one, name, ids) for one in self._lists]
        if not any(totals):
            return {}
        if len(ids) > 1:
            return await self._halves(target, ids)
        found = []
        for one, total in zip(self._lists, totals, strict=True):
            if total:
                found += await self._api_notes(one, name, ids[0])
        return {ids[0]: _in_order({_api_id(note): bytes(note) for note in found})}

    async def _api_count(self, kind: str, name: str, ids: Sequence[int]) -> int:
        try:
            return await self._server.count(
                self._api_address(kind), [(name, str(id)) for id in ids]
            )
        except SourceRefused:
            if kind == "annotations" or kind.startswith("map"):
                raise
            return 0  # not every server has a list of every type

    async def _api_notes(self, kind: str, name: str, id: int) -> list[Raw]:
        notes: list[Raw] = []
        while True:
            params = {name: id, "offset": len(notes), "limit": self._server.largest}
            page = await self._server.page(self._api_address(kind), params)
            notes += page.data
            if not page.data or len(notes) >= page.meta.total:
                return notes


def _may_be_cut(count: int) -> bool:
    """Whether a server that gives less than is asked for may have stopped at a round number."""
    return count > 0 and count % 100 == 0


def _read(answer: Answer, url: str) -> list[Raw]:
    if "/login" in answer.url:
        raise SourceRefused("the webclient asks for a login", where=url)
    try:
        return _answers.decode(answer.content).annotations
    except (msgspec.DecodeError, RecursionError) as error:
        raise Garbled(f"not a list of annotations: {error}", where=url) from error


def _sorted_by_object(notes: Sequence[Raw], ids: Sequence[int]) -> Notes:
    """Sort annotations to the objects that they are linked to, in order of their ids."""
    found: dict[int, dict[tuple[int, int], bytes]] = {}
    for note in notes:
        try:
            head = _heads.decode(note)
        except msgspec.DecodeError as error:
            raise Garbled(f"an annotation cannot be read: {error}") from error
        link = head.link or _Link()
        parent = link.parent.id if link.parent.id >= 0 or len(ids) != 1 else ids[0]
        if parent < 0:
            raise SourceMalformed("the server does not say what its annotations are linked to")
        found.setdefault(parent, {})[head.id, link.id] = bytes(note)
    return {id: _in_order(notes) for id, notes in found.items()}


def _in_order(notes: dict[tuple[int, int], bytes]) -> tuple[bytes, ...]:
    return tuple(notes[key] for key in sorted(notes))


def _api_id(note: Raw) -> tuple[int, int]:
    try:
        return _api_heads.decode(note).id, 0
    except msgspec.DecodeError as error:
        raise Garbled(f"an annotation cannot be read: {error}") from error
