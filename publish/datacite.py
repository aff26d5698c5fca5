"""A draft as DataCite metadata (kernel 4.5), checked against the schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from parfocal.errors import ParfocalError
from parfocal.identifiers import Curie, curie_iri, parse_curie
from parfocal.registry import missing_extra
from publish.contents import Contents
from publish.draft import Article, Creator, Draft, Term
from publish.licences import is_address, licence_of

SCHEMA = "http://datacite.org/schema/kernel-4"
_SCHEMES = {
    "NCBITaxon": ("NCBI Taxonomy", "https://www.ncbi.nlm.nih.gov/taxonomy"),
    "FBbi": ("Biological Imaging Methods Ontology", "http://purl.obolibrary.org/obo/fbbi.owl"),
}


def metadata(draft: Draft, contents: Contents, doi: str = "", url: str = "") -> dict[str, Any]:
    """Return the DataCite metadata of a draft; what it does not say is left out."""
    found: dict[str, Any] = {
        "doi": doi,
        "url": url,
        "types": {"resourceTypeGeneral": "Dataset", "resourceType": "Bioimages"},
        "creators": [_creator(creator) for creator in draft.creators],
        "titles": [{"title": draft.title}] if draft.title else [],
        "publisher": {"name": draft.publisher} if draft.publisher else {},
        "publicationYear": draft.date[:4],
        "dates": [{"date": draft.date, "dateType": "Issued"}] if draft.date else [],
        "subjects": _unique(_subjects(draft)),
        "descriptions": _descriptions(draft),
        "rightsList": [_rights(draft.licence)] if draft.licence else [],
        "relatedIdentifiers": _unique(_related(article) for article in draft.publications),
        "version": draft.version,
        "sizes": _sizes(contents),
        "formats": sorted({file.format for file in contents.files if file.format}),
        "schemaVersion": SCHEMA,
    }
    return {name: value for name, value in found.items() if value}


def problems(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (place, message) of everything in which metadata break the DataCite schema 4.5."""
    try:
        from datacite import schema45
    except ModuleNotFoundError as error:
        raise missing_extra(error, "publishing") from error
    for wrong in schema45.validator.iter_errors(found):
        place = ".".join(str(part) for part in wrong.absolute_path)
        yield place or "metadata", wrong.message[:300]


def xml(found: dict[str, Any]) -> bytes:
    """Return metadata as DataCite XML."""
    from datacite import schema45

    content = {name: value for name, value in found.items() if name not in ("url", "event")}
    text: str = schema45.tostring(content)
    return text.encode()


def _creator(creator: Creator) -> dict[str, Any]:
    personal = bool(creator.given_name or creator.family_name or creator.orcid)
    found: dict[str, Any] = {
        "name": creator.name,
        "nameType": "Personal" if personal or "," in creator.name else "",
        "givenName": creator.given_name,
        "familyName": creator.family_name,
        "affiliation": [{"name": creator.affiliation}] if creator.affiliation else [],
    }
    if creator.orcid:
        found["nameIdentifiers"] = [
            {
                "nameIdentifier": f"https://orcid.org/{creator.orcid}",
                "nameIdentifierScheme": "ORCID",
                "schemeUri": "https://orcid.org",
            }
        ]
    return {name: value for name, value in found.items() if value or name == "name"}


def term_iri(curie: str) -> str:
    """Return the address of a term; "" when the text is no CURIE.

    >>> term_iri("NCBITaxon:9606")
    'http://purl.obolibrary.org/obo/NCBITaxon_9606'
    """
    try:
        return curie_iri(parse_curie(curie))
    except ParfocalError:
        return ""


def _subjects(draft: Draft) -> Iterator[dict[str, str]]:
    for term in (*draft.organisms, *draft.methods, *draft.subjects):
        if term.label:
            yield _subject(term)
    for keyword in draft.keywords:
        yield {"subject": keyword}


def _subject(term: Term) -> dict[str, str]:
    scheme, address = _SCHEMES.get(Curie(term.term).partition(":")[0], ("", ""))
    found = {
        "subject": term.label,
        "subjectScheme": scheme or term.term.partition(":")[0],
        "schemeUri": address,
        "valueUri": term_iri(term.term),
    }
    return {name: value for name, value in found.items() if value}


def _unique(items: Any) -> list[Any]:
    found: list[Any] = []
    for item in items:
        if item and item not in found:
            found.append(item)
    return found


def _descriptions(draft: Draft) -> list[dict[str, str]]:
    found = [{"description": draft.description, "descriptionType": "Abstract"}]
    if draft.funding:
        text = "Funding: " + "; ".join(draft.funding)
        found.append({"description": text, "descriptionType": "Other"})
    return [item for item in found if item["description"]]


def _rights(text: str) -> dict[str, str]:
    licence = licence_of(text)
    if licence is None:
        return {"rights": text, "rightsUri": text} if is_address(text) else {"rights": text}
    return {
        "rights": licence.name,
        "rightsUri": licence.url,
        "rightsIdentifier": licence.spdx.lower(),
        "rightsIdentifierScheme": "SPDX",
        "schemeUri": "https://spdx.org/licenses/",
    }


def _related(article: Article) -> dict[str, str]:
    if not (article.doi or is_address(article.url)):
        return {}
    return {
        "relatedIdentifier": article.doi or article.url,
        "relatedIdentifierType": "DOI" if article.doi else "URL",
        "relationType": "IsDescribedBy",
    }


def _sizes(contents: Contents) -> list[str]:
    found = []
    if contents.images:
        found.append(f"{contents.images} images")
    if contents.files:
        found += [f"{len(contents.files)} files", f"{contents.size} bytes"]
    return found
