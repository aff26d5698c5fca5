"""``/sparql``: three ways to ask, answers by Accept header, refusals, and the page."""

from __future__ import annotations

from urllib.parse import quote

import pytest

SELECT = "SELECT ?title WHERE { ?s <http://schema.org/name> ?title } ORDER BY ?title LIMIT 3"
GRAPH = "CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o } LIMIT 3"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def test_three_ways_to_ask_agree(client):
    by_address = client.get("/sparql", query_string={"query": SELECT})
    by_form = client.post("/sparql", data={"query": SELECT})
    by_body = client.post("/sparql", data=SELECT, content_type="application/sparql-query")
    assert by_address.mimetype == "application/sparql-results+json"
    assert by_address.json == by_form.json == by_body.json
    assert len(by_address.json["results"]["bindings"]) == 3


@pytest.mark.parametrize(
    ("query", "accept", "kind"),
    [
        (SELECT, "application/sparql-results+xml", "application/sparql-results+xml"),
        (SELECT, "text/csv", "text/csv"),
        (SELECT, "text/tab-separated-values", "text/tab-separated-values"),
        (GRAPH, "text/turtle", "text/turtle"),
        (GRAPH, "application/n-triples", "application/n-triples"),
        (GRAPH, "application/ld+json", "application/ld+json"),
    ],
)
def test_answers_by_header(client, query, accept, kind):
    answer = client.get("/sparql", query_string={"query": query}, headers={"Accept": accept})
    assert (answer.status_code, answer.mimetype) == (200, kind)
    assert "Accept" in answer.headers["Vary"]


def test_answers_by_name(client):
    answer = client.get("/sparql", query_string={"query": SELECT, "format": "csv"}, headers=BROWSER)
    assert answer.mimetype == "text/csv"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("SELECT", 400),
        ("DELETE WHERE { ?s ?p ?o }", 400),
        ("SELECT * WHERE { SERVICE <http://127.0.0.1:1/> { ?s ?p ?o } }", 400),
        ("LOAD <http://127.0.0.1:1/>", 400),
    ],
)
def test_refused_queries_are_problems(client, query, status):
    for answer in (
        client.get("/sparql", query_string={"query": query}),
        client.post("/sparql", data=query, content_type="application/sparql-query"),
    ):
        assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")


def test_other_bodies_and_parameters_are_refused(client):
    assert client.post("/sparql", data="{}", content_type="application/json").status_code == 415
    assert client.get("/sparql?update=LOAD").status_code == 400
    assert client.post("/sparql", data={"update": "LOAD <x:y>"}).status_code == 400
    assert client.get(f"/sparql?query={quote(SELECT)}&format=pdf").status_code == 400
    body = client.post("/sparql", data=b"\xff", content_type="application/sparql-query")
    assert body.status_code == 400


@pytest.mark.parametrize(
    ("query", "given", "status", "hint"),
    [
        (SELECT, {"query_string": {"format": "turtle"}}, 400, "csv"),
        (SELECT, {"query_string": {"format": "jsonld"}}, 400, "csv"),
        (GRAPH, {"query_string": {"format": "csv"}}, 400, "turtle"),
        (SELECT, {"headers": {"Accept": "image/png"}}, 406, "csv"),
        (SELECT, {"headers": {"Accept": "text/turtle"}}, 406, "csv"),
        (GRAPH, {"headers": {"Accept": "text/csv, text/turtle;q=0"}}, 406, "turtle"),
    ],
)
def test_a_form_that_cannot_be_given_is_not_replaced(client, query, given, status, hint):
    answer = client.post("/sparql", data=query, content_type="application/sparql-query", **given)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert hint in answer.json["hint"]


@pytest.mark.parametrize(
    ("query", "accept", "kind"),
    [
        (SELECT, "application/json", "application/sparql-results+json"),
        (SELECT, "image/png, */*;q=0.1", "application/sparql-results+json"),
        (SELECT, "text/turtle, text/*;q=0.5", "text/csv"),
        (GRAPH, "text/plain", "application/n-triples"),
        (GRAPH, "application/json", "application/ld+json"),
        ("ASK { ?s ?p ?o }", "text/xml", "application/sparql-results+xml"),
    ],
)
def test_general_types_are_answered(client, query, accept, kind):
    answer = client.get("/sparql", query_string={"query": query}, headers={"Accept": accept})
    assert (answer.status_code, answer.mimetype) == (200, kind)


@pytest.mark.parametrize("name", ["default-graph-uri", "named-graph-uri"])
def test_graphs_are_chosen_in_the_query(client, name):
    given = {"query": SELECT, name: "urn:a"}
    for answer in (
        client.get("/sparql", query_string=given),
        client.post("/sparql", data=given),
        client.post(f"/sparql?{name}=a", data=SELECT, content_type="application/sparql-query"),
    ):
        assert (answer.status_code, answer.json["parameter"]) == (400, name)
        assert "FROM NAMED" in answer.json["hint"]


def test_people_get_a_page(client):
    empty = client.get("/sparql", headers=BROWSER)
    assert (empty.status_code, empty.mimetype) == (200, "text/html")
    asked = client.get("/sparql", query_string={"query": SELECT}, headers=BROWSER)
    assert asked.text.count("<tr>") == 4
    wrong = client.get("/sparql", query_string={"query": "SELECT"}, headers=BROWSER)
    assert wrong.status_code == 400
    assert "The query was refused" in wrong.text
    assert "Yes" in client.get("/sparql?query=ASK%20{?s%20?p%20?o}", headers=BROWSER).text


def test_examples_and_the_query_behind_a_page_run(client):
    import re
    from html import unescape

    page = client.get("/sparql", headers=BROWSER).text
    links = re.findall(r'href="(/sparql\?query=[^"]+)"', page)
    assert len(links) >= 4
    for link in links:
        assert client.get(unescape(link)).json["results"]["bindings"]
    for question in ("human mitotic", 'kv:"Gene Symbol=CDK1"', "HeLa OR (mouse NOT CDK1)"):
        results = client.get("/", query_string={"q": question}, headers=BROWSER).text
        found = re.search(r'aria-label="SPARQL">(.*?)</pre>', results, re.DOTALL)
        answer = client.get("/sparql", query_string={"query": unescape(found.group(1))})
        assert answer.status_code == 200, answer.text
        assert answer.json["results"]["bindings"]
