"""What every triple store must do; run by the tests of each implementation."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod

import msgspec
import pytest

from parfocal.errors import ParfocalError, SparqlRefused, SparqlTimeout
from parfocal.identifiers import record_id, record_iri
from parfocal.identity import identity_of
from parfocal.interfaces import TripleStore
from parfocal.model import ANONYMOUS, Access, Viewer
from parfocal.testing.records import (
    BASE,
    LAB,
    all_samples,
    changes,
    hostile,
    image,
    private,
    screen,
    study,
    well,
)
from parfocal.values import Change

ENDLESS = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l FILTER(?a != ?j) }"
HUNGRY = "SELECT * { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l } ORDER BY ?a ?d ?g ?j"
ENORMOUS = "SELECT * { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }"


def rows(store: TripleStore, sparql: str, viewer: Viewer = ANONYMOUS) -> list[dict[str, str]]:
    """Return the solutions of a query as plain values."""
    answer = store.query(sparql, viewer)
    assert answer.kind == "solutions"
    bindings = json.loads(answer.content)["results"]["bindings"]
    return [{name: cell["value"] for name, cell in row.items()} for row in bindings]


def yes(store: TripleStore, sparql: str, viewer: Viewer = ANONYMOUS) -> bool:
    """Return the answer of an ASK query."""
    answer = store.query(sparql, viewer)
    assert answer.kind == "boolean"
    found: bool = json.loads(answer.content)["boolean"]
    return found


class TripleStoreContract(ABC):
    """Run for each triple store; the group ``lab`` must be known to it, and its base be BASE.

    Its memory limit must be at most 256 MiB.
    """

    @pytest.fixture
    @abstractmethod
    def store(self) -> TripleStore:
        """Return an empty store."""

    @pytest.fixture
    def filled(self, store: TripleStore) -> TripleStore:
        samples = changes(*all_samples())
        store.apply(samples, len(samples))
        return store

    # ---------------------------------------------------------------- following the log

    def test_it_begins_empty_at_revision_0(self, store: TripleStore) -> None:
        assert store.revision() == 0
        assert not yes(store, "ASK { ?s ?p ?o }")

    def test_changes_and_revision_come_together(self, filled: TripleStore) -> None:
        assert filled.revision() == len(all_samples())
        assert yes(filled, f"ASK {{ <{record_iri(study().id, BASE)}> a schema:Dataset }}")

    def test_the_same_changes_again_change_nothing(self, filled: TripleStore) -> None:
        count = "SELECT (COUNT(*) AS ?n) { GRAPH ?g { ?s ?p ?o } }"
        before = rows(filled, count)
        samples = changes(*all_samples())
        filled.apply(samples, len(samples))
        assert rows(filled, count) == before
        assert filled.revision() == len(samples)

    def test_a_changed_record_replaces_the_old(self, filled: TripleStore) -> None:
        fresh = msgspec.structs.replace(image(), title="renamed", key_values=())
        filled.apply([Change(revision=100, seq=4, id=fresh.id, record=fresh)], 100)
        graph = f"GRAPH <{record_iri(fresh.id, BASE)}>"
        found = rows(filled, f"SELECT ?t {{ {graph} {{ ?r schema:name ?t ; a ome:Image }} }}")
        assert found == [{"t": "renamed"}]
        assert not yes(filled, f"ASK {{ {graph} {{ ?r keys:Cell%20Line ?v }} }}")

    def test_a_tombstone_removes_the_graph(self, filled: TripleStore) -> None:
        filled.apply([Change(revision=100, seq=3, id=well().id, record=None)], 100)
        assert not yes(filled, 'ASK { ?s ?p "CDK1" }')
        assert not yes(filled, f"ASK {{ GRAPH <{record_iri(well().id, BASE)}> {{ ?s ?p ?o }} }}")
        assert yes(filled, f"ASK {{ GRAPH <{record_iri(image().id, BASE)}> {{ ?s ?p ?o }} }}")

    def test_a_tombstone_of_the_unknown_does_no_harm(self, store: TripleStore) -> None:
        store.apply([Change(revision=1, seq=1, id=well().id, record=None)], 1)
        assert store.revision() == 1

    def test_twins_are_told_to_those_who_may_see_them(self, store: TripleStore) -> None:
        doi = ("doi:10.1000/same",)
        public = msgspec.structs.replace(study(), identifiers=doi, links=(), same_as=())
        ids = [record_id(source, "mitosis") for source in ("elsewhere", "lab")]
        others = [msgspec.structs.replace(public, id=id, part_of=None) for id in ids]
        others[1] = msgspec.structs.replace(others[1], access=Access(("lab",)))
        given = (public, *others)
        near = tuple(one for record in given if (one := identity_of(record)))
        store.apply([msgspec.structs.replace(c, namesakes=near) for c in changes(*given)], 3)
        twins = "SELECT ?t { <%s> parfocal:twin/parfocal:sameRecord ?t } ORDER BY ?t"
        asked = twins % record_iri(public.id, BASE)
        seen, hidden = (record_iri(id, BASE) for id in ids)
        assert rows(store, asked) == [{"t": seen}]
        assert rows(store, asked, LAB) == [{"t": seen}, {"t": hidden}]
        assert not yes(store, f"ASK {{ ?s ?p <{hidden}> }}")
        assert yes(store, f"ASK {{ ?s schema:sameAs <{hidden}> }}", LAB)
        kind = "SELECT DISTINCT ?k { ?s parfocal:evidence/parfocal:evidenceKind ?k }"
        assert rows(store, kind) == [{"k": "same DOI"}]

    def test_clear_goes_back_to_the_beginning(self, filled: TripleStore) -> None:
        filled.clear()
        assert filled.revision() == 0
        assert not yes(filled, "ASK { ?s ?p ?o }", LAB)
        filled.apply(changes(study()), 1)
        assert yes(filled, "ASK { ?s ?p ?o }")

    # ---------------------------------------------------------------- queries

    def test_each_record_is_a_graph_and_the_default_graph_their_union(
        self, filled: TripleStore
    ) -> None:
        graphs = rows(filled, "SELECT DISTINCT ?g { GRAPH ?g { ?s ?p ?o } }")
        public = {record_iri(r.id, BASE) for r in all_samples() if r.access.public}
        assert {row["g"] for row in graphs} == public
        join = "SELECT ?w { ?w schema:isPartOf ?s . ?s schema:isPartOf/a schema:Dataset }"
        assert rows(filled, join) == [{"w": record_iri(well().id, BASE)}]

    def test_terms_key_values_and_sizes_are_found(self, filled: TripleStore) -> None:
        claim = (
            "SELECT ?r { ?r parfocal:annotation ?c . ?c oa:hasBody obo:NCBITaxon_9606 ;"
            ' parfocal:method "curated" }'
        )
        assert {"r": record_iri(study().id, BASE)} in rows(filled, claim)
        pairs = 'SELECT ?r { ?r keys:Gene%20Symbol "CDK1" }'
        assert rows(filled, pairs) == [{"r": record_iri(well().id, BASE)}]
        assert yes(filled, "ASK { ?r ome:SizeX ?x FILTER(?x >= 1024) }")
        assert yes(filled, 'ASK { ?r schema:datePublished "2019-05-17"^^xsd:date }')

    def test_hostile_texts_stay_texts(self, filled: TripleStore) -> None:
        assert not yes(filled, "ASK { <http://x/y> ?p ?o }")
        for record in hostile():
            assert yes(filled, f"ASK {{ <{record_iri(record.id, BASE)}> ?p ?o }}")

    def test_a_query_may_name_its_own_data_set(self, filled: TripleStore) -> None:
        graph = record_iri(study().id, BASE)
        sparql = "SELECT DISTINCT ?t FROM <%s> { ?s a ?t }" % graph  # noqa: S608, UP031
        found = rows(filled, sparql)
        assert {row["t"] for row in found} >= {"http://schema.org/Dataset"}
        assert not any(row["t"].endswith("#Image") for row in found)

    def test_a_prefix_of_ones_own_counts_more(self, filled: TripleStore) -> None:
        assert not yes(filled, "PREFIX schema: <http://x/> ASK { ?s schema:name ?o }")

    @pytest.mark.parametrize(
        ("accept", "media_type", "start"),
        [
            ("", "application/sparql-results+json", b'{"head"'),
            ("*/*", "application/sparql-results+json", b'{"head"'),
            ("application/sparql-results+xml", "application/sparql-results+xml", b"<?xml"),
            ("text/csv", "text/csv", b"t\r\n"),
            ("text/tab-separated-values", "text/tab-separated-values", b"?t\n"),
            ("text/html, text/csv;q=0.3, application/json;q=0.2", "text/csv", b"t\r\n"),
        ],
    )
    def test_solutions_in_every_form(
        self, filled: TripleStore, accept: str, media_type: str, start: bytes
    ) -> None:
        answer = filled.query("SELECT ?t { ?r schema:name ?t }", ANONYMOUS, accept=accept)
        assert (answer.media_type, answer.kind) == (media_type, "solutions")
        assert answer.content.startswith(start)

    @pytest.mark.parametrize(
        ("accept", "media_type"),
        [
            ("", "text/turtle"),
            ("application/n-triples", "application/n-triples"),
            ("application/ld+json", "application/ld+json"),
            ("application/json;q=0.5, text/turtle;q=0.4", "application/ld+json"),
        ],
    )
    @pytest.mark.parametrize(
        "form", ["CONSTRUCT WHERE { ?r schema:publisher ?p }", "DESCRIBE <%s>"]
    )
    def test_graphs_in_every_form(
        self, filled: TripleStore, form: str, accept: str, media_type: str
    ) -> None:
        sparql = form.replace("%s", record_iri(study().id, BASE))
        answer = filled.query(sparql, ANONYMOUS, accept=accept)
        assert (answer.media_type, answer.kind) == (media_type, "graph")
        assert b"Example Archive" in answer.content

    # ---------------------------------------------------------------- access

    @pytest.mark.parametrize(
        "sparql",
        [
            'ASK { ?s ?p "SECRET1" }',
            'ASK { GRAPH ?g { ?s ?p "SECRET1" } }',
            f"ASK {{ GRAPH <{record_iri(private().id, BASE)}> {{ ?s ?p ?o }} }}",
            f"ASK FROM <{record_iri(private().id, BASE)}> {{ ?s ?p ?o }}",
            f"ASK FROM NAMED <{record_iri(private().id, BASE)}> {{ GRAPH ?g {{ ?s ?p ?o }} }}",
            f"ASK {{ <{record_iri(private().id, BASE)}> (!<x:y>)* ?o FILTER(isLiteral(?o)) }}",
            f"ASK {{ ?s ^(!<x:y>)|(!<x:y>) <{record_iri(private().id, BASE)}> }}",
            "ASK { { SELECT (COUNT(*) AS ?n) { ?s ?p obo:NCBITaxon_10090 } } FILTER(?n > 0) }",
            'ASK { ?s ?p ?o FILTER(CONTAINS(STR(?o), "Unpublished")) }',
            'ASK { ?s ?p ?o FILTER(CONTAINS(STR(?s), "secret")) }',
        ],
    )
    def test_what_is_private_is_found_by_its_group_alone(
        self, filled: TripleStore, sparql: str
    ) -> None:
        assert not yes(filled, sparql)
        assert not yes(filled, sparql, Viewer(groups=frozenset({"others"})))
        assert yes(filled, sparql, LAB)
        assert yes(filled, sparql, Viewer(groups=frozenset({"lab", "others"})))

    def test_a_description_of_the_private_is_empty(self, filled: TripleStore) -> None:
        sparql = f"DESCRIBE <{record_iri(private().id, BASE)}>"
        answer = filled.query(sparql, ANONYMOUS, accept="application/n-triples")
        assert answer.content == b""
        assert filled.query(sparql, LAB, accept="application/n-triples").content

    def test_what_becomes_private_is_gone_and_comes_back(self, filled: TripleStore) -> None:
        hidden = msgspec.structs.replace(screen(), access=Access(groups=("lab",)))
        filled.apply([Change(revision=100, seq=2, id=hidden.id, record=hidden)], 100)
        asked = f"ASK {{ <{record_iri(hidden.id, BASE)}> schema:name ?t }}"
        assert not yes(filled, asked)
        assert yes(filled, asked, LAB)
        filled.apply([Change(revision=101, seq=2, id=hidden.id, record=screen())], 101)
        assert yes(filled, asked)

    # ---------------------------------------------------------------- refused, stopped

    @pytest.mark.parametrize(
        ("sparql", "where"),
        [
            ("SELECT * { SERVICE <http://127.0.0.1:9/> { ?s ?p ?o } }", "line 1, column 12"),
            ("SELECT *\n{ service silent ?e { ?s ?p ?o } }", "line 2, column 3"),
            ("SELECT * { { SELECT * { SeRvIcE<http://h/>{?s ?p ?o} } } }", "line 1"),
            ("SELECT * { \\u0053ERVICE <http://h/> { ?s ?p ?o } }", "line 1"),
            ("SELECT * { ?s ?p '\\u0027 . \\U00000053ERVICE <http://h/> { } # ' }", "line 1"),
            ("SELECT * { #\rSERVICE <http://h/> { } \n }", "line 1"),
            ("SELECT * { FILTER(1<2)SERVICE<http://h/>{?s ?p ?o} }", "line 1"),
            ("SELECT * { FILTER EXISTS { GRAPH ?g { SERVICE <http://h/> {} } } }", "line 1"),
            ("LOAD <http://127.0.0.1:9/>", "line 1, column 1"),
            ("INSERT DATA { <a:a> <b:b> <c:c> }", "line 1, column 1"),
            ("PREFIX a: <b:b>\nDELETE WHERE { ?s ?p ?o }", "line 2, column 1"),
            ("ASK { } ; CLEAR ALL", "line 1"),
            ("SELECT * {\n ?s ?p }", "line 2"),
            ("SELECT * { ?s unknown:thing ?o }", "line 1"),
            ("nonsense", "line 1"),
            ("", "line 1"),
        ],
    )
    def test_what_may_not_run_is_refused_with_its_place(
        self, filled: TripleStore, sparql: str, where: str
    ) -> None:
        with pytest.raises(SparqlRefused) as caught:
            filled.query(sparql, ANONYMOUS)
        assert caught.value.where.startswith(where)
        assert yes(filled, "ASK { ?s ?p ?o }")

    def test_the_word_may_stand_where_it_means_nothing(self, filled: TripleStore) -> None:
        sparql = (
            "PREFIX load: <http://x/SERVICE#> # SERVICE <http://h/> {}\n"
            'ASK { OPTIONAL { ?service load:INSERT \'SERVICE\' , """a "LOAD" b"""@service } }'
        )
        assert yes(filled, sparql)

    @pytest.mark.parametrize(
        "sparql",
        [
            "ASK { " + "?s ?p ?o . " * 7000 + "}",
            "ASK " + "{" * 5000 + "}" * 5000,
            "ASK { FILTER(" + "(" * 2000 + "1" + ")" * 2000 + ") }",
            "ASK { FILTER(" + "!" * 20000 + "true) }",
        ],
        ids=["long", "nested", "brackets", "negations"],
    )
    def test_a_monstrous_query_does_no_harm(self, filled: TripleStore, sparql: str) -> None:
        with pytest.raises((SparqlRefused, SparqlTimeout)):
            filled.query(sparql, ANONYMOUS, timeout=5)
        assert yes(filled, "ASK { ?s ?p ?o }")

    def test_a_query_without_end_is_stopped_and_the_store_goes_on(
        self, filled: TripleStore
    ) -> None:
        with pytest.raises(SparqlTimeout) as caught:
            filled.query(ENDLESS, ANONYMOUS, timeout=0.5)
        assert "0.5 s" in caught.value.message
        assert yes(filled, "ASK { ?s ?p ?o }")

    @pytest.mark.parametrize("sparql", [HUNGRY, ENORMOUS], ids=["memory", "answer"])
    def test_a_query_that_takes_too_much_is_stopped(self, filled: TripleStore, sparql: str) -> None:
        with pytest.raises(SparqlTimeout) as caught:
            filled.query(sparql, ANONYMOUS, timeout=30)
        assert "MiB" in caught.value.message
        assert yes(filled, "ASK { ?s ?p ?o }")

    def test_every_refusal_is_one_of_ours(self, filled: TripleStore) -> None:
        for sparql in ("\x00", "\ud800", "SELECT", "{" * 99, "'" * 99, "<" * 99, "\\u" * 99):
            with pytest.raises(ParfocalError):
                filled.query(sparql, ANONYMOUS, timeout=5)

    def test_it_can_be_closed_twice(self, filled: TripleStore) -> None:
        filled.close()
        filled.close()
