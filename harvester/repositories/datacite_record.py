"""Metadata in DataCite's terms, as JSON attributes, made a study: one reading for all of them.

The kernel's XML (:mod:`harvester.repositories.datacite_xml`), InvenioRDM's records, Dublin Core
and DCAT are first brought into these attributes. What has a place in the model goes there;
everything is kept as key-values under the archive's own words, with the kind of a date or relation
in the key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harvester.crates.crate import term_of
from harvester.words.coerce import read_date
from harvester.words.dois import identifier, read_doi
from harvester.words.leaves import Json, child, entries, leaves, objects, words
from harvester.words.licences import spdx
from harvester.words.markup import plain_text
from harvester.words.people import person, read_ror
from parfocal.identifiers import Curie, RecordId
from parfocal.model import (
    Access,
    Annotation,
    Dataset,
    KeyValue,
    Link,
    Person,
    Provenance,
    Publication,
)

VOLATILE = frozenset(
    (
        "viewCount",
        "viewsOverTime",
        "downloadCount",
        "downloadsOverTime",
        "referenceCount",
        "citationCount",
        "citationsOverTime",
        "partCount",
        "partOfCount",
        "versionCount",
        "versionOfCount",
        "landingPage",
        "xml",
    )
)
"""Attributes that count use, or repeat the others as XML: no part of a record."""
_TERMS = {
    "NCBITaxon": "organism",
    "FBbi": "imaging_method",
    "CLO": "cell_line",
    "CL": "cell_type",
    "UBERON": "tissue",
    "CMPO": "phenotype",
    "DOID": "disease",
    "MONDO": "disease",
    "CHEBI": "compound",
    **dict.fromkeys(("EFO", "GO", "PATO", "BTO", "OBI", "HP", "ZFA", "FYPO", "EDAM"), "term"),
}
_PAPERS = frozenset(
    (
        "IsSupplementTo",
        "IsCitedBy",
        "IsReferencedBy",
        "IsDocumentedBy",
        "IsDescribedBy",
        "IsPublishedIn",
        "IsReviewedBy",
    )
)
_NO_PAPERS = frozenset(("Dataset", "Software", "Collection", "Image", "Workflow", "Model"))
_LABELS = {
    "titles": ("titleType", "title"),
    "descriptions": ("descriptionType", "description"),
    "dates": ("dateType", "date"),
    "contributors": ("contributorType", "name"),
    "relatedIdentifiers": ("relationType", "relatedIdentifier"),
    "alternateIdentifiers": ("alternateIdentifierType", "alternateIdentifier"),
    "identifiers": ("identifierType", "identifier"),
}
"""Lists whose entries say of what kind they are: the kind becomes part of the key."""
_ELSEWHERE = frozenset(("creators", "publisher", "subjects", "url", "contentUrl", "doi", "id"))
_NO_LICENCE = re.compile(r"info:eu-repo/|^(?:open|closed|restricted|embargoed) ?access$", re.I)


def study_of(
    attributes: Json, id: RecordId, provenance: Provenance, access: Access | None = None
) -> Dataset:
    """Return the study that attributes describe; never fails, whatever their shapes are."""
    pairs = tuple(dict.fromkeys(_pairs(attributes)))
    return Dataset(
        id=id,
        ome_type="Study",
        title=_main(attributes, "titles") or provenance.native_id,
        description=plain_text(_main(attributes, "descriptions")),
        access=access or Access(),
        provenance=provenance,
        key_values=pairs,
        annotations=tuple(dict.fromkeys(_claims(attributes))),
        links=tuple(dict.fromkeys(_links(attributes))),
        date=_date(attributes),
        licence=_licence(attributes),
        creators=tuple(map(_person, objects(attributes.get("creators")))),
        identifiers=tuple(dict.fromkeys(_identifiers(attributes))),
        publisher=_publisher(attributes),
        publications=tuple(dict.fromkeys(_publications(attributes))),
        keywords=tuple(dict.fromkeys(_keywords(attributes))),
        funding=tuple(dict.fromkeys(filter(None, map(_grant, _grants(attributes))))),
    )


def _main(attributes: Json, name: str) -> str:
    """Return the main title, or the abstract: the one without a kind, or of the kind Abstract."""
    kind, value = _LABELS[name]
    plain = [one for one in entries(attributes.get(name)) if words(one)]
    given = [one for one in objects(attributes.get(name)) if words(one.get(value))]
    for wanted in ("Abstract", ""):
        for one in given:
            if words(one.get(kind)) == wanted:
                return words(one[value])
    return words(plain[0]) if plain else (words(given[0][value]) if given else "")


def _date(attributes: Json) -> str:
    dates = objects(attributes.get("dates"))
    for kind in ("Issued", "Available", "Created", "Submitted", "Accepted"):
        for one in dates:
            found = read_date(words(one.get("date"))) if words(one.get("dateType")) == kind else ""
            if found:
                return found
    return read_date(words(attributes.get("publicationYear")))


def _licence(attributes: Json) -> str:
    """Return the first licence that has an SPDX identifier, else the first that is written."""
    written = ""
    for one in entries(attributes.get("rightsList")):
        given = one if isinstance(one, dict) else {"rights": one}
        address = words(given.get("rightsUri"))
        for name in ("rightsIdentifier", "rights"):
            text = words(given.get(name))
            if (not text and not address) or _NO_LICENCE.search(text or address):
                continue
            found = spdx(text, address)
            if found not in (text, address) or re.fullmatch(r"[A-Z][\w.+-]*-\d[\w.-]*", found):
                return found
            written = written or text or address
    return written


# ------------------------------------------------------------------ people


def _identified(entry: Json, scheme: str) -> str:
    """Return the first name identifier of a scheme, by the scheme's name or by how it looks."""
    for one in objects(entry.get("nameIdentifiers")):
        text = words(one.get("nameIdentifier"))
        named = words(one.get("nameIdentifierScheme")).upper()
        if scheme in named or f"{scheme.lower()}.org" in text.lower():
            return text
    return ""


def _person(entry: Json) -> Person:
    homes = entries(entry.get("affiliation") or entry.get("affiliations"))
    names = [words(one.get("name")) if isinstance(one, dict) else words(one) for one in homes]
    rors = (words(one.get("affiliationIdentifier")) for one in objects(homes))
    return person(
        words(entry.get("name")),
        given=words(entry.get("givenName")),
        family=words(entry.get("familyName")),
        orcid=_identified(entry, "ORCID"),
        affiliation="; ".join(filter(None, names)),
        ror=_identified(entry, "ROR") or next((one for one in rors if read_ror(one)), ""),
        roles=[role for one in entries(entry.get("contributorType")) if (role := words(one))],
    )


def _other_names(attributes: Json) -> Iterator[KeyValue]:
    """What a creator's entry says beside what a person of the model holds."""
    for entry in objects(attributes.get("creators")):
        rest = {
            name: value
            for name, value in entry.items()
            if name not in ("name", "givenName", "familyName", "nameIdentifiers", "affiliation")
        }
        yield from leaves(rest, "creators")
        for one in objects(entry.get("nameIdentifiers")):
            yield from leaves(one.get("nameIdentifier"), "creators.nameIdentifier")
        for home in objects(entry.get("affiliation")):
            yield from leaves(
                home.get("affiliationIdentifier"), "creators.affiliation.affiliationIdentifier"
            )


def _publisher(attributes: Json) -> str:
    held = attributes.get("publisher")
    return words(held.get("name")) if isinstance(held, dict) else words(held)


# ------------------------------------------------------------------ identifiers, links, papers


def _identifiers(attributes: Json) -> Iterator[str]:
    own = [attributes.get("doi"), *(_values(attributes, "identifiers"))]
    same = [
        one.get("relatedIdentifier")
        for one in objects(attributes.get("relatedIdentifiers"))
        if words(one.get("relationType")) == "IsIdenticalTo"
    ]
    for text in (*own, *_values(attributes, "alternateIdentifiers"), *same):
        if found := identifier(words(text)):
            yield found


def _values(attributes: Json, name: str) -> list[object]:
    return [one.get(_LABELS[name][1]) for one in objects(attributes.get(name))]


def _links(attributes: Json) -> Iterator[Link]:
    named = (attributes.get("doi"), *_values(attributes, "identifiers"))
    doi = next(filter(None, (read_doi(words(one)) for one in named)), "")
    for url, label in ((words(attributes.get("url")), "Landing page"), (_resolver(doi), "DOI")):
        if url.startswith(("http://", "https://")):
            yield Link(url, label, "landing")
    for held in entries(attributes.get("contentUrl")):
        if words(held).startswith(("http://", "https://")):
            yield Link(words(held), "Data", "data")


def _resolver(doi: str) -> str:
    return f"https://doi.org/{doi}" if doi else ""


def _publications(attributes: Json) -> Iterator[Publication]:
    for one in objects(attributes.get("relatedIdentifiers")):
        found = identifier(words(one.get("relatedIdentifier")))
        kind = words(one.get("resourceTypeGeneral"))
        if words(one.get("relationType")) not in _PAPERS or kind in _NO_PAPERS:
            continue
        scheme, _, local = found.partition(":")
        if scheme == "doi":
            yield Publication(doi=local)
        elif scheme == "pubmed":
            yield Publication(pubmed=local)
        elif scheme == "pmc":
            yield Publication(pmc=local)


def _grants(attributes: Json) -> list[Json]:
    return objects(attributes.get("fundingReferences"))


def _grant(entry: Json) -> str:
    number = entry.get("awardNumber")
    parts = (
        words(entry.get("funderName")),
        words(number.get("awardNumber")) if isinstance(number, dict) else words(number),
        words(entry.get("awardTitle")),
    )
    return " ".join(part for part in parts if part)


# ------------------------------------------------------------------ what it is about


def _subjects(attributes: Json) -> Iterator[tuple[str, Json]]:
    for one in entries(attributes.get("subjects")):
        given = one if isinstance(one, dict) else {"subject": one}
        text = words(given.get("subject"))
        if text:
            yield text, given


def _keywords(attributes: Json) -> Iterator[str]:
    for text, _ in _subjects(attributes):
        yield text


def _term(subject: Json) -> Curie | None:
    """Return the ontology term that a subject names by address, or by scheme and code."""
    for name in ("valueUri", "classificationCode", "subject"):
        found = term_of(words(subject.get(name)))
        if found and found.partition(":")[0] in _TERMS:
            return found
    scheme, code = words(subject.get("subjectScheme")), words(subject.get("classificationCode"))
    if scheme in _TERMS and re.fullmatch(r"\d{1,12}", code):
        return term_of(f"{scheme}:{code}")
    return None


def _claims(attributes: Json) -> Iterator[Annotation]:
    for text, subject in _subjects(attributes):
        term = _term(subject)
        if term:
            field = _TERMS[term.partition(":")[0]]
            yield Annotation(field, text, term, text, "curated", 1.0, "archive", "subjects")


# ------------------------------------------------------------------ key-values


def _pairs(attributes: Json) -> Iterator[KeyValue]:
    for name, value in attributes.items():
        if name in VOLATILE or name in _ELSEWHERE:
            continue
        if name in _LABELS:
            yield from _labelled(attributes, name)
        elif name == "geoLocations":
            yield from leaves(list(map(_place, entries(value))), name)
        elif name == "rightsList" and not objects(value):
            yield from leaves(value, "rightsList.rights")
        else:
            yield from leaves(value, name)
    yield from _other_names(attributes)
    for text, subject in _subjects(attributes):
        yield KeyValue("subjects", text)
        yield from leaves({k: v for k, v in subject.items() if k != "subject"}, "subjects")
    if isinstance(attributes.get("publisher"), dict):
        rest = {k: v for k, v in attributes["publisher"].items() if k != "name"}
        yield from leaves(rest, "publisher")


def _labelled(attributes: Json, name: str) -> Iterator[KeyValue]:
    """Key-values of a list whose entries have a kind; the main title and abstract are fields."""
    kind, value = _LABELS[name]
    main = _main(attributes, name) if name in ("titles", "descriptions") else None
    for entry in entries(attributes.get(name)):
        if not isinstance(entry, dict):
            if words(entry) != main:
                yield from leaves(entry, name)
            continue
        key = f"{name}.{label}" if (label := words(entry.get(kind))) else name
        if main is None or words(entry.get(value)) != main:
            yield from leaves(entry.get(value), key)
        yield from leaves({k: v for k, v in entry.items() if k not in (kind, value)}, key)


def _place(entry: object) -> object:
    """A place with each polygon as one text, longitude and latitude of every corner."""
    if not isinstance(entry, dict) or "geoLocationPolygon" not in entry:
        return entry
    corners = [
        f"{words(child(one, 'polygonPoint', 'pointLongitude'))} "
        f"{words(child(one, 'polygonPoint', 'pointLatitude'))}"
        for polygon in entries(entry["geoLocationPolygon"])
        for one in entries(polygon)
        if isinstance(one, dict) and "polygonPoint" in one
    ]
    return {**entry, "geoLocationPolygon": ", ".join(corners)} if corners else entry
