"""What is refused before a query runs, and which form an answer takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.graph.negotiation import media_type
from indexer.graph.sparql_guard import MAX_LENGTH, check, parse
from parfocal.errors import SparqlRefused

PIECES = st.sampled_from(
    ["SERVICE", "<http://h/>", "'", '"', '"""', "#", "\n", "\\", "\\u0027", "{", "}", "<", ">", " "]
)


@pytest.mark.parametrize(
    "text",
    [
        "ASK { ?s ?p 'it\\'s SERVICE' }",
        'ASK { ?s ?p """a " SERVICE \n LOAD""" }',
        "ASK { ?s ?p '''it's ''SERVICE''' }",
        "ASK { <http://x/SERVICE> ?service $LOAD }",
        "PREFIX service: <x:y> ASK { service:LOAD service:a\\'b _:SERVICE 'x'@service }",
        "ASK { } # SERVICE <http://h/>",
        "ASK { ?a <http://x/#SERVICE> ?b }",
    ],
)
def test_the_word_where_it_is_no_word_is_let_through(text):
    check(text)


@pytest.mark.parametrize(
    "text",
    [
        "ASK { ?s ?p 'a' SERVICE <http://h/> {} }",
        "ASK { ?s ?p '''a''' SERVICE <http://h/> {} '''b''' }",
        "ASK { # comment\nSERVICE <http://h/> {} }",
        "ASK { FILTER(?a <?b) SERVICE <http://h/> {} FILTER(?c> ?d) }",
        "ASK { ?s a:b\\'c SERVICE <http://h/> { a:b\\'c ?p ?o } }",
        "ASK { ?s ?p 'unclosed\n SERVICE <http://h/> {} }",
        "ASK { \\u0053\\u0045RVICE <http://h/> {} }",
    ],
)
def test_service_is_found_wherever_it_is(text):
    with pytest.raises(SparqlRefused) as caught:
        check(text)
    assert "SERVICE" in caught.value.message


@given(st.lists(PIECES, max_size=12).map("".join))
def test_what_rdflib_takes_for_service_is_never_let_through(inside):
    text = f"ASK {{ {inside} }}"
    try:
        check(text)
        parse(text)
    except SparqlRefused:
        return
    assert "SERVICE" not in text or any(mark in text for mark in "'\"#")


def test_a_query_is_at_most_64_kb_and_100_deep():
    with pytest.raises(SparqlRefused, match="longer than 64 kB"):
        check("#" * (MAX_LENGTH + 1))
    with pytest.raises(SparqlRefused) as caught:
        check("ASK\n" + "{" * 101)
    assert caught.value.where == "line 2, column 101"


def test_the_parser_says_where_and_whether_there_is_a_data_set():
    assert parse("ASK FROM <http://x/> {}")
    assert not parse("ASK {}")
    with pytest.raises(SparqlRefused) as caught:
        parse("SELECT *\n{ ?s }")
    assert caught.value.where.startswith("line 2")
    with pytest.raises(SparqlRefused, match="SERVICE"):
        parse("ASK { { { SERVICE <http://h/> {} } } }")


@pytest.mark.parametrize(
    ("accept", "kind", "expected"),
    [
        ("", "solutions", "application/sparql-results+json"),
        ("text/*", "solutions", "text/csv"),
        ("application/xml", "boolean", "application/sparql-results+xml"),
        ("text/turtle", "solutions", "application/sparql-results+json"),
        ("text/csv", "graph", "text/turtle"),
        ("text/csv;q=0, */*", "solutions", "application/sparql-results+json"),
        ("text/csv;q=nonsense, text/tab-separated-values;q=0.1", "solutions",
         "text/tab-separated-values"),
        (";;;,,,=", "graph", "text/turtle"),
        ("application/rdf+xml", "graph", "application/rdf+xml"),
    ],
)  # fmt: skip
def test_negotiation(accept, kind, expected):
    assert media_type(accept, kind) == expected
