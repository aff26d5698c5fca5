"""Quality on curators' own words, compared with the table in docs/: it may not fall."""

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from parfocal.cli import root

pytestmark = pytest.mark.corpus
STORED = Path(__file__).parents[2] / "docs" / "evaluation.json"
TOGETHER = "organism+cell_line+tissue+imaging_method"


def test_quality_has_not_fallen(corpus, tmp_path):
    folder = corpus / "queries" / "annotator-gold"
    gold = [str(folder / name) for name in ("gold-study.tsv", "gold-row.tsv.gz")]
    options = ["--data-dir", str(tmp_path), "ontology", "evaluate", *gold, "--json"]
    run = CliRunner().invoke(root, [*options, "--compare", str(STORED)])
    assert run.exit_code == 0, run.output[-2000:]
    fields = msgspec.json.decode(run.stdout)["fields"]
    assert fields[TOGETHER]["f1"] >= 0.95
    assert fields[TOGETHER]["precision"] >= 0.97
    assert fields["phenotype"]["f1"] >= 0.80
