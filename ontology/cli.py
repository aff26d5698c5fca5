"""Commands ``parfocal ontology load`` and ``parfocal ontology list``."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from ontology.evaluate_cli import evaluate_command
from ontology.learning_cli import learn_command
from ontology.load import read
from ontology.review_cli import decide_command, review_command
from ontology.terms import SqliteTermStore, open_terms
from ontology.update_cli import find_command, update_command
from parfocal.bars import bars
from parfocal.config import Settings
from parfocal.errors import OntologyInvalid
from parfocal.followers import Progress
from parfocal.printing import print_json, print_table
from parfocal.values import OntologySummary

_DONE_WITH_PROBLEMS = 3


@click.group()
def ontology() -> None:
    """Load ontologies; list what is loaded."""


ontology.add_command(evaluate_command)
ontology.add_command(learn_command)
ontology.add_command(review_command)
ontology.add_command(decide_command)
ontology.add_command(update_command)
ontology.add_command(find_command)


@ontology.command()
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--bundled",
    "with_bundled",
    is_flag=True,
    help="Load the tables shipped with it, where nothing better is loaded.",
)
@click.option("--allow-shrink", is_flag=True, help="Load also what lost many of its terms.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def load(
    ctx: click.Context,
    files: tuple[Path, ...],
    with_bundled: bool,
    allow_shrink: bool,
    as_json: bool,
) -> None:
    """Load OBO, OWL, Turtle, OBO Graphs or cellxgene files, also gzipped.

    Each file replaces the earlier version of its ontology. A file that cannot be read changes
    nothing and the others are still loaded; exit code 3 says so. A single such file is an error.
    """
    if not files and not with_bundled:
        raise click.UsageError("name a file to load, or --bundled")
    store = open_terms(ctx.obj)
    try:
        with bars() as show:
            tables = store.load_bundled(partial(show, "tables", 0, None)) if with_bundled else ()
            done, failed = _load_all(store, files, show, allow_shrink=allow_shrink)
    finally:
        store.close()
    done = [*tables, *done]
    if failed and not done:
        raise failed[0]
    _print(done, failed, as_json=as_json)
    ctx.exit(_DONE_WITH_PROBLEMS if failed else 0)


def _load_all(
    store: SqliteTermStore, files: tuple[Path, ...], show: Progress, *, allow_shrink: bool
) -> tuple[list[OntologySummary], list[OntologyInvalid]]:
    done: list[OntologySummary] = []
    failed: list[OntologyInvalid] = []
    for number, path in enumerate(files):
        shown = partial(show, "terms", number, len(files))
        try:
            summary = store.load(read(path), shown, allow_shrink=allow_shrink)
        except OntologyInvalid as error:
            failed.append(error)
            continue
        done.append(summary)
        show("ontologies", number + 1, len(files), sum(one.terms for one in done))
    return done, failed


def _print(done: list[OntologySummary], failed: list[OntologyInvalid], *, as_json: bool) -> None:
    if as_json:
        problems = [
            {"message": error.message, "where": error.where, "hint": error.hint} for error in failed
        ]
        print_json({"loaded": done, "problems": problems})
        return
    for summary in done:
        version = f" {summary.version}" if summary.version else ""
        click.echo(
            f"{summary.name}{version}: {summary.terms:,} terms, {summary.obsolete:,} obsolete,"
            f" read by {summary.reader}"
        )
        for line in summary.skipped:
            click.echo(f"  skipped {line}")
    for error in failed:
        click.echo(f"not loaded: {error}", err=True)
        click.echo(f"  hint: {error.hint}", err=True)


@ontology.command("list")
@click.option("--skipped", is_flag=True, help="Tell also what was left out of each, and why.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_ontologies(settings: Settings, skipped: bool, as_json: bool) -> None:
    """List the loaded ontologies with version and number of terms."""
    store = open_terms(settings)
    try:
        summaries = store.ontologies()
    finally:
        store.close()
    if as_json:
        print_json(summaries)
        return
    if not summaries:
        click.echo("no ontology is loaded; run: parfocal ontology load --bundled")
        return
    print_table(
        ("ontology", "version", "before", "terms", "obsolete", "reader", "loaded"),
        [(s.name, s.version, s.former, s.terms, s.obsolete, s.reader, s.loaded) for s in summaries],
    )
    for summary in summaries if skipped else ():
        for line in summary.skipped:
            click.echo(f"{summary.name}: skipped {line}")
