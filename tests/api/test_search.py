"""``/api/v1/search``: shapes, paging, streaming, strictness."""

from __future__ import annotations

import csv
import io
import json

import pytest

EXAMPLES = [
    "mitosis HeLa",
    'organism:"Mus musculus"',
    'kv:"Gene Symbol=CDK1"',
    'kv:"Gene Symbol~cdk"',
    'kv:"*=CDK1"',
    "within:CMPO:0000003",
    "size_x:>=1024",
    "date:[2014 TO 2021]",
    "type:well source:idr",
    'container:"idr0001-sample-study/screenA"',
    "HeLa AND (CDK1 OR NOT AURKB) -PLK1",
]


def test_answer_has_exactly_the_promised_members(client):
    answer = client.get("/api/v1/search?q=mitotic&facet=container:1000&level=image&size=3").json
    assert list(answer) == ["total", "levels", "hits", "facets", "query", "next"]
    assert answer["total"] == 48
    assert answer["levels"] == {"study": 4, "container": 4, "image": 48}
    counts = {value["value"]: value["count"] for value in answer["facets"]["container"]}
    assert counts == {f"idr{n:04}-sample-study/screenA": 12 for n in range(4)}
    hit = answer["hits"][0]
    assert hit["study"].startswith("idr0")
    assert hit["container"] == f"{hit['study']}/screenA"
    assert hit["links"] == [
        {"url": "https://archive.example/img", "label": "Open in viewer", "kind": "viewer"}
    ]


@pytest.mark.parametrize("text", EXAMPLES)
def test_query_examples_are_answered(client, text):
    answer = client.get("/api/v1/search", query_string={"q": text})
    assert answer.status_code == 200
    assert answer.json["query"]["text"] == text


def test_text_and_json_forms_agree(client):
    by_text = client.get("/api/v1/search", query_string={"q": 'kv:"Gene Symbol=CDK1"', "size": 50})
    where = {"key": "Gene Symbol", "op": "equals", "value": "CDK1"}
    by_json = client.post("/api/v1/search", json={"where": where, "size": 50})
    assert by_json.json["hits"] == by_text.json["hits"]
    assert by_text.json["total"] == 8


def test_answer_tells_how_words_were_understood(client):
    answer = client.get("/api/v1/search", query_string={"q": '"human"', "level": "image"}).json
    assert answer["total"] == 0
    answer = client.get("/api/v1/search?q=human&level=image").json
    assert answer["total"] == 24
    assert answer["query"]["expansions"][0]["label"] == "Homo sapiens"
    assert answer["hits"][0]["reasons"][0]["term"] == "NCBITaxon:9606"


def test_pages_hold_every_hit_once(client):
    seen, after = [], ""
    while True:
        page = client.get(f"/api/v1/search?q=mitotic&size=7&after={after}").json
        seen += [hit["id"] for hit in page["hits"]]
        if not page["next"]:
            break
        after = page["next"]
    assert len(seen) == len(set(seen)) == page["total"]


def test_lines_and_csv_hold_every_hit(client):
    total = client.get("/api/v1/search?q=HeLa&size=1").json["total"]
    lines = client.get("/api/v1/search?q=HeLa&format=jsonl")
    assert lines.mimetype == "application/x-ndjson"
    assert len([json.loads(line) for line in lines.text.splitlines()]) == total
    rows = list(csv.DictReader(io.StringIO(client.get("/api/v1/search?q=HeLa&format=csv").text)))
    assert len(rows) == total
    assert {row["id"] for row in rows} == {json.loads(x)["id"] for x in lines.text.splitlines()}


def test_a_stream_that_fails_at_its_start_has_an_error_status(client):
    answer = client.get("/api/v1/search?q=organism:&format=csv")
    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")


def test_csv_of_nothing_is_its_header(client):
    assert client.get("/api/v1/search?q=nowhereword&format=csv").text.startswith("id,type,level")
    assert client.get("/api/v1/search?q=nowhereword&format=jsonl").text == ""


def test_suggestions_find_something(client):
    found = client.get("/api/v1/suggest?q=hel").json["suggestions"]
    assert any(one["text"].startswith("HeLa") and one["count"] > 0 for one in found)
    assert client.get("/api/v1/suggest?q=").json == {"suggestions": []}


@pytest.mark.parametrize(
    ("beginning", "text", "field"),
    [
        ("mitotic hel", "HeLa", None),
        ("cell_line:hel", "HeLa", "cell_line"),
        ('mitotic organism:"mus m', "Mus musculus", "organism"),
        ("(mouse OR hel", "HeLa", None),
        ("mouse -hel", "HeLa", None),
        ("organism:mouse hel", "HeLa", None),
        ("nothing:hel", "HeLa", None),
    ],
)
def test_the_last_part_is_completed(client, beginning, text, field):
    found = client.get("/api/v1/suggest", query_string={"q": beginning}).json["suggestions"]
    assert found
    assert found[0]["text"].startswith(text)
    assert field is None or {one["field"] for one in found} == {field}


@pytest.mark.parametrize("beginning", ["   ", "hela ", '"', "(", "organism:", "a:b:c", "x AND "])
def test_a_beginning_of_nothing_does_no_harm(client, beginning):
    assert client.get("/api/v1/suggest", query_string={"q": beginning}).status_code == 200


def test_fields_are_the_table(client):
    names = [field["name"] for field in client.get("/api/v1/fields").json["fields"]]
    assert {"organism", "container", "size_x"} <= set(names)


@pytest.mark.parametrize(
    ("address", "status", "told"),
    [
        ("/api/v1/search?Q=1", 400, {"parameter": "Q"}),
        ("/api/v1/search?q=a&q=b", 400, {"parameter": "q"}),
        ("/api/v1/search?size=-1", 400, {"parameter": "size"}),
        ("/api/v1/search?size=1001", 400, {"parameter": "size"}),
        ("/api/v1/search?size=1%C2%B2", 400, {"parameter": "size"}),
        ("/api/v1/search?level=plate", 400, {}),
        ("/api/v1/search?format=xml", 400, {"parameter": "format"}),
        ("/api/v1/search?facet=size_x", 400, {}),
        ("/api/v1/search?sort=organism", 400, {}),
        ("/api/v1/search?after=nonsense", 400, {}),
        ("/api/v1/search?q=a%20AND", 400, {"position": 2, "length": 3}),
        ("/api/v1/search?q=nofield:x", 400, {"position": 0, "length": 7}),
        ("/api/v1/search?format=csv&after=x", 400, {"parameter": "after"}),
        ("/api/v1/search?q=%ff", 400, {}),
        ("/api/v1/search?format=csv&facet=organism", 400, {"parameter": "facet"}),
        ("/api/v1/search?format=jsonl&size=5", 400, {"parameter": "size"}),
        ("/api/v1/search?q=" + "a" * 10_001, 400, {"parameter": "q"}),
        ("/api/v1/search?q=" + "a" * 20_000, 414, {}),
        ("/api/v1/suggest?limit=51", 400, {"parameter": "limit"}),
        ("/api/v1/nothing", 404, {}),
        ("/api/v1/sources/nobody/problems", 404, {}),
    ],
)
def test_wrong_requests_are_told_where(client, address, status, told):
    answer = client.get(address)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    problem = answer.json
    assert problem["status"] == status
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    assert {name: problem.get(name) for name in told} == told
    assert problem["detail"]


@pytest.mark.parametrize(
    ("body", "kind", "status", "pointer"),
    [
        (b"{", "application/json", 400, None),
        (b"[]", "application/json", 400, None),
        (b"[" * 100_000, "application/json", 400, None),
        (b'{"wher": {}}', "application/json", 400, "/wher"),
        (b'{"where": {"all": [{"field": "x"}]}}', "application/json", 400, "/where/all/0"),
        (b"q=a", "application/x-www-form-urlencoded", 415, None),
        (b"\xff\xfe", "application/json", 400, None),
        (b'"' + b"a" * 4_300_000 + b'"', "application/json", 413, None),
    ],
)
def test_wrong_bodies_are_told_where(client, body, kind, status, pointer):
    answer = client.post("/api/v1/search", data=body, content_type=kind)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    if pointer:
        assert answer.json["pointer"].startswith(pointer)


def test_wrong_methods_are_refused(client):
    answer = client.delete("/api/v1/search")
    assert (answer.status_code, answer.mimetype) == (405, "application/problem+json")
    assert "GET" in answer.headers["Allow"]
