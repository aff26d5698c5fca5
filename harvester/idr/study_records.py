"""A study file's sections as records: the study, its screens and its experiments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice, zip_longest

from harvester.idr.items import StudyItem
from harvester.idr.study_file import Section, StudyRow, read_sections
from harvester.words.accessions import read_accessions
from harvester.words.coerce import read_date
from harvester.words.licences import spdx
from parfocal.errors import SourceMalformed
from parfocal.fields import field_of_key
from parfocal.identifiers import RecordId, parse_doi, parse_orcid, record_id
from parfocal.model import (
    Annotation,
    Dataset,
    KeyValue,
    Link,
    Person,
    Provenance,
    Publication,
    Record,
)
from parfocal.values import Problem

_ACCESSION = re.compile(r"(.+?) Term Accession(?: Number)?", re.I)
_OWN_WORDS = re.compile(r"(?:Study|Screen|Experiment) (?=\S)", re.I)
_ACCESSION_NUMBER = re.compile(r"idr\d{4,}", re.I)
_ELSEWHERE = (
    ("Study BioImage Archive Accession", "https://www.ebi.ac.uk/biostudies/studies/"),
    ("Study BioStudies Accession", "https://www.ebi.ac.uk/biostudies/studies/"),
    ("Study EMPIAR Accession", "https://www.ebi.ac.uk/empiar/"),
)
_SHOWN_SHORT = ("imaging method", "organism", "sample type", "technology type", "type")
_PRIVATE = "study person email"
LONGEST_VALUE = 50_000
MOST_VALUES = 50_000


def _short(key: str) -> str:
    """Return a key without the word Study, Screen or Experiment before it, as IDR shows it."""
    return _OWN_WORDS.sub("", key, count=1)


def _key_values(section: Section) -> Iterator[KeyValue]:
    for row in section.rows:
        if row.key.lower() == _PRIVATE:
            continue
        short = _short(row.key) if section.kind else row.key
        keys = (row.key, short) if short.lower() in _SHOWN_SHORT else (row.key,)
        for cell in row.cells:
            if cell:
                yield from (KeyValue(key, cell[:LONGEST_VALUE]) for key in dict.fromkeys(keys))


def _pairs(*sections: Section) -> tuple[KeyValue, ...]:
    pairs = (pair for section in sections for pair in _key_values(section))
    return tuple(dict.fromkeys(islice(pairs, MOST_VALUES)))


def _texts(section: Section, base: str, before: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the texts and the labels that stand above an accession row, cell by cell."""
    wanted = {
        "text": (base, f"{base} Name", f"{base} Type"),
        "label": (f"{base} Term Name",),
    }
    found: dict[str, tuple[str, ...]] = {"text": (), "label": ()}
    for row in section.rows[:before]:
        for kind, keys in wanted.items():
            if row.key.lower() in (key.lower() for key in keys):
                found[kind] = row.cells
    return found["text"], found["label"]


def _reference(section: Section, base: str, place: int) -> str:
    for row in section.rows:
        if row.key.lower() == f"{base} term source ref".lower() and row.cells:
            return row.cells[place] if place < len(row.cells) else row.cells[0]
    return ""


def _field(base: str) -> str:
    field = field_of_key(base) or field_of_key(_short(base)) or field_of_key(f"{base} type")
    return field.name if field and field.type == "term" else "term"


def _claims(section: Section, by: str) -> Iterator[Annotation]:
    for place, row in enumerate(section.rows):
        match = _ACCESSION.fullmatch(row.key)
        if not match:
            continue
        base = match.group(1)
        texts, labels = _texts(section, base, place)
        for number, cell in enumerate(row.cells):
            text = texts[number] if number < len(texts) else ""
            label = (labels[number] if number < len(labels) else "") or text
            field = _field(base)
            default = "NCBITaxon" if field == "organism" else ""
            terms = read_accessions(cell, _reference(section, base, number) or default)
            if not text and not label:
                continue
            for term in terms:
                shown = label if len(terms) == 1 else ""
                yield Annotation(field, text or label, term, shown, "curated", 1.0, by, base)


def _roles(cell: str) -> tuple[str, ...]:
    return tuple(role for part in re.split(r"[;,]", cell) if (role := part.strip()))


def _creators(study: Section, file: str) -> Iterator[Person | Problem]:
    last = study.cells("Study Person Last Name")
    first = study.cells("Study Person First Name")
    rows = (
        study.cells("Study Person ORCID"),
        study.cells("Study Person Address"),
        study.cells("Study Person Roles"),
    )
    for place, (family, given) in enumerate(zip_longest(last, first, fillvalue="")):
        name = f"{given} {family}".strip()
        if not name:
            continue
        orcid, address, roles = (cells[place] if place < len(cells) else "" for cells in rows)
        checked = parse_orcid(orcid) or ""
        if orcid and not checked:
            yield Problem(
                file,
                f"{orcid!r} is not an ORCID iD",
                f"Study Person ORCID, column {place + 1}",
                "an ORCID iD reads 0000-0002-1825-0097; its last digit is a checksum",
                "warning",
            )
        yield Person(name, given, family, checked, address, roles=_roles(roles))


def _publications(study: Section) -> tuple[Publication, ...]:
    columns = zip_longest(
        study.cells("Study Publication Title"),
        study.cells("Study Author List"),
        study.cells("Study DOI"),
        study.cells("Study PubMed ID"),
        study.cells("Study PMC ID"),
        fillvalue="",
    )
    return tuple(
        Publication(title, authors, parse_doi(doi) or "", pubmed, pmc)
        for title, authors, doi, pubmed, pmc in columns
        if title or doi or pubmed or pmc
    )


def _identifiers(section: Section) -> tuple[str, ...]:
    """Return DOIs of the data and accession numbers."""
    dois = [parse_doi(cell) for row in section.rows if "Data DOI" in row.key for cell in row.cells]
    names = section.cells("Comment[IDR Study Accession]")
    others = (cell for key, _ in _ELSEWHERE for cell in section.cells(key))
    found = [f"doi:{doi}" for doi in dois if doi] + [*names, *others]
    return tuple(dict.fromkeys(name for name in found if name and len(name) < 200))


def _is_address(text: str) -> bool:
    return text.startswith(("http://", "https://")) and not any(c.isspace() for c in text)


def _links(section: Section) -> tuple[Link, ...]:
    links = []
    accession = section.first("Comment[IDR Study Accession]").lower()
    if _ACCESSION_NUMBER.fullmatch(accession):
        address = f"https://idr.openmicroscopy.org/study/{accession}/"
        links.append(Link(address, "Image Data Resource", "landing"))
    for row in section.rows:
        addresses = [cell for cell in row.cells if _is_address(cell)]
        if row.key.endswith("Example Images"):
            links += [Link(address, "Example image", "viewer") for address in addresses]
        elif row.key == "Study External URL":
            links += [Link(address, "External page") for address in addresses]
    return tuple(dict.fromkeys(links))


def _same_as(study: Section) -> tuple[str, ...]:
    return tuple(
        f"{base}{cell}"
        for key, base in _ELSEWHERE
        for cell in study.cells(key)
        if re.fullmatch(r"[A-Z]+-[A-Z0-9-]+", cell)
    )


def _methods(sections: tuple[Section, ...]) -> Section:
    """Return the imaging methods of all screens and experiments as rows of their own."""
    rows = []
    for section in sections:
        for row in section.rows:
            if "imaging method" in row.key.lower() and row.cells:
                rows.append(StudyRow(_short(row.key), row.cells))
    return Section("study", "", tuple(rows))


def _study(
    item: StudyItem, sections: tuple[Section, ...], source: str
) -> tuple[Dataset, list[Problem]]:
    study = sections[0]
    methods = _methods(sections[1:])
    by = f"curator of {item.folder}"
    people = list(_creators(study, item.file))
    record = Dataset(
        id=record_id(source, item.folder),
        title=" ".join(study.first("Study Title").split()) or item.folder,
        description=study.first("Study Description"),
        provenance=Provenance(source, item.folder, item.file),
        key_values=_pairs(study, methods),
        annotations=tuple(dict.fromkeys((*_claims(study, by), *_claims(methods, by)))),
        links=_links(study),
        date=read_date(study.first("Study Public Release Date")),
        licence=spdx(study.first("Study License"), study.first("Study License URL")),
        creators=tuple(person for person in people if isinstance(person, Person)),
        identifiers=_identifiers(study),
        same_as=_same_as(study),
        ome_type="Study",
        publisher=study.first("Study Data Publisher"),
        publications=_publications(study),
        keywords=tuple(filter(None, study.cells("Study Key Words", "Study Keywords"))),
    )
    return record, [person for person in people if isinstance(person, Problem)]


def _container(item: StudyItem, section: Section, source: str, study: RecordId) -> Dataset:
    native = f"{item.folder}/{section.name}"
    kind = section.kind.title()
    return Dataset(
        id=record_id(source, native),
        title=native,
        description=section.first(f"{kind} Description"),
        part_of=study,
        provenance=Provenance(source, native, item.file),
        key_values=_pairs(section),
        annotations=tuple(dict.fromkeys(_claims(section, f"curator of {item.folder}"))),
        links=_links(section),
        identifiers=_identifiers(section),
        ome_type="Screen" if section.name.lower().startswith("screen") else "Dataset",
        publisher=section.first(f"{kind} Data Publisher"),
    )


def read_study(item: StudyItem, source: str) -> Iterator[Record | Problem]:
    """Yield the study, then its screens and experiments, also those that only have a table."""
    try:
        sections = read_sections(item.text)
    except SourceMalformed as error:
        yield Problem(item.file, error.message, hint="compare with another study file")
        sections = read_sections("")
    study, problems = _study(item, sections, source)
    yield from problems
    yield study
    described = {section.name for section in sections}
    tables = [Section("", name, ()) for name in item.containers if name not in described]
    for section in (*sections[1:], *tables):
        yield _container(item, section, source, study.id)
