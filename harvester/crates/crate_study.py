"""One study in an RO-Crate, read tolerantly: of the GIDE profile, or any other; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harvester.crates.crate import Crate, Json, name_of, pairs_of, texts, types, words
from harvester.crates.crate_meaning import meaning
from harvester.words.licences import spdx
from harvester.words.people import person, read_orcid, read_ror
from parfocal.identifiers import RecordId, parse_doi
from parfocal.model import Dataset, Link, Person, Provenance, Publication

_DATE = re.compile(r"^\d{4}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12]\d|3[01]))?)?")
IN_FIELDS = (
    *("name", "description", "datePublished", "license", "author", "creator", "contributor"),
    *("title", "keyword", "licence"),
    *("publisher", "identifier", "sameAs", "seeAlso", "citation", "keywords", "funder", "funding"),
    *("thumbnailUrl", "about", "measurementMethod", "hasPart", "conformsTo"),
)
"""Properties of the root that a study's own fields hold."""


def study_of(crate: Crate, id: RecordId, provenance: Provenance) -> Dataset:
    """Return the study that a crate describes; what breaks the profile is noted as a warning."""
    root = crate.root
    if "Dataset" not in types(root):
        crate.warnings.append(("@type", "the root is no Dataset"))
    pairs, claims = meaning(crate, root)
    pairs += pairs_of(crate, root, without=IN_FIELDS)
    wanted = ("name", "datePublished", "license")
    for name in (*wanted, "author", "publisher", "about") if crate.address else wanted:
        if not (root.get(name) or (name == "license" and root.get("licence"))):
            crate.warnings.append((name, "the profile requires it, but the crate has none"))
    return Dataset(
        id=id,
        ome_type="Study",
        title=name_of(root) or provenance.native_id,
        description=words(root.get("description")),
        provenance=provenance,
        key_values=tuple(dict.fromkeys(pairs)),
        annotations=tuple(dict.fromkeys(claims)),
        links=(Link(crate.address, "Landing page", "landing"),) if crate.address else (),
        thumbnail=_thumbnail(root),
        date=_date(root),
        licence=spdx(next(_identified(crate, root, "license", "licence"), "")),
        creators=tuple(
            dict.fromkeys(
                _person(crate, p) for p in crate.all(root, "author", "creator", "contributor")
            )
        ),
        identifiers=tuple(dict.fromkeys(_identifiers(crate, root))),
        same_as=_same_as(crate, root),
        publisher=next((words(p.get("name")) for p in crate.all(root, "publisher")), ""),
        publications=tuple(_publications(crate, root)),
        keywords=tuple(dict.fromkeys(_keywords(root))),
        funding=tuple(
            dict.fromkeys(filter(None, map(_grant, crate.all(root, "funder", "funding"))))
        ),
    )


def _identified(crate: Crate, entity: Json, *names: str) -> Iterator[str]:
    for held in crate.all(entity, *names):
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
    homes = list(crate.all(entity, "affiliation", "memberOf"))
    identifiers = [words(entity.get("@id")), *_identified(crate, entity, "identifier")]
    mails = [words(held.get("email")) for held in crate.all(entity, "contactPoint")]
    named = name_of(entity)
    given, family = words(entity.get("givenName")), words(entity.get("familyName"))
    return person(
        named or (words(entity.get("@id")) if not given + family else ""),
        given=given,
        family=family,
        orcid=next(filter(None, map(read_orcid, identifiers)), ""),
        affiliation="; ".join(filter(None, map(name_of, homes))),
        ror=next(filter(None, (read_ror(words(home.get("@id"))) for home in homes)), ""),
        email=next(filter(None, (words(entity.get("email")), *mails)), ""),
        roles=texts(entity.get("role")),
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
    given = texts(root.get("keywords")) or texts(root.get("keyword"))
    parts = given[0].split(",") if len(given) == 1 else given
    return filter(None, (part.strip() for part in parts))


def _grant(entity: Json) -> str:
    name, number = words(entity.get("name")), words(entity.get("identifier"))
    return " ".join(part for part in (name, number if number not in name else "") if part)
