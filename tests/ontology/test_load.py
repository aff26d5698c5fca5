import gzip
import json
import time
from collections import Counter

import pytest

from ontology.load import read
from ontology.table import bundled
from ontology.terms import SqliteTermStore
from parfocal.errors import OntologyInvalid
from parfocal.terms import MemoryTermStore

OBO = """format-version: 1.2
data-version: releases/2024-02-03
ontology: cl

[Term]
id: CL:0000000
name: cell

[Term]
id: CL:0000540
name: neuron {source="x"} ! a comment
def: "Says \\"hello\\"." []
synonym: "nerve cell" EXACT []
synonym: "neuronal thing" RELATED []
alt_id: CL:0000999
is_a: CL:0000000 {is_inferred="true"} ! cell

[Term]
id: CL:0000001
name: obsolete old cell
is_obsolete: true
replaced_by: CL:0000540

[Typedef]
id: part_of
name: part of
"""

OWL = """<?xml version="1.0"?>
<!DOCTYPE rdf:RDF [<!ENTITY obo "http://purl.obolibrary.org/obo/">]>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
  xmlns:owl="http://www.w3.org/2002/07/owl#" xmlns:rdfs="http://www.w3.org/2000/01/rdf-schema#"
  xmlns:oio="http://www.geneontology.org/formats/oboInOwl#"
  xmlns:obo="http://purl.obolibrary.org/obo/">
<owl:Ontology rdf:about="http://purl.obolibrary.org/obo/cl.owl">
  <owl:versionIRI rdf:resource="http://purl.obolibrary.org/obo/cl/releases/2024-02-03/cl.owl"/>
</owl:Ontology>
<owl:Class rdf:about="&obo;CL_0000000"><rdfs:label>cell</rdfs:label></owl:Class>
<owl:Class rdf:about="&obo;CL_0000540">
  <rdfs:label xml:lang="de">Nervenzelle</rdfs:label><rdfs:label xml:lang="en">neuron</rdfs:label>
  <oio:hasExactSynonym>nerve cell</oio:hasExactSynonym>
  <oio:hasAlternativeId>CL:0000999</oio:hasAlternativeId>
  <rdfs:subClassOf rdf:resource="&obo;CL_0000000"/>
  <rdfs:subClassOf><owl:Restriction><owl:onProperty rdf:resource="&obo;BFO_0000050"/>
    <owl:someValuesFrom rdf:resource="&obo;UBERON_0001016"/></owl:Restriction></rdfs:subClassOf>
</owl:Class>
<owl:Class rdf:about="&obo;CL_0000001"><rdfs:label>obsolete old cell</rdfs:label>
  <owl:deprecated>true</owl:deprecated><obo:IAO_0100001 rdf:resource="&obo;CL_0000540"/></owl:Class>
</rdf:RDF>
"""

FUNCTIONAL = """Prefix(obo:=<http://purl.obolibrary.org/obo/>)
Prefix(rdfs:=<http://www.w3.org/2000/01/rdf-schema#>)
Prefix(owl:=<http://www.w3.org/2002/07/owl#>)
Prefix(oio:=<http://www.geneontology.org/formats/oboInOwl#>)
Ontology(<http://purl.obolibrary.org/obo/cl.owl>
<http://purl.obolibrary.org/obo/cl/2024-02-03/cl.owl>
Declaration(Class(obo:CL_0000000))
Declaration(Class(obo:CL_0000540))
Declaration(Class(obo:CL_0000001))
# a comment (with brackets
AnnotationAssertion(rdfs:label obo:CL_0000000 "cell")
AnnotationAssertion(rdfs:label obo:CL_0000540 "neuron"@en)
AnnotationAssertion(Annotation(oio:hasDbXref "x (y")
  oio:hasExactSynonym obo:CL_0000540 "nerve cell")
AnnotationAssertion(oio:hasAlternativeId obo:CL_0000540 "CL:0000999")
AnnotationAssertion(rdfs:label obo:CL_0000001 "obsolete old cell")
AnnotationAssertion(owl:deprecated obo:CL_0000001 "true"^^<http://www.w3.org/2001/XMLSchema#boolean>)
AnnotationAssertion(obo:IAO_0100001 obo:CL_0000001 obo:CL_0000540)
SubClassOf(obo:CL_0000540 obo:CL_0000000)
SubClassOf(obo:CL_0000540 ObjectSomeValuesFrom(obo:BFO_0000050 obo:UBERON_0001016))
)
"""

GRAPHS = json.dumps(
    {
        "graphs": [
            {
                "id": "http://purl.obolibrary.org/obo/cl.owl",
                "meta": {"version": "http://purl.obolibrary.org/obo/cl/2024-02-03/cl.owl"},
                "nodes": [
                    {
                        "id": "http://purl.obolibrary.org/obo/CL_0000000",
                        "lbl": "cell",
                        "type": "CLASS",
                    },
                    {
                        "id": "http://purl.obolibrary.org/obo/CL_0000540",
                        "lbl": "neuron",
                        "type": "CLASS",
                        "meta": {
                            "synonyms": [{"pred": "hasExactSynonym", "val": "nerve cell"}],
                            "basicPropertyValues": [
                                {
                                    "pred": "oio:hasAlternativeId",
                                    "val": "CL:0000999",
                                }
                            ],
                        },
                    },
                    {
                        "id": "http://purl.obolibrary.org/obo/CL_0000001",
                        "lbl": "obsolete old cell",
                        "meta": {
                            "deprecated": True,
                            "basicPropertyValues": [
                                {
                                    "pred": "http://purl.obolibrary.org/obo/IAO_0100001",
                                    "val": "http://purl.obolibrary.org/obo/CL_0000540",
                                }
                            ],
                        },
                    },
                    {"id": "http://purl.obolibrary.org/obo/BFO_0000050", "type": "PROPERTY"},
                ],
                "edges": [
                    {
                        "sub": "http://purl.obolibrary.org/obo/CL_0000540",
                        "pred": "is_a",
                        "obj": "http://purl.obolibrary.org/obo/CL_0000000",
                    }
                ],
            }
        ]
    }
)
# A synonym without quotes, and a tag without colon: pronto refuses the whole file for them.
BROKEN_OBO = OBO.replace("[Typedef]", "synonym: no quotes EXACT []\nnonsense\n\n[Typedef]")


@pytest.mark.parametrize(
    ("name", "content", "reader"),
    [
        ("x.obo", OBO, "pronto"),
        ("x.obo", BROKEN_OBO, "obo"),
        ("x.owl", OWL, "owl"),
        ("x.owl", OWL.replace('de">Nervenzelle', 'en">neuron'), "pronto"),
        ("x.ofn", FUNCTIONAL, "functional"),
        ("x.json", GRAPHS, "obographs"),
    ],
)
def test_every_format_tells_the_same(tmp_path, name, content, reader):
    path = tmp_path / name
    path.write_text(content)
    document = read(path)
    assert (document.name, document.version, document.reader) == ("cl", "2024-02-03", reader)
    store = MemoryTermStore(document.terms)
    neuron = store.get("CL:0000540")
    assert neuron.label == "neuron"
    assert ("EXACT", "nerve cell") in neuron.synonyms
    assert store.ancestors("CL:0000540") == {"CL:0000000"}
    assert store.get("CL:0000001").obsolete
    assert store.get("CL:0000001").replaced_by == ("CL:0000540",)
    assert store.get("CL:0000999").replaced_by == ("CL:0000540",)
    assert store.find("old cell")[0].curie == "CL:0000540"


def test_tolerant_reader_says_what_it_skipped(tmp_path):
    path = tmp_path / "x.obo"
    path.write_text(BROKEN_OBO)
    document = read(path)
    terms = {term.curie: term for term in document.terms}
    assert terms["CL:0000540"].definition == 'Says "hello".'
    assert ("RELATED", "neuronal thing") in terms["CL:0000540"].synonyms
    lines = "\n".join(document.skipped.lines())
    assert "pronto refused the file" in lines
    assert "synonym without quotes, first: no quotes EXACT" in lines
    assert "line that is no tag, first: nonsense" in lines
    assert "frame [typedef]" in lines


def test_gzip_is_known_by_its_content(tmp_path):
    path = tmp_path / "cl.obo"
    path.write_bytes(gzip.compress(OBO.encode()))
    assert len(list(read(path).terms)) == 4


def test_name_comes_from_the_file_when_the_header_has_none(tmp_path):
    path = tmp_path / "zfa-2026-06-02.obo"
    path.write_text("[Term]\nid: ZFA:1\nname: eye\n")
    document = read(path)
    assert (document.name, document.version) == ("zfa", "2026-06-02")


def test_byte_order_mark_latin_1_and_continued_lines(tmp_path):
    path = tmp_path / "x.obo"
    text = '\ufeffformat-version: 1.2\n\n[Term]\nid: X:1\nname: na\\\nme\nsynonym: "caf'.encode()
    path.write_bytes(text + b'\xe9" EXACT []\n')
    (term,) = read(path).terms
    assert term.label == "name"
    assert term.synonyms == (("EXACT", "café"),)


def test_cellxgene_table(tmp_path):
    path = tmp_path / "CL-2026-03-26.json"
    rows = {
        "CL:0000000": {"label": "cell", "ancestors": {}, "deprecated": False},
        "CL:0000540": {
            "label": "neuron",
            "ancestors": {"CL:0000000": 1, "BFO:1": 2},
            "synonyms": ["nerve cell", 3],
            "deprecated": False,
        },
        "CL:1": {"label": "gone", "deprecated": True, "replaced_by": "CL:0000540"},
    }
    path.write_text(json.dumps(rows))
    document = read(path)
    assert (document.name, document.version) == ("cl", "2026-03-26")
    terms = {term.curie: term for term in document.terms}
    assert terms["CL:0000540"].parents == ("CL:0000000",)
    assert terms["CL:0000540"].synonyms == (("EXACT", "nerve cell"),)
    assert terms["CL:1"].replaced_by == ("CL:0000540",)


NOT_ONTOLOGIES = [
    (b"", "empty"),
    (b"<!DOCTYPE html><html><body>Please log in</body></html>", "web page"),
    (b"\n<HTML><head>", "web page"),
    (b"a,b,c\n1,2,3\n", "neither OBO"),
    (b"\x00\x01\x02" * 100, "neither OBO"),
    (b"{}", "no ontology"),
    (b'{"graphs": []}', "no class"),
    (b'{"graphs": [{"nodes": [{"id": 3}, 7], "edges": 5}]}', "no class"),
    (b'{"a": ', "broken"),
    (b'{"a": "\xf0("}', "broken"),
    (b"[" * 10, "neither OBO"),
    (b'{"a":' + b"[" * 100_000, "broken"),
    (b"Ontology(<http://x> Declaration(Class(", "in the middle"),
    (b"Ontology(" + b"A(" * 100_000, "deeply"),
    (b"Ontology(<http://x>)", "no class"),
    (b"format-version: 1.2\n", "no term"),
    (b"@prefix owl: <http://www.w3.org/2002/07/owl#> .", "no class or concept"),
    (OWL[: len(OWL) // 2].encode(), "broken"),
    (gzip.compress(OBO.encode() * 50)[:-30], "in the middle"),
    (b"\x1f\x8b" + b"x" * 100, "gzip"),
    (b"#parfocal-terms\n", "first line"),
]


@pytest.mark.parametrize(("content", "reason"), NOT_ONTOLOGIES, ids=lambda v: str(v)[:20])
def test_what_is_no_ontology_is_named(tmp_path, content, reason):
    path = tmp_path / "x.obo"
    path.write_bytes(content)
    with pytest.raises(OntologyInvalid, match=reason) as error:
        list(read(path).terms)
    assert error.value.where


def test_missing_file_and_folder_are_named(tmp_path):
    for path in (tmp_path / "no.obo", tmp_path):
        with pytest.raises(OntologyInvalid, match="cannot be read") as error:
            read(path)
        assert str(path) in str(error.value)


def test_entities_neither_explode_nor_reach_files(tmp_path):
    (tmp_path / "secret").write_text("secret")
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bomb = OWL.replace("<!ENTITY obo", f'<!ENTITY l0 "lol">{levels}<!ENTITY obo')
    bomb = bomb.replace("<rdfs:label>cell<", "<rdfs:label>&l9;<")
    outside = OWL.replace("<!ENTITY obo", f'<!ENTITY f SYSTEM "{tmp_path / "secret"}"><!ENTITY obo')
    outside = outside.replace("<rdfs:label>cell<", "<rdfs:label>&f;<")
    for content in (bomb, outside):
        path = tmp_path / "x.owl"
        path.write_text(content)
        start = time.perf_counter()
        try:
            labels = {term.label for term in read(path).terms}
        except OntologyInvalid:
            labels = set()
        assert "secret" not in labels
        assert time.perf_counter() - start < 5


def test_size_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr("ontology.load.MAX_BYTES", 1000)
    path = tmp_path / "x.obo"
    path.write_text(OBO + "\n" + "! comment\n" * 1000)
    document = read(path)
    assert document.reader == "obo"
    assert "too large for pronto" in "\n".join(document.skipped.lines())
    assert len(list(document.terms)) == 4


def test_bomb_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr("ontology.opening.open_bytes.__defaults__", (100_000,))
    path = tmp_path / "x.obo"
    path.write_bytes(gzip.compress(OBO.encode() + b"! comment\n" * 100_000))
    with pytest.raises(OntologyInvalid, match="larger"):
        list(read(path).terms)


def test_bundled_tables_are_whole(tmp_path):
    paths = bundled()
    assert sum(path.stat().st_size for path in paths) < 300_000
    store = SqliteTermStore(tmp_path / "terms.sqlite")
    loaded = store.load_bundled()
    assert len(loaded) == len(paths) + 1 >= 12
    assert not any(summary.skipped for summary in loaded)
    assert store.load_bundled() == ()
    expected = {
        "human": "NCBITaxon:9606",
        "HeLa": "EFO:0001185",
        "U2OS": "EFO:0002869",
        "confocal microscopy": "FBbi:00000251",
        "elongated cell phenotype": "CMPO:0000077",
        "liver": "UBERON:0002107",
        "male": "PATO:0000384",
        "fibroblast": "CL:0000057",
    }
    for text, curie in expected.items():
        assert curie in {match.curie for match in store.find(text)}, text
    assert "NCBITaxon:40674" in store.ancestors("NCBITaxon:9606")
    assert "NCBITaxon:4751" in store.ancestors("NCBITaxon:4896")
    store.close()


def test_bundled_tables_do_not_replace_a_release(tmp_path):
    path = tmp_path / "cl.obo"
    path.write_text(OBO)
    store = SqliteTermStore(tmp_path / "terms.sqlite")
    store.load(read(path))
    assert "cl" not in {summary.name for summary in store.load_bundled()}
    assert next(one for one in store.ontologies() if one.name == "cl").reader == "pronto"
    store.close()


# ------------------------------------------------------------------ real files

REFUSED = {
    "cl-fbbt.sssom.tsv", "example-g2d.mim2gene.tsv", "example-hpoa-g2d.tsv", "foo.tsv",
    "go-nucleus-ic.tsv", "test-pairwise-associations.tsv", "test.hpoa.tsv", "test_ic.tsv",
    "uniprot-P12345.json", "unreciprocated-mapping-test.sssom.tsv",
}  # fmt: skip


@pytest.mark.corpus
def test_every_real_file_loads_or_says_why(corpus):
    readers: Counter[str] = Counter()
    for path in sorted((corpus / "ontologies").rglob("*")):
        if path.is_dir() or path.stat().st_size > 3_000_000:
            continue
        if path.name in REFUSED:
            with pytest.raises(OntologyInvalid):
                list(read(path).terms)
            continue
        document = read(path)
        terms = list(document.terms)
        assert any(term.label for term in terms), path
        assert document.name, path
        readers[document.reader] += 1
        if document.reader == "obo":
            assert "pronto refused" in "\n".join(document.skipped.lines())
    assert readers["pronto"] >= 20
    assert readers["obo"] >= 10
    assert {"functional", "cellxgene", "obographs"} <= readers.keys()


def test_text_that_ends_within_a_quote_is_refused(tmp_path):
    whole = "ontology: x\n\n[Term]\nid: X:1\nname: one\n\n[Term]\nid: X:2\nname: two\n"
    cut = tmp_path / "x.obo"
    cut.write_text(whole + 'def: "what was cut')
    with pytest.raises(OntologyInvalid, match="ends in the middle"):
        list(read(cut).terms)
    cut.write_text(whole + 'def: "what was \\"not\\" cut" []')
    assert len(list(read(cut).terms)) == 2
