"""Commands ``parfocal search``, ``show``, ``sparql`` and ``reindex``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from parfocal import formats, registry
from parfocal.answers import Hit, SearchAnswer
from parfocal.bars import bars
from parfocal.catalogue import Catalogue
from parfocal.config import Settings
from parfocal.errors import ConfigError, QueryInvalid
from parfocal.followers import rebuild
from parfocal.identifiers import parse_record_id
from parfocal.model import Viewer
from parfocal.printing import print_json, print_table, say
from parfocal.query_text import parse_query
from parfocal.query_values import MAX_SIZE
from parfocal.shapes import search_answer

# What a format may be written as: solutions, a graph, or whichever of both the answer is.
_FORMATS = {
    "csv": ("text/csv",),
    "tsv": ("text/tab-separated-values",),
    "json": ("application/sparql-results+json", "application/ld+json"),
    "xml": ("application/sparql-results+xml", "application/rdf+xml"),
    "turtle": ("text/turtle",),
    "ntriples": ("application/n-triples",),
    "jsonld": ("application/ld+json",),
}
_USUAL = ("text/csv", "text/turtle")

_LEVELS = {"study": "studies", "container": "data sets", "image": "images"}
_groups = click.option(
    "--group",
    "groups",
    multiple=True,
    help="Read as a member of this group; without it as anybody.",
)


class _Asking(click.Command):
    """A command whose QUERY may begin with a minus, as ``-mitosis`` does."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; a word with one minus is the query, as no option is written so."""
        options = [each for each in self.get_params(ctx) if isinstance(each, click.Option)]
        short = {name for each in options for name in each.opts if name[1] != "-"}
        valued = {name for each in options if not each.is_flag for name in each.opts}
        rest, queries, given = [], [], iter(args)
        for word in given:
            if word == "--":
                break
            if word[:1] == "-" and word[1:2] not in ("", "-") and word not in short:
                queries.append(word)
                continue
            rest.append(word)
            if word in valued:
                rest += [value for value in (next(given, None),) if value is not None]
        return super().parse_args(ctx, [*rest, "--", *queries, *given])


@click.command(cls=_Asking)
@click.argument("text", metavar="QUERY", default="")
@click.option(
    "--level", type=click.Choice(["any", "study", "container", "image"]), help="What the hits are."
)
@click.option(
    "--facet", "facets", multiple=True, metavar="FIELD[:SIZE]", help="Count values of a field."
)
@click.option("--sort", help="relevance, id, or a number or date field; -field for descending.")
@click.option(
    "--size", type=click.IntRange(0, MAX_SIZE), default=20, show_default=True, help="Hits a page."
)
@click.option("--after", help="Token of the next page.")
@click.option(
    "--expand", type=click.Choice(["none", "synonyms", "subclasses"]), help="How far words reach."
)
@click.option(
    "--collapse", is_flag=True, help="With studies, list one data set in several sources once."
)
@click.option("--count", "only_count", is_flag=True, help="Print the number of hits.")
@click.option("--all", "everything", is_flag=True, help="Stream every hit, not a page.")
@click.option(
    "--format", "form", type=click.Choice(["jsonl", "csv"]), help="Stream every hit in this format."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_groups
@click.pass_obj
def search(settings: Settings, /, text: str, **options: Any) -> None:
    """Search with the query language; docs/query.md explains it."""
    _refuse_ignored(options)
    query = _query(text, options)
    viewer = Viewer(frozenset(options["groups"]))
    with Catalogue.open(settings, read_only=True) as catalogue:
        if options["only_count"]:
            count = catalogue.count(query, viewer)
            print_json({"total": count}) if options["as_json"] else say(count)
        elif options["form"] or options["everything"]:
            _stream(
                catalogue.stream(query, viewer),
                options["form"] or ("jsonl" if options["as_json"] else ""),
            )
        else:
            answer = catalogue.search(query, viewer)
            print_json(search_answer(query, text, answer)) if options["as_json"] else _print_answer(
                answer
            )


def _refuse_ignored(options: dict[str, Any]) -> None:
    """Refuse options that what is printed would not show."""
    streamed = bool(options["form"] or options["everything"])
    for name, option in (("facets", "--facet"), ("only_count", "--count"), ("after", "--after")):
        if streamed and options[name]:
            raise ConfigError(
                f"{option} says nothing beside --format or --all, which print every hit and no more"
            )
    if options["form"] and options["as_json"]:
        raise ConfigError("--json and --format are two formats", hint="give one of them")


def _query(text: str, options: dict[str, Any]) -> Any:
    try:
        return parse_query(
            text,
            level=options["level"],
            facets=options["facets"],
            sort=options["sort"],
            size=options["size"],
            after=options["after"],
            expand=options["expand"],
            collapse=options["collapse"],
        )
    except QueryInvalid as error:
        if error.position >= 0:
            error.message += f"\n  {text}\n  {' ' * error.position}{'^' * max(error.length, 1)}"
        raise


def _stream(hits: Any, form: str) -> None:
    out = sys.stdout.buffer
    if form == "csv":
        chunks = formats.csv_rows(hits)
    elif form == "jsonl":
        chunks = formats.jsonl_rows(hits)
    else:
        chunks = (f"{_line(hit)}\n".encode() for hit in hits)
    for chunk in chunks:
        out.write(chunk)
    out.flush()


def _line(hit: Hit) -> str:
    images = "" if hit.images is None else f"  [{hit.images:,} images]"
    return f"{hit.id}  {' '.join(hit.title.split())[:100]}{images}"


def _print_answer(answer: SearchAnswer) -> None:
    for expansion in answer.expansions:
        below = f" and {expansion.narrower:,} narrower terms" if expansion.narrower else ""
        say(f"{expansion.text!r} understood as {expansion.label} ({expansion.term}){below}")
    levels = ", ".join(f"{_LEVELS[name]} {count:,}" for name, count in answer.levels.items())
    say(f"{answer.total:,} hits ({levels})")
    for hit in answer.hits:
        say(_line(hit))
        for reason in hit.reasons:
            meaning = f" = {reason.label} ({reason.term})" if reason.term else ""
            where = reason.field or reason.key
            say(f"    {reason.how}: {reason.text[:80]}{meaning}{f' in {where}' if where else ''}")
    for field, values in answer.facets.items():
        say()
        print_table((field, "", "records"), [(v.value, v.label, v.count) for v in values])
    if answer.next:
        say(f"\nmore: --after {answer.next}")


@click.command()
@click.argument("id")
@click.option("--format", "form", default="json", show_default=True, help="A record format.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_groups
@click.pass_obj
def show(settings: Settings, id: str, form: str, as_json: bool, groups: tuple[str, ...]) -> None:
    """Print one record."""
    with Catalogue.open(settings, read_only=True) as catalogue:
        view = catalogue.view(parse_record_id(id), Viewer(frozenset(groups)))
    dump = registry.load("formats", "json" if as_json else form).dump
    click.echo(dump(view.told(settings.base_url), settings.base_url).decode().rstrip("\n"))


@click.command()
@click.argument("query", required=False)
@click.option(
    "--file",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Read the query from a file.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(list(_FORMATS)),
    help="Result format; by default csv, or turtle for a graph.",
)
@click.option("--json", "as_json", is_flag=True, help="Print SPARQL results as JSON.")
@click.option(
    "--timeout", type=click.FloatRange(0.1, 3600), help="Seconds that the query may take."
)
@_groups
@click.pass_obj
def sparql(
    settings: Settings,
    query: str | None,
    file: Path | None,
    form: str | None,
    as_json: bool,
    timeout: float | None,
    groups: tuple[str, ...],
) -> None:
    """Run a SPARQL query."""
    text = _sparql_text(query, file)
    form = "json" if as_json else form
    types = _FORMATS[form] if form else _USUAL
    with Catalogue.open(settings, read_only=True) as catalogue:
        answer = catalogue.sparql(
            text, Viewer(frozenset(groups)), accept=", ".join(types), timeout=timeout
        )
    if answer.media_type not in types:
        what, possible = (
            ("a graph", "turtle, ntriples, jsonld, json, xml")
            if answer.kind == "graph"
            else ("solutions", "csv, tsv, json, xml")
        )
        raise ConfigError(f"{what} cannot be printed as {form}", hint=f"use one of: {possible}")
    sys.stdout.buffer.write(answer.content.rstrip(b"\r\n") + b"\n")


def _sparql_text(query: str | None, file: Path | None) -> str:
    if query is not None and file is None:
        return query
    if file is None or query is not None:
        raise ConfigError("give a query, or --file with one")
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", where=str(file)) from error


@click.command()
@click.argument("part", type=click.Choice(["all", "index", "graph"]), default="all")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def reindex(settings: Settings, part: str, as_json: bool) -> None:
    """Build the search index and the graph anew from the store."""
    parts = ("index", "graph") if part == "all" else (part,)
    with Catalogue.open(settings, read_only=True) as catalogue, bars() as show:
        rebuild(catalogue, parts, show)
        revision = catalogue.store.revision()
    if as_json:
        print_json({"rebuilt": list(parts), "revision": revision})
    else:
        say(f"rebuilt {' and '.join(parts)} at revision {revision:,}")
