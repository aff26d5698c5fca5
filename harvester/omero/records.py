"""Objects of an OMERO server as records: containers here, images in omero_images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harvester.omero.context import (
    READ,
    Context,
    access_of,
    counted,
    creators_of,
    day_of,
    kind_and_number,
    landing,
    membership,
    merged,
    object_or_empty,
    provenance_of,
    read_object,
    rest_of,
    shared_object,
)
from harvester.omero.curated import read_curated
from harvester.omero.images import read_image, read_well
from harvester.omero.items import Held, Part
from harvester.omero.notes import read_notes
from harvester.omero.options import OmeroOptions
from harvester.words.leaves import words
from parfocal.errors import SourceMalformed
from parfocal.model import Dataset, DatasetType, KeyValue, Link, Record

_CONTAINERS: Mapping[str, DatasetType] = {
    "project": "Project",
    "dataset": "Dataset",
    "screen": "Screen",
    "plate": "Plate",
}


def read_item(held: Held, source: str, options: OmeroOptions) -> Iterator[Record]:
    """Yield the records of an object; SourceMalformed when it is none."""
    body = read_object(held.body)
    if not isinstance(body.get("@id"), int):
        raise SourceMalformed("an object without an id")
    context = Context(source, options, held, body, shared_object(held.group))
    if held.kind == "image":
        part = held.parts[0] if held.parts else Part(body["@id"])
        yield read_image(context, merged(body, part.detail), part, read_notes(held.notes, held.web))
    elif held.kind == "well":
        yield from read_well(context)
    else:
        yield _container(context)


def _container(context: Context) -> Dataset:
    held, body = context.held, context.body
    said = read_notes(held.notes, held.web)
    pairs = (*said.pairs, *rest_of(body, READ), *_runs(held), *counted(said), *membership(context))
    known = read_curated(said.pairs)
    parents = [context.id(*kind_and_number(key)) for key in held.parents]
    return Dataset(
        id=context.id(held.kind, body["@id"]),
        ome_type=_CONTAINERS[held.kind],
        title=words(body.get("Name")) or f"{held.kind} {body['@id']}",
        description=words(body.get("Description")),
        part_of=parents[0] if parents else None,
        access=access_of(context),
        provenance=provenance_of(context, f"{held.kind}-{body['@id']}"),
        key_values=pairs,
        links=(*landing(held, held.kind, body["@id"]), *_also(held), *said.links),
        creators=creators_of(context),
        keywords=said.tags,
        licence=known.licence,
        date=known.date,
        identifiers=known.identifiers,
        publications=known.publications,
    )


def _also(held: Held) -> Iterator[Link]:
    """Yield links to the further containers that an object lies in."""
    for key in held.parents[1:]:
        kind, number = kind_and_number(key)
        label = f"also in {kind} {number}"
        yield Link(f"{held.web}webclient/?show={kind}-{number}", label, "other")


def _runs(held: Held) -> Iterator[KeyValue]:
    """Yield what a plate's runs say."""
    for body in held.runs:
        run = object_or_empty(body)
        name = words(run.get("Name")) or f"run {words(run.get('@id'))}"
        yield KeyValue("PlateAcquisition", name)
        for key in ("Description", "MaximumFieldCount"):
            if value := words(run.get(key)):
                yield KeyValue(f"PlateAcquisition.{key}", value)
        for key in ("StartTime", "EndTime"):
            if value := day_of(run.get(key)):
                yield KeyValue(f"PlateAcquisition.{key}", value)
