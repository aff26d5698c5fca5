"""Commands ``parfocal harvest``, ``renormalise``, ``reannotate`` and ``sources``."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from datetime import datetime
from itertools import islice
from typing import Any

import click
import msgspec

from harvester.same_cli import same
from harvester.watching import Watch
from parfocal.bars import bars
from parfocal.catalogue import Catalogue
from parfocal.config import Settings
from parfocal.errors import ConfigError
from parfocal.followers import silent
from parfocal.harvesting import harvest as harvest_sources
from parfocal.harvesting import rebuild_records
from parfocal.model import Viewer
from parfocal.pipeline import Wanted
from parfocal.preview import Difference, catalogue_for_preview, preview
from parfocal.printing import duration, print_json, print_table, say
from parfocal.rebuilding import How
from parfocal.values import REBUILDS, Problem, RunReport

_DONE_WITH_PROBLEMS = 3
_FAILED = 4
_MOST_IN_JSON = 10_000
_MOST_PROBLEMS = 100
_LONGEST_VALUE = 70
_SIGNS = {"new": "+", "changed": "~", "tombstoned": "-"}


@click.command()
@click.argument("names", metavar="[SOURCE]...", nargs=-1)
@click.option("--full", is_flag=True, help="Read everything anew, also what has not changed.")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="Ask only for what changed on that day or later.",
)
@click.option(
    "--limit",
    type=click.IntRange(1),
    help="Stop after so many items; tombstone nothing.",
)
@click.option("--allow-shrink", is_flag=True, help="Tombstone even when most of a source is gone.")
@click.option("--dry-run", is_flag=True, help="Say what would change; write nothing.")
@click.option("--watch", is_flag=True, help="Go on: harvest folders again when files change.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def harvest(
    ctx: click.Context,
    names: tuple[str, ...],
    full: bool,
    since: datetime | None,
    limit: int | None,
    allow_shrink: bool,
    dry_run: bool,
    watch: bool,
    as_json: bool,
) -> None:
    """Harvest the configured sources, or the named ones, side by side.

    Only what changed is read again. A run that was killed goes on where it was. Exit code 3 means:
    done, but some items could not be read.
    """
    settings = _with_sources(ctx.obj)
    wanted = Wanted("", full, allow_shrink, since.date() if since else None, limit or 0)
    if watch:
        reports = _watched(settings, names, wanted, as_json, refused=dry_run or bool(limit))
    elif dry_run:
        reports = _preview(settings, names, wanted, as_json)
    else:
        with Catalogue.open(settings) as catalogue, bars() as show:
            reports = _told(
                harvest_sources(catalogue, names, wanted=wanted, progress=show), as_json
            )
    ctx.exit(_exit_code(reports))


def _watched(
    settings: Settings, names: tuple[str, ...], wanted: Wanted, as_json: bool, *, refused: bool
) -> list[RunReport]:
    """Harvest, then again whenever something changes, until the command is interrupted."""
    if refused:
        raise click.UsageError("--watch goes neither with --dry-run nor with --limit")
    told: list[RunReport] = []
    with Catalogue.open(settings) as catalogue, closing(Watch(catalogue, names)) as watch:
        with bars() as show:
            told = _told(harvest_sources(catalogue, names, wanted=wanted, progress=show), as_json)
        say("watching; Ctrl-C ends it", err=True)
        try:
            for report in watch.reports(silent):
                _told([report], as_json)
        except KeyboardInterrupt:
            say("no longer watching", err=True)
    return told


def _with_sources(settings: Settings) -> Settings:
    if not settings.sources:
        raise ConfigError(
            "no source is configured", hint="add a [[sources]] table to parfocal.toml"
        )
    return settings


def _told(reports: Iterable[RunReport], as_json: bool) -> list[RunReport]:
    """Print reports as they come, or all as JSON; return them."""
    told = []
    try:
        for report in reports:
            told.append(report)
            if not as_json:
                _print_report(report)
    finally:
        # Whatever breaks this off, the runs must end before the catalogue closes.
        if isinstance(reports, Generator):
            reports.close()
    if as_json:
        print_json(told)
    return told


def _exit_code(reports: list[RunReport]) -> int:
    if any(report.state == "failed" for report in reports):
        return _FAILED
    return _DONE_WITH_PROBLEMS if any(report.problems for report in reports) else 0


def _print_report(report: RunReport, *, kept: bool = True) -> None:
    counts = report.counts
    what = f" ({report.scope})" if report.scope in REBUILDS else ""
    say(
        f"{report.source}{what}: {counts.new:,} new, {counts.changed:,} changed,"
        f" {counts.unchanged:,} unchanged, {counts.tombstoned:,} tombstoned;"
        f" {report.problems:,} problems, {report.warnings:,} warnings"
    )
    if report.message:
        say(f"  {report.message}")
    if kept and (report.problems or report.warnings):
        say(f"  see: parfocal sources show {report.source} --problems")


# ------------------------------------------------------------------ what would change


def _preview(
    settings: Settings, names: tuple[str, ...], wanted: Wanted, as_json: bool
) -> list[RunReport]:
    """Print what a harvest would change, source by source."""
    reports: list[RunReport] = []
    answers: list[dict[str, Any]] = []
    with catalogue_for_preview(settings) as catalogue, bars() as show:
        for found in preview(catalogue, names, wanted=wanted, progress=show):
            reports.append(found.report)
            if as_json:
                answers.append(_as_json(found.report, found.differences))
                continue
            for difference in found.differences:
                _print_difference(difference)
            _print_report(found.report, kept=False)
            for problem in islice(found.problems, _MOST_PROBLEMS):
                _print_problem(problem)
    if as_json:
        print_json(answers)
    else:
        say("nothing was written")
    return reports


def _as_json(report: RunReport, differences: Iterable[Difference]) -> dict[str, Any]:
    changes: list[Difference] = []
    left_out = 0
    for difference in differences:
        if len(changes) < _MOST_IN_JSON:
            changes.append(difference)
        else:
            left_out += 1
    return {"report": report, "changes": changes, "left_out": left_out}


def _print_difference(difference: Difference) -> None:
    title = " ".join(difference.title.split())[:_LONGEST_VALUE]
    say(f"{_SIGNS[difference.kind]} {difference.id}  {title}")
    for change in difference.fields:
        before, after = change.before, change.after
        if isinstance(before, list | tuple) and isinstance(after, list | tuple):
            gone = [one for one in before if one not in after]
            come = [one for one in after if one not in before]
            before, after = (gone, come) if gone or come else (before, after)
        say(f"    {change.field}: {_short(before)} -> {_short(after)}")


def _short(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."


# ------------------------------------------------------------------ made anew of what is kept


def _rebuild(
    ctx: click.Context, how: How, names: tuple[str, ...], allow_shrink: bool, as_json: bool
) -> None:
    with Catalogue.open(_with_sources(ctx.obj)) as catalogue, bars() as show:
        runs = rebuild_records(catalogue, how, names, allow_shrink=allow_shrink, progress=show)
        reports = _told(runs, as_json)
    ctx.exit(_exit_code(reports))


def _rebuilding(command: Callable[..., None]) -> click.Command:
    """Give a command the argument and options that both have."""
    for decorate in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
        click.option(
            "--allow-shrink", is_flag=True, help="Tombstone even when most of a source is gone."
        ),
        click.argument("names", metavar="[SOURCE]...", nargs=-1),
    ):
        command = decorate(command)
    return click.command()(command)


@_rebuilding
@click.pass_context
def renormalise(
    ctx: click.Context, names: tuple[str, ...], allow_shrink: bool, as_json: bool
) -> None:
    """Make all records anew of the kept raw items; no archive is asked.

    For after an update, or after a change of who may see a source. A run that was killed goes on
    where it was.
    """
    _rebuild(ctx, "renormalise", names, allow_shrink, as_json)


@_rebuilding
@click.pass_context
def reannotate(
    ctx: click.Context, names: tuple[str, ...], allow_shrink: bool, as_json: bool
) -> None:
    """Make the annotators' claims anew in all records; no archive is asked.

    For after loading ontologies; also works where raw items are not kept. A run that was killed
    goes on where it was.
    """
    _rebuild(ctx, "reannotate", names, allow_shrink, as_json)


# ------------------------------------------------------------------ looking at sources


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


sources.add_command(same)


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
            _print_problem(problem)
        say(f"{len(found):,} in all")
    else:
        _print_runs(runs)


def _print_problem(problem: Problem) -> None:
    place = f", {problem.place}" if problem.place else ""
    say(f"{problem.severity}: {problem.item}{place}: {problem.reason}")
    if problem.hint:
        say(f"  hint: {problem.hint}")


def _print_runs(runs: Iterable[RunReport]) -> None:
    headers = "run,what,state,started,duration,new,changed,unchanged,tombstoned,requests,bytes"
    rows = [
        (
            run.run,
            run.scope or "all",
            run.state,
            run.started,
            duration(run.seconds),
            *msgspec.structs.astuple(run.counts),
            run.requests,
            run.received,
            run.problems,
            run.warnings,
        )
        for run in runs
    ]
    print_table((*headers.split(","), "problems", "warnings"), rows)
    for run in runs:
        if run.message:
            say(f"run {run.run}: {run.message}")
