"""Walks a folder of images in a fixed order and reads headers and metadata; interprets nothing."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec import Struct

from harvester import omexml
from harvester.crawl import MAX_DEPTH, MAX_ENTRIES, FoundFile, read_file
from harvester.lab_files import READ_AHEAD, Content, kind_of, read_all
from harvester.lab_items import (
    ContainerItem,
    FileItem,
    GroupItem,
    Place,
    PlateItem,
    StudyItem,
    damage_of,
    pack,
)
from harvester.sidecar import (
    CSV_NAME,
    MAX_BYTES,
    TOML_NAME,
    DatasetFacts,
    Rules,
    read_csv,
    read_toml,
)
from harvester.zarr_tree import MARKS, Group, PlateGroup, Tree, read_group
from parfocal.errors import SourceError, SourceUnavailable
from parfocal.model import KeyValue
from parfocal.values import Problem, RawItem

Outcome = RawItem | Problem


class Context(Struct, frozen=True):
    """What a folder takes from those above it."""

    study: str
    title: str
    declared: bool = False
    dataset: DatasetFacts | None = None
    access: tuple[str, ...] = ()
    rules: tuple[tuple[str, Rules], ...] = ()

    def pairs(self, path: str) -> tuple[KeyValue, ...]:
        """Return the key-values that sidecars give to a path below the root."""
        found: list[KeyValue] = []
        for folder, rules in self.rules:
            found.extend(rules.pairs(path[len(folder) + 1 :] if folder else path))
        return tuple(dict.fromkeys(found))


class Listing(Struct, frozen=True):
    """What lies directly in a folder, sorted."""

    files: tuple[FoundFile, ...]
    folders: tuple[str, ...]
    names: frozenset[str]
    problems: tuple[Problem, ...]


def _cursor_parts(cursor: str | None) -> tuple[str, ...] | None:
    if not cursor:
        return None
    return () if cursor == "." else tuple(cursor.split("/"))


def _parts(path: str) -> tuple[str, ...]:
    return tuple(path.split("/")) if path else ()


class TreeWalk:
    """One walk over a root folder; ``items`` may be called once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tree = Tree(root)
        self.real = Path(os.path.realpath(root))
        name = self.real.name or "files"
        self.name = f"{name}#files" if (root / name).is_dir() else name
        self._announced: set[str] = set()

    def items(self, cursor: str | None) -> Generator[Outcome]:
        """Yield raw items and problems, folder by folder, from after a cursor."""
        if not self.root.is_dir():
            raise SourceUnavailable(
                "there is no such folder", where=str(self.root), hint="set path of this source"
            )
        after = _cursor_parts(cursor)
        waiting: list[tuple[str, Context]] = [("", Context(self.name, self.real.name))]
        with ThreadPoolExecutor(READ_AHEAD, thread_name_prefix="read") as pool:
            while waiting:
                path, above = waiting.pop()
                below: list[tuple[str, Context]] = []
                with closing(self._visit(path, above, after, below, pool)) as found:
                    yield from _mark_end(found, path)
                waiting.extend(reversed(below))

    def _visit(
        self,
        path: str,
        above: Context,
        after: tuple[str, ...] | None,
        below: list[tuple[str, Context]],
        pool: ThreadPoolExecutor,
    ) -> Generator[Outcome]:
        """Yield what one folder holds, and say in ``below`` which folders come next."""
        parts = _parts(path)
        if after is not None and parts < after[: len(parts)]:
            return
        listing = self._listing(path)
        if isinstance(listing, Problem):
            yield listing
            return
        done = after is not None and parts <= after
        folder, context = path, above
        if path and listing.names & MARKS:
            folder = path.rpartition("/")[0]
            found = self._zarr(path, listing, above, below)
        else:
            own, problems = self._context(path, listing, above)
            if own is None:
                yield from problems
                return
            context = own
            below.extend((folder, context) for folder in listing.folders)
            found = self._folder(path, listing, context, problems, pool)
        if not done:
            yield from found
            return
        # Nothing is yielded again, but what the folder announced must not be announced again.
        for _ in found:
            if {context.study, self._parent(folder, context)} <= self._announced:
                break

    # -------------------------------------------------------------- folders

    def _listing(self, path: str) -> Listing | Problem:
        try:
            with os.scandir(self.root / path) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            reason = f"folder cannot be read: {error.strerror or error}"
            return Problem(path or self.name, reason, hint="check the folder's permissions")
        if len(entries) > MAX_ENTRIES:
            return Problem(path or self.name, f"folder has more than {MAX_ENTRIES} entries")
        if len(_parts(path)) > MAX_DEPTH:
            return Problem(path, "folders are nested too deeply")
        files: list[FoundFile] = []
        folders: list[str] = []
        problems: list[Problem] = []
        for entry in entries:
            if not entry.name.startswith("."):
                self._sort_in(path, entry, files, folders, problems)
        names = frozenset(entry.name for entry in entries)
        return Listing(tuple(files), tuple(folders), names, tuple(problems))

    def _sort_in(
        self,
        path: str,
        entry: os.DirEntry[str],
        files: list[FoundFile],
        folders: list[str],
        problems: list[Problem],
    ) -> None:
        name = f"{path}/{entry.name}" if path else entry.name
        wanted = kind_of(entry.name) or entry.name in (CSV_NAME, TOML_NAME)
        try:
            name.encode()
            linked = entry.is_symlink()
            if linked and (wanted or entry.is_dir()) and not self.tree.holds(name):
                hint = "copy it into the folder, or make its own folder a source"
                problems.append(Problem(name, "symbolic link leads out of the folder", hint=hint))
            elif entry.is_dir():
                if not linked:
                    folders.append(name)
            elif wanted and entry.is_file():
                place = self.tree.root / name
                files.append(FoundFile(name, Path(os.path.realpath(place)) if linked else place, 0))
            elif wanted:
                problems.append(Problem(name, "is no file, or a link to nothing"))
        except UnicodeEncodeError:
            problems.append(Problem(ascii(name), "file name is not UTF-8", hint="rename it"))
        except OSError as error:
            problems.append(Problem(name, f"cannot be looked at: {error.strerror}"))

    def _context(
        self, path: str, listing: Listing, above: Context
    ) -> tuple[Context | None, list[Problem]]:
        """Read a folder's sidecars.

        A damaged ``parfocal.toml`` closes the folder, as it may say who sees what.
        """
        context, problems = above, []
        if path and "/" not in path and not above.declared:
            context = msgspec.structs.replace(context, study=path, title=path, dataset=None)
        files = {file.name.rpartition("/")[2]: file for file in listing.files}
        rules: list[tuple[str, Rules]] = []
        try:
            if TOML_NAME in files:
                toml = read_toml(read_file(files[TOML_NAME], MAX_BYTES))
                context = self._declared(path, context, toml.dataset)
                rules.append((path, Rules(toml.rules)))
        except SourceError as error:
            reason = f"{TOML_NAME}: {error.message}; the folder is left as it was"
            return None, [Problem(path or self.name, reason, error.where, error.hint)]
        try:
            if CSV_NAME in files:
                table, bad = read_csv(read_file(files[CSV_NAME], MAX_BYTES))
                rules.append((path, table))
                problems += [Problem(files[CSV_NAME].name, reason, place) for place, reason in bad]
        except SourceError as error:
            problems.append(Problem(files[CSV_NAME].name, error.message, error.where, error.hint))
        given = tuple((folder, rule) for folder, rule in rules if rule)
        return msgspec.structs.replace(context, rules=(*context.rules, *given)), problems

    def _declared(self, path: str, context: Context, dataset: DatasetFacts | None) -> Context:
        if dataset is None:
            return context
        return msgspec.structs.replace(
            context,
            study=path or self.name,
            title=dataset.title or path.rpartition("/")[2] or self.real.name,
            declared=True,
            dataset=dataset,
            access=context.access if dataset.access is None else dataset.access,
        )

    def _parent(self, path: str, context: Context) -> str:
        return context.study if path in ("", context.study) else path

    def _announce(self, path: str, context: Context) -> Iterator[RawItem]:
        """Yield the study and the container of a folder, once."""
        parent = self._parent(path, context)
        if context.study not in self._announced:
            self._announced.add(context.study)
            item = StudyItem(context.study, context.title, context.access, context.dataset)
            yield pack(context.study, item)
        if parent not in self._announced:
            self._announced.add(parent)
            place = Place(context.study, context.study, context.access)
            yield pack(parent, ContainerItem(parent, path.rpartition("/")[2], place))

    def _place(self, path: str, folder: str, context: Context) -> Place:
        parent = self._parent(folder, context)
        return Place(context.study, parent, context.access, context.pairs(path))

    # -------------------------------------------------------------- files

    def _folder(
        self,
        path: str,
        listing: Listing,
        context: Context,
        problems: Iterable[Problem],
        pool: ThreadPoolExecutor,
    ) -> Iterator[Outcome]:
        yield from listing.problems
        yield from problems
        images = [file for file in listing.files if kind_of(file.name)]
        images.sort(key=lambda file: (kind_of(file.name) != "xml", file.name))
        claimed: set[str] = set()
        for file, read in read_all(images, pool):
            if isinstance(read, Problem):
                yield read
            elif file.name.rpartition("/")[2] not in claimed:
                item = self._file(path, file, read, listing.names, context, claimed)
                if item is not None:
                    yield from self._announce(path, context)
                    yield item
            elif read[0] is not None and read[0].damage:
                yield damage_of(file.name, read[0])  # another file of its set speaks for it

    def _file(
        self,
        folder: str,
        file: FoundFile,
        read: Content,
        siblings: frozenset[str],
        context: Context,
        claimed: set[str],
    ) -> RawItem | None:
        """Make a file's item, and claim the files of its set; None if another speaks for it."""
        header, xml = read
        own = file.name.rpartition("/")[2]
        location = file.name
        if xml:
            companion = omexml.metadata_file(xml)
            if companion != own and companion in siblings:
                return None
            members = omexml.file_names(xml) & siblings
            if header is None or own in members:
                claimed |= members
                if header is None and members:
                    location = f"{folder}/{min(members)}" if folder else min(members)
        place = self._place(file.name, folder, context)
        return pack(file.name, FileItem(file.name, location, place, header, xml))

    # -------------------------------------------------------------- OME-Zarr

    def _zarr(
        self, path: str, listing: Listing, context: Context, below: list[tuple[str, Context]]
    ) -> Iterator[Outcome]:
        """Yield what a zarr folder holds; one without OME metadata is like any folder."""
        folder = path.rpartition("/")[0]
        empty = True
        try:
            for found in read_group(self.tree, path):
                empty = False
                if isinstance(found, tuple):
                    yield Problem(found[0], found[1])
                    continue
                yield from self._announce(folder, context)
                yield self._group(found, folder, context)
        except SourceError as error:
            yield Problem(path, error.message, error.where, error.hint)
            return
        except OSError as error:
            yield Problem(path, f"cannot be read: {error.strerror or error}")
            return
        if empty:
            below.extend((name, context) for name in listing.folders if not self._is_array(name))
            if path.endswith(".zarr"):
                hint = "an OME-Zarr group has multiscales, plate or bioformats2raw.layout"
                yield Problem(path, "no OME-Zarr metadata", hint=hint)

    def _is_array(self, path: str) -> bool:
        place = self.root / path
        return (place / ".zarray").exists() or (place / "c").is_dir()

    def _group(self, found: Group | PlateGroup, folder: str, context: Context) -> RawItem:
        place = self._place(found.path, folder, context)
        if isinstance(found, PlateGroup):
            return pack(found.path, PlateItem(found, place))
        return pack(found.path, GroupItem(found, place))


def _mark_end(outcomes: Iterable[Outcome], path: str) -> Iterator[Outcome]:
    """Give the last raw item of a folder the cursor from which a walk resumes after it."""
    last: RawItem | None = None
    for outcome in outcomes:
        if isinstance(outcome, Problem):
            yield outcome
            continue
        if last is not None:
            yield last
        last = outcome
    if last is not None:
        yield msgspec.structs.replace(last, cursor=path or ".")
