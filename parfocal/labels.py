"""Labels of the terms in facets: an ontology's, else what the records themselves call them."""

from __future__ import annotations

from parfocal import hits
from parfocal.fields import FIELDS
from parfocal.identifiers import Curie
from parfocal.interfaces import RecordStore, SearchIndex, TermStore
from parfocal.model import Viewer
from parfocal.projecting import Ancestors
from parfocal.query import FacetValue, FieldIn, Page, Query

_TERM_FIELDS = frozenset(field.name for field in FIELDS if field.type == "term")


class Labels:
    """Finds labels; what was found in records is remembered by viewer's groups."""

    def __init__(self, terms: TermStore, store: RecordStore, index: SearchIndex) -> None:
        self._terms = terms
        self._store = store
        self._index = index
        self._known: dict[tuple[str, frozenset[str]], str] = {}

    def facets(self, page: Page, viewer: Viewer) -> dict[str, tuple[FacetValue, ...]]:
        """Return a page's facets with labels for the terms in them."""
        return {
            name: tuple(FacetValue(v.value, self.label(name, v, viewer), v.count) for v in values)
            if name in _TERM_FIELDS
            else values
            for name, values in page.facets.items()
        }

    def label(self, field: str, value: FacetValue, viewer: Viewer) -> str:
        """Return what to call a value of a field of terms."""
        if ":" not in value.value or value.label not in ("", value.value):
            return value.label or value.value
        term = self._terms.get(Curie(value.value))
        if term is not None and term.label:
            return term.label
        place = value.value, viewer.groups
        if place not in self._known:
            self._known[place] = self._in_records(field, Curie(value.value), viewer)
        return self._known[place] or value.value

    def _in_records(self, field: str, term: Curie, viewer: Viewer) -> str:
        """Find the label that the records themselves give a term that no loaded ontology has."""
        page = self._index.search(Query(FieldIn(field, terms=(term,)), size=1), viewer)
        for record in self._store.get_many([match.id for match in page.matches]).values():
            for each in (record, *Ancestors(self._store).of(record)):
                if each.access.visible_to(viewer) and (
                    label := hits.claims_label(term, each.annotations)
                ):
                    return label
        return ""
