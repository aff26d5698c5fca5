"""OLS4, the Ontology Lookup Service, as a remote service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ontology.web import Web, fetch
from parfocal.errors import SourceMalformed, SourceRefused
from parfocal.identifiers import Curie, curie_iri
from parfocal.prefixes import canonical_prefix, curie_of
from parfocal.values import TermInfo

URL = "https://www.ebi.ac.uk/ols4/api"
_FIELDS = (
    "iri,label,obo_id,synonym,short_form,description,ontology_name,is_obsolete,is_defining_ontology"
)
_SCOPES = {
    "hasExactSynonym": "EXACT",
    "hasNarrowSynonym": "NARROW",
    "hasBroadSynonym": "BROAD",
    "hasRelatedSynonym": "RELATED",
}
_A_PAGE = 500
_MOST_PAGES = 2000


class Ols:
    """Asks an OLS4 server."""

    def __init__(self, web: Web) -> None:
        self._web = web

    def search(
        self, text: str, ontologies: Sequence[str] = (), *, exact: bool = False, limit: int = 20
    ) -> tuple[TermInfo, ...]:
        """Return terms that a text names, each once: an importing ontology tells of it, too."""
        params: dict[str, str | int] = {
            "q": text,
            "type": "class",
            "local": "true",
            "groupField": "iri",
            "obsoletes": "false",
            # Without being asked for, synonyms are left out.
            "fieldList": _FIELDS,
            "rows": limit,
        }
        if ontologies:
            params["ontology"] = ",".join(name.lower() for name in ontologies)
        if exact:
            params["exact"] = "true"
        docs = _part(_part(self._web.json("search", params), "response"), "docs")
        found = [term for doc in _maps(docs) if (term := _term(doc))]
        return tuple({term.curie: term for term in reversed(found)}.values())[::-1]

    def term(self, curie: Curie) -> TermInfo | None:
        """Return a term with its parents; None for one that the service does not know."""
        told = self._web.json(_path(curie), missing=True)
        if told is None:
            return None
        term = _term(_map(told))
        if term is None:
            raise SourceMalformed("tells of a term without an id", where=_path(curie))
        parents = tuple(self._listed(curie, "parents")) if not term.obsolete else ()
        return TermInfo(
            curie=curie,
            label=term.label,
            synonyms=term.synonyms,
            parents=parents,
            obsolete=term.obsolete,
            replaced_by=term.replaced_by,
            definition=term.definition,
            iri=term.iri,
        )

    def ancestors(self, curie: Curie) -> frozenset[Curie]:
        """Return all terms above over is_a."""
        return frozenset(self._listed(curie, "ancestors")) - {curie}

    def descendants(self, curie: Curie) -> frozenset[Curie]:
        """Return all terms below over is_a, without the term itself."""
        return frozenset(self._listed(curie, "descendants")) - {curie}

    def annotate(self, text: str, ontologies: Sequence[str] = ()) -> tuple[Any, ...]:
        """Raise SourceRefused: OLS4 reads no texts."""
        raise SourceRefused("OLS4 annotates no texts", hint="ontology.remote.service = bioportal")

    def mappings(self, curie: Curie) -> tuple[Curie, ...]:
        """Return what else the term is called, by its cross references."""
        told = _map(self._web.json(_path(curie), missing=True) or {})
        written = [
            f"{each.get('database')}:{each.get('id')}" for each in _maps(told.get("obo_xref"))
        ]
        found = (curie_of(each) for each in written)
        return tuple(sorted({other for other in found if other and other != curie}))

    def download(self, name: str, path: Path) -> None:
        """Download an ontology from where the service has it from."""
        config = _map(_map(self._web.json(f"ontologies/{name.lower()}")).get("config"))
        address = str(config.get("fileLocation") or "")
        if not address.startswith(("https://", "http://")):
            raise SourceRefused(f"does not say where {name} comes from", where=self._web.url)
        self._web.refuse_inner(address)
        fetch(address, path)

    def _listed(self, curie: Curie, what: str) -> Iterator[Curie]:
        """Yield the terms of a list of pages; the pages are counted, not followed."""
        for page in range(_MOST_PAGES):
            params: dict[str, str | int] = {"size": _A_PAGE, "page": page}
            told = _map(self._web.json(f"{_path(curie)}/{what}", params, missing=True) or {})
            for row in _maps(_map(told.get("_embedded")).get("terms")):
                found = _curie(row)
                if found:
                    yield found
            if page + 1 >= int(_map(told.get("page")).get("totalPages") or 0):
                return


def _path(curie: Curie) -> str:
    prefix = curie.partition(":")[0].lower()
    # Encoded twice, as the service wants it.
    twice = quote(quote(curie_iri(curie), safe=""), safe="")
    return f"ontologies/{prefix}/terms/{twice}"


def _curie(row: Mapping[str, Any]) -> Curie | None:
    for key in ("obo_id", "short_form", "iri"):
        found = curie_of(str(row.get(key) or ""))
        if found and canonical_prefix(found.partition(":")[0]):
            return found
    return None


def _term(row: Mapping[str, Any]) -> TermInfo | None:
    curie = _curie(row)
    if curie is None:
        return None
    scoped = [
        (_SCOPES.get(str(each.get("scope")), "RELATED"), str(each.get("name") or ""))
        for each in _maps(row.get("obo_synonym"))
    ]
    known = {name for _, name in scoped}
    plain = [("EXACT", name) for name in _texts(row.get("synonyms", row.get("synonym")))]
    replaced = curie_of(str(row.get("term_replaced_by") or ""))
    return TermInfo(
        curie=curie,
        label=" ".join(str(row.get("label") or "").split()),
        synonyms=tuple(dict.fromkeys(scoped + [pair for pair in plain if pair[1] not in known])),
        obsolete=bool(row.get("is_obsolete")),
        replaced_by=(replaced,) if replaced else (),
        definition=" ".join(_texts(row.get("description"))),
        iri=str(row.get("iri") or ""),
    )


def _part(value: object, key: str) -> object:
    if not isinstance(value, dict) or key not in value:
        raise SourceMalformed(f"the answer has no {key!r}", hint="is the address that of OLS4?")
    return value[key]


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _maps(value: object) -> list[Mapping[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
