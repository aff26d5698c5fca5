"""Reads the files of a folder of images: TIFF headers, OME-XML, HDF5; a few at a time, in order."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import blake2b
from itertools import islice
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from harvester.formats import omexml
from harvester.formats.crawl import unzip
from harvester.formats.hdf5_process import Hdf5Reader
from harvester.formats.hdf5_tree import Hdf5Document
from harvester.formats.tiff import Content, TiffHeader, read_content
from harvester.lab.kinds import kind_of
from harvester.lab.tree import Found, LabTree, read_found
from parfocal.errors import PluginMissing, SourceError, SourceRefused
from parfocal.values import Problem

READ_AHEAD = 8
"""Number of portions of files that are read at the same time."""
A_PORTION = 16
_WHOLE = 32 * 1024
_SAMPLE = 4096
_SAMPLES = 8
_UUID = re.compile(rb"""<(?:\w+:)?OME\b[^>]{0,4000}?\bUUID\s*=\s*["']([^"']{8,100})["']""")

T = TypeVar("T")
R = TypeVar("R")


class Looked(Struct, frozen=True):
    """What was read of a file; ``identity`` is what it keeps when it is moved."""

    header: TiffHeader | None = None
    xml: bytes = b""
    hdf5: Hdf5Document | None = None
    identity: str = ""
    warning: str = ""


def identity_of(content: Content, xml: bytes = b"") -> str:
    """Return what tells a file wherever it lies: its embedded UUID, else a digest of its content.

    Of a file over 32 kB the digest takes its length and samples, as whole files would take hours.
    """
    match = _UUID.search(xml[:8192]) if xml else None
    if match:
        return match[1].decode("utf-8", "replace").removeprefix("urn:uuid:").lower()
    length = content.length
    digest = blake2b(length.to_bytes(8, "little"), digest_size=16)
    if length <= _WHOLE:
        digest.update(content.at(0, length))
    else:
        for number in range(_SAMPLES):
            digest.update(content.at((length - _SAMPLE) * number // (_SAMPLES - 1), _SAMPLE))
    return digest.hexdigest()


def look(tree: LabTree, file: Found, hdf5: Hdf5Reader) -> Looked | Problem:
    """Read what is needed of one file; a file that cannot be read is a problem."""
    kind = kind_of(file.base)
    if kind == "xml":
        return _told(file, lambda: _look_xml(tree, file))
    return _told(file, lambda: _look_open(tree, file, kind, hdf5))


def look_at_tags(tree: LabTree, file: Found) -> Looked | Problem:
    """Read the tags of one TIFF file; what it would be known by elsewhere is not asked."""
    return _told(file, lambda: _look_open(tree, file, "tags"))


def _look_open(tree: LabTree, file: Found, kind: str, hdf5: Hdf5Reader | None = None) -> Looked:
    with tree.opened(file) as content:
        if kind == "hdf5" and hdf5 is not None:
            return _look_hdf5(content, hdf5)
        return _look_into(kind, content)


def _told(file: Found, read: Callable[[], Looked]) -> Looked | Problem:
    """Read, and turn what goes wrong into a problem."""
    try:
        return read()
    except SourceRefused as error:
        if "!/" in file.name:
            return Looked(warning=error.message)  # a member too large to unpack is known by name
        return Problem(file.name, error.message, "", error.hint)
    except SourceError as error:
        where = "" if error.where in (file.name, file.base) else error.where
        return Problem(file.name, error.message, where, error.hint)
    except OSError as error:
        return Problem(file.name, f"cannot be read: {error.strerror or error}")


def _look_xml(tree: LabTree, file: Found) -> Looked:
    content = read_found(tree, file, omexml.MAX_XML)
    if file.name.lower().endswith(".gz"):
        content = unzip(content, file.base, omexml.MAX_XML)
    return Looked(xml=content, identity=_digest(content))


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()


def _look_into(kind: str, content: Content) -> Looked:
    """Read what is needed of an open file of a kind."""
    if kind == "tags":
        return Looked(read_content(content))
    if kind != "tiff":
        return Looked(identity=identity_of(content))
    header = read_content(content)
    if not header.is_ome:
        return Looked(header, identity=identity_of(content))
    xml = header.description
    return Looked(replace(header, description=b""), xml, identity=identity_of(content, xml))


def _look_hdf5(content: Content, hdf5: Hdf5Reader) -> Looked:
    try:
        return Looked(hdf5=hdf5.read(content), identity=identity_of(content))
    except PluginMissing as error:
        return Looked(identity=identity_of(content), warning=f"{error.message}: {error.hint}")


def read_all(
    tree: LabTree, files: Iterable[Found], pool: ThreadPoolExecutor | None, hdf5: Hdf5Reader
) -> Iterator[tuple[Found, Looked | Problem]]:
    """Read files a few at a time, in their order; one by one without a pool."""
    return in_portions(lambda file: (file, look(tree, file, hdf5)), files, pool)


def in_portions(
    read: Callable[[T], R], these: Iterable[T], pool: ThreadPoolExecutor | None
) -> Iterator[R]:
    """Do something with each of these in the threads of a pool, in portions; results in order."""
    if pool is None:
        yield from map(read, these)
        return
    ahead: deque[Future[list[R]]] = deque()
    waiting = iter(these)
    while portion := list(islice(waiting, A_PORTION)):
        ahead.append(pool.submit(_each, read, portion))
        if len(ahead) >= READ_AHEAD:
            yield from ahead.popleft().result()
    for future in ahead:
        yield from future.result()


def _each(read: Callable[[T], R], portion: list[T]) -> list[R]:
    return [read(one) for one in portion]
