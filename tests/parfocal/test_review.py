import pytest
from click.testing import CliRunner

from ontology.annotate import ValueAnnotator
from parfocal.catalogue import Catalogue
from parfocal.cli import root
from parfocal.config import Settings
from parfocal.errors import QueryInvalid
from parfocal.identifiers import Curie, record_id
from parfocal.knowledge import Knowledge
from parfocal.model import (
    ANONYMOUS,
    Access,
    Annotation,
    Dataset,
    Image,
    KeyValue,
    Provenance,
    Viewer,
)
from parfocal.review import decide, open_texts, read_decisions, undecided, undo
from parfocal.terms import MemoryTermStore
from parfocal.testing.annotators import well
from parfocal.testing.terms import TAXA, term

TERMS = MemoryTermStore(
    (*TAXA, term("CMPO:1", "round cell phenotype"), term("CMPO:2", "flat cell"))
)


def study(name):
    return Dataset(id=record_id("s", name), ome_type="Study", provenance=Provenance("s", name))


def image(name, in_study, *pairs, said=(), access=()):
    claims = [
        Annotation(f, text, Curie("CMPO:1"), "the label", "label", 0.9, "x") for f, text in said
    ]
    return Image(
        id=record_id("s", name),
        part_of=record_id("s", in_study),
        access=Access(access),
        provenance=Provenance("s", name),
        key_values=tuple(KeyValue(*pair) for pair in pairs),
        annotations=tuple(claims),
    )


RECORDS = (
    study("one"),
    study("two"),
    image("a", "one", ("Phenotype", "blob"), ("Organism", "martian")),
    image("b", "one", ("Phenotype 2", "Blob"), ("Gene Symbol", "CDK1")),
    image("c", "two", ("Phenotype", "blob"), ("Phenotype", "round"), said=[("phenotype", "round")]),
    image("d", "two", ("Phenotype", "round; thing"), said=[("phenotype", "round")]),
    image("f", "two", ("Phenotype Term Name", "The Label"), said=[("phenotype", "words")]),
    image("e", "two", ("Phenotype", "secret"), access=("lab",)),
)


@pytest.fixture
def catalogue():
    with Catalogue.in_memory(RECORDS, terms=TERMS) as opened:
        yield opened


def told(found):
    return [(one.field, one.text, one.records, one.studies) for one in found]


def test_frequent_texts_without_a_term_come_first(catalogue):
    found = open_texts(catalogue.store, ANONYMOUS)
    assert told(found) == [
        ("phenotype", "blob", 2, 2),
        ("organism", "martian", 1, 1),
        ("phenotype", "Blob", 1, 1),
    ]
    assert found[0].keys == ("Phenotype",)


def test_private_texts_are_unseen(catalogue):
    assert "secret" not in [one.text for one in open_texts(catalogue.store, ANONYMOUS)]
    lab = Viewer(frozenset({"lab"}))
    assert "secret" in [one.text for one in open_texts(catalogue.store, lab)]


def test_decided_texts_are_done(catalogue, tmp_path):
    path = tmp_path / "decisions.tsv"
    decide(path, "no-term", "organism", "Martian", "", TERMS, "Ada")
    decide(path, "accept", "phenotype", "blob", "CMPO:1", TERMS, "Ada")
    assert undecided(open_texts(catalogue.store, ANONYMOUS), read_decisions(path)) == []


def test_decisions_replace_each_other_and_are_undone(tmp_path):
    path = tmp_path / "new" / "decisions.tsv"
    decide(path, "accept", "phenotype", "blob", "CMPO:1", TERMS, "Ada")
    decide(path, "accept", "phenotype", "Blob", "CMPO_2", TERMS, "Ada")
    decide(path, "reject", "phenotype", "blob", "CMPO:1", TERMS, "Ada")
    kept = read_decisions(path)
    assert [(one.term, one.negated, one.label) for one in kept] == [
        ("CMPO:2", False, "flat cell"),
        ("CMPO:1", True, "round cell phenotype"),
    ]
    assert {one.author for one in kept} == {"Ada"}
    assert undo(path, "phenotype", "BLOB") == 2
    assert read_decisions(path) == ()
    assert undo(path, "phenotype", "blob") == 0


@pytest.mark.parametrize(
    ("field", "text", "curie", "said"),
    [
        ("nofield", "x", "CMPO:1", "no field"),
        ("phenotype", "", "CMPO:1", "1 to 300"),
        ("phenotype", "x", "CMPO:77", "no loaded ontology"),
        ("phenotype", "x", "not a term", "no loaded ontology"),
    ],
)
def test_impossible_decisions_are_refused(tmp_path, field, text, curie, said):
    with pytest.raises(QueryInvalid, match=said):
        decide(tmp_path / "d.tsv", "accept", field, text, curie, TERMS, "Ada")
    assert not (tmp_path / "d.tsv").exists()


def test_a_decision_is_what_annotators_then_say(tmp_path):
    path = tmp_path / "d.tsv"
    decide(path, "accept", "phenotype", "blob", "CMPO:1", TERMS, "Ada")
    annotator = ValueAnnotator(Knowledge(TERMS, read_decisions(path)))
    (claim,) = annotator.annotate(well(("Phenotype", "Blob")))
    assert (claim.term, claim.method, claim.score) == ("CMPO:1", "decided", 1.0)


def test_commands_list_and_decide(tmp_path):
    with Catalogue.open(Settings(data_dir=tmp_path)) as opened:
        opened.add(RECORDS)
    data = ["--data-dir", str(tmp_path), "ontology"]
    listed = CliRunner().invoke(root, [*data, "review", "--field", "organism"])
    assert "1 texts have no term" in listed.output
    assert "'martian', 1 records of 1 studies, under Organism" in listed.output
    done = CliRunner().invoke(root, [*data, "decide", "species", "martian", "--no-term"])
    assert done.output.startswith("'martian' means no term in organism")
    again = CliRunner().invoke(root, [*data, "review", "--field", "organism"])
    assert "0 texts have no term" in again.output
    undone = CliRunner().invoke(root, [*data, "decide", "organism", "martian", "--undo"])
    assert undone.output == "1 decisions taken back\n"
    both = CliRunner().invoke(root, [*data, "decide", "organism", "x", "--undo", "--no-term"])
    assert both.exit_code == 2
