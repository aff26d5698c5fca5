"""Turns the raw items of a folder of images into records; pure."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from harvester.formats import hdf5_records, metaseries, ngff, omexml, tiff_facts
from harvester.formats.omexml import OmeDocument
from harvester.formats.plate_records import Field, plate_facts
from harvester.formats.sidecar import DatasetFacts
from harvester.formats.tiff import TiffHeader
from harvester.formats.zarr_crate import with_crate
from harvester.lab.items import (
    ContainerItem,
    FieldItem,
    FileItem,
    GroupItem,
    Hdf5Item,
    Item,
    Place,
    PlateItem,
    ScreenedItem,
    StudyItem,
    UnreadItem,
    damage_of,
)
from harvester.lab.kinds import format_of
from harvester.words.facts import ImageFacts, make_image
from parfocal.errors import SourceMalformed
from parfocal.identifiers import RecordId, record_id
from parfocal.model import Access, Dataset, Image, KeyValue, Provenance, Record
from parfocal.values import Problem


class Maker:
    """Makes the records of one source."""

    def __init__(self, source: str) -> None:
        self.source = source

    def records(self, item: Item) -> Iterator[Record | Problem]:
        """Yield the records of one raw item, parents first."""
        if isinstance(item, StudyItem):
            yield self._study(item)
        elif isinstance(item, ContainerItem):
            yield self._container(item.native, item.title, item.place, path=item.path)
        elif isinstance(item, FileItem):
            yield from self._file(item)
        elif isinstance(item, PlateItem):
            yield from with_crate([self._plate(item)], item.plate.documents, item.plate.path)
        elif isinstance(item, GroupItem):
            yield from with_crate(self._group(item), item.group.documents, item.group.path)
        else:
            yield from self._other(item)

    def _other(self, item: Item) -> Iterator[Record | Problem]:
        if isinstance(item, ScreenedItem):
            yield from self._screened(item)
        elif isinstance(item, FieldItem):
            yield from self._field(item)
        elif isinstance(item, Hdf5Item):
            yield from self._hdf5(item)
        elif isinstance(item, UnreadItem):
            yield self._unread(item)

    def _id(self, native: str) -> RecordId:
        return record_id(self.source, native)

    def _provenance(self, native: str, path: str) -> Provenance:
        return Provenance(source=self.source, native_id=native, url=path)

    def _study(self, item: StudyItem) -> Dataset:
        facts = item.dataset or DatasetFacts()
        return Dataset(
            id=self._id(item.native),
            ome_type="Study",
            title=facts.title or item.title,
            description=facts.description,
            access=Access(groups=item.access),
            provenance=self._provenance(item.native, item.path or item.native),
            key_values=facts.pairs,
            date=facts.date,
            licence=facts.licence,
            creators=facts.authors,
            identifiers=(f"doi:{facts.doi}",) if facts.doi else (),
            publisher=facts.publisher,
            publications=facts.publications,
            keywords=facts.keywords,
            funding=facts.funding,
        )

    def _container(
        self,
        native: str,
        title: str,
        place: Place,
        *,
        pairs: tuple[KeyValue, ...] = (),
        kind: str = "Dataset",
        description: str = "",
        path: str = "",
    ) -> Dataset:
        return Dataset(
            id=self._id(native),
            ome_type=kind,  # type: ignore[arg-type]
            title=title,
            description=description,
            part_of=self._id(place.parent),
            access=Access(groups=place.access),
            provenance=self._provenance(native, path or native.partition("#")[0]),
            key_values=(*pairs, *place.pairs),
        )

    def _image(
        self, facts: ImageFacts, native: str, path: str, place: Place, location: str
    ) -> Image:
        title = facts.title or path.rpartition("/")[2]
        full = replace(facts, title=title, key_values=(*facts.key_values, *place.pairs))
        return make_image(
            full,
            id=self._id(native),
            part_of=self._id(place.parent),
            provenance=self._provenance(native, path),
            access=Access(groups=place.access),
            location=location,
        )

    # -------------------------------------------------------------- plates, HDF5, unread files

    def _screened(self, item: ScreenedItem) -> Iterator[Record | Problem]:
        yield from item.problems
        text, pairs = plate_facts(item)
        yield self._container(
            item.native, item.title, item.place, pairs=pairs, kind="Plate", description=text,
            path=item.path,
        )  # fmt: skip

    def _field(self, item: FieldItem) -> Iterator[Record | Problem]:
        yield from item.problems
        facts = Field(item).facts()
        native = f"{item.plate}#{item.path.rpartition('#')[2]}"
        location = f"{item.folder}/{item.files[0]}" if item.folder else item.files[0]
        yield self._image(facts, native, location, replace(item.place, parent=item.plate), location)

    def _hdf5(self, item: Hdf5Item) -> Iterator[Record | Problem]:
        for warning in item.document.warnings:
            yield Problem(item.path, warning, severity="warning")
        native, place = item.native or item.path, item.place
        pictures = hdf5_records.pictures_of(item.document)
        pairs = (*hdf5_records.pairs_of(item.document), _size_pair(item.size))
        if len(pictures) > 1:
            title = item.path.rpartition("/")[2]
            yield self._container(native, title, place, pairs=pairs, path=item.path)
            place, pairs = replace(place, parent=native), ()
        for picture in pictures:
            name = f"{native}#{picture.path}" if picture.path else native
            facts = replace(picture.facts, key_values=pairs)
            yield self._image(facts, name, item.path, place, item.path)

    def _unread(self, item: UnreadItem) -> Image:
        facts = ImageFacts(format=format_of(item.path), key_values=(_size_pair(item.size),))
        native = item.native or item.path
        return self._image(facts, native, item.path, item.place, item.path)

    # -------------------------------------------------------------- TIFF and OME-XML

    def _file(self, item: FileItem) -> Iterator[Record | Problem]:
        if item.header is not None and item.header.damage:
            yield damage_of(item.path, item.header)
        companion = omexml.metadata_file(item.xml) if item.xml else ""
        if item.header is not None and (not item.xml or companion):
            if companion:
                reason = f"the metadata file {companion[:200]!r} is not there"
                yield Problem(item.path, reason, severity="warning")
            facts = _tagged_facts(item.header)
            native = item.native or item.path
            yield self._image(facts, native, item.path, item.place, item.location)
            return
        yield from self._ome(item)

    def _ome(self, item: FileItem) -> Iterator[Record | Problem]:
        try:
            document = omexml.read_document(item.xml)
        except SourceMalformed as error:
            yield Problem(item.path, error.message, error.where, error.hint)
            return
        for warning in document.warnings:
            yield Problem(item.path, warning, severity="warning")
        invalid = omexml.validate(item.xml)
        if invalid:
            yield Problem(item.path, f"ome-types: {invalid}", severity="warning")
        if not document.images and not document.plates:
            yield Problem(item.path, "the OME-XML holds no image", severity="warning")
        yield from self._ome_records(item, document)

    def _ome_records(self, item: FileItem, document: OmeDocument) -> Iterator[Record]:
        own = item.native or item.path
        screens, plates, wells = {}, {}, {}
        for number, (screen, pairs) in enumerate(document.screens):
            native = f"{own}#screen{number}"
            screens.update(dict.fromkeys(screen.plates, native))
            screens[screen.id] = native
            yield self._container(
                native, screen.name, item.place, pairs=pairs, kind="Screen",
                description=screen.description, path=item.path,
            )  # fmt: skip
        for number, found in enumerate(document.plates):
            plate, native = found.plate, f"{own}#plate{number}"
            above = [screens[s] for s in (*plate.screens, plate.id) if s in screens]
            place = replace(item.place, parent=(above or [item.place.parent])[0])
            yield self._container(
                native, plate.name, place, pairs=found.pairs, kind="Plate",
                description=plate.description, path=item.path,
            )  # fmt: skip
            for well in plate.wells:
                for image in well.images:
                    wells[image] = (plate.name, well.name, found.well_pairs[well.name])
                    plates[image] = native
        for number, (identifier, facts) in enumerate(document.images):
            place = replace(item.place, parent=plates.get(identifier, item.place.parent))
            native = f"{own}#{number}" if number else own
            plate_name, well_name, pairs = wells.get(identifier, ("", "", ()))
            if item.header is not None:
                facts = facts.or_else(_header_facts(item, alone=len(document.images) == 1))
            facts = replace(
                facts,
                plate=plate_name,
                well=well_name,
                key_values=(*facts.key_values, *pairs),
                format="OME-TIFF" if item.header is not None else "OME-XML",
            )
            yield self._image(facts, native, item.path, place, item.location)

    # -------------------------------------------------------------- OME-Zarr

    def _plate(self, item: PlateItem) -> Dataset:
        path, native = item.plate.path, item.native or item.plate.path
        attributes = ngff.documents_of(item.plate.documents, "")
        facts = ngff.read_plate(attributes, path.rpartition("/")[2])
        return self._container(
            native, facts.name, item.place, pairs=facts.pairs, kind="Plate", path=path
        )

    def _group(self, item: GroupItem) -> Iterator[Record | Problem]:
        group, place, own = item.group, item.place, item.native or item.group.path
        if group.plate:
            place = replace(place, parent=item.plate or group.plate_path)
        if len(group.images) > 1:
            title = group.path.rpartition("/")[2]
            yield self._container(own, title, replace(place, pairs=()), path=group.path)
            place = replace(place, parent=own)
        described, problem = _series_facts(group.xml)
        if problem:
            where = f"{group.path}/OME/METADATA.ome.xml"
            yield Problem(where, problem, severity="warning")
        for number, path in enumerate(group.images):
            where = f"{group.path}/{path}" if path else group.path
            native = f"{own}/{path}" if path else own
            try:
                facts = ngff.image_of(group.documents, path)
            except SourceMalformed as error:
                yield Problem(where, error.message, error.where, error.hint)
                continue
            if number < len(described):
                facts = facts.or_else(described[number])
            facts = replace(facts, well=group.well, plate=group.plate)
            if facts.size_x is None or facts.size_y is None:
                reason = "no size along x and y: axes and array do not fit, or the array is missing"
                yield Problem(where, reason, severity="warning")
            yield self._image(facts, native, where, place, where)


def _size_pair(size: int) -> KeyValue:
    return KeyValue("File size", f"{size} bytes")


def _tagged_facts(header: TiffHeader) -> ImageFacts:
    """What a TIFF file without OME-XML says: MetaSeries, ImageJ, or its plain tags."""
    if not metaseries.is_metaseries(header.software, header.description):
        return tiff_facts.facts_of(header)
    plane = metaseries.read_plane(header.description)
    facts = metaseries.facts_of(plane)
    return replace(facts, key_values=metaseries.pairs_of(plane)).or_else(
        tiff_facts.facts_of(replace(header, description=b""))
    )


def _header_facts(item: FileItem, *, alone: bool) -> ImageFacts:
    """What the TIFF tags add where OME-XML is silent: sizes only if there is one image."""
    if item.header is None or not alone:
        return ImageFacts()
    facts = tiff_facts.facts_of(item.header)
    return ImageFacts(size_x=facts.size_x, size_y=facts.size_y, pixel_type=facts.pixel_type)


def _series_facts(xml: bytes) -> tuple[list[ImageFacts], str]:
    """What a collection's OME-XML says of each image, in order; or why it cannot be read."""
    if not xml:
        return [], ""
    try:
        document = omexml.read_document(xml)
    except SourceMalformed as error:
        return [], str(error)
    return [facts for _, facts in document.images], ""
