"""Formats of one record, and streams of many hits."""

import csv
import io
import json

import pyoxigraph as ox
import pytest
from rdflib import Graph
from rdflib.compare import isomorphic

from parfocal import registry
from parfocal.answers import Hit, HitAnnotation, Place, Reason
from parfocal.formats import (
    CSV_HEADER,
    JSON,
    JSON_LD,
    N_TRIPLES,
    TURTLE,
    csv_rows,
    jsonl_rows,
    safe_cell,
)
from parfocal.identifiers import native_of
from parfocal.model import decode
from parfocal.rdf import triples
from parfocal.testing.formats import FormatContract
from parfocal.testing.records import BASE, HOSTILE_TEXTS, HUMAN, hostile, study, well


class TestJsonLd(FormatContract):
    @pytest.fixture
    def format(self):
        return JSON_LD

    def read(self, content):
        assert content.startswith(b'{\n  "@context"')
        return json.loads(content)["@id"]


class TestTurtle(FormatContract):
    @pytest.fixture
    def format(self):
        return TURTLE

    def read(self, content):
        return list(ox.parse(content, format=ox.RdfFormat.TURTLE))


class TestNTriples(FormatContract):
    @pytest.fixture
    def format(self):
        return N_TRIPLES

    def read(self, content):
        return list(Graph().parse(data=content, format="nt"))


class TestJson(FormatContract):
    @pytest.fixture
    def format(self):
        return JSON

    def read(self, content):
        document = json.loads(content)
        assert document.pop("iri").startswith(BASE)
        return decode(json.dumps(document))


def test_turtle_says_the_same_as_n_triples_and_is_readable():
    for record in (study(), well(), *hostile()):
        turtle = TURTLE.dump(record, BASE)
        assert isomorphic(
            Graph().parse(data=turtle, format="turtle"),
            Graph().parse(data=triples(record, BASE), format="nt"),
        )
    assert "a schema:Dataset" in TURTLE.dump(study(), BASE).decode()


def test_all_formats_are_found_by_the_registry():
    found = {registry.load("formats", name) for name in registry.names("formats")}
    assert {JSON_LD, TURTLE, N_TRIPLES, JSON} <= found


def hit(title="A well", **changes):
    fields = {
        "id": well().id,
        "type": "Well",
        "level": "image",
        "title": title,
        "snippet": 'with "quotes", commas\nand lines',
        "marks": ((0, 4),),
        "container": Place(well().part_of, "Screen A", "container"),
        "study": None,
        "source": "archive",
        "annotations": (HitAnnotation(HUMAN, "http://x/9606", study().id),),
        "reasons": (Reason("human", "synonym"),),
        "thumbnail": "",
        "links": study().links,
        "record": study(),
    }
    return Hit(**{**fields, **changes})


def test_csv_has_a_stable_header_and_one_row_a_hit():
    content = b"".join(csv_rows([hit(), hit(images=3)])).decode()
    rows = list(csv.DictReader(io.StringIO(content, newline="")))
    assert tuple(rows[0]) == CSV_HEADER
    assert rows[0]["snippet"] == 'with "quotes", commas\nand lines'
    assert rows[0]["annotations"] == "organism: Homo sapiens (NCBITaxon:9606)"
    assert [row["images"] for row in rows] == ["", "3"]
    assert rows[0]["study"] == ""
    assert rows[0]["link"] == "https://archive.example.org/mitosis"


def test_csv_streams():
    def endless():
        while True:
            yield hit()

    rows = csv_rows(endless())
    assert [next(rows)[:2] for _ in range(3)] == [b"id", b"ar", b"ar"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", " =", "\n="])
def test_no_cell_is_a_formula(start):
    content = b"".join(csv_rows([hit(title=start + "cmd|' /C calc'!A0")])).decode()
    row = next(csv.DictReader(io.StringIO(content, newline="")))
    assert row["title"][0] == "'"
    assert safe_cell("plain-text") == "plain-text"


def test_json_lines_has_one_object_a_line():
    lines = b"".join(jsonl_rows([hit(title=text) for text in HOSTILE_TEXTS])).split(b"\n")
    objects = [json.loads(line) for line in lines if line]
    assert [one["title"] for one in objects] == list(HOSTILE_TEXTS)
    assert objects[0]["container"] == native_of(well().part_of)
    assert objects[0]["annotations"][0]["inherited_from"] == study().id
    assert "record" not in objects[0]
