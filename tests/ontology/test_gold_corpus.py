"""Quality on curators' own words, compared with the table in docs/: it may not fall."""

import re
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from parfocal.cli import root

pytestmark = pytest.mark.corpus
DOCS = Path(__file__).parents[2] / "docs"
STORED = DOCS / "evaluation.json"
GOLD = ("gold-study.tsv", "gold-row.tsv.gz")
TOGETHER = "organism+cell_line+tissue+imaging_method"


def test_quality_has_not_fallen(corpus, tmp_path):
    folder = corpus / "queries" / "annotator-gold"
    gold = [str(folder / name) for name in GOLD]
    options = ["--data-dir", str(tmp_path), "ontology", "evaluate", *gold, "--json"]
    run = CliRunner().invoke(root, [*options, "--compare", str(STORED)])
    assert run.exit_code == 0, run.output[-2000:]
    fields = msgspec.json.decode(run.stdout)["fields"]
    assert fields[TOGETHER]["f1"] >= 0.95
    assert fields[TOGETHER]["precision"] >= 0.97
    assert fields["phenotype"]["f1"] >= 0.80


def numbers(plot):
    said = re.search(r"<desc[^>]*>(.*)</desc>", plot).group(1)
    return [float(one) for one in re.findall(r"\d+(?:\.\d+)?", said)]


@pytest.mark.parametrize(
    ("name", "options"), [("reliability", ()), ("reliability-learned", ("--learn",))]
)
def test_plots_in_the_docs_are_up_to_date(corpus, tmp_path, name, options):
    folder = corpus / "queries" / "annotator-gold"
    made = tmp_path / "plot.svg"
    gold = [str(folder / each) for each in GOLD]
    command = ["--data-dir", str(tmp_path), "ontology", "evaluate", *gold, *options]
    run = CliRunner().invoke(root, [*command, "--plot", str(made)])
    assert run.exit_code == 0, run.output[-2000:]
    stored = (DOCS / f"{name}.svg").read_text(encoding="utf-8")
    now = made.read_text(encoding="utf-8")
    assert numbers(now) == pytest.approx(numbers(stored), abs=0.02, rel=0.05)
