"""What sections of images in BioStudies mean (REMBI): data sets, and what describes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from harvester.biostudies.pagetab import Attribute, Row, Section, Submission, plain
from harvester.words.accessions import read_accessions
from parfocal.fields import field_of_key
from parfocal.identifiers import Curie
from parfocal.model import Annotation, KeyValue

PERSON = ("author", "contributor", "contact")
ORGANISATION = ("organisation", "organization", "affiliation")
PUBLICATION = ("publication", "publications")
FUNDING = ("funding", "funder", "grant")
ASSOCIATIONS = ("associations", "association")
COMPONENT = ("study component", "annotations", "annotation", "experiment", "supplementary data")
DESCRIBED = (
    *("biosample", "bio sample", "specimen", "image acquisition", "image analysis"),
    *("image correlation", "imaging method", "organism", "protocol"),
)
FILE_LIST = ("file list", "filelist")
_TITLED = ("title", "name")
_TAXON = re.compile(r"(?<!\d)(\d+)\s*$")


class Part(Struct, frozen=True):
    """A section whose files make a data set, by the name it has in records and raw items.

    A study's own file list is a part without a name: its files lie in the study itself.
    """

    name: str
    section: Section
    list_name: str = ""


class Meaning(Struct):
    """Key-values and curated claims that a record gets."""

    pairs: dict[KeyValue, None]
    claims: dict[Annotation, None]

    def add(self, other: Meaning) -> None:
        """Add what another has."""
        self.pairs |= other.pairs
        self.claims |= other.claims


def is_part(section: Section) -> bool:
    """Whether a section below the root stands for a data set."""
    return section.is_a(*COMPONENT) or bool(section.first(*FILE_LIST))


def files_of(section: Section) -> Iterator[Row]:
    """Yield the files that a section and those in it name, but not those of data sets in it."""
    yield from section.files
    for inner in section.sections:
        if not is_part(inner):
            yield from files_of(inner)


def parts_of(submission: Submission) -> tuple[Part, ...]:
    """Return the data sets of a submission, in order, each with a name of its own."""
    parts: dict[str, Part] = {}
    for section in submission.root.walk():
        list_name = section.first(*FILE_LIST)
        if section is submission.root:
            if list_name:
                parts[""] = Part("", section, list_name)
            continue
        if not is_part(section):
            continue
        name = _clean(section.accno or f"{section.type}-{len(parts) + 1}")
        if name in parts or plain(name) == plain(submission.accno):
            name = f"{name}~{len(parts) + 1}"
        parts[name] = Part(name, section, list_name)
    return tuple(parts.values())


def _clean(accno: str) -> str:
    return accno.replace("/", "-").replace("#", "-")[:200]


# ------------------------------------------------------------------ key-values and claims


def meaning(
    sections: Iterable[Section], by: str, *, without: tuple[str, ...] = (), below: bool = True
) -> Meaning:
    """Return what sections say: each attribute as a pair, under the section's type as namespace."""
    found = Meaning({}, {})
    for section in sections:
        for one in section.attributes:
            if plain(one.name) not in without:
                _attribute(section, one, found, by)
        _term_of_section(section, found, by)
        if below:
            inner = (one for one in section.sections if not one.is_a(*ASSOCIATIONS, *COMPONENT))
            found.add(meaning(inner, by))
    return found


def _attribute(section: Section, one: Attribute, found: Meaning, by: str) -> None:
    kind = "" if section.is_a("study", "section", "submission") else section.type
    key = one.name
    if section.is_a("imaging method") and plain(key) == "ontology value":
        key = section.type
    found.pairs[KeyValue(key, one.value, kind)] = None
    for name, value in one.qualifiers:
        found.pairs[KeyValue(f"{one.name}.{name}", value, kind)] = None
    qualified = {plain(name).replace(" ", ""): value for name, value in one.qualifiers}
    number = qualified.get("termid", "") or qualified.get("ontologytermid", "")
    if number:
        field = field_of_key(one.name)
        terms = read_accessions(number, qualified.get("ontology", ""))
        _claim(found, field.name if field else "term", one.value, terms, by, one.name)


def _term_of_section(section: Section, found: Meaning, by: str) -> None:
    """Add the claim that a section as a whole makes: its words beside a term's number."""
    for name in ("ncbi taxon id", "ncbi taxonomy id"):
        number = _TAXON.search(section.first(name))
        text = section.first("scientific name", "organism", "common name")
        if number and text and int(number[1]) > 0:
            key = next(one.name for one in section.attributes if one.value == text)
            taxon = (Curie(f"NCBITaxon:{int(number[1])}"),)
            _claim(found, "organism", text, taxon, by, key)
    value = section.first("ontology value")
    terms = read_accessions(section.first("ontology term id"), section.first("ontology name"))
    if value and terms:
        field = field_of_key(section.type)
        key = section.type if section.is_a("imaging method") else "Ontology Value"
        _claim(found, field.name if field else "term", value, terms, by, key)


def _claim(
    found: Meaning, field: str, text: str, terms: Iterable[Curie], by: str, key: str
) -> None:
    for term in terms:
        found.claims[Annotation(field, text, term, text, "curated", 1.0, by, key)] = None


# ------------------------------------------------------------------ what a component refers to


def described_in(submission: Submission) -> tuple[Section, ...]:
    """Return the sections that describe data, those within others left out."""
    return tuple(_outermost(submission.root, DESCRIBED))


class Described:
    """The sections that data sets refer to by kind and title."""

    def __init__(self, sections: Iterable[Section]) -> None:
        self._known: dict[tuple[str, str], Section] = {}
        for outer in sections:
            for section in outer.walk():
                for title in (section.first(*_TITLED), section.accno):
                    self._known.setdefault((_kind(section.type), plain(title)), section)

    def of(self, part: Section, missing: list[tuple[str, str]]) -> Iterator[Section]:
        """Yield what a component holds or names, each once; unknown titles go to ``missing``."""
        seen: set[int] = set()
        for section in (*_outermost(part, DESCRIBED, top=False), *self._referred(part, missing)):
            if id(section) not in seen:
                seen.add(id(section))
                yield section

    def _referred(self, part: Section, missing: list[tuple[str, str]]) -> Iterator[Section]:
        for association in part.sections:
            if not association.is_a(*ASSOCIATIONS):
                continue
            for one in association.attributes:
                found = self._known.get((_kind(one.name), plain(one.value)))
                if found is not None:
                    yield found
                else:
                    place = f"{part.first('name', 'title') or part.accno}/{one.name}"
                    missing.append((place, f"there is no {one.name} of this title: {one.value}"))


def _kind(name: str) -> str:
    return plain(name).replace(" ", "")


def _outermost(section: Section, kinds: tuple[str, ...], *, top: bool = True) -> Iterator[Section]:
    """Yield the sections of these kinds that lie in no other one of them."""
    if top and section.is_a(*kinds):
        yield section
        return
    for inner in section.sections:
        yield from _outermost(inner, kinds)
