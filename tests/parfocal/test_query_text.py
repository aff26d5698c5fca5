"""The text form of a query: examples, precedence, errors with places, round trip, fuzz."""

from __future__ import annotations

import time

import msgspec
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
from parfocal.query_text import format_query, parse_query


def unplaced(clause: Clause) -> Clause:
    """Return a clause without positions."""
    if isinstance(clause, All | AnyOf):
        return type(clause)(tuple(unplaced(part) for part in clause.clauses))
    if isinstance(clause, Not):
        return Not(unplaced(clause.clause))
    if isinstance(clause, Words | FieldMatch | Within):
        return msgspec.structs.replace(clause, position=-1)
    return clause


def where(text: str) -> Clause:
    return unplaced(parse_query(text).where)


W, F, K = Words, FieldMatch, KeyMatch


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mitosis HeLa", W("mitosis HeLa")),
        ('"exact phrase"', Phrase("exact phrase")),
        (
            "http://purl.obolibrary.org/obo/NCBITaxon_9606",
            Within("http://purl.obolibrary.org/obo/NCBITaxon_9606"),
        ),
        (
            "(https://identifiers.org/taxonomy:9606)",
            Within("https://identifiers.org/taxonomy:9606"),
        ),
        ("obo:NCBITaxon_9606", Within("obo:NCBITaxon_9606")),
        ('organism:"Mus musculus"', F("organism", "is", ("Mus musculus",))),
        ('kv:"Gene Symbol=CDK1"', K("Gene Symbol", "equals", ("CDK1",))),
        ('kv:"Gene Symbol~cdk"', K("Gene Symbol", "contains", ("cdk",))),
        ('kv:"Gene Symbol!=CDK1"', K("Gene Symbol", "not_equals", ("CDK1",))),
        ('kv:"Gene Symbol!~CDK1"', K("Gene Symbol", "not_contains", ("CDK1",))),
        ('kv:"Gene Symbol"', K("Gene Symbol", "exists")),
        ('kv:"*=CDK1"', K(None, "equals", ("CDK1",))),
        ('kv:"*~cdk"', K(None, "contains", ("cdk",))),
        ('kv:"Concentration>=5"', K("Concentration", ">=", ("5",))),
        ("within:CMPO:0000077", Within("CMPO:0000077")),
        ('within:"mitotic cell"', Within("mitotic cell")),
        ("size_x:>=1024", F("size_x", ">=", ("1024",))),
        ("pixel_size_x:<=0.2um", F("pixel_size_x", "<=", ("0.2um",))),
        ("date:[2019 TO 2021]", F("date", "is", ("2019", "2021"))),
        ("date:[* TO 2021-05]", F("date", "is", ("*", "2021-05"))),
        ("date:2019", F("date", "is", ("2019",))),
        ("channels:4", F("channels", "is", ("4",))),
        ("licence:CC-BY-4.0", F("licence", "is", ("CC-BY-4.0",))),
        (
            'container:"idr0001-graml-sysgro/screenA"',
            F("container", "is", ("idr0001-graml-sysgro/screenA",)),
        ),
        (
            "type:image source:idr study:idr0001-graml-sysgro",
            All(
                (
                    F("type", "is", ("image",)),
                    F("source", "is", ("idr",)),
                    F("study", "is", ("idr0001-graml-sysgro",)),
                )
            ),
        ),
        ("a AND (b OR NOT c)", All((W("a"), AnyOf((W("b"), Not(W("c"))))))),
        ("a   -d", All((W("a"), Not(W("d"))))),
        ("", Everything()),
        ("   ", Everything()),
        ("*", Everything()),
    ],
)
def test_the_examples_of_the_language(text: str, expected: Clause) -> None:
    assert where(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b OR c d", AnyOf((W("a b"), W("c d")))),
        ("a AND b", All((W("a"), W("b")))),
        ("a AND b c", All((W("a"), W("b c")))),
        ("NOT a b", All((Not(W("a")), W("b")))),
        ("-(a b) c", All((Not(W("a b")), W("c")))),
        ("--a", Not(Not(W("a")))),
        ("NOT(a OR b)", Not(AnyOf((W("a"), W("b"))))),
        ("(a AND b) AND c", All((W("a"), W("b"), W("c")))),
        ("(a OR b) OR c", AnyOf((W("a"), W("b"), W("c")))),
        ("(((a)))", W("a")),
        ('a "b c" d', All((W("a"), Phrase("b c"), W("d")))),
        ("and or not", W("and or not")),
        ("Ca(2+) channel", W("Ca(2+) channel")),
        ("a(b c", None),
        ("H2B-GFP a-b", W("H2B-GFP a-b")),
        ("a - b", W("a - b")),
        ("1:100 dilution", W("1:100 dilution")),
        ("“exact phrase”", Phrase("exact phrase")),
        ("organism:“Mus musculus”", F("organism", "is", ("Mus musculus",))),
        ('"say \\"hi\\""', Phrase('say "hi"')),
        ("species:mouse", F("organism", "is", ("mouse",))),
        ("doi:10.1016/S0092-8674(00)81683-9", F("doi", "is", ("10.1016/S0092-8674(00)81683-9",))),
        ("(organism:mouse)", F("organism", "is", ("mouse",))),
        ("tissue:*", F("tissue", "exists")),
        ("tissue:~brain", F("tissue", "contains", ("brain",))),
        ('tissue:~"brain stem"', F("tissue", "contains", ("brain stem",))),
        ("organism:within:NCBITaxon:9989", F("organism", "within", ("NCBITaxon:9989",))),
        ("channels:(3 OR 4)", F("channels", "in", ("3", "4"))),
        (
            'organism:(Mus musculus OR "Homo sapiens")',
            F("organism", "in", ("Mus musculus", "Homo sapiens")),
        ),
        ("type:<>(well OR plate)", F("type", "not_in", ("well", "plate"))),
        ("NCBITaxon:9606", Within("NCBITaxon:9606")),
        ("CLO:0003684 a", All((Within("CLO:0003684"), W("a")))),
        ("MYONT:0001234", Within("MYONT:0001234")),
        ('-kv:"Gene Symbol"', Not(K("Gene Symbol", "exists"))),
        ("kv:Concentration<5.5", K("Concentration", "<", ("5.5",))),
        ('kv:"Gene Symbol"=CDK1', K("Gene Symbol", "equals", ("CDK1",))),
        ('kv:"Gene Symbol"=(CDK1 OR "B C")', K("Gene Symbol", "in", ("CDK1", "B C"))),
        ('kv:"Gene Symbol"<>(CDK1)', K("Gene Symbol", "not_in", ("CDK1",))),
        ('kv:"a:b c=x=y"', K("a:b c", "equals", ("x=y",))),
        (r'kv:"p \> q=1"', K("p > q", "equals", ("1",))),
        ('kv:"p > q"=1', K("p > q", "equals", ("1",))),
        (r'kv:"\*=x"', K("*", "equals", ("x",))),
        ('kv:"wow! really=x"', K("wow! really", "equals", ("x",))),
    ],
)
def test_precedence_and_spelling(text: str, expected: Clause | None) -> None:
    if expected is None:
        with pytest.raises(QueryInvalid):
            parse_query(text)
    else:
        assert where(text) == expected


def test_members_in_the_text_win_over_arguments() -> None:
    query = parse_query(
        "mitosis level:image sort:-date expand:none",
        level="study",
        sort="size_x",
        facets=("container:1000", FacetRequest("method")),
        size=5,
        after="token",
    )
    assert query == Query(
        where=Words("mitosis", 0),
        level="image",
        sort=Sort("date", descending=True),
        expand="none",
        facets=(FacetRequest("container", 1000), FacetRequest("imaging_method")),
        size=5,
        after="token",
    )


def test_arguments_hold_where_the_text_is_silent() -> None:
    query = parse_query("a", level="container", sort=Sort("id"), expand="synonyms")
    assert (query.level, query.sort, query.expand) == ("container", Sort("id"), "synonyms")
    assert parse_query("a", level="any", after="") == parse_query("a")


def test_positions_point_into_the_text() -> None:
    text = "  mitosis organism:mouse (within:GO:0007067)"
    clause = parse_query(text).where
    assert isinstance(clause, All)
    assert [getattr(part, "position", None) for part in clause.clauses] == [
        2,
        text.index("organism"),
        text.index("within"),
    ]


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        ('mitosis "open', '"', "not closed", "close it"),
        ("(a OR b", "(", "not closed", ""),
        ("a b)", ")", "no ( for this )", ""),
        (")", ")", "no ( for this )", ""),
        ("a ()", "()", "empty", ""),
        ('a ""', '""', "no word", ""),
        ("AND a", "AND", "AND needs", "quote it"),
        ("a OR", "OR", "OR needs", ""),
        ("OR a", "OR", "OR needs", ""),
        ("a AND OR b", "AND", "AND needs", ""),
        ("a AND AND b", None, "AND needs", ""),
        ("a NOT", "NOT", "NOT needs", ""),
        ("organsim:mouse", "organsim", "no field 'organsim'", "did you mean organism?"),
        ("see http://x.org", "http", "no field 'http'", '"http://x.org"'),
        ("organism:", None, "value is missing", "without a space"),
        ("organism: mouse", None, "value is missing", "without a space"),
        ("size_x:>=big", "big", "no number", "1024"),
        ("size_x:*0", "*0", "no number", "1024"),
        ("date:2019-13", "2019-13", "no date", "2019"),
        ("pixel_size_x:<2seconds", "2seconds", "no length", "0.2um"),
        ("organism:>=mouse", None, "no order", "organism:"),
        ("date:[2019 2021]", "[", "range", "[2019 TO 2021]"),
        ("date:[* TO *]", None, "no end", "*"),
        ("size_x:~10", None, "contains no text", "size_x:1024"),
        ("gene:within:x", None, "no ontology terms", ""),
        ('kv:"=x"', None, "key is missing", "*"),
        ('kv:"Gene="', None, "value is missing", "key is there"),
        ('kv:"Concentration>=much"', None, "no number", ""),
        ("organism:(a AND b)", "AND", "OR between", ""),
        ("organism:(a OR )", "(", "value is missing", ""),
        ("organism:(a", "(", "not closed", ""),
        ("(level:image a)", "level:image", "whole query", "outside"),
        ("level:image level:study", None, "twice", ""),
        ("level:pixel", "pixel", "no level", "study"),
        ("sort:organism", "organism", "sorted", "date"),
        ("expand:all", "all", "expanded", "none"),
        ("a OR level:image", "OR", "OR needs", ""),
        ("&&", "&&", "no letter or digit", ""),
        ("a \ud800", "\ud800", "no text", "UTF-8"),
    ],
)
def test_errors_say_what_where_and_how_to_mend(
    text: str, place: str | None, message: str, hint: str
) -> None:
    with pytest.raises(QueryInvalid) as caught:
        parse_query(text)
    error = caught.value
    assert message in error.message
    assert hint in error.hint
    assert error.hint
    assert 0 <= error.position <= error.position + error.length <= len(text)
    if place is not None:
        assert text[error.position :].startswith(place)


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        ({"level": "pixel"}, "level"),
        ({"sort": "colour"}, "sort"),
        ({"expand": "all"}, "expand"),
        ({"size": 1001}, "size"),
        ({"size": -1}, "size"),
        ({"facets": ("date",)}, "facets"),
        ({"facets": ("organism:0",)}, "facets"),
        ({"facets": ("organism:ten",)}, "facets"),
        ({"facets": ("organism:10001",)}, "facets"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, object], place: str) -> None:
    with pytest.raises(QueryInvalid) as caught:
        parse_query("a", **arguments)  # type: ignore[arg-type]
    assert caught.value.where == place
    assert caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "a " * 5001,
        "(" * 51 + "a" + ")" * 51,
        "-" * 51 + "a",
        "NOT " * 51 + "a",
        '"a" ' * 1001,
        "channels:(" + "1 OR " * 1000 + "1)",
        "(" * 10_000,
        "a(" * 5_000,
        '"' * 9_999,
        "-" * 10_000,
        "\\" * 10_000,
        ":" * 10_000,
    ],
)
def test_huge_and_deep_texts_are_refused_quickly(text: str) -> None:
    start = time.perf_counter()
    with pytest.raises(QueryInvalid):
        parse_query(text)
    assert time.perf_counter() - start < 2


def test_depth_and_length_up_to_the_bounds_are_fine() -> None:
    assert where("(" * 50 + "a" + ")" * 50) == W("a")
    assert len(where("a " * 5000).text) == 9999  # type: ignore[union-attr]


_PIECES = st.sampled_from(
    [
        *("a", "mitosis", "HeLa", "AND", "OR", "NOT", "(", ")", "-", "-a", '"', '"b c"', "“", "”"),
        *("organism:", "kv:", "within:", "size_x:", "date:", "level:image", "sort:-date", "*"),
        *("[2019 TO 2021]", ">=", "<=", "<>", "=", "~", "!=", "!", "\\", "1024", "CMPO:0000077"),
        *("x:y", "(a OR b)", "Ca(2+)", "TO", ":", "0.2um", "2019", " ", "\n", "\x00", "é", "😀"),
        *('kv:"k=v"', 'kv:"a b"~x', 'kv:"*"', "organism:within:x", "tissue:*", "expand:none"),
        *('kv:"g"=(a OR "b c")', "type:<>(a)", 'kv:"\\*=1"', 'tissue:"*"', "x-", "-x(y)"),
    ]
)
_TEXTS = st.one_of(
    st.text(max_size=60),
    st.lists(_PIECES, max_size=12).map(" ".join),
    st.lists(_PIECES, max_size=12).map("".join),
)


@settings(max_examples=600, deadline=None)
@given(_TEXTS)
def test_any_text_parses_or_is_refused_and_printing_reads_back(text: str) -> None:
    try:
        query = parse_query(text)
    except QueryInvalid as error:
        problem = error
        query = None
    if query is None:
        assert problem.message
        assert problem.hint
        assert 0 <= problem.position <= problem.position + problem.length <= len(text)
        return
    printed = format_query(query)
    again = parse_query(printed)
    assert msgspec.structs.replace(again, where=unplaced(again.where)) == msgspec.structs.replace(
        query, where=unplaced(query.where)
    )
    assert format_query(again) == printed


@pytest.mark.parametrize("text", ["kv:" * 3_000, "kv:" + "!" * 9_000 + "\\", "a(b)" * 2_500])
def test_long_words_are_read_quickly(text: str) -> None:
    start = time.perf_counter()
    parse_query(text)
    assert time.perf_counter() - start < 2
