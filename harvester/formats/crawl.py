"""Walking a folder tree and reading untrusted files: bounded, and never out of the tree."""

from __future__ import annotations

import gzip
import io
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct

from parfocal.errors import SourceMalformed, SourceRefused
from parfocal.values import Problem

MAX_DEPTH = 32
MAX_ENTRIES = 1_000_000


class FoundFile(Struct, frozen=True, order=True):
    """A regular file of the tree; ``name`` is its path below the root, with slashes."""

    name: str
    path: Path
    size: int


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _linked(root: Path, entry: os.DirEntry[str], name: str) -> FoundFile | Problem:
    """Judge a symbolic link: only a link to a regular file within the root counts."""
    try:
        target = Path(entry.path).resolve(strict=True)
        facts = target.stat()
    except (OSError, RuntimeError) as error:
        why = _reason(error) if isinstance(error, OSError) else "it leads round in a circle"
        return Problem(name, f"symbolic link cannot be followed: {why}")
    if not target.is_relative_to(root):
        return Problem(
            name,
            "symbolic link leads out of the folder",
            hint="copy the file into the folder, or make its own folder a source",
        )
    if not stat.S_ISREG(facts.st_mode):
        return Problem(
            name, "symbolic link to a folder is not followed", "", "", severity="warning"
        )
    return FoundFile(name, target, facts.st_size)


def _entries(folder: Path, name: str) -> list[os.DirEntry[str]] | Problem:
    try:
        with os.scandir(folder) as listing:
            return sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        return Problem(
            name or ".",
            f"folder cannot be read: {_reason(error)}",
            hint="check the folder's permissions",
        )


def _judge(root: Path, entry: os.DirEntry[str], name: str) -> FoundFile | Problem:
    try:
        name.encode()
    except UnicodeEncodeError:
        return Problem(ascii(name), "file name is not UTF-8", hint="rename the file")
    try:
        if entry.is_symlink():
            return _linked(root, entry, name)
        facts = entry.stat(follow_symlinks=False)
    except OSError as error:
        return Problem(name, f"cannot be looked at: {_reason(error)}")
    if not stat.S_ISREG(facts.st_mode):
        return Problem(name, "is a device, pipe or socket, not a file", hint="remove it")
    return FoundFile(name, Path(entry.path), facts.st_size)


def walk_tree(
    root: Path, wanted: Callable[[str], bool], *, depth: int = MAX_DEPTH, below: str = ""
) -> Iterator[FoundFile | Problem]:
    """Yield the wanted files below a folder, sorted by name; what cannot be read as Problem.

    ``wanted`` gets a file's path below ``root``, with slashes; hidden files and folders are left
    out. Nothing outside ``root`` is read; links are not followed into folders.
    """
    listing = _entries(root / below if below else root, below)
    if isinstance(listing, Problem):
        yield listing
        return
    if len(listing) > MAX_ENTRIES:
        yield Problem(below or ".", f"folder has more than {MAX_ENTRIES} entries")
        return
    real = root.resolve()
    for entry in listing:
        name = f"{below}/{entry.name}" if below else entry.name
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            if depth <= 0:
                yield Problem(name, "folders are nested too deeply")
            else:
                yield from walk_tree(root, wanted, depth=depth - 1, below=name)
        elif wanted(name) or (entry.is_symlink() and entry.is_dir()):
            yield _judge(real, entry, name)


def read_file(file: FoundFile, limit: int) -> bytes:
    """Return a file's content.

    Raises SourceRefused when it cannot be opened, SourceMalformed beyond ``limit`` bytes.
    """
    try:
        handle = os.open(file.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        with os.fdopen(handle, "rb") as stream:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise SourceRefused("is not a regular file", where=file.name)
            content = stream.read(limit + 1)
    except OSError as error:
        raise SourceRefused(
            f"cannot be read: {_reason(error)}", where=file.name, hint="check its permissions"
        ) from error
    if len(content) > limit:
        raise _too_large(file.name, limit)
    return content


def _too_large(where: str, limit: int) -> SourceMalformed:
    return SourceMalformed(
        f"is larger than {limit // 1_000_000} MB", where=where, hint="split the file"
    )


def unzip(content: bytes, where: str, limit: int) -> bytes:
    """Return what a gzip file holds.

    Raises SourceMalformed when it is damaged, cut short, or holds more bytes than ``limit``.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            plain = stream.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceMalformed(
            f"is not a whole gzip file: {error}", where=where, hint="compress or copy it again"
        ) from error
    if len(plain) > limit:
        raise _too_large(where, limit)
    return plain
