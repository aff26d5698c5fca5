"""Which store a projection follows: a mark beside the store, so that none follows another.

A store that was moved away or put back from a backup has other revisions under the same numbers.
"""

from __future__ import annotations

from pathlib import Path

from parfocal.errors import IndexUnavailable, StoreError
from parfocal.interfaces import Projection, RecordStore, SupportsCheck


def _mark(data_dir: Path, name: str) -> Path:
    return data_dir / f"{name}.follows"


def _followed(data_dir: Path, name: str) -> str:
    try:
        return _mark(data_dir, name).read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return ""


def require_readable(data_dir: Path, name: str, store: RecordStore, part: Projection) -> None:
    """Raise IndexUnavailable when a projection is not built yet, or is another store's."""
    hint = f"run: parfocal reindex {name}"
    reached, last = part.revision(), store.revision()
    if _followed(data_dir, name) not in ("", store.identity()) or reached > last:
        raise IndexUnavailable(f"the {name} was made from another store", hint=hint)
    if last and not reached:
        raise IndexUnavailable(
            f"the {name} is not built yet", hint=f"wait until the harvest has ended, or {hint}"
        )


def restart(data_dir: Path, name: str, store: RecordStore, part: Projection) -> None:
    """Empty a projection and let it follow this store from the beginning."""
    part.clear()
    try:
        _mark(data_dir, name).write_text(store.identity(), encoding="ascii")
    except OSError as error:
        raise StoreError(f"cannot be written: {error.strerror}", where=str(data_dir)) from error


def has_reached(data_dir: Path, name: str, store: RecordStore, part: Projection, last: int) -> bool:
    """Whether a projection that another process writes follows this store up to a revision."""
    try:
        return _followed(data_dir, name) == store.identity() and part.revision() >= last
    except IndexUnavailable:
        return False


def make_ready(data_dir: Path, name: str, store: RecordStore, part: Projection) -> None:
    """Restart a projection that cannot be read, or that does not follow this store."""
    try:
        if isinstance(part, SupportsCheck):
            part.check()
        follows = part.revision() <= store.revision()
    except IndexUnavailable:
        follows = False
    if not follows or _followed(data_dir, name) != store.identity():
        restart(data_dir, name, store, part)
