"""The source ``biostudies``: a collection of the BioStudies archive, as the BioImage Archive is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import ClassVar

import msgspec

from harvester.asking.ahead import in_order
from harvester.asking.http import Http
from harvester.biostudies.items import (
    FilesItem,
    PartItem,
    StudyItem,
    decode_item,
)
from harvester.biostudies.options import BioStudiesOptions
from harvester.biostudies.records import read_files, read_part, read_study
from harvester.biostudies.search import hits_of, listed
from harvester.biostudies.study import StudyReader
from parfocal.errors import RecordInvalid, SourceMalformed
from parfocal.interfaces import Walk
from parfocal.model import Record
from parfocal.values import Fetched, Problem, RawItem


class BioStudies:
    """Studies of a BioStudies collection, their components and images."""

    Options: ClassVar[type[BioStudiesOptions]] = BioStudiesOptions

    def __init__(self, name: str, options: BioStudiesOptions) -> None:
        self.name = name
        self.options = options

    async def fetch(self, walk: Walk) -> AsyncIterator[Fetched]:
        """Yield each study and its files; one that is as it was is not read again.

        Raises SourceError when the search fails, or many studies in a row cannot be read.
        """
        async with Http(self.options, walk) as http:
            reader = StudyReader(http, self.options, walk)
            try:
                async for found in self._walk(http, reader, walk.cursor):
                    yield found
            finally:
                reader.close()

    async def _walk(self, http: Http, reader: StudyReader, cursor: str) -> AsyncIterator[Fetched]:
        over = (
            listed(self.options.accessions, cursor)
            if self.options.accessions
            else hits_of(http, self.options, cursor)
        )
        async for bundle in in_order(reader, over, self.options.concurrency):
            for found in bundle.fetched():
                yield found
            reader.close(bundle)

    def normalise(self, item: RawItem) -> Iterable[Record | Problem]:
        """Yield a study, its components and images, or images of a file list."""
        try:
            held = decode_item(item.content)
            if isinstance(held, StudyItem):
                yield from read_study(held, self.name, item.key)
            elif isinstance(held, PartItem):
                yield from read_part(held, self.name, item.key)
            elif isinstance(held, FilesItem):
                yield from read_files(held, self.name, item.key)
        except (msgspec.DecodeError, RecursionError) as error:
            yield Problem(item.key, f"not a raw item of this source: {error}")
        except (SourceMalformed, RecordInvalid) as error:
            yield Problem(item.key, error.message, error.where, error.hint)
