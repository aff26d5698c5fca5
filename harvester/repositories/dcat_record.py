"""DCAT as RDF/XML, brought into DataCite's attributes; its distributions are files."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

import pyoxigraph
from msgspec import Struct

from harvester.repositories.repository_files import RepositoryFile
from harvester.words.dois import read_doi
from harvester.words.leaves import Json
from parfocal.errors import SourceMalformed
from parfocal.model import KeyValue

DCT = "http://purl.org/dc/terms/"
DCAT = "http://www.w3.org/ns/dcat#"
FOAF = "http://xmlns.com/foaf/0.1/"
_TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
_NOTATION = "http://www.w3.org/2004/02/skos/core#notation"
_LABEL = "http://www.w3.org/2000/01/rdf-schema#label"
_HOMES = ("http://www.w3.org/ns/org#memberOf", "http://schema.org/affiliation")
_NAMES = (FOAF + "name", "http://www.w3.org/2006/vcard/ns#fn", DCT + "title", _LABEL)
_PAGES = (DCAT + "landingPage", FOAF + "page", FOAF + "homepage")
_SIMPLE = {
    "titles": (DCT + "title", "title"),
    "descriptions": (DCT + "description", "description"),
    "subjects": (DCAT + "keyword", "subject"),
}
_DATES = {DCT + "issued": "Issued", DCT + "modified": "Updated", DCT + "created": "Created"}
_RELATIONS = {
    DCT + "isVersionOf": "IsVersionOf",
    DCT + "hasVersion": "HasVersion",
    DCT + "isPartOf": "IsPartOf",
    DCT + "hasPart": "HasPart",
    DCT + "isReferencedBy": "IsReferencedBy",
    DCT + "references": "References",
    DCT + "source": "IsDerivedFrom",
    "http://purl.org/spar/cito/isCitedBy": "IsCitedBy",
    "http://purl.org/vocab/frbr/core#supplementOf": "IsSupplementTo",
}
_MAPPED = frozenset(
    (
        DCT + "title",
        DCT + "description",
        DCAT + "keyword",
        DCT + "creator",
        DCT + "publisher",
        DCAT + "distribution",
        _TYPE,
        *_DATES,
        *_RELATIONS,
    )
)
_MAX_DEPTH = 4

Node = pyoxigraph.NamedNode | pyoxigraph.BlankNode


class Described(Struct, frozen=True):
    """A data set that DCAT describes."""

    attributes: Json
    files: tuple[RepositoryFile, ...]
    pairs: tuple[KeyValue, ...]


class _Graph:
    """Triples by subject and predicate, in the order in which they stand."""

    def __init__(self, content: bytes) -> None:
        self.held: dict[object, dict[str, list[object]]] = {}
        try:
            for triple in pyoxigraph.parse(content, format=pyoxigraph.RdfFormat.RDF_XML):
                by_name = self.held.setdefault(triple.subject, {})
                by_name.setdefault(triple.predicate.value, []).append(triple.object)
        except (SyntaxError, ValueError) as error:
            raise SourceMalformed(f"not RDF: {error}") from error

    def objects(self, node: object, *names: str) -> list[object]:
        by_name = self.held.get(node, {})
        return [found for name in names for found in by_name.get(name, ())]

    def text(self, node: object, *names: str) -> str:
        """Return the first value of a property as text."""
        return next((_text(one) for one in self.objects(node, *names)), "")

    def root(self) -> object | None:
        """Return the data set; else what is described by a title."""
        for kind in ("Dataset", "Resource"):
            for node in self.held:
                types = {_text(one) for one in self.objects(node, _TYPE)}
                if DCAT + kind in types:
                    return node
        return next((node for node in self.held if self.text(node, DCT + "title")), None)


def _text(node: object) -> str:
    if isinstance(node, (pyoxigraph.Literal, pyoxigraph.NamedNode)):
        return str(node.value).strip()
    return ""


def read_dcat(content: bytes) -> Described:
    """Read RDF/XML; SourceMalformed when there is no data set in it."""
    graph = _Graph(content)
    root = graph.root()
    if root is None:
        raise SourceMalformed("the RDF describes no data set")
    attributes = _attributes(graph, root)
    return Described(attributes, tuple(_files(graph, root)), tuple(_pairs(graph, root)))


def _attributes(graph: _Graph, root: object) -> Json:
    found: Json = {
        name: [{key: _text(one)} for one in graph.objects(root, iri) if _text(one)]
        for name, (iri, key) in _SIMPLE.items()
    }
    named = [_text(root), *map(_text, graph.objects(root, DCT + "identifier"))]
    doi = next(filter(None, map(read_doi, named)), "")
    others = [graph.text(one, _NOTATION) or _text(one)
              for one in graph.objects(root, "http://www.w3.org/ns/adms#identifier")]  # fmt: skip
    pages = [_text(one) for one in graph.objects(root, *_PAGES)]
    return {
        **found,
        "doi": doi,
        "url": next((page for page in pages if not read_doi(page)), "") or _address(root),
        "identifiers": [
            {"identifier": text, "identifierType": ""} for text in (*named, *others) if text
        ],
        "creators": [_agent(graph, one) for one in graph.objects(root, DCT + "creator")],
        "publisher": next((_agent(graph, one)["name"]
                           for one in graph.objects(root, DCT + "publisher")), ""),
        "dates": [
            {"date": _text(one), "dateType": kind}
            for iri, kind in _DATES.items()
            for one in graph.objects(root, iri)
        ],
        "rightsList": _rights(graph, root),
        "relatedIdentifiers": [
            {"relationType": kind, "relatedIdentifier": _text(one)}
            for iri, kind in _RELATIONS.items()
            for one in graph.objects(root, iri)
        ],
    }  # fmt: skip


def _address(node: object) -> str:
    text = _text(node)
    return text if text.startswith(("http://", "https://")) and not read_doi(text) else ""


def _rights(graph: _Graph, root: object) -> list[Json]:
    nodes = [root, *graph.objects(root, DCAT + "distribution")]
    found = []
    for node in nodes:
        for one in graph.objects(node, DCT + "license", DCT + "rights"):
            label = graph.text(one, _LABEL, DCT + "title")
            address = _text(one) if isinstance(one, pyoxigraph.NamedNode) else ""
            entry = {"rights": label or ("" if address else _text(one)), "rightsUri": address}
            if entry not in found:
                found.append(entry)
    return found


def _agent(graph: _Graph, node: object) -> Json:
    address = _text(node) if isinstance(node, pyoxigraph.NamedNode) else ""
    known = [address, *map(_text, graph.objects(node, DCT + "identifier"))]
    homes = [graph.text(home, *_NAMES) or _text(home) for home in graph.objects(node, *_HOMES)]
    name = graph.text(node, *_NAMES) or ("" if graph.held.get(node) else _text(node))
    return {
        "name": name,
        "givenName": graph.text(node, FOAF + "givenName", FOAF + "givenname"),
        "familyName": graph.text(node, FOAF + "familyName", FOAF + "family_name"),
        "affiliation": [{"name": home} for home in homes if home],
        "nameIdentifiers": [{"nameIdentifier": text} for text in known if text],
    }


def _files(graph: _Graph, root: object) -> Iterator[RepositoryFile]:
    for node in graph.objects(root, DCAT + "distribution"):
        url = graph.text(node, DCAT + "downloadURL") or graph.text(node, DCAT + "accessURL")
        path = urlsplit(url).path.removesuffix("/content").rstrip("/")
        name = graph.text(node, DCT + "title") or unquote(path.rpartition("/")[2])
        if name and graph.objects(node, DCAT + "downloadURL"):
            yield RepositoryFile(path=name, url=url, pairs=tuple(_pairs(graph, node)))


def _pairs(graph: _Graph, node: object, before: str = "", depth: int = 0) -> Iterator[KeyValue]:
    """Yield what is said of a node, and of nameless nodes below it."""
    for name, values in graph.held.get(node, {}).items():
        if depth == 0 and name in _MAPPED:
            continue
        space, local = _split(name)
        key = f"{before}.{local}" if before else local
        for value in values:
            if text := _text(value):
                yield KeyValue(key, text, space)
            elif depth < _MAX_DEPTH:
                yield from _pairs(graph, value, key, depth + 1)


def _split(iri: str) -> tuple[str, str]:
    place = max(iri.rfind("#"), iri.rfind("/")) + 1
    return iri[:place], iri[place:] or iri
