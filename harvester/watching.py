"""Harvests sources again whenever they notice that something changed: ``harvest --watch``."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence

from parfocal.catalogue import Catalogue
from parfocal.errors import ConfigError, ParfocalError
from parfocal.followers import Progress
from parfocal.harvesting import harvest
from parfocal.interfaces import SupportsWatch
from parfocal.values import RunReport

_LOOK_EVERY = 0.25


class Watch:
    """Watches those sources that can be watched, each in a thread, until it is closed."""

    def __init__(self, catalogue: Catalogue, names: Sequence[str] = ()) -> None:
        """Begin to watch; ConfigError when none of the sources can be watched."""
        self._catalogue = catalogue
        self._stop = threading.Event()
        self._changed: queue.Queue[str | ParfocalError] = queue.Queue()
        chosen = names or [source.name for source in catalogue.settings.sources]
        watched = {name: catalogue.source(name) for name in dict.fromkeys(chosen)}
        self._threads = [
            threading.Thread(target=self._follow, args=(name, source), daemon=True)
            for name, source in watched.items()
            if isinstance(source, SupportsWatch)
        ]
        if not self._threads:
            raise ConfigError(
                "none of these sources can be watched",
                hint="folders of the kind local can; for others see parfocal schedule",
            )
        for thread in self._threads:
            thread.start()

    def _follow(self, name: str, source: SupportsWatch) -> None:
        try:
            for _ in source.changes(self._stop):
                self._changed.put(name)
        except ParfocalError as error:
            self._changed.put(error)

    def reports(self, progress: Progress) -> Iterator[RunReport]:
        """Yield a report each time that a source was harvested because something changed.

        Raises what made a source impossible to watch; ends when the watch is closed.
        """
        while not self._stop.is_set():
            names = self._waiting()
            if names:
                yield from harvest(self._catalogue, names, progress=progress)

    def _waiting(self) -> list[str]:
        found: dict[str, None] = {}
        try:
            first = self._changed.get(timeout=_LOOK_EVERY)
            while True:
                if isinstance(first, ParfocalError):
                    raise first
                found[first] = None
                first = self._changed.get_nowait()
        except queue.Empty:
            return list(found)

    def close(self) -> None:
        """End the threads."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=5)
