import re

import pytest

from api.app import create_app
from api.context import KEY
from parfocal.catalogue import Catalogue
from parfocal.config import Settings
from parfocal.identifiers import record_id
from parfocal.knowledge import decision_files
from parfocal.mappings import read_sssom
from parfocal.model import Access, Image, KeyValue, Provenance
from parfocal.terms import MemoryTermStore
from parfocal.testing.terms import TAXA, term

CURATOR, MEMBER = "a-curators-token", "a-members-token"
SETTINGS = Settings.model_validate(
    {
        "server": {
            "base_url": "http://localhost",
            "viewers": [
                {"name": "Ada", "token": CURATOR, "groups": [], "curator": True},
                {"name": "Max", "token": MEMBER, "groups": ["lab"]},
            ],
        }
    }
)
ATTACK = "<script>alert(1)</script>\"'>"


def image(name, text, access=()):
    return Image(
        id=record_id("s", name),
        access=Access(access),
        provenance=Provenance("s", name),
        key_values=(KeyValue("Phenotype", text),),
    )


@pytest.fixture
def app():
    terms = MemoryTermStore((*TAXA, term("CMPO:1", "round cell phenotype")))
    records = [
        image("a", "blob"),
        image("b", "blob"),
        image("c", ATTACK),
        image("d", "secret", ("lab",)),
    ]
    with Catalogue.in_memory(records, terms=terms, settings=SETTINGS) as catalogue:
        yield create_app(catalogue)


@pytest.fixture
def curator(app):
    client = app.test_client()
    page = client.get("/sign-in").text
    sign = re.search(r'name="sign" value="([^"]+)"', page)[1]
    client.post("/sign-in", data={"sign": sign, "token": CURATOR})
    return client


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("headers", [{}, bearer(MEMBER)])
def test_only_curators_review(app, headers):
    client = app.test_client()
    for answer in (
        client.get("/review", headers=headers),
        client.post("/review", headers=headers),
        client.get("/api/v1/review", headers=headers),
        client.get("/api/v1/review/decisions", headers=headers),
        client.post("/api/v1/review/decisions", json={}, headers=headers),
    ):
        assert answer.status_code == 403
        assert "secret" not in answer.text
    assert "/review" not in client.get("/", headers=headers).text
    page = client.get("/review", headers={**headers, "Accept": "text/html"}).text
    assert "This page is for curators" in page


def test_api_lists_decides_and_undoes(app):
    client, headers = app.test_client(), bearer(CURATOR)
    listed = client.get("/api/v1/review", headers=headers).json
    assert [(one["text"], one["records"]) for one in listed["texts"]] == [("blob", 2), (ATTACK, 1)]
    assert listed["total"] == 2
    body = {"field": "phenotype", "text": "blob", "decision": "accept", "term": "CMPO:1"}
    made = client.post("/api/v1/review/decisions", json=body, headers=headers).json["decided"]
    assert (made["term"], made["author"]) == ("CMPO:1", "Ada")
    assert client.get("/api/v1/review", headers=headers).json["total"] == 1
    (kept,) = client.get("/api/v1/review/decisions", headers=headers).json["decisions"]
    assert kept["text"] == "blob"
    undone = {"field": "phenotype", "text": "blob", "decision": "undo"}
    answer = client.post("/api/v1/review/decisions", json=undone, headers=headers)
    assert answer.json == {"undone": 1}
    assert client.get("/api/v1/review", headers=headers).json["total"] == 2


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"field": "phenotype", "text": "x", "decision": "burn"}, "cannot be 'burn'"),
        ({"field": "nofield", "text": "x", "decision": "no-term"}, "no field"),
        ({"field": "phenotype", "text": "x", "decision": "accept", "term": "?"}, "has a term"),
        ({"field": "phenotype", "text": ""}, "not a decision"),
        ({"field": 1}, "not a decision"),
        ([], "not a decision"),
    ],
)
def test_impossible_decisions_are_refused(app, body, said):
    answer = app.test_client().post("/api/v1/review/decisions", json=body, headers=bearer(CURATOR))
    assert answer.status_code == 400
    assert said in answer.json["detail"]


def form(page, text, decision, term=""):
    sign = re.search(r'name="sign" value="([^"]+)"', page)[1]
    return {"sign": sign, "field": "phenotype", "text": text, "decision": decision, "term": term}


def test_page_takes_decisions(app, curator):
    page = curator.get("/review").text
    assert "2 texts have no term" in page
    assert ATTACK not in page
    answer = curator.post("/review", data=form(page, "blob", "accept", "CMPO:1"))
    assert answer.status_code == 303
    after = curator.get(answer.headers["Location"]).text
    assert "1 text has no term" in after
    assert "round cell phenotype" in after
    path = decision_files(app.extensions[KEY].settings)[0]
    assert [one.text for one in read_sssom(path)] == ["blob"]
    curator.post("/review", data=form(after, "blob", "undo"))
    assert "2 texts have no term" in curator.get("/review").text


def test_form_of_another_site_is_refused(curator):
    page = curator.get("/review").text
    forged = {**form(page, "blob", "no-term"), "sign": "forged"}
    assert curator.post("/review", data=forged).status_code == 403
    assert "2 texts" in curator.get("/review").text
