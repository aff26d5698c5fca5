"""Source ``local``: a folder tree of OME-TIFF, TIFF, OME-Zarr and OME-XML files with sidecars.

A top-level folder that holds images is a study, and so is every folder whose ``parfocal.toml`` has
a ``[dataset]``; deeper folders of images, and plates, are containers. OME-XML of up to 2 MB is
validated by ome-types; what it says against a document is a warning.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from harvester.formats.zarr_tree import Tree
from harvester.lab.items import unpack
from harvester.lab.records import Maker
from harvester.lab.walk import Outcome, TreeWalk
from harvester.lab.watch import changes
from parfocal.errors import RecordInvalid, SourceError, SourceRefused
from parfocal.identifiers import native_of
from parfocal.interfaces import Walk
from parfocal.model import Image, Record
from parfocal.registry import missing_extra
from parfocal.values import Fetched, Problem, RawItem

_BATCH_ITEMS = 128
_BATCH_BYTES = 8 * 1024 * 1024


class LocalOptions(BaseModel):
    """Settings of a ``local`` source."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path = Field(description="Folder to harvest; nothing outside it is read.")


def _take(items: Iterator[Outcome]) -> list[Outcome]:
    batch: list[Outcome] = []
    size = 0
    for item in items:
        batch.append(item)
        size += len(item.content) if isinstance(item, RawItem) else 0
        if len(batch) >= _BATCH_ITEMS or size >= _BATCH_BYTES:
            break
    return batch


class LocalFiles:
    """Images in a folder tree, with thumbnails on demand."""

    Options: ClassVar[type[LocalOptions]] = LocalOptions

    def __init__(self, name: str, options: LocalOptions) -> None:
        self.name = name
        self.options = options
        self._maker = Maker(name)

    async def fetch(self, walk: Walk) -> AsyncIterator[Fetched]:
        """Walk the tree folder by folder in the order of names; resumes after a finished folder."""
        items = TreeWalk(self.options.path, walk).items()
        try:
            while batch := await asyncio.to_thread(_take, items):
                for item in batch:
                    yield item
        finally:
            await asyncio.to_thread(items.close)

    def normalise(self, item: RawItem) -> Iterable[Record | Problem]:
        """Yield the records of a file, OME-Zarr group or folder."""
        try:
            yield from self._maker.records(unpack(item))
        except (SourceError, RecordInvalid) as error:
            yield Problem(item.key, error.message, error.where, error.hint)

    def changes(self, stop: threading.Event) -> Iterator[None]:
        """Yield each time files have changed, until ``stop`` is set."""
        return changes(self.options.path, stop)

    def thumbnail(self, record: Record, size: int) -> bytes:
        """Return a PNG of an image: middle plane, first time point, channels merged.

        Raises SourceError without pixels or with too many, PluginMissing without the extra images.
        """
        if not isinstance(record, Image) or not record.location:
            raise SourceRefused("this record has no pixels of its own", where=record.id)
        try:
            from harvester.formats.thumbnail import draw
        except ModuleNotFoundError as error:
            raise missing_extra(error, "a thumbnail") from error
        series = native_of(record.id).rpartition("#")[2]
        number = int(series) if series.isdecimal() and "#" in record.id else 0
        return draw(Tree(self.options.path), record, number, size)
