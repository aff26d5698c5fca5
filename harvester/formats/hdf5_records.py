"""What the nodes of an HDF5 file say of images: Imaris, BigDataViewer, ilastik, or plain; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from harvester.formats.hdf5_tree import Hdf5Document, Hdf5Node
from harvester.formats.tiff_facts import day
from harvester.words.facts import ImageFacts, number, quantity, size
from parfocal.model import Channel, KeyValue, Quantity

MAX_PAIRS = 500
MAX_LISTED = 100
MAX_SETUPS = 1000
_TYPES = {
    "uint8": "uint8", "uint16": "uint16", "uint32": "uint32", "int8": "int8", "int16": "int16",
    "int32": "int32", "float32": "float", "float64": "double", "bool": "bit",
    "complex64": "complex", "complex128": "double-complex",
}  # fmt: skip
_AXES = {2: "yx", 3: "zyx", 4: "czyx", 5: "tczyx"}
_CELLS = re.compile(r"/t(\d{5,})/s(\d{2,})/0/cells$")
_CHANNEL = re.compile(r"/DataSetInfo/Channel (\d{1,4})$")
_LEVEL = re.compile(r"/DataSet/ResolutionLevel 0/TimePoint (\d+)/Channel (\d+)/Data$")
_FIELDS = frozenset(("axistags", "DIMENSION_LABELS", "element_size_um"))
_ILASTIK = ("/ilastikVersion", "/PixelClassification", "/ObjectExtraction", "/Input Data")


class Picture(Struct, frozen=True):
    """One image of a file: the path within it that names it ("" for the only one), its facts."""

    path: str
    facts: ImageFacts


def _by_path(document: Hdf5Document) -> dict[str, Hdf5Node]:
    return {node.path: node for node in document.nodes}


def layout_of(document: Hdf5Document) -> str:
    """Name the layout of a file: Imaris, BigDataViewer, ilastik project, ilastik, BDML, or HDF5."""
    nodes = _by_path(document)
    if "/DataSetInfo" in nodes and "/DataSet" in nodes:
        return "Imaris"
    if any(_CELLS.search(path) for path in nodes):
        return "BigDataViewer HDF5"
    if any(path in nodes for path in _ILASTIK):
        return "ilastik project"
    if any(dict(node.attributes).get("axistags") for node in document.nodes):
        return "ilastik HDF5"
    return "BD5" if "/data/scaleUnit" in nodes or "/data/objectDef" in nodes else "HDF5"


def pictures_of(document: Hdf5Document) -> list[Picture]:
    """Return the images of a file, at least one."""
    layout = layout_of(document)
    if layout == "Imaris":
        found = [Picture("", _imaris(_by_path(document)))]
    elif layout == "BigDataViewer HDF5":
        found = list(_viewer(document))
    else:
        found = [Picture("", _plain(document))]
    return [replace(p, facts=replace(p.facts, format=layout)) for p in found]


def pairs_of(document: Hdf5Document) -> tuple[KeyValue, ...]:
    """Return attributes, small data sets and the shapes of large ones, as key-values."""
    return tuple(dict.fromkeys(_pairs(document)))[:MAX_PAIRS]


def _pairs(document: Hdf5Document) -> Iterator[KeyValue]:
    listed = 0
    for node in document.nodes:
        if node.shape is not None and not node.text and listed < MAX_LISTED:
            listed += 1
            shape = " x ".join(map(str, node.shape)) or "one value"
            yield KeyValue(node.path, f"{shape}, {node.dtype}", "HDF5 data set")
        elif node.text:
            yield KeyValue(node.path.lstrip("/"), node.text)
        for name, text in node.attributes:
            if name not in _FIELDS:
                place = node.path.strip("/")
                yield KeyValue(f"{place}/{name}" if place else name, text)


def _measured(sizes: Mapping[str, int], node: Hdf5Node) -> ImageFacts:
    return ImageFacts(
        size_x=size(sizes.get("x")),
        size_y=size(sizes.get("y")),
        size_z=size(sizes.get("z", 1)),
        size_c=size(sizes.get("c", 1)),
        size_t=size(sizes.get("t", 1)),
        pixel_type=_TYPES.get(node.dtype.lstrip("<>|="), ""),
    )


# ------------------------------------------------------------------ Imaris


def _imaris(nodes: Mapping[str, Hdf5Node]) -> ImageFacts:
    """Imaris keeps what it knows as attributes of DataSetInfo, each a text of single letters."""
    image = dict(nodes["/DataSetInfo/Image"].attributes) if "/DataSetInfo/Image" in nodes else {}
    times, channels, first = _imaris_data(nodes)
    sizes = {axis: size(image.get(axis.upper())) or 0 for axis in "xyz"}
    if first is not None and first.shape and len(first.shape) == 3:
        sizes = {a: sizes[a] or n for a, n in zip("zyx", first.shape, strict=True)}
    unit = image.get("Unit", "um").replace("um", "µm")
    lengths: dict[str, Quantity | None] = {}
    for place, axis in enumerate("xyz"):
        low, high = number(image.get(f"ExtMin{place}")), number(image.get(f"ExtMax{place}"))
        if low is not None and high is not None and sizes[axis]:
            lengths[axis] = quantity(round(abs(high - low) / sizes[axis], 6), unit)
    facts = _measured({**sizes, "c": channels, "t": times}, first or Hdf5Node(""))
    return replace(
        facts,
        title=image.get("Name", ""),
        description=image.get("Description", ""),
        date=day(image.get("RecordingDate", "")),
        pixel_size_x=lengths.get("x"),
        pixel_size_y=lengths.get("y"),
        pixel_size_z=lengths.get("z") if sizes["z"] > 1 else None,
        channels=tuple(_imaris_channels(nodes)),
    )


def _imaris_data(nodes: Mapping[str, Hdf5Node]) -> tuple[int, int, Hdf5Node | None]:
    times, channels, first = set[str](), set[str](), None
    for path, node in nodes.items():
        match = _LEVEL.match(path)
        if match:
            times.add(match[1])
            channels.add(match[2])
            first = first or node
    info = (
        dict(nodes["/DataSetInfo/TimeInfo"].attributes) if "/DataSetInfo/TimeInfo" in nodes else {}
    )
    named = sum(1 for path in nodes if _CHANNEL.match(path))
    total = size(info.get("DatasetTimePoints")) or len(times) or 1
    return total, named or len(channels) or 1, first


def _imaris_channels(nodes: Mapping[str, Hdf5Node]) -> Iterator[Channel]:
    found = [(int(m[1]), node) for path, node in nodes.items() if (m := _CHANNEL.match(path))]
    for _, node in sorted(found, key=lambda one: one[0]):
        said = dict(node.attributes)
        yield Channel(
            name=said.get("Name", ""),
            fluorophore=said.get("DyeName", ""),
            excitation=quantity(said.get("LSMExcitationWavelength"), "nm"),
            emission=quantity(said.get("LSMEmissionWavelength"), "nm"),
            colour=_colour(said.get("Color", "")),
        )


def _colour(text: str) -> str:
    parts = [number(part) for part in text.replace(",", " ").split()]
    if len(parts) != 3 or any(part is None or not 0 <= part <= 1 for part in parts):
        return ""
    return "".join(f"{round((part or 0) * 255):02X}" for part in parts)


# ------------------------------------------------------------------ BigDataViewer


def _viewer(document: Hdf5Document) -> Iterator[Picture]:
    """One image for each setup (channel, angle or tile: only the XML beside it would say)."""
    setups: dict[str, Hdf5Node] = {}
    times: dict[str, set[str]] = {}
    for node in document.nodes:
        match = _CELLS.search(node.path)
        if match and node.shape is not None and len(node.shape) == 3:
            setups.setdefault(match[2], node)
            times.setdefault(match[2], set()).add(match[1])
    alone = len(setups) == 1
    for setup, node in sorted(setups.items())[:MAX_SETUPS]:
        sizes = dict(zip("zyx", node.shape or (), strict=False))
        facts = _measured({**sizes, "t": len(times[setup])}, node)
        title = "" if alone else f"setup {int(setup)}"
        yield Picture("" if alone else f"s{setup}", replace(facts, title=title))


# ------------------------------------------------------------------ others


def _plain(document: Hdf5Document) -> ImageFacts:
    """The largest array of two to five axes; a file without one is known by its attributes."""
    arrays = [
        n for n in document.nodes
        if n.shape is not None and 2 <= len(n.shape) <= 5 and min(n.shape[-2:]) > 1
        and n.dtype.lstrip("<>|=") in _TYPES
    ]  # fmt: skip
    if not arrays:
        return ImageFacts()
    chosen = max(arrays, key=_extent)
    axes = _axes(chosen)
    sizes = dict(zip(axes, chosen.shape or (), strict=True))
    said = dict(chosen.attributes)
    lengths = [number(part) for part in said.get("element_size_um", "").split(",")]
    facts = _measured(sizes, chosen)
    if len(lengths) == 3:
        z, y, x = (quantity(length, "µm") for length in lengths)
        facts = replace(facts, pixel_size_x=x, pixel_size_y=y, pixel_size_z=z)
    return facts


def _extent(node: Hdf5Node) -> int:
    total = 1
    for length in node.shape or ():
        total *= length
    return total


def _axes(node: Hdf5Node) -> str:
    """The axes of an array: what it says of them, else the usual ones."""
    count = len(node.shape or ())
    said = dict(node.attributes)
    labels = "".join(part.strip().lower() for part in said.get("DIMENSION_LABELS", "").split(","))
    for axes in (_tagged(said.get("axistags", "")), labels):
        if len(axes) == count and set(axes) <= set("tczyx") and len(set(axes)) == count:
            return axes
    if count == 3 and (node.shape or (0,))[-1] in (3, 4):
        return "yxc"
    return _AXES[count]


def _tagged(text: str) -> str:
    """The axes of vigra's axis tags, which ilastik writes as JSON."""
    try:
        found = msgspec.json.decode(text.encode()) if text else {}
    except (msgspec.DecodeError, RecursionError):
        return ""
    axes = found.get("axes") if isinstance(found, dict) else None
    if not isinstance(axes, list):
        return ""
    return "".join(str(axis.get("key", "")) for axis in axes if isinstance(axis, dict)).lower()
