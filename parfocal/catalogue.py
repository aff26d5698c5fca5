"""The catalogue: holds store, index, graph and terms, and answers every read for a viewer."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from parfocal import __version__, hits, registry
from parfocal.answers import Expansion, Hit, RecordView, SearchAnswer, SourceView, Suggestion
from parfocal.clusters import Clusters, collapsed
from parfocal.config import Settings, SourceSettings
from parfocal.errors import ConfigError, PluginMissing, RecordNotFound, StoreError
from parfocal.facet_tree import MOST, Node, facet_tree
from parfocal.fields import FIELDS, Field, counts_parts, require_field, use_keys
from parfocal.following import require_readable
from parfocal.identifiers import Curie, RecordId, record_iri, source_of
from parfocal.interfaces import Annotator, RecordStore, SearchIndex, Source, TermStore, TripleStore
from parfocal.knowledge import Knowledge, open_knowledge
from parfocal.labels import Labels
from parfocal.lock import of_projections
from parfocal.model import Image, Record, Viewer
from parfocal.projecting import Ancestors, project
from parfocal.query import All, FacetRequest, FieldIn, Match, Page, Query, Sort, Terms
from parfocal.review import Proposer, Proposers
from parfocal.sameness import Sameness, twins_for
from parfocal.sources import make_source
from parfocal.store.sqlite import SqliteStore
from parfocal.terms import MemoryTermStore
from parfocal.understand import understand
from parfocal.values import Answer, Batch, Change, Normalised, RawItem, SourceState

_A_STREAMED_PAGE = 500


class Catalogue:
    """Everything that reads goes through here, with a viewer.

    Nothing here writes records but ``add``.
    """

    def __init__(self, settings: Settings, store: RecordStore) -> None:
        use_keys(settings.ontology.keys)
        self.settings = settings
        self.store = store
        self._drawing: dict[str, bool] = {}
        self._folder: TemporaryDirectory[str] | None = None
        self.projections = of_projections(settings.data_dir)
        self.annotating = threading.Lock()

    @classmethod
    def open(cls, settings: Settings, *, read_only: bool = False) -> Catalogue:
        """Open the catalogue of a configuration.

        ``read_only`` refuses to make a store where none is.
        """
        path = settings.data_dir / "parfocal.sqlite"
        if read_only and not (path.exists() and path.stat().st_size):
            raise StoreError(
                "there is nothing here yet",
                where=str(settings.data_dir),
                hint="run parfocal harvest first",
            )
        try:
            settings.data_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"data_dir cannot be made: {error.strerror}", where=str(settings.data_dir)
            ) from error
        return cls(settings, SqliteStore(path))

    @classmethod
    def in_memory(
        cls,
        records: Iterable[Record] = (),
        *,
        terms: TermStore | None = None,
        settings: Settings | None = None,
    ) -> Catalogue:
        """Start the whole system in memory, with these records in it.

        >>> with Catalogue.in_memory() as catalogue:
        ...     catalogue.store.revision()
        0
        """
        folder = TemporaryDirectory(prefix="parfocal-", ignore_cleanup_errors=True)
        base = settings or Settings()
        changed = {
            "data_dir": Path(folder.name),
            "search": base.search.model_copy(update={"engine": "memory"}),
            "graph": base.graph.model_copy(update={"engine": "memory"}),
        }
        catalogue = cls(base.model_copy(update=changed), SqliteStore())
        catalogue._folder = folder
        catalogue.__dict__["terms"] = terms or MemoryTermStore()
        catalogue.add(records)
        return catalogue

    # -------------------------------------------------------------- parts, opened when first used

    @cached_property
    def terms(self) -> TermStore:
        """The ontology terms."""
        terms: TermStore = registry.load("terms", self.settings.ontology.engine)(self.settings)
        return terms

    @cached_property
    def index(self) -> SearchIndex:
        """The search engine."""
        index: SearchIndex = registry.load("search", self.settings.search.engine)(self.settings)
        return index

    @cached_property
    def graph(self) -> TripleStore:
        """The triple store."""
        graph: TripleStore = registry.load("graph", self.settings.graph.engine)(self.settings)
        return graph

    @cached_property
    def annotators(self) -> tuple[Annotator, ...]:
        """All installed annotators, by name, on what the catalogue knows."""
        return tuple(
            registry.load("annotators", name)(self.knowledge)
            for name in registry.names("annotators")
        )

    @cached_property
    def proposer(self) -> Proposer:
        """All installed proposers as one."""
        names = registry.names("proposers")
        return Proposers(registry.load("proposers", name)(self.knowledge) for name in names)

    @cached_property
    def knowledge(self) -> Knowledge:
        """The ontology terms with the mappings that curators decided and archives taught."""
        return open_knowledge(self.settings, self.terms)

    def source(self, name: str) -> Source:
        """Make a configured source."""
        return make_source(self.settings.source(name))

    def fingerprint(self, source: SourceSettings) -> str:
        """Return what stands for all that decides which records a raw item of the source gives.

        Three parts with colons between: how it is read, who may see it, what is claimed of it.
        """
        asked = source.model_dump_json(exclude={"access", "every", "raw"})
        keys = repr(sorted(self.settings.ontology.keys.items()))
        claimed = (self.knowledge.version(), keys, *registry.names("annotators"))
        return ":".join((_digest(__version__, asked), _digest(*source.access), _digest(*claimed)))

    # -------------------------------------------------------------- writing

    def add(self, records: Iterable[Record]) -> None:
        """Put records into the store as they are, and project them: for tests and small tools."""
        by_source: dict[str, list[Record]] = {}
        for record in records:
            by_source.setdefault(source_of(record.id), []).append(record)
        for source, given in by_source.items():
            run, _ = self.store.begin(source, full=True)
            content = msgspec.json.encode([record.id for record in given])
            item = RawItem(f"added-{self.store.revision()}", content)
            self.store.commit(source, run, Batch((Normalised(item, tuple(given)),)))
            self.store.finish(source, run, complete=False)
        self.project()

    def project(self, progress: Any = None) -> None:
        """Bring index and graph up to the store's last revision."""
        project(self.store, self.index, progress)
        project(self.store, self.graph, progress)

    # -------------------------------------------------------------- search

    def _readable_index(self) -> SearchIndex:
        require_readable(self.settings.data_dir, "index", self.store, self.index)
        return self.index

    def _understand(self, query: Query, viewer: Viewer) -> tuple[Query, tuple[Expansion, ...]]:
        understood, expansions = understand(query, self.terms)
        clusters = Clusters(self.store, viewer)
        understood = msgspec.structs.replace(understood, where=clusters.resolved(understood.where))
        if understood.collapse and understood.level == "study":
            understood = collapsed(understood, clusters, partial(self._search, viewer))
        return understood, expansions

    def _search(self, viewer: Viewer, query: Query) -> Page:
        return self._readable_index().search(query, viewer)

    def search(self, query: Query, viewer: Viewer) -> SearchAnswer:
        """Answer with a page of hits, exact totals, facets, and how the question was understood."""
        understood, expansions = self._understand(query, viewer)
        page = self._readable_index().search(understood, viewer)
        return SearchAnswer(
            total=page.total,
            levels=page.levels,
            hits=tuple(self._fill(page.matches, hits.Filler(understood.where), viewer)),
            facets=self._labels.facets(page, viewer),
            where=understood.where,
            expansions=expansions,
            next=page.next,
        )

    def count(self, query: Query, viewer: Viewer) -> int:
        """Return the exact number of hits."""
        understood, _ = self._understand(query, viewer)
        return self._readable_index().count(understood, viewer)

    def stream(self, query: Query, viewer: Viewer) -> Iterator[Hit]:
        """Yield every hit, in the query's order, else in order of first harvest."""
        understood, _ = self._understand(query, viewer)
        sort = understood.sort if understood.sort.by != "relevance" else Sort("id")
        after, filler = understood.after, hits.Filler(understood.where)
        while True:
            asked = msgspec.structs.replace(
                understood, sort=sort, size=_A_STREAMED_PAGE, facets=(), after=after
            )
            page = self._readable_index().search(asked, viewer)
            yield from self._fill(page.matches, filler, viewer)
            if not page.next:
                return
            after = page.next

    def _fill(self, matches: Sequence[Match], filler: hits.Filler, viewer: Viewer) -> Iterator[Hit]:
        records = self.store.get_many([match.id for match in matches])
        ancestors, clusters = Ancestors(self.store), Clusters(self.store, viewer)
        for match in matches:
            record = records.get(match.id)
            if record is not None and record.access.visible_to(viewer):
                above = hits.visible_ancestors(record, ancestors.of(record), viewer)
                hit = filler.fill(match, record, above, self.thumbnail_address(record))
                yield msgspec.structs.replace(hit, cluster=clusters.holding(record, above))

    def thumbnail_address(self, record: Record) -> str:
        """Return where a small picture of a record is.

        Here when it can be drawn, else as harvested.
        """
        if isinstance(record, Image) and self.draws(source_of(record.id)):
            return f"{record_iri(record.id, self.settings.base_url)}/thumbnail"
        web = record.thumbnail.startswith(("https://", "http://"))
        return record.thumbnail if web else ""

    def draws(self, source: str) -> bool:
        """Whether a configured source can draw small pictures of its images."""
        if source not in self._drawing:
            try:
                self._drawing[source] = hasattr(self.source(source), "thumbnail")
            except (ConfigError, PluginMissing):  # the records stay, also without their source
                self._drawing[source] = False
        return self._drawing[source]

    # -------------------------------------------------------------- facets and suggestions

    @cached_property
    def _labels(self) -> Labels:
        return Labels(self.terms, self.store, self.index)

    def facet_tree(self, field: str, query: Query, viewer: Viewer) -> tuple[Node, ...]:
        """Return a facet's terms as trees, with the query's hits at each level."""
        understood, _ = self._understand(query, viewer)
        asked = msgspec.structs.replace(understood, facets=(FacetRequest(field, MOST),), size=1)
        values = self._labels.facets(self._search(viewer, asked), viewer).get(field, ())

        def count(terms: tuple[Curie, ...]) -> int:
            below = All((understood.where, FieldIn(field, terms=terms)))
            return self.index.count(msgspec.structs.replace(understood, where=below), viewer)

        return facet_tree(values, self.terms, count, part_of=require_field(field).part_of)

    def suggest(self, prefix: str, viewer: Viewer, limit: int = 10) -> tuple[Suggestion, ...]:
        """Return completions that would find something: frequent values first, then terms."""
        prefix = prefix.strip()
        if not prefix:
            return ()
        found = [
            Suggestion(text, "value", field, "", "", count)
            for field, text, count in self.index.suggest(prefix, viewer, limit)
        ]
        known = {suggestion.text.casefold() for suggestion in found}
        for match in self.terms.suggest(prefix, limit):
            if len(found) >= limit:
                break
            count = self._count_term(match.curie, viewer)
            if count and match.label.casefold() not in known:
                known.add(match.label.casefold())
                found.append(Suggestion(match.label, "term", "", match.curie, match.label, count))
        return tuple(found[:limit])

    def _count_term(self, term: Curie, viewer: Viewer) -> int:
        below = tuple(self.terms.descendants(term, part_of=counts_parts(term))) or (term,)
        return self.index.count(Query(Terms(term, term, below)), viewer)

    # -------------------------------------------------------------- records, sources, graph

    def view(self, id: RecordId, viewer: Viewer) -> RecordView:
        """Return a record with what surrounds it.

        RecordNotFound when this viewer may not know of it.
        """
        record = self.store.get(id)
        if not record.access.visible_to(viewer):
            raise RecordNotFound(
                f"there is no record {id}", hint="parfocal search finds identifiers"
            )
        above = hits.visible_ancestors(record, Ancestors(self.store).of(record), viewer)
        study, container = hits.places(record, above)
        claims = hits.annotations_of(record, above)
        twins = twins_for(id, self.store.namesakes(id), viewer)
        return RecordView(record, above, study, container, claims, twins)

    def sameness(self, viewer: Viewer) -> Sameness:
        """Return what is one data set in several sources, and what may be."""
        return Clusters(self.store, viewer).everything()

    def children(
        self, id: RecordId, viewer: Viewer, *, after: int = 0, limit: int = 100
    ) -> list[Change]:
        """Return the records directly in one that the viewer may see, by seq, from after a seq."""
        found: list[Change] = []
        while len(found) < limit:
            page = self.store.children(id, after=after, limit=limit)
            if not page:
                break
            found += [
                c for c in page if c.record is not None and c.record.access.visible_to(viewer)
            ]
            after = page[-1].seq
        return found[:limit]

    def fields(self) -> tuple[Field, ...]:
        """Return the searchable fields."""
        return FIELDS

    def sources(self, viewer: Viewer) -> tuple[SourceView, ...]:
        """Return the sources that the viewer may know of, by name.

        Counts are what the viewer sees.
        """
        configured = {source.name: source for source in self.settings.sources}
        states = {state.name: state for state in self.store.sources()}
        views = []
        for name in sorted({*configured, *states}):
            settings = configured.get(name)
            private = bool(settings and settings.access)
            count = self._visible_records(name, viewer)
            if settings and private and viewer.groups.isdisjoint(settings.access):
                continue
            state = states.get(name, SourceState(name, 0))
            # The records' own access decides too: a running server may have older settings.
            if not count and (settings is None or state.records):
                continue
            views.append(SourceView(name, settings.kind if settings else "", count, state))
        return tuple(views)

    def _visible_records(self, source: str, viewer: Viewer) -> int:
        return self.index.count(Query(FieldIn("source", (source.casefold(),))), viewer)

    def sparql(
        self, text: str, viewer: Viewer, *, accept: str = "", timeout: float | None = None
    ) -> Answer:
        """Run a SPARQL query over what the viewer may see; at most ``[graph] timeout`` seconds."""
        limit = self.settings.graph.timeout
        require_readable(self.settings.data_dir, "graph", self.store, self.graph)
        return self.graph.query(text, viewer, accept=accept, timeout=min(timeout or limit, limit))

    def close(self) -> None:
        """Close what was opened."""
        for part in ("graph", "index", "terms"):
            if part in self.__dict__:
                self.__dict__[part].close()
        self.store.close()
        self.projections.give_back()
        if self._folder is not None:
            self._folder.cleanup()

    def __enter__(self) -> Catalogue:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()


__all__ = ["Catalogue", "Expansion", "SourceView", "Suggestion"]
