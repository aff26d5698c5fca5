"""The stored graph is independent of the server's address, in every form of answer."""

import json

import pyoxigraph as ox
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.graph.addresses import INTERNAL, Publisher, to_internal
from indexer.graph.negotiation import GRAPHS, SOLUTIONS
from indexer.graph.oxigraph import MemoryGraph, OxigraphStore
from indexer.graph.workers import Workers
from parfocal.config import Settings
from parfocal.errors import SparqlRefused
from parfocal.identifiers import record_iri, record_path
from parfocal.model import ANONYMOUS
from parfocal.testing.graph import rows, yes
from parfocal.testing.records import all_samples, changes, well

NEW = "https://images.example.org/deep"
OLD = "http://127.0.0.1:8000"
PATH = "/records/archive:mitosis"
WELL = record_iri(well().id, NEW)


@pytest.fixture(scope="module")
def workers():
    workers = Workers(1)
    yield workers
    workers.close()


def moved(path, base):
    return Settings.model_validate({"data_dir": path, "server": {"base_url": base}})


@pytest.fixture(params=["disk", "memory"])
def store(request, tmp_path, workers):
    """Return a store that was filled at one address and is opened at another."""
    samples = changes(*all_samples())
    if request.param == "memory":
        store = MemoryGraph(moved(tmp_path, NEW + "/"), workers)
        store.apply(samples, len(samples))
    else:
        before = OxigraphStore(moved(tmp_path, OLD), workers)
        before.apply(samples, len(samples))
        before.close()
        store = OxigraphStore(moved(tmp_path, NEW + "/"), workers)
    assert store.revision() == len(samples)
    yield store
    store.close()


def test_the_new_address_finds_the_record_and_the_old_one_nothing(store):
    assert yes(store, f"ASK {{ <{NEW}{PATH}> a schema:Dataset }}")
    assert yes(store, f"ASK FROM <{NEW}{PATH}> {{ ?s a schema:Dataset }}")
    assert not yes(store, f"ASK {{ <{OLD}{PATH}> ?p ?o }}")


@pytest.mark.parametrize(
    "head",
    [
        f"PREFIX r: <{NEW}/records/> ASK {{ r:archive:mitosis",
        f"BASE <{NEW}/> ASK {{ <records/archive:mitosis>",
    ],
)
def test_prefixes_and_bases_may_be_of_the_new_address(store, head):
    assert yes(store, head + " a schema:Dataset }")


def test_a_text_in_a_query_may_hold_the_address(store):
    query = f'SELECT ?r {{ ?r a ome:Well FILTER(STRSTARTS(STR(?r), "{NEW}/records/")) }}'
    assert [row["r"] for row in rows(store, query)] == [WELL]
    cut = f'SELECT ?n {{ ?r a ome:Well BIND(STRAFTER(STR(?r), "{NEW}/records/") AS ?n) }}'
    assert [row["n"] for row in rows(store, cut)] == [
        record_path(well().id).removeprefix("/records/")
    ]


@pytest.mark.parametrize("media_type", SOLUTIONS)
def test_solutions_carry_the_new_address(store, media_type):
    query = "SELECT ?s ?o { ?s schema:isPartOf ?o }"
    content = store.query(query, ANONYMOUS, accept=media_type).content.decode()
    assert WELL in content
    assert INTERNAL not in content
    assert OLD not in content


@pytest.mark.parametrize("media_type", GRAPHS)
@pytest.mark.parametrize(
    "query", ["CONSTRUCT WHERE { ?s schema:isPartOf ?o }", f"DESCRIBE <{NEW}{PATH}>"]
)
def test_graphs_carry_the_new_address(store, query, media_type):
    content = store.query(query, ANONYMOUS, accept=media_type).content
    assert INTERNAL.encode() not in content
    found = ox.parse(content, format=ox.RdfFormat.from_media_type(media_type))
    subjects = {quad.subject.value for quad in found}
    assert subjects
    assert all(one.startswith(f"{NEW}/records/") for one in subjects)


def test_a_refusal_tells_the_place_in_the_query_as_it_was_written(store):
    with pytest.raises(SparqlRefused) as caught:
        store.query(f"ASK {{ <{NEW}{PATH}> }}", ANONYMOUS)
    column = len(f"ASK {{ <{NEW}{PATH}> }}")
    assert caught.value.where == f"line 1, column {column}"


def test_only_the_whole_address_is_replaced():
    text = 'PREFIX a: <http://h/> ASK { <http://h:81/> <http://h.org/> "http://h" } # http://hx'
    changed = text.replace("<http://h/>", f"<{INTERNAL}/>").replace('"http://h"', f'"{INTERNAL}"')
    assert to_internal(text, "http://h") == changed


@given(st.lists(st.sampled_from([INTERNAL, INTERNAL[:9], INTERNAL[9:], "h", "x/", "é"])), st.data())
def test_pieces_give_the_same_as_the_whole(words, data):
    content = "".join(words).encode()
    publisher, found, at = Publisher("https://new"), b"", 0
    while at < len(content):
        size = data.draw(st.integers(1, 40))
        found += publisher.feed(content[at : at + size])
        at += size
    assert found + publisher.end() == content.replace(INTERNAL.encode(), b"https://new")


def test_json_answers_stay_json(store):
    answer = store.query("SELECT * { GRAPH ?g { ?s ?p ?o } }", ANONYMOUS)
    graphs = {row["g"]["value"] for row in json.loads(answer.content)["results"]["bindings"]}
    assert f"{NEW}{PATH}" in graphs
