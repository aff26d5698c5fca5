import pytest

from ontology.load import read
from parfocal.errors import OntologyInvalid
from parfocal.terms import MemoryTermStore

SKOS = """@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix dct: <http://purl.org/dc/terms/> .
@prefix iso: <http://purl.org/iso25964/skos-thes#> .
@prefix lab: <https://lab.example.org/terms/> .

<https://lab.example.org/stains> a skos:ConceptScheme ; owl:versionInfo "2.1" .
lab:1 a skos:Concept ; skos:prefLabel "Färbung"@de , "stain"@en ;
  skos:altLabel "dye"@en ; skos:hiddenLabel "stian" ; skos:narrower lab:2 ;
  skos:definition "Makes visible." .
lab:2 a skos:Concept ; skos:prefLabel "DAPI" ; skos:broader
  <http://purl.obolibrary.org/obo/CHEBI_51231> .
lab:3 a skos:Concept ; skos:prefLabel "old dye" ; owl:deprecated true ; dct:isReplacedBy lab:1 .
lab:4 a skos:Concept ; skos:prefLabel "half" ; iso:broaderPartitive lab:1 .
<urn:x:5> a skos:Concept ; skos:prefLabel "nameless" .
lab:group a skos:Collection ; skos:member lab:1 .
"""

OWL = """@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix obo: <http://purl.obolibrary.org/obo/> .
@prefix oio: <http://www.geneontology.org/formats/oboInOwl#> .

obo:uberon.owl a owl:Ontology ; owl:versionIRI
  <http://purl.obolibrary.org/obo/uberon/releases/2026-04-01/uberon.owl> .
obo:UBERON_0000955 a owl:Class ; rdfs:label "brain" ; oio:hasExactSynonym "encephalon" ;
  rdfs:subClassOf obo:UBERON_0000062 ,
    [ a owl:Restriction ; owl:onProperty obo:BFO_0000050 ; owl:someValuesFrom obo:UBERON_0001017 ] ,
    [ a owl:Restriction ; owl:onProperty obo:RO_0002202 ; owl:someValuesFrom obo:UBERON_0002028 ] .
"""


@pytest.fixture
def told(tmp_path):
    def told(content, name="x.ttl"):
        path = tmp_path / name
        path.write_text(content)
        document = read(path)
        return document, MemoryTermStore(document.terms)

    return told


def test_skos_concepts_become_terms(told):
    document, store = told(SKOS)
    assert (document.name, document.version, document.reader) == ("stains", "2.1", "turtle")
    stain = store.get("lab:1")
    assert (stain.label, stain.definition) == ("stain", "Makes visible.")
    assert set(stain.synonyms) == {("EXACT", "dye"), ("RELATED", "stian"), ("EXACT", "Färbung")}
    assert stain.iri == "https://lab.example.org/terms/1"
    assert set(store.get("lab:2").parents) == {"CHEBI:51231", "lab:1"}
    assert store.get("lab:3").obsolete
    assert [match.curie for match in store.find("old dye")] == ["lab:1"]
    assert store.descendants("lab:1") == {"lab:1", "lab:2"}
    assert store.descendants("lab:1", part_of=True) == {"lab:1", "lab:2", "lab:4"}


def test_what_was_skipped_is_told(told):
    document, _ = told(SKOS)
    lines = "\n".join(document.skipped.lines())
    assert "class whose address is no CURIE, first: urn:x:5" in lines
    assert "no class or concept" in lines


def test_owl_in_turtle_has_parents_and_wholes(told):
    document, store = told(OWL)
    assert (document.name, document.version) == ("uberon", "2026-04-01")
    brain = store.get("UBERON:0000955")
    assert brain.label == "brain"
    assert brain.parents == ("UBERON:0000062",)
    assert brain.part_of == ("UBERON:0001017",)
    assert brain.synonyms == (("EXACT", "encephalon"),)


def test_file_cut_in_the_middle_is_refused(told):
    with pytest.raises(OntologyInvalid, match="Turtle is broken") as error:
        told(SKOS[: SKOS.index("skos:hiddenLabel") + 20])
    assert error.value.where.endswith("x.ttl")


def test_turtle_without_terms_is_refused(told):
    with pytest.raises(OntologyInvalid, match="no class or concept"):
        told("@prefix a: <https://a.example/> .\na:b a:c a:d .\n")
