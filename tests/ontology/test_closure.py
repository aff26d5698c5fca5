"""Closure compared with pronto itself, and the tolerant readers compared with pronto."""

import gzip
import io
import random
import warnings

import networkx
import pytest
from pronto.ontology import Ontology

from ontology.document import Document
from ontology.load import read
from ontology.obo import read_obo
from ontology.opening import open_bytes
from ontology.owl import read_owl
from ontology.terms import SqliteTermStore
from parfocal.prefixes import curie_of
from parfocal.terms import MemoryTermStore

pytestmark = pytest.mark.corpus
SMALL_OBO = [
    *("cmpo.obo", "pato.obo.gz", "uo.obo", "emboss-so.obo.gz", "zfa.obo.gz"),
    *("pronto-tests/plana.obo", "pronto-tests/cio.obo"),
]
SMALL_OWL = ["fbbi.owl.gz", "pronto-tests/aeo.owl.gz"]


def by_pronto(path):
    content = path.read_bytes()
    content = gzip.decompress(content) if path.suffix == ".gz" else content
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded = Ontology(io.BytesIO(content), import_depth=0, threads=1)
        return {
            curie_of(term.id): {curie_of(a.id) for a in term.superclasses(with_self=False)}
            for term in loaded.terms()
            if curie_of(term.id)
        }


@pytest.mark.parametrize("name", SMALL_OBO + SMALL_OWL)
def test_store_closes_as_pronto_does(corpus, tmp_path, name):
    path = corpus / "ontologies" / name
    expected = by_pronto(path)
    store = SqliteTermStore(tmp_path / "terms.sqlite")
    store.load(read(path))
    below = {}
    for curie, ancestors in expected.items():
        assert store.ancestors(curie) == ancestors - {None}, curie
        for ancestor in ancestors - {None}:
            below.setdefault(ancestor, set()).add(curie)
    for curie, descendants in below.items():
        assert store.descendants(curie) - {curie} == descendants, curie
    store.close()


@pytest.mark.parametrize("name", SMALL_OBO + SMALL_OWL)
def test_tolerant_readers_agree_with_pronto(corpus, name):
    path = corpus / "ontologies" / name
    reader = read_owl if ".owl" in name else read_obo
    with open_bytes(path) as stream:
        document = reader(stream, path)
        tolerant = MemoryTermStore(document.terms)
    strict = read(path)
    assert strict.reader == "pronto"
    assert (document.name, document.version) == (strict.name, strict.version)
    for term in strict.terms:
        other = tolerant.get(term.curie)
        assert other is not None, term.curie
        assert (other.label, other.obsolete) == (term.label, term.obsolete), term.curie
        assert set(other.synonyms) == set(term.synonyms), term.curie
        assert set(other.replaced_by) == set(term.replaced_by), term.curie
        assert tolerant.ancestors(term.curie) >= set(term.parents), term.curie


@pytest.mark.slow
def test_store_closes_as_networkx_does_on_all_files_together(corpus, tmp_path):
    """All files in one store, so that several ontologies tell of the same terms."""
    store = SqliteTermStore(tmp_path / "terms.sqlite")
    told = []
    for path in sorted((corpus / "ontologies").rglob("*")):
        if path.is_dir() or path.stat().st_size > 230_000 or "tests" in str(path.parent):
            continue
        terms = list(read(path).terms)
        told += terms
        store.load(Document(path.name, "1", "test", iter(terms)))
    chance = random.Random(5)
    asked = chance.sample(sorted({one.curie for one in told}), 200)
    for part_of in (False, True):
        graph = networkx.DiGraph()
        graph.add_nodes_from(one.curie for one in told)
        graph.add_edges_from((up, one.curie) for one in told for up in one.parents)
        if part_of:
            graph.add_edges_from((up, one.curie) for one in told for up in one.part_of)
        for curie in asked:
            above, below = networkx.ancestors(graph, curie), networkx.descendants(graph, curie)
            assert store.ancestors(curie, part_of=part_of) == above - {curie}, curie
            assert store.descendants(curie, part_of=part_of) == below | {curie}, curie
    store.close()
