"""Source ``s3``: OME-Zarr and OME-TIFF in a bucket of any S3 service, or in a list of addresses.

Only metadata are read: the JSON documents of Zarr groups, and ranges with the header and OME-XML of
TIFF files. Nothing below a Zarr group is listed. Stamps are ETags, so that an unchanged object is
not read again. Folders become studies and containers as those of the source ``local`` do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import ClassVar

from harvester.asking.http import Http
from harvester.s3.bucket import Bucket
from harvester.s3.list_walk import ListWalk
from harvester.s3.options import S3Options
from harvester.s3.records import RemoteMaker
from harvester.s3.walk import BucketWalk
from parfocal.errors import RecordInvalid, SourceError
from parfocal.interfaces import Walk
from parfocal.model import Record
from parfocal.values import Fetched, Problem, RawItem


class S3Images:
    """Images in object stores."""

    Options: ClassVar[type[S3Options]] = S3Options

    def __init__(self, name: str, options: S3Options) -> None:
        self.name = name
        self.options = options
        self._maker = RemoteMaker(name, options)

    async def fetch(self, walk: Walk) -> AsyncIterator[Fetched]:
        """Walk the bucket in the order of keys, or the lists; resumes after every image."""
        if self.options.bucket:
            async with Bucket(self.options, walk) as bucket:
                async for one in BucketWalk(self.options, bucket, walk).items():
                    yield one
        else:
            async with Http(self.options, walk) as http:
                async for one in ListWalk(self.options, http, walk).items():
                    yield one

    def normalise(self, item: RawItem) -> Iterable[Record | Problem]:
        """Yield the records of a file, OME-Zarr group, folder or list."""
        try:
            yield from self._maker.records(item)
        except (SourceError, RecordInvalid) as error:
            yield Problem(item.key, error.message, error.where, error.hint)
