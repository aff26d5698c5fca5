"""The walk over an OMERO server: lists in a fixed order, pages that may shift, places to resume.

Neighbouring pages overlap by one object: where they do not agree, objects moved meanwhile, and the
list is walked again for what was missed. A place to resume is only given once the server has said
that the user is still logged in.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import aclosing

import msgspec
from msgspec import Struct

from harvester.asking.ahead import in_order
from harvester.omero.items import IdSet, Place, read_cursor, write_cursor
from harvester.omero.scopes import UNREAD, Fetched, Found, Looked, Looker, Scope
from harvester.omero.server import Head, Server, read_head
from parfocal.errors import SourceUnavailable
from parfocal.values import Problem, RawItem, Unchanged

PROJECTS, SCREENS, DATASETS, PLATES, WELLS, IMAGES, ORPHANS = range(1, 8)
_END = -1
_PASSES = 3
_RENEWALS = 3
_PAGES_UNSURE = 10
"""Pages of one list after which a logged-in walk makes sure of its user."""
_MOVED = "objects kept moving while the list was read"


class _Expired(Exception):
    """The session is no longer the user's; what was read since the last sure place is unsure."""


class _Task(Struct, frozen=True):
    scope: Scope
    offset: int


class _Run:
    """One list as far as it was walked."""

    def __init__(self, scope: Scope, place: Place) -> None:
        resumed = (place.phase, place.scope) == (scope.phase, scope.id) and place.offset > 0
        self.scope = scope
        self.expected = place.offset if resumed else 0
        self.last = place.last if resumed else 0
        self.rows = self.expected + 1 if resumed else 0
        self.total = 0
        self.started = self.dirty = self.broken = False
        self.pages = 0
        self.own = IdSet()

    def add(self, looked: Looked) -> None:
        """Follow a page: does it go on where the last one ended?"""
        ids, self.total = looked.ids, looked.total
        fits = looked.offset == self.expected
        if looked.offset:
            fits = fits and bool(ids) and ids[0] == self.last
        if not fits or len(set(ids)) != len(ids):
            self.dirty = True
        self.rows = looked.offset + looked.rows
        self.expected = max(self.rows - 1, 0)
        self.last = ids[-1] if ids else 0
        self.pages += 1
        self.started = True

    def begin_again(self) -> None:
        """Walk the list once more; what was found stays found."""
        self.expected = self.last = self.rows = 0
        self.started = self.dirty = False

    @property
    def whole(self) -> bool:
        """Whether every object of the list was seen."""
        return self.started and not self.dirty and self.rows == self.total

    @property
    def place(self) -> Place:
        """Where the walk stands between two pages."""
        return Place(self.scope.phase, self.scope.id, self.expected, self.last)


class OmeroWalk:
    """Goes through all lists of a server."""

    def __init__(self, server: Server, looker: Looker, cursor: str) -> None:
        self._server = server
        self._looker = looker
        self._sure = cursor
        self._place, self._seen, _ = read_cursor(cursor)
        self._waiting: Fetched | None = None
        self._unread: set[int] = set()
        self._at_once = server.options.concurrency

    async def run(self) -> AsyncIterator[Fetched]:
        """Yield everything from after the cursor; an expired session is renewed on the way."""
        renewals, was_sure = 0, self._sure
        while True:
            try:
                async for one in self._phases():
                    yield one
                break
            except _Expired:
                renewals = renewals + 1 if self._sure == was_sure else 1
                was_sure = self._sure
                if renewals > _RENEWALS:
                    raise SourceUnavailable(
                        "the session expires again and again", where=self._server.web
                    ) from None
                await self._server.renew()
                self._place, self._seen, _ = read_cursor(self._sure)
                self._waiting = None
                self._looker.over.clear()
        async for problem in self._compare():
            yield problem

    async def _compare(self) -> AsyncIterator[Problem]:
        """Compare the images met with the server's own count of all that the user may see."""
        after = await self._server.count(self._server.address("images"))
        missed = min(self._server.images, after) - len(self._seen)
        if missed <= 0 or self._looker.skipped:
            return
        reason = f"{missed} images of the server lie in nothing that was walked"
        if missed <= self._server.options.unreachable:
            yield Problem(self._server.web, reason, severity="warning")
            return
        hint = "nothing below is taken for gone; if that is right, set unreachable of the source"
        for scope in ("dataset", "plate", "orphaned"):
            yield Problem(scope, reason, hint=hint)

    async def _phases(self) -> AsyncIterator[Fetched]:
        for phase in range(max(self._place.phase, PROJECTS), ORPHANS + 1):
            scopes = await self._scopes(phase)
            async for one in self._lists(scopes):
                yield one

    # -------------------------------------------------------------- which lists

    async def _scopes(self, phase: int) -> list[Scope]:
        """Return the lists of a phase from the place on, in order of their containers' ids."""
        if (
            self._place.phase == phase
            and self._place.offset == _END
            and phase not in (WELLS, IMAGES)
        ):
            return []
        address = self._server.address
        children = (("childCount", "true"),)
        if phase == PROJECTS:
            return [Scope(phase, 0, "project", address("projects"), "project", params=children)]
        if phase == SCREENS:
            return [Scope(phase, 0, "screen", address("screens"), "screen", params=children)]
        if phase == DATASETS:
            await self._find_parents("project", "dataset")
            return [Scope(phase, 0, "dataset", address("datasets"), "dataset", params=children)]
        if phase == PLATES:
            await self._find_parents("screen", "plate")
            return [Scope(phase, 0, "plate", address("plates"), "plate")]
        if phase == WELLS:
            return self._left([self._wells(head) for head in await self._all("plates")])
        if phase == IMAGES:
            return self._left([self._images(head) for head in await self._all("datasets")])
        params = (("orphaned", "true"),)
        count = await self._server.count(address("images"), params)
        return [Scope(phase, 0, "image", address("images"), "orphaned", count, params)]

    def _wells(self, plate: Head) -> Scope:
        url = self._server.address("plates", plate.id, "wells")
        return Scope(WELLS, plate.id, "well", url, f"plate/{plate.id}", plate=plate.name or "")

    def _images(self, dataset: Head) -> Scope:
        url = self._server.address("datasets", dataset.id, "images")
        return Scope(IMAGES, dataset.id, "image", url, f"dataset/{dataset.id}", dataset.children)

    def _left(self, scopes: list[Scope]) -> list[Scope]:
        """Return the lists that are not finished and not known to be unchanged."""
        place = self._place
        done = (place.phase, place.scope + (place.offset == _END))
        return [
            scope
            for scope in scopes
            if (scope.phase, scope.id) >= done and scope.key not in self._looker.skipped
        ]

    async def _all(self, name: str) -> list[Head]:
        params = (("childCount", "true"),) if name == "datasets" else ()
        return await self._heads(self._server.address(name), params)

    async def _heads(self, url: str, params: Iterable[tuple[str, str]] = ()) -> list[Head]:
        """Return what the walk needs of all objects of a list, by id."""
        for _ in range(_PASSES):
            found: dict[int, Head] = {}
            rows, total, last, clean = 0, 1, -1, True
            while rows < total:
                offset = max(rows - 1, 0)
                place = [("offset", str(offset)), ("limit", str(self._server.largest))]
                page = await self._server.page(url, [*params, *place])
                heads = [read_head(body) for body in page.data]
                total = page.meta.total
                clean = clean and (not offset or (bool(heads) and heads[0].id == last))
                if offset + len(heads) <= rows:
                    break
                rows, last = offset + len(heads), heads[-1].id
                found |= {head.id: head for head in heads}
            if clean and len(found) == rows == total:
                return [found[id] for id in sorted(found)]
        raise SourceUnavailable(_MOVED, where=url, hint="harvest again later")

    async def _find_parents(self, kind: str, child: str) -> None:
        """Find out which projects each data set lies in, or which screens each plate."""
        params = (("childCount", "true"),)
        heads = await self._heads(self._server.address(f"{kind}s"), params)
        holding = [head.id for head in heads if head.children]

        async def inside(id: int) -> tuple[int, list[Head]]:
            return id, await self._heads(self._server.address(f"{kind}s", id, f"{child}s"))

        parents: dict[str, tuple[str, ...]] = {}
        async with aclosing(in_order(inside, holding, self._at_once)) as answers:
            async for id, children in answers:
                for head in children:
                    key = f"{child}/{head.id}"
                    parents[key] = (*parents.get(key, ()), f"{kind}/{id}")
        self._looker.parents = parents

    # -------------------------------------------------------------- walking lists

    def _tasks(self, scopes: Iterable[Scope]) -> Iterator[_Task]:
        for scope in scopes:
            start = _Run(scope, self._place).expected
            for offset in self._offsets(start, scope.count):
                yield _Task(scope, offset)
                if (scope.phase, scope.id) in self._looker.over:
                    break

    def _offsets(self, start: int, count: int) -> Iterator[int]:
        """Yield where pages begin that go on from ``start``; at least one."""
        yield start
        step = self._server.largest - 1
        yield from range(start + step, count - 1, step)

    async def _lists(self, scopes: list[Scope]) -> AsyncIterator[Fetched]:
        run: _Run | None = None

        async def look(task: _Task) -> Looked:
            known = self._seen if task.scope.kind == "image" else None
            return await self._looker.look(task.scope, task.offset, known)

        tasks = self._tasks(scope for scope in scopes if scope.count)
        async with aclosing(in_order(look, tasks, self._at_once)) as pages:
            async for looked in pages:
                if run is None or looked.scope is not run.scope:
                    async for one in self._end(run):
                        yield one
                    run = _Run(looked.scope, self._place)
                async for one in self._take(run, looked):
                    yield one
            async for one in self._end(run):
                yield one

    async def _take(self, run: _Run, looked: Looked) -> AsyncIterator[Fetched]:
        """Yield what a page holds, except the last thing, which waits for its place."""
        async for one in self._release(run):
            yield one
        if looked.problem is not None:
            if not run.broken:
                yield looked.problem
            run.broken = True
            return
        if run.whole and not looked.rows and looked.total == run.total:
            return  # a page that was foreseen, and is not there
        run.add(looked)
        for found in looked.found:
            if await self._belongs_elsewhere(run, found.id):
                continue
            for one in self._new(run, found):
                if self._waiting is not None:
                    yield self._waiting
                self._waiting = one

    async def _belongs_elsewhere(self, run: _Run, image: int) -> bool:
        """Whether an image that is new here lies in an earlier data set that could not be read."""
        if run.scope.phase != IMAGES or not self._unread or self._looker.is_known(run.scope, image):
            return False
        heads = await self._heads(self._server.address("images", image, "datasets"))
        return any(head.id in self._unread and head.id != run.scope.id for head in heads)

    def _new(self, run: _Run, found: Found) -> tuple[Fetched, ...]:
        """Return what is to be told of an object, unless it was told already."""
        if found.id == UNREAD:
            return found.items
        fresh = run.own.add(found.id)
        if run.scope.kind == "image":
            fresh = self._seen.add(found.id)
        else:
            self._seen.update(found.images)
        return found.items if fresh else ()

    async def _release(self, run: _Run) -> AsyncIterator[Fetched]:
        """Yield what waits, with a place to resume if all is well and the user is sure."""
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return
        sure = self._server.user is None or run.pages % _PAGES_UNSURE == 0
        if run.dirty or run.broken or not sure or not run.pages:
            yield waiting
            return
        yield await self._placed(waiting, run.place)

    async def _placed(self, one: Fetched, place: Place) -> Fetched:
        if not await self._server.is_still_in():
            raise _Expired
        if not isinstance(one, RawItem | Unchanged):
            return one
        self._sure = write_cursor(place, self._seen, self._looker.annotations.way or "")
        return msgspec.structs.replace(one, cursor=self._sure)

    async def _end(self, run: _Run | None) -> AsyncIterator[Fetched]:
        """Yield the rest of a list and what its count says; then its end is a place to resume."""
        if run is None:
            return
        for number in range(_PASSES):
            if number:
                run.begin_again()
            async for one in self._rest(run):
                yield one
            if run.whole or run.broken:
                break
        if run.scope.phase == IMAGES and (run.broken or not run.whole):
            self._unread.add(run.scope.id)
        if not run.broken and not run.whole:
            yield Problem(run.scope.key, _MOVED, hint="nothing below is taken for gone")
        elif not run.broken and await self._lacks(run):
            reason = f"{run.total} of {run.scope.count} objects can be seen"
            yield Problem(run.scope.key, reason, hint="nothing below is taken for gone")
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            yield await self._placed(waiting, Place(run.scope.phase, run.scope.id, _END))
        elif not await self._server.is_still_in():
            raise _Expired

    async def _rest(self, run: _Run) -> AsyncIterator[Fetched]:
        """Walk the pages of a list that were not foreseen; a list without end is given up."""
        known = self._seen if run.scope.kind == "image" else run.own
        most = 2 * max(run.total, run.scope.count, 0) + 100 * self._server.largest
        while not run.broken and (not run.started or run.rows < min(run.total, most)):
            before = run.rows if run.started else -1
            looked = await self._looker.look(run.scope, run.expected, known)
            async for one in self._take(run, looked):
                yield one
            if run.rows <= before:
                return

    async def _lacks(self, run: _Run) -> bool:
        """Whether a data set still claims more images than it shows."""
        if run.scope.phase != IMAGES or run.total >= run.scope.count:
            return False
        url = self._server.address("datasets", run.scope.id)
        answer = await self._server.http.get(url, params={"childCount": "true"}, expect=(200, 404))
        if answer.status == 404:
            return False
        data = answer.json().get("data")
        now = data.get("omero:childCount") if isinstance(data, dict) else None
        return isinstance(now, int) and now > run.total
