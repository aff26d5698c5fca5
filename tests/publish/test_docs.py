"""docs/publishing.md names every member of a draft and every check; its example passes."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from parfocal import registry
from publish.checks import Proposal, run_checks
from publish.draft import Creator, Draft, parse_draft

TEXT = (Path(__file__).parents[2] / "docs" / "publishing.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("member", msgspec.inspect.type_info(Draft).fields, ids=lambda f: f.name)  # type: ignore[union-attr]
def test_table_names_every_member(member: msgspec.inspect.Field) -> None:
    assert isinstance(member.type, msgspec.inspect.Metadata)
    sentence = (member.type.extra_json_schema or {})["description"]
    assert f"| `{member.name}` | {sentence} |" in TEXT


@pytest.mark.parametrize("member", msgspec.structs.fields(Creator), ids=lambda f: f.name)
def test_table_names_every_member_of_a_creator(member: msgspec.structs.FieldInfo) -> None:
    assert f"`{member.name}`" in TEXT


@pytest.mark.parametrize("check", registry.names("checks"))
def test_table_names_every_check(check: str) -> None:
    assert f"| `{check}` |" in TEXT


def test_example_passes_all_checks() -> None:
    example = next(iter(re.findall(r"^```toml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)))
    findings = run_checks(Proposal(parse_draft(example)))
    assert [finding for finding in findings if finding.severity == "error"] == []
