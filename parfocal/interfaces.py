"""All interfaces of the hub, and nothing else; the values that cross them are in parfocal.values.

Sources and repositories are async, stores and indexes sync. Each has a contract class in
:mod:`parfocal.testing`; optional powers are tiny protocols of their own (``Supports...``).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from threading import Event
from typing import Any, ClassVar, Protocol, runtime_checkable

from parfocal.identifiers import Curie, RecordId
from parfocal.identity import NameStore
from parfocal.model import Annotation, Record, Viewer
from parfocal.query import Page, Query
from parfocal.raw_store import RawStore
from parfocal.values import (
    Answer,
    Batch,
    Change,
    Counts,
    Fetched,
    OntologySummary,
    Problem,
    Publication,
    RawItem,
    Reservation,
    RunReport,
    SourceState,
    TermInfo,
    TermMatch,
)

# ------------------------------------------------------------------ harvest


class Walk(Protocol):
    """One walk over a source, as the pipeline hands it to ``fetch``; it knows of earlier ones."""

    @property
    def cursor(self) -> str:
        """Return the place to resume after; "" for the beginning."""
        ...

    @property
    def mark(self) -> str:
        """Return the Mark of the last complete walk; "" when everything must be read."""
        ...

    def stamp(self, key: str) -> str:
        """Return the stamp kept with a raw item; "" when unknown, or when it must be read."""
        ...

    def kin(self, key: str, identity: str) -> Sequence[tuple[str, str]]:
        """Return (key, name) of kept raw items that may be the same thing as one at a key.

        That is: the one under this key, those of this identity (if it is not ""), and those that
        go by this key as their name. Answers also when everything must be read anew.
        """
        ...

    def answered(self, size: int) -> None:
        """Count one answer of a server, of ``size`` bytes, for the run report."""
        ...


class Source(Protocol):
    """An archive: ``fetch`` does I/O and no interpretation, ``normalise`` the reverse.

    ``Options`` is a frozen pydantic model of the source's own settings. A source is made with
    ``cls(name, options)``, name being the setting ``name`` and the first part of its record ids.
    """

    Options: ClassVar[type[Any]]

    def fetch(self, walk: Walk) -> AsyncIterator[Fetched]:
        """Walk everything in a fixed order, from after ``walk.cursor``.

        What cannot be read comes as a Problem. Raise SourceError only when the walk as a whole
        cannot go on.
        """
        ...

    def normalise(self, item: RawItem) -> Iterable[Record | Problem]:
        """Yield the records of one raw item, parents before what lies in them; pure."""
        ...


@runtime_checkable
class SupportsSince(Protocol):
    """A source whose archive can tell what changed since a day."""

    def fetch_since(self, since: date, walk: Walk) -> AsyncIterator[Fetched]:
        """Walk what changed on that day or later, and end with ``Unchanged("", below=True)``."""
        ...


@runtime_checkable
class SupportsWatch(Protocol):
    """A source that notices by itself when something changes."""

    def changes(self, stop: Event) -> Iterator[None]:
        """Yield each time that something may have changed, until ``stop`` is set; it waits.

        Raise SourceError when that cannot be noticed any more.
        """
        ...


class SupportsThumbnail(Protocol):
    """A source that can draw a small picture of its images."""

    def thumbnail(self, record: Record, size: int) -> bytes:
        """Return a PNG at most ``size`` pixels wide and high; raise SourceError when it cannot."""
        ...


# ------------------------------------------------------------------ meaning


class TermStore(Protocol):
    """Ontology terms, read by annotators and by query understanding; thread-safe for reading."""

    def get(self, curie: Curie) -> TermInfo | None:
        """Return a term, or None."""
        ...

    def find(self, text: str, prefixes: Sequence[str] = ()) -> tuple[TermMatch, ...]:
        """Return live terms whose label or synonym equals the text (``fold``).

        Labels before synonyms, exact before other scopes, then in the order of ``prefixes`` when
        given (only those count then). A name of an obsolete term counts as a synonym of its
        replacement.
        """
        ...

    def ancestors(self, curie: Curie, *, part_of: bool = False) -> frozenset[Curie]:
        """Return all terms above over is_a, without the term itself; a cycle does no harm.

        With ``part_of``, over links of both kinds.
        """
        ...

    def descendants(self, curie: Curie, *, part_of: bool = False) -> frozenset[Curie]:
        """Return all terms below over is_a, with the term itself if it is known or has any.

        With ``part_of``, over links of both kinds.
        """
        ...

    def suggest(self, prefix: str, limit: int = 10) -> tuple[TermMatch, ...]:
        """Return terms with a label or synonym that begins with the text, shortest first."""
        ...

    def names(self, prefix: str) -> Iterator[tuple[Curie, str, str]]:
        """Yield (term, scope, text) of all names of the live terms of a prefix, in no order.

        The scope of a label is LABEL; a name of an obsolete term is an EXACT one of its
        replacements.
        """
        ...

    def ontologies(self) -> tuple[OntologySummary, ...]:
        """Return what is loaded, by name."""
        ...

    def version(self) -> str:
        """Return a text that changes whenever the content does; "" for an empty store."""
        ...

    def close(self) -> None:
        """Release what is held."""
        ...


class Annotator(Protocol):
    """Claims what a record's texts mean; pure. Made with ``cls(knowledge)``."""

    def annotate(self, record: Record) -> tuple[Annotation, ...]:
        """Return the record's annotations with more claims, or with other trust in some of them.

        Where there is nothing to say, that is the record's own tuple. The texts are never changed.
        """
        ...


# ------------------------------------------------------------------ store


class RecordStore(NameStore, RawStore, Protocol):
    """The truth: raw items, records, change log, cursors, problems and journals.

    Sync, one writer.
    """

    def begin(
        self, source: str, *, fingerprint: str = "", full: bool = False, scope: str = ""
    ) -> tuple[int, str | None]:
        """Start a run, or take an interrupted one of the same scope up again: number and cursor.

        ``fingerprint`` stands for all that decides what records a raw item gives (options,
        versions, ontologies); when it changed, or with ``full``, no kept digest counts.
        """
        ...

    def commit(self, source: str, run: int, batch: Batch) -> Counts:
        """Keep raw items, upsert their records and move the cursor, all or nothing."""
        ...

    def finish(
        self,
        source: str,
        run: int,
        *,
        complete: bool,
        allow_shrink: bool = False,
        message: str = "",
    ) -> RunReport:
        """End a run; a complete walk tombstones what it no longer saw, unless that is over half."""
        ...

    def scratch(self, path: Path, sources: Sequence[str]) -> RecordStore:
        """Return a store in a new file that knows of these sources what this one does.

        It has no content of raw items. A run tried on it changes nothing here.
        """
        ...

    def get(self, id: RecordId) -> Record:
        """Return a live record or raise RecordNotFound.

        Access is the caller's affair (Catalogue's).
        """
        ...

    def get_many(self, ids: Sequence[RecordId]) -> dict[RecordId, Record]:
        """Return those that live."""
        ...

    def children(
        self, id: RecordId, *, after: int = 0, until: int | None = None, limit: int = 1000
    ) -> list[Change]:
        """Return the live records directly in one, by seq, from after a seq.

        Only those last changed at revision ``until`` or before, when given.
        """
        ...

    def identity(self) -> str:
        """Return a text that no other store has, made when the store was."""
        ...

    def revision(self) -> int:
        """Return the number of the last change; 0 when empty."""
        ...

    def changes(self, after: int, *, until: int | None = None, limit: int = 1000) -> list[Change]:
        """Return the latest change of each record after a revision, up to ``until``, in order."""
        ...

    def records(self, *, after: int = 0, source: str = "", limit: int = 1000) -> list[Change]:
        """Return live records by seq, from after a seq."""
        ...

    def sources(self) -> tuple[SourceState, ...]:
        """Return all sources that were ever harvested, by name."""
        ...

    def runs(self, source: str, limit: int = 20) -> tuple[RunReport, ...]:
        """Return the last runs, newest first."""
        ...

    def problems(
        self, source: str, *, after: int = 0, limit: int = 1000
    ) -> list[tuple[int, Problem]]:
        """Return the numbered problems of the source's last run."""
        ...

    def journal(self, name: str) -> dict[str, Any] | None:
        """Return a journal's state, or None."""
        ...

    def write_journal(self, name: str, state: dict[str, Any]) -> None:
        """Write a journal's state durably before returning."""
        ...

    def journals(self, prefix: str) -> dict[str, dict[str, Any]]:
        """Return all journals whose name begins with the prefix."""
        ...

    def close(self) -> None:
        """Release the file."""
        ...


# ------------------------------------------------------------------ projections


class Projection(Protocol):
    """Anything that follows the change log and can be rebuilt from the store at any time."""

    def revision(self) -> int:
        """Return the revision up to which changes were durably applied."""
        ...

    def apply(self, changes: Iterable[Change], revision: int) -> None:
        """Apply changes durably, together with the revision then reached; idempotent.

        ``changes`` is a lazy stream of up to 50,000 log entries and any number of descendants of
        changed containers behind them (older revisions, known seqs); it is read once, never held
        in memory.
        """
        ...

    def clear(self) -> None:
        """Empty it, back to revision 0."""
        ...

    def close(self) -> None:
        """Release what is held."""
        ...


@runtime_checkable
class SupportsCheck(Protocol):
    """A projection that can find damage of what it keeps, without reading all of it."""

    def check(self) -> None:
        """Raise IndexUnavailable when it must be built anew."""
        ...


class SearchIndex(Projection, Protocol):
    """A search engine. Made by the entry point's ``open(settings: Settings) -> SearchIndex``."""

    def search(self, query: Query, viewer: Viewer) -> Page:
        """Answer an understood query with what the viewer may see; filter inside the engine."""
        ...

    def count(self, query: Query, viewer: Viewer) -> int:
        """Return the exact total at the query's level."""
        ...

    def suggest(
        self, prefix: str, viewer: Viewer, limit: int = 10
    ) -> tuple[tuple[str, str, int], ...]:
        """Return (field, value as written, records) of values that begin with the text."""
        ...


class TripleStore(Projection, Protocol):
    """A SPARQL store: one named graph per record, the default graph being their union."""

    def query(
        self, sparql: str, viewer: Viewer, *, accept: str = "", timeout: float = 30.0
    ) -> Answer:
        """Run a read-only query over what the viewer may see; SparqlRefused or SparqlTimeout."""
        ...


# ------------------------------------------------------------------ output and publishing


class Repository(Protocol):
    """A deposit target; async; every call may be repeated after a crash and does nothing twice."""

    Options: ClassVar[type[Any]]

    async def reserve(self, key: str, draft: Any) -> Reservation:
        """Make, or find again by ``key``, the place for a draft."""
        ...

    async def upload(self, reservation: Reservation, package: Any) -> None:
        """Bring the package there; nothing is public."""
        ...

    async def release(self, reservation: Reservation) -> Publication:
        """Make it public: the one irreversible step."""
        ...

    async def discard(self, reservation: Reservation) -> None:
        """Remove what is not public."""
        ...


@runtime_checkable
class SupportsVerify(Protocol):
    """A deposit target that can look whether what was released is still there, unaltered."""

    async def verify(self, reservation: Reservation, digest: str) -> tuple[str, ...] | None:
        """Return the paths of missing and altered files; None when the whole package is gone.

        ``digest`` is the released package's, the SHA-256 of its manifest.
        """
        ...
