"""Command ``parfocal ontology learn``."""

from __future__ import annotations

import click

from ontology.learning import learn
from parfocal.catalogue import Catalogue
from parfocal.config import Settings
from parfocal.identifiers import Curie
from parfocal.knowledge import learned_file
from parfocal.mappings import write_sssom
from parfocal.printing import print_json


@click.command("learn")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--dry-run", is_flag=True, help="Tell what would be learned, and write nothing.")
@click.pass_obj
def learn_command(settings: Settings, as_json: bool, dry_run: bool) -> None:
    """Learn from the curated claims of all harvested archives what texts mean.

    What curators of most studies agree on is used for archives that give words without
    accessions, from the next harvest or `parfocal reannotate` on. Only public records teach.
    """
    path = learned_file(settings)
    with Catalogue.open(settings, read_only=True) as catalogue:
        learned = learn(catalogue.store)

        def label(curie: Curie) -> str:
            term = catalogue.terms.get(curie)
            return term.label if term else ""

        mappings = tuple(learned.mappings(label))
    if not dry_run:
        write_sssom(path, mappings)
    if as_json:
        print_json({"texts": len(learned), "mappings": len(mappings), "file": str(path)})
        return
    click.echo(
        f"{len(learned):,} texts with {len(mappings):,} terms{'' if dry_run else f', in {path}'}"
    )
    if not dry_run:
        click.echo("parfocal reannotate uses them for what is harvested already")
