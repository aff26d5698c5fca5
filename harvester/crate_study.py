"""One study in an RO-Crate of the GIDE profile, read tolerantly; pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from harvester.licences import spdx
from parfocal.errors import SourceMalformed
from parfocal.identifiers import Curie, RecordId, parse_doi, parse_orcid
from parfocal.model import (
    Annotation,
    Dataset,
    KeyValue,
    Link,
    Person,
    Provenance,
    Publication,
)

Json = dict[str, Any]
MAX_SHORT = 2000
_TERM = re.compile(r"(?:^|[/#:])([A-Za-z][A-Za-z0-9]*)[_:]0*?(\d+)$")
_DESCRIPTORS = ("ro-crate-metadata.json", "ro-crate-metadata.jsonld")
_DATE = re.compile(r"^\d{4}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12]\d|3[01]))?)?")
_FIELDS = {
    "NCBITaxon": "organism",
    "FBbi": "imaging_method",
    "CLO": "cell_line",
    "CL": "cell_type",
    "UBERON": "tissue",
}


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
    entities = {words(e.get("@id")): e for e in graph if isinstance(e, dict)}
    return Crate(entities, _root(entities), [])


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
    match = _TERM.search(identifier)
    if not match:
        return None
    prefix, local = match.groups()
    if prefix == "NCBITaxon":
        local = local.lstrip("0") or "0"
    return Curie(f"{prefix}:{local}")


def study_of(crate: Crate, id: RecordId, provenance: Provenance) -> Dataset:
    """Return the study that a crate describes; what breaks the profile is noted as a warning."""
    root = crate.root
    if "Dataset" not in types(root):
        crate.warnings.append(("@type", "the root is no Dataset"))
    pairs, claims = _meaning(crate)
    for name in ("name", "datePublished", "license", "author", "publisher", "about"):
        if not root.get(name):
            crate.warnings.append((name, "the profile requires it, but the crate has none"))
    return Dataset(
        id=id,
        ome_type="Study",
        title=words(root.get("name")) or provenance.native_id,
        description=words(root.get("description")),
        provenance=provenance,
        key_values=tuple(dict.fromkeys(pairs)),
        annotations=tuple(dict.fromkeys(claims)),
        links=(Link(crate.address, "Landing page", "landing"),) if crate.address else (),
        thumbnail=_thumbnail(root),
        date=_date(root),
        licence=spdx(next(_identified(crate, root, "license"), "")),
        creators=tuple(_person(crate, p) for p in crate.all(root, "author", "creator")),
        identifiers=tuple(dict.fromkeys(_identifiers(crate, root))),
        same_as=_same_as(crate, root),
        publisher=next((words(p.get("name")) for p in crate.all(root, "publisher")), ""),
        publications=tuple(_publications(crate, root)),
        keywords=tuple(dict.fromkeys(_keywords(root))),
        funding=tuple(
            dict.fromkeys(filter(None, map(_grant, crate.all(root, "funder", "funding"))))
        ),
    )


def _identified(crate: Crate, entity: Json, name: str) -> Iterator[str]:
    for held in crate.all(entity, name):
        text = words(held.get("@id")) or words(held.get("url")) or words(held.get("name"))
        if text:
            yield text


def _thumbnail(root: Json) -> str:
    held = root.get("thumbnailUrl")
    found = [words(v.get("@id")) if isinstance(v, dict) else words(v)
             for v in (held if isinstance(held, list) else [held])]  # fmt: skip
    return next((url for url in found if url.startswith(("http://", "https://"))), "")


def _date(root: Json) -> str:
    match = _DATE.match(words(root.get("datePublished")))
    return match.group() if match else ""


def _person(crate: Crate, entity: Json) -> Person:
    given, family = words(entity.get("givenName")), words(entity.get("familyName"))
    homes = [words(home.get("name")) for home in crate.all(entity, "affiliation")]
    named = words(entity.get("name")) or f"{given} {family}".strip()
    identifiers = [words(entity.get("@id")), *_identified(crate, entity, "identifier")]
    return Person(
        name=named or words(entity.get("@id")),
        given_name=given,
        family_name=family,
        orcid=next(filter(None, map(parse_orcid, identifiers)), "") or "",
        affiliation="; ".join(filter(None, homes)),
        email=words(entity.get("email")).removeprefix("mailto:"),
    )


def _identifiers(crate: Crate, root: Json) -> Iterator[str]:
    for held in crate.all(root, "identifier"):
        text = words(held.get("value")) or words(held.get("name")) or words(held.get("@id"))
        doi = parse_doi(text)
        if doi or text:
            yield f"doi:{doi}" if doi else text


def _same_as(crate: Crate, root: Json) -> tuple[str, ...]:
    found = (
        words(held.get("@id")) or words(held.get("name")) for held in crate.all(root, "sameAs")
    )
    every = [crate.address, *(text for text in found if text.startswith(("http://", "https://")))]
    return tuple(dict.fromkeys(filter(None, every)))


def _publications(crate: Crate, root: Json) -> Iterator[Publication]:
    seen: set[str] = set()
    for held in crate.all(root, "seeAlso", "citation"):
        address = words(held.get("@id")) or words(held.get("identifier"))
        title = words(held.get("name"))
        doi = parse_doi(address) or parse_doi(words(held.get("identifier"))) or parse_doi(title)
        key = doi or address or title
        if key and key not in seen:
            seen.add(key)
            pubmed = re.search(r"pubmed[^0-9]*(\d+)", address)
            authors = ", ".join(words(p.get("name")) for p in crate.all(held, "author"))
            yield Publication(
                title=title, authors=authors, doi=doi or "", pubmed=pubmed[1] if pubmed else ""
            )


def _keywords(root: Json) -> Iterator[str]:
    """Keywords; commas separate them only where all stand in one text."""
    given = texts(root.get("keywords"))
    parts = given[0].split(",") if len(given) == 1 else given
    return filter(None, (part.strip() for part in parts))


def _grant(entity: Json) -> str:
    name, number = words(entity.get("name")), words(entity.get("identifier"))
    return " ".join(part for part in (name, number if number not in name else "") if part)


# ------------------------------------------------------------------ what it is about


def _meaning(crate: Crate) -> tuple[list[KeyValue], list[Annotation]]:
    """Key-values and curated claims of what the study is about and how it was imaged."""
    pairs: list[KeyValue] = []
    claims: list[Annotation] = []
    for entity in crate.all(crate.root, "about"):
        if "Taxon" in types(entity):
            _taxon(entity, pairs, claims)
        elif "BioSample" in types(entity):
            _sample(crate, entity, pairs, claims)
        else:
            _subject(entity, pairs, claims)
    for entity in crate.all(crate.root, "measurementMethod"):
        if "LabProtocol" in types(entity):
            _protocol(crate, entity, pairs, claims)
        else:
            _method(entity, pairs, claims)
    return pairs, claims


def _claim(
    field: str, entity: Json, text: str, key: str, claims: list[Annotation], *, only: str = ""
) -> None:
    term = term_of(words(entity.get("@id")))
    if term is not None and text and (not only or term.startswith(f"{only}:")):
        claims.append(Annotation(field, text, term, text, "curated", 1.0, "crate", key))


def _taxon(entity: Json, pairs: list[KeyValue], claims: list[Annotation]) -> None:
    name = words(entity.get("scientificName")) or words(entity.get("name"))
    if name:
        pairs.append(KeyValue("Organism", name))
        _claim("organism", entity, name, "Organism", claims, only="NCBITaxon")
    common = words(entity.get("vernacularName"))
    if common:
        pairs.append(KeyValue("Common Name", common))


def _sample(crate: Crate, entity: Json, pairs: list[KeyValue], claims: list[Annotation]) -> None:
    for key, name in (("Biological Sample", "name"), ("Sample Description", "description")):
        text = words(entity.get(name))[:MAX_SHORT]
        if text and text not in [pair.value for pair in pairs]:
            pairs.append(KeyValue(key, text))
    for taxon in crate.all(entity, "taxonomicRange"):
        _taxon(taxon, pairs, claims)
    for line in crate.all(entity, "hasCellLine"):
        name = words(line.get("name")) or words(line.get("@id")).lstrip("#")
        if name:
            pairs.append(KeyValue("Cell Line", name))
            _claim("cell_line", line, name, "Cell Line", claims)


def _subject(entity: Json, pairs: list[KeyValue], claims: list[Annotation]) -> None:
    """A term that is neither taxon nor sample: a process, structure, cell line ..."""
    name = words(entity.get("name"))
    term = term_of(words(entity.get("@id")))
    field = _FIELDS.get(term.partition(":")[0], "term") if term else "term"
    key = field.replace("_", " ").title() if field != "term" else "Subject"
    if name:
        pairs.append(KeyValue(key, name))
        _claim(field, entity, name, key, claims)


def _method(entity: Json, pairs: list[KeyValue], claims: list[Annotation]) -> None:
    name = words(entity.get("name"))
    term = term_of(words(entity.get("@id")))
    if not name:
        return
    imaging = term is None or term.startswith(("FBbi:", "EDAM", "OBI:"))
    key, field = ("Imaging Method", "imaging_method") if imaging else ("Protocol", "term")
    pairs.append(KeyValue(key, name))
    _claim(field, entity, name, key, claims)


def _protocol(crate: Crate, entity: Json, pairs: list[KeyValue], claims: list[Annotation]) -> None:
    for technique in crate.all(entity, "measurementTechnique"):
        _method(technique, pairs, claims)
    for key, name in (
        ("Protocol", "name"),
        ("Protocol Description", "description"),
        ("Equipment", "labEquipment"),
    ):
        for text in texts(entity.get(name)):
            pairs.append(KeyValue(key, text[:MAX_SHORT]))
