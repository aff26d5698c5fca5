"""What a harvest would change: tried on a copy of the store's memory, written nowhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import msgspec
from msgspec import Struct

from parfocal.catalogue import Catalogue
from parfocal.config import Settings
from parfocal.followers import Progress, silent
from parfocal.harvesting import harvest_jobs, side_by_side
from parfocal.identifiers import RecordId, source_of
from parfocal.interfaces import RecordStore
from parfocal.model import Record
from parfocal.pipeline import Wanted
from parfocal.values import Problem, RunReport

_CHANGES_A_READ = 500


class FieldChange(Struct, frozen=True):
    """One field of a record before and after, as plain values."""

    field: str
    before: Any
    after: Any


class Difference(Struct, frozen=True):
    """What would become of one record."""

    id: RecordId
    kind: Literal["new", "changed", "tombstoned"]
    title: str
    fields: tuple[FieldChange, ...] = ()


class Preview(Struct, frozen=True):
    """How a run over a source would end, and what it would change."""

    report: RunReport
    differences: Iterator[Difference]
    problems: Iterator[Problem]


@contextmanager
def catalogue_for_preview(settings: Settings) -> Iterator[Catalogue]:
    """Open the catalogue; where none is yet, one that is forgotten afterwards."""
    if (settings.data_dir / "parfocal.sqlite").exists():
        with Catalogue.open(settings) as catalogue:
            yield catalogue
        return
    with TemporaryDirectory(prefix="parfocal-") as folder:
        elsewhere = settings.model_copy(update={"data_dir": Path(folder)})
        with Catalogue.open(elsewhere) as catalogue:
            yield catalogue


def preview(
    catalogue: Catalogue,
    names: Sequence[str] = (),
    *,
    wanted: Wanted | None = None,
    progress: Progress = silent,
) -> Iterator[Preview]:
    """Harvest into a scratch store; yield for each source what would change.

    The differences of a source must be read before the next source is asked for.
    """
    real = catalogue.store
    known = names or [source.name for source in catalogue.settings.sources]
    with TemporaryDirectory(prefix="parfocal-") as folder:
        scratch = real.scratch(Path(folder) / "scratch.sqlite", known)
        tried = Catalogue(catalogue.settings, scratch)
        tried.__dict__["terms"] = catalogue.terms
        before = scratch.revision()
        try:
            jobs = harvest_jobs(tried, names, wanted or Wanted(), progress)
            for report in side_by_side(tried, jobs, threading.Event()):
                differences = _differences(real, scratch, report.source, before)
                yield Preview(report, differences, _problems(scratch, report.source))
        finally:
            scratch.close()


def _problems(scratch: RecordStore, source: str) -> Iterator[Problem]:
    after = 0
    while page := scratch.problems(source, after=after):
        after = page[-1][0]
        yield from (problem for _, problem in page)


def _differences(
    real: RecordStore, scratch: RecordStore, source: str, after: int
) -> Iterator[Difference]:
    while page := scratch.changes(after, limit=_CHANGES_A_READ):
        after = page[-1].revision
        own = [change for change in page if source_of(change.id) == source]
        old = real.get_many([change.id for change in own])
        for change in own:
            difference = _difference(change.id, old.get(change.id), change.record)
            if difference is not None:
                yield difference


def _difference(id: RecordId, old: Record | None, new: Record | None) -> Difference | None:
    if old is None:
        return None if new is None else Difference(id, "new", new.title)
    if new is None:
        return Difference(id, "tombstoned", old.title)
    before, after = msgspec.to_builtins(old), msgspec.to_builtins(new)
    fields = tuple(
        FieldChange(name, before.get(name), after.get(name))
        for name in dict.fromkeys((*before, *after))
        if before.get(name) != after.get(name)
    )
    return Difference(id, "changed", new.title, fields) if fields else None
