"""Commands ``parfocal ontology review`` and ``parfocal ontology decide``."""

from __future__ import annotations

import getpass

import click
from msgspec.structs import replace

from parfocal import review
from parfocal.catalogue import Catalogue
from parfocal.config import Settings
from parfocal.fields import require_field
from parfocal.knowledge import decision_files
from parfocal.model import Viewer
from parfocal.printing import print_json


@click.command("review")
@click.option("--field", default="", help="Only texts of this field.")
@click.option("--limit", default=20, show_default=True, help="How many texts to list.")
@click.option("--group", "groups", multiple=True, help="Look as a member of this group.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def review_command(
    settings: Settings, field: str, limit: int, groups: tuple[str, ...], as_json: bool
) -> None:
    """List the most frequent texts without a term, with terms that they may mean.

    Decide with `parfocal ontology decide`, or on the page /review.
    """
    wanted = require_field(field).name if field else ""
    path = decision_files(settings)[0]
    with Catalogue.open(settings, read_only=True) as catalogue:
        decided = review.read_decisions(path)
        viewer = Viewer(frozenset(groups))
        found = review.undecided(review.open_texts(catalogue.store, viewer), decided, wanted)
        shown = [
            replace(one, candidates=catalogue.proposer.propose(one.field, one.text))
            for one in found[:limit]
        ]
    if as_json:
        print_json({"open": len(found), "texts": shown})
        return
    click.echo(f"{len(found):,} texts have no term")
    for one in shown:
        click.echo(
            f"\n{one.field}: {one.text!r}, {one.records:,} records of {one.studies:,} studies,"
            f" under {', '.join(one.keys[:3])}"
        )
        for candidate in one.candidates:
            click.echo(
                f"  {candidate.score:.2f}  {candidate.term}  {candidate.label} ({candidate.method})"
            )


@click.command("decide")
@click.argument("field")
@click.argument("text")
@click.option("--accept", "accepted", metavar="TERM", help="The text means this term.")
@click.option("--reject", "rejected", metavar="TERM", help="The text does not mean this term.")
@click.option("--no-term", is_flag=True, help="The text is no term at all.")
@click.option("--undo", is_flag=True, help="Take back what was decided on the text.")
@click.option("--author", default="", help="Who decides; by default the user of this computer.")
@click.pass_obj
def decide_command(
    settings: Settings,
    field: str,
    text: str,
    accepted: str | None,
    rejected: str | None,
    no_term: bool,
    undo: bool,
    author: str,
) -> None:
    """Decide what TEXT means in FIELD, in the mapping file of the settings.

    `parfocal reannotate` applies it to what is harvested already.
    """
    given = [accepted is not None, rejected is not None, no_term, undo]
    if sum(given) != 1:
        raise click.UsageError("say one of --accept TERM, --reject TERM, --no-term, --undo")
    path = decision_files(settings)[0]
    name = require_field(field).name
    if undo:
        gone = review.undo(path, name, text)
        click.echo(f"{gone} decisions taken back" if gone else "nothing was decided on this text")
        return
    kind: review.Kind = "accept" if accepted else "reject" if rejected else "no-term"
    with Catalogue.open(settings) as catalogue:
        made = review.decide(
            path,
            kind,
            name,
            text,
            accepted or rejected or "",
            catalogue.terms,
            author or getpass.getuser(),
        )
    what = f"{made.term} ({made.label})" if made.term else "no term"
    verb = "does not mean" if made.negated else "means"
    click.echo(f"{made.text!r} {verb} {what} in {made.field}; written to {path}")
