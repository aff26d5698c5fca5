"""A private record is in no answer of an anonymous viewer, whatever the route; a member sees it."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from parfocal.catalogue import Catalogue

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SELECT = quote("SELECT * WHERE { ?s ?p ?o FILTER(CONTAINS(LCASE(STR(?o)), 'secret')) }")
COUNT = quote("SELECT (COUNT(?s) AS ?n) WHERE { GRAPH ?g { ?s a ?t } }")
ROUTES = [
    "/api/v1/search?q=SECRETGENE&level=any",
    "/api/v1/search?q=&size=1000&facet=organism:100&facet=gene:100&facet=source:100",
    "/api/v1/search?q=source:private",
    "/api/v1/search?q=kv:%22*~secret%22&level=image",
    "/api/v1/search?format=jsonl",
    "/api/v1/search?format=csv",
    "/api/v1/suggest?q=secret",
    "/api/v1/suggest?q=SECRETG",
    "/api/v1/sources",
    "/sparql?query=" + SELECT,
    "/sparql?format=csv&query=" + SELECT,
    "/",
    "/?level=container",
    "/?level=image&view=table&column=Gene+Symbol",
    "/?q=Secretimage&level=image",
    "/?filter=organism:NCBITaxon:1",
    "/about",
    "/sources",
]
HIDDEN = [
    "/records/private:secretfolder",
    "/records/private:secretfolder.json",
    "/records/private:secretfolder.jsonld",
    "/records/private:secretfolder.ttl",
    "/records/private:secretfolder.nt",
    "/records/private:secretfolder/one.ome.tif",
    "/records/private:secretfolder/one.ome.tif/thumbnail",
    "/records/private:secretfolder/one.ome.tif/thumbnail?fallback=pattern",
    "/api/v1/sources/private/problems",
    "/api/v1/sources/private/runs",
    "/sources?problems=private",
    "/sources?history=private",
]


def leaks(text: str, asked: str) -> bool:
    """Whether an answer tells more of the secret than the question did."""
    own = [quote(asked), asked, asked.replace("+", " ")]
    for word in ("Secretproject", "Secretimage", "SECRETGENE", "Secretorganism", "secretfolder"):
        found = text.count(word)
        if found and word.lower() not in " ".join(own).lower():
            return True
    return False


@pytest.mark.parametrize("address", ROUTES)
@pytest.mark.parametrize("browser", [False, True])
def test_nothing_private_is_told(client, address, browser):
    answer = client.get(address, headers=BROWSER if browser else {})
    assert answer.status_code == 200
    assert not leaks(answer.text, address)


@pytest.mark.parametrize("address", HIDDEN)
@pytest.mark.parametrize("browser", [False, True])
def test_private_records_are_as_if_not_there(client, address, browser):
    answer = client.get(address, headers=BROWSER if browser else {})
    assert answer.status_code == 404
    other = client.get(address.replace("secretfolder", "otherfolder"), headers=BROWSER)
    assert other.status_code == 404
    assert not leaks(answer.text, address)


def test_totals_and_facets_count_only_what_is_seen(client, member, samples):
    everything = len(samples.everything())
    assert client.get("/api/v1/search").json["total"] == everything - 2
    assert member.get("/api/v1/search").json["total"] == everything
    assert client.get("/api/v1/search?q=SECRETGENE").json["levels"] == {
        "study": 0,
        "container": 0,
        "image": 0,
    }
    assert client.get("/api/v1/search?q=source:private").json["total"] == 0


def test_a_member_sees_private_records_everywhere(member):
    assert member.get("/api/v1/search?q=SECRETGENE").json["total"] == 2
    assert member.get("/records/private:secretfolder.json").json["title"].startswith("Secret")
    assert "Secretproject" in member.get("/records/private:secretfolder", headers=BROWSER).text
    assert [s["name"] for s in member.get("/api/v1/sources").json["sources"]] == ["idr", "private"]
    assert member.get("/api/v1/suggest?q=SECRETG").json["suggestions"]
    answer = member.get("/sparql?query=" + SELECT).json
    assert answer["results"]["bindings"]


def test_the_graph_counts_only_what_is_seen(client, member):
    def graphs(asker):
        answer = asker.get("/sparql?format=json&query=" + COUNT).json
        return int(answer["results"]["bindings"][0]["n"]["value"])

    assert graphs(client) < graphs(member)


def test_a_wrong_token_is_refused_everywhere(client):
    for address in ("/", "/api/v1/search", "/records/idr:huge", "/healthz"):
        for value in ("Bearer wrong-token-here", "Basic YTpi", "Bearer", "Bearer \xe9"):
            answer = client.get(address, headers={"Authorization": value})
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_answers_for_members_stay_out_of_shared_caches(client, member):
    for address in ("/", "/api/v1/search", "/records/private:secretfolder"):
        answer = member.get(address, headers=BROWSER)
        assert "private" in answer.headers["Cache-Control"]
        assert {"cookie", "authorization"} <= {name.lower() for name in answer.vary}
    assert {"cookie", "authorization"} <= {n.lower() for n in client.get("/").vary}


def test_search_through_the_catalogue_agrees(catalogue: Catalogue, client):
    assert catalogue.settings.base_url == "http://localhost"
    assert client.get("/healthz").json["status"] == "ok"
