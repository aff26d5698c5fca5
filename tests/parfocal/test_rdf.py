"""Quads written directly: equal to pyld's of the JSON-LD, well-formed whatever the texts are."""

import msgspec
import pyoxigraph as ox
import pytest
from hypothesis import HealthCheck, given, settings
from pyld import jsonld as pyld

from parfocal import jsonld
from parfocal.identifiers import record_iri
from parfocal.model import PREFIXES, KeyValue, Provenance
from parfocal.rdf import quads, triples
from parfocal.testing.records import BASE, all_samples, image, study, well
from parfocal.testing.strategies import RECORDS

relaxed = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def parsed(content: bytes) -> set[ox.Quad]:
    return set(ox.parse(content, format=ox.RdfFormat.N_QUADS))


def by_pyld(record) -> set[ox.Quad]:
    graph = ox.NamedNode(record_iri(record.id, BASE))
    content = jsonld.to_nquads(jsonld.to_jsonld(record, BASE)).encode()
    return {ox.Quad(q.subject, q.predicate, q.object, graph) for q in parsed(content)}


def canonical(content: str) -> str:
    options = {"algorithm": "URDNA2015", "inputFormat": "application/n-quads"}
    return pyld.normalize(content, {**options, "format": "application/n-quads"})


@pytest.mark.parametrize("record", all_samples(), ids=lambda record: record.id)
def test_a_samples_quads_equal_those_of_its_jsonld(record):
    assert parsed(quads(record, BASE)) == by_pyld(record)


@relaxed
@given(RECORDS)
def test_every_records_quads_equal_those_of_its_jsonld(record):
    assert parsed(quads(record, BASE)) == by_pyld(record)


@pytest.mark.parametrize("record", [study(), image()], ids=["study", "image"])
def test_the_canonical_forms_are_equal(record):
    written = canonical(triples(record, BASE).decode())
    assert written == canonical(jsonld.to_nquads(jsonld.to_jsonld(record, BASE)))


@pytest.mark.parametrize("record", all_samples(), ids=lambda record: record.id)
def test_all_is_in_the_records_own_graph_without_blank_nodes(record):
    found = parsed(quads(record, BASE))
    assert {quad.graph_name.value for quad in found} == {record_iri(record.id, BASE)}
    assert not any(isinstance(q.subject, ox.BlankNode) for q in found)
    assert not any(isinstance(q.object, ox.BlankNode) for q in found)


def statements(record) -> list[str]:
    """Return predicate and object of all that is said of the record itself."""
    start = f"<{record_iri(record.id, BASE)}> "
    lines = triples(record, BASE).decode().splitlines()
    return [line.removeprefix(start)[:-2] for line in lines if line.startswith(start)]


def with_pairs(*pairs):
    fresh = msgspec.structs.replace(well(), key_values=tuple(KeyValue(*pair) for pair in pairs))
    assert parsed(quads(fresh, BASE)) == by_pyld(fresh)
    assert jsonld.from_jsonld(jsonld.to_jsonld(fresh, BASE)) == fresh
    return [one for one in statements(fresh) if "/keys/" in one or "Namespace" in one]


def test_a_pair_is_one_statement_whatever_its_namespace_is():
    found = with_pairs(("Gene", "A", "x/gene"), ("Gene", "B"), ("Cell", "C", "x/gene"))
    keys, namespace = PREFIXES["keys"], PREFIXES["ome"] + "Namespace"
    assert found == [
        f'<{keys}Gene> "A"',
        f'<{keys}Gene> "B"',
        f'<{keys}Cell> "C"',
        f'<{namespace}> "x/gene"',
    ]


def test_the_same_pair_in_two_namespaces_comes_back_as_two():
    assert len(with_pairs(("Gene", "A", "x"), ("Gene", "A", "y"), ("Gene", "A"))) == 5


def test_a_key_that_cannot_be_a_property_keeps_its_place():
    assert len(with_pairs(("a", "1"), ("", "2", "x"), ("k" * 201, "3"), ("namespace", "4"))) == 2


def test_half_a_letter_in_a_key_does_no_harm():
    record = msgspec.structs.replace(well(), key_values=(KeyValue("a\ud800", "b"),))
    assert b'"a?"' in quads(record, BASE)
    assert jsonld.from_jsonld(jsonld.to_jsonld(record, BASE)) == record


def test_what_the_identifier_says_is_not_said_again():
    identifier = f"<{PREFIXES['dcterms']}identifier> "
    own = [one for one in statements(well()) if one.startswith(identifier)]
    assert own == [f'{identifier}"{well().id}"']
    origin = Provenance(source="archive", native_id="")
    other = msgspec.structs.replace(well(), provenance=origin)
    assert f'{identifier}""' in statements(other)
    assert jsonld.from_jsonld(jsonld.to_jsonld(other, BASE)) == other


def test_the_same_record_gives_the_same_bytes():
    assert quads(study(), BASE) == quads(study(), BASE)
    assert b"dcterms:" not in quads(study(), BASE)


def test_oxigraph_reads_the_jsonld_as_the_same_graph():
    import json

    record = study()
    document = json.dumps(jsonld.to_jsonld(record, BASE)).encode()
    found = {
        (q.subject, q.predicate, q.object)
        for q in ox.parse(document, format=ox.RdfFormat.JSON_LD)
        if "score" not in q.predicate.value
    }
    ours = {
        (q.subject, q.predicate, q.object)
        for q in parsed(quads(record, BASE))
        if "score" not in q.predicate.value
    }
    assert found == ours
