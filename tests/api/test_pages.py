"""Pages without a browser: states, errors, what the address says."""

from __future__ import annotations

import re

import pytest

from api.app import create_app
from parfocal.catalogue import Catalogue
from parfocal.errors import IndexUnavailable
from parfocal.identifiers import record_id
from parfocal.model import Image, Provenance

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def total(text: str) -> int:
    shown = re.search(r'aria-current="true".*?<strong>([\d,]+)</strong>', text, re.DOTALL)
    return int(shown.group(1).replace(",", ""))


def test_an_empty_catalogue_says_how_to_fill_it():
    with Catalogue.in_memory() as catalogue:
        client = create_app(catalogue).test_client()
        assert "Nothing has been harvested yet" in client.get("/", headers=BROWSER).text
        assert "No source yet" in client.get("/sources", headers=BROWSER).text
        for path in ("/about", "/?q=x", "/sparql"):
            assert client.get(path, headers=BROWSER).status_code == 200


def test_values_of_one_facet_widen_and_of_two_narrow(client):
    human = client.get("/?q=mitotic&filter=organism:NCBITaxon:9606").text
    mouse = client.get("/?q=mitotic&filter=organism:NCBITaxon:10090").text
    both = "/?q=mitotic&filter=organism:NCBITaxon:9606&filter=organism:NCBITaxon:10090"
    assert total(human) + total(mouse) == total(client.get(both).text) == 48
    narrowed = client.get(both + "&filter=gene:CDK1").text
    assert total(narrowed) == 8


def test_levels_say_their_count_before_one_goes_there(client):
    text = client.get("/?q=mitotic&level=image").text
    counts = re.findall(r'data-level="\d".*?<strong>([\d,]+)</strong>', text, re.DOTALL)
    for level, shown in zip(("study", "container", "image"), counts, strict=True):
        assert total(client.get(f"/?q=mitotic&level={level}").text) == int(shown)


def test_pages_of_hits_follow_each_other(client):
    text, seen = client.get("/?level=image").text, 0
    while True:
        seen += text.count('<li class="card"')
        following = re.search(r'href="([^"]+)" data-swap rel="next"', text)
        if not following:
            break
        text = client.get(following.group(1).replace("&amp;", "&")).text
    assert seen == total(text)


def test_no_hits_name_the_word_that_killed_the_question(client):
    text = client.get("/?q=HeLa+mitotok&filter=organism:NCBITaxon:9606").text
    assert "Nothing matches all of this" in text
    assert re.search(r"mitotok</bdi></code>\s*<strong class=\"bad\">0 images", text)
    assert "did you mean" in text
    assert "without Organism <bdi>Homo sapiens" in text


def test_a_wrong_query_is_pointed_at(client):
    answer = client.get("/?q=mitosis+AND")
    assert answer.status_code == 400
    assert '<mark class="wrong">AND</mark>' in answer.text
    assert 'value="mitosis AND"' in answer.text


@pytest.mark.parametrize(
    "address",
    [
        "/?level=plate",
        "/?view=plot",
        "/?filter=organism",
        "/?filter=nofield:x",
        "/?q=a&q=b",
        "/?nonsense=1",
        "/about?x=1",
        "/sources?after=x",
        "/?level=image&after=nonsense",
        "/?level=image&sort=organism",
        "/records/idr:huge?pairs=-1",
        "/records/idr:huge?x=1",
    ],
)
def test_wrong_addresses_are_told_on_a_page(client, address):
    answer = client.get(address, headers=BROWSER)
    assert (answer.status_code, answer.mimetype) == (400, "text/html")
    assert "<h1>" in answer.text


@pytest.mark.parametrize(
    ("method", "address", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/records/idr:none", 404),
        ("POST", "/about", 405),
        ("POST", "/sign-in", 403),
        ("GET", "/?q=" + "a" * 20_000, 414),
    ],
)
def test_errors_are_pages_for_people_and_problems_for_programs(client, method, address, status):
    page = client.open(address, method=method, headers=BROWSER)
    assert (page.status_code, page.mimetype) == (status, "text/html")
    assert page.headers["X-Request-Id"] in page.text
    problem = client.open(address, method=method)
    assert (problem.status_code, problem.mimetype) == (status, "application/problem+json")


@pytest.mark.parametrize("address", ["/?after=x", "/?q=mitotic&after=x"])
def test_a_wrong_page_is_told(client, address):
    assert client.get(address, headers=BROWSER).status_code == 400


def test_a_wrong_choice_is_told_with_what_there_is(client):
    answer = client.get("/?more=study")
    assert answer.status_code == 400
    assert re.match(r"one of: \w", answer.json["hint"])


class Broken:
    """An index that does not answer, or fails in a way that nobody thought of."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def search(self, query, viewer):
        raise self.error

    def revision(self):
        raise self.error

    def close(self):
        """Nothing to release."""


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (IndexUnavailable("no answer", where="/secret/place", hint="try later"), 503),
        (ZeroDivisionError("secret detail"), 500),
    ],
)
def test_failures_inside_tell_no_secrets(error, status):
    with Catalogue.in_memory() as catalogue:
        catalogue.__dict__["index"] = Broken(error)
        client = create_app(catalogue).test_client()
        for headers in ({}, BROWSER):
            answer = client.get("/api/v1/search?q=x", headers=headers)
            assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
            page = client.get("/?q=x", headers=BROWSER)
            assert (page.status_code, page.mimetype) == (status, "text/html")
            assert "secret" not in answer.text + page.text
            assert "Traceback" not in answer.text + page.text


def test_health_tells_what_does_not_answer():
    with Catalogue.in_memory() as catalogue:
        catalogue.__dict__["index"] = Broken(IndexUnavailable("no answer"))
        answer = create_app(catalogue).test_client().get("/healthz")
        assert answer.status_code == 503
        assert answer.json == {
            "status": "unavailable",
            "store": "ok",
            "index": "unavailable",
            "graph": "ok",
        }


def test_health_tells_what_is_behind_but_no_numbers():
    with Catalogue.in_memory(
        [Image(id=record_id("x", "1"), provenance=Provenance("x", "1"))]
    ) as catalogue:
        catalogue.index.clear()
        answer = create_app(catalogue).test_client().get("/healthz")
        assert answer.status_code == 200
        assert answer.json == {"status": "behind", "store": "ok", "index": "behind", "graph": "ok"}


def test_static_files_say_how_long_they_hold(client):
    page = client.get("/").text
    address = re.search(r'href="(/static/page\.css\?v=\w+)"', page).group(1)
    with client.get(address) as answer:
        assert "immutable" in answer.headers["Cache-Control"]
    assert client.get("/static/../app.py").status_code == 404
