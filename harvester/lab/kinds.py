"""What a file of a lab's disk is, told from its name: which reader it gets, if any."""

from __future__ import annotations

from functools import lru_cache

from harvester.formats.image_formats import image_format
from harvester.formats.sidecar import CSV_NAME, TOML_NAME

TIFF_SUFFIXES = (".tif", ".tiff", ".tf2", ".tf8", ".btf")
XML_SUFFIXES = (".ome.xml", ".ome", ".ome.xml.gz")
ARCHIVE_SUFFIXES = (
    *(".zip", ".ozx", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz", ".tbz2"),
    *(".tar.xz", ".txz"),
)
_KINDS = {
    "tiff": TIFF_SUFFIXES,
    "htd": (".htd",),
    "jdce": (".jdce",),
    "table": (".csv",),
    "archive": ARCHIVE_SUFFIXES,
    "hdf5": (".h5", ".hdf5", ".he5", ".ilp", ".ims", ".bd5"),
    "xml": XML_SUFFIXES[:2],
}
_BY_SUFFIX = {suffix: kind for kind, suffixes in _KINDS.items() for suffix in suffixes}
_NOT_FROM_MICROSCOPES = frozenset(
    (
        *("JPEG", "JPEG 2000", "JPEG XR", "PNG", "GIF", "BMP", "WebP", "AVI", "MPEG-4"),
        *("QuickTime", "Matroska", "NumPy", "FITS", "Analyze", "Amira", "WSI DZI"),
        *("OME-Zarr", "N5", "SPIDER", "CellVoyager"),
    )
)
"""Formats that also hold much else, or that other readers see to."""
_SIDECARS = frozenset((CSV_NAME, TOML_NAME))


@lru_cache(4096)
def _of_suffix(suffix: str) -> str:
    """Return the kind of a name's last two parts, lower case."""
    last = suffix[suffix.rfind(".") :]
    known = _BY_SUFFIX.get(suffix) or _BY_SUFFIX.get(last)
    if known:
        return known
    name = image_format(f"x{suffix}")
    return "other" if name and name not in _NOT_FROM_MICROSCOPES else ""


def kind_of(name: str) -> str:
    """Say what a file is by its name; "" for what is no image and does not describe any.

    Kinds are tiff, xml, htd, jdce, table, hdf5, archive, sidecar, and other: an unread image.

    >>> kind_of("a.ome.tif"), kind_of("plate.HTD"), kind_of("scan.czi"), kind_of("notes.txt")
    ('tiff', 'htd', 'other', '')
    """
    last = name.rfind(".")
    if last < 0:
        return ""
    before = name.rfind(".", 0, last)
    suffix = name[before if before >= 0 and last - before <= 12 else last :].lower()
    if len(suffix) > 24:
        return ""
    if name in _SIDECARS:
        return "sidecar"
    if suffix == ".xml.gz":
        return "xml" if name[:before].lower().endswith(".ome") else ""
    return _of_suffix(suffix)


def is_part(path: str, names: frozenset[str]) -> bool:
    """Whether a folder is a part of an image that another name of its folder stands for.

    >>> is_part("run/a.oif.files", frozenset({"a.oif"})), is_part("_b_", frozenset({"b.vsi"}))
    (True, True)
    """
    base = path.rpartition("/")[2]
    lower = base.lower()
    if lower.endswith(".oif.files"):
        return base[: -len(".files")] in names
    return base.startswith("_") and base.endswith("_") and f"{base[1:-1]}.vsi" in names


def format_of(name: str) -> str:
    """Return the name of the format of a file whose content is not read."""
    return image_format(name)
