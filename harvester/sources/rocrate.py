"""Source ``rocrate``: a folder of RO-Crate metadata files, each of one study (GIDE profile).

A crate is read where it lies, detached from its data: nothing is fetched from the addresses in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import ClassVar

import msgspec
from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field

from harvester.crate_study import landing_name, open_crate, study_of
from harvester.crawl import FoundFile, read_file, walk_tree
from parfocal.errors import RecordInvalid, SourceError, SourceMalformed, SourceUnavailable
from parfocal.identifiers import record_id
from parfocal.interfaces import Walk
from parfocal.model import Provenance, Record
from parfocal.values import Fetched, Problem, RawItem

SUFFIX = "ro-crate-metadata.json"
MAX_CRATE = 32 * 1024 * 1024


class CrateOptions(BaseModel):
    """Settings of a ``rocrate`` source."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path = Field(description="Folder with files that end in ro-crate-metadata.json.")


class CrateItem(Struct, frozen=True):
    """A crate as it lies in the folder, and the native id that it got."""

    path: str
    native: str
    content: bytes


_decoder: msgspec.msgpack.Decoder[CrateItem] = msgspec.msgpack.Decoder(CrateItem)


def _stem(path: str) -> str:
    """A crate's path without the part that all crates have: its folder's or its own name."""
    return path.removesuffix(SUFFIX).rstrip("/-._") or "crate"


def _read(file: FoundFile, used: set[str]) -> RawItem | Problem:
    try:
        content = read_file(file, MAX_CRATE)
        native = landing_name(open_crate(content))
    except SourceError as error:
        where = "" if error.where == file.name else error.where
        return Problem(file.name, error.message, where, error.hint)
    if not native or native in used:
        native = _stem(file.name)
    used.add(native)
    item = CrateItem(file.name, native, content)
    return RawItem(file.name, msgspec.msgpack.encode(item))


class StudyCrates:
    """Studies from RO-Crate metadata files."""

    Options: ClassVar[type[CrateOptions]] = CrateOptions

    def __init__(self, name: str, options: CrateOptions) -> None:
        self.name = name
        self.options = options

    async def fetch(self, walk: Walk) -> AsyncIterator[Fetched]:
        """Yield all crates by name; a walk always begins anew, as names depend on those before."""
        root = self.options.path
        if not await asyncio.to_thread(root.is_dir):
            raise SourceUnavailable(
                "there is no such folder", where=str(root), hint="set path of this source"
            )
        found = walk_tree(root, lambda name: name.endswith(SUFFIX))
        used: set[str] = set()
        while batch := await asyncio.to_thread(_take, found, used):
            for item in batch:
                yield item

    def normalise(self, item: RawItem) -> Iterable[Record | Problem]:
        """Yield the study that a crate describes, or why it cannot be read."""
        try:
            held = _decoder.decode(item.content)
        except (msgspec.DecodeError, RecursionError) as error:
            yield Problem(item.key, f"not a raw item of this source: {error}")
            return
        try:
            crate = open_crate(held.content)
            provenance = Provenance(
                source=self.name, native_id=held.native, url=crate.address or held.path
            )
            yield study_of(crate, record_id(self.name, held.native), provenance)
        except (SourceMalformed, RecordInvalid) as error:
            yield Problem(item.key, error.message, error.where, error.hint)
            return
        for place, reason in crate.warnings:
            yield Problem(item.key, reason, place, severity="warning")


def _take(found: Iterator[FoundFile | Problem], used: set[str]) -> list[RawItem | Problem]:
    batch: list[RawItem | Problem] = []
    for file in found:
        batch.append(file if isinstance(file, Problem) else _read(file, used))
        if len(batch) >= 32:
            break
    return batch
