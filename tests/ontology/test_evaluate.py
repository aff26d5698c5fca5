import gzip

import msgspec
import pytest
from click.testing import CliRunner

from ontology.evaluate import evaluate, learned_from
from ontology.gold import read_gold
from ontology.reading import Reader
from parfocal.cli import root
from parfocal.errors import ConfigError
from parfocal.terms import MemoryTermStore
from parfocal.testing.terms import TAXA, term

HEADER = "study\tfield\ttext\taccession\tsuspect_dragfill\n"
ROWS = (
    "s1\tOrganism\tHomo sapiens\tNCBITaxon_9606\t0\n"
    "s2\tCharacteristics [Organism]\tHomo sapiens\tNCBITaxon:9606\t0\n"
    "s2\tOrganism\tHomo sapiens\tNCBITaxon:9607\t1\n"
    "s1\tOrganism\tmouse\tNCBITaxon:10090\t0\n"
    "s1\tPhenotype\tblob\tCMPO:1\t0\n"
    "s2\tPhenotype 3\tblob\tCMPO:1\t0\n"
    "s1\tOrganism\tmartian\tGBIF:1\t0\n"
    "s2\tOrganism\tMus\tNCBITaxon:9606\t0\n"
    "s1\tSomething\tx\tEFO:1\t0\n"
)
TERMS = (*TAXA, term("CMPO:1", "round cell phenotype"))


@pytest.fixture
def gold(tmp_path):
    path = tmp_path / "gold.tsv"
    path.write_text(HEADER + ROWS)
    return path


def evaluated(gold, *, learn):
    terms = MemoryTermStore(TERMS)
    rows = read_gold(gold)
    return evaluate(
        rows, Reader(terms, learned=learned_from(rows, terms) if learn else None), terms
    )


def test_pairs_are_counted_once_and_by_study(gold):
    found = evaluated(gold, learn=False)
    assert found.fields["organism"].pairs == 2
    assert found.fields["organism"].f1 == 1.0
    assert found.together.pairs == 2
    assert found.fields["phenotype"].recall == 0.0
    assert [miss.text for miss in found.misses] == ["blob"]


def test_what_is_not_loaded_or_doubtful_stands_apart(gold):
    found = evaluated(gold, learn=False)
    assert found.unanswerable == {"GBIF": 1}
    assert [(miss.text, miss.gold) for miss in found.doubtful] == [("Mus", ("NCBITaxon:9606",))]
    assert "no name of the accession" in found.doubtful[0].reason


def test_a_study_never_learns_from_itself(gold):
    assert evaluated(gold, learn=True).fields["phenotype"].recall == 1.0
    alone = gold.with_name("alone.tsv")
    alone.write_text(HEADER + "s1\tPhenotype\tblob\tCMPO:1\t0\n")
    assert evaluated(alone, learn=True).fields["phenotype"].recall == 0.0


def test_gold_may_be_gzipped(gold):
    zipped = gold.with_suffix(".gz")
    zipped.write_bytes(gzip.compress(gold.read_bytes()))
    assert read_gold(zipped) == read_gold(gold)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"study\tfield\ttext\n", "no column accession"),
        (b"", "no column study, field, text, accession; it has none"),
        (b"\x1f\x8bcut", "cannot be read"),
        (b"study\xff\t", "not UTF-8"),
    ],
)
def test_wrong_gold_is_named(tmp_path, content, said):
    path = tmp_path / "gold.tsv"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=said) as raised:
        read_gold(path)
    assert raised.value.where == str(path)


def test_command_prints_tables_and_compares(gold, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke(root, ["ontology", "evaluate", str(gold)])
    assert run.exit_code == 0, run.output
    assert "organism+cell_line+tissue+imaging_method" in run.output
    table = CliRunner().invoke(root, ["ontology", "evaluate", str(gold), "--json"])
    stored = msgspec.json.decode(table.output)
    assert stored["fields"]["organism"]["f1"] == 1.0
    stored["fields"]["cell_line"] = {"f1": 1.0}
    (tmp_path / "stored.json").write_bytes(msgspec.json.encode(stored))
    worse = CliRunner().invoke(
        root, ["ontology", "evaluate", str(gold), "--compare", "stored.json"]
    )
    assert worse.exit_code == 1
    assert "cell_line: F1 0.0000, was 1.0000" in worse.output


def test_command_writes_a_plot(gold, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke(root, ["ontology", "evaluate", str(gold), "--plot", "plot.svg"])
    assert run.exit_code == 0, run.output
    assert "</svg>" in (tmp_path / "plot.svg").read_text()
