"""A reader of Turtle: SKOS vocabularies, and OWL classes with plain superclasses.

What is no OBO address gets its CURIE by the prefixes that the file declares.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from curies import Converter
from msgspec import Struct, field
from pyoxigraph import BlankNode, Literal, NamedNode, RdfFormat, Triple, parse

from ontology.document import Document, Skipped, ontology_name, version_name
from ontology.owl import OBO, OWL, PART_OF, RDFS, SKOS, Draft, Header, told
from parfocal.errors import OntologyInvalid
from parfocal.identifiers import Curie
from parfocal.prefixes import canonical_prefix, curie_of

_RDF_TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
_ISO = "http://purl.org/iso25964/skos-thes#"
_DCT = "http://purl.org/dc/terms/"
_KINDS = {SKOS + "Concept", OWL + "Class", RDFS + "Class"}
_SCHEMES = {SKOS + "ConceptScheme", OWL + "Ontology"}
_ABOVE = {
    RDFS + "subClassOf",
    SKOS + "broader",
    SKOS + "broaderTransitive",
    _ISO + "broaderGeneric",
}
_BELOW = {SKOS + "narrower", SKOS + "narrowerTransitive", _ISO + "narrowerGeneric"}
_WHOLE = {_ISO + "broaderPartitive", OBO + "BFO_0000050"}
_REPLACED = {_DCT + "isReplacedBy", OBO + "IAO_0100001"}
_VERSIONS = (OWL + "versionIRI", OWL + "versionInfo", _DCT + "modified", _DCT + "issued")


class _Subject(Struct):
    """What a file says of one subject."""

    kinds: set[str] = field(default_factory=set)
    links: list[tuple[str, str]] = field(default_factory=list)
    texts: list[tuple[str, str, str]] = field(default_factory=list)


def read_turtle(stream: BinaryIO, path: Path) -> Document:
    """Read Turtle from its bytes; what it says is held in memory."""
    skipped = Skipped()
    subjects, prefixes = _subjects(stream, str(path))
    names = _Names(prefixes, ontology_name("", path))
    drafts = _drafts(subjects, names, skipped)
    if not drafts:
        raise OntologyInvalid(
            "the file holds no class or concept", where=str(path), hint="is it an ontology?"
        )
    header = _header(subjects)
    name = ontology_name(header.name, path)
    return Document(
        name=name,
        version=version_name(header.version, path),
        reader="turtle",
        terms=told(iter(drafts.values()), name),
        skipped=skipped,
    )


class _Names:
    """Makes CURIEs of addresses, by what is known everywhere, then by the file's prefixes."""

    def __init__(self, prefixes: dict[str, str], name: str) -> None:
        unique = {address: prefix or name for prefix, address in prefixes.items() if address}
        self._converter = Converter.from_prefix_map(
            {prefix: address for address, prefix in unique.items()}, strict=False
        )

    def curie(self, address: str) -> Curie | None:
        known = curie_of(address)
        if known:
            return known
        prefix, _, local = (self._converter.compress(address) or "").partition(":")
        return curie_of(f"{canonical_prefix(prefix)}:{local}") if local else None


def _subjects(stream: BinaryIO, where: str) -> tuple[dict[str, _Subject], dict[str, str]]:
    subjects: dict[str, _Subject] = {}
    # Relative addresses need a base; what they stand for is known to nobody but the file.
    triples = parse(stream, format=RdfFormat.TURTLE, base_iri="https://example.org/")
    try:
        for triple in triples:
            _take(triple, subjects)
    except SyntaxError as error:
        raise OntologyInvalid(
            f"the Turtle is broken: {error.msg}", where=where, hint="download the file again"
        ) from error
    return subjects, dict(triples.prefixes)


def _take(triple: Triple, subjects: dict[str, _Subject]) -> None:
    subject, predicate, value = triple.subject, triple.predicate.value, triple.object
    if isinstance(subject, Triple):
        return
    told_of = subjects.setdefault(_key(subject), _Subject())
    if isinstance(value, Literal):
        told_of.texts.append((predicate, value.value, value.language or ""))
    elif isinstance(value, NamedNode | BlankNode):
        if predicate == _RDF_TYPE:
            told_of.kinds.add(_key(value))
        else:
            told_of.links.append((predicate, _key(value)))


def _key(node: NamedNode | BlankNode) -> str:
    return node.value if isinstance(node, NamedNode) else str(node)


def _header(subjects: dict[str, _Subject]) -> Header:
    for address, subject in subjects.items():
        if subject.kinds & _SCHEMES:
            said = {p: v for p, v, *_ in (*subject.texts, *subject.links)}
            return Header(address, next((said[p] for p in _VERSIONS if p in said), ""))
    return Header()


def _drafts(subjects: dict[str, _Subject], names: _Names, skipped: Skipped) -> dict[Curie, Draft]:
    drafts: dict[Curie, Draft] = {}
    for address, subject in subjects.items():
        if not subject.kinds & _KINDS:
            if not address.startswith("_:"):
                skipped.note("subject that is no class or concept", address)
            continue
        curie = names.curie(address)
        if curie is None:
            if not address.startswith("_:"):
                skipped.note("class whose address is no CURIE", address)
            continue
        draft = drafts.setdefault(curie, Draft(curie, address))
        for predicate, text, language in subject.texts:
            draft.say(predicate, text, language)
    for address, subject in subjects.items():
        curie = names.curie(address)
        if curie in drafts:
            _link(drafts[curie], subject, subjects, names, drafts)
    return drafts


def _link(
    draft: Draft,
    subject: _Subject,
    subjects: dict[str, _Subject],
    names: _Names,
    drafts: dict[Curie, Draft],
) -> None:
    for predicate, target in subject.links:
        if target.startswith("_:"):
            whole = _restricted(subjects.get(target)) if predicate in _ABOVE else ""
            draft.part_of += _found(whole, names)
        elif predicate in _ABOVE:
            draft.parents += _found(target, names)
        elif predicate in _WHOLE:
            draft.part_of += _found(target, names)
        elif predicate in _REPLACED:
            draft.replaced_by += _found(target, names)
        elif predicate in _BELOW:
            for below in _found(target, names):
                if below in drafts:
                    drafts[below].parents.append(draft.curie)


def _found(address: str, names: _Names) -> Iterator[Curie]:
    curie = names.curie(address) if address else None
    if curie:
        yield curie


def _restricted(node: _Subject | None) -> str:
    """Return the whole of a plain ``part_of some class``, or ""."""
    links = dict(node.links) if node else {}
    return links.get(OWL + "someValuesFrom", "") if links.get(OWL + "onProperty") in PART_OF else ""
