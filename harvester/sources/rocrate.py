"""The source ``rocrate``: RO-Crates in a folder, in zip archives, or on the web.

A crate is read as far as its metadata says; nothing is fetched from the addresses in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import ClassVar, Self

import msgspec
from pydantic import Field, model_validator

from harvester.asking.http import Http
from harvester.asking.http_options import HttpOptions
from harvester.crates.crate import open_crate
from harvester.crates.crate_parts import Place, parts_of
from harvester.crates.crate_study import study_of
from harvester.crates.items import (
    MAX_CRATE,
    CrateItem,
    Found,
    crates_in_zip,
    decoder,
    is_metadata,
)
from harvester.crates.web import WebCrates, local_item
from harvester.formats.crawl import FoundFile, read_file, walk_tree
from parfocal.errors import RecordInvalid, SourceError, SourceMalformed, SourceUnavailable
from parfocal.identifiers import record_id
from parfocal.interfaces import Walk
from parfocal.model import Provenance, Record
from parfocal.values import Fetched, Problem, RawItem

_BATCH = 32


class CrateOptions(HttpOptions):
    """Settings of a ``rocrate`` source."""

    url: str = Field("", description="Address of a crate, or of a list or sitemap of crates.")
    urls: tuple[str, ...] = Field((), description="Further such addresses.")
    path: Path | None = Field(
        None, description="Folder with crates or zip archives of them, or one archive."
    )

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not (self.url or self.urls or self.path):
            raise ValueError("path or url must be set")
        return self

    def homes(self) -> tuple[str, ...]:
        """Return all addresses that are given."""
        return tuple(filter(None, (self.url, *self.urls)))


class StudyCrates:
    """Studies, and what lies in them, from RO-Crates."""

    Options: ClassVar[type[CrateOptions]] = CrateOptions

    def __init__(self, name: str, options: CrateOptions) -> None:
        self.name = name
        self.options = options

    async def fetch(self, walk: Walk) -> AsyncIterator[Fetched]:
        """Yield the crates of the folder by name, then those of the web in the lists' order.

        The folder is always walked anew, as names depend on those before.
        """
        used: set[str] = set()
        if self.options.path is not None:
            async for found in _local(self.options.path, used):
                yield found
        addresses = self.options.homes()
        if addresses:
            async with Http(self.options, walk) as http:
                web = WebCrates(http, walk, self.options.concurrency)
                async for got in web.fetch(addresses, used):
                    yield got

    def normalise(self, item: RawItem) -> Iterable[Record | Problem]:
        """Yield the study that a crate describes and its parts, or why it cannot be read."""
        try:
            held = decoder.decode(item.content)
        except (msgspec.DecodeError, RecursionError) as error:
            yield Problem(item.key, f"not a raw item of this source: {error}")
            return
        try:
            yield from self._records(held, item.key)
        except (SourceMalformed, RecordInvalid) as error:
            yield Problem(item.key, error.message, error.where, error.hint)

    def _records(self, held: CrateItem, key: str) -> Iterator[Record | Problem]:
        crate = open_crate(held.content)
        provenance = Provenance(self.name, held.native, crate.address or held.path)
        study = study_of(crate, record_id(self.name, held.native), provenance)
        yield study
        yield from parts_of(crate, study, Place(held.base, held.remote))
        for place, reason in dict.fromkeys(crate.warnings):
            yield Problem(key, reason, place, severity="warning")


async def _local(root: Path, used: set[str]) -> AsyncIterator[Fetched]:
    """Yield the crates below a folder, or in one zip archive."""
    if await asyncio.to_thread(root.is_file):
        found = await asyncio.to_thread(_in_archive, FoundFile(root.name, root, 0))
        for one in found or [Found(root.name, error=SourceMalformed("holds no RO-Crate"))]:
            yield local_item(one, used)
        return
    if not await asyncio.to_thread(root.is_dir):
        raise SourceUnavailable(
            "there is no such folder", where=str(root), hint="set path of this source"
        )
    files = walk_tree(root, lambda name: is_metadata(name) or name.lower().endswith(".zip"))
    while batch := await asyncio.to_thread(_take, files, used):
        for item in batch:
            if item is not None:
                yield item


def _take(files: Iterator[FoundFile | Problem], used: set[str]) -> list[RawItem | Problem | None]:
    batch: list[RawItem | Problem | None] = []
    for file in files:
        if isinstance(file, Problem):
            batch.append(file)
        else:
            found = [_read(file)] if is_metadata(file.name) else _in_archive(file)
            batch += [local_item(one, used) for one in found] or [None]
        if len(batch) >= _BATCH:
            break
    return batch


def _read(file: FoundFile) -> Found:
    try:
        return Found(file.name, read_file(file, MAX_CRATE))
    except SourceError as error:
        return Found(file.name, error=SourceMalformed(error.message, where=error.where))


def _in_archive(file: FoundFile) -> list[Found]:
    try:
        return list(crates_in_zip(file.path, file.name))
    except SourceMalformed as error:
        return [Found(file.name, error=error)]
