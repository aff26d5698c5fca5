"""Walks a folder of images in a fixed order and reads headers and metadata; interprets nothing.

What a folder, plate or archive holds is not opened again while names, sizes and times, and the
sidecars above, are as they were when it was last read whole.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from hashlib import blake2b
from pathlib import Path

import msgspec

from harvester.formats.archives import open_archive
from harvester.formats.hdf5_process import Hdf5Reader
from harvester.formats.ome_parts import ImageParts, field_number
from harvester.formats.zarr_tree import (
    MARKS,
    MAX_METADATA_XML,
    METADATA,
    Group,
    PlateGroup,
    read_group,
)
from harvester.lab.context import Context, context_of
from harvester.lab.files import READ_AHEAD
from harvester.lab.folder import FolderReader
from harvester.lab.items import GroupItem, PlateItem, ReadItem, pack
from harvester.lab.kinds import is_part, kind_of
from harvester.lab.places import Names, Places
from harvester.lab.plates import PlateReader, PlateRest
from harvester.lab.tree import DiskTree, Found, LabTree, Listing
from parfocal.errors import SourceError, SourceUnavailable
from parfocal.interfaces import Walk
from parfocal.values import Problem, RawItem, Unchanged

Outcome = RawItem | Unchanged | Problem
Waiting = tuple[str, Context, bool]
"""Path of a folder or archive, what it takes from above, whether it is an archive."""
_LARGE_FOLDER = 64


def _parts(path: str) -> tuple[str, ...]:
    return tuple(path.split("/")) if path else ()


def _cursor_parts(cursor: str) -> tuple[str, ...] | None:
    if not cursor:
        return None
    return () if cursor == "." else tuple(cursor.split("/"))


class TreeWalk:
    """One walk over a root folder; ``items`` may be called once."""

    def __init__(self, root: Path, walk: Walk) -> None:
        self.root = root
        real = Path(os.path.realpath(root))
        self.title = real.name or "files"
        self.name = f"{self.title}#files" if (root / self.title).is_dir() else self.title
        self._tree = DiskTree(root, self.name)
        self._walk = walk
        self._after = _cursor_parts(walk.cursor)
        self._hdf5 = Hdf5Reader()
        self._places = Places(self.name, Names(walk, self._exists), walk)

    def _exists(self, key: str) -> bool:
        """Whether there is anything on the disk at the path of a raw key."""
        inside = key.partition("!/")[0].removesuffix("!")
        return key == self.name or any(
            os.path.lexists(self.root / path) for path in {inside, inside.partition("#")[0]} if path
        )

    def items(self) -> Generator[Outcome]:
        """Yield raw items and problems, folder by folder, from after the walk's cursor."""
        if not self.root.is_dir():
            raise SourceUnavailable(
                "there is no such folder", where=str(self.root), hint="set path of this source"
            )
        start = ("", Context(self.name, self.title), False)
        with (
            closing(self._hdf5),
            ThreadPoolExecutor(READ_AHEAD, thread_name_prefix="read") as pool,
        ):
            yield from self._below(self._tree, start, pool)

    def _below(
        self, tree: LabTree, start: Waiting, pool: ThreadPoolExecutor | None
    ) -> Generator[Outcome]:
        """Yield what a folder of a tree holds, and all folders below it."""
        waiting = [start]
        while waiting:
            path, above, archive = waiting.pop()
            below: list[Waiting] = []
            found = (
                self._archive(path, above) if archive
                else self._visit(tree, path, above, below, pool)
            )  # fmt: skip
            with closing(found):
                yield from found
            waiting.extend(sorted(below, key=lambda one: _parts(one[0]), reverse=True))

    def _is_before(self, path: str) -> bool:
        """Whether a folder, and all below it, was finished before the cursor."""
        return self._after is not None and _parts(path) < self._after[: len(_parts(path))]

    def _visit(
        self,
        tree: LabTree,
        path: str,
        above: Context,
        below: list[Waiting],
        pool: ThreadPoolExecutor | None,
    ) -> Generator[Outcome]:
        """Yield what one folder holds, and say in ``below`` which folders come next."""
        if self._is_before(path):
            return
        listing = tree.listing(path)
        if isinstance(listing, Problem):
            yield listing
            return
        if path and listing.names & MARKS:
            folder, context = path.rpartition("/")[0], above
            found = self._zarr(tree, path, listing, above, below)
        else:
            own, problems = context_of(tree, path, self.name, listing, above)
            if own is None:
                yield from problems
                return
            folder, context = path, own
            found = self._folder(tree, path, listing, own, problems, below, pool)
        if self._after is None or _parts(path) > self._after:
            with closing(_mark_end(found, path)) as marked:
                yield from marked
            return
        # Nothing is yielded again, but what the folder announced must not be announced again.
        with closing(found):
            for _ in found:
                if self._places.announced(folder, context):
                    break

    # -------------------------------------------------------------- folders

    def _folder(
        self,
        tree: LabTree,
        path: str,
        listing: Listing,
        context: Context,
        problems: list[Problem],
        below: list[Waiting],
        pool: ThreadPoolExecutor | None,
    ) -> Generator[Outcome]:
        """Yield what an ordinary folder holds: plates, then files; archives and folders wait."""
        plates = PlateReader(tree, self._places, self._walk, pool)
        rest = plates.claim(path, listing)
        for file in rest.files:
            if kind_of(file.base) == "archive":
                below.append((f"{file.name}!", context, True))
        inner = (folder for folder in rest.folders if not is_part(folder, listing.names))
        below.extend((folder, context, False) for folder in inner)
        yield from listing.problems
        yield from problems
        yield from plates.items(rest, path, context)
        yield from self._files(tree, path, listing, rest, context, pool, problems)

    def _files(
        self,
        tree: LabTree,
        path: str,
        listing: Listing,
        rest: PlateRest,
        context: Context,
        pool: ThreadPoolExecutor | None,
        problems: list[Problem],
    ) -> Generator[Outcome]:
        """Yield the items of a folder's files; of a large one that is as it was, only that."""
        whole = len(rest.files) >= _LARGE_FOLDER and not listing.folders and not rest.plates
        key = self._places.parent(path, context) if path else ""
        stamp = f"{listing.digest()}:{context.token}" if whole else ""
        mark = f"{key or self.name}#read"
        if stamp and self._walk.stamp(mark) == stamp:
            yield from self._places.announce(path, context)
            yield Unchanged(key, below=True)
            return
        reader = FolderReader(tree, self._places, self._walk, pool, self._hdf5)
        clean = not (listing.problems or problems)
        for outcome in reader.items(path, rest.files, listing.names, context):
            clean = clean and not isinstance(outcome, Problem)
            yield outcome
        if stamp and clean and self._places.announced(path, context):
            yield pack(mark, ReadItem(), stamp)

    # -------------------------------------------------------------- archives

    def _archive(self, path: str, context: Context) -> Generator[Outcome]:
        """Yield what an archive holds; ``path`` ends in ``!``."""
        if self._is_before(path):
            return
        archive = path[:-1]
        folder, _, base = archive.rpartition("/")
        listing = self._tree.listing(folder)
        files = listing.files if isinstance(listing, Listing) else ()
        file = next((found for found in files if found.base == base), None)
        if file is None:
            yield Problem(path, "the archive is gone")
            return
        mark, stamp = f"{path}#read", f"{file.stamp}:{context.token}"
        if self._walk.stamp(mark) == stamp:
            yield Unchanged(path, below=True)
            return
        yield from self._opened(path, archive, file, context, stamp)

    def _opened(
        self, path: str, archive: str, file: Found, context: Context, stamp: str
    ) -> Generator[Outcome]:
        clean = True
        try:
            with open_archive(archive, self._tree.opened(file)) as tree:
                for outcome in self._below(tree, (path, context, False), None):
                    clean = clean and not isinstance(outcome, Problem)
                    yield outcome
        except SourceError as error:
            yield Problem(path, error.message, error.where, error.hint)
            return
        except OSError as error:
            yield Problem(path, f"cannot be read: {error.strerror or error}")
            return
        if clean:
            yield pack(f"{path}#read", ReadItem(), stamp)

    # -------------------------------------------------------------- OME-Zarr

    def _zarr(
        self,
        tree: LabTree,
        path: str,
        listing: Listing,
        context: Context,
        below: list[Waiting],
    ) -> Generator[Outcome]:
        """Yield what a zarr folder holds; one without OME metadata is like any folder."""
        folder = path.rpartition("/")[0]
        empty, plate, parts = True, "", ImageParts(b"")
        try:
            for found in read_group(tree, path):
                empty = False
                if isinstance(found, tuple):
                    yield Problem(found[0], found[1])
                    continue
                if isinstance(found, PlateGroup):
                    parts = ImageParts(tree.read(f"{path}/{METADATA}", MAX_METADATA_XML) or b"")
                    if parts.problem:
                        yield Problem(f"{path}/{METADATA}", parts.problem, severity="warning")
                elif found.well:
                    xml = parts.of(found.well, field_number(found.path))
                    found = msgspec.structs.replace(found, xml=xml)
                identity = _group_identity(found)
                yield from self._places.announce(folder, context, path, identity)
                item = self._group(found, folder, context, identity, plate)
                plate = item.native if isinstance(item, PlateItem) else plate
                yield pack(found.path, item)
        except SourceError as error:
            yield Problem(path, error.message, error.where, error.hint)
            return
        except OSError as error:
            yield Problem(path, f"cannot be read: {error.strerror or error}")
            return
        if empty:
            inner = (name for name in listing.folders if not self._is_array(tree, name))
            below.extend((name, context, False) for name in inner)
            if path.endswith(".zarr"):
                hint = "an OME-Zarr group has multiscales, plate or bioformats2raw.layout"
                yield Problem(path, "no OME-Zarr metadata", hint=hint)

    def _is_array(self, tree: LabTree, path: str) -> bool:
        listing = tree.listing(path)
        if isinstance(listing, Problem):
            return False
        return ".zarray" in listing.names or f"{path}/c" in listing.folders

    def _group(
        self, found: Group | PlateGroup, folder: str, context: Context, identity: str, plate: str
    ) -> GroupItem | PlateItem:
        place = self._places.place(found.path, folder, context)
        native = self._places.names.of(found.path, identity)
        if isinstance(found, PlateGroup):
            return PlateItem(found, place, native, identity)
        return GroupItem(found, place, native, identity, plate)


def _group_identity(found: Group | PlateGroup) -> str:
    """Stand for the documents of a group; its pixels are not looked at."""
    digest = blake2b(digest_size=16)
    for name, content in sorted(found.documents.items()):
        digest.update(f"{name}\0{len(content)}\0".encode("utf-8", "replace") + content)
    return digest.hexdigest()


def _mark_end(outcomes: Iterable[Outcome], path: str) -> Generator[Outcome]:
    """Give the last item of a folder the cursor from which a walk resumes after it."""
    last: RawItem | Unchanged | None = None
    for outcome in outcomes:
        if isinstance(outcome, Problem):
            yield outcome
            continue
        if last is not None:
            yield last
        last = outcome
    if last is not None:
        yield msgspec.structs.replace(last, cursor=path or ".")
