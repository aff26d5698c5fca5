"""Notices when files of a folder change; needs the extra ``watch``."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

from harvester.formats.zarr_tree import MARKS
from harvester.lab.kinds import kind_of
from parfocal.errors import SourceUnavailable
from parfocal.registry import missing_extra

QUIET_MS = 1600
"""How long the files must be left alone before a change is told: copying takes a while."""


def concerns(path: str) -> bool:
    """Whether a change at a path below the root may change what is harvested.

    >>> concerns("study/a.tif"), concerns("study/notes.txt"), concerns("study/new folder")
    (True, False, True)
    """
    parts = path.split("/")
    if any(part.startswith(".") and part not in MARKS for part in parts):
        return False
    last = parts[-1]
    return bool(kind_of(last)) or last in MARKS or "." not in last or last.endswith(".zarr")


def changes(root: Path, stop: threading.Event) -> Iterator[None]:
    """Yield each time files below a folder have changed, until ``stop`` is set.

    Raises PluginMissing without the extra ``watch``, SourceUnavailable when the folder is gone.
    """
    try:
        from watchfiles import Change, watch
    except ModuleNotFoundError as error:
        raise missing_extra(error, "watching a folder") from error

    def counts(_: Change, path: str) -> bool:
        return concerns(str(Path(path).relative_to(real)))

    real = root.resolve()
    if not real.is_dir():
        raise SourceUnavailable("there is no such folder", where=str(root))
    try:
        for _ in watch(
            real, watch_filter=counts, debounce=QUIET_MS, rust_timeout=500, stop_event=stop,
            raise_interrupt=False, ignore_permission_denied=True,
        ):  # fmt: skip
            yield
    except OSError as error:
        raise SourceUnavailable(
            f"the folder cannot be watched: {error}", where=str(root),
            hint="network disks often cannot tell of changes: set WATCHFILES_FORCE_POLLING=1",
        ) from error  # fmt: skip
