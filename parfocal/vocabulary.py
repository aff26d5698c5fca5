"""What each model field is in the graph: read once from the model, used by JSON-LD and quads alike.

A text that stands for a resource (an address, DOI, licence ...) becomes an IRI only when the text
can be read back from that IRI; anything else stays a literal. So nothing hostile gets into an IRI,
and record -> JSON-LD -> record is exact.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Iterator
from datetime import date
from functools import cache, lru_cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from urllib.parse import quote, unquote

from msgspec import UNSET, Struct, structs

from parfocal.identifiers import CMPO, EFO, OBO, Curie, curie_iri
from parfocal.model import (
    PREFIXES,
    Access,
    Annotation,
    Channel,
    Dataset,
    Image,
    Objective,
    Person,
    Publication,
)

Kind = Literal["text", "integer", "double", "date", "record", "access", "part", "resource", "term"]
Scheme = Literal["", "address", "identifier", "doi", "orcid", "ror", "licence"]

RDF_TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
XSD = PREFIXES["xsd"]

_SCHEMES: dict[tuple[str, str], Scheme] = {
    ("Link", "url"): "address",
    ("Provenance", "url"): "address",
    ("Image", "location"): "address",
    ("Record", "thumbnail"): "address",
    ("Record", "same_as"): "address",
    ("Record", "identifiers"): "identifier",
    ("Record", "licence"): "licence",
    ("Publication", "doi"): "doi",
    ("Person", "orcid"): "orcid",
    ("Person", "ror"): "ror",
}
_SAID_BY_CLASS = {("Image", "ome_type")}
_DOCUMENT_ONLY = {("Annotation", "key")}
_FRAGMENTS = {
    "key_values": "kv",
    "annotations": "claim",
    "links": "link",
    "creators": "creator",
    "publications": "publication",
    "channels": "channel",
    "twins": "twin",
}
_OME_TYPES = {
    "Study": "ome:Project",
    "Project": "ome:Project",
    "Dataset": "ome:Dataset",
    "Screen": "ome:Screen",
    "Plate": "ome:Plate",
    "Image": "ome:Image",
    "Well": "ome:Well",
}
_PART_TYPES: dict[type[Struct], str] = {
    Person: "schema:Person",
    Publication: "schema:ScholarlyArticle",
    Channel: "ome:Channel",
    Objective: "ome:Objective",
}


class Property(Struct, frozen=True):
    """One field as a property: its IRI, what its values are, and how its parts are named.

    The graph leaves out what is not ``told``: only the document needs it to be read back.
    """

    name: str
    iri: str
    kind: Kind
    many: bool
    sentence: str
    fragment: str
    scheme: Scheme = ""
    part: type[Struct] | None = None
    default: Any = UNSET
    told: bool = True

    def values(self, owner: Struct) -> tuple[Any, ...]:
        """Return the owner's values worth writing: none when the field has its default."""
        value = getattr(owner, self.name)
        if value == self.default:
            return ()
        return value if self.many else (value,)


def full_iri(name: str) -> str:
    """Return the IRI of a prefixed name.

    >>> full_iri("schema:name")
    'http://schema.org/name'
    """
    prefix, _, local = name.partition(":")
    return PREFIXES[prefix] + local


def _plain_type(hint: Any) -> tuple[Any, bool]:
    """Return the type of one value, and whether there may be many."""
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(one for one in get_args(hint) if one is not type(None))
    if get_origin(hint) is tuple:
        return _plain_type(get_args(hint)[0])[0], True
    return hint, False


def _kind(name: str, hint: Any, scheme: Scheme) -> Kind:
    if hint is Access:
        return "access"
    if isinstance(hint, type) and issubclass(hint, Struct):
        return "part"
    if scheme:
        return "resource"
    named: dict[str, Kind] = {
        "part_of": "record",
        "record": "record",
        "date": "date",
    }
    typed: dict[Any, Kind] = {int: "integer", float: "double", Curie: "term"}
    return named.get(name) or typed.get(hint, "text")


def _default(field: structs.FieldInfo) -> Any:
    always_written = field.name == "ome_type"
    if always_written or field.default is UNSET or field.required:
        return UNSET
    return field.default


@cache
def properties_of(model: type[Struct]) -> tuple[Property, ...]:
    """Return the properties of a record or part, in the model's order.

    >>> properties_of(Person)[0].iri
    'schema:name'
    """
    hints = get_type_hints(model, include_extras=True)
    found = []
    for field in structs.fields(model):
        if (model.__name__, field.name) in _SAID_BY_CLASS:
            continue
        annotated, meta = get_args(hints[field.name])[:2]
        hint, many = _plain_type(annotated)
        owner = model.__name__
        scheme = _SCHEMES.get((owner, field.name))
        if scheme is None and issubclass(model, (Dataset, Image)):
            scheme = _SCHEMES.get(("Record", field.name))
        kind = _kind(field.name, hint, scheme or "")
        found.append(
            Property(
                name=field.name,
                iri=meta.extra["iri"],
                kind=kind,
                many=many,
                sentence=meta.description,
                fragment=_FRAGMENTS.get(field.name, field.name),
                scheme=scheme or "",
                part=hint if kind == "part" else None,
                default=_default(field),
                told=(owner, field.name) not in _DOCUMENT_ONLY,
            )
        )
    return tuple(found)


def types_of(node: Struct) -> tuple[str, ...]:
    """Return the classes of a record or part, as prefixed names."""
    if isinstance(node, Dataset):
        return ("schema:Dataset", _OME_TYPES[node.ome_type])
    if isinstance(node, Image):
        return (_OME_TYPES[node.ome_type],)
    if isinstance(node, Publication) and not node.title:
        return ()  # a schema:ScholarlyArticle must have a name
    named = _PART_TYPES.get(type(node))
    return (named,) if named else ()


# ------------------------------------------------------------------ texts that stand for resources

_IRI = re.compile(
    r"(?:https?|ftp|s3|gs)://(?:[A-Za-z0-9._~-]+@)?[A-Za-z0-9_.-]+(?::\d{1,5})?"
    r"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*)?"
    r"(?:\?(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?"
    r"(?:#(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?"
)
_ORCID = re.compile(r"(?:\d{4}-){3}\d{3}[\dX]")
_ROR = re.compile(r"0[a-hj-km-np-tv-z0-9]{6}\d{2}")
_CC = re.compile(r"CC-(BY(?:-NC)?(?:-SA|-ND)?)-(\d\.\d)")
_CC_URL = re.compile(r"https://creativecommons\.org/licenses/([a-z-]+)/(\d\.\d)/")
_CC0, _CC0_URL = "CC0-1.0", "https://creativecommons.org/publicdomain/zero/1.0/"
_SPDX = "https://spdx.org/licenses/"
_SPDX_KNOWN = re.compile(
    r"(?:Apache|MIT|BSD|A?GPL|LGPL|ODbL|ODC-By|PDDL|MPL|EUPL|CC-PDDC|Unlicense|0BSD|ISC|CDLA|OGL|etalab)"
    r"[A-Za-z0-9.+-]*"
)
_RESOLVERS = {
    "doi": "https://doi.org/",
    "pubmed": "https://pubmed.ncbi.nlm.nih.gov/",
    "orcid": "https://orcid.org/",
    "ror": "https://ror.org/",
}
_SAFE = "/:;()!$*,=-._~"


def _resolver(name: str, local: str) -> str:
    return _RESOLVERS[name] + quote(local, safe=_SAFE) if local else ""


def _licence_iri(text: str) -> str:
    if text == _CC0:
        return _CC0_URL
    if match := _CC.fullmatch(text):
        return f"https://creativecommons.org/licenses/{match[1].lower()}/{match[2]}/"
    return _SPDX + text if _SPDX_KNOWN.fullmatch(text) else ""


def _licence_text(iri: str) -> str:
    if match := _CC_URL.fullmatch(iri):
        return f"CC-{match[1].upper()}-{match[2]}"
    return _CC0 if iri == _CC0_URL else iri.removeprefix(_SPDX)


def _identifier_iri(text: str) -> str:
    scheme, _, local = text.partition(":")
    return _resolver(scheme, local) if scheme in ("doi", "pubmed") else text


@lru_cache(maxsize=16384)
def term_iri(curie: Curie) -> str:
    """Return the IRI of a term, safe to write whatever the CURIE holds.

    >>> term_iri(Curie("FBbi:00000253"))
    'http://purl.obolibrary.org/obo/FBbi_00000253'
    """
    iri = str(curie_iri(curie))
    return iri if _IRI.fullmatch(iri) else OBO + quote(curie, safe="")


@lru_cache(maxsize=16384)
def term_curie(iri: str) -> str:
    """Return the CURIE that a term's IRI stands for, "" when it is not one of ours.

    >>> term_curie("http://www.ebi.ac.uk/cmpo/CMPO_0000077")
    'CMPO:0000077'
    """
    space = next((space for space in (EFO, CMPO, OBO) if iri.startswith(space)), "")
    prefix, bar, local = unquote(iri[len(space) :]).partition("_")
    return f"{prefix}:{local}" if space and bar else ""


def _candidate(scheme: Scheme, text: str) -> str:
    if scheme == "licence":
        return _licence_iri(text)
    if scheme == "identifier":
        return _identifier_iri(text)
    if scheme == "orcid":
        return _resolver("orcid", text) if _ORCID.fullmatch(text) else ""
    if scheme == "ror":
        return _resolver("ror", text) if _ROR.fullmatch(text) else ""
    return _resolver("doi", text) if scheme == "doi" else text


def resource_text(scheme: Scheme, iri: str) -> str:
    """Return the text that an IRI stands for; the inverse of :func:`resource_iri`.

    >>> resource_text("identifier", "https://doi.org/10.17867/10000101")
    'doi:10.17867/10000101'
    """
    if scheme == "licence":
        return _licence_text(iri)
    if scheme in ("doi", "orcid", "ror"):
        return unquote(iri.removeprefix(_RESOLVERS[scheme]))
    for name in ("doi", "pubmed") if scheme == "identifier" else ():
        if iri.startswith(_RESOLVERS[name]):
            return f"{name}:{unquote(iri.removeprefix(_RESOLVERS[name]))}"
    return iri


@lru_cache(maxsize=16384)
def resource_iri(scheme: Scheme, text: str) -> str:
    """Return the IRI that a text stands for; "" when none reads back to the same text.

    >>> resource_iri("licence", "CC-BY-4.0")
    'https://creativecommons.org/licenses/by/4.0/'
    >>> resource_iri("address", "javascript:alert(1)")
    ''
    """
    if len(text) > 2000:
        return ""
    iri = _candidate(scheme, text)
    return iri if _IRI.fullmatch(iri) and resource_text(scheme, iri) == text else ""


_YEAR = re.compile(r"[1-9]\d{3}")
_MONTH = re.compile(r"[1-9]\d{3}-(?:0[1-9]|1[0-2])")
_DAY = re.compile(r"[1-9]\d{3}-\d\d-\d\d")


@lru_cache(maxsize=4096)
def date_type(text: str) -> str:
    """Return the XSD type of a date text, "" when it is none.

    >>> date_type("2019-05"), date_type("2019-02-30")
    ('gYearMonth', '')
    """
    if _YEAR.fullmatch(text):
        return "gYear"
    if _MONTH.fullmatch(text):
        return "gYearMonth"
    return "date" if _DAY.fullmatch(text) and _exists(text) else ""


def _exists(day: str) -> bool:
    try:
        date.fromisoformat(day)
    except ValueError:
        return False
    return True


_SURROGATE = re.compile("[\ud800-\udfff]")  # half a letter, which has no UTF-8


@lru_cache(maxsize=16384)
def key_name(key: str) -> str:
    """Return a key as the local name of a property, "" when it cannot be one.

    >>> key_name("Gene Symbol")
    'Gene%20Symbol'
    """
    if len(key) > 200 or _SURROGATE.search(key):
        return ""
    return quote(key, safe="")


# ------------------------------------------------------------------ what follows from claims

_DIRECT = {
    "organism": "schema:about",
    "imaging_method": "dwciri:measurementMethod",
    "cell_line": "bao:BAO_0002004",
}


class DirectTerm(Struct, frozen=True):
    """A believed term as a direct property, as the GIDE crate profile has it."""

    predicate: str
    iri: str
    type: str
    name_property: str
    label: str


def direct_terms(claims: Iterable[Annotation]) -> Iterator[DirectTerm]:
    """Yield the believed organisms, imaging methods and cell lines of a record, each once."""
    seen = set()
    for claim in claims:
        predicate = _DIRECT.get(claim.field)
        if predicate is None or not claim.believed:
            continue
        iri = term_iri(claim.term)
        if (predicate, iri) in seen:
            continue
        seen.add((predicate, iri))
        taxon = claim.field == "organism"
        yield DirectTerm(
            predicate,
            iri,
            "dwc:Taxon" if taxon else "schema:DefinedTerm",
            "dwc:scientificName" if taxon else "schema:name",
            claim.label,
        )
