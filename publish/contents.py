"""What a draft would publish: records of the catalogue, and files, all within their folders."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

from msgspec import Struct

from parfocal.catalogue import Catalogue
from parfocal.errors import ParfocalError
from parfocal.identifiers import RecordId, parse_record_id, source_of
from parfocal.model import Image, Record, Viewer
from parfocal.values import Finding
from publish.draft import Draft

MAX_FINDINGS = 100
_CHILDREN = 1_000
_METADATA = 4_000_000
"""Bytes at either end of a file in which its OME-XML is looked for."""
ZARR_METADATA = ("zarr.json", ".zattrs", ".zgroup", ".zarray", ".zmetadata")
_FILE_NAME = re.compile(rb'FileName="([^"/\\\\<>]{1,255})"')


class DataFile(Struct, frozen=True):
    """A file to publish: its path within the package, where it is now, its size and format."""

    path: str
    source: Path
    size: int
    format: str = ""


class Contents(Struct, frozen=True):
    """What a draft would publish. ``findings`` are files that cannot be, or should be looked at."""

    records: int = 0
    images: int = 0
    files: tuple[DataFile, ...] = ()
    findings: tuple[Finding, ...] = ()
    thumbnail: str = ""

    @property
    def size(self) -> int:
        """Return the number of bytes of all files."""
        return sum(file.size for file in self.files)


def records_of(catalogue: Catalogue, ids: Iterable[str], viewer: Viewer) -> Iterator[Record]:
    """Yield the records with all that lies in them, parents first, as far as the viewer sees them.

    RecordNotFound when one of the ids is not there for this viewer.
    """
    seen: set[RecordId] = set()
    waiting = [catalogue.view(parse_record_id(text), viewer).record for text in reversed([*ids])]
    while waiting:
        record = waiting.pop()
        if record.id in seen:
            continue
        seen.add(record.id)
        yield record
        if not isinstance(record, Image):
            waiting.extend(reversed(_children(catalogue, record.id, viewer)))


def _children(catalogue: Catalogue, id: RecordId, viewer: Viewer) -> list[Record]:
    found: list[Record] = []
    after = 0
    while page := catalogue.children(id, viewer, after=after, limit=_CHILDREN):
        found += [change.record for change in page if change.record is not None]
        after = page[-1].seq
    return found


def gather(catalogue: Catalogue, draft: Draft, viewer: Viewer) -> Contents:
    """Find all records and files of a draft; what cannot be published becomes a finding."""
    gathering = _Gathering(catalogue)
    try:
        for record in records_of(catalogue, draft.records, viewer):
            gathering.record(record)
    except ParfocalError as error:
        gathering.find("records", error.message, error.hint or "parfocal search finds identifiers")
    if draft.folder:
        gathering.folder(Path(draft.folder))
    return gathering.contents()


class _Gathering:
    def __init__(self, catalogue: Catalogue) -> None:
        self.roots = {
            source.name: Path(str(source.options["path"]))
            for source in catalogue.settings.sources
            if source.kind == "local" and source.options.get("path")
        }
        self.files: dict[str, DataFile] = {}
        self.findings: list[Finding] = []
        self.looked_at: set[Path] = set()
        self.records = 0
        self.images = 0
        self.private: set[str] = set()
        self.thumbnail = ""

    def find(self, place: str, message: str, hint: str, *, warning: bool = False) -> None:
        severity = "warning" if warning else "error"
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(Finding("files", place, message, hint, severity))  # type: ignore[arg-type]

    def record(self, record: Record) -> None:
        self.records += 1
        self.private.update(record.access.groups)
        if not self.thumbnail and record.thumbnail.startswith("https://"):
            self.thumbnail = record.thumbnail
        if isinstance(record, Image):
            self.images += 1
            root = self.roots.get(source_of(record.id))
            if root is not None and record.location and "://" not in record.location:
                self.located(root, source_of(record.id), record)

    def located(self, root: Path, source: str, image: Image) -> None:
        """Take the file or OME-Zarr folder of an image, with the other files of its set."""
        path = root / PurePosixPath(image.location)
        described = root / PurePosixPath(image.provenance.url)
        if path in self.looked_at:
            return
        self.looked_at.add(path)
        self.tree(root, path, f"data/{source}", image.format, image.id)
        for member in _above_in_zarr(root, path):
            self.tree(root, member, f"data/{source}", image.format, image.id)
        if image.format.startswith("OME-TIFF") and _is_inside(root, described):
            for member in (described, *_members_of_set(described)):
                if member not in self.looked_at and member.is_file():
                    self.looked_at.add(member)
                    self.tree(root, member, f"data/{source}", image.format, image.id)

    def folder(self, root: Path) -> None:
        """Take all files of a folder."""
        if not root.is_dir():
            self.find("folder", f"{str(root)!r} is no folder", "name a folder that is there")
            return
        before = len(self.files)
        self.tree(root, root, "data", "", "folder")
        if len(self.files) == before:
            self.find("folder", "the folder holds no files", "put files into it")

    def tree(self, root: Path, path: Path, prefix: str, form: str, place: str) -> None:
        """Take a file, or all files below a folder, without following links."""
        for file in _walk(root, path, lambda message: self.refuse(place, message)):
            relative = file.relative_to(root).as_posix()
            if not _writable_name(relative):
                self.refuse(place, f"{relative!r} is no name for a file in a package")
                continue
            name = f"{prefix}/{relative}"
            self.files[name] = DataFile(name, file, file.lstat().st_size, form)

    def refuse(self, place: str, message: str) -> None:
        self.find(place, message, "mend the file, or take its record out of the draft")

    def contents(self) -> Contents:
        if self.private:
            groups = ", ".join(sorted(self.private))
            hint = "go on only if the group agrees"
            message = f"records that only {groups} may see become public"
            self.find("records", message, hint, warning=True)
        files = tuple(self.files[name] for name in sorted(self.files))
        return Contents(self.records, self.images, files, tuple(self.findings), self.thumbnail)


def _is_inside(root: Path, path: Path) -> bool:
    """Whether a plain file lies within its root, and is reached without leaving it."""
    try:
        return path.is_file() and path.resolve().is_relative_to(root.resolve())
    except (OSError, ValueError):
        return False


def _above_in_zarr(root: Path, path: Path) -> list[Path]:
    """Return what an image within an OME-Zarr plate or collection needs of the levels above it."""
    if not path.is_relative_to(root):
        return []
    parts = path.relative_to(root).parts
    top = next((n for n, part in enumerate(parts, 1) if part.endswith(".zarr")), len(parts))
    levels = [root.joinpath(*parts[:n]) for n in range(top, len(parts))]
    wanted = [level / name for level in levels for name in ZARR_METADATA]
    wanted += [level / "OME" for level in levels[:1]]
    return [member for member in wanted if os.path.lexists(member)]


def _members_of_set(path: Path) -> list[Path]:
    """Return the files beside an OME file that its metadata names as parts of the same set."""
    try:
        with path.open("rb") as file:
            text = file.read(_METADATA)
            file.seek(max(file.seek(0, os.SEEK_END) - _METADATA, 0))
            text += file.read(_METADATA)
    except OSError:
        return []
    names = {name.decode("utf-8", "replace") for name in _FILE_NAME.findall(text)}
    return [path.with_name(name) for name in sorted(names) if name not in (".", "..")]


def _writable_name(relative: str) -> bool:
    try:
        relative.encode()
    except UnicodeEncodeError:
        return False
    plain = all(ord(letter) >= 32 and letter not in "\\\x7f" for letter in relative)
    return plain and len(relative) < 1_000


def _is_wanted(name: str) -> bool:
    """Whether a file is no hidden one; the hidden ones of OME-Zarr are needed."""
    return not name.startswith(".") or name in ZARR_METADATA


def _walk(root: Path, path: Path, refuse: Callable[[str], None]) -> Iterator[Path]:
    """Yield the plain files at or below a path that lies within its root, in order of name."""
    try:
        inside = path.resolve(strict=True).is_relative_to(root.resolve(strict=True))
        parts = path.relative_to(root).parts
    except (OSError, ValueError) as error:
        refuse(f"{path.name!r} cannot be read: {getattr(error, 'strerror', None) or error}")
        return
    if not inside or ".." in parts:
        refuse(f"{path.name!r} lies outside the folder of its source")
        return
    waiting = [path]
    while waiting:
        current = waiting.pop()
        try:
            mode = current.lstat().st_mode
            if stat.S_ISDIR(mode):
                names = sorted(entry.name for entry in os.scandir(current))
                waiting.extend(current / name for name in reversed(names) if _is_wanted(name))
            elif stat.S_ISREG(mode):
                yield current
            else:
                refuse(f"{current.name!r} is a link or no plain file; it is not followed")
        except OSError as error:
            refuse(f"{current.name!r} cannot be read: {error.strerror}")


def is_folder(text: str) -> bool:
    """Whether what was asked to publish is a folder on this disk and no record.

    >>> is_folder("idr:idr0001-graml-sysgro")
    False
    """
    return ":" not in text and Path(text).is_dir()
