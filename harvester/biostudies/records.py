"""Records of BioStudies: a study, its components as data sets, files that are images; pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from harvester.biostudies.items import FilesItem, ListFacts, PartItem, StudyItem
from harvester.biostudies.pagetab import (
    Row,
    Section,
    Warnings,
    plain,
    read_file_row,
    read_submission,
    text_of,
)
from harvester.biostudies.pagetab_people import (
    beyond_person,
    cited,
    creators_of,
    grants_of,
    links_of,
    publications_of,
)
from harvester.biostudies.rembi import (
    COMPONENT,
    DESCRIBED,
    FILE_LIST,
    FUNDING,
    ORGANISATION,
    PERSON,
    PUBLICATION,
    Described,
    Meaning,
    described_in,
    files_of,
    meaning,
)
from harvester.formats.image_formats import image_format
from harvester.words.coerce import read_date
from harvester.words.dois import read_doi
from harvester.words.licences import spdx
from parfocal.errors import RecordInvalid, SourceMalformed
from parfocal.identifiers import RecordId, record_id
from parfocal.model import (
    Access,
    Annotation,
    Dataset,
    Image,
    KeyValue,
    Link,
    Provenance,
    Record,
)
from parfocal.values import Problem

BY = "biostudies"
_TITLE, _DESCRIPTION, _KEYWORDS = ("title",), ("description", "abstract"), ("keywords", "keyword")
_DATE = ("releasedate", "release date")
_IN_FIELDS = (*_TITLE, *_DESCRIPTION, *_KEYWORDS, "releasedate")
_NAMED = ("title", "name", "description")
_PUBLISHERS = {"bioimages": "BioImage Archive", "arrayexpress": "ArrayExpress"}
_GRANTED = ("agency", "grant id")


class _Study:
    """A study while its records are made."""

    def __init__(self, item: StudyItem, source: str) -> None:
        self.item = item
        self.source = source
        self.submission = read_submission(item.pagetab)
        self.warnings: Warnings = list(self.submission.warnings)
        self.info = _object(item.info)
        self.hit = _object(item.hit)
        self.id = record_id(source, item.accession)
        self.access = access(source, item.public)

    @property
    def root(self) -> Section:
        return self.submission.root


def access(source: str, public: bool) -> Access:
    """Return who may see a study: one that is not public, a group named after the source."""
    return Access() if public else Access((f"{source}-unreleased",))


def read_study(item: StudyItem, source: str, key: str) -> Iterator[Record | Problem]:
    """Yield a study, and the images that its sections name themselves."""
    study = _Study(item, source)
    yield _dataset(study)
    for row in files_of(study.root):
        yield from _image_or_problem(row, item, source, "", key)
    for place, reason in dict.fromkeys(study.warnings):
        yield Problem(key, reason, place, severity="warning")


# ------------------------------------------------------------------ the study


def _dataset(study: _Study) -> Dataset:
    root, submission = study.root, study.submission
    accession, site, source = study.item.accession, study.item.site, study.source
    collection = submission.first("attachto")
    found = _study_meaning(study)
    links, link_pairs = links_of(submission)
    landing = f"{site}/{collection.lower() or 'studies'}"
    landing += f"/studies/{accession}" if collection else f"/{accession}"
    return Dataset(
        id=study.id,
        ome_type="Study",
        title=root.first(*_TITLE) or submission.first(*_TITLE) or accession,
        description="\n\n".join(dict.fromkeys(one.value for one in root.all(*_DESCRIPTION))),
        access=study.access,
        provenance=_provenance(study.item, source, accession),
        key_values=tuple(dict.fromkeys((*found.pairs, *link_pairs))),
        annotations=tuple(found.claims),
        links=tuple(dict.fromkeys((Link(landing, "Landing page", "landing"), *links))),
        date=_released(study),
        licence=_licence(root),
        creators=tuple(dict.fromkeys(creators_of(submission, study.warnings))),
        identifiers=tuple(dict.fromkeys((accession, *_dois(study)))),
        publisher=_PUBLISHERS.get(collection.lower(), "BioStudies"),
        publications=tuple(dict.fromkeys(publications_of(submission, study.warnings))),
        keywords=tuple(dict.fromkeys(_keywords(root))),
        funding=tuple(dict.fromkeys(grants_of(submission))),
    )


def _study_meaning(study: _Study) -> Meaning:
    """Return all that is said of a study, and of what its components refer to."""
    submission, root = study.submission, study.root
    own = Section("submission", "", submission.attributes)
    found = meaning([own], BY, without=("title", "releasedate"))
    found.add(meaning([root], BY, without=_IN_FIELDS, below=False))
    found.add(meaning(described_in(submission), BY))
    known = (*DESCRIBED, *COMPONENT, *PERSON, *ORGANISATION, "associations", "association")
    for section in root.walk():
        if section is root or section.is_a(*known) or section.first(*FILE_LIST):
            continue
        without: tuple[str, ...] = _GRANTED if section.is_a(*FUNDING) else ()
        without = cited(section) if section.is_a(*PUBLICATION) else without
        found.add(meaning([section], BY, without=without, below=False))
    for section in root.walk():
        if section.is_a(*PERSON):
            found.pairs |= dict.fromkeys(beyond_person(section))
    if "files" in study.info:
        found.pairs[KeyValue("Files", text_of(study.info["files"]))] = None
    return found


def _licence(root: Section) -> str:
    for one in root.all("license", "licence"):
        url = next((value for name, value in one.qualifiers if plain(name) == "url"), "")
        return spdx(one.value, url)
    return ""


def _released(study: _Study) -> str:
    for text in (
        *(study.submission.first(*_DATE), study.root.first(*_DATE)),
        text_of(study.hit.get("release_date")),
    ):
        if date := read_date(text):
            return date
    released = study.info.get("released")
    if isinstance(released, int) and 0 < released < 10**13:
        return datetime.fromtimestamp(released / 1000, UTC).date().isoformat()
    return ""


def _dois(study: _Study) -> Iterator[str]:
    for place in (study.submission.attributes, study.root.attributes):
        for one in place:
            if plain(one.name) == "doi":
                doi = read_doi(one.value)
                if doi:
                    yield f"doi:{doi}"
                else:
                    study.warnings.append(("submission/DOI", f"is no DOI: {one.value[:80]}"))


def _keywords(root: Section) -> Iterator[str]:
    """Yield keywords; commas and semicolons separate them only where all stand in one text."""
    given = [one.value for one in root.all(*_KEYWORDS)]
    if len(given) == 1:
        given = given[0].replace(";", ",").split(",")
    return filter(None, (keyword.strip() for keyword in given))


# ------------------------------------------------------------------ components


def read_part(item: PartItem, source: str, key: str) -> Iterator[Record | Problem]:
    """Yield a data set of a study, with all that the sections say which it refers to."""
    section = item.section
    missing: Warnings = []
    found = meaning([section], BY, without=_NAMED, below=False)
    found.add(meaning(Described(item.described).of(section, missing), BY))
    if item.facts is not None:
        found.pairs |= dict.fromkeys(_counted(item.facts))
    native = f"{item.accession}/{item.part}"
    yield Dataset(
        id=record_id(source, native),
        ome_type="Dataset",
        title=section.first("name", "title") or item.part,
        description=section.first("description") or section.first("annotation overview"),
        part_of=record_id(source, item.accession),
        access=access(source, item.public),
        provenance=_provenance(item, source, native),
        key_values=tuple(found.pairs),
        annotations=tuple(found.claims),
        keywords=("annotations",) if section.is_a("annotations", "annotation") else (),
    )
    for row in files_of(section):
        yield from _image_or_problem(row, item, source, item.part, key)
    for place, reason in dict.fromkeys(missing):
        yield Problem(key, reason, place, severity="warning")


def _provenance(item: StudyItem | PartItem, source: str, native: str) -> Provenance:
    return Provenance(source, native, f"{item.site}/api/v1/studies/{item.accession}")


def _counted(facts: ListFacts) -> Iterator[KeyValue]:
    """Yield how many files a list has, and which of them are no images."""
    yield KeyValue("Files", str(facts.entries))
    others = {s: n for s, n in facts.suffixes.items() if not image_format(f"x{s}")}
    if others:
        counted = sorted(others.items(), key=lambda pair: (-pair[1], pair[0]))
        text = ", ".join(f"{suffix or 'without suffix'}: {count}" for suffix, count in counted)
        yield KeyValue("Other files", text)


# ------------------------------------------------------------------ images


def read_files(item: FilesItem, source: str, key: str) -> Iterator[Record | Problem]:
    """Yield the images among a run of entries of a file list."""
    try:
        entries = json.loads(item.entries)
    except (ValueError, RecursionError) as error:
        raise SourceMalformed(f"not JSON: {error}") from error
    warnings: Warnings = []
    for entry in entries if isinstance(entries, list) else []:
        row = read_file_row(entry, item.list_name, warnings) if isinstance(entry, dict) else None
        if row is not None:
            yield from _image_or_problem(row, item, source, item.part, key)
    for place, reason in dict.fromkeys(warnings):
        yield Problem(key, reason, place, severity="warning")


def _image_or_problem(
    row: Row, item: StudyItem | PartItem | FilesItem, source: str, part: str, key: str
) -> Iterator[Record | Problem]:
    kind = image_format(row.target)
    if not kind:
        return
    try:
        yield _image(row, kind, item, source, part)
    except RecordInvalid as error:
        yield Problem(key, error.message, row.target[:200], error.hint, "warning")


def _image(
    row: Row, kind: str, item: StudyItem | PartItem | FilesItem, source: str, part: str
) -> Image:
    path = row.target.strip("/")
    parent = f"{item.accession}/{part}" if part else item.accession
    native = f"{parent}/{path}"
    address = f"{item.site}/files/{item.accession}/{quote(path)}"
    pairs: dict[KeyValue, None] = {}
    claims: dict[Annotation, None] = {}
    found = Meaning(pairs, claims)
    found.add(meaning([Section("study", "", row.attributes)], BY))
    if row.size is not None:
        pairs[KeyValue("File size", str(row.size))] = None
    return Image(
        id=record_id(source, native),
        title=path.rpartition("/")[2],
        part_of=RecordId(record_id(source, parent)),
        access=access(source, item.public),
        provenance=Provenance(source, native, address),
        key_values=tuple(pairs),
        annotations=tuple(claims),
        location=address,
        format=kind,
    )


def _object(content: bytes) -> dict[str, Any]:
    """Read what the archive answered beside the study; {} when that is no object."""
    try:
        held = json.loads(content) if content else {}
    except (ValueError, RecursionError):
        return {}
    return held if isinstance(held, dict) else {}
