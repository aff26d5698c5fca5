"""PageTab and its file lists, read tolerantly."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.biostudies.items import FilesItem, PartItem, StudyItem, raw
from harvester.biostudies.pagetab import read_submission
from harvester.biostudies.pagetab_files import read_list, stores_once
from harvester.biostudies.rembi import parts_of
from harvester.sources.biostudies import BioStudies
from harvester.words.json_pairs import pairs_of
from parfocal.errors import SourceMalformed
from parfocal.model import encode
from parfocal.values import Problem
from tests.fakes.biostudies import pagetab

SOURCE = BioStudies("bia", BioStudies.Options())
NAMES = ("type", "accno", "attributes", "name", "value", "subsections", "files", "links", "url",
         "path", "size", "valqual", "reference")  # fmt: skip
WORDS = ("Study", "Author", "Study Component", "File List", "Organism", "NCBI taxon ID", "null",
         "Title", "DOI", "affiliation", "a.tif", "9606")  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.sampled_from(WORDS) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=15,
)


@given(st.dictionaries(st.sampled_from(NAMES), JSON, max_size=6), JSON)
def test_any_section_gives_records_or_problems(section: dict[str, Any], attributes: Any) -> None:
    content = json.dumps({"section": section, "attributes": attributes}).encode()
    submission = read_submission(content)
    items: list[Any] = [StudyItem("https://a.example", "S-1", content)]
    items += [PartItem("https://a.example", "S-1", part.name, part.section)
              for part in parts_of(submission)]  # fmt: skip
    for item in items:
        for found in SOURCE.normalise(raw("k", item)):
            assert isinstance(found, Problem) or encode(found)


@given(JSON)
def test_any_entry_of_a_list_gives_records_or_problems(entry: Any) -> None:
    entries = json.dumps([entry, {"path": "a.tif", "attributes": entry}]).encode()
    item = FilesItem("https://a.example", "S-1", "P", "f.json", entries)
    found = list(SOURCE.normalise(raw("k", item)))
    assert any(not isinstance(one, Problem) and one.title == "a.tif" for one in found)


@given(st.lists(st.fixed_dictionaries({"path": st.text(min_size=1), "size": st.integers()})),
       st.integers(1, 50))  # fmt: skip
def test_a_list_arrives_in_any_chunks(entries: list[dict[str, Any]], size: int) -> None:
    content = json.dumps(entries, indent=1, ensure_ascii=False).encode("utf-8", "replace")
    chunks = [content[start : start + size] for start in range(0, len(content), size)]
    assert list(read_list("f.json", chunks)) == json.loads(content)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"<html>", b'[{"path": "a"}', b'[{"path": "a', b"[x]", b"[" * 100_000]
)
def test_no_list_is_told(content: bytes) -> None:
    with pytest.raises(SourceMalformed):
        list(read_list("f.json", [content]))


def test_an_entry_is_not_waited_for_without_end() -> None:
    chunks = (b'[{"path": "' if start == 0 else b"x" * 300_000 for start in range(1000))
    with pytest.raises(SourceMalformed):
        list(read_list("f.json", chunks))


def test_tables_as_file_lists() -> None:
    table = b'Files\tGene\n"a b.tif"\tx\n\n/c.tif\n'
    assert list(read_list("f.tsv", [table[:9], table[9:]])) == [
        {"path": "a b.tif", "attributes": [{"name": "Gene", "value": "x"}], "type": "file"},
        {"path": "/c.tif", "attributes": [], "type": "file"},
    ]


def test_files_within_a_zarr_store_stand_for_it() -> None:
    paths = ["a.tif", "x/b.ome.zarr/.zattrs", "x/b.ome.zarr/0/1.2", "d.zarr", "c.zarr/0"]
    entries = [{"path": path, "size": 3} for path in paths] + [{"path": None}, {}]
    assert [entry.get("path") for entry in stores_once(entries)] == [
        "a.tif",
        "x/b.ome.zarr",
        "d.zarr",
        "c.zarr",
        None,
        None,
    ]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"section": 3}', b"[" * 100_000, b"\xff"])
def test_no_pagetab_is_told(content: bytes) -> None:
    with pytest.raises(SourceMalformed):
        read_submission(content)


def test_sections_without_end() -> None:
    section: dict[str, Any] = {"type": "Deep"}
    for _ in range(60):
        section = {"type": "Study", "subsections": [[section]]}
    submission = read_submission(json.dumps({"section": section}).encode())
    assert len(list(submission.root.walk())) == 25
    assert [reason for _, reason in submission.warnings] == [
        "sections nested more deeply are left out"
    ]


def test_names_are_compared_freely() -> None:
    held = pagetab("S-1", "Title")
    held["section"]["subsections"][0]["type"] = "AUTHOR"
    held["section"]["subsections"][1]["type"] = "Organization"
    component = held["section"]["subsections"][-1]
    component["subsections"][0]["attributes"][0]["value"] = "  cells "
    study = SOURCE.normalise(raw("k", StudyItem("https://a.example", "S-1", _bytes(held))))
    (made,) = [one for one in study if not isinstance(one, Problem)]
    assert made.creators[0].affiliation == "Home University"
    submission = read_submission(_bytes(held))
    (part,) = parts_of(submission)
    described = submission.root.sections
    item = PartItem("https://a.example", "S-1", part.name, part.section, described)
    found = list(SOURCE.normalise(raw("k", item)))
    assert not [one for one in found if isinstance(one, Problem)]


def test_what_a_component_names_but_nobody_describes_is_told() -> None:
    held = pagetab("S-1", "Title")
    held["section"]["subsections"][-1]["subsections"][0]["attributes"][0]["value"] = "Others"
    (part,) = parts_of(read_submission(_bytes(held)))
    item = PartItem("https://a.example", "S-1", part.name, part.section)
    problems = [one for one in SOURCE.normalise(raw("k", item)) if isinstance(one, Problem)]
    assert [problem.severity for problem in problems] == ["warning", "warning"]
    assert problems[0].reason == "there is no Biosample of this title: Others"


@given(st.dictionaries(st.text(), JSON))
def test_any_json_becomes_pairs(told: dict[str, Any]) -> None:
    for pair in pairs_of(told):
        assert pair.value
        assert pair.value.lower() != "null"


def _bytes(held: dict[str, Any]) -> bytes:
    return json.dumps(held).encode()
