"""RO-Crates, read tolerantly: entities by ``@id``, properties by their plain names; pure."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from parfocal.errors import SourceMalformed
from parfocal.identifiers import Curie
from parfocal.model import KeyValue

Json = dict[str, Any]
MAX_VALUE = 100_000
MAX_PAIRS = 5000
_TERM = re.compile(r"(?:^|[/#:])([A-Za-z][A-Za-z0-9]*)[_:]0*?(\d+)$")
_DESCRIPTORS = ("ro-crate-metadata.json", "ro-crate-metadata.jsonld")
_SCHEMA = re.compile(r"(?:https?://schema\.org/|schema:)")
_KNOWN = re.compile(r"(?:https?://schema\.org/|schema:|http://rs\.tdwg\.org/dwc/terms/|dwc:)(\w+)$")
_TAXON = re.compile(r"(?:^|:|/)txid(\d+)$", re.I)
_NAMES = ("name", "displayName", "title", "value")


class Crate(Struct):
    """An opened crate: entities by ``@id``, the root, and warnings as (place, reason)."""

    entities: dict[str, Json]
    root: Json
    warnings: list[tuple[str, str]]

    @property
    def address(self) -> str:
        """Return the landing page, if the root's ``@id`` is an address."""
        identifier = words(self.root.get("@id"))
        return identifier if identifier.startswith(("http://", "https://")) else ""

    def all(self, entity: Json, *names: str) -> Iterator[Json]:
        """Yield what properties refer to, plain texts as entities with a name."""
        for name in names:
            held = entity.get(name)
            for value in held if isinstance(held, list) else [held]:
                if isinstance(value, dict):
                    yield self.entities.get(words(value.get("@id")), value)
                elif words(value):
                    yield self.entities.get(words(value), {"name": words(value)})


def words(value: object) -> str:
    """Return a JSON text or number, or a JSON-LD literal, as text; "" for anything else."""
    if isinstance(value, dict):
        value = value.get("@value")
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    return str(value).encode("utf-8", "replace").decode("utf-8").strip()


def texts(value: object) -> list[str]:
    """Return the texts of a property with one or several values."""
    return [t for t in map(words, value if isinstance(value, list) else [value]) if t]


def types(entity: Json) -> list[str]:
    """Return an entity's types without prefix."""
    return [t.rpartition("/")[2].rpartition(":")[2] for t in texts(entity.get("@type"))]


def open_crate(content: bytes) -> Crate:
    """Read a crate's JSON and find its root; SourceMalformed says what is missing."""
    try:
        document = json.loads(content)
    except RecursionError as error:
        raise SourceMalformed("JSON nested too deeply") from error
    except ValueError as error:
        raise SourceMalformed(f"not JSON: {error}") from error
    graph = document.get("@graph") if isinstance(document, dict) else None
    if not isinstance(graph, list):
        raise SourceMalformed("not an RO-Crate: there is no @graph", where="@graph")
    aliases = _aliases(document.get("@context"))
    entities = {words(e.get("@id")): _plain(e, aliases) for e in graph if isinstance(e, dict)}
    return Crate(entities, _root(entities), [])


def _aliases(context: object) -> dict[str, str]:
    """Return which words of a crate's own context mean properties that we know by other words."""
    found: dict[str, str] = {}
    for held in context if isinstance(context, list) else [context]:
        for name, meant in held.items() if isinstance(held, dict) else ():
            iri = words(meant.get("@id")) if isinstance(meant, dict) else words(meant)
            plain = _KNOWN.match(iri)
            if plain and plain[1] != name:
                found[name] = plain[1]
    return found


def _plain(entity: Json, aliases: dict[str, str]) -> Json:
    """Return an entity with properties under their plain names, beside the crate's own words."""
    plain = {_SCHEMA.sub("", name, count=1): value for name, value in entity.items()}
    for name, value in entity.items():
        if name in aliases and value:
            plain.setdefault(aliases[name], value)
    return plain


def _root(entities: dict[str, Json]) -> Json:
    for identifier, entity in entities.items():
        about = entity.get("about")
        if identifier.endswith(_DESCRIPTORS) and isinstance(about, dict):
            root = entities.get(words(about.get("@id")))
            if root is not None:
                return root
    root = entities.get("./")
    if root is None:
        hint = "the entity ro-crate-metadata.json must be about the root data set"
        raise SourceMalformed("not an RO-Crate: there is no root data set", hint=hint)
    return root


def landing_name(crate: Crate) -> str:
    """Return the last part of the landing page's address, or ""."""
    parts = urlsplit(crate.address)
    last = unquote(parts.path.rstrip("/").rpartition("/")[2])
    return last.strip() or parts.query.rpartition("=")[2]


def term_of(identifier: str) -> Curie | None:
    """Read an ontology term from an IRI or CURIE, as archives write them.

    >>> term_of("obo:NCBITaxon_9606"), term_of("http://purl.obolibrary.org/obo/FBbi_00000251")
    ('NCBITaxon:9606', 'FBbi:00000251')
    """
    if identifier.startswith("#"):
        return None
    taxon = _TAXON.search(identifier)
    if taxon:
        return Curie(f"NCBITaxon:{int(taxon[1])}")
    match = _TERM.search(identifier)
    if not match:
        return None
    prefix, local = match.groups()
    if prefix == "NCBITaxon":
        local = local.lstrip("0") or "0"
    return Curie(f"{prefix}:{local}")


def name_of(entity: Json) -> str:
    """Return what an entity is called; "" when it says nothing of that."""
    return next(filter(None, (words(entity.get(name)) for name in _NAMES)), "")


def pairs_of(crate: Crate, entity: Json, without: Collection[str] = ()) -> Iterator[KeyValue]:
    """Yield what an entity says and what it refers to, as pairs; nested ones with dots."""
    for count, pair in enumerate(_pairs(crate, entity, without, "", 2)):
        if count >= MAX_PAIRS:
            return
        yield pair


def _pairs(
    crate: Crate, entity: Json, without: Collection[str], path: str, depth: int
) -> Iterator[KeyValue]:
    for name, held in entity.items():
        if name.startswith("@") or name in without:
            continue
        key = _words_of(f"{path}.{name}" if path else name)[:500]
        for value in held if isinstance(held, list) else [held]:
            if isinstance(value, dict) and "@value" not in value:
                yield from _referred(crate, value, key, depth)
            elif text := words(value):
                yield KeyValue(key, text[:MAX_VALUE])


def _referred(crate: Crate, value: Json, key: str, depth: int) -> Iterator[KeyValue]:
    identifier = words(value.get("@id"))
    entity = crate.entities.get(identifier, value)
    called = name_of(entity) or (identifier if not identifier.startswith("_:") else "")
    if called:
        yield KeyValue(key, called[:MAX_VALUE])
    if depth:
        yield from _pairs(crate, entity, _NAMES, key, depth - 1)


def _words_of(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
