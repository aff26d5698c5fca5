"""A data set of a Dataverse, its metadata blocks and files, brought into DataCite's attributes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import msgspec

from harvester.repositories.datacite_record import study_of
from harvester.repositories.repository_files import RepositoryFile, images_of, other_files
from harvester.words.dois import identifier
from harvester.words.leaves import Json, child, entries, leaves, objects, words
from parfocal.identifiers import RecordId
from parfocal.model import Dataset, Image, KeyValue, Link, Provenance, Publication
from parfocal.values import Problem

CITATION = "citation"
_MAPPED = frozenset(("title", "author", "dsDescription", "keyword", "subject", "grantNumber"))
_AROUND = frozenset(("metadataBlocks", "files", "license", "termsOfUse", "citation"))


def version_of(document: object) -> tuple[Json, Json]:
    """Return the data set and its version, of an export or of the native interface."""
    held = child(document, "data") if child(document, "status") else document
    dataset: Json = held if isinstance(held, dict) else {}
    version = dataset.get("datasetVersion") or dataset.get("latestVersion")
    return dataset, version if isinstance(version, dict) else {}


def version_number(version: Json) -> str:
    """Return a version's number, like 2.1; "" for a draft."""
    major = words(version.get("versionNumber"))
    return f"{major}.{words(version.get('versionMinorNumber')) or '0'}" if major else ""


def _plain(field: Json) -> Any:
    """Return what a field holds: texts, and objects of texts for compound ones."""
    value = field.get("value")
    if isinstance(value, list):
        return [_inner(one) for one in value]
    return _inner(value)


def _inner(value: object) -> Any:
    if not isinstance(value, dict):
        return value
    found: Json = {}
    for name, field in value.items():
        if isinstance(field, dict) and "typeName" in field:
            found[name] = _plain(field)
            if "expandedvalue" in field:
                found[f"{name}.expanded"] = field["expandedvalue"]
        else:
            found[name] = field
    return found


def blocks_of(version: Json) -> dict[str, Json]:
    """Return the metadata blocks by name, each with its fields by name."""
    found = {}
    blocks = version.get("metadataBlocks")
    for name, block in (blocks if isinstance(blocks, dict) else {}).items():
        found[words(name)] = {
            words(field.get("typeName")): _plain(field)
            for field in objects(child(block, "fields"))
            if words(field.get("typeName"))
        }
    return found


def _author(entry: Json) -> Json:
    scheme, number = (
        words(entry.get("authorIdentifierScheme")),
        words(entry.get("authorIdentifier")),
    )
    home = words(child(entry, "authorAffiliation.expanded", "termName"))
    return {
        "name": words(entry.get("authorName")),
        "affiliation": [
            {
                "name": home or words(entry.get("authorAffiliation")),
                "affiliationIdentifier": words(entry.get("authorAffiliation")) if home else "",
            }
        ],
        "nameIdentifiers": [{"nameIdentifier": number, "nameIdentifierScheme": scheme}]
        if number
        else [],
    }


def _subjects(citation: Json) -> Iterator[Json]:
    for text in entries(citation.get("subject")):
        yield {"subject": words(text)}
    for one in objects(citation.get("keyword")):
        address = words(one.get("keywordTermURI")) or words(one.get("keywordValue"))
        yield {
            "subject": words(child(one, "keywordValue.expanded", "termName"))
            or words(one.get("keywordValue")),
            "subjectScheme": words(one.get("keywordVocabulary")),
            "schemeUri": words(one.get("keywordVocabularyURI")),
            "valueUri": address if address.startswith("http") else "",
        }


def _rights(version: Json) -> list[Json]:
    licence, terms = version.get("license"), words(version.get("termsOfUse"))
    if isinstance(licence, dict):
        return [{"rights": words(licence.get("name")), "rightsUri": words(licence.get("uri"))}]
    found = [text for text in (words(licence), terms) if text and text != "NONE"]
    return [{"rights": text} for text in found]


def _dates(dataset: Json, version: Json, citation: Json) -> list[Json]:
    issued = words(dataset.get("publicationDate")) or words(version.get("releaseTime"))
    made = words(citation.get("productionDate"))
    given = (
        ("Issued", issued),
        ("Created", made),
        ("Updated", words(version.get("lastUpdateTime"))),
    )
    return [{"date": text, "dateType": kind} for kind, text in given if text]


def _attributes(dataset: Json, version: Json) -> Json:
    citation = blocks_of(version).get(CITATION, {})
    return {
        "titles": [{"title": words(citation.get("title"))}],
        "creators": [_author(one) for one in objects(citation.get("author"))],
        "descriptions": [
            {
                "description": "\n".join(
                    filter(None, (words(one.get("dsDescriptionValue")) for one in
                                  objects(citation.get("dsDescription"))))),
                "descriptionType": "Abstract",
            }
        ],
        "subjects": list(_subjects(citation)),
        "dates": _dates(dataset, version, citation),
        "rightsList": _rights(version),
        "publisher": words(dataset.get("publisher")),
        "url": words(dataset.get("persistentUrl")),
        "fundingReferences": [
            {
                "funderName": words(one.get("grantNumberAgency")),
                "awardNumber": words(one.get("grantNumberValue")),
            }
            for one in objects(citation.get("grantNumber"))
        ],
    }  # fmt: skip


def _block_pairs(version: Json) -> Iterator[KeyValue]:
    """All that the metadata blocks say, block by block, but what is in fields of the record."""
    for name, fields in blocks_of(version).items():
        for field, value in fields.items():
            if name == CITATION and field in _MAPPED:
                continue
            for pair in leaves(value, field):
                yield msgspec.structs.replace(pair, namespace=name)


def _outer_pairs(dataset: Json, version: Json) -> Iterator[KeyValue]:
    around = {k: v for k, v in dataset.items() if k not in ("datasetVersion", "latestVersion")}
    yield from leaves(around, "")
    yield from leaves({k: v for k, v in version.items() if k not in _AROUND}, "version")
    yield from leaves(version.get("termsOfUse"), "termsOfUse")


def _publications(citation: Json) -> Iterator[Publication]:
    for one in objects(citation.get("publication")):
        kind = words(one.get("publicationIDType"))
        number = words(one.get("publicationIDNumber")) or words(one.get("publicationURL"))
        found = identifier(f"{kind}: {number}" if kind.lower() in ("doi", "pmid") else number)
        scheme, _, local = found.partition(":")
        yield Publication(
            title=words(one.get("publicationCitation")),
            doi=local if scheme == "doi" else "",
            pubmed=local if scheme == "pubmed" else "",
            pmc=local if scheme == "pmc" else "",
        )


def files_of(version: Json, root: str) -> Iterator[RepositoryFile]:
    """Yield the files of a version; what is restricted says so, as everybody may know of it."""
    for file in objects(version.get("files")):
        held = file.get("dataFile") if isinstance(file.get("dataFile"), dict) else {}
        name = words(file.get("label")) or words(child(held, "filename"))
        folder = words(file.get("directoryLabel")).strip("/")
        number = words(child(held, "id"))
        if not name:
            continue
        rest = {k: v for k, v in file.items() if k not in ("dataFile", "label", "directoryLabel")}
        pairs = (*leaves(held, ""), *leaves(rest, ""))
        yield RepositoryFile(
            path=f"{folder}/{name}" if folder else name,
            url=f"{root}/api/access/datafile/{quote(number, safe='')}" if number else "",
            description=words(file.get("description")) or words(child(held, "description")),
            pairs=tuple(dict.fromkeys(pairs)),
        )


def records_of(
    dataset: Json, version: Json, id: RecordId, provenance: Provenance, root: str
) -> Iterator[Dataset | Image | Problem]:
    """Yield the study that one version of a data set is, then the images among its files."""
    attributes = _attributes(dataset, version)
    citation = blocks_of(version).get(CITATION, {})
    study = study_of(attributes, id, provenance)
    files = list(files_of(version, root))
    known = words(version.get("datasetPersistentId")) or provenance.native_id.partition("@")[0]
    others = (words(one.get("otherIdValue")) for one in objects(citation.get("otherId")))
    pairs = (
        *study.key_values, *_outer_pairs(dataset, version), *_block_pairs(version),
        *other_files(files),
    )  # fmt: skip
    study = msgspec.structs.replace(
        study,
        key_values=tuple(dict.fromkeys(pairs)),
        identifiers=tuple(dict.fromkeys(filter(None, map(identifier, (known, *others))))),
        publications=tuple(dict.fromkeys(_publications(citation))),
        links=(*study.links, Link(_page(root, known), "Dataverse", "landing")),
    )
    yield study
    yield from images_of(study, files, provenance.native_id.partition("@")[0])


def _page(root: str, known: str) -> str:
    return f"{root}/dataset.xhtml?persistentId={quote(known, safe=':/')}"
