"""Source ``invenio``: Zenodo and every other InvenioRDM, over its REST interface.

The first walk reads everything; later ones what changed since, and compare the number of records
with what it must be then. Where that does not fit, something is gone: the archive's table of
deleted records is asked, and if that does not explain it, everything is listed again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import date
from typing import ClassVar

import msgspec

from harvester.asking.http import Http
from harvester.repositories.datacite_record import study_of
from harvester.repositories.invenio_options import InvenioOptions
from harvester.repositories.invenio_walk import Held, InvenioWalk
from harvester.repositories.rdm_files import access_of, files_of, listed_files, thumbnail_of
from harvester.repositories.rdm_record import attributes_of
from harvester.repositories.repository_files import images_of, other_files
from harvester.words.leaves import Json, child, entries, objects, words
from parfocal.errors import RecordInvalid
from parfocal.identifiers import record_id
from parfocal.interfaces import Walk
from parfocal.model import Dataset, Provenance, Record
from parfocal.values import Fetched, Problem, RawItem, Unchanged

_held = msgspec.msgpack.Decoder(Held)


class InvenioRecords:
    """Data sets of one InvenioRDM."""

    Options: ClassVar[type[InvenioOptions]] = InvenioOptions

    def __init__(self, name: str, options: InvenioOptions) -> None:
        self.name = name
        self.options = options

    # -------------------------------------------------------------- walks

    async def fetch(self, walk: Walk) -> AsyncIterator[Fetched]:
        """Walk everything, or only what changed when the last walk left a mark."""
        async with Http(self.options, walk) as http:
            round_ = await InvenioWalk.begin(self.name, self.options, http, walk)
            async for found in round_.run():
                yield found

    async def fetch_since(self, since: date, walk: Walk) -> AsyncIterator[Fetched]:
        """Walk what changed on a day or later."""
        async with Http(self.options, walk) as http:
            round_ = await InvenioWalk.begin(self.name, self.options, http, walk)
            async for found in round_.since(since.isoformat()):
                yield found
            yield Unchanged("", below=True)

    # -------------------------------------------------------------- records

    def normalise(self, item: RawItem) -> Iterable[Record | Problem]:
        """Yield the study that a record describes and the images among its files."""
        try:
            held = _held.decode(item.content)
            record = msgspec.json.decode(held.record)
            files = msgspec.json.decode(held.files) if held.files else None
            if not isinstance(record, dict):
                raise msgspec.DecodeError("a record is an object")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            yield Problem(item.key, f"not a raw item of this source: {error}")
            return
        try:
            yield from self._records(item.key, record, files)
        except RecordInvalid as error:
            yield Problem(item.key, error.message, error.where, error.hint)

    def _records(self, key: str, record: Json, asked: object) -> Iterator[Record | Problem]:
        group = self.options.group or self.name
        listed = listed_files(record) if asked is None else _entries(asked)
        files = list(files_of(record, listed or [], access_of(record, group, "files")))
        attributes = attributes_of(record)
        provenance = Provenance(
            source=self.name, native_id=key, url=words(child(record, "links", "self_html"))
        )
        identifier = record_id(self.name, key)
        study: Dataset = study_of(attributes, identifier, provenance, access_of(record, group))
        pairs = (*study.key_values, *other_files(files))
        study = msgspec.structs.replace(
            study, key_values=tuple(dict.fromkeys(pairs)), thumbnail=thumbnail_of(record)
        )
        yield study
        yield from images_of(study, files, key)


def _entries(asked: object) -> list[Json]:
    held = child(asked, "entries") if isinstance(asked, dict) else asked
    if isinstance(held, dict):
        held = [{"key": name, **one} for name, one in held.items() if isinstance(one, dict)]
    return objects(entries(held))
