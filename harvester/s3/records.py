"""Turns the raw items of object stores and lists of Zarr addresses into records; pure."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from msgspec.structs import replace

from harvester.formats.zarr_crate import claims_of, with_study
from harvester.lab import items as lab_items
from harvester.lab.items import ContainerItem, GroupItem, Item, PlateItem, StudyItem
from harvester.lab.records import Maker
from harvester.s3.items import unpack
from harvester.s3.options import S3Options
from harvester.words.licences import spdx
from parfocal.model import Annotation, Dataset, Image, KeyValue, Link, Record
from parfocal.values import Problem, RawItem

VIZARR = "https://hms-dbmi.github.io/vizarr/?source="
VALIDATOR = "https://ome.github.io/ome-ngff-validator/?source="
_ROOT_MARK = "#files"
_ROW_TERMS = {
    "organismid": ("organism", "Organism"),
    "fbbiid": ("imaging_method", "Imaging Method"),
}
_ROW_FIELDS = frozenset({"name", "description", "license", "licence", "origin"})


class RemoteMaker:
    """Makes the records of one source."""

    def __init__(self, source: str, options: S3Options) -> None:
        self._maker = Maker(source)
        self._options = options
        self._bucket = options.bucket_address() if options.bucket else ""

    def records(self, raw: RawItem) -> Iterator[Record | Problem]:
        """Yield the records of one raw item, parents first."""
        held = unpack(raw)
        if not held.lab:
            return
        item = lab_items.unpack(RawItem(raw.key, held.lab))
        for made in self._maker.records(item):
            if isinstance(made, Problem):
                yield made
                continue
            placed = self._placed(made, item, held.root)
            if held.row and _is_whole(placed, item):
                placed = with_study(placed, _study_of_row(placed, held.row))
            yield placed

    # ------------------------------------------------------------------ addresses

    def _placed(self, record: Record, item: Item, root: str) -> Record:
        """The record with addresses instead of paths, and links to them."""
        path = record.location if isinstance(record, Image) else record.provenance.url
        path = "" if path.endswith(_ROOT_MARK) else path
        web = root + quote(path, safe="/~:") if root else f"{self._bucket}/{quote(path, safe='/~')}"
        place = web if root else f"s3://{self._options.bucket}/{path}"
        is_folder = isinstance(item, StudyItem | ContainerItem)
        if is_folder:
            place = path if root else place.rstrip("/") + "/"
        provenance = replace(record.provenance, url=place)
        made = replace(record, provenance=provenance)
        if isinstance(made, Image):
            made = replace(made, location=place)
        if is_folder:
            return made
        return replace(made, links=(*made.links, *self._links(web, item)))

    def _links(self, web: str, item: Item) -> Iterator[Link]:
        yield Link(web, "Data", "data")
        if isinstance(item, GroupItem | PlateItem) and self._options.access_key is None:
            source = quote(web, safe="/:~")
            yield Link(VIZARR + source, "Vizarr", "viewer")
            yield Link(VALIDATOR + source, "OME-NGFF validator", "viewer")


def _is_whole(record: Record, item: Item) -> bool:
    """Whether a record stands for all of a group, and not for one image of a collection."""
    if isinstance(item, StudyItem) or not isinstance(item, GroupItem):
        return True
    return len(item.group.images) == 1 or isinstance(record, Dataset)


# ------------------------------------------------------------------ rows of lists


def _study_of_row(record: Record, row: tuple[tuple[str, str], ...]) -> Dataset:
    """What a row of a list says, as a study: known columns as fields, others as key-values."""
    columns = {key.strip().lower(): value for key, value in reversed(row)}
    pairs: list[KeyValue] = []
    claims: list[Annotation] = []
    for key, value in row:
        known = _ROW_TERMS.get(key.strip().lower())
        if known:
            pair, more = claims_of(*known, value, by="list")
            pairs.append(pair)
            claims += more
        elif key.strip().lower() not in _ROW_FIELDS:
            pairs.append(KeyValue(key, value))
    origin = columns.get("origin", "")
    links = (Link(origin, "Origin"),) if origin.startswith(("http:", "https:")) else ()
    if origin and not links:
        pairs.append(KeyValue("origin", origin))
    licence = columns.get("license") or columns.get("licence", "")
    return Dataset(
        id=record.id,
        title=columns.get("name", ""),
        description=columns.get("description", ""),
        provenance=record.provenance,
        key_values=tuple(pairs),
        annotations=tuple(claims),
        links=links,
        licence=spdx(licence) if licence else "",
    )
