"""Command ``parfocal sources same``: what several sources hold under different names."""

from __future__ import annotations

from collections.abc import Iterable

import click

from parfocal.catalogue import Catalogue
from parfocal.config import Settings
from parfocal.model import Evidence, Viewer
from parfocal.printing import print_json, say
from parfocal.sameness import Pair, Sameness


@click.command()
@click.option("--proposals", is_flag=True, help="List what may be the same, and was not merged.")
@click.option("--source", "source", default="", help="Only pairs with a record of this source.")
@click.option("--group", "groups", multiple=True, help="Look as a member of this group.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: clusters, merges, proposals.")
@click.pass_obj
def same(
    settings: Settings, proposals: bool, source: str, groups: tuple[str, ...], as_json: bool
) -> None:
    """List what is one data set in several sources, each pair with the evidence."""
    if source:
        settings.source(source)
    with Catalogue.open(settings, read_only=True) as catalogue:
        found = catalogue.sameness(Viewer(frozenset(groups))).of_source(source)
    if as_json:
        print_json(found)
    else:
        _print(found.proposals if proposals else found.merges)
        say(_summary(found))


def _print(pairs: Iterable[Pair]) -> None:
    for pair in pairs:
        say(f"{pair.one}  {pair.other}")
        for evidence in pair.evidence:
            say(f"    {_told(evidence)}")
        if pair.against:
            say(f"    against it: {pair.against}")


def _told(evidence: Evidence) -> str:
    places = [place for place in (evidence.here, evidence.there) if place]
    return f"{evidence.kind}: {evidence.value}" + (f" ({' / '.join(places)})" if places else "")


def _summary(found: Sameness) -> str:
    records = sum(map(len, found.clusters))
    return (
        f"{records:,} records in {len(found.clusters):,} clusters by {len(found.merges):,} merges;"
        f" {len(found.proposals):,} proposals"
    )
