"""Reads the files of one ordinary folder: TIFF, OME-XML, HDF5, and images known by name only."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b

from harvester.formats import omexml
from harvester.formats.hdf5_process import Hdf5Reader
from harvester.formats.plate_files import is_thumbnail
from harvester.lab.context import Context
from harvester.lab.files import Looked, read_all
from harvester.lab.items import (
    FileItem,
    Hdf5Item,
    Item,
    UnreadItem,
    damage_of,
    pack,
)
from harvester.lab.kinds import kind_of
from harvester.lab.places import Places
from harvester.lab.tree import Found, LabTree
from parfocal.interfaces import Walk
from parfocal.values import Problem, RawItem, Unchanged

Outcome = RawItem | Unchanged | Problem
_IMAGES = frozenset(("tiff", "xml", "hdf5", "other"))
_LONGEST_STAMP = 65_536


class FolderReader:
    """Makes the items of the files of a folder; files that are as they were are not opened.

    Some files speak for others, which then give no item of their own: they *claim* them. A stamp
    keeps the claims of its file, so that they hold when it is not opened.
    """

    def __init__(
        self,
        tree: LabTree,
        places: Places,
        walk: Walk,
        pool: ThreadPoolExecutor | None,
        hdf5: Hdf5Reader,
    ) -> None:
        self._hdf5 = hdf5
        self._tree = tree
        self._places = places
        self._walk = walk
        self._pool = pool
        self._claimed: set[str] = set()

    def items(
        self, folder: str, files: Iterable[Found], names: frozenset[str], context: Context
    ) -> Generator[Outcome]:
        """Yield the items of a folder's files, announcing what they lie in before the first."""
        images = [
            file for file in files
            if kind_of(file.base) in _IMAGES and not is_thumbnail(file.base)
        ]  # fmt: skip
        images.sort(key=lambda file: (kind_of(file.base) != "xml", file.name))
        siblings = _digest(names)
        for file, looked in self._looked(images, context, siblings):
            if looked is None:
                yield from self._places.announce(folder, context, file.name)
                yield Unchanged(file.name)
            elif isinstance(looked, Problem):
                yield looked
            elif file.base in self._claimed:
                if looked.header is not None and looked.header.damage:
                    yield damage_of(file.name, looked.header)  # another of its set speaks for it
            else:
                yield from self._item(folder, file, looked, names, siblings, context)

    def _looked(
        self, images: list[Found], context: Context, siblings: str
    ) -> Iterator[tuple[Found, Looked | Problem | None]]:
        """Yield the files in order with what was read of them; None for one that is as it was."""
        kept: set[str] = set()
        for file in images:
            stamp = self._walk.stamp(file.name)
            if stamp and self._is_same(file, stamp, context, siblings):
                kept.add(file.name)
        changed = [file for file in images if file.name not in kept]
        read = read_all(self._tree, changed, self._pool, self._hdf5)
        for file in images:
            if file.name in kept:
                yield file, None
            else:
                yield next(read)

    def _is_same(self, file: Found, stamp: str, context: Context, siblings: str) -> bool:
        plain, _, rest = stamp.partition(";")
        if plain != f"{file.stamp}:{context.token}":
            return False
        if rest:
            before, _, claims = rest.partition("/")
            if before != siblings:
                return False
            self._claimed.update(claims.split("/") if claims else ())
        return True

    def _item(
        self,
        folder: str,
        file: Found,
        looked: Looked,
        names: frozenset[str],
        siblings: str,
        context: Context,
    ) -> Iterator[Outcome]:
        """Yield a file's item unless another file speaks for it, and claim those of its set."""
        location, claims, alone = file.name, frozenset[str](), True
        if looked.xml:
            companion = omexml.metadata_file(looked.xml)
            if companion != file.base and companion in names:
                return
            every = omexml.file_names(looked.xml)
            alone = not every and not companion
            members = every & names
            if looked.header is None or file.base in members:
                claims = members
                if looked.header is None and members:
                    location = f"{folder}/{min(members)}" if folder else min(members)
        yield from self._places.announce(folder, context, file.name, looked.identity)
        self._claimed |= claims
        stamp = f"{file.stamp}:{context.token}"
        if not alone:
            stamp = f"{stamp};{siblings}/{'/'.join(sorted(claims - {file.base}))}"
        if looked.warning:
            yield Problem(file.name, looked.warning, severity="warning")
            stamp = ""
        item = self._made(folder, file, looked, location, context)
        yield pack(file.name, item, stamp if len(stamp) <= _LONGEST_STAMP else "")

    def _made(
        self, folder: str, file: Found, looked: Looked, location: str, context: Context
    ) -> Item:
        place = self._places.place(file.name, folder, context)
        native = self._places.names.of(file.name, looked.identity)
        native = "" if native == file.name else native
        if looked.hdf5 is not None:
            return Hdf5Item(file.name, file.size, looked.hdf5, place, native, looked.identity)
        if looked.header is None and not looked.xml:
            return UnreadItem(file.name, file.size, place, native, looked.identity)
        return FileItem(
            *(file.name, location, place, looked.header, looked.xml, native, looked.identity)
        )


def _digest(names: frozenset[str]) -> str:
    text = "/".join(sorted(names)).encode("utf-8", "surrogateescape")
    return blake2b(text, digest_size=8).hexdigest()
