"""SSBD's RDF: read from documents, and cut into what belongs to each project and data set."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import pyoxigraph as ox
from msgspec import Struct

from parfocal.errors import SourceMalformed

SSBD = "http://ssbd.riken.jp/ontology/"
MAX_TRIPLES = 2_000_000
MAX_NODES = 5000
_RDF_TYPE = ox.NamedNode("http://www.w3.org/1999/02/22-rdf-syntax-ns#type")
_LABEL = ox.NamedNode("http://www.w3.org/2000/01/rdf-schema#label")
_FORMATS = {
    "ttl": ox.RdfFormat.TURTLE,
    "nt": ox.RdfFormat.N_TRIPLES,
    "nq": ox.RdfFormat.N_QUADS,
    "trig": ox.RdfFormat.TRIG,
    "rdf": ox.RdfFormat.RDF_XML,
    "owl": ox.RdfFormat.RDF_XML,
    "xml": ox.RdfFormat.RDF_XML,
    "jsonld": ox.RdfFormat.JSON_LD,
    "json": ox.RdfFormat.JSON_LD,
}
_OUTPUT = ("has_dataset_output", "RO_0002234")
_NUMBER = re.compile(r"ssbd-dataset-(\d+)-")
_INDIVIDUAL = re.compile(r"ssbd-[a-z]+(?:-[a-z]+)*-(\d+-.+)")
Node = ox.NamedNode | ox.BlankNode


class Piece(Struct, frozen=True):
    """A project or data set with all that is said of it, as sorted N-Triples."""

    subject: str
    native: str
    parent: str
    triples: bytes


def local_name(iri: str) -> str:
    """Return the last part of an IRI.

    >>> local_name("http://ssbd.riken.jp/ontology/has_license")
    'has_license'
    """
    return iri.rstrip("/#").replace("#", "/").rpartition("/")[2]


def format_of(name: str, content: bytes) -> ox.RdfFormat:
    """Return the format of an RDF document, by its name, else by how it begins."""
    path = name.partition("?")[0].lower().removesuffix(".gz")
    known = _FORMATS.get(path.rpartition(".")[2])
    start = content[:200].lstrip()
    if start.startswith((b"{", b"[{")):
        return ox.RdfFormat.JSON_LD
    if start.startswith((b"<?xml", b"<rdf:")):
        return ox.RdfFormat.RDF_XML
    return known or ox.RdfFormat.TURTLE


class Graph:
    """All documents together."""

    def __init__(self) -> None:
        self._store = ox.Store()
        self._left = MAX_TRIPLES
        self._alike: dict[str, list[ox.NamedNode]] = {}

    def add(self, name: str, content: bytes) -> None:
        """Read a document; SourceMalformed when it is no RDF, or there is too much of it."""
        kind = format_of(name, content)
        try:
            for quad in ox.parse(content, format=kind, base_iri=SSBD, rename_blank_nodes=True):
                self._left -= 1
                if self._left < 0:
                    raise SourceMalformed(f"has more than {MAX_TRIPLES} triples", where=name)
                self._store.add(ox.Quad(quad.subject, quad.predicate, quad.object))
        except (SyntaxError, ValueError) as error:
            raise SourceMalformed(f"is no RDF: {error}", where=name) from error

    def pieces(self) -> Iterator[Piece]:
        """Yield the projects, each followed by its data sets; then data sets of no project."""
        self._find_alike()
        projects = {local_name(node.value): node for node in self._of_type("SSBD_Project")}
        owners: dict[ox.NamedNode, ox.NamedNode] = {}
        for node in self._of_type("SSBD_dataset"):
            owner = self._owner(node, projects)
            if owner is not None:
                owners[node] = owner
        for name, project in sorted(projects.items()):
            native = self._project_name(project) or name
            yield self._piece(project, native, "")
            for node in sorted((n for n, p in owners.items() if p == project), key=_by_value):
                yield self._piece(node, f"{native}/{_short(node)}", native)
        for node in self._of_type("SSBD_dataset"):
            if node not in owners:
                yield self._piece(node, _short(node), "")

    def _of_type(self, name: str) -> list[ox.NamedNode]:
        wanted = ox.NamedNode(f"{SSBD}{name}")
        found = (q.subject for q in self._store.quads_for_pattern(None, _RDF_TYPE, wanted))
        return sorted((n for n in found if isinstance(n, ox.NamedNode)), key=_by_value)

    def _find_alike(self) -> None:
        """Note the individuals whose names differ only in what kind they are."""
        seen: set[str] = set()
        for quad in self._store.quads_for_pattern(None, _RDF_TYPE, None):
            node = quad.subject
            if not isinstance(node, ox.NamedNode):
                continue
            match = _INDIVIDUAL.fullmatch(local_name(node.value))
            if match and node.value not in seen:
                seen.add(node.value)
                self._alike.setdefault(match[1], []).append(node)

    def _owner(self, node: ox.NamedNode, projects: dict[str, ox.NamedNode]) -> ox.NamedNode | None:
        for quad in self._store.quads_for_pattern(None, None, node):
            project = projects.get(local_name(getattr(quad.subject, "value", "")))
            if project is not None and local_name(quad.predicate.value) in _OUTPUT:
                return project
        match = _NUMBER.match(local_name(node.value))
        return projects.get(f"ssbd-project-{match[1]}") if match else None

    def _project_name(self, project: ox.NamedNode) -> str:
        predicate = ox.NamedNode(f"{SSBD}has_project_name")
        found = (q.object for q in self._store.quads_for_pattern(project, predicate, None))
        return min((o.value.strip() for o in found if isinstance(o, ox.Literal)), default="")

    def _piece(self, node: ox.NamedNode, native: str, parent: str) -> Piece:
        triples = ox.Dataset(ox.Quad(*triple) for triple in self._closure(node))
        triples.canonicalize(ox.CanonicalizationAlgorithm.RDFC_1_0)
        lines = sorted(str(quad.triple) for quad in triples)
        return Piece(node.value, native, parent, "".join(f"{line} .\n" for line in lines).encode())

    def _closure(self, start: ox.NamedNode) -> Iterator[ox.Triple]:
        """Yield what is said of a node and of SSBD's own nodes around it; of terms their labels."""
        match = _INDIVIDUAL.fullmatch(local_name(start.value))
        waiting: list[Node] = [start]
        if match and "ssbd-dataset-" in start.value:
            waiting += self._alike.get(match[1], [])
        seen: set[Node] = set()
        while waiting and len(seen) < MAX_NODES:
            node = waiting.pop()
            if node in seen:
                continue
            seen.add(node)
            own = node == start or isinstance(node, ox.BlankNode) or node.value.startswith(SSBD)
            for quad in self._store.quads_for_pattern(node, None if own else _LABEL, None):
                yield quad.triple
                far = local_name(quad.predicate.value) in _OUTPUT or quad.predicate == _RDF_TYPE
                if own and not far and isinstance(quad.object, Node):
                    waiting.append(quad.object)


def _by_value(node: ox.NamedNode) -> str:
    return node.value


def _short(node: ox.NamedNode) -> str:
    return local_name(node.value).removeprefix("ssbd-dataset-")


def read_triples(content: bytes) -> Iterable[ox.Triple]:
    """Read the triples of a piece; SourceMalformed when they are none."""
    try:
        parsed = ox.parse(content, format=ox.RdfFormat.N_TRIPLES)
        return [ox.Triple(quad.subject, quad.predicate, quad.object) for quad in parsed]
    except (SyntaxError, ValueError) as error:
        raise SourceMalformed(f"no triples: {error}") from error
