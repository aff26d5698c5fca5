"""Checks: each finds what is wrong and says how to mend it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from parfocal import registry
from parfocal.config import PublishSettings
from parfocal.errors import CheckFailed
from parfocal.testing.publishing import CheckContract
from parfocal.values import Finding
from publish.checks import Check, Proposal, demand, run_checks
from publish.contents import Contents
from publish.draft import Article, Creator, Draft, Term

BAD: dict[str, dict[str, Any]] = {
    "required": {"title": " ", "key": "No/Key", "date": "21.11.2026", "records": ()},
    "people": {"creators": (Creator("", orcid="0000-0002-1825-0098", email="nobody"),)},
    "licence": {"licence": "ask us"},
    "terms": {
        "organisms": (Term("9606", "human"),),
        "methods": (Term("EFO:1", "x"), Term("FBbi:1")),
        "publications": (Article("", "doi.org"),),
    },
    "files": {},
    "datacite": {"date": "soon", "publications": (Article("a", url="https://a.org/b"),)},
}


class Checking(CheckContract):
    name: str

    @pytest.fixture
    def check(self) -> Check:
        found: Check = registry.load("checks", self.name)
        return found

    @pytest.fixture
    def good(self, draft: Draft) -> Proposal:
        return Proposal(draft)

    @pytest.fixture
    def bad(self, draft: Draft) -> Proposal:
        findings = (
            (Finding("files", "a", "lies outside", "mend it"),) if self.name == "files" else ()
        )
        changed = msgspec.structs.replace(draft, **BAD[self.name])
        return Proposal(changed, Contents(findings=findings))


class TestRequired(Checking):
    name = "required"


class TestPeople(Checking):
    name = "people"


class TestLicence(Checking):
    name = "licence"


class TestTerms(Checking):
    name = "terms"


class TestFiles(Checking):
    name = "files"


class TestDatacite(Checking):
    name = "datacite"


def test_every_check_has_a_bad_case() -> None:
    assert set(registry.names("checks")) == set(BAD)


def places(proposal: Proposal, severity: str = "error") -> set[str]:
    return {f.place for f in run_checks(proposal) if f.severity == severity}


def test_empty_draft_is_told_all_that_is_missing() -> None:
    assert places(Proposal(Draft())) == {
        *("key", "title", "description", "licence", "publisher", "date", "records"),
        *("creators", "organisms", "methods"),
    }


def test_good_draft_has_warnings_at_most(draft: Draft) -> None:
    assert places(Proposal(draft)) == set()
    assert places(Proposal(draft), "warning") == {"creators[1].orcid", "files"}


@pytest.mark.parametrize(
    ("licence", "severity"),
    [
        ("CC BY 4.0", ""),
        ("http://creativecommons.org/publicdomain/zero/1.0", ""),
        ("CC-BY-NC-4.0", "warning"),
        ("https://example.org/terms", "warning"),
        ("all rights reserved", "error"),
        ("javascript:alert(1)", "error"),
    ],
)
def test_licences(draft: Draft, licence: str, severity: str) -> None:
    proposal = Proposal(msgspec.structs.replace(draft, licence=licence))
    found = [f.severity for f in run_checks(proposal) if f.check == "licence"]
    assert found == ([severity] if severity else [])


@pytest.mark.parametrize(
    "key", ["", "a", "../up", "a..b", "A", "a/b", "-a", ".a", "a" * 101, "a b", "a\n"]
)
def test_keys_that_are_no_file_names_are_refused(draft: Draft, key: str) -> None:
    assert "key" in places(Proposal(msgspec.structs.replace(draft, key=key)))


def test_doi_needs_address_and_account(draft: Draft, publish_settings: PublishSettings) -> None:
    assert places(Proposal(draft, settings=publish_settings)) == set()
    bare = PublishSettings(doi_prefix="10.5072")
    assert places(Proposal(draft, settings=bare)) == {
        "publish.landing_url",
        "publish.datacite_user",
    }
    wrong = publish_settings.model_copy(update={"doi_prefix": "5072"})
    assert "publish.doi_prefix" in places(Proposal(draft, settings=wrong))


def test_demand_lists_everything() -> None:
    with pytest.raises(CheckFailed) as caught:
        demand(run_checks(Proposal(Draft())), "d.toml")
    assert caught.value.exit_code == 2
    assert "10 things" in caught.value.message
    assert "organisms: no NCBITaxon term" in caught.value.message
    demand((Finding("files", "a", "b", "c", "warning"),), "d.toml")
