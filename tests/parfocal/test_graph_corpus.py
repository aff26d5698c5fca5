"""The graph form on real metadata: equal both ways, fit for the profile and for others' queries."""

import asyncio
import gzip
import itertools
import json
import time

import pyoxigraph as ox
import pytest
from pyshacl import validate
from rdflib import Graph

from harvester.sources.idr_studies import IdrOptions, IdrStudies
from indexer.graph.sparql_guard import check, parse
from indexer.graph.workers import Workers
from parfocal import jsonld
from parfocal.identifiers import record_iri
from parfocal.model import PREFIXES, Dataset, Image
from parfocal.rdf import quads, triples
from parfocal.testing.records import BASE, image, screen, study, well
from parfocal.testing.sources import Visit
from parfocal.values import RawItem

pytestmark = pytest.mark.corpus


def records_of(path, every):
    """Yield one of so many records of the studies in a folder."""
    source = IdrStudies("idr", IdrOptions(path=path))

    async def items():
        return [item async for item in source.fetch(Visit()) if isinstance(item, RawItem)]

    for item in asyncio.run(items()):
        found = (one for one in source.normalise(item) if isinstance(one, Dataset | Image))
        yield from itertools.islice(found, 0, None, every)


def graph_of(content, graph):
    return {
        (q.subject, q.predicate, q.object)
        for q in ox.parse(content, format=ox.RdfFormat.N_QUADS)
        if graph is None or q.graph_name == graph
    }


def test_real_records_are_the_same_both_ways(corpus):
    folders = sorted(path for path in (corpus / "idr").iterdir() if path.is_dir())[:4]
    seen = 0
    for record in itertools.chain.from_iterable(records_of(f, 997) for f in folders):
        seen += 1
        document = json.loads(json.dumps(jsonld.to_jsonld(record, BASE)))
        assert jsonld.from_jsonld(document) == record
        direct = graph_of(quads(record, BASE), ox.NamedNode(record_iri(record.id, BASE)))
        assert direct == graph_of(jsonld.to_nquads(document).encode(), None)
    assert seen > 10


def test_a_real_row_has_a_statement_for_each_pair_and_few_more(corpus):
    folder = corpus / "idr" / "idr0001-graml-sysgro"
    rows = [record for record in records_of(folder, 211) if isinstance(record, Image)]
    assert len(rows) > 50
    for row in rows:
        pairs, claims = len(row.key_values), len(row.annotations)
        assert quads(row, BASE).count(b" .\n") <= pairs + 9 * claims + 14


def conforms(corpus, *records):
    shapes = corpus / "rocrate" / "gide-profile" / "gide_profile_shacl_shape.ttl"
    data = Graph()
    for record in records:
        data.parse(data=triples(record, BASE), format="nt")
    _, report, text = validate(data, shacl_graph=Graph().parse(shapes))
    severity = "http://www.w3.org/ns/shacl#Violation"
    return not any(str(o) == severity for o in report.objects()), text


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_study_passes_the_shapes_of_the_gide_profile(corpus):
    fine, text = conforms(corpus, study(), well(), image())
    assert fine, text


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_shapes_do_look_at_our_data_sets(corpus):
    fine, _ = conforms(corpus, screen())
    assert not fine


def test_queries_of_others_run_and_give_their_rows(corpus, tmp_path):
    expected = json.loads((corpus / "queries/ssbd-sparql/expected.json").read_text())
    content = gzip.decompress((corpus / "api/ssbd/ontology/ssbd_instances.ttl.gz").read_bytes())
    store = ox.Store()
    store.load(content, format=ox.RdfFormat.TURTLE, to_graph=ox.NamedNode("http://x/g"))
    path = tmp_path / "ssbd.nq"
    store.dump(str(path), format=ox.RdfFormat.N_QUADS)
    job = {"path": str(path), "accept": "", "base": BASE, "prefixes": PREFIXES, "memory_mb": 512}
    workers = Workers(1)
    for name in ("organism_human2paper.rq", "search_mitochondrial_diseases.rq"):
        sparql = (corpus / "queries/ssbd-sparql" / name).read_text()
        check(sparql)
        parse(sparql)
        head, answer = workers.run({**job, "query": sparql, "max_bytes": 1 << 24}, 30)
        assert head["kind"] == "solutions"
        if name in expected:
            found = json.loads(answer)["results"]["bindings"]
            wanted = [[cell for cell in row if cell] for row in expected[name]["bindings"]]
            assert [[c["value"] for c in row.values()] for row in found] == wanted
    workers.close()


def test_direct_quads_are_far_faster_than_the_way_over_jsonld(corpus):
    folder = corpus / "idr" / "idr0001-graml-sysgro"
    records = list(records_of(folder, 40))
    begin = time.perf_counter()
    for record in records:
        quads(record, BASE)
    direct = (time.perf_counter() - begin) / len(records)
    begin = time.perf_counter()
    for record in records[:20]:
        jsonld.to_nquads(jsonld.to_jsonld(record, BASE))
    assert direct * 20 < (time.perf_counter() - begin) / 20
