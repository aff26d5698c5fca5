import msgspec
import pytest

from api.app import create_app
from parfocal.catalogue import Catalogue
from parfocal.identifiers import Curie, record_id
from parfocal.model import Access, Annotation, Image, Provenance
from parfocal.terms import MemoryTermStore
from parfocal.testing.terms import TAXA


def image(name, *terms, access=()):
    return Image(
        id=record_id("s", name),
        title=name,
        access=Access(access),
        provenance=Provenance("s", name),
        annotations=tuple(
            Annotation("organism", term, Curie(term), "", "curated", 1.0, "x") for term in terms
        ),
    )


RECORDS = (
    image("a", "NCBITaxon:9606"),
    image("b", "NCBITaxon:9606", "NCBITaxon:10090"),
    image("c", "NCBITaxon:10090"),
    image("d", "NCBITaxon:10092", access=("lab",)),
)


@pytest.fixture
def client():
    with Catalogue.in_memory(RECORDS, terms=MemoryTermStore(TAXA)) as catalogue:
        yield create_app(catalogue).test_client()


def tree(client, address):
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.data)["tree"]


def test_counts_are_right_at_each_level(client):
    (top,) = tree(client, "/api/v1/facets/organism?level=image")
    assert (top["label"], top["count"], top["own"]) == ("Mammalia", 3, 0)
    assert [(one["label"], one["count"]) for one in top["children"]] == [
        ("Homo sapiens", 2),
        ("Mus musculus", 2),
    ]


def test_what_is_private_is_not_counted(client):
    assert "10092" not in client.get("/api/v1/facets/organism").text


def test_question_narrows(client):
    (top,) = tree(client, "/api/v1/facets/organism?q=organism:NCBITaxon:10090&level=image")
    assert top["count"] == 2
    assert {one["label"]: one["count"] for one in top["children"]} == {
        "Homo sapiens": 1,
        "Mus musculus": 2,
    }


@pytest.mark.parametrize("field", ["gene", "nothing", "x" * 500])
def test_other_fields_are_refused(client, field):
    answer = client.get(f"/api/v1/facets/{field}")
    assert answer.status_code == 400
    assert answer.mimetype == "application/problem+json"


def test_page_opens_a_facet_as_a_tree(client):
    assert "as a tree" in client.get("/?level=image").text
    page = client.get("/?level=image&tree=organism").text
    assert 'class="tree"' in page
    assert "Mammalia" in page
    assert "as a list" in page
