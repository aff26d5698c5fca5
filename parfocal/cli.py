"""The command ``parfocal``.

Settings, command groups by entry point, errors to message and exit code.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from parfocal import __version__, config, registry
from parfocal.errors import ConfigError, ParfocalError, PluginMissing
from parfocal.printing import say

_EXAMPLE = """\
# Settings of parfocal; every one is described in docs/configuration.md.
data_dir = "data"

# An archive to harvest. docs/configuration.md lists all kinds, README.md the presets.
# [[sources]]
# name = "lab"
# kind = "local"
# path = "/path/to/images"
# access = ["lab"]            # who may see it; without this line everybody
#
# [[sources]]
# name = "omero"
# kind = "omero"
# url = "https://omero.example.org"
# username = "harvester"
# password = "env:OMERO_PASSWORD"
#
# [[sources]]
# name = "bia"
# preset = "bioimage-archive"

# [search]
# engine = "elastic"          # default: tantivy, embedded
# url = "http://127.0.0.1:9200"

# [server]
# port = 8000
"""


class Commands(click.Group):
    """A group whose commands come from entry points, each imported only when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return own commands and those of plug-ins."""
        return sorted({*super().list_commands(ctx), *registry.names("commands")})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, importing its plug-in."""
        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in registry.names("commands"):
            return own
        try:
            command: click.Command = registry.load("commands", cmd_name)
        except PluginMissing as error:
            return _missing(cmd_name, error)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; when the reader of its output goes away, that is the end of it."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # What is still in the buffer must go somewhere when the interpreter flushes it.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        return result


def _missing(name: str, error: PluginMissing) -> click.Command:
    """Stand in for a command whose extra is not installed, so that the others still work."""

    def refuse() -> NoReturn:
        raise error

    return click.Command(name, callback=refuse, help=f"Not installed: {error.hint}")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="parfocal")
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Settings file; by default parfocal.toml in the working folder.",
)
@click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Folder of store, index and graph."
)
@click.pass_context
def root(ctx: click.Context, file: Path | None, data_dir: Path | None) -> None:
    """Harvest bioimage archives, find images by what they mean, publish data sets."""
    # A command's --help must work beside a broken settings file; init makes the file.
    if ctx.invoked_subcommand in ("init", "demo") or {"-h", "--help"} & set(sys.argv[1:]):
        return
    ctx.obj = config.load(file, flags={"data_dir": str(data_dir) if data_dir else None})


@root.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), default=config.FILE_NAME)
def init(file: Path) -> None:
    """Write a settings file to start from."""
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(_EXAMPLE)
    except FileExistsError as error:
        raise ConfigError(
            "the file is there already", where=str(file), hint="edit it, or name another"
        ) from error
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", where=str(file)) from error
    click.echo(f"wrote {file}; add a source to it, then run: parfocal harvest")


@root.group("config")
def config_group() -> None:
    """Look at the settings."""


@config_group.command("show")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def config_show(settings: config.Settings, as_json: bool) -> None:
    """Print every setting, its value and where it came from; secrets are masked."""
    rows = list(config.explain(settings))
    if as_json:
        click.echo(
            json.dumps([{"setting": s, "value": v, "from": o} for s, v, o in rows], indent=2)
        )
        return
    width = max(len(row[0]) for row in rows)
    for setting, value, origin in rows:
        click.echo(f"{setting:<{width}}  {value}  ({origin})")


def _print_error(error: ParfocalError) -> None:
    say(f"parfocal: {error}", err=True)
    if error.hint:
        say(f"  hint: {error.hint}", err=True)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command; exit with 0, 2 wrong input, 3 done with problems, 4 failed."""
    try:
        code = root.main(arguments, prog_name="parfocal", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("parfocal: stopped; run the command again to go on where it was", err=True)
        sys.exit(130)
    except ParfocalError as error:
        _print_error(error)
        sys.exit(error.exit_code)
    except Exception as error:  # the outermost edge: a person never sees a traceback
        click.echo(
            f"parfocal: this should not have happened: {type(error).__name__}: {error}", err=True
        )
        click.echo(
            "  hint: set PARFOCAL_DEBUG=1 and run again, then report what is printed", err=True
        )
        if config.debugging():
            raise
        sys.exit(1)
