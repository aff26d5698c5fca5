"""Source ``oai-pmh``: any provider of OAI-PMH 2.0, in Dublin Core, DataCite's format or DCAT.

The first walk lists all records; later ones list what changed since the day or second before the
last one began, by the provider's own clock. Where the provider does not keep headers of deleted
records, its identifiers are then listed as well, and what is missing there is gone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import date
from typing import ClassVar

import msgspec
from lxml import etree

from harvester.asking.http import Http
from harvester.formats.elements import Element, child, name_of
from harvester.formats.xml_reading import parse_xml
from harvester.repositories import datacite_xml, dublin_core
from harvester.repositories.datacite_record import study_of
from harvester.repositories.dcat_record import read_dcat
from harvester.repositories.oai_walk import Held, OaiOptions, OaiWalk
from harvester.repositories.repository_files import RepositoryFile, images_of, other_files
from harvester.words.dois import identifier
from harvester.words.leaves import Json
from parfocal.errors import RecordInvalid, SourceMalformed
from parfocal.identifiers import record_id
from parfocal.interfaces import Walk
from parfocal.model import KeyValue, Provenance, Record
from parfocal.values import Fetched, Problem, RawItem, Unchanged

_RESTARTS = 5
_REMEMBERED = 200_000


_held = msgspec.msgpack.Decoder(Held)


class OaiRecords:
    """Records of one provider."""

    Options: ClassVar[type[OaiOptions]] = OaiOptions

    def __init__(self, name: str, options: OaiOptions) -> None:
        self.name = name
        self.options = options

    async def fetch(self, walk: Walk) -> AsyncIterator[Fetched]:
        """Walk all records, or only what changed when the last walk left a mark."""
        async with Http(self.options, walk) as http:
            async for found in OaiWalk(self.name, self.options, http, walk).run():
                yield found

    async def fetch_since(self, since: date, walk: Walk) -> AsyncIterator[Fetched]:
        """Walk what the provider says was changed on a day or later."""
        async with Http(self.options, walk) as http:
            async for found in OaiWalk(self.name, self.options, http, walk).since(
                since.isoformat()
            ):
                yield found
        yield Unchanged("", below=True)

    def normalise(self, item: RawItem) -> Iterable[Record | Problem]:
        """Yield the study that a record describes, and images where its format names files."""
        try:
            held = _held.decode(item.content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            yield Problem(item.key, f"not a raw item of this source: {error}")
            return
        try:
            if held.broken:
                raise SourceMalformed(f"the record is broken: {held.broken}")
            yield from self._records(item.key, held)
        except (SourceMalformed, RecordInvalid) as error:
            yield Problem(item.key, error.message, error.where, error.hint)

    def _records(self, key: str, held: Held) -> Iterator[Record | Problem]:
        attributes, files, more = read_record(parse_xml(held.xml))
        provenance = Provenance(self.name, key, self.options.url)
        study = study_of(attributes, record_id(self.name, key), provenance)
        pairs = (
            *study.key_values, *more, *other_files(files),
            *(KeyValue("setSpec", one) for one in held.sets),
        )  # fmt: skip
        yield msgspec.structs.replace(
            study,
            key_values=tuple(dict.fromkeys(pairs)),
            identifiers=tuple(dict.fromkeys((*study.identifiers, identifier(key)))),
        )
        yield from images_of(study, files, key)


def read_record(record: Element) -> tuple[Json, tuple[RepositoryFile, ...], tuple[KeyValue, ...]]:
    """Return a record's attributes, files and further key-values, whatever its format is."""
    metadata = child(record, "metadata")
    inner = next((one for one in metadata if name_of(one)), None) if metadata is not None else None
    if inner is None:
        raise SourceMalformed("the record has no metadata")
    resource = datacite_xml.find_resource(inner)
    if resource is not None:
        return datacite_xml.attributes_of(resource), (), ()
    if name_of(inner) == "RDF":
        described = read_dcat(etree.tostring(inner, with_tail=False))
        return described.attributes, described.files, described.pairs
    if dublin_core.is_dublin_core(inner):
        return dublin_core.attributes_of(inner), (), ()
    hint = "set format of this source; Dublin Core, DataCite and DCAT can be read"
    raise SourceMalformed(f"metadata in the unknown form {name_of(inner)}", hint=hint)
