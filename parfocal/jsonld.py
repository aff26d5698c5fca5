"""Records as JSON-LD and back; the context is generated from the model, inline, never fetched.

Every part has an IRI below its record's (``<record>#claim1``), so a graph has no blank nodes and
the same record always gives the same graph. Keys are the model's field names; a key-value is a
property ``keys:Gene%20Symbol``, or a node of its own (``<record>#kv3``) if its key cannot be one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, NoReturn
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from parfocal.errors import RecordInvalid
from parfocal.identifiers import (
    RecordId,
    native_of,
    record_id_of_path,
    record_iri,
    record_path,
)
from parfocal.model import PREFIXES, Dataset, Image, KeyValue, Provenance, Record
from parfocal.vocabulary import (
    Property,
    date_type,
    direct_terms,
    key_name,
    properties_of,
    resource_iri,
    resource_text,
    term_curie,
    term_iri,
    types_of,
)

MEDIA_TYPE = "application/ld+json"
_DIRECT_KEYS = {
    "schema:about": "about",
    "dwciri:measurementMethod": "measurement_method",
    "bao:BAO_0002004": "has_cell_line",
    "schema:author": "author",
}
_OTHER = "other_key_values"
_NAMES = {"dwc:scientificName": "scientific_name", "schema:name": "term_name"}
_OWN_KEYS = frozenset({"@context", "@id", "@type", "curie", _OTHER, *_DIRECT_KEYS.values()})
_KEYS = "keys:"
_PLACE = re.compile(r"#kv(\d{1,9})$")


# ------------------------------------------------------------------ context


def _definition(field: Property) -> Any:
    if not field.told:
        return None  # JSON-LD's way to say that a key is no part of the graph
    definition: dict[str, Any] = {"@id": field.iri}
    if field.kind == "double":
        definition["@type"] = "xsd:double"
    if field.many or field.kind == "access":
        definition["@container"] = "@set"
    if field.part is not None:
        definition["@context"] = _definitions(field.part)
    return field.iri if len(definition) == 1 else definition


def _definitions(model: type[Struct]) -> dict[str, Any]:
    found = {field.name: _definition(field) for field in properties_of(model)}
    if "term" in found:
        found["curie"] = "parfocal:curie"
    return found


@cache
def _context() -> dict[str, Any]:
    pairs = next(field for field in properties_of(Image) if field.part is KeyValue)
    namespace = next(field for field in properties_of(KeyValue) if field.name == "namespace")
    direct = {
        key: {"@id": iri, "@container": "@set", "@context": {v: k for k, v in _NAMES.items()}}
        for iri, key in _DIRECT_KEYS.items()
    }
    return {
        "@version": 1.1,
        **PREFIXES,
        **_definitions(Image),
        **_definitions(Dataset),
        **direct,
        **_definitions(Provenance),
        "provenance": "@nest",
        namespace.name: _definition(namespace),
        "key_values": "@nest",
        _OTHER: _definition(pairs),
    }


def context() -> dict[str, Any]:
    """Return the JSON-LD context of all records; a new dictionary each time.

    >>> context()["title"]
    'schema:name'
    """
    copied: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(_context()))
    return copied


# ------------------------------------------------------------------ writing


def _node(value: Struct, iri: str, record: str, base: str) -> dict[str, Any]:
    node: dict[str, Any] = {"@id": iri}
    types = types_of(value)
    if types:
        node["@type"] = list(types)
    prefix = iri + ("#" if iri == record else "-")
    for field in properties_of(type(value)):
        values = field.values(value)
        if field.part is KeyValue:
            node |= _pairs(values, iri)
            continue
        if field.part is Provenance:
            node[field.name] = _provenance(values[0], node["id"])
            continue
        written = [
            _value(
                field, one, f"{prefix}{field.fragment}{number if field.many else ''}", record, base
            )
            for number, one in enumerate(values, 1)
        ]
        if field.kind == "access" and written:
            node[field.name] = list(values[0].groups)
        elif written:
            node[field.name] = written if field.many else written[0]
    if "term" in node and term_curie(node["term"]["@id"]) != getattr(value, "term", ""):
        node["curie"] = getattr(value, "term", "")
    return node


def _pairs(pairs: tuple[KeyValue, ...], iri: str) -> dict[str, Any]:
    """Return key-values as properties of the record; what cannot be one as numbered nodes."""
    direct: list[dict[str, Any]] = []
    nodes: list[dict[str, Any]] = []
    for number, pair in enumerate(pairs, 1):
        name = key_name(pair.key)
        if name:
            written = {_KEYS + name: pair.value}
            direct.append(written | ({"namespace": pair.namespace} if pair.namespace else {}))
        else:
            nodes.append({"@id": f"{iri}#kv{number}", **msgspec.to_builtins(pair)})
    found = {"key_values": direct, _OTHER: nodes}
    return {name: entries for name, entries in found.items() if entries}


def _provenance(value: Provenance, identifier: RecordId) -> dict[str, Any]:
    """Return what belongs to the record itself; a native identifier only if it says more."""
    values = {field.name: (field, field.values(value)) for field in properties_of(Provenance)}
    node = {name: _value(field, one[0], "", "", "") for name, (field, one) in values.items() if one}
    if value.native_id == native_of(identifier):
        del node["native_id"]
    return node


def _value(field: Property, value: Any, iri: str, record: str, base: str) -> Any:
    if field.kind == "part":
        return _node(value, iri, record, base)
    if field.kind == "record":
        return {"@id": record_iri(value, base)}
    if field.kind == "term":
        return {"@id": term_iri(value)}
    if field.kind == "double":
        return float(value) + 0.0  # minus zero becomes zero
    if field.kind == "date":
        kind = date_type(value)
        return {"@type": f"xsd:{kind}", "@value": value} if kind else value
    if field.kind == "resource":
        found = resource_iri(field.scheme, value)
        return {"@id": found} if found else value
    return value


def _direct(record: Record) -> dict[str, list[dict[str, Any]]]:
    """Return what the GIDE crate profile expects on a data set; terms only on an image."""
    found: dict[str, list[dict[str, Any]]] = {}
    for term in direct_terms(record.annotations):
        node: dict[str, Any] = {"@id": term.iri}
        if isinstance(record, Dataset):
            node |= {"@type": [term.type], _NAMES[term.name_property]: term.label}
        found.setdefault(_DIRECT_KEYS[term.predicate], []).append(node)
    return found


def to_jsonld(record: Record, base: str) -> dict[str, Any]:
    """Return a record as JSON-LD with its context inline; ``base`` is the server's address."""
    iri = record_iri(record.id, base)
    node = _node(record, iri, iri, base)
    direct = _direct(record)
    if isinstance(record, Dataset) and record.creators:
        direct["author"] = [{"@id": creator["@id"]} for creator in node["creators"]]
    return {"@context": context(), **node, **direct}


# ------------------------------------------------------------------ reading


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _iri_of(value: Any, field: str) -> str:
    if isinstance(value, Mapping) and isinstance(value.get("@id"), str):
        return str(value["@id"])
    raise RecordInvalid("an object with @id is expected", where=field)


def _read_value(field: Property, value: Any, base: str) -> Any:
    if field.part is not None:
        return _read_node(field.part, value, base)
    if field.kind == "record":
        path = _iri_of(value, field.name).removeprefix(base)
        return record_id_of_path(path)
    if field.kind == "term":
        return term_curie(_iri_of(value, field.name))
    if isinstance(value, Mapping):
        if field.kind == "resource" and "@id" in value:
            return resource_text(field.scheme, _iri_of(value, field.name))
        return value.get("@value")
    return value


def _read_node(model: type[Struct], node: Any, base: str) -> dict[str, Any]:
    if not isinstance(node, Mapping):
        raise RecordInvalid(f"a {model.__name__} must be an object")
    known = {field.name: field for field in properties_of(model)}
    found: dict[str, Any] = {}
    for key, value in node.items():
        field = known.get(key)
        if field is None:
            _check_own(key, model)
        elif field.part is KeyValue:
            continue
        elif field.kind == "access":
            found[key] = {"groups": _many(value)}
        elif field.many:
            found[key] = [_read_value(field, one, base) for one in _many(value)]
        else:
            found[key] = _read_value(field, value, base)
    if isinstance(node.get("curie"), str) and "term" in known:
        found["term"] = node["curie"]
    if "key_values" in known:
        found["key_values"] = _read_pairs(node)
    return found


def _read_pairs(node: Mapping[str, Any]) -> list[Any]:
    """Return key-values in order: a numbered node says its place, the others fill the rest."""
    pairs: list[Any] = []
    for entry in _many(node.get("key_values", [])):
        names = (
            [name for name in entry if name != "namespace"] if isinstance(entry, Mapping) else []
        )
        if len(names) != 1:
            raise RecordInvalid("each key-value is an object with one key", where="key_values")
        key = unquote(str(names[0]).removeprefix(_KEYS))
        namespace = entry.get("namespace", "")
        pairs.append({"key": key, "value": entry[names[0]], "namespace": namespace})
    for entry in _many(node.get(_OTHER, [])):
        match = _PLACE.search(_iri_of(entry, _OTHER))
        if match is None:
            raise RecordInvalid("@id must end with #kv and a number", where=_OTHER)
        pair = {name: value for name, value in entry.items() if name != "@id"}
        pairs.insert(int(match[1]) - 1, pair)
    return pairs


def _check_own(key: str, model: type[Struct]) -> None:
    if key not in _OWN_KEYS:
        raise RecordInvalid(f"{model.__name__} has no field {key!r}")


def _base_of(node: Mapping[str, Any]) -> str:
    identifier, iri = node.get("id"), node.get("@id")
    if not isinstance(identifier, str) or not isinstance(iri, str):
        raise RecordInvalid("a record needs @id and id", hint="as parfocal.jsonld.to_jsonld writes")
    path = record_path(RecordId(identifier))
    if not iri.endswith(path):
        raise RecordInvalid("@id and id do not name the same record", where=iri[:200])
    return iri[: -len(path)]


def from_jsonld(node: Any) -> Record:
    """Read a record back from what :func:`to_jsonld` gave; RecordInvalid says what is wrong."""
    if not isinstance(node, Mapping):
        raise RecordInvalid("a JSON-LD record must be an object")
    base = _base_of(node)
    dataset = "schema:Dataset" in _many(node.get("@type", []))
    model: type[Struct] = Dataset if dataset else Image
    try:
        values = {**_read_node(model, node, base), "type": model.__name__}
        if model is Image and "ome:Well" in _many(node.get("@type", [])):
            values["ome_type"] = "Well"
        if isinstance(values.get("provenance"), dict):
            values["provenance"].setdefault("native_id", native_of(RecordId(node["id"])))
        record: Record = msgspec.convert(values, Dataset | Image)
    except (msgspec.ValidationError, RecursionError) as error:
        raise RecordInvalid(f"not a record: {error}") from error
    return record


# ------------------------------------------------------------------ framing and compaction by pyld


def _refuse(address: str, _options: Mapping[str, Any]) -> NoReturn:
    from pyld.jsonld import JsonLdError

    raise JsonLdError(
        "remote contexts are never fetched",
        "jsonld.LoadDocumentError",
        {"url": address},
        code="loading document failed",
    )


def compact(document: Any, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Compact a JSON-LD document to another context; a context by address raises RecordInvalid."""
    return dict(_process("compact", document, wanted))


def frame(document: Any, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Frame a JSON-LD document; a context by address raises RecordInvalid."""
    return dict(_process("frame", document, wanted))


def to_nquads(document: Any) -> str:
    """Return a JSON-LD document as N-Quads by pyld: the slow, independent way to a graph."""
    return str(_process("to_rdf", document, format="application/n-quads"))


def _process(action: str, document: Any, *arguments: Any, **options: Any) -> Any:
    from pyld import jsonld

    options["documentLoader"] = _refuse
    try:
        return getattr(jsonld, action)(document, *arguments, options)
    except jsonld.JsonLdError as error:
        raise RecordInvalid(
            f"JSON-LD cannot be processed: {error.type}",
            hint="write the context into the document; addresses are never fetched",
        ) from error
