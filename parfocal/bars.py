"""Progress bars on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from parfocal.followers import Progress as Show


def _columns() -> tuple[TextColumn, BarColumn, TextColumn, TextColumn, TimeRemainingColumn]:
    return (
        TextColumn("{task.description:<20}"),
        BarColumn(),
        TextColumn("{task.fields[records]:>9,} records"),
        TextColumn("{task.speed or 0:,.0f}/s"),
        TimeRemainingColumn(),
    )


@contextmanager
def bars() -> Iterator[Show]:
    """Give a function that shows how far each named piece of work is, with rate and time left."""
    if not sys.stderr.isatty():
        yield lambda what, done, total, records: None
        return
    with Progress(*_columns(), console=Console(stderr=True)) as progress:
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, total: int | None, records: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total, records=0)
            progress.update(tasks[what], completed=done, total=total, records=records)

        yield show
