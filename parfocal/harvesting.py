"""Harvesting configured sources: what ``parfocal harvest`` and the demo call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from parfocal.catalogue import Catalogue
from parfocal.interfaces import RunReport
from parfocal.lock import only_writer
from parfocal.pipeline import Harvest, project

Progress = Callable[[str, int, int | None, int], None]
"""Called with (what, done, of how many if known, records)."""


def _silent(what: str, done: int, total: int | None, records: int) -> None:
    """Show nothing."""


def harvest(
    catalogue: Catalogue,
    names: Sequence[str] = (),
    *,
    full: bool = False,
    allow_shrink: bool = False,
    progress: Progress = _silent,
) -> Iterator[RunReport]:
    """Harvest the named sources, or all, in turn, then bring index and graph up to date.

    Yields each source's report as soon as its walk has ended. Raises ConfigError for an unknown
    name and StoreLocked while another process writes.
    """
    settings = catalogue.settings
    wanted = [settings.source(name) for name in names] or list(settings.sources)
    sources = [(each, catalogue.source(each.name)) for each in wanted]
    with only_writer(settings.data_dir):
        for each, source in sources:
            last = next(iter(catalogue.store.runs(each.name, 1)), None)
            total = last.items if last else None

            def show(
                items: int, records: int, name: str = each.name, total: int | None = total
            ) -> None:
                progress(name, items, total, records)

            run = Harvest(
                catalogue.store,
                each.name,
                source,
                catalogue.annotators,
                groups=each.access,
                progress=show,
            )
            yield run.run(
                fingerprint=catalogue.fingerprint(each), full=full, allow_shrink=allow_shrink
            )
        bring_up_to_date(catalogue, progress)


def bring_up_to_date(catalogue: Catalogue, progress: Progress = _silent) -> None:
    """Bring index and graph up to the store's last revision."""
    for name, projection in (("index", catalogue.index), ("graph", catalogue.graph)):

        def show(reached: int, last: int, name: str = name) -> None:
            progress(name, reached, last, reached)

        project(catalogue.store, projection, show)


def rebuild(catalogue: Catalogue, parts: Sequence[str], progress: Progress = _silent) -> None:
    """Empty index or graph (``parts``) and project the whole log again."""
    with only_writer(catalogue.settings.data_dir):
        if "index" in parts:
            catalogue.index.clear()
        if "graph" in parts:
            catalogue.graph.clear()
        bring_up_to_date(catalogue, progress)
