"""The source ``ssbd``: projects and data sets of SSBD from its RDF."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import ClassVar, Self

import msgspec
from pydantic import Field, model_validator

from harvester.asking.answers import Answer, unless
from harvester.asking.http import Http
from harvester.asking.http_options import HttpOptions
from harvester.formats.crawl import FoundFile, read_file, unzip, walk_tree
from harvester.ssbd.graph import Graph, Piece
from harvester.ssbd.records import read_piece
from parfocal.errors import (
    RecordInvalid,
    SourceMalformed,
    SourceRefused,
    SourceUnavailable,
)
from parfocal.interfaces import Walk
from parfocal.model import Record
from parfocal.values import Fetched, Mark, Problem, RawItem, Unchanged

_SUFFIXES = (".ttl", ".nt", ".rdf", ".owl", ".jsonld", ".ttl.gz", ".nt.gz", ".rdf.gz", ".owl.gz")
_decoder: msgspec.msgpack.Decoder[Piece] = msgspec.msgpack.Decoder(Piece)


class SsbdOptions(HttpOptions):
    """Settings of an ``ssbd`` source."""

    url: str = Field("", description="Address of an RDF document of SSBD.")
    urls: tuple[str, ...] = Field((), description="Further such addresses; all are read together.")
    path: Path | None = Field(None, description="Folder of RDF documents, or one document.")

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not (self.url or self.urls or self.path):
            raise ValueError("path or url must be set")
        return self

    def homes(self) -> tuple[str, ...]:
        """Return all addresses that are given."""
        return tuple(filter(None, (self.url, *self.urls)))


class Ssbd:
    """Projects and data sets of SSBD."""

    Options: ClassVar[type[SsbdOptions]] = SsbdOptions

    def __init__(self, name: str, options: SsbdOptions) -> None:
        self.name = name
        self.options = options

    async def fetch(self, walk: Walk) -> AsyncIterator[Fetched]:
        """Yield the projects, each with its data sets; nothing when no document has changed.

        The documents belong together: when one cannot be read, SourceError ends the walk.
        """
        files = await asyncio.to_thread(self._files)
        stamps = {file.name: _file_stamp(file) for file in files}
        answers = await self._documents(walk, stamps)
        mark = json.dumps(stamps, sort_keys=True)
        if answers is None and walk.mark == mark:
            yield Unchanged("", below=True)
            yield Mark(mark)
            return
        graph = Graph()
        for file in files:
            graph.add(file.name, await asyncio.to_thread(_content, file, self._limit))
        for answer in answers or ():
            plain = _plain(answer.content, answer.url, self._limit)
            await asyncio.to_thread(graph.add, answer.url, plain)
        done = walk.cursor
        empty = True
        for piece in graph.pieces():
            empty = False
            key = f"projects/{piece.native}"
            if done:
                done = "" if key == done else done
                continue
            yield RawItem(key, msgspec.msgpack.encode(piece), key)
        if empty:
            raise SourceMalformed("the documents hold no project and no data set of SSBD")
        if all(stamps.values()):
            yield Mark(mark)

    @property
    def _limit(self) -> int:
        return self.options.max_mb * 1024 * 1024

    def _files(self) -> list[FoundFile]:
        path = self.options.path
        if path is None:
            return []
        if path.is_file():
            return [FoundFile(path.name, path, path.stat().st_size)]
        if not path.is_dir():
            raise SourceUnavailable(
                "there is no such folder", where=str(path), hint="set path of this source"
            )
        found = list(walk_tree(path, lambda name: name.lower().endswith(_SUFFIXES)))
        for one in found:
            if isinstance(one, Problem):
                raise SourceRefused(one.reason, where=one.item, hint=one.hint)
        return [one for one in found if isinstance(one, FoundFile)]

    async def _documents(self, walk: Walk, stamps: dict[str, str]) -> list[Answer] | None:
        """Return the documents on the web, and their stamps; None when none of them changed."""
        addresses = self.options.homes()
        if not addresses:
            return None
        known = _known(walk.mark) if not walk.cursor else {}
        async with Http(self.options, walk) as http:
            first = [await _ask(http, address, known.get(address, "")) for address in addresses]
            same = all(answer.status == 304 for answer in first)
            for address, answer in zip(addresses, first, strict=True):
                stamps[address] = known[address] if answer.status == 304 else answer.stamp
            if same:
                return None
            return [
                answer if answer.status == 200 else await _ask(http, address, "")
                for address, answer in zip(addresses, first, strict=True)
            ]

    def normalise(self, item: RawItem) -> Iterable[Record | Problem]:
        """Yield a project, or a data set with its images."""
        try:
            yield from read_piece(_decoder.decode(item.content), self.name)
        except (msgspec.DecodeError, RecursionError) as error:
            yield Problem(item.key, f"not a raw item of this source: {error}")
        except (SourceMalformed, RecordInvalid) as error:
            yield Problem(item.key, error.message, error.where, error.hint)


async def _ask(http: Http, address: str, stamp: str) -> Answer:
    return await http.get(address, headers=unless(stamp), expect=(200, 304), check=_check)


def _check(answer: Answer) -> None:
    """A web page is a mistake of the server that may pass; so is RDF that is cut off."""
    if answer.status == 200:
        if answer.content[:200].lstrip().lower().startswith((b"<!doctype html", b"<html")):
            raise SourceMalformed("is a web page, no RDF", where=answer.url)
        if answer.content[:2] != b"\x1f\x8b":
            Graph().add(answer.url, answer.content)


def _known(mark: str) -> dict[str, str]:
    try:
        held = json.loads(mark) if mark else {}
    except ValueError:
        return {}
    return {str(k): str(v) for k, v in held.items()} if isinstance(held, dict) else {}


def _file_stamp(file: FoundFile) -> str:
    try:
        facts = file.path.stat()
    except OSError as error:
        raise SourceRefused("cannot be read", where=file.name) from error
    return f"{facts.st_size}:{facts.st_mtime_ns}"


def _content(file: FoundFile, limit: int) -> bytes:
    return _plain(read_file(file, limit), file.name, limit)


def _plain(content: bytes, name: str, limit: int) -> bytes:
    return unzip(content, name, limit) if content[:2] == b"\x1f\x8b" else content
