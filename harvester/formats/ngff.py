"""What the JSON documents of an OME-Zarr group say: images, plates, wells, labels; 0.4 to 0.6.

Everything here is pure; :mod:`harvester.formats.zarr_tree` reads the documents.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from harvester.formats.plates import well_name
from harvester.words.facts import ImageFacts, quantity, size
from parfocal.errors import SourceMalformed
from parfocal.model import Channel, KeyValue, Quantity

Json = dict[str, Any]
MAX_CHANNELS = 1000
_PIXEL_TYPES = {
    "b1": "bit",
    "bool": "bit",
    "i1": "int8",
    "u1": "uint8",
    "i2": "int16",
    "u2": "uint16",
    "i4": "int32",
    "u4": "uint32",
    "f4": "float",
    "float32": "float",
    "f8": "double",
    "float64": "double",
    "c8": "complex",
    "complex64": "complex",
    "c16": "double-complex",
    "complex128": "double-complex",
}


class PlateWell(Struct, frozen=True):
    """A well of a plate: its path within the group and its usual name."""

    path: str
    name: str


class PlateFacts(Struct, frozen=True):
    """What a plate group says."""

    name: str
    wells: tuple[PlateWell, ...]
    pairs: tuple[KeyValue, ...] = ()


def parse(content: bytes, where: str) -> Json:
    """Read a JSON object; SourceMalformed says what is wrong with it."""
    try:
        value = _decoded(content)
    except ValueError as error:
        raise SourceMalformed(f"not JSON: {error}", where=where) from error
    except RecursionError as error:
        raise SourceMalformed("JSON nested too deeply", where=where) from error
    if not isinstance(value, dict):
        raise SourceMalformed("not a JSON object", where=where)
    return value


def _decoded(content: bytes) -> object:
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError):
        return json.loads(content)  # takes NaN, and says what is wrong


def objects(value: object) -> list[Json]:
    """Return the JSON objects of a list; [] for anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def mapping(value: object) -> Json:
    """Return a JSON object; {} for anything else."""
    return value if isinstance(value, dict) else {}


def words(value: object) -> str:
    """Return a JSON text or number as text; "" for anything else."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    return str(value).encode("utf-8", "replace").decode("utf-8")


def ome_attributes(document: Json) -> Json:
    """Return the OME part of a group's ``zarr.json`` or ``.zattrs``.

    >>> group = {"zarr_format": 3, "attributes": {"ome": {"labels": ["cells"]}}}
    >>> ome_attributes(group)["labels"]
    ['cells']
    """
    attributes = mapping(document.get("attributes")) if "zarr_format" in document else document
    return mapping(attributes.get("ome")) or attributes


def version_of(attributes: Json) -> str:
    """Return the version that a group claims, or ""."""
    first = objects(attributes.get("multiscales"))[:1]
    parts = [attributes, *first, mapping(attributes.get("plate")), mapping(attributes.get("well"))]
    return next(filter(None, (words(part.get("version")) for part in parts)), "")


def kind_of(attributes: Json) -> str:
    """Say what a group is: plate, well, collection (of bioformats2raw), image, or "" for none.

    A plate made by bioformats2raw is a plate.
    """
    for key, kind in (("plate", "plate"), ("well", "well"), ("multiscales", "image")):
        if key in attributes:
            return kind
    return "collection" if "bioformats2raw.layout" in attributes else ""


def first_level(attributes: Json) -> str:
    """Return the path of the largest array of an image group."""
    for multiscale in objects(attributes.get("multiscales")):
        for dataset in objects(multiscale.get("datasets")):
            if isinstance(dataset.get("path"), str):
                return str(dataset["path"])
    raise SourceMalformed(
        "an image without a data set path", where="multiscales", hint="see the OME-NGFF text"
    )


def well_images(attributes: Json) -> tuple[str, ...]:
    """Return the paths of a well's images within it."""
    images = objects(mapping(attributes.get("well")).get("images"))
    return tuple(words(image.get("path")) for image in images if words(image.get("path")))


def label_names(attributes: Json) -> tuple[str, ...]:
    """Return the names of label images in a ``labels`` group."""
    names = attributes.get("labels")
    return tuple(filter(None, map(words, names))) if isinstance(names, list) else ()


def read_plate(attributes: Json, fallback: str) -> PlateFacts:
    """Read a plate group; wells keep their order."""
    plate = mapping(attributes.get("plate"))
    wells = objects(plate.get("wells"))
    named = [PlateWell(words(w.get("path")), _well_name(words(w.get("path")))) for w in wells]
    acquisitions = objects(plate.get("acquisitions"))
    pairs = [
        KeyValue("Acquisition", words(a["name"])) for a in acquisitions if words(a.get("name"))
    ]
    return PlateFacts(
        name=words(plate.get("name")) or fallback,
        wells=tuple(well for well in named if well.path),
        pairs=tuple(pairs),
    )


def _well_name(path: str) -> str:
    """A well's usual name from its path: A/1 gives A01."""
    row, _, column = path.partition("/")
    if column.isdecimal() and row.isdecimal() and len(column) < 6 and len(row) < 6:
        return well_name(int(row), int(column))
    return f"{row}{int(column):02d}" if column.isdecimal() and len(column) < 6 else row + column


def read_image(attributes: Json, array: Json, labels: Iterable[str] = ()) -> ImageFacts:
    """Return what an image group says, with the metadata of its largest array."""
    multiscale = next(iter(objects(attributes.get("multiscales"))), {})
    axes = _axes(multiscale, array)
    shape = array.get("shape")
    sizes = _sizes(axes, shape if isinstance(shape, list) else [])
    lengths = _lengths(axes, _scale(multiscale, len(axes)))
    names = "".join(str(axis["name"]) for axis in axes)
    one = 1 if sizes else None
    return ImageFacts(
        title=words(multiscale.get("name")),
        format="OME-Zarr",
        size_x=sizes.get("x"),
        size_y=sizes.get("y"),
        size_z=sizes.get("z", one),
        size_c=sizes.get("c", one),
        size_t=sizes.get("t", one),
        pixel_type=_pixel_type(array),
        dimension_order=names[::-1].upper() if len(names) == len(axes) else "",
        pixel_size_x=lengths.get("x"),
        pixel_size_y=lengths.get("y"),
        pixel_size_z=lengths.get("z"),
        time_increment=lengths.get("t"),
        channels=_channels(attributes),
        labels=tuple(labels),
    )


def _axes(multiscale: Json, array: Json) -> list[Json]:
    """The axes, wherever the version puts them; from 0.3 backwards they are texts or missing."""
    given = multiscale.get("axes")
    if not isinstance(given, list):
        systems = objects(multiscale.get("coordinateSystems"))
        given = systems[0].get("axes") if systems else array.get("dimension_names")
    if not isinstance(given, list):
        shape = array.get("shape")
        given = list("tczyx")[-len(shape) :] if isinstance(shape, list) and shape else []
    axes = [axis if isinstance(axis, dict) else {"name": words(axis)} for axis in given]
    return [{**axis, "name": words(axis.get("name"))} for axis in axes][:10]


def axes_of(multiscale: Json, shape: list[int]) -> str:
    """Return the axes of an image's arrays as upper-case letters; other axes as ``?``.

    >>> axes_of({"axes": [{"name": "c"}, {"name": "y"}, {"name": "x"}]}, [2, 64, 64])
    'CYX'
    """
    names = [axis["name"].upper() for axis in _axes(multiscale, {"shape": shape})]
    return "".join(name if name in ("T", "C", "Z", "Y", "X") else "?" for name in names)


def _sizes(axes: list[Json], shape: list[object]) -> dict[str, int | None]:
    if len(axes) != len(shape):
        return {}
    return {axis["name"].lower(): size(length) for axis, length in zip(axes, shape, strict=True)}


def _numbers(value: object, length: int) -> list[float] | None:
    if not isinstance(value, list) or len(value) != length:
        return None
    kept = [float(v) for v in value if isinstance(v, (int, float)) and math.isfinite(v)]
    return kept if len(kept) == length else None


def _scale(multiscale: Json, length: int) -> list[float]:
    """The scale of the largest array, times that of the whole image."""
    total = [1.0] * length
    datasets = objects(multiscale.get("datasets"))
    for holder in (*datasets[:1], multiscale):
        for step in objects(holder.get("coordinateTransformations"))[:8]:
            for part in (step, *objects(step.get("transformations"))[:8]):
                factors = _numbers(part.get("scale"), length)
                if factors:
                    total = [a * b for a, b in zip(total, factors, strict=True)]
    return total


def _lengths(axes: list[Json], scale: list[float]) -> dict[str, Quantity | None]:
    return {
        axis["name"].lower(): quantity(round(factor, 12), words(axis.get("unit")))
        for axis, factor in zip(axes, scale, strict=True)
    }


def _pixel_type(array: Json) -> str:
    kind = array.get("data_type") or array.get("dtype")
    if not isinstance(kind, str):
        return ""
    plain = kind.lstrip("<>|=")
    return _PIXEL_TYPES.get(plain, plain if plain in _PIXEL_TYPES.values() else "")


def _channels(attributes: Json) -> tuple[Channel, ...]:
    found = objects(mapping(attributes.get("omero")).get("channels"))[:MAX_CHANNELS]
    return tuple(Channel(name=words(c.get("label")), colour=_colour(c.get("color"))) for c in found)


def _colour(value: object) -> str:
    text = words(value).lstrip("#").upper()
    return text if len(text) == 6 and set(text) <= set("0123456789ABCDEF") else ""


def documents_of(group: Mapping[str, bytes], path: str) -> Json:
    """Return the OME attributes of a group whose documents are given by path; {} if it has none."""
    prefix = f"{path}/" if path else ""
    for name in ("zarr.json", ".zattrs"):
        if prefix + name in group:
            return ome_attributes(parse(group[prefix + name], prefix + name))
    return {}


def array_of(group: Mapping[str, bytes], path: str) -> Json:
    """Return the metadata of an array whose documents are given by path; {} if it has none."""
    for name in ("zarr.json", ".zarray"):
        if f"{path}/{name}" in group:
            return parse(group[f"{path}/{name}"], f"{path}/{name}")
    return {}


def image_of(group: Mapping[str, bytes], path: str) -> ImageFacts:
    """Return what the image at a path of a group says; SourceMalformed when it says too little."""
    attributes = documents_of(group, path)
    prefix = f"{path}/" if path else ""
    level = prefix + first_level(attributes)
    labels = label_names(documents_of(group, f"{prefix}labels"))
    return read_image(attributes, array_of(group, level), labels)
