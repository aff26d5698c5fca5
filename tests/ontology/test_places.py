import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ontology.document import Document, Skipped
from ontology.places import Spans
from ontology.terms import SqliteTermStore
from parfocal.testing.terms import term

NODES = st.integers(0, 11)
LINKS = st.lists(st.tuples(NODES, NODES, st.booleans()), max_size=30)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("places")


def document(name, links):
    children = {child for child, _, _ in links}
    terms = [
        term(
            f"X:{child}",
            f"term {child}",
            *(f"X:{up}" for c, up, part in links if c == child and not part),
            part_of=tuple(f"X:{up}" for c, up, part in links if c == child and part),
            ontology=name,
        )
        for child in sorted(children)
    ]
    return Document(name, "1", "test", iter(terms), Skipped())


def check(store, held):
    links = [link for name in held for link in held[name]]
    told = {f"X:{child}" for child, _, _ in links}
    for part_of in (False, True):
        graph = networkx.DiGraph()
        graph.add_nodes_from(f"X:{node}" for node in range(12))
        graph.add_edges_from((f"X:{u}", f"X:{c}") for c, u, part in links if part_of or not part)
        for curie in graph:
            below = networkx.descendants(graph, curie)
            known = below or curie in told or graph.has_edge(curie, curie)
            expected = below | {curie} if known else set()
            assert store.descendants(curie, part_of=part_of) == expected
            above = networkx.ancestors(graph, curie)
            assert store.ancestors(curie, part_of=part_of) == above


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), LINKS), min_size=1, max_size=5))
def test_closures_are_those_of_networkx_whatever_is_loaded_and_replaced(folder, loads):
    path = folder / "terms.sqlite"
    path.unlink(missing_ok=True)
    store = SqliteTermStore(path)
    try:
        held = {}
        for name, links in loads:
            store.load(document(name, links))
            held[name] = links
            check(store, held)
    finally:
        store.close()


def test_spans_swallow_what_they_cover():
    spans = Spans()
    assert spans.add(10, 20)
    assert not spans.add(12, 14)
    assert spans.add(30, 31)
    assert spans.add(5, 40)
    assert not spans.add(30, 31)
    assert (spans.starts, spans.ends) == ([5], [40])
