"""Records of EMPIAR: an entry is a study, its image sets are data sets; pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

import msgspec

from harvester.biostudies.pagetab import text_of
from harvester.words.coerce import read_date
from harvester.words.dois import read_doi
from harvester.words.json_pairs import pairs_of
from harvester.words.people import person
from parfocal.identifiers import record_id
from parfocal.model import Dataset, KeyValue, Link, Person, Provenance, Publication, Record

Json = dict[str, Any]
DATA = "https://ftp.ebi.ac.uk/empiar/world_availability"
_PAGES = {
    "EMD-": "https://www.ebi.ac.uk/emdb/{}",
    "EMPIAR-": "https://www.ebi.ac.uk/empiar/{}/",
    "S-": "https://www.ebi.ac.uk/biostudies/studies/{}",
    "IDR": "https://idr.openmicroscopy.org/search/?query=Name:{}",
}
_REFERENCES = (
    *("cross_references", "biostudies_references", "idr_references", "empiar_references"),
)
_IN_FIELDS = (
    *("title", "imagesets", "authors", "principal_investigator", "corresponding_author"),
    *("citation", "grant_references", "entry_doi", *_REFERENCES),
)
_SET_FIELDS = ("name", "details")
_CITED = ("title", "authors", "doi", "pubmedid")
_DIGITS = re.compile(r"\d{1,9}")


def read_entry(accession: str, told: Json, source: str, site: str) -> Iterator[Record]:
    """Yield an entry and its image sets."""
    study = _study(accession, told, source, site)
    yield study
    names: dict[str, int] = {}
    for number, held in enumerate(_objects(told.get("imagesets")), start=1):
        directory = text_of(held.get("directory")).strip("/")
        name = directory or f"imageset-{number}"
        names[name] = names.get(name, 0) + 1
        name = name if names[name] == 1 else f"{name}~{names[name]}"
        yield _image_set(accession, name, directory, held, study)


def _study(accession: str, told: Json, source: str, site: str) -> Dataset:
    number = accession.rpartition("-")[2]
    pairs = [*pairs_of(told, without=_IN_FIELDS), *_reference_pairs(told), *_citation_pairs(told)]
    links = [
        Link(f"{site}/{accession}/", "Landing page", "landing"),
        Link(f"{DATA}/{number}/", "Data", "data"),
        *_reference_links(told),
    ]
    doi = read_doi(text_of(told.get("entry_doi")))
    return Dataset(
        id=record_id(source, accession),
        ome_type="Study",
        title=text_of(told.get("title")) or accession,
        provenance=Provenance(source, accession, f"{site}/api/entry/{number}"),
        key_values=tuple(dict.fromkeys(pairs)),
        links=tuple(dict.fromkeys(links)),
        date=read_date(text_of(told.get("release_date"))),
        creators=_creators(told),
        identifiers=(accession, *([f"doi:{doi}"] if doi else [])),
        publisher="EMPIAR",
        publications=tuple(dict.fromkeys(_publications(told))),
        funding=tuple(dict.fromkeys(filter(None, _grants(told)))),
    )


def _image_set(accession: str, name: str, directory: str, held: Json, study: Dataset) -> Dataset:
    native = f"{accession}/{name}"
    address = f"{DATA}/{accession.rpartition('-')[2]}/{quote(directory)}/" if directory else ""
    return Dataset(
        id=record_id(study.provenance.source, native),
        ome_type="Dataset",
        title=text_of(held.get("name")) or name,
        description=text_of(held.get("details")),
        part_of=study.id,
        provenance=Provenance(study.provenance.source, native, study.provenance.url),
        key_values=tuple(dict.fromkeys(pairs_of(held, without=_SET_FIELDS))),
        links=(Link(address, "Data", "data"),) if address else (),
    )


def _objects(value: object) -> Iterator[Json]:
    held = value if isinstance(value, list) else [value]
    return (one for one in held if isinstance(one, dict) and one)


# ------------------------------------------------------------------ people


def _creators(told: Json) -> tuple[Person, ...]:
    """Return the authors; who leads or answers letters is one of them, or comes behind them."""
    found: list[Person] = []
    for name, role in (
        ("authors", ""),
        ("principal_investigator", "principal investigator"),
        ("corresponding_author", "corresponding author"),
    ):
        for held in _objects(told.get(name)):
            inner = held.get("author", held)
            made = _person(inner, role)
            if made.name:
                _add(found, made)
    return tuple(found)


def _person(held: object, role: str) -> Person:
    if not isinstance(held, dict):
        return person(_name(text_of(held)), roles=[role])
    place = [text_of(held.get(name)) for name in ("organization", "town_or_city", "country")]
    return person(
        _name(text_of(held.get("name"))),
        given=text_of(held.get("first_name")),
        family=text_of(held.get("last_name")),
        orcid=text_of(held.get("author_orcid")),
        affiliation=", ".join(filter(None, place)),
        email=text_of(held.get("email")),
        roles=[role],
    )


def _name(text: str) -> str:
    """Return a name; deposits write it as a pair of family name and initials in brackets."""
    if not text.startswith("("):
        return text
    try:
        parts = ast.literal_eval(text[:500])
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return text
    return " ".join(str(part) for part in parts) if isinstance(parts, tuple) else text


def _add(found: list[Person], made: Person) -> None:
    for place, other in enumerate(found):
        if _same(other, made):
            found[place] = msgspec.structs.replace(
                other,
                given_name=other.given_name or made.given_name,
                family_name=other.family_name or made.family_name,
                orcid=other.orcid or made.orcid,
                affiliation=other.affiliation or made.affiliation,
                email=other.email or made.email,
                roles=tuple(dict.fromkeys((*other.roles, *made.roles))),
            )
            return
    found.append(made)


def _same(one: Person, other: Person) -> bool:
    if one.orcid and other.orcid:
        return one.orcid == other.orcid
    short = f"{other.family_name} {''.join(n[:1] for n in other.given_name.split())}".strip()
    return one.name.casefold() in (other.name.casefold(), short.casefold())


# ------------------------------------------------------------------ references


def _publications(told: Json) -> Iterator[Publication]:
    for held in _objects(told.get("citation")):
        pubmed = _DIGITS.fullmatch(text_of(held.get("pubmedid")))
        made = Publication(
            title=text_of(held.get("title")),
            authors=", ".join(p.name for p in _creators({"authors": held.get("authors")})),
            doi=read_doi(text_of(held.get("doi"))),
            pubmed=pubmed.group() if pubmed else "",
        )
        if made != Publication():
            yield made


def _citation_pairs(told: Json) -> Iterator[KeyValue]:
    for held in _objects(told.get("citation")):
        kept = [name for name in _CITED if name not in ("doi", "pubmedid")]
        kept += ["doi"] if read_doi(text_of(held.get("doi"))) else []
        kept += ["pubmedid"] if _DIGITS.fullmatch(text_of(held.get("pubmedid"))) else []
        yield from pairs_of(
            {"citation": {name: value for name, value in held.items() if name not in kept}}
        )


def _grants(told: Json) -> Iterator[str]:
    for held in _objects(told.get("grant_references")):
        yield " ".join(filter(None, (text_of(held.get(n)) for n in ("funding_body", "code"))))


def _references(told: Json) -> Iterator[tuple[str, str]]:
    """Yield what an entry refers to in other archives, as (field, accession)."""
    for field in _REFERENCES:
        held = told.get(field)
        for one in held if isinstance(held, list) else [held]:
            text = text_of(one.get("name")) if isinstance(one, dict) else text_of(one)
            if text:
                yield field, text


def _reference_pairs(told: Json) -> Iterable[KeyValue]:
    return (KeyValue(field, text) for field, text in _references(told))


def _reference_links(told: Json) -> Iterator[Link]:
    for field, text in _references(told):
        for prefix, page in _PAGES.items():
            if text.upper().startswith(prefix):
                yield Link(page.format(quote(text)), f"{text} ({field.replace('_', ' ')})")
                break
