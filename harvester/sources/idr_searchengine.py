"""Source ``idr-searchengine``: all images that IDR's search engine knows, with their key-values.

Container by container, page by page or as files that the engine makes; no login is needed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Any, ClassVar

import msgspec
from msgspec import Struct

from harvester.asking.http import Http
from harvester.omero.items import IdSet
from harvester.searchengine.client import (
    Container,
    Searchengine,
    SearchengineOptions,
)
from harvester.searchengine.records import (
    Shown,
    decode_shown,
    encode_shown,
    number_of,
    parents_of,
    read_item,
    read_object,
)
from harvester.words.leaves import words
from parfocal.errors import RecordInvalid, SourceMalformed, SourceRefused
from parfocal.interfaces import Walk
from parfocal.model import Record
from parfocal.values import Deleted, Mark, Problem, RawItem, Unchanged

_ALL = Container("", 0, "all images", -1)
_KINDS = ("project", "dataset", "screen", "plate")


class _Place(Struct, frozen=True):
    """Where a walk stands: the container, the bookmark in it, how many of its images were seen."""

    container: tuple[str, int] = ("", -1)
    bookmark: tuple[Any, ...] = ()
    seen: int = 0
    finished: bool = False
    told: dict[str, str] = {}


def _read_cursor(text: str) -> _Place:
    try:
        return msgspec.json.decode(text, type=_Place)
    except msgspec.DecodeError:
        return _Place()


class IdrSearchengine:
    """Images of IDR's search engine."""

    Options: ClassVar[type[SearchengineOptions]] = SearchengineOptions

    def __init__(self, name: str, options: SearchengineOptions) -> None:
        self.name = name
        self.options = options

    async def fetch(
        self, walk: Walk
    ) -> AsyncIterator[RawItem | Unchanged | Deleted | Mark | Problem]:
        """Yield containers with their images, by kind and id of the container."""
        async with Http(self.options, walk) as http:
            engine = Searchengine(http, self.options)
            async for found in _Passage(engine, self.options, walk.cursor).run():
                yield found

    def normalise(self, item: RawItem) -> Iterable[Record | Problem]:
        """Yield the record of an image or container."""
        try:
            yield from read_item(decode_shown(item.content), self.name, self.options)
        except (msgspec.DecodeError, RecursionError) as error:
            yield Problem(item.key, f"not a raw item of this source: {error}")
        except (SourceMalformed, RecordInvalid) as error:
            yield Problem(item.key, error.message, error.where, error.hint)


class _Passage:
    """One walk: what was told already, and where it stands."""

    def __init__(self, engine: Searchengine, options: SearchengineOptions, cursor: str) -> None:
        self._engine = engine
        self._options = options
        self._place = _read_cursor(cursor)
        told = self._place.told
        self._told = {kind: IdSet(told.get(kind, "")) for kind in _KINDS}

    async def run(self) -> AsyncIterator[RawItem | Problem]:
        """Yield everything from after the cursor."""
        for container in await self._containers():
            at = (container.kind, container.id)
            if at < self._place.container or (at == self._place.container and self._place.finished):
                continue
            if at > self._place.container:
                async for found in self._begin(container):
                    yield found
            try:
                async for found in self._images(container):
                    yield found
            except SourceMalformed as error:
                yield Problem(container.key, error.message, error.where, error.hint)

    async def _containers(self) -> Sequence[Container]:
        """Return the containers; all images as one when the engine does not list any."""
        try:
            return await self._engine.containers() or ([] if self._options.containers else [_ALL])
        except SourceRefused as error:
            if "answered 404" not in error.message or self._options.containers:
                raise
            return [_ALL]

    async def _begin(self, container: Container) -> AsyncIterator[RawItem | Problem]:
        if not container.kind:
            return
        self._told[container.kind].add(container.id)
        try:
            about = await self._engine.about(container)
        except SourceMalformed as error:
            yield Problem(container.key, error.message, error.where, error.hint)
            return
        shown = Shown(container.kind, container.id, container.body, about=about)
        yield RawItem(container.key, encode_shown(shown))

    async def _images(self, container: Container) -> AsyncIterator[RawItem | Problem]:
        if self._options.results != "pages":
            async for found in self._from_file(container):
                yield found
            return
        at = (container.kind, container.id)
        resumed = self._place if self._place.container == at else _Place()
        bookmark, seen = resumed.bookmark, resumed.seen
        total = container.count if self._is_unfiltered else 0
        while True:
            page = await self._engine.page(container, bookmark)
            total = page.total if page.rows else max(total, seen)
            bookmark = page.bookmark
            seen += len(page.rows)
            ended = not page.rows or seen >= page.total
            items = self._items_of(container, [bytes(row) for row in page.rows])
            for found in self._placed(container, items, bookmark, seen, ended):
                yield found
            if ended:
                break
        if seen != total or (self._is_unfiltered and seen < container.count):
            wanted = max(total, container.count)
            reason = f"the engine shows {seen} of {wanted} images"
            yield Problem(container.key, reason, hint="nothing below is taken for gone")

    @property
    def _is_unfiltered(self) -> bool:
        return not self._options.filters and not self._options.or_filters

    async def _from_file(self, container: Container) -> AsyncIterator[RawItem | Problem]:
        seen, total = 0, max(container.count, 0) if self._is_unfiltered else 0
        waiting: list[RawItem] = []
        async for rows, promised in self._engine.rows(container):
            for found in waiting:
                yield found
            total, seen = promised, seen + len(rows)
            waiting = list(self._items_of(container, rows))
        for found in self._placed(container, iter(waiting), (), seen, ended=True):
            yield found
        if seen != total:
            reason = f"the engine's file has {seen} of {total} images"
            yield Problem(container.key, reason, hint="nothing below is taken for gone")

    def _placed(
        self,
        container: Container,
        items: Iterator[RawItem],
        bookmark: tuple[Any, ...],
        seen: int,
        ended: bool,
    ) -> Iterator[RawItem]:
        """Yield items; the last one carries the place behind it."""
        waiting: RawItem | None = None
        for item in items:
            if waiting is not None:
                yield waiting
            waiting = item
        if waiting is not None:
            at = (container.kind, container.id)
            told = {kind: self._told[kind].text() for kind in _KINDS}
            place = _Place(at, bookmark, seen, ended, told)
            cursor = msgspec.json.encode(place).decode()
            yield msgspec.structs.replace(waiting, cursor=cursor)

    def _items_of(self, container: Container, rows: Iterable[bytes]) -> Iterator[RawItem]:
        """Yield images, each after the containers that it is the first to name."""
        for body in rows:
            row = read_object(body)
            id = number_of(row.get("id"))
            if id is None:
                raise SourceMalformed("a result without an id")
            inside = number_of(row.get(f"{container.kind}_id")) if container.kind else None
            if inside is not None and inside != container.id:
                continue  # the engine did not heed the container
            parent = ""
            for kind, number, name, above in parents_of(row):
                if self._told[kind].add(number):
                    yield _named(container, kind, number, name, above)
                parent = f"{kind}-{number}"
            key = f"{container.key}/image/{id}" if container.kind else f"image/{id}"
            yield RawItem(key, encode_shown(Shown("image", id, body, parent)))


def _named(container: Container, kind: str, id: int, name: str, above: str) -> RawItem:
    """Return an item of a container of which only its name is known."""
    body = msgspec.json.encode({"name": words(name)})
    key = f"{kind}/{id}" if kind in ("project", "screen") else f"{container.key}/{kind}/{id}"
    return RawItem(key, encode_shown(Shown(kind, id, body, above)))
