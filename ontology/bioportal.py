"""BioPortal, and other OntoPortal servers, as a remote service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from ontology.web import Web
from parfocal.errors import SourceMalformed
from parfocal.identifiers import Curie, curie_iri
from parfocal.prefixes import curie_of
from parfocal.values import TermInfo

URL = "https://data.bioontology.org"
_INCLUDE = "prefLabel,synonym,definition,obsolete"
_A_PAGE = 500
_MOST_PAGES = 2000
_MOST_TEXT = 8000
"""Characters of a text that are annotated at once; long requests are cut off."""


class Mention(Struct, frozen=True):
    """A term found in a text, from character ``start`` (counted from 0) to before ``end``."""

    term: Curie
    start: int
    end: int
    text: str
    method: str


class BioPortal:
    """Asks a BioPortal server; the key is in the headers of what asks."""

    def __init__(self, web: Web) -> None:
        self._web = web

    def search(
        self, text: str, ontologies: Sequence[str] = (), *, exact: bool = False, limit: int = 20
    ) -> tuple[TermInfo, ...]:
        """Return terms that a text names, each once; none for a text of nothing."""
        if not text.strip():
            return ()
        params: dict[str, str | int] = {"q": text, "pagesize": limit, "include": _INCLUDE}
        if ontologies:
            params["ontologies"] = ",".join(name.upper() for name in ontologies)
        if exact:
            params["require_exact_match"] = "true"
        rows = _collection(self._web.json("search", params))
        found = [term for row in rows if not row.get("obsolete") and (term := _term(row))]
        return tuple({term.curie: term for term in reversed(found)}.values())[::-1]

    def term(self, curie: Curie) -> TermInfo | None:
        """Return a term with its parents; None for one that the service does not know."""
        told = self._web.json(_path(curie), {"include": _INCLUDE}, missing=True)
        term = _term(told) if isinstance(told, dict) else None
        if term is None:
            return None
        parents = self._web.json(f"{_path(curie)}/parents", missing=True)
        above = [found for row in _rows(parents) if (found := _curie(row))]
        return TermInfo(
            curie=curie,
            label=term.label,
            synonyms=term.synonyms,
            parents=tuple(dict.fromkeys(above)),
            obsolete=term.obsolete,
            definition=term.definition,
            iri=term.iri,
        )

    def ancestors(self, curie: Curie) -> frozenset[Curie]:
        """Return all terms above."""
        told = self._web.json(f"{_path(curie)}/ancestors", missing=True)
        return frozenset(found for row in _rows(told) if (found := _curie(row))) - {curie}

    def descendants(self, curie: Curie) -> frozenset[Curie]:
        """Return all terms below, without the term itself."""
        return frozenset(self._listed(f"{_path(curie)}/descendants")) - {curie}

    def annotate(self, text: str, ontologies: Sequence[str] = ()) -> tuple[Mention, ...]:
        """Return what a text mentions, in order; a long one is read piece by piece."""
        found: dict[tuple[Curie, int, int], Mention] = {}
        for start, piece in _pieces(text):
            form: dict[str, str | int] = {"text": piece, "longest_only": "true"}
            if ontologies:
                form["ontologies"] = ",".join(name.upper() for name in ontologies)
            for mention in _mentions(self._web.json("annotator", form=form), text, start):
                found.setdefault((mention.term, mention.start, mention.end), mention)
        return tuple(sorted(found.values(), key=lambda each: (each.start, each.end, each.term)))

    def mappings(self, curie: Curie) -> tuple[Curie, ...]:
        """Return the terms of other ontologies that mean the same."""
        told = self._web.json(f"{_path(curie)}/mappings", missing=True)
        found = (
            _curie(each)
            for row in _rows(told)
            for each in (row["classes"] if isinstance(row.get("classes"), list) else ())
            if isinstance(each, dict)
        )
        return tuple(sorted({other for other in found if other and other != curie}))

    def download(self, name: str, path: Path) -> None:
        """Download the latest submission of an ontology."""
        with path.open("wb") as file:
            self._web.download(f"ontologies/{quote(name.upper(), safe='')}/download", file)

    def _listed(self, path: str) -> Iterator[Curie]:
        page = 1
        for _ in range(_MOST_PAGES):
            params: dict[str, str | int] = {"page": page, "pagesize": _A_PAGE}
            told = self._web.json(path, params, missing=True)
            if told is None:
                return
            yield from (found for row in _collection(told) if (found := _curie(row)))
            following = told.get("nextPage")
            if not isinstance(following, int) or following <= page:
                return
            page = following


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Yield a text in pieces that end between words, with where each one begins."""
    start = 0
    while start < len(text):
        end = min(start + _MOST_TEXT, len(text))
        if end < len(text):
            space = text.rfind(" ", start, end)
            end = space + 1 if space > start else end
        if text[start:end].strip():
            yield start, text[start:end]
        start = end


def _mentions(told: object, text: str, start: int) -> Iterator[Mention]:
    for row in _rows(told):
        named = row.get("annotatedClass")
        curie = _curie(named) if isinstance(named, dict) else None
        spans = row.get("annotations")
        for span in spans if curie and isinstance(spans, list) else ():
            try:
                # Counted from 1, the last one included; the words themselves come in capitals.
                first, last = start + int(span["from"]) - 1, start + int(span["to"])
                method = "label" if span.get("matchType") == "PREF" else "synonym"
            except (KeyError, TypeError, ValueError, AttributeError):
                continue
            if start <= first < last <= len(text) and curie:
                yield Mention(curie, first, last, text[first:last], method)


def _path(curie: Curie) -> str:
    acronym = curie.partition(":")[0].upper()
    return f"ontologies/{quote(acronym, safe='')}/classes/{quote(curie_iri(curie), safe='')}"


def _collection(told: object) -> list[Mapping[str, Any]]:
    if not isinstance(told, dict) or not isinstance(told.get("collection"), list):
        raise SourceMalformed(
            "the answer has no 'collection'", hint="is the address that of BioPortal?"
        )
    return _rows(told["collection"])


def _rows(value: object) -> list[Mapping[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _curie(row: Mapping[str, Any]) -> Curie | None:
    return curie_of(str(row.get("@id") or ""))


def _term(row: Mapping[str, Any]) -> TermInfo | None:
    curie = _curie(row)
    if curie is None:
        return None
    synonyms, definition = row.get("synonym"), row.get("definition")
    names = synonyms if isinstance(synonyms, list) else []
    told = definition if isinstance(definition, list) else []
    return TermInfo(
        curie=curie,
        label=" ".join(str(row.get("prefLabel") or "").split()),
        synonyms=tuple(("EXACT", name) for name in names if isinstance(name, str)),
        obsolete=bool(row.get("obsolete")),
        definition=" ".join(text for text in told if isinstance(text, str)),
        iri=str(row.get("@id") or ""),
    )
