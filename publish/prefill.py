"""A first draft, filled in from what the catalogue knows, or from a folder's name."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import TypeVar

from parfocal.catalogue import Catalogue
from parfocal.errors import ConfigError
from parfocal.identifiers import native_of, parse_record_id
from parfocal.model import Annotation, Dataset, Person, Publication, Record, Viewer
from publish.contents import records_of
from publish.draft import Article, Creator, Draft, Term

MAX_TERMS = 50
Value = TypeVar("Value")
_NOT_IN_KEYS = re.compile(r"[^a-z0-9]+")


def draft_of_records(
    catalogue: Catalogue, ids: tuple[str, ...], viewer: Viewer, today: date
) -> Draft:
    """Draft the publication of records with all that lies in them.

    RecordNotFound when one of them is not there for this viewer.
    """
    views = [catalogue.view(parse_record_id(text), viewer) for text in ids]
    lineage = [record for view in views for record in (view.record, *view.ancestors)]
    claims = Counter(_claims(records_of(catalogue, ids, viewer)))
    claims.update(_claims(lineage))
    main = views[0].record
    datasets = [record for record in lineage if isinstance(record, Dataset)]
    people = _first(record.creators for record in lineage)
    publisher = catalogue.settings.publish.publisher or _first(d.publisher for d in datasets) or ""
    return Draft(
        key=_key(native_of(main.id), ids),
        title=main.title,
        description=_first(record.description for record in lineage) or "",
        licence=_first(record.licence for record in lineage) or "",
        publisher=publisher or _first(person.affiliation for person in people or ()) or "",
        date=today.isoformat(),
        keywords=_first(dataset.keywords for dataset in datasets) or (),
        funding=_first(dataset.funding for dataset in datasets) or (),
        records=ids,
        creators=tuple(_creator(person) for person in people or ()),
        organisms=_terms(claims, "organism", "NCBITaxon"),
        methods=_terms(claims, "imaging_method", "FBbi"),
        subjects=_subjects(claims),
        publications=tuple(
            _article(p) for p in _first(dataset.publications for dataset in datasets) or ()
        ),
    )


def draft_of_folder(folder: Path, publisher: str, today: date) -> Draft:
    """Draft the publication of the files of a folder."""
    try:
        whole = folder.resolve(strict=True)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(folder)) from error
    return Draft(
        key=_key(whole.name, (str(whole),)),
        title=whole.name,
        publisher=publisher,
        date=today.isoformat(),
        folder=str(whole),
    )


def _first(values: Iterable[Value]) -> Value | None:
    return next((value for value in values if value), None)


def _key(name: str, ids: tuple[str, ...]) -> str:
    """Make a readable key that stays the same for the same records."""
    plain = _NOT_IN_KEYS.sub("-", name.lower()).strip("-")[:60].strip("-") or "dataset"
    digest = hashlib.blake2b("\n".join(ids).encode("utf-8", "replace"), digest_size=4).hexdigest()
    return f"{plain}-{digest}"


def _claims(records: Iterable[Record]) -> Iterator[tuple[str, str, str]]:
    for record in records:
        for claim in record.annotations:
            if claim.believed:
                yield _claimed(claim)


def _claimed(claim: Annotation) -> tuple[str, str, str]:
    return claim.field, claim.term, claim.label or claim.text


def _terms(claims: Counter[tuple[str, str, str]], field: str, prefix: str) -> tuple[Term, ...]:
    found: dict[str, Term] = {}
    for (name, term, label), _ in claims.most_common():
        if name == field and term.startswith(f"{prefix}:"):
            found.setdefault(term, Term(term, label))
    return tuple(found.values())[:MAX_TERMS]


def _subjects(claims: Counter[tuple[str, str, str]]) -> tuple[Term, ...]:
    found: dict[str, Term] = {}
    for (name, term, label), _ in claims.most_common():
        if name not in ("organism", "imaging_method"):
            found.setdefault(term, Term(term, label))
    return tuple(found.values())[:MAX_TERMS]


def _creator(person: Person) -> Creator:
    return Creator(
        name=person.name,
        given_name=person.given_name,
        family_name=person.family_name,
        orcid=person.orcid,
        affiliation=person.affiliation,
    )


def _article(publication: Publication) -> Article:
    url = f"https://pubmed.ncbi.nlm.nih.gov/{publication.pubmed}/" if publication.pubmed else ""
    doi = publication.doi
    return Article(publication.title or doi or url, doi, "" if doi else url)
