"""Commands ``parfocal harvest`` and ``parfocal sources``."""

from __future__ import annotations

import click
import msgspec

from parfocal.bars import bars
from parfocal.catalogue import Catalogue
from parfocal.config import Settings
from parfocal.errors import ConfigError
from parfocal.harvesting import harvest as harvest_sources
from parfocal.model import Viewer
from parfocal.printing import print_json, print_table
from parfocal.values import RunReport

_DONE_WITH_PROBLEMS = 3
_FAILED = 4


@click.command()
@click.argument("names", metavar="[SOURCE]...", nargs=-1)
@click.option("--full", is_flag=True, help="Read everything anew, also what has not changed.")
@click.option("--allow-shrink", is_flag=True, help="Tombstone even when most of a source is gone.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def harvest(
    ctx: click.Context, names: tuple[str, ...], full: bool, allow_shrink: bool, as_json: bool
) -> None:
    """Harvest the configured sources, or the named ones.

    Only what changed is read again. A run that was killed goes on where it was. Exit code 3 means:
    done, but some items could not be read.
    """
    settings: Settings = ctx.obj
    if not settings.sources:
        raise ConfigError(
            "no source is configured", hint="add a [[sources]] table to parfocal.toml"
        )
    with Catalogue.open(settings) as catalogue, bars() as show:
        reports = []
        for report in harvest_sources(
            catalogue, names, full=full, allow_shrink=allow_shrink, progress=show
        ):
            reports.append(report)
            if not as_json:
                _print_report(report)
    if as_json:
        print_json(reports)
    ctx.exit(_exit_code(reports))


def _exit_code(reports: list[RunReport]) -> int:
    if any(report.state == "failed" for report in reports):
        return _FAILED
    return _DONE_WITH_PROBLEMS if any(report.problems for report in reports) else 0


def _print_report(report: RunReport) -> None:
    counts = report.counts
    click.echo(
        f"{report.source}: {counts.new:,} new, {counts.changed:,} changed,"
        f" {counts.unchanged:,} unchanged, {counts.tombstoned:,} tombstoned;"
        f" {report.problems:,} problems, {report.warnings:,} warnings"
    )
    if report.message:
        click.echo(f"  {report.message}")
    if report.problems or report.warnings:
        click.echo(f"  see: parfocal sources show {report.source} --problems")


@click.group()
def sources() -> None:
    """Look at the archives: what they hold, how their last harvest went."""


@sources.command("list")
@click.option("--group", "groups", multiple=True, help="Look as a member of this group.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_sources(settings: Settings, groups: tuple[str, ...], as_json: bool) -> None:
    """List all sources with their records and their last run."""
    with Catalogue.open(settings) as catalogue:
        views = catalogue.sources(Viewer(frozenset(groups)))
    if as_json:
        print_json(views)
        return
    rows = []
    for view in views:
        run = view.state.last_run
        state, when = (run.state, run.finished) if run else ("never harvested", "")
        problems = run.problems if run else 0
        rows.append((view.name, view.kind, view.records, state, when, problems))
    print_table(("source", "kind", "records", "last run", "at", "problems"), rows)


@sources.command()
@click.argument("name")
@click.option("--problems", is_flag=True, help="List what could not be read or believed, and why.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def show(settings: Settings, name: str, problems: bool, as_json: bool) -> None:
    """Show one source's runs, or its problems."""
    with Catalogue.open(settings, read_only=True) as catalogue:
        known = {state.name for state in catalogue.store.sources()}
        if name not in known:
            settings.source(name)
        found = []
        after = 0
        while problems and (page := catalogue.store.problems(name, after=after)):
            found += [problem for _, problem in page]
            after = page[-1][0]
        runs = catalogue.store.runs(name)
    if as_json:
        print_json(
            {"name": name, "runs": runs, "problems": found}
            if problems
            else {"name": name, "runs": runs}
        )
    elif problems:
        for problem in found:
            place = f", {problem.place}" if problem.place else ""
            click.echo(f"{problem.severity}: {problem.item}{place}: {problem.reason}")
            if problem.hint:
                click.echo(f"  hint: {problem.hint}")
        click.echo(f"{len(found):,} in all")
    else:
        print_table(
            (
                "run",
                "state",
                "started",
                "finished",
                "new",
                "changed",
                "unchanged",
                "tombstoned",
                "problems",
            ),
            [
                (
                    run.run,
                    run.state,
                    run.started,
                    run.finished,
                    *msgspec.structs.astuple(run.counts),
                    run.problems,
                )
                for run in runs
            ],
        )
