"""What an HDF5 file holds: groups, data sets and attributes, bounded; no pixels are read.

Links to other files and external storage are told, never followed; nor are soft links. Needs the
extra ``hdf5``.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import islice
from typing import Any

from msgspec import Struct

from harvester.formats.tiff import Content
from parfocal.errors import SourceMalformed

MAX_OBJECTS = 2000
MAX_MEMBERS = 500
MAX_DEPTH = 16
MAX_ATTRIBUTES = 200
MAX_ATTRIBUTE_BYTES = 16 * 1024
MAX_TEXT = 256 * 1024
MAX_SCALAR_BYTES = 4096
MAGIC = b"\x89HDF\r\n\x1a\n"
_UNREADABLE = (OSError, RuntimeError, ValueError, TypeError, LookupError, AttributeError,
               ArithmeticError, MemoryError, UnicodeError, NotImplementedError)  # fmt: skip
_ERRORS = (*_UNREADABLE, RecursionError)


class Hdf5Node(Struct, frozen=True, omit_defaults=True):
    """A group or data set; ``shape`` is None for groups, ``text`` is a small data set's content."""

    path: str
    shape: tuple[int, ...] | None = None
    dtype: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    text: str = ""


class Hdf5Document(Struct, frozen=True, omit_defaults=True):
    """The nodes of a file, parents first, and what was left out and why."""

    nodes: tuple[Hdf5Node, ...] = ()
    warnings: tuple[str, ...] = ()


class ContentStream(io.RawIOBase):
    """An open content as a stream, which is all that the HDF5 library gets to see of a disk."""

    def __init__(self, content: Content) -> None:
        super().__init__()
        self._content = content
        self._place = 0

    def readable(self) -> bool:
        """It is read."""
        return True

    def seekable(self) -> bool:
        """Reading may go on anywhere."""
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place."""
        start = {0: 0, 1: self._place, 2: self._content.length}[whence]
        self._place = max(0, start + offset)
        return self._place

    def tell(self) -> int:
        """Return the place."""
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer."""
        view = memoryview(buffer).cast("B")
        found = self._content.at(self._place, len(view))
        view[: len(found)] = found
        self._place += len(found)
        return len(found)


class _Reading:
    """What has been read of a file so far, within bounds."""

    def __init__(self, library: Any) -> None:
        self._h5 = library
        self.nodes: list[Hdf5Node] = []
        self.warnings: dict[str, None] = {}
        self._seen: set[int] = set()
        self._left = MAX_TEXT

    def warn(self, text: str) -> None:
        if len(self.warnings) < 20:
            self.warnings[text] = None

    def walk(self, root: Any) -> None:
        """Take the root and all below it, level by level."""
        level: list[tuple[str, Any]] = [("", root)]
        for _ in range(MAX_DEPTH):
            below: list[tuple[str, Any]] = []
            for path, node in level:
                if len(self.nodes) >= MAX_OBJECTS:
                    self.warn(f"more than {MAX_OBJECTS} groups and data sets; the rest is left out")
                    return
                below.extend(self._take(path, node))
            level = below
        if level:
            self.warn(f"groups nested deeper than {MAX_DEPTH}; what lies deeper is left out")

    def _take(self, path: str, node: Any) -> list[tuple[str, Any]]:
        try:
            address = self._h5.h5o.get_info(node.id).addr
            if address in self._seen:
                return []
            self._seen.add(address)
            if isinstance(node, self._h5.Dataset):
                self.nodes.append(self._dataset(path, node))
                return []
            self.nodes.append(Hdf5Node(path or "/", attributes=tuple(self._attributes(node))))
            return list(self._members(path, node)) if isinstance(node, self._h5.Group) else []
        except _ERRORS as error:
            self.warn(f"{path or '/'} cannot be read: {_short(error)}")
            return []

    def _members(self, path: str, group: Any) -> Iterator[tuple[str, Any]]:
        names = list(islice(iter(group), MAX_MEMBERS + 1))
        if len(names) > MAX_MEMBERS:
            self.warn(f"{path or '/'} has more than {MAX_MEMBERS} members; the rest is left out")
        for name in names[:MAX_MEMBERS]:
            place = f"{path}/{name}"[:500]
            try:
                link = group.get(name, getlink=True)
                if isinstance(link, self._h5.HardLink):
                    yield place, group[name]
                elif isinstance(link, self._h5.ExternalLink):
                    self.warn(f"{place} is a link to another file, which is not followed")
            except _ERRORS as error:
                self.warn(f"{place} cannot be read: {_short(error)}")

    def _dataset(self, path: str, data: Any) -> Hdf5Node:
        if data.external:
            self.warn(f"{path} keeps its values in other files, which are not read")
        kind = data.dtype
        shape = tuple(int(length) for length in data.shape or ())
        text = ""
        if not data.external and not data.is_virtual and self._is_small(data, kind):
            text = self._text(data[()])
        return Hdf5Node(path, shape, str(kind)[:100], tuple(self._attributes(data)), text)

    def _is_small(self, data: Any, kind: Any) -> bool:
        """Whether a data set is a single value, or a short list of numbers, to be read as text."""
        few = data.size is not None and 0 < data.size <= 64 and len(data.shape) < 2
        return bool(few and data.size * kind.itemsize <= MAX_SCALAR_BYTES and kind.kind in "biufSO"
                    and data.id.get_storage_size() <= MAX_SCALAR_BYTES)  # fmt: skip

    def _attributes(self, node: Any) -> Iterator[tuple[str, str]]:
        names = list(islice(iter(node.attrs), MAX_ATTRIBUTES + 1))
        if len(names) > MAX_ATTRIBUTES:
            self.warn(f"{node.name} has more than {MAX_ATTRIBUTES} attributes; some are left out")
        for name in names[:MAX_ATTRIBUTES]:
            try:
                found = self._h5.h5a.open(node.id, name.encode("utf-8", "surrogateescape"))
                if found.get_storage_size() > MAX_ATTRIBUTE_BYTES:
                    self.warn(f"the attribute {name[:100]} of {node.name} is too long to be read")
                    continue
                text = self._text(node.attrs[name])
            except _ERRORS as error:
                self.warn(f"the attribute {name[:100]} cannot be read: {_short(error)}")
                continue
            if text:
                yield name.encode("utf-8", "replace").decode(), text

    def _text(self, value: Any) -> str:
        """Write a value as words, as long as there is room for more."""
        whole = _words(value)
        text = whole[:MAX_ATTRIBUTE_BYTES]
        if len(text) < len(whole):
            self.warn(f"a text of {len(whole):,} letters is cut to {MAX_ATTRIBUTE_BYTES:,}")
        if len(text) > self._left:
            self.warn(f"more than {MAX_TEXT} bytes of attributes; the rest is left out")
            return ""
        self._left -= len(text)
        return text


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _words(value: Any) -> str:
    """Write a text, number or array; arrays of single characters are joined, as Imaris has them."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip("\0 ")
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().strip("\0 ")
    if hasattr(value, "tolist") and hasattr(value, "dtype"):
        if value.dtype.kind == "S" and value.dtype.itemsize == 1 and value.ndim == 1:
            return bytes(value.tobytes()).decode("utf-8", "replace").strip("\0 ")
        return _words(value.tolist())
    if isinstance(value, (list, tuple)):
        return ", ".join(_words(part) for part in value[:1000])
    if isinstance(value, (bool, int, float)):
        return str(value)
    return ""


def read_hdf5(content: Content) -> Hdf5Document:
    """Read what an open HDF5 file holds; SourceMalformed when it is none or damaged.

    Raises ModuleNotFoundError without the extra ``hdf5``.
    """
    import h5py

    if content.at(0, 8) != MAGIC and content.length < 1024:
        raise SourceMalformed("not an HDF5 file")
    reading = _Reading(h5py)
    try:
        with h5py.File(ContentStream(content), "r") as file:
            reading.walk(file)
    except _ERRORS as error:
        raise SourceMalformed(f"not a readable HDF5 file: {_short(error)}") from error
    return Hdf5Document(tuple(reading.nodes), tuple(reading.warnings))
