"""Commands ``parfocal ontology update`` and ``parfocal ontology find``."""

from __future__ import annotations

import click

from ontology.changes import Changes, Comparison, Touched
from ontology.remote import open_remote
from ontology.terms import SqliteTermStore, open_terms
from ontology.update import chosen, update
from parfocal.bars import bars
from parfocal.catalogue import Catalogue
from parfocal.config import Settings
from parfocal.errors import ParfocalError
from parfocal.harvesting import rebuild_records
from parfocal.printing import print_json, print_table
from parfocal.values import RunReport

_DONE_WITH_PROBLEMS = 3


@click.command("update")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Say what would change; load nothing.")
@click.option("--allow-shrink", is_flag=True, help="Load also what lost many of its terms.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def update_command(
    ctx: click.Context, names: tuple[str, ...], dry_run: bool, allow_shrink: bool, as_json: bool
) -> None:
    """Fetch the latest ontologies; tell what changes; claim anew what that touches.

    Their addresses are configured in [ontology.sources]. What cannot be fetched or read changes
    nothing, and the others are still loaded; exit code 3 says so. A single such one is an error.
    """
    settings: Settings = ctx.obj
    sources = chosen(settings, names)
    comparison = Comparison(keep=not dry_run)
    with Catalogue.open(settings) as catalogue:
        before = _up_to_date(catalogue)
        store = open_terms(settings)
        try:
            failed = list(update(settings, store, sources, comparison, allow_shrink=allow_shrink))
        finally:
            store.close()
    if failed and not comparison.found:
        raise failed[0]
    changed = any(each.counts for each in comparison.found)
    reports = _claim_anew(settings, before, comparison) if changed and not dry_run else []
    _print(comparison.found, reports, failed, as_json=as_json)
    ctx.exit(_DONE_WITH_PROBLEMS if failed else 0)


def _up_to_date(catalogue: Catalogue) -> list[str]:
    """Return the sources whose records were made with what is loaded now."""
    return [
        source.name
        for source in catalogue.settings.sources
        if catalogue.store.fingerprint(source.name) == catalogue.fingerprint(source)
    ]


def _claim_anew(settings: Settings, names: list[str], comparison: Comparison) -> list[RunReport]:
    """Make the claims of touched records anew; other sources wait for their next harvest."""
    if not names:
        return []
    touched = None if comparison.everything else Touched(comparison)
    with Catalogue.open(settings) as catalogue, bars() as show:
        return list(rebuild_records(catalogue, "reannotate", names, touched=touched, progress=show))


def _print(
    found: list[Changes], reports: list[RunReport], failed: list[ParfocalError], *, as_json: bool
) -> None:
    if as_json:
        problems = [
            {"message": error.message, "where": error.where, "hint": error.hint} for error in failed
        ]
        print_json({"changes": found, "reannotated": reports, "problems": problems})
        return
    for changes in found:
        _print_changes(changes)
    for report in reports:
        counts = report.counts
        looked_at = counts.new + counts.changed + counts.unchanged
        click.echo(f"{report.source}: {looked_at:,} records touched, {counts.changed:,} changed")
    for error in failed:
        click.echo(f"not updated: {error}", err=True)
        if error.hint:
            click.echo(f"  hint: {error.hint}", err=True)


def _print_changes(changes: Changes) -> None:
    versions = " -> ".join(version for version in (changes.former, changes.version) if version)
    counts = ", ".join(f"{count:,} {kind}" for kind, count in changes.counts.items())
    click.echo(f"{changes.name} {versions}: {counts or 'nothing changes'}")
    for change in changes.examples:
        more = f" (was {change.former})" if change.former else ""
        more += f" by {', '.join(change.replaced_by)}" if change.replaced_by else ""
        click.echo(f"  {change.kind}: {change.curie} {change.label}{more}")


@click.command("find")
@click.argument("text")
@click.option("--remote", is_flag=True, help="Ask the configured service, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def find_command(settings: Settings, text: str, remote: bool, as_json: bool) -> None:
    """Find the terms that a text names, among what is loaded and at a remote service."""
    store = open_terms(settings)
    try:
        rows: list[tuple[str, str, str, str]] = [
            (str(match.curie), match.label, match.method, "loaded") for match in store.find(text)
        ]
        if remote:
            rows += _remote_rows(settings, store, text, {row[0] for row in rows})
    finally:
        store.close()
    if as_json:
        keys = ("term", "label", "method", "from")
        print_json([dict(zip(keys, row, strict=True)) for row in rows])
    elif rows:
        print_table(("term", "label", "how", "from"), rows)
    else:
        click.echo("no term has that name")


def _remote_rows(
    settings: Settings, store: SqliteTermStore, text: str, known: set[str]
) -> list[tuple[str, str, str, str]]:
    service = open_remote(settings, store.path)
    try:
        found = service.search(text)
    finally:
        service.close()
    name = settings.ontology.remote.service
    return [
        (str(term.curie), term.label, "search", name) for term in found if term.curie not in known
    ]
