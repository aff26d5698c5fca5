"""One process at a time.

A lock file says who holds it since when, and dies with its process.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from parfocal.errors import StoreError, StoreLocked


class Hold:
    """A lock file that one process at a time holds; taking and giving it back may be repeated."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def take(self) -> bool:
        """Take the lock; whether it is held now. Raises StoreError when it cannot be written."""
        if self._file is not None:
            return True
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = self._path.open("a+", encoding="utf-8")
        except OSError as error:
            raise StoreError(
                f"cannot be written: {error.strerror}", where=str(self._path)
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        file.truncate(0)
        file.write(f"process {os.getpid()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")
        file.flush()
        self._file = file
        return True

    def holder(self) -> str:
        """Return who wrote into the file last: the holder, while there is one."""
        try:
            said = self._path.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            said = ""
        return said or "unknown process"

    def give_back(self) -> None:
        """Let others take it."""
        file, self._file = self._file, None
        if file is not None:
            file.close()


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold a folder for writing, or raise StoreLocked that names the process that does."""
    hold = Hold(folder / "writer.lock")
    if not hold.take():
        raise StoreLocked(
            f"another parfocal command is writing: {hold.holder()}",
            where=str(folder),
            hint="wait until it has ended, or stop it; nothing is lost either way",
        )
    try:
        yield
    finally:
        hold.give_back()


def of_source(data_dir: Path, name: str) -> Hold:
    """Return the lock of a source: who holds it harvests it."""
    return Hold(data_dir / "locks" / f"source-{name}.lock")


def of_projections(data_dir: Path) -> Hold:
    """Return the lock of index and graph: who holds it writes them."""
    return Hold(data_dir / "locks" / "projections.lock")


def source_is_held(name: str, hold: Hold) -> StoreLocked:
    """Return the error about a source that another process works on."""
    return StoreLocked(
        f"source {name!r} is being harvested already: {hold.holder()}",
        hint="wait until it has ended, or stop it; nothing is lost either way",
    )
