"""Turtle says what N-Triples say, whatever the keys are, and shortens with our prefixes alone."""

import msgspec
import pyoxigraph as ox
import pytest

from parfocal.formats import TURTLE
from parfocal.model import PREFIXES, KeyValue
from parfocal.rdf import triples
from parfocal.testing.records import BASE, all_samples, well

KEYS = ("Gene Symbol", "size in µm", "%E9", "é1x", "a.", ".", "-a", "a/b#c", "5", "n's (x)", "_")


def graph_of(content, form):
    return {(q.subject, q.predicate, q.object) for q in ox.parse(content, format=form)}


def number(triple):
    """Say whether it is a double, which Turtle writes in another way."""
    return getattr(triple[2], "datatype", None) == ox.NamedNode(PREFIXES["xsd"] + "double")


@pytest.mark.parametrize(
    "record",
    [
        *(one for one in all_samples() if one.access.public),
        msgspec.structs.replace(well(), key_values=tuple(KeyValue(key, "x") for key in KEYS)),
    ],
    ids=lambda record: record.id,
)
def test_turtle_is_the_same_graph(record):
    content = TURTLE.dump(record, BASE)
    found = graph_of(content, ox.RdfFormat.TURTLE)
    wanted = graph_of(triples(record, BASE), ox.RdfFormat.N_TRIPLES)
    assert {t for t in wanted if not number(t)} == {t for t in found if not number(t)}
    assert len(found) == len(wanted)


def test_a_key_is_shortened_whole():
    content = TURTLE.dump(well(), BASE).decode()
    assert 'keys:Gene%20Symbol "CDK1"' in content
    assert "ns1:" not in content
