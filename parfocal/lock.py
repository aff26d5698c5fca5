"""One writer at a time.

A lock file that says who holds it since when, and dies with its process.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from parfocal.errors import StoreError, StoreLocked


@contextmanager
def only_writer(data_dir: Path) -> Iterator[None]:
    """Hold the catalogue for writing, or raise StoreLocked that names the process that does."""
    path = data_dir / "writer.lock"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot be written: {error.strerror}", where=str(path)) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise StoreLocked(
                f"another parfocal command is writing: {file.read().strip() or 'unknown process'}",
                where=str(data_dir),
                hint="wait until it has ended, or stop it; nothing is lost either way",
            ) from error
        file.truncate(0)
        file.write(f"process {os.getpid()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")
        file.flush()
        yield
