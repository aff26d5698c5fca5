"""A draft as RO-Crate 1.2 in the profile of the foundingGIDE search crates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from parfocal.registry import missing_extra
from publish.contents import ZARR_METADATA, Contents
from publish.datacite import term_iri
from publish.draft import Article, Creator, Draft, Term
from publish.licences import is_address, licence_of

VERSION = "1.2"
PROFILE = "https://www.gide-project.org/ro-crate/search/1.0/profile"
FILE_NAME = "ro-crate-metadata.json"
TERMS = {
    "obo": "http://purl.obolibrary.org/obo/",
    "dwc": "http://rs.tdwg.org/dwc/terms/",
    "dwciri": "http://rs.tdwg.org/dwc/iri/",
    "scientificName": "dwc:scientificName",
    "Taxon": "dwc:Taxon",
    "measurementMethod": "dwciri:measurementMethod",
    "seeAlso": "http://www.w3.org/2000/01/rdf-schema#seeAlso",
    "sha256": "https://w3id.org/ro/terms/workflow-run#sha256",
}


class Part(Struct, frozen=True):
    """A file of the package as the crate names it."""

    path: str
    size: int
    sha256: str
    format: str = ""
    about: str = ""


def crate(
    draft: Draft, contents: Contents, parts: Iterable[Part], doi: str = "", url: str = ""
) -> dict[str, Any]:
    """Return the crate's metadata document: same input, same output."""
    try:
        from rocrate.rocrate import ROCrate
    except ModuleNotFoundError as error:
        raise missing_extra(error, "publishing") from error
    made = ROCrate(version=VERSION)
    made.metadata.extra_terms.update(TERMS)
    root = made.root_dataset
    for name, value in _texts(draft, contents, doi, url).items():
        root[name] = value
    for name, entities in _linked(draft, contents).items():
        ids = [_add(made, entity) for entity in entities]
        if ids:
            root[name] = [{"@id": id} for id in ids] if len(ids) > 1 else {"@id": ids[0]}
    for part in parts:
        if is_described(part.path):
            made.add_file(dest_path=part.path, properties=_file(part))
    document: dict[str, Any] = made.metadata.generate()
    return document


def is_described(path: str) -> bool:
    """Whether the crate names a file: of an OME-Zarr image only the metadata at its top.

    >>> is_described("data/a.tif"), is_described("data/x.zarr/zarr.json")
    (True, True)
    >>> is_described("data/x.zarr/0/c/0/0/0")
    False
    """
    _, found, rest = path.partition(".zarr/")
    return not found or rest in ZARR_METADATA


def _texts(draft: Draft, contents: Contents, doi: str, url: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": draft.title,
        "description": draft.description,
        "datePublished": draft.date,
        "identifier": f"https://doi.org/{doi}" if doi else draft.key,
        "keywords": list(draft.keywords),
        "version": draft.version,
        "url": url,
        "cite-as": f"https://doi.org/{doi}" if doi else "",
        "thumbnailUrl": [contents.thumbnail] if contents.thumbnail else [],
    }
    return {name: value for name, value in found.items() if value}


def _linked(draft: Draft, contents: Contents) -> dict[str, list[dict[str, Any]]]:
    """Return, for each property of the root, the entities that it names."""
    return {
        "conformsTo": [
            {"@id": PROFILE, "@type": ["CreativeWork", "Profile"], "name": "GIDE search profile"}
        ],
        "license": [_licence(draft.licence)],
        "author": list(_people(draft.creators)),
        "publisher": [{"@id": "#publisher", "@type": "Organization", "name": draft.publisher}],
        "about": [*_taxa(draft.organisms), *_defined(_other_subjects(draft))],
        "measurementMethod": list(_defined(draft.methods)),
        "funder": [
            {"@id": f"#grant-{number}", "@type": "Grant", "name": text}
            for number, text in enumerate(draft.funding, 1)
        ],
        "seeAlso": list(_articles(draft.publications)),
        "size": list(_sizes(contents)),
    }


def _add(made: Any, entity: dict[str, Any]) -> str:
    """Add an entity, and those within it, to the crate; return its identifier."""
    from rocrate.model.contextentity import ContextEntity

    properties: dict[str, Any] = {}
    for name, value in entity.items():
        if isinstance(value, dict):
            properties[name] = {"@id": _add(made, value)}
        elif value and name != "@id":
            properties[name] = value
    made.add(ContextEntity(made, entity["@id"], properties=properties))
    return str(entity["@id"])


def _licence(text: str) -> dict[str, Any]:
    licence = licence_of(text)
    if licence is not None:
        name, id, short = licence.name, licence.url, licence.spdx
    else:
        name, id, short = text, text if is_address(text) else "#licence", ""
    return {"@id": id, "@type": "CreativeWork", "name": name, "identifier": short}


def _people(creators: Iterable[Creator]) -> Iterator[dict[str, Any]]:
    affiliations: dict[str, str] = {}
    for number, creator in enumerate(creators, 1):
        person: dict[str, Any] = {
            "@id": f"https://orcid.org/{creator.orcid}" if creator.orcid else f"#author-{number}",
            "@type": "Person",
            "name": creator.name,
            "givenName": creator.given_name,
            "familyName": creator.family_name,
            "email": creator.email,
        }
        if creator.affiliation:
            place = affiliations.setdefault(
                creator.affiliation, f"#organisation-{len(affiliations) + 1}"
            )
            person["affiliation"] = {
                "@id": place,
                "@type": "Organization",
                "name": creator.affiliation,
            }
        yield person


def _other_subjects(draft: Draft) -> Iterator[Term]:
    taxa = {term.term for term in draft.organisms}
    return (term for term in draft.subjects if term.term not in taxa)


def _taxa(terms: Iterable[Term]) -> Iterator[dict[str, Any]]:
    for term in terms:
        yield {"@id": term_iri(term.term), "@type": "Taxon", "scientificName": term.label}


def _defined(terms: Iterable[Term]) -> Iterator[dict[str, Any]]:
    for term in terms:
        yield {
            "@id": term_iri(term.term),
            "@type": "DefinedTerm",
            "name": term.label,
            "termCode": term.term,
        }


def _articles(articles: Iterable[Article]) -> Iterator[dict[str, Any]]:
    for number, article in enumerate(articles, 1):
        url = f"https://doi.org/{article.doi}" if article.doi else article.url
        yield {
            "@id": url if is_address(url) else f"#article-{number}",
            "@type": "ScholarlyArticle",
            "name": article.title,
        }


def _sizes(contents: Contents) -> Iterator[dict[str, Any]]:
    for name, value, unit, code in (
        ("size-in-bytes", contents.size, "bytes", "UO_0000233"),
        ("number-of-files", len(contents.files), "file count", "UO_0000189"),
    ):
        if value:
            yield {
                "@id": f"#{name}",
                "@type": "QuantitativeValue",
                "value": value,
                "unitText": unit,
                "unitCode": f"http://purl.obolibrary.org/obo/{code}",
            }


def _file(part: Part) -> dict[str, Any]:
    found = {
        "name": part.about or part.path.rpartition("/")[2],
        "contentSize": str(part.size),
        "sha256": part.sha256,
        "encodingFormat": part.format,
    }
    return {name: value for name, value in found.items() if value}
