"""Readers of ontologies as JSON: OBO Graphs, and the tables of cellxgene-ontology-guide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from ontology import obo, owl
from ontology.document import Document, Skipped, ontology_name, version_name
from ontology.owl import DEPRECATED, Draft, told
from parfocal.errors import OntologyInvalid
from parfocal.identifiers import Curie
from parfocal.prefixes import curie_of
from parfocal.values import TermInfo

_MAX_JSON = 1 << 30
_IS_A = {"is_a", "rdfs:subClassOf", "http://www.w3.org/2000/01/rdf-schema#subClassOf"}
_PART_OF = obo.PART_OF | owl.PART_OF
_SCOPES = {
    "hasExactSynonym": "EXACT",
    "hasNarrowSynonym": "NARROW",
    "hasBroadSynonym": "BROAD",
    "hasRelatedSynonym": "RELATED",
}


def read_json(stream: BinaryIO, path: Path) -> Document:
    """Read an OBO Graphs file or a cellxgene table of terms; other JSON is refused."""
    where = str(path)
    content = stream.read(_MAX_JSON + 1)
    if len(content) > _MAX_JSON:
        raise OntologyInvalid("the JSON is larger than 1 GiB", where=where, hint="load it as OBO")
    try:
        data = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise OntologyInvalid(
            f"the JSON is broken: {error}", where=where, hint="download the file again"
        ) from error
    if isinstance(data, dict) and isinstance(data.get("graphs"), list):
        return _read_graphs(data["graphs"], path)
    if isinstance(data, dict) and data and all(map(_is_table_row, data.items())):
        return _read_table(data, path)
    raise OntologyInvalid(
        "this JSON is no ontology",
        where=where,
        hint="OBO Graphs and cellxgene-ontology-guide files are read",
    )


# ------------------------------------------------------------------ OBO Graphs


def _read_graphs(graphs: list[Any], path: Path) -> Document:
    skipped = Skipped()
    graph = _mapping(graphs[0] if graphs else None)
    if len(graphs) > 1:
        skipped.note("graph after the first", str(_mapping(graphs[1]).get("id", "")))
    parents = _targets(_rows(graph, "edges"), _IS_A)
    wholes = _targets(_rows(graph, "edges"), _PART_OF)
    drafts = [d for node in _rows(graph, "nodes") if (d := _node(node, parents, wholes, skipped))]
    if not drafts:
        raise OntologyInvalid("the graph holds no class", where=str(path))
    version = _text(_mapping(graph.get("meta")), "version")
    name = ontology_name(_text(graph, "id").removeprefix("obo:"), path)
    return Document(
        name=name,
        version=version_name(version, path),
        reader="obographs",
        terms=told(iter(drafts), name),
        skipped=skipped,
    )


def _targets(edges: Iterator[Mapping[str, Any]], kinds: Set[str]) -> dict[str, list[Curie]]:
    targets: dict[str, list[Curie]] = {}
    for edge in edges:
        curie = curie_of(_text(edge, "obj"))
        if curie and _text(edge, "pred") in kinds:
            targets.setdefault(_text(edge, "sub"), []).append(curie)
    return targets


def _node(
    node: Mapping[str, Any],
    parents: dict[str, list[Curie]],
    wholes: dict[str, list[Curie]],
    skipped: Skipped,
) -> Draft | None:
    identifier = _text(node, "id")
    curie = curie_of(identifier)
    if _text(node, "type") not in ("CLASS", ""):
        skipped.note(f"node of type {_text(node, 'type')}", identifier)
        return None
    if curie is None:
        skipped.note("node whose id is no CURIE", identifier)
        return None
    meta = _mapping(node.get("meta"))
    draft = Draft(curie, identifier if "://" in identifier else "")
    draft.labels = [("", _text(node, "lbl"))] if _text(node, "lbl") else []
    draft.parents = parents.get(identifier, [])
    draft.part_of = wholes.get(identifier, [])
    draft.definition = _text(_mapping(meta.get("definition")), "val")
    for synonym in _rows(meta, "synonyms"):
        scope = _SCOPES.get(_text(synonym, "pred"), "RELATED")
        draft.synonyms.append((scope, _text(synonym, "val")))
    for pair in _rows(meta, "basicPropertyValues"):
        predicate = _text(pair, "pred").replace(
            "oio:", "http://www.geneontology.org/formats/oboInOwl#"
        )
        draft.say(
            predicate.replace("IAO:", "http://purl.obolibrary.org/obo/IAO_"), _text(pair, "val")
        )
    if meta.get("deprecated"):
        draft.say(DEPRECATED, "true")
    return draft


# ------------------------------------------------------------------ cellxgene


def _is_table_row(item: tuple[str, Any]) -> bool:
    key, row = item
    return curie_of(key) is not None and isinstance(row, dict) and "label" in row


def _read_table(data: Mapping[str, Mapping[str, Any]], path: Path) -> Document:
    prefixes = Counter(str(key).partition(":")[0] for key in data)
    skipped = Skipped()
    skipped.note("difference between is_a and part_of: the file does not tell them apart")
    name = ontology_name(prefixes.most_common(1)[0][0], path)
    return Document(
        name=name,
        version=version_name("", path),
        reader="cellxgene",
        terms=_table_terms(data, name),
        skipped=skipped,
    )


def _table_terms(data: Mapping[str, Mapping[str, Any]], ontology: str) -> Iterator[TermInfo]:
    for key, row in data.items():
        replacement = curie_of(_text(row, "replaced_by"))
        synonyms = row.get("synonyms")
        yield TermInfo(
            curie=Curie(str(curie_of(key))),
            label=_text(row, "label"),
            ontology=ontology,
            synonyms=tuple(
                ("EXACT", text)
                for text in (synonyms if isinstance(synonyms, list) else ())
                if isinstance(text, str)
            ),
            parents=tuple(
                parent
                for ancestor, distance in _mapping(row.get("ancestors")).items()
                if distance == 1 and (parent := curie_of(str(ancestor)))
            ),
            obsolete=bool(row.get("deprecated")),
            replaced_by=(replacement,) if replacement else (),
            definition=_text(row, "description"),
        )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _rows(table: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    rows = table.get(key)
    return (row for row in (rows if isinstance(rows, list) else ()) if isinstance(row, dict))


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key)
    return value if isinstance(value, str) else ""
