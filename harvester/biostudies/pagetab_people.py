"""Authors, publications, grants, links of a submission in PageTab."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harvester.biostudies.pagetab import Section, Submission, Warnings, plain
from harvester.biostudies.rembi import FUNDING, ORGANISATION, PERSON, PUBLICATION
from harvester.words.dois import identifier, read_doi
from harvester.words.people import person, read_orcid
from parfocal.model import KeyValue, Link, Person, Publication

_AFFILIATION = ("affiliation", "organisation", "organization")
_MAIL = ("e-mail", "email", "mail")
_PERSONAL = (
    *("name", "first name", "last name", "given name", "family name", "surname"),
    *("role", "roles", *_MAIL),
)
_ADDRESS = re.compile(r"(?:https?://|(?:www\.|(?:dx\.)?doi\.org/))\S+", re.I)
_SEPARATOR = re.compile(r"(?:(?<!\s)\s+)?[,;]\s*")
_ORDER = re.compile(r"o\d+", re.I)
_DIGITS = re.compile(r"\d{1,9}")
_PMC = re.compile(r"(?:PMC)?(\d{1,9})", re.I)


def creators_of(submission: Submission, warnings: Warnings) -> Iterator[Person]:
    """Yield the authors with their organisations, which they name by number or in words."""
    homes: dict[str, Section] = {}
    for section in submission.root.walk():
        if section.is_a(*ORGANISATION) and section.accno:
            homes.setdefault(plain(section.accno), section)
    for section in submission.root.walk():
        if section.is_a(*PERSON):
            found = _person(section, homes, warnings)
            if found.name:
                yield found


def _person(section: Section, homes: dict[str, Section], warnings: Warnings) -> Person:
    given = section.first("first name", "given name")
    family = section.first("last name", "surname", "family name")
    name = section.first("name") or f"{given} {family}".strip()
    places = list(_homes(section, homes, name, warnings))
    orcid, mail = section.first("orcid"), section.first(*_MAIL)
    made = person(
        name,
        given=given,
        family=family,
        orcid=orcid,
        affiliation="; ".join(dict.fromkeys(place for place, _ in places)),
        ror=next((ror for _, ror in places if ror), ""),
        email=mail,
        roles=[r for one in section.all("role", "roles") for r in _SEPARATOR.split(one.value)],
    )
    if orcid and not made.orcid:
        warnings.append((f"{section.type}/{name}", f"is no ORCID iD: {orcid[:80]}"))
    if mail and not made.email:
        warnings.append((f"{section.type}/{name}", f"is no e-mail address: {mail[:80]}"))
    return made


def _homes(
    section: Section, homes: dict[str, Section], name: str, warnings: Warnings
) -> Iterator[tuple[str, str]]:
    """Yield name and ROR id of each organisation that an author names."""
    for one in section.all(*_AFFILIATION):
        whole = homes.get(plain(one.value))
        for text in (one.value,) if whole else _named(one.value, one.reference):
            home = homes.get(plain(text))
            if home is not None:
                yield home.first("name", "title") or text, home.first("rorid", "ror id", "ror")
            elif one.reference or _ORDER.fullmatch(text):
                place = f"{section.type}/{name}"
                warnings.append((place, f"there is no organisation of this number: {text[:80]}"))
            else:
                yield text, ""


def _named(text: str, reference: bool) -> list[str]:
    parts = _SEPARATOR.split(text)
    return parts if reference or all(map(_ORDER.fullmatch, parts)) else [text]


def publications_of(submission: Submission, warnings: Warnings) -> Iterator[Publication]:
    """Yield the publications; numbers that are none are told."""
    for section in submission.root.walk():
        if not section.is_a(*PUBLICATION):
            continue
        title, doi = section.first("title"), section.first("doi")
        pubmed, central = section.first("pubmed id", "pmid"), section.first("pmc id", "pmcid")
        number, pmc = _DIGITS.fullmatch(pubmed), _PMC.fullmatch(central)
        read = read_doi(doi)
        for name, text, known in (
            ("DOI", doi, read),
            ("Pubmed ID", pubmed, number),
            ("PMC ID", central, pmc),
        ):
            if text and not known:
                warnings.append((f"{section.type}/{name}", f"is no {name}: {text[:80]}"))
        made = Publication(
            title=title,
            authors=section.first("authors"),
            doi=read,
            pubmed=number.group() if number else "",
            pmc=f"PMC{pmc[1]}" if pmc else "",
        )
        if made != Publication():
            yield made


def cited(section: Section) -> tuple[str, ...]:
    """Return the names of a publication's attributes that its record has; others stay pairs."""
    held = ["title", "authors"]
    held += ["doi"] if read_doi(section.first("doi")) else []
    held += ["pubmed id", "pmid"] if _DIGITS.fullmatch(section.first("pubmed id", "pmid")) else []
    held += ["pmc id", "pmcid"] if _PMC.fullmatch(section.first("pmc id", "pmcid")) else []
    return tuple(held)


def beyond_person(section: Section) -> Iterator[KeyValue]:
    """Yield what an author has beside what a person of the model holds, with the name before it."""
    known = [*_PERSONAL, *_AFFILIATION]
    known += ["orcid"] if read_orcid(section.first("orcid")) else []
    for one in section.attributes:
        if plain(one.name) not in known:
            yield KeyValue(f"{section.type}.{one.name}", f"{section.first('name')}: {one.value}")


def grants_of(submission: Submission) -> Iterator[str]:
    """Yield the grants: agency and number."""
    for section in submission.root.walk():
        if section.is_a(*FUNDING):
            agency = section.first("agency", "funder", "name")
            number = section.first("grant id", "grantid", "grant number", "code")
            if agency or number:
                yield f"{agency} {number}".strip()


def links_of(submission: Submission) -> tuple[list[Link], list[KeyValue]]:
    """Return the links that are addresses, and as pairs those that name something otherwise."""
    links: list[Link] = []
    pairs: list[KeyValue] = []
    for section in submission.root.walk():
        for row in section.links:
            words = {plain(one.name): one.value for one in row.attributes}
            kind = words.get("type", "")
            address = _address(row.target)
            if address:
                links.append(Link(address, words.get("description", "") or kind))
            if not address or kind:
                pairs.append(KeyValue(kind or "Link", row.target, "Link"))
    return links, pairs


def _address(text: str) -> str:
    if not _ADDRESS.fullmatch(text):
        known = identifier(text)
        return f"https://doi.org/{known[4:]}" if known.startswith("doi:") else ""
    return text if text.lower().startswith("http") else f"https://{text}"
