"""Reading by pronto: strict, complete, for files that fit in memory; its warnings become notes."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

from pronto.ontology import Ontology
from pronto.relationship import Relationship
from pronto.term import Term

from ontology.document import Document, Skipped, ontology_name, version_name
from ontology.obo import PART_OF, replaced
from parfocal.identifiers import Curie
from parfocal.prefixes import curie_of
from parfocal.values import TermInfo

MAX_BYTES = 6 << 20
"""Larger files go to the streaming readers: pronto needs fifty times their size in memory."""

_OTHER_LANGUAGE = re.compile(rb"<rdfs:label[^>]*xml:lang=[\"'](?!en)")


class ProntoRefused(Exception):
    """pronto cannot read the file; says why in a few words."""


class _Refusals:
    """Turns whatever pronto and the parsers below it raise into ProntoRefused.

    A panic of its Rust parser is no Exception, so it is known by its name only.
    """

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None or error is None:
            return
        if issubclass(kind, Exception) or kind.__name__ == "PanicException":
            reason = re.sub(r" <[^>]* object at 0x[0-9a-f]+>", "", str(error))
            raise ProntoRefused(f"{kind.__name__}: {reason}"[:200]) from error


def read_by_pronto(content: bytes, path: Path) -> Document:
    """Read OBO or OWL (RDF/XML) with pronto, following no imports; ProntoRefused if it cannot."""
    if _OTHER_LANGUAGE.search(content):
        raise ProntoRefused("it takes labels of any language")
    skipped = Skipped()
    with _Refusals(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        # One thread: a pool of processes would outlive a broken file.
        loaded = Ontology(io.BytesIO(content), import_depth=0, threads=1)
        name = ontology_name(loaded.metadata.ontology or "", path)
        terms = list(_terms(loaded, name, skipped))
    for warning in caught:
        skipped.note(_without_place(str(warning.message)), "")
    if not any(not term.obsolete or term.label for term in terms):
        raise ProntoRefused("it finds no term")
    return Document(
        name=name,
        version=version_name(loaded.metadata.data_version or _date(loaded), path),
        reader="pronto",
        terms=iter(terms),
        skipped=skipped,
    )


def _date(loaded: Ontology) -> str:
    date = loaded.metadata.date
    return date.date().isoformat() if date else ""


def _without_place(message: str) -> str:
    return "pronto: " + message.partition("<Element")[0].rstrip(" :'")[:100]


def _terms(loaded: Ontology, ontology: str, skipped: Skipped) -> Iterator[TermInfo]:
    former: dict[Curie, Curie] = {}
    relations = list(_part_of(loaded))
    for term in loaded.terms():
        curie = curie_of(term.id)
        if curie is None:
            skipped.note("term whose id is no CURIE", term.id)
            continue
        yield _term(term, curie, ontology, relations)
        former.update((c, curie) for other in term.alternate_ids if (c := curie_of(other)))
    yield from replaced(former, ontology)


def _term(term: Term, curie: Curie, ontology: str, relations: Iterable[Relationship]) -> TermInfo:
    parents = (curie_of(parent.id) for parent in term.superclasses(distance=1, with_self=False))
    replacements = (curie_of(other.id) for other in term.replaced_by)
    return TermInfo(
        curie=curie,
        label=" ".join((term.name or "").split()),
        ontology=ontology,
        synonyms=tuple(
            sorted({(s.scope or "RELATED", " ".join(s.description.split())) for s in term.synonyms})
        ),
        parents=tuple(sorted({parent for parent in parents if parent})),
        obsolete=bool(term.obsolete),
        replaced_by=tuple(sorted({other for other in replacements if other})),
        definition=str(term.definition or ""),
        part_of=tuple(sorted(set(_wholes(term, relations)))),
    )


def _part_of(loaded: Ontology) -> Iterator[Relationship]:
    """Yield the relations to a whole, also those that terms use but the file does not declare."""
    declared = {relation.id for relation in loaded.relationships()}
    for name in sorted(PART_OF):
        find = loaded.get_relationship if name in declared else loaded.create_relationship
        yield find(name)


def _wholes(term: Term, relations: Iterable[Relationship]) -> Iterator[Curie]:
    related = term.relationships
    for relation in relations:
        # Asked by name: walking over all fails at a relation that the file does not declare.
        try:
            others = related[relation]
        except KeyError:
            continue
        yield from (curie for other in others if (curie := curie_of(other.id)))
