"""Checks of a draft before anything is written: what is missing, what is wrong, how to mend it.

A check takes a :class:`Proposal` and yields findings; entry points ``parfocal.checks`` name them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import Literal

from msgspec import Struct

from parfocal import registry
from parfocal.config import PublishSettings
from parfocal.errors import CheckFailed, ParfocalError
from parfocal.identifiers import parse_curie, parse_doi, parse_orcid
from parfocal.values import Finding
from publish import datacite as kernel
from publish.contents import Contents
from publish.draft import KEY, Draft, Term
from publish.licences import is_address, licence_of

_DOI_PREFIX = re.compile(r"10\.\d{4,9}")
_SHORT = 40


class Proposal(Struct, frozen=True):
    """What a check looks at: the draft, what it would publish, and how."""

    draft: Draft
    contents: Contents = Contents()
    settings: PublishSettings = PublishSettings()

    @property
    def doi(self) -> str:
        """Return the DOI that the package will have; "" when none is made."""
        prefix = self.settings.doi_prefix
        return f"{prefix}/parfocal.{self.draft.key}".lower() if prefix else ""

    @property
    def url(self) -> str:
        """Return the address at which the package will be found; "" when there is none."""
        landing = self.settings.landing_url.rstrip("/")
        return f"{landing}/{self.draft.key}/" if landing else ""


Check = Callable[[Proposal], Iterable[Finding]]


def run_checks(proposal: Proposal) -> tuple[Finding, ...]:
    """Run all installed checks; errors first, then by place."""
    found = [
        finding
        for name in registry.names("checks")
        for finding in registry.load("checks", name)(proposal)
    ]
    return tuple(sorted(found, key=lambda f: (f.severity, f.check, f.place)))


def demand(findings: Iterable[Finding], where: str) -> None:
    """Raise CheckFailed when a finding is an error; it lists all of them."""
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        lines = "".join(f"\n  {f.place}: {f.message} ({f.hint})" for f in errors)
        several = f"{len(errors)} things are" if len(errors) > 1 else "one thing is"
        raise CheckFailed(
            f"{several} missing or wrong, nothing was written:{lines}",
            where=where,
            hint="edit the draft, then run parfocal publish check",
        )


def _finding(
    check: str,
    place: str,
    message: str,
    hint: str,
    severity: Literal["error", "warning"] = "error",
) -> Finding:
    return Finding(check, place, message, hint, severity)


# ------------------------------------------------------------------ required


def required(proposal: Proposal) -> Iterator[Finding]:
    """Find members without which nothing can be published."""
    draft = proposal.draft
    for name, hint in (
        ("title", "write what the data set is called"),
        ("description", "write what was imaged, how and why"),
        ("licence", 'write an open licence, such as licence = "CC-BY-4.0"'),
        ("publisher", "write who makes the data available; [publish] publisher sets it for all"),
        ("date", 'write a day: date = "2026-01-31"'),
    ):
        if not str(getattr(draft, name)).strip():
            yield _finding("required", name, f"the {name} is missing", hint)
    if not draft.records and not draft.folder:
        hint = 'write records = ["source:name"] or folder = "path"'
        yield _finding("required", "records", "there is nothing to publish", hint)
    if not KEY.fullmatch(draft.key) or ".." in draft.key:
        hint = 'write 2 to 100 small letters, digits, - and .: key = "my-data-set"'
        yield _finding("required", "key", f"{draft.key[:100]!r} cannot be a key", hint)
    yield from _date(draft.date)
    if draft.description.strip() and len(draft.description) < _SHORT:
        hint = "write a paragraph: readers decide by it whether the data are of use"
        yield _finding("required", "description", "it is very short", hint, "warning")


def _date(text: str) -> Iterator[Finding]:
    if not text.strip():
        return
    try:
        if date.fromisoformat(text).isoformat() == text:
            return
    except ValueError:
        pass
    yield _finding("required", "date", f"{text[:100]!r} is no day", 'write "2026-01-31"')


# ------------------------------------------------------------------ people


def people(proposal: Proposal) -> Iterator[Finding]:
    """Find creators who are missing or cannot be told apart."""
    creators = proposal.draft.creators
    if not creators:
        hint = 'add [[creators]] with name = "Family, Given"'
        yield _finding("people", "creators", "nobody is named as creator", hint)
    for number, creator in enumerate(creators):
        place = f"creators[{number}]"
        if not creator.name.strip():
            hint = 'write name = "Family, Given"'
            yield _finding("people", f"{place}.name", "the name is missing", hint)
        if creator.orcid and parse_orcid(creator.orcid) != creator.orcid:
            message = f"{creator.orcid[:100]!r} is no ORCID iD"
            hint = "copy it from orcid.org: 0000-0002-1825-0097; its last digit is a check"
            yield _finding("people", f"{place}.orcid", message, hint)
        if not creator.orcid:
            hint = "an ORCID iD tells people of the same name apart"
            yield _finding("people", f"{place}.orcid", "no ORCID iD", hint, "warning")
        if not creator.affiliation:
            hint = "write the name of the institute"
            yield _finding("people", f"{place}.affiliation", "no affiliation", hint, "warning")
        if creator.email and not re.fullmatch(
            r"[^@\s<>\"]+@[^@\s<>\"]+\.[^@\s<>\"]+", creator.email
        ):
            hint = "write name@example.org, or leave it out"
            yield _finding("people", f"{place}.email", "this is no e-mail address", hint)


# ------------------------------------------------------------------ licence


def licence(proposal: Proposal) -> Iterator[Finding]:
    """Find licences that nobody can look up, or that are not open."""
    text = proposal.draft.licence.strip()
    if not text:
        return
    known = licence_of(text)
    if known is None and not is_address(text):
        hint = "write CC0-1.0, CC-BY-4.0 or another SPDX identifier, or the licence's address"
        yield _finding("licence", "licence", f"{text[:100]!r} is no licence that is known", hint)
    elif known is None:
        hint = "a well-known licence such as CC-BY-4.0 is understood by machines, too"
        yield _finding("licence", "licence", "this licence is not known here", hint, "warning")
    elif not known.open:
        hint = "CC0-1.0 or CC-BY-4.0 let others use the data"
        yield _finding("licence", "licence", f"{known.spdx} is not open", hint, "warning")


# ------------------------------------------------------------------ terms


def terms(proposal: Proposal) -> Iterator[Finding]:
    """Find missing or wrong ontology terms."""
    draft = proposal.draft
    for name, prefix, example in (
        ("organisms", "NCBITaxon", 'term = "NCBITaxon:9606", label = "Homo sapiens"'),
        ("methods", "FBbi", 'term = "FBbi:00000251", label = "confocal microscopy"'),
    ):
        entries: tuple[Term, ...] = getattr(draft, name)
        if not entries:
            hint = f"add [[{name}]] with {example}"
            yield _finding("terms", name, f"no {prefix} term is given", hint)
        for number, term in enumerate(entries):
            yield from _term(f"{name}[{number}]", term, prefix, example)
    for number, term in enumerate(draft.subjects):
        yield from _term(f"subjects[{number}]", term, "", 'term = "CLO:0003684", label = "HeLa"')
    for number, article in enumerate(draft.publications):
        if article.doi and parse_doi(article.doi) != article.doi.lower():
            message = f"{article.doi[:100]!r} is no DOI"
            yield _finding("terms", f"publications[{number}].doi", message, "write 10.1000/xyz")
        if not article.title.strip():
            hint = "write the article's title"
            yield _finding("terms", f"publications[{number}].title", "the title is missing", hint)


def _term(place: str, term: Term, prefix: str, example: str) -> Iterator[Finding]:
    hint = f"write {example}"
    try:
        curie = parse_curie(term.term)
    except ParfocalError:
        yield _finding("terms", f"{place}.term", f"{term.term[:100]!r} is no CURIE", hint)
        return
    if prefix and not curie.startswith(f"{prefix}:"):
        yield _finding("terms", f"{place}.term", f"{curie} is no {prefix} term", hint)
    if not term.label.strip():
        yield _finding("terms", f"{place}.label", f"{curie} has no label", hint)


# ------------------------------------------------------------------ files


def files(proposal: Proposal) -> Iterator[Finding]:
    """Find files that cannot be published."""
    yield from proposal.contents.findings
    if not proposal.contents.files:
        hint = "images stay where they are; only sources of kind local bring files along"
        message = "the package will hold metadata and links, but no images"
        yield _finding("files", "files", message, hint, "warning")


# ------------------------------------------------------------------ datacite


def datacite(proposal: Proposal) -> Iterator[Finding]:
    """Find what DataCite would refuse: its schema, and the settings that a DOI needs."""
    found = kernel.metadata(proposal.draft, proposal.contents, proposal.doi, proposal.url)
    known = {"title": "titles", "creators": "creators", "publisher": "publisher"}
    missing = {known[name] for name in known if not getattr(proposal.draft, name)}
    for place, message in kernel.problems(found):
        if not any(f"'{name}' is a required" in message for name in (*missing, "publicationYear")):
            hint = "see https://datacite-metadata-schema.readthedocs.io"
            yield _finding("datacite", place, message, hint)
    settings = proposal.settings
    if not settings.doi_prefix:
        return
    if not _DOI_PREFIX.fullmatch(settings.doi_prefix):
        hint = 'write doi_prefix = "10.12345" in [publish]'
        message = f"{settings.doi_prefix[:50]!r} is no DOI prefix"
        yield _finding("datacite", "publish.doi_prefix", message, hint)
    if not is_address(settings.landing_url):
        hint = 'write landing_url = "https://data.example.org/packages" in [publish]'
        message = "a DOI needs the address at which packages will be found"
        yield _finding("datacite", "publish.landing_url", message, hint)
    if not settings.datacite_user or not settings.datacite_password.get_secret_value():
        hint = "set datacite_user and datacite_password in [publish], or remove doi_prefix"
        message = "a DOI needs an account at DataCite"
        yield _finding("datacite", "publish.datacite_user", message, hint)
