"""Reads the files of one folder of images: TIFF headers and OME-XML, a few at a time, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from msgspec.structs import replace

from harvester import omexml
from harvester.crawl import FoundFile, read_file, unzip
from harvester.tiff import TiffHeader, read_header
from parfocal.errors import SourceError, SourceMalformed
from parfocal.values import Problem

TIFF_SUFFIXES = (".tif", ".tiff", ".tf2", ".tf8", ".btf")
XML_SUFFIXES = (".ome.xml", ".ome", ".ome.xml.gz")
OTHER_SUFFIXES = tuple(
    [
        ".czi",
        ".nd2",
        ".lif",
        ".lsm",
        ".oib",
        ".oif",
        ".oir",
        ".vsi",
        ".ims",
        ".dv",
        ".ndpi",
        ".svs",
        ".scn",
        ".zvi",
        ".stk",
        ".lei",
        ".mrxs",
    ]
)
READ_AHEAD = 8
"""Number of files of a folder that are read at the same time."""
Content = tuple[TiffHeader | None, bytes]
"""Header of a TIFF file, and OME-XML; one of them may be missing."""


def kind_of(name: str) -> str:
    """Say what a file is by its name: tiff, xml, other (an image that cannot be read), or ""."""
    lower = name.lower()
    if lower.endswith(TIFF_SUFFIXES):
        return "tiff"
    if lower.endswith(XML_SUFFIXES):
        return "xml"
    return "other" if lower.endswith(OTHER_SUFFIXES) else ""


def _read_file(file: FoundFile) -> Content | Problem:
    """Read one file's header or XML."""
    kind = kind_of(file.name)
    try:
        if kind == "other":
            raise SourceMalformed(
                "this format is not read", hint="export it as OME-TIFF or OME-Zarr"
            )
        if kind == "xml":
            content = read_file(file, omexml.MAX_XML)
            zipped = file.name.lower().endswith(".gz")
            return None, unzip(content, file.name, omexml.MAX_XML) if zipped else content
        header = read_header(file.path)
    except SourceError as error:
        where = "" if error.where == file.name else error.where
        return Problem(file.name, error.message, where, error.hint)
    except OSError as error:
        return Problem(file.name, f"cannot be read: {error.strerror or error}")
    if not header.is_ome:
        return header, b""
    return replace(header, description=b""), header.description


Read = tuple[FoundFile, Content | Problem]


def read_all(files: Iterable[FoundFile], pool: ThreadPoolExecutor) -> Iterator[Read]:
    """Read files a few at a time, in their order."""
    ahead: deque[tuple[FoundFile, Future[Content | Problem]]] = deque()
    for file in files:
        ahead.append((file, pool.submit(_read_file, file)))
        if len(ahead) >= READ_AHEAD:
            first, future = ahead.popleft()
            yield first, future.result()
    for first, future in ahead:
        yield first, future.result()
