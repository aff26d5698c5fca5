"""Commands ``parfocal publish draft``, ``check``, ``run`` and ``status``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from parfocal.catalogue import Catalogue
from parfocal.config import Settings
from parfocal.errors import CheckFailed, ConfigError
from parfocal.model import Viewer
from parfocal.printing import print_json, print_table
from parfocal.values import Finding
from publish.checks import Proposal, demand
from publish.contents import is_folder
from publish.draft import Draft, read_draft
from publish.draft_text import write_draft
from publish.prefill import draft_of_folder, draft_of_records
from publish.workflow import Journal, journal_of, journals, propose, state_of
from publish.workflow import publish as publish_now

_groups = click.option(
    "--group",
    "groups",
    multiple=True,
    help="Publish as a member of this group; without it only what anybody may see.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_draft = click.argument("draft", type=click.Path(path_type=Path))


def _viewer(groups: Sequence[str]) -> Viewer:
    return Viewer(frozenset(groups))


def _open(settings: Settings, draft: Draft) -> Catalogue:
    """Open the catalogue; one that holds nothing is of no use to a draft of records."""
    return Catalogue.open(settings, read_only=bool(draft.records))


@click.group()
def publish() -> None:
    """Publish data sets as packages with metadata, checksums and a DOI."""


@publish.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("my-dataset.toml"),
    show_default=True,
    help="Draft file to write.",
)
@click.option("--force", is_flag=True, help="Write over an existing file.")
@_groups
@_json
@click.pass_obj
def draft(
    settings: Settings,
    ids: tuple[str, ...],
    output: Path,
    force: bool,
    groups: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write a draft for records with all that lies in them, or for a folder of files."""
    if output.exists() and not force:
        hint = "name another by -o, or write over it by --force"
        raise ConfigError("the file is there already", where=str(output), hint=hint)
    made = _make_draft(settings, ids, _viewer(groups))
    try:
        output.write_text(write_draft(made), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", where=str(output)) from error
    if as_json:
        print_json({"file": str(output), "draft": made})
        return
    click.echo(
        f"wrote {output}; fill in what is missing, then run: parfocal publish check {output}"
    )


def _make_draft(settings: Settings, ids: tuple[str, ...], viewer: Viewer) -> Draft:
    today = datetime.now(UTC).date()
    if any(is_folder(text) for text in ids):
        if len(ids) > 1:
            raise ConfigError("a draft is about one folder, or about records", hint="name one")
        return draft_of_folder(Path(ids[0]), settings.publish.publisher, today)
    with Catalogue.open(settings, read_only=True) as catalogue:
        return draft_of_records(catalogue, ids, viewer, today)


@publish.command()
@_draft
@_groups
@_json
@click.pass_context
def check(ctx: click.Context, draft: Path, groups: tuple[str, ...], as_json: bool) -> None:
    """Say what is missing, what is wrong and how to mend it; write nothing."""
    read = read_draft(draft)
    with _open(ctx.obj, read) as catalogue:
        proposal, findings = propose(catalogue, read, _viewer(groups))
    errors = [finding for finding in findings if finding.severity == "error"]
    if as_json:
        print_json({"ok": not errors, "findings": findings, **_plan(proposal, "folder")})
    else:
        _print_findings(findings)
        click.echo(_verdict(len(errors), len(findings) - len(errors), draft))
    if errors:
        ctx.exit(CheckFailed.exit_code)


def _print_findings(findings: Sequence[Finding]) -> None:
    for finding in findings:
        click.echo(f"{finding.severity}: {finding.place}: {finding.message}")
        click.echo(f"    {finding.hint}")


def _verdict(errors: int, warnings: int, draft: Path) -> str:
    if errors:
        return f"{errors} to mend, {warnings} to look at; nothing was written"
    return f"ready, {warnings} to look at; go on with: parfocal publish run {draft}"


def _plan(proposal: Proposal, target: str) -> dict[str, Any]:
    contents = proposal.contents
    return {
        "key": proposal.draft.key,
        "target": target,
        "doi": proposal.doi,
        "url": proposal.url,
        "records": contents.records,
        "images": contents.images,
        "files": len(contents.files),
        "bytes": contents.size,
    }


@publish.command()
@_draft
@click.option("--target", default="folder", show_default=True, help="Where to publish.")
@click.option("--dry-run", is_flag=True, help="Check, say what would be done, write nothing.")
@_groups
@_json
@click.pass_obj
def run(
    settings: Settings,
    draft: Path,
    target: str,
    dry_run: bool,
    groups: tuple[str, ...],
    as_json: bool,
) -> None:
    """Publish a draft; run it again after an interruption, it goes on where it was."""
    read = read_draft(draft)
    with _open(settings, read) as catalogue:
        if dry_run:
            proposal, findings = propose(catalogue, read, _viewer(groups))
            demand(findings, str(draft))
            _print_plan(_plan(proposal, target), as_json)
            return
        found = publish_now(catalogue, read, _viewer(groups), target=target, tell=_teller())
    if as_json:
        print_json(found)
    else:
        click.echo(f"published {found.doi or found.identifier}: {found.url}")


def _teller() -> Callable[[str, str], None]:
    shown = sys.stderr.isatty()

    def tell(step: str, message: str) -> None:
        if shown or step == "restore":
            click.echo(f"{step:<8} {message}", err=True)

    return tell


def _print_plan(plan: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(plan)
        return
    print_table(("would publish", ""), [(name, str(value)) for name, value in plan.items()])


@publish.command()
@click.argument("draft", type=click.Path(path_type=Path), required=False)
@_json
@click.pass_obj
def status(settings: Settings, draft: Path | None, as_json: bool) -> None:
    """Say how far publications have come: of one draft, or all."""
    with Catalogue.open(settings, read_only=True) as catalogue:
        found = [(each, state_of(catalogue, each)) for each in _journals(catalogue, draft)]
    if as_json:
        print_json([{**msgspec.structs.asdict(j), "state": state} for j, state in found])
        return
    rows = [(j.key, state, *_place(j)) for j, state in found]
    print_table(("key", "state", "DOI", "address", "updated", "title"), rows)


def _place(journal: Journal) -> tuple[str, str, str, str]:
    doi = journal.reservation.doi if journal.reservation else ""
    url = journal.publication.url if journal.publication else ""
    return doi, url, journal.updated, journal.title[:60]


def _journals(catalogue: Catalogue, draft: Path | None) -> tuple[Journal, ...]:
    if draft is None:
        return journals(catalogue)
    found = journal_of(catalogue, read_draft(draft).key)
    return () if found is None else (found,)
