"""The JSON form of a query: shapes, strictness, JSON pointers, bounds."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parfocal.errors import QueryInvalid
from parfocal.query import (
    All,
    AnyOf,
    Clause,
    Everything,
    FacetRequest,
    FieldMatch,
    KeyMatch,
    Not,
    Phrase,
    Query,
    Sort,
    Within,
    Words,
)
from parfocal.query_json import parse_json, read_json
from parfocal.query_text import format_query, parse_query

F, K = FieldMatch, KeyMatch


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"text": "mitosis"}, Words("mitosis", 0)),
        ({"text": "a OR size_x:>=5"}, AnyOf((Words("a", 0), F("size_x", ">=", ("5",), 5)))),
        ({"phrase": "cell cycle"}, Phrase("cell cycle")),
        ({"within": "CMPO:0000077"}, Within("CMPO:0000077")),
        ({"all": []}, All(())),
        ({"any": [{"text": "a"}, {"text": "b"}]}, AnyOf((Words("a", 0), Words("b", 0)))),
        ({"not": {"text": "a"}}, Not(Words("a", 0))),
        (
            {"field": "species", "op": "is", "value": "Mus musculus"},
            F("organism", "is", ("Mus musculus",)),
        ),
        ({"field": "organism", "value": "mouse"}, F("organism", "is", ("mouse",))),
        (
            {"field": "organism", "op": "within", "value": "NCBITaxon:9989"},
            F("organism", "within", ("NCBITaxon:9989",)),
        ),
        ({"field": "tissue", "op": "contains", "value": "br"}, F("tissue", "contains", ("br",))),
        ({"field": "tissue", "op": "exists"}, F("tissue", "exists")),
        ({"field": "tissue"}, F("tissue", "exists")),
        ({"field": "channels", "op": "in", "value": [3, "4"]}, F("channels", "in", ("3", "4"))),
        ({"field": "type", "op": "not_in", "value": ["well"]}, F("type", "not_in", ("well",))),
        ({"field": "size_x", "op": ">=", "value": 1024}, F("size_x", ">=", ("1024",))),
        (
            {"field": "pixel_size_x", "op": "<", "value": "200 nm"},
            F("pixel_size_x", "<", ("200 nm",)),
        ),
        (
            {"field": "date", "op": "range", "value": [2019, "2021-05"]},
            F("date", "is", ("2019", "2021-05")),
        ),
        ({"field": "date", "op": "range", "value": [None, 2021]}, F("date", "is", ("*", "2021"))),
        (
            {"key": "Gene Symbol", "op": "equals", "value": "CDK1"},
            K("Gene Symbol", "equals", ("CDK1",)),
        ),
        ({"key": "*", "op": "contains", "value": "cdk"}, K(None, "contains", ("cdk",))),
        ({"key": "Gene Symbol", "op": "exists"}, K("Gene Symbol", "exists")),
        (
            {"key": "Gene Symbol", "op": "not_equals", "value": "A"},
            K("Gene Symbol", "not_equals", ("A",)),
        ),
        (
            {"key": "Gene Symbol", "op": "not_contains", "value": "A"},
            K("Gene Symbol", "not_contains", ("A",)),
        ),
        (
            {"key": "Gene Symbol", "op": "in", "value": ["A", "B"]},
            K("Gene Symbol", "in", ("A", "B")),
        ),
        (
            {"key": "Gene Symbol", "op": "not_in", "value": ["A"]},
            K("Gene Symbol", "not_in", ("A",)),
        ),
        ({"key": "Concentration", "op": ">=", "value": 5.5}, K("Concentration", ">=", ("5.5",))),
    ],
)
def test_every_clause_has_a_json_form(where: dict[str, Any], expected: Clause) -> None:
    query = parse_json({"where": where})
    assert query.where == expected
    parse_query(format_query(query))


def test_members_of_the_query() -> None:
    query = parse_json(
        {
            "where": {"all": [{"text": "mitosis"}, {"field": "source", "value": "idr"}]},
            "facets": [
                "organism",
                "study:50",
                {"field": "container", "size": 1000},
                {"field": "gene"},
            ],
            "sort": "-date",
            "size": 0,
            "after": "token",
            "level": "image",
            "expand": "none",
        }
    )
    assert query == Query(
        where=All((Words("mitosis", 0), F("source", "is", ("idr",)))),
        level="image",
        facets=(
            FacetRequest("organism"),
            FacetRequest("study", 50),
            FacetRequest("container", 1000),
            FacetRequest("gene"),
        ),
        sort=Sort("date", descending=True),
        size=0,
        after="token",
        expand="none",
    )


def test_nothing_asked_is_everything() -> None:
    assert parse_json({}) == Query()
    assert parse_json({"level": None, "sort": None, "after": None}) == Query()
    assert parse_json({}).where == Everything()


def test_a_text_clause_may_say_level_and_sort_where_it_holds_for_all() -> None:
    query = parse_json(
        {"where": {"all": [{"text": "a level:image"}, {"text": "b sort:-date"}]}, "level": "study"}
    )
    assert (query.level, query.sort.by) == ("image", "date")
    for where in (
        {"not": {"text": "level:image"}},
        {"any": [{"text": "a level:image"}]},
        {"all": [{"text": "level:image"}, {"text": "level:study"}]},
    ):
        with pytest.raises(QueryInvalid, match="whole query"):
            parse_json({"where": where})


def deep(levels: int) -> dict[str, Any]:
    clause: dict[str, Any] = {"text": "a"}
    for _ in range(levels):
        clause = {"not": clause}
    return clause


@pytest.mark.parametrize(
    ("query", "where", "message"),
    [
        ([], "", "JSON object"),
        ("mitosis", "", "JSON object"),
        ({"were": {}}, "/were", "unknown member"),
        ({"a/b~": 1}, "/a~1b~0", "unknown member"),
        ({"where": []}, "/where", "JSON object"),
        ({"where": {}}, "/where", "one of"),
        ({"where": {"text": "a", "field": "organism"}}, "/where", "not 2"),
        ({"where": {"field": "organism", "operator": "is"}}, "/where/operator", "unknown member"),
        ({"where": {"text": 5}}, "/where/text", "text"),
        ({"where": {"text": 'a "b'}}, "/where/text", "not closed"),
        ({"where": {"phrase": "?!"}}, "/where/phrase", "no word"),
        ({"where": {"within": " "}}, "/where/within", "empty"),
        ({"where": {"all": {"text": "a"}}}, "/where/all", "list"),
        ({"where": {"all": [{"text": "a"}, 5]}}, "/where/all/1", "JSON object"),
        ({"where": {"any": [{"not": {"field": "x"}}]}}, "/where/any/0/not/field", "no field"),
        ({"where": {"field": "organsim", "value": "x"}}, "/where/field", "no field"),
        ({"where": {"field": "organism", "op": "like", "value": "x"}}, "/where/op", "no operator"),
        ({"where": {"field": "organism", "op": ">=", "value": "x"}}, "/where/value", "no order"),
        ({"where": {"field": "organism", "op": "is"}}, "/where", "missing"),
        (
            {"where": {"field": "organism", "op": "is", "value": True}},
            "/where/value",
            "text or number",
        ),
        ({"where": {"field": "organism", "op": "in", "value": "x"}}, "/where/value", "list"),
        ({"where": {"field": "organism", "op": "in", "value": []}}, "/where/value", "empty"),
        (
            {"where": {"field": "organism", "op": "in", "value": ["a", {}]}},
            "/where/value/1",
            "text or number",
        ),
        (
            {"where": {"field": "organism", "op": "exists", "value": "x"}},
            "/where/value",
            "no value",
        ),
        ({"where": {"field": "size_x", "value": "wide"}}, "/where/value", "no number"),
        ({"where": {"field": "size_x", "value": math.inf}}, "/where/value", "no number"),
        ({"where": {"field": "size_x", "value": 10**5000}}, "/where/value", "too large"),
        ({"where": {"field": "date", "op": "range", "value": [2019]}}, "/where/value", "two ends"),
        (
            {"where": {"field": "date", "op": "range", "value": [None, None]}},
            "/where/value",
            "two ends",
        ),
        ({"where": {"key": "", "value": "x"}}, "/where/key", "empty"),
        ({"where": {"key": "C", "op": ">=", "value": "x"}}, "/where/value", "no number"),
        ({"where": {"key": "C", "op": "within", "value": "x"}}, "/where/op", "no operator"),
        ({"facets": "organism"}, "/facets", "list"),
        ({"facets": ["date"]}, "/facets/0", "no facet"),
        ({"facets": [{"field": "gene", "size": 0}]}, "/facets/0", "1 to 10000"),
        ({"facets": [{"field": "gene", "size": "9"}]}, "/facets/0/size", "whole number"),
        ({"facets": [{"size": 5}]}, "/facets/0", "field"),
        ({"facets": [{"field": "gene", "limit": 5}]}, "/facets/0/limit", "unknown member"),
        ({"size": 1001}, "/size", "0 to 1000"),
        ({"size": True}, "/size", "whole number"),
        ({"size": "20"}, "/size", "whole number"),
        ({"sort": "organism"}, "/sort", "sorted"),
        ({"sort": {"by": "date"}}, "/sort", "text"),
        ({"level": "pixel"}, "/level", "no level"),
        ({"expand": "all"}, "/expand", "expanded"),
        ({"after": 5}, "/after", "text"),
        ({"after": "\ud800"}, "/after", "Unicode"),
        ({"where": {"all": [{"text": "a"}] * 1001}}, "/where/all", "at most 1000"),
        (
            {"where": {"field": "gene", "op": "in", "value": ["a"] * 10_001}},
            "/where/value",
            "10000",
        ),
        ({"where": {"phrase": "a" * 10_001}}, "/where/phrase", "10000"),
    ],
)
def test_errors_point_at_the_place(query: object, where: str, message: str) -> None:
    with pytest.raises(QueryInvalid) as caught:
        parse_json(query)
    assert message in caught.value.message
    assert caught.value.where == where
    assert caught.value.hint


@pytest.mark.parametrize("levels", [51, 5_000, 100_000])
def test_deep_nesting_is_refused(levels: int) -> None:
    with pytest.raises(QueryInvalid, match="50 deep"):
        parse_json({"where": deep(levels)})
    assert parse_json({"where": deep(50)}).where


def test_documents_are_read_and_refused() -> None:
    assert read_json(b'{"where": {"text": "a"}}') == parse_query("a")
    for content in (b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"not":' * 100_000, b" " * 4_000_001):
        with pytest.raises(QueryInvalid) as caught:
            read_json(content)
        assert caught.value.hint


_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["organism", "size_x", "date", "is", ">=", "in", "range", "exists", "a OR b"]),
)
_NAMES = st.sampled_from(
    [
        "where",
        "all",
        "any",
        "not",
        "text",
        "field",
        "key",
        "op",
        "value",
        "within",
        "phrase",
        "facets",
        "size",
        "sort",
        "level",
        "expand",
        "after",
        "zzz",
    ]
)
_TREES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(_NAMES, inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(_TREES, _TREES.map(lambda tree: {"where": tree})))
def test_anything_parses_or_is_refused(query: object) -> None:
    try:
        parsed = parse_json(query)
    except QueryInvalid:
        return
    parse_query(format_query(parsed))
