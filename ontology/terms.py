"""The term store on disk: one SQLite file, many readers, one loader at a time."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec

from ontology import database, places
from ontology.changes import Comparison
from ontology.document import Document
from ontology.nicknames import nicknamed
from ontology.opening import open_bytes
from ontology.remote import Remote, open_remote
from ontology.table import bundled, common_names, read_table
from parfocal.config import Settings
from parfocal.errors import SourceError, StoreError
from parfocal.identifiers import Curie
from parfocal.prefixes import known_prefix
from parfocal.query import fold
from parfocal.terms import LABEL, merge, named_alive, names_of, rank, suggestions
from parfocal.values import OntologySummary, TermInfo, TermMatch

FILE_NAME = "terms.sqlite"
_CACHED = 50_000
_CACHED_BELOW = 250_000
"""Terms in remembered answers about what lies below others, all together."""
_SCANNED = 5000
_PAGE = 5000
_UNKNOWN: Any = object()
Answer = TypeVar("Answer")
_SYNONYMS = msgspec.json.Decoder(tuple[tuple[str, str], ...]).decode

_UP = """
WITH RECURSIVE found(id) AS (
  SELECT parent FROM edge WHERE child = (SELECT id FROM node WHERE curie = ?1) AND part_of <= ?2
  UNION SELECT edge.parent FROM found CROSS JOIN edge ON edge.child = found.id
  WHERE part_of <= ?2)
SELECT curie FROM found CROSS JOIN node ON node.id = found.id"""
_TOLD = """
SELECT ontology.name, ontology.id, term.node, label, term.obsolete, replaced_by, definition, iri,
  synonyms
FROM node JOIN term ON term.node = node.id JOIN ontology ON ontology.id = term.ontology
WHERE curie = ?"""
# Whole terms a page. A term that any ontology calls obsolete, or a label given by an ontology that
# is not the only one to tell of the term, is looked at more closely.
_NAMES = """
SELECT curie, label, term.obsolete, synonyms, dead, tellers > 1
FROM (SELECT node.id AS id, curie, max(term.obsolete) AS dead, count(*) AS tellers
      FROM node JOIN term ON term.node = node.id
      WHERE curie > ? AND curie < ? GROUP BY curie ORDER BY curie LIMIT ?)
JOIN term ON term.node = id ORDER BY curie"""
_NAMED = "SELECT DISTINCT curie, scope FROM name JOIN node ON node.id = name.node WHERE folded = ?"


class SqliteTermStore:
    """Terms in an SQLite file.

    Each thread reads with a connection of its own; other processes may load meanwhile.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._caches: dict[str, dict[Any, Any]] = {}
        self._epoch = 0
        self._held = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"the folder cannot be made: {error.strerror}", where=str(path.parent)
            ) from error
        with database.translated(str(path)):
            database.prepare(self._connection(), path)

    @property
    def path(self) -> Path:
        """Return the file."""
        return self._path

    # -------------------------------------------------------------- reading

    def get(self, curie: Curie) -> TermInfo | None:
        """Return a term, or None."""
        return self._cached("get", curie, lambda: merge(self._told(curie)))

    def find(self, text: str, prefixes: Sequence[str] = ()) -> tuple[TermMatch, ...]:
        """Return live terms whose label or synonym equals the text, best first."""
        folded = fold(text)
        key = (folded, tuple(prefixes))
        return self._cached("find", key, lambda: self._find(folded, prefixes))

    def also_called(self, text: str, prefixes: Sequence[str] = ()) -> tuple[TermMatch, ...]:
        """Return live terms that people call so though no ontology does."""
        return rank(text, ((curie, "EXACT") for curie in nicknamed(text)), self.get, prefixes)

    def ancestors(self, curie: Curie, *, part_of: bool = False) -> frozenset[Curie]:
        """Return all terms above, without the term itself."""
        return self._cached("up", (curie, part_of), lambda: self._above(curie, part_of=part_of))

    def descendants(self, curie: Curie, *, part_of: bool = False) -> frozenset[Curie]:
        """Return all terms below, with the term itself if it is known or has any."""
        return self._cached("down", (curie, part_of), lambda: self._below(curie, part_of=part_of))

    def suggest(self, prefix: str, limit: int = 10) -> tuple[TermMatch, ...]:
        """Return terms with a label or synonym that begins with the text, shortest first.

        Of a very short text only the first few thousand names in alphabetical order are looked at.
        """
        wanted = fold(prefix)
        if not wanted:
            return ()
        names = (
            "SELECT folded FROM (SELECT DISTINCT folded FROM name WHERE folded >= ? AND folded < ?"
            " ORDER BY folded LIMIT ?) ORDER BY length(folded), folded"
        )
        with self._snapshot():
            rows = self._rows(names, (wanted, wanted + "\U0010ffff", _SCANNED))
            return suggestions(((name, self._named(name)) for (name,) in rows), self.get, limit)

    def names(self, prefix: str) -> Iterator[tuple[Curie, str, str]]:
        """Yield (term, scope, text) of all names of the live terms of a prefix."""
        after = f"{prefix}:"
        while page := self._rows(_NAMES, (after, f"{prefix};", _PAGE)):
            for curie, label, obsolete, synonyms, dead, foreign in page:
                told = TermInfo(curie, label, synonyms=_SYNONYMS(synonyms), obsolete=bool(obsolete))
                for scope, text in names_of(told):
                    if dead or (foreign and scope == LABEL):
                        yield from named_alive(curie, scope, text, self.get)
                    else:
                        yield curie, scope, text
            after = page[-1][0]

    def ontologies(self) -> tuple[OntologySummary, ...]:
        """Return what is loaded, by name."""
        rows = self._rows(
            "SELECT name, version, terms, obsolete, loaded, reader, skipped, former FROM ontology"
            " ORDER BY name"
        )
        return tuple(
            OntologySummary(
                name, version, terms, obsolete, loaded, reader, tuple(json.loads(skipped)), former
            )
            for name, version, terms, obsolete, loaded, reader, skipped, former in rows
        )

    def version(self) -> str:
        """Return a digest of what is loaded; "" for an empty store."""
        return self._cached("version", None, self._version)

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            for connection in self._open:
                connection.close()
            self._open.clear()
        self._local = threading.local()

    # -------------------------------------------------------------- loading

    def load(
        self,
        document: Document,
        progress: Callable[[int], None] | None = None,
        comparison: Comparison | None = None,
        *,
        allow_shrink: bool = False,
    ) -> OntologySummary:
        """Replace an ontology's earlier version; on failure the earlier one stays, whole."""
        return self.load_all((document,), progress, comparison, allow_shrink=allow_shrink)[0]

    def load_all(
        self,
        documents: Iterable[Document],
        progress: Callable[[int], None] | None = None,
        comparison: Comparison | None = None,
        *,
        allow_shrink: bool = False,
    ) -> tuple[OntologySummary, ...]:
        """Replace the earlier versions of several ontologies, all or nothing."""
        with database.translated(str(self._path)):
            summaries = database.replace(
                self._path, documents, progress, comparison, allow_shrink=allow_shrink
            )
        with self._lock:
            self._forget()
        return summaries

    def keep(self, term: TermInfo) -> None:
        """Keep a term that a remote service told; what is loaded counts more than its word."""
        with database.translated(str(self._path)):
            database.keep(self._path, term)
        with self._lock:
            self._forget()

    def load_bundled(
        self, progress: Callable[[int], None] | None = None
    ) -> tuple[OntologySummary, ...]:
        """Load the tables that parfocal ships, and return what was new.

        A table in place already is left alone, and so is an ontology loaded from a release.
        """
        held = {one.name: one for one in self.ontologies()}
        done = []
        with ExitStack() as stack:
            tables = [read_table(stack.enter_context(open_bytes(p)), p) for p in bundled()]
            for document in (*tables, common_names()):
                known = held.get(document.name)
                outdated = known and known.reader == "table" and known.version != document.version
                if known is None or outdated:
                    done.append(document)
            return self.load_all(done, progress)

    # -------------------------------------------------------------- inside

    def _connection(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            found = database.connect(self._path)
            self._local.connection = found
            self._local.seen = -1
            with self._lock:
                self._open.append(found)
        return found

    def _rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        with database.translated(str(self._path)):
            return self._connection().execute(sql, parameters).fetchall()

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """Let all statements of one answer see the same state, whatever is loaded meanwhile."""
        connection = self._connection()
        if connection.in_transaction:
            yield
            return
        with database.translated(str(self._path)):
            connection.execute("BEGIN")
        try:
            yield
        finally:
            connection.execute("COMMIT")

    def _cached(self, kind: str, key: object, compute: Callable[[], Answer]) -> Answer:
        """Return a remembered answer; all are forgotten when any process has loaded something."""
        with database.translated(str(self._path)):
            connection = self._connection()
            seen = connection.execute("PRAGMA data_version").fetchone()[0]
        if self._local.seen != seen:
            with self._lock:
                self._forget()
                self._local.seen = seen
        epoch, cache = self._epoch, self._caches.setdefault(kind, {})
        answer: Answer = cache.get(key, _UNKNOWN)
        if answer is not _UNKNOWN:
            return answer
        with self._snapshot():
            answer = compute()
        with self._lock:
            if epoch == self._epoch:
                self._remember(kind, cache, key, answer)
        return answer

    def _remember(self, kind: str, cache: dict[Any, Any], key: object, answer: Any) -> None:
        if kind == "down":
            self._held += len(answer)
            if self._held > _CACHED_BELOW:
                cache.clear()
                self._held = len(answer)
            if len(answer) > _CACHED_BELOW:
                return
        elif len(cache) >= _CACHED:
            cache.clear()
        cache[key] = answer

    def _forget(self) -> None:
        self._caches = {}
        self._held = 0
        self._epoch += 1

    def _version(self) -> str:
        rows = self._rows(
            "SELECT name, version, digest FROM ontology WHERE name <> ? ORDER BY name",
            (database.REMOTE,),
        )
        if not rows:
            return ""
        return hashlib.blake2b(msgspec.json.encode(rows), digest_size=8).hexdigest()

    def _find(self, folded: str, prefixes: Sequence[str]) -> tuple[TermMatch, ...]:
        return rank(folded, self._named(folded), self.get, prefixes)

    def _named(self, folded: str) -> list[tuple[Curie, str]]:
        return self._rows(_NAMED, (folded,))

    def _below(self, curie: Curie, *, part_of: bool) -> frozenset[Curie]:
        with database.translated(str(self._path)):
            found = places.below(self._connection(), curie, part_of=part_of)
        if len(found) < 2:
            return frozenset({curie}) if self.get(curie) else frozenset()
        return cast("frozenset[Curie]", found)

    def _above(self, curie: Curie, *, part_of: bool) -> frozenset[Curie]:
        rows = self._rows(_UP, (curie, part_of))
        return frozenset(found for (found,) in rows) - {curie}

    def _told(self, curie: Curie) -> list[TermInfo]:
        told = []
        for row in self._rows(_TOLD, (curie,)):
            name, ontology, node, label, obsolete, replaced_by, definition, iri, synonyms = row
            links = self._links(node, ontology)
            told.append(
                TermInfo(
                    curie=curie,
                    label=label,
                    ontology=name,
                    synonyms=_SYNONYMS(synonyms),
                    parents=tuple(up for up, part_of in links if not part_of),
                    part_of=tuple(up for up, part_of in links if part_of),
                    obsolete=bool(obsolete),
                    replaced_by=tuple(Curie(other) for other in replaced_by.split()),
                    definition=definition,
                    iri=iri,
                )
            )
        return told

    def _links(self, node: int, ontology: int) -> list[tuple[Curie, int]]:
        return self._rows(
            "SELECT curie, part_of FROM edge JOIN node ON node.id = parent"
            " WHERE child = ? AND ontology = ? ORDER BY curie",
            (node, ontology),
        )


class AskingTermStore(SqliteTermStore):
    """Terms in an SQLite file, and those of a remote service: asked for once, then kept."""

    def __init__(self, path: Path, remote: Remote) -> None:
        super().__init__(path)
        self._remote = remote

    def get(self, curie: Curie) -> TermInfo | None:
        """Return a term, or None; a service that fails is as good as one that does not know."""
        found = super().get(curie)
        if found is not None or self._remote.rests() or not known_prefix(curie):
            return found
        try:
            told = self._remote.term(curie)
        except SourceError:
            return None
        if told is not None:
            self.keep(told)
        return told

    def close(self) -> None:
        """Close the connections of all threads, and those to the service."""
        self._remote.close()
        super().close()


def open_terms(settings: Settings) -> SqliteTermStore:
    """Open the term store of a data folder.

    A new one starts with the tables that parfocal ships, unless ``[ontology] bundled`` says no.
    """
    path = settings.data_dir / FILE_NAME
    if settings.ontology.remote.service:
        store: SqliteTermStore = AskingTermStore(path, open_remote(settings, path))
    else:
        store = SqliteTermStore(path)
    if settings.ontology.bundled and not store.version():
        store.load_bundled()
    return store
