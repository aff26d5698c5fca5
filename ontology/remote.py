"""A remote service of terms with a memory: its answers are kept in the term store for some days."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from ontology import bioportal, database, ols
from ontology.web import Web
from parfocal.config import Settings
from parfocal.errors import ConfigError, SourceError, SourceUnavailable
from parfocal.identifiers import Curie
from parfocal.secrets import Secret
from parfocal.values import TermInfo

_DAY = 86400.0
_REST_AFTER_FAILURE = 300.0
_MOST_ANSWERS = 100_000
Answer = TypeVar("Answer")


class Service(Protocol):
    """What a remote service of terms can be asked."""

    def search(
        self, text: str, ontologies: Sequence[str] = (), *, exact: bool = False, limit: int = 20
    ) -> tuple[TermInfo, ...]:
        """Return terms that a text names, each once."""
        ...

    def term(self, curie: Curie) -> TermInfo | None:
        """Return a term with its parents, or None."""
        ...

    def ancestors(self, curie: Curie) -> frozenset[Curie]:
        """Return all terms above."""
        ...

    def descendants(self, curie: Curie) -> frozenset[Curie]:
        """Return all terms below, without the term itself."""
        ...

    def annotate(self, text: str, ontologies: Sequence[str] = ()) -> tuple[Any, ...]:
        """Return what a text mentions."""
        ...

    def mappings(self, curie: Curie) -> tuple[Curie, ...]:
        """Return terms of other ontologies that mean the same."""
        ...

    def download(self, name: str, path: Path) -> None:
        """Download the latest release of an ontology."""
        ...


class Remote:
    """A service whose answers are remembered in a term store's file, one question at a time.

    After a failure it is left alone for five minutes: :meth:`rests` says so.
    """

    def __init__(
        self, service: Service, web: Web, path: Path, days: float, *, offline: bool
    ) -> None:
        self._service = service
        self._web = web
        self._path = path
        self._days = days
        self._offline = offline
        self._lock = threading.Lock()
        self._until = 0.0

    def search(
        self, text: str, ontologies: Sequence[str] = (), *, exact: bool = False, limit: int = 20
    ) -> tuple[TermInfo, ...]:
        """Return terms that a text names, best first."""
        return self._remembered(
            ("search", text, tuple(ontologies), exact, limit),
            tuple[TermInfo, ...],
            lambda: self._service.search(text, ontologies, exact=exact, limit=limit),
        )

    def term(self, curie: Curie) -> TermInfo | None:
        """Return a term with its parents; None for one that the service does not know."""
        kind: Any = TermInfo | None
        found: TermInfo | None = self._remembered(
            ("term", curie), kind, lambda: self._service.term(curie)
        )
        return found

    def ancestors(self, curie: Curie) -> frozenset[Curie]:
        """Return all terms above."""
        return self._remembered(
            ("ancestors", curie), frozenset[Curie], lambda: self._service.ancestors(curie)
        )

    def descendants(self, curie: Curie) -> frozenset[Curie]:
        """Return all terms below, without the term itself."""
        return self._remembered(
            ("descendants", curie), frozenset[Curie], lambda: self._service.descendants(curie)
        )

    def annotate(self, text: str, ontologies: Sequence[str] = ()) -> tuple[Any, ...]:
        """Return what a text mentions; BioPortal only."""
        return self._remembered(
            ("annotate", text, tuple(ontologies)),
            tuple[bioportal.Mention, ...],
            lambda: self._service.annotate(text, ontologies),
        )

    def mappings(self, curie: Curie) -> tuple[Curie, ...]:
        """Return terms of other ontologies that mean the same."""
        return self._remembered(
            ("mappings", curie), tuple[Curie, ...], lambda: self._service.mappings(curie)
        )

    def download(self, name: str, path: Path) -> None:
        """Download the latest release of an ontology; never remembered."""
        if self._offline:
            raise self._refusal()
        self._service.download(name, path)

    def rests(self) -> bool:
        """Return whether the service failed lately, or may not be asked at all."""
        return self._offline or time.monotonic() < self._until

    def close(self) -> None:
        """Close the connections."""
        self._web.close()

    # -------------------------------------------------------------- inside

    def _remembered(self, asked: tuple[Any, ...], kind: Any, ask: Callable[[], Answer]) -> Answer:
        key = msgspec.json.encode((self._web.url, *asked)).decode()
        with self._lock:
            kept, fresh = self._kept(key)
            # Offline, an old answer is better than none.
            if kept is not None and (fresh or self._offline):
                decoded: Answer = msgspec.json.decode(kept, type=kind)
                return decoded
            if self._offline:
                raise self._refusal()
            try:
                answer = ask()
            except SourceError as error:
                if error.retryable:
                    self._until = time.monotonic() + _REST_AFTER_FAILURE
                raise
            self._keep(key, msgspec.json.encode(answer))
        return answer

    def _refusal(self) -> SourceUnavailable:
        return SourceUnavailable(
            "is not asked: ontology.remote.offline is set", where=self._web.url
        )

    def _kept(self, key: str) -> tuple[bytes | None, bool]:
        asked = "SELECT content, expires FROM answer WHERE asked = ?"
        with database.translated(str(self._path)), closing(self._connect()) as connection:
            row = connection.execute(asked, (key,)).fetchone()
        return (row[0], row[1] > time.time()) if row else (None, False)

    def _keep(self, key: str, content: bytes) -> None:
        now = time.time()
        with database.translated(str(self._path)), closing(self._connect()) as connection:
            connection.execute(
                "INSERT OR REPLACE INTO answer VALUES(?,?,?)",
                (key, now + self._days * _DAY, content),
            )
            count = connection.execute("SELECT count(*) FROM answer").fetchone()[0]
            if count > _MOST_ANSWERS:
                connection.execute("DELETE FROM answer WHERE expires < ?", (now,))

    def _connect(self) -> sqlite3.Connection:
        return database.connect(self._path)


def open_remote(settings: Settings, path: Path, service: str = "") -> Remote:
    """Open the configured service, or another one by name; ConfigError when there is none."""
    asked = settings.ontology.remote
    name = service or asked.service
    if not name:
        raise ConfigError(
            "no remote service is configured", hint='[ontology.remote] service = "ols"'
        )
    known = {"ols": ols.URL, "bioportal": bioportal.URL}
    # The address and the key in the settings are those of the service named there.
    url = asked.url if asked.url and name == (asked.service or name) else known[name]
    headers = {}
    if name == "bioportal":
        if not asked.api_key:
            raise ConfigError(
                "BioPortal needs a key",
                hint='[ontology.remote] api_key = "env:BIOPORTAL_API_KEY"',
            )
        headers["Authorization"] = f"apikey token={Secret(asked.api_key).reveal()}"
    web = Web(url, headers=headers, timeout=asked.timeout)
    made: Service = bioportal.BioPortal(web) if name == "bioportal" else ols.Ols(web)
    return Remote(made, web, path, asked.days, offline=asked.offline)
