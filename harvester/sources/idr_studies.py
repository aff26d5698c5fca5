"""The source ``idr-studies``: a folder of studies in the file format of the Image Data Resource.

One folder per study, files flat in it or in folders like ``screenA``: ``*-study.txt``,
``*-annotation.csv`` and ``*-bulkmap-config.yml``, each also with ``.gz``.
"""

from __future__ import annotations

import asyncio
import re
import stat
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import msgspec
from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field

from harvester.formats.crawl import FoundFile, read_file, unzip, walk_tree
from harvester.idr import bulkmap as idr_bulkmap
from harvester.idr.bulkmap import BulkColumn, read_bulkmap
from harvester.idr.items import StudyItem, decode_item, encode_item
from harvester.idr.rows import read_rows
from harvester.idr.study_records import read_study
from harvester.idr.table import Table, read_table, rows_item
from harvester.words.coerce import decode_text
from parfocal.errors import RecordInvalid, SourceError, SourceUnavailable
from parfocal.interfaces import Walk
from parfocal.model import Record
from parfocal.values import Fetched, Problem, RawItem

MAX_TABLE = 128_000_000
MAX_TEXT = 8_000_000
_STUDY = re.compile(r".*-study\.txt(?:\.gz)?", re.I | re.DOTALL)
_TABLE = re.compile(r".*-annotations?\.csv(?:\.gz)?", re.I | re.DOTALL)
_BULKMAP = re.compile(r".*-bulkmap-config\.ya?ml(?:\.gz)?", re.I | re.DOTALL)
_PART = re.compile(r"(?:screen|experiment)[A-Za-z0-9]{1,3}", re.I)


class IdrOptions(BaseModel):
    """What can be set for a source of this kind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path = Field(description="Folder of the studies, or of one study.")


class _Files(Struct, frozen=True):
    """The files of one study's folder, sorted; ``problems`` are those that cannot be looked at."""

    folder: str
    studies: tuple[FoundFile, ...] = ()
    tables: tuple[FoundFile, ...] = ()
    bulkmaps: tuple[FoundFile, ...] = ()
    problems: tuple[Problem, ...] = ()


_Place = tuple[str, bool, str, int]
"""Where a raw item stands in the walk: folder, whether a table, file, number of the run of rows."""


def _wanted(name: str) -> bool:
    return any(kind.fullmatch(name) for kind in (_STUDY, _TABLE, _BULKMAP))


def _plain(name: str) -> str:
    """Return a file's name without ``.gz``: compressing a file does not make it another."""
    return name[:-3] if name.lower().endswith(".gz") else name


def _place(key: str) -> _Place:
    file, _, number = key.rpartition("#")
    if "/" not in file:
        return key, False, "", 0
    return file.partition("/")[0], True, file, int(number) if number.isdigit() else 0


def _part(name: str) -> str:
    """Return the name of the screen or experiment that a file belongs to.

    >>> _part("idr0001-x/idr0001-screenA-annotation.csv"), _part("idr0001-x/experimentB/a.csv")
    ('screenA', 'experimentB')
    """
    folders, _, file = _plain(name).rpartition("/")
    for words in (file.split("-"), folders.split("/")[1:]):
        found = next((word for word in words if _PART.fullmatch(word)), None)
        if found:
            return found
    return re.sub(r"-(?:annotations?|bulkmap-config)\.(?:csv|ya?ml)$", "", file) or file


def _parts(files: Sequence[FoundFile]) -> tuple[str, ...]:
    """Return the containers of a study's tables; a second table of one container gets its own."""
    parts: list[str] = []
    for file in files:
        part = _part(file.name)
        same = sum(1 for before in parts if before.partition("~")[0] == part)
        parts.append(f"{part}~{same + 1}" if same else part)
    return tuple(parts)


def _once(files: list[FoundFile], problems: list[Problem]) -> tuple[FoundFile, ...]:
    """Keep one of two files that differ only by ``.gz``."""
    kept: dict[str, FoundFile] = {}
    for file in sorted(files, key=lambda found: (_plain(found.name), found.name)):
        beside = kept.setdefault(_plain(file.name), file)
        if beside is not file:
            reason = f"is left out: {beside.name} is beside it"
            problems.append(Problem(file.name, reason, severity="warning"))
    return tuple(kept.values())


def _not_a_folder(root: Path, folder: str) -> Problem | None:
    """Return what is wrong with an entry of the studies' folder, if it is worth telling."""
    try:
        folder.encode()
        if (root / folder).is_symlink() and not (root / folder).resolve().is_relative_to(root):
            return Problem(
                folder,
                "symbolic link leads out of the folder",
                hint="copy the study into the folder, or make its own folder a source",
            )
    except UnicodeEncodeError:
        return Problem(ascii(folder), "folder name is not UTF-8", hint="rename the folder")
    except (OSError, RuntimeError) as error:
        return Problem(folder, f"symbolic link cannot be followed: {error}")
    return None


def _look(root: Path, folder: str) -> _Files:
    """List the files of a study's folder."""
    wrong = _not_a_folder(root, folder)
    if wrong:
        return _Files(folder, problems=(wrong,))
    try:
        if not stat.S_ISDIR((root / folder).lstat().st_mode):
            return _Files(folder)
    except OSError as error:
        return _Files(folder, problems=(Problem(folder, f"cannot be read: {error.strerror}"),))
    groups: dict[re.Pattern[str], list[FoundFile]] = {_STUDY: [], _TABLE: [], _BULKMAP: []}
    problems: list[Problem] = []
    for found in walk_tree(root, _wanted, depth=3, below=folder):
        if isinstance(found, Problem):
            problems.append(msgspec.structs.replace(found, item=_plain(found.item)))
        else:
            kind = next(kind for kind in groups if kind.fullmatch(found.name))
            groups[kind].append(found)
    studies, tables, bulkmaps = (_once(files, problems) for files in groups.values())
    return _Files(folder, studies, tables, bulkmaps, tuple(problems))


def _read_text(file: FoundFile, limit: int, problems: list[Problem]) -> str:
    """Return a file's text; a guessed encoding is a warning."""
    content = read_file(file, limit)
    if file.name.lower().endswith(".gz"):
        content = unzip(content, file.name, limit)
    text, encoding = decode_text(content)
    if encoding != "utf-8":
        reason = f"is not UTF-8; read as {encoding}"
        problems.append(Problem(_plain(file.name), reason, "", "save the file as UTF-8", "warning"))
    return text


def _problem(file: FoundFile, error: SourceError) -> Problem:
    place = error.where.removeprefix(file.name).lstrip(", ")
    return Problem(_plain(file.name), error.message, place, error.hint)


def _read_study(files: _Files) -> tuple[list[Problem], RawItem | None]:
    problems = list(files.problems)
    texts = []
    for file in files.studies:
        try:
            texts.append(_read_text(file, MAX_TEXT, problems))
        except SourceError as error:
            problems.append(_problem(file, error))
    if not files.studies and not files.tables:
        return problems, None
    name = _plain(files.studies[0].name) if files.studies else files.folder
    item = StudyItem(files.folder, name, "\n".join(texts), _parts(files.tables))
    return problems, RawItem(files.folder, encode_item(item), files.folder)


def _read_bulkmap(files: _Files, part: str, problems: list[Problem]) -> tuple[BulkColumn, ...]:
    for file in files.bulkmaps:
        if _part(file.name) == part:
            try:
                text = _read_text(file, idr_bulkmap.MAX_BYTES, problems)
                return read_bulkmap(text, file.name)
            except SourceError as error:
                problems.append(_problem(file, error))
    return ()


class _Reading(Struct, frozen=True):
    """A table that was read, or only why it was not."""

    problems: list[Problem]
    table: Table | None = None
    bulkmap: tuple[BulkColumn, ...] = ()


def _read_table(files: _Files, file: FoundFile, container: str) -> _Reading:
    problems: list[Problem] = []
    bulkmap = _read_bulkmap(files, _part(file.name), problems)
    try:
        text = _read_text(file, MAX_TABLE, problems)
        table = read_table(text, _plain(file.name), container)
    except SourceError as error:
        return _Reading([*problems, _problem(file, error)])
    return _Reading([*problems, *table.warnings], table, bulkmap)


def _items(reading: _Reading, folder: str, container: str, file: str) -> Iterator[RawItem]:
    table = reading.table or Table((), (), ())
    for number, run in enumerate(table.runs):
        key = f"{file}#{number:04d}"
        item = rows_item(table, run, folder, container, file, reading.bulkmap)
        yield RawItem(key, encode_item(item), key)


class IdrStudies:
    """Studies in IDR's file format."""

    Options: ClassVar[type[IdrOptions]] = IdrOptions

    def __init__(self, name: str, options: IdrOptions) -> None:
        self.name = name
        self._path = options.path

    def _root(self) -> tuple[Path, list[str]]:
        """Return the folder to walk and the names of the study folders in it."""
        path = self._path
        hint = "check the source's path and its permissions"
        try:
            names = sorted(entry.name for entry in path.iterdir())
            path = path.resolve()
        except OSError as error:
            reason = f"cannot be read: {error.strerror}"
            raise SourceUnavailable(reason, where=str(path), hint=hint) from error
        if any(_wanted(name) or _PART.fullmatch(name) for name in names):
            return path.parent, [path.name]
        return path, [name for name in names if not name.startswith(".")]

    async def fetch(self, walk: Walk) -> AsyncIterator[Fetched]:
        """Yield each study's text, then its tables in runs of rows.

        Raises SourceUnavailable when the folder cannot be read.
        """
        root, folders = await asyncio.to_thread(self._root)
        after = _place(walk.cursor) if walk.cursor else ("", False, "", -1)
        for folder in folders:
            if folder < after[0]:
                continue
            files = await asyncio.to_thread(_look, root, folder)
            if (folder, False, "", 0) > after:
                problems, item = await asyncio.to_thread(_read_study, files)
                for found in (*problems, item):
                    if found is not None:
                        yield found
            async for found in _fetch_tables(files, after):
                yield found

    def normalise(self, item: RawItem) -> Iterable[Record | Problem]:
        """Yield the records of a study's text, or one for each row of a table."""
        try:
            content = decode_item(item.content)
            if isinstance(content, StudyItem):
                yield from read_study(content, self.name)
            else:
                yield from read_rows(content, self.name)
        except (msgspec.DecodeError, RecordInvalid) as error:
            yield Problem(item.key, f"cannot be understood: {error}")


async def _fetch_tables(files: _Files, after: _Place) -> AsyncIterator[RawItem | Problem]:
    """Yield a study's tables from after a place; what is wrong with one comes before its rows."""
    for file, part in zip(files.tables, _parts(files.tables), strict=True):
        name = _plain(file.name)
        begun = (files.folder, True, name, 0) <= after
        if begun and name != after[2]:
            continue
        container = f"{files.folder}/{part}"
        reading = await asyncio.to_thread(_read_table, files, file, container)
        for problem in () if begun else reading.problems:
            yield problem
        for item in _items(reading, files.folder, container, name):
            if _place(item.key) > after:
                yield item
