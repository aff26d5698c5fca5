"""Draws a small picture of an OME-TIFF, TIFF or OME-Zarr image; needs the extra ``images``.

Only one plane per channel is read, of the lowest resolution level that suffices, within bounds.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
import zarr
from msgspec.structs import replace
from PIL import Image as Picture
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import LocalStore

from harvester.formats import ngff
from harvester.formats.archives import MAX_WHOLE, open_archive
from harvester.formats.plate_files import read_name
from harvester.formats.zarr_tree import Tree, checked
from harvester.lab.tree import DiskTree, Found
from parfocal.errors import SourceError, SourceMalformed, SourceRefused
from parfocal.model import Image

MAX_PIXELS = 64 * 1024 * 1024
"""Largest plane that is read, in pixels."""
MAX_CHUNK_BYTES = 256 * 1024 * 1024
MAX_CHANNELS = 8
_PALETTE = ("FFFFFF", "FF00FF", "00FF00", "00A0FF", "FFA000", "FF0000", "FFFF00", "00FFFF")
_UNREADABLE = (
    zlib.error,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    RuntimeError,
    ArithmeticError,
    AttributeError,
    ImportError,
    MemoryError,
    struct.error,
    tifffile.TiffFileError,
)
Plane = npt.NDArray[np.float32]
Level = tuple[Any, str]
"""An array that reads only what is sliced, and its axes as upper-case letters."""


class _ConfinedStore(LocalStore):
    """A folder of chunks whose links may not lead out of the source's tree."""

    def __init__(self, tree: Tree, path: str) -> None:
        super().__init__(tree.root / path, read_only=True)
        self._tree = tree
        self._path = path

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: Any = None
    ) -> Buffer | None:
        """Return a chunk, or None for one that is missing or lies outside."""
        if not self._tree.holds(f"{self._path}/{key}"):
            return None
        return await super().get(key, prototype, byte_range)


def draw(tree: Tree, image: Image, series: int, size: int) -> bytes:
    """Return a PNG of an image in a tree, at most ``size`` pixels wide and high.

    ``series`` counts images within one TIFF file. Raises SourceRefused outside the tree or
    beyond the bounds, SourceMalformed for what cannot be decoded.
    """
    size = max(16, min(size, 1024))
    archive, inside, _ = image.location.partition("!/")
    place = tree.inside(archive)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if inside:
                picture = _draw_member(tree, archive, image, series, size)
            elif place.is_dir():
                picture = _merge(_zarr_planes(tree, image.location, size), image, size)
            elif image.plate and len(image.channels) > 1 and read_name(place.name):
                planes = [_first_plane(file, image, size) for file in channel_files(place)]
                picture = _merge(planes[:MAX_CHANNELS], image, size)
            else:
                picture = _draw_tiff(place, image, series, size)
    except SourceError:
        raise
    except _UNREADABLE as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise SourceMalformed(f"no picture: {reason}", where=image.location) from error
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


# ------------------------------------------------------------------ reading


def _draw_member(tree: Tree, archive: str, image: Image, series: int, size: int) -> Picture.Image:
    """Draw a TIFF file within an archive, which is read into memory."""
    disk = DiskTree(tree.root, "")
    place = tree.inside(archive)
    found = Found(archive, place.stat().st_size, linked=place.is_symlink())
    with open_archive(archive, disk.opened(found)) as members:
        content = members.read(image.location, MAX_WHOLE)
    if content is None:
        raise SourceRefused("there is no such member", where=image.location)
    return _draw_tiff(io.BytesIO(content), image, series, size)


def channel_files(place: Path) -> list[Path]:
    """Return the files of one plane of a plate's field, one for each wavelength."""
    name = read_name(place.name)
    if name is None:
        return [place]
    found: dict[int, Path] = {}
    for other in sorted(place.parent.iterdir()):
        said = read_name(other.name)
        if said is not None and replace(said, wave=0, guid=False) == replace(
            name, wave=0, guid=False
        ):
            found.setdefault(said.wave, other)
    return [found[wave] for wave in sorted(found)]


def _first_plane(place: Path, image: Image, size: int) -> Plane:
    with tifffile.TiffFile(place) as file, file.pages[0].aszarr() as store:
        array = zarr.open(store, mode="r")
        if not isinstance(array, zarr.Array):
            raise SourceMalformed("not one array", where=image.location)
        return _planes((array, "YX"), size)[0]


def _draw_tiff(place: Path | io.BytesIO, image: Image, series: int, size: int) -> Picture.Image:
    if not image.location.lower().endswith((".tif", ".tiff", ".tf2", ".tf8", ".btf")):
        raise SourceRefused("only metadata, no pixels", where=image.location)
    with tifffile.TiffFile(place) as file:
        every = file.series
        if series >= len(every):
            raise SourceMalformed(f"there is no image {series}", where=image.location)
        chosen = _suitable([(level, level.axes) for level in every[series].levels], size)
        level = chosen[0]
        store = level.aszarr(chunkmode="page") if level.keyframe.is_tiled else level.aszarr()
        with store:
            array = zarr.open(store, mode="r")
            if not isinstance(array, zarr.Array):
                raise SourceMalformed("not one array", where=image.location)
            return _merge(_planes((array, level.axes), size), image, size)


def _zarr_planes(tree: Tree, location: str, size: int) -> list[Plane]:
    document = tree.read(f"{location}/zarr.json") or tree.read(f"{location}/.zattrs") or b"{}"
    attributes = ngff.ome_attributes(ngff.parse(document, location))
    multiscale = next(iter(ngff.objects(attributes.get("multiscales"))), {})
    levels: list[Level] = []
    for dataset in ngff.objects(multiscale.get("datasets"))[:32]:
        path = f"{location}/{checked(ngff.words(dataset.get('path')))}"
        tree.inside(path)
        array = zarr.open_array(_ConfinedStore(tree, path), mode="r")
        levels.append((array, ngff.axes_of(multiscale, list(array.shape))))
    if not levels:
        raise SourceMalformed("no array", where=location)
    return _planes(_suitable(levels, size), size)


def _suitable(levels: list[Level], size: int) -> Level:
    """The smallest level that is at least as large as the picture, else the largest."""
    fitting = [level for level in levels if _longest(level) >= size]
    return min(fitting, key=_longest) if fitting else max(levels, key=_longest)


def _extent(level: Level) -> tuple[int, int]:
    array, axes = level
    if "Y" not in axes or "X" not in axes or len(axes) != len(array.shape):
        raise SourceMalformed(f"axes {axes!r} have no plane")
    return array.shape[axes.index("Y")], array.shape[axes.index("X")]


def _longest(level: Level) -> int:
    return max(_extent(level))


def _planes(level: Level, size: int) -> list[Plane]:
    """Read one plane per channel: middle along Z, first along everything else."""
    array, axes = level
    height, width = _extent(level)
    chunk = int(np.prod([int(c) for c in array.chunks], dtype=object)) * array.dtype.itemsize
    if height * width > MAX_PIXELS or chunk > MAX_CHUNK_BYTES:
        raise SourceRefused(
            f"{width} x {height} pixels without smaller levels are too many for a picture",
            hint="save the image with resolution levels (a pyramid)",
        )
    step = max(1, max(height, width) // (4 * size))
    channels = array.shape[axes.index("C")] if "C" in axes else 1
    colours = array.shape[axes.index("S")] if "S" in axes else 1
    wanted = [(c, s) for c in range(channels) for s in range(colours)][:MAX_CHANNELS]
    return [_plane(array, axes, {"C": c, "S": s}, step) for c, s in wanted]


def _plane(array: Any, axes: str, at: dict[str, int], step: int) -> Plane:
    whole = slice(None)
    index = tuple(
        whole if axis in "YX" else at.get(axis, length // 2 if axis == "Z" else 0)
        for axis, length in zip(axes, array.shape, strict=True)
    )
    plane = np.asarray(array[index])
    if axes.index("X") < axes.index("Y"):
        plane = plane.T
    if np.iscomplexobj(plane):
        plane = np.abs(plane)
    return _binned(plane, step)


def _binned(plane: npt.NDArray[Any], step: int) -> Plane:
    """Average blocks of pixels, so that thin structures do not vanish."""
    height, width = plane.shape[0] // step * step, plane.shape[1] // step * step
    if step == 1 or not height or not width:
        return np.asarray(plane, np.float32)
    blocks = plane[:height, :width].reshape(height // step, step, width // step, step)
    return np.asarray(blocks.mean(axis=(1, 3)), np.float32)


# ------------------------------------------------------------------ drawing


def _stretch(plane: Plane) -> Plane:
    """Bring a plane to 0..1 between its 1st and 99.7th percentile."""
    finite = np.nan_to_num(plane, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = np.percentile(finite, (1.0, 99.7))
    if high <= low:
        low, high = float(finite.min()), float(finite.max())
    span = high - low if high > low else 1.0
    return np.asarray(np.clip((finite - low) / span, 0.0, 1.0), np.float32)


def _colours(image: Image, count: int) -> list[npt.NDArray[np.float32]]:
    """Each channel's red, green, blue from 0 to 1; black and repeated colours from a palette."""
    given = [channel.colour for channel in image.channels][:count]
    if len(given) < count or len(set(given)) < count or "000000" in given or "" in given:
        given = list(_PALETTE[:1] if count == 1 else _PALETTE[1 : count + 1])
    codes = (given + list(_PALETTE))[:count]
    return [np.asarray(list(bytes.fromhex(code)), np.float32) / np.float32(255) for code in codes]


def _merge(planes: list[Plane], image: Image, size: int) -> Picture.Image:
    """Lay the stretched channels over one another in their colours, and shrink."""
    if len(planes) in (3, 4) and [c.name for c in image.channels] == ["red", "green", "blue"]:
        top = max(float(plane.max()) for plane in planes[:3]) or 1.0
        merged = np.stack([plane / top for plane in planes[:3]], axis=-1)
    else:
        merged = np.zeros((*planes[0].shape, 3), np.float32)
        for plane, colour in zip(planes, _colours(image, len(planes)), strict=True):
            merged += (_stretch(plane) ** 0.8)[..., None] * colour
    pixels = (np.clip(merged, 0, 1) * 255).astype(np.uint8)
    picture = Picture.fromarray(pixels, "RGB")
    picture.thumbnail((size, size), Picture.Resampling.LANCZOS)
    return picture
