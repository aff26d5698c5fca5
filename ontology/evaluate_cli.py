"""Command ``parfocal ontology evaluate``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click
import msgspec

from ontology.evaluate import TOGETHER, Evaluation, Miss, Score, evaluate, learned_from
from ontology.gold import GoldRow, read_gold
from ontology.reading import Reader
from ontology.reliability import reliability_plot
from ontology.terms import open_terms
from parfocal.config import Settings
from parfocal.printing import print_json, print_table

_WORSE = 1
_TOLERANCE = 0.005


@click.command("evaluate")
@click.argument("gold", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--learn", is_flag=True, help="Learn from the gold of all other studies, too.")
@click.option("--errors", default=20, show_default=True, help="How many errors to print.")
@click.option(
    "--compare",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Table of an earlier evaluation (JSON); end with exit code 1 where F1 fell by over 0.005.",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a plot (SVG) of how often answers of a score are right.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as --compare reads it.")
@click.pass_context
def evaluate_command(
    ctx: click.Context,
    gold: tuple[Path, ...],
    learn: bool,
    errors: int,
    compare: Path | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Measure annotation against curators' words (GOLD: tab-separated, see docs/annotation.md).

    Accessions are withheld from the reader; studies are tested one by one. Printed are precision,
    recall and F1 for each field, ontology and method, how far scores can be trusted, and the errors
    by frequency; texts whose gold is in doubt, or of an ontology that is not loaded, apart.
    """
    rows = [row for path in gold for row in read_gold(path)]
    found = _evaluated(ctx.obj, rows, learn=learn)
    table = _table(found)
    if plot is not None:
        plot.write_text(reliability_plot(found.reliability), encoding="utf-8")
    if as_json:
        print_json(
            {
                **table,
                "misses": found.misses,
                "doubtful": found.doubtful,
                "reliability": found.reliability,
            }
        )
    else:
        _print(found, errors)
    worse = _worse(table, compare) if compare else []
    for line in worse:
        click.echo(f"worse than {compare}: {line}", err=True)
    ctx.exit(_WORSE if worse else 0)


def _evaluated(settings: Settings, rows: list[GoldRow], *, learn: bool) -> Evaluation:
    terms = open_terms(settings)
    try:
        learned = learned_from(rows, terms) if learn else None
        return evaluate(rows, Reader(terms, learned=learned), terms)
    finally:
        terms.close()


def _figures(score: Score) -> dict[str, float]:
    return {
        "pairs": score.pairs,
        "precision": round(score.precision, 4),
        "recall": round(score.recall, 4),
        "f1": round(score.f1, 4),
    }


def _table(found: Evaluation) -> dict[str, dict[str, dict[str, float]]]:
    return {
        "fields": {
            **{name: _figures(score) for name, score in found.fields.items()},
            "+".join(TOGETHER): _figures(found.together),
        },
        "ontologies": {name: _figures(score) for name, score in sorted(found.ontologies.items())},
        "methods": {name: _figures(score) for name, score in sorted(found.methods.items())},
    }


def _worse(table: dict[str, dict[str, dict[str, float]]], path: Path) -> list[str]:
    stored = msgspec.json.decode(path.read_bytes(), type=dict[str, msgspec.Raw])
    fields = msgspec.json.decode(stored["fields"], type=dict[str, dict[str, float]])
    return [
        f"{name}: F1 {now['f1']:.4f}, was {was['f1']:.4f}"
        for name, was in fields.items()
        if (now := table["fields"].get(name, {"f1": 0.0}))["f1"] < was["f1"] - _TOLERANCE
    ]


def _print(found: Evaluation, errors: int) -> None:
    for title, scores in (
        ("field", {**found.fields, "+".join(TOGETHER): found.together}),
        ("ontology", found.ontologies),
        ("method", found.methods),
    ):
        rows = [
            (name, score.pairs, f"{score.precision:.3f}", f"{score.recall:.3f}", f"{score.f1:.3f}")
            for name, score in scores.items()
        ]
        print_table((title, "pairs", "precision", "recall", "F1"), rows)
        click.echo()
    shares = [
        (f"{one.lowest:.2f} - {one.highest:.2f}", f"{one.pairs:.0f}", f"{one.right:.3f}")
        for one in found.reliability
    ]
    print_table(("score", "pairs", "right"), shares)
    _print_misses("not or wrongly answered", found.misses[:errors], len(found.misses))
    _print_misses("gold in doubt, not counted", found.doubtful[:errors], len(found.doubtful))
    left_out = ", ".join(f"{name} {count}" for name, count in sorted(found.unanswerable.items()))
    if left_out:
        click.echo(f"\nnot loaded, not counted: {left_out}")


def _print_misses(title: str, misses: Iterable[Miss], total: int) -> None:
    if not total:
        return
    click.echo(f"\n{title}: {total}")
    for miss in misses:
        answer = f"{miss.answer} {miss.label} ({miss.method})" if miss.answer else "no answer"
        reason = f"; {miss.reason}" if miss.reason else ""
        click.echo(
            f"  {miss.field}: {miss.text!r}, {miss.studies} studies: {', '.join(miss.gold)};"
            f" {answer}{reason}"
        )
