"""Records of InvenioRDM and of the older Zenodo interface, brought into DataCite's attributes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harvester.words.leaves import Json, child, entries, objects, words

_DATACITE = """
IsCitedBy Cites IsSupplementTo IsSupplementedBy IsContinuedBy Continues Describes IsDescribedBy
HasMetadata IsMetadataFor HasVersion IsVersionOf IsNewVersionOf IsPreviousVersionOf IsPartOf
HasPart IsPublishedIn IsReferencedBy References IsDocumentedBy Documents IsCompiledBy Compiles
IsVariantFormOf IsOriginalFormOf IsIdenticalTo IsReviewedBy Reviews IsDerivedFrom IsSourceOf
IsRequiredBy Requires Obsoletes IsObsoletedBy Collects IsCollectedBy HasTranslation
IsTranslationOf
"""
_RELATIONS: dict[str, str] = {name.lower(): name for name in re.findall(r"\w+", _DATACITE)}
_RDM_KNOWN = frozenset(
    (
        "title",
        "additional_titles",
        "creators",
        "contributors",
        "description",
        "publisher",
        "additional_descriptions",
        "rights",
        "subjects",
        "dates",
        "identifiers",
        "publication_date",
        "related_identifiers",
        "funding",
        "resource_type",
    )
)
_OLD_KNOWN = frozenset(
    (
        "title",
        "doi",
        "creators",
        "contributors",
        "description",
        "license",
        "keywords",
        "subjects",
        "dates",
        "related_identifiers",
        "alternate_identifiers",
        "grants",
        "publication_date",
        "resource_type",
        "relations",
    )
)
_OUTSIDE = ("custom_fields", "revision_id", "revision", "status", "state")


def is_old(record: Json) -> bool:
    """Whether a record has the shape of the older Zenodo interface."""
    kind = child(record, "metadata", "resource_type")
    if isinstance(kind, dict):
        return "id" not in kind and "type" in kind
    return "conceptrecid" in record and "pids" not in record


def attributes_of(record: Json) -> Json:
    """Return DataCite's attributes of a record of either shape; the rest keeps its own names."""
    metadata = record.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    own = _of_old(metadata, record) if is_old(record) else _of_rdm(metadata, record)
    known = _OLD_KNOWN if is_old(record) else _RDM_KNOWN
    rest = {name: value for name, value in metadata.items() if name not in known}
    outside = {name: record[name] for name in _OUTSIDE if name in record}
    named = {"url": child(record, "links", "self_html") or child(record, "links", "html")}
    kept = {"communities": communities(record), "created": record.get("created")}
    return {**rest, **outside, **kept, **own, **named}


def communities(record: Json) -> list[str]:
    """Return the names (slugs, else ids) of the communities that a record is in."""
    held = child(record, "parent", "communities")
    old = entries(child(record, "metadata", "communities"))
    named = [
        words(one.get("slug")) or words(one.get("id")) for one in objects(child(held, "entries"))
    ]
    ids = [words(one) for one in entries(child(held, "ids"))]
    older = [words(one.get("id") or one.get("identifier")) for one in objects(old)]
    return [name for name in (named or ids or older) if name]


def dois(record: Json) -> tuple[str, str]:
    """Return the DOI of a record's version and the one of all its versions."""
    version = words(child(record, "pids", "doi", "identifier")) or words(record.get("doi"))
    whole = words(child(record, "parent", "pids", "doi", "identifier"))
    own = version or words(child(record, "metadata", "doi"))
    return own, whole or words(record.get("conceptdoi"))


def _label(value: object) -> str:
    """Return a name in English, of a text in one or several languages."""
    if isinstance(value, dict):
        return words(value.get("en")) or next(filter(None, map(words, value.values())), "")
    return words(value)


def _relation(text: object) -> str:
    return _RELATIONS.get(words(text).lower(), words(text))


def _scheme(text: object) -> str:
    found = words(text)
    return found.upper() if len(found) <= 5 else found


# ------------------------------------------------------------------ InvenioRDM


def _agent(entry: Json) -> Json:
    who = entry.get("person_or_org")
    who = who if isinstance(who, dict) else {}
    homes = [
        {"name": words(home.get("name")) or words(home.get("id")),
         "affiliationIdentifier": words(home.get("id"))}
        for home in objects(entry.get("affiliations"))
    ]  # fmt: skip
    return {
        "name": words(who.get("name")),
        "nameType": words(who.get("type")),
        "givenName": words(who.get("given_name")),
        "familyName": words(who.get("family_name")),
        "affiliation": homes,
        "contributorType": words(child(entry, "role", "id")),
        "nameIdentifiers": [
            {
                "nameIdentifier": words(one.get("identifier")),
                "nameIdentifierScheme": _scheme(one.get("scheme")),
            }
            for one in objects(who.get("identifiers"))
        ],
    }


def _right(entry: Json) -> Json:
    return {
        "rightsIdentifier": words(entry.get("id")),
        "rights": _label(entry.get("title")),
        "rightsUri": words(entry.get("link")) or words(child(entry, "props", "url")),
    }


def _subject(entry: Json) -> Json:
    return {
        "subject": words(entry.get("subject")) or _label(entry.get("title")),
        "subjectScheme": words(entry.get("scheme")),
        "valueUri": words(entry.get("id")) or words(entry.get("identifier")),
    }


def _related(entry: Json) -> Json:
    return {
        "relationType": _relation(child(entry, "relation_type", "id")),
        "relatedIdentifier": words(entry.get("identifier")),
        "relatedIdentifierType": _scheme(entry.get("scheme")),
        "resourceTypeGeneral": _general(words(child(entry, "resource_type", "id"))),
    }


def _general(identifier: str) -> str:
    kind = identifier.partition("-")[0]
    return {"publication": "Text", "": ""}.get(kind, kind.capitalize())


def _funding(entry: Json) -> Json:
    award, funder = entry.get("award"), entry.get("funder")
    return {
        "funderName": words(child(funder, "name")),
        "funderIdentifier": words(child(funder, "id")),
        "awardNumber": words(child(award, "number")),
        "awardTitle": _label(child(award, "title")),
        "awardUri": [one.get("identifier") for one in objects(child(award, "identifiers"))],
    }


def _kinds(given: object, value: str, kind: str) -> list[Json]:
    """Entries with a vocabulary's ``type``, as DataCite has them."""
    return [
        {
            kind: _camel(words(child(one, "type", "id"))),
            **{k: v for k, v in one.items() if k not in ("type", value)},
            value: words(one.get(value)),
        }
        for one in objects(given)
    ]


def _camel(identifier: str) -> str:
    """Return a vocabulary's id as DataCite writes it.

    >>> _camel("table-of-contents"), _camel("issued")
    ('TableOfContents', 'Issued')
    """
    return "".join(part[:1].upper() + part[1:] for part in identifier.split("-"))


def _of_rdm(metadata: Json, record: Json) -> Json:
    kind = metadata.get("resource_type")
    return {
        "doi": dois(record)[0],
        "titles": [
            {"title": words(metadata.get("title"))},
            *_kinds(metadata.get("additional_titles"), "title", "titleType"),
        ],
        "creators": [_agent(one) for one in objects(metadata.get("creators"))],
        "contributors": [_agent(one) for one in objects(metadata.get("contributors"))],
        "publisher": words(metadata.get("publisher")),
        "descriptions": [
            {"description": words(metadata.get("description")), "descriptionType": "Abstract"},
            *_kinds(metadata.get("additional_descriptions"), "description", "descriptionType"),
        ],
        "rightsList": [_right(one) for one in objects(metadata.get("rights"))],
        "subjects": [_subject(one) for one in objects(metadata.get("subjects"))],
        "dates": [
            {"date": words(metadata.get("publication_date")), "dateType": "Issued"},
            *_kinds(metadata.get("dates"), "date", "dateType"),
        ],
        "relatedIdentifiers": [
            _related(one) for one in objects(metadata.get("related_identifiers"))
        ],
        "alternateIdentifiers": _alternates(metadata.get("identifiers"), record),
        "fundingReferences": [_funding(one) for one in objects(metadata.get("funding"))],
        "types": {"resourceType": words(child(kind, "id")), "title": _label(child(kind, "title"))},
    }


def _alternates(given: object, record: Json) -> list[Json]:
    found = [
        {
            "alternateIdentifierType": _scheme(one.get("scheme")),
            "alternateIdentifier": words(one.get("identifier")),
        }
        for one in objects(given)
    ]
    oai = words(child(record, "pids", "oai", "identifier"))
    if oai:
        found.append({"alternateIdentifierType": "OAI", "alternateIdentifier": oai})
    if whole := dois(record)[1]:
        found.append({"alternateIdentifierType": "ConceptDOI", "alternateIdentifier": whole})
    return found


# ------------------------------------------------------------------ the older interface of Zenodo


def _old_agent(entry: Json) -> Json:
    schemes = ("orcid", "gnd", "isni")
    return {
        "name": words(entry.get("name")),
        "givenName": words(entry.get("givennames")),
        "familyName": words(entry.get("familyname")),
        "affiliation": [words(entry.get("affiliation"))] if entry.get("affiliation") else [],
        "contributorType": words(entry.get("type")),
        "nameIdentifiers": [
            {"nameIdentifier": words(entry[scheme]), "nameIdentifierScheme": scheme.upper()}
            for scheme in schemes
            if words(entry.get(scheme))
        ],
    }


def _old_dates(metadata: Json) -> Iterator[Json]:
    yield {"date": words(metadata.get("publication_date")), "dateType": "Issued"}
    for one in objects(metadata.get("dates")):
        ends = [words(one.get(name)) for name in ("start", "end")]
        yield {
            "date": "/".join(ends) if ends[1] and ends[0] != ends[1] else "".join(ends[:1]),
            "dateType": _camel(words(one.get("type"))),
            "dateInformation": words(one.get("description")),
        }


def _old_subjects(metadata: Json) -> Iterator[Json]:
    for text in entries(metadata.get("keywords")):
        yield {"subject": words(text)}
    for one in objects(metadata.get("subjects")):
        yield {"subject": words(one.get("term")), "valueUri": words(one.get("identifier"))}


def _old_grant(entry: Json) -> Json:
    return {
        "funderName": words(child(entry, "funder", "name")),
        "funderIdentifier": words(child(entry, "funder", "doi")),
        "awardNumber": words(entry.get("code")),
        "awardTitle": words(entry.get("title")),
        "awardUri": words(entry.get("url")),
    }


def _old_related(entry: Json) -> Json:
    return {
        "relationType": _relation(entry.get("relation")),
        "relatedIdentifier": words(entry.get("identifier")),
        "relatedIdentifierType": _scheme(entry.get("scheme")),
        "resourceTypeGeneral": _general(words(entry.get("resource_type"))),
    }


def _of_old(metadata: Json, record: Json) -> Json:
    licence = metadata.get("license")
    return {
        "doi": dois(record)[0],
        "titles": [{"title": words(metadata.get("title")) or words(record.get("title"))}],
        "creators": [_old_agent(one) for one in objects(metadata.get("creators"))],
        "contributors": [_old_agent(one) for one in objects(metadata.get("contributors"))],
        "descriptions": [
            {"description": words(metadata.get("description")), "descriptionType": "Abstract"}
        ],
        "rightsList": [{"rightsIdentifier": words(child(licence, "id")) or words(licence)}],
        "subjects": list(_old_subjects(metadata)),
        "dates": list(_old_dates(metadata)),
        "relatedIdentifiers": [
            _old_related(one) for one in objects(metadata.get("related_identifiers"))
        ],
        "alternateIdentifiers": _alternates(metadata.get("alternate_identifiers"), record),
        "fundingReferences": [_old_grant(one) for one in objects(metadata.get("grants"))],
        "types": {
            name: words(value)
            for name, value in (
                ("resourceType", child(metadata, "resource_type", "type")),
                ("subtype", child(metadata, "resource_type", "subtype")),
                ("title", child(metadata, "resource_type", "title")),
            )
        },
    }
