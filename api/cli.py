"""Commands ``parfocal serve`` and ``parfocal demo``."""

from __future__ import annotations

import socket
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from parfocal import demo as sample
from parfocal.bars import bars
from parfocal.catalogue import Catalogue
from parfocal.config import Settings
from parfocal.errors import ConfigError
from parfocal.harvesting import harvest

if TYPE_CHECKING:
    from flask import Flask

_TRY = """\
  mitosis                                   {address}/?q=mitosis
  a gene, in the key-values of the source   {address}/?q=kv%3A%22Gene+Symbol%22
  SPARQL                                    {address}/sparql
  the API                                   {address}/api/v1/search?q=mitosis
  a private data set                        {address}/sign-in   token: {token}"""


def application(settings: Settings) -> Flask:
    """Open the catalogue of a configuration and return the application that serves it."""
    from api.app import create_app

    return create_app(Catalogue.open(settings, read_only=True))


def _check(settings: Settings) -> None:
    """Fail here, with clear words, rather than in the server's worker."""
    Catalogue.open(settings, read_only=True).close()
    host, port = settings.server.host, settings.server.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {host}, port {port}: {error.strerror}",
                hint="choose another with --port",
            ) from error


def run(settings: Settings) -> None:
    """Serve until stopped: one process, threads for the requests."""
    from granian import Granian
    from granian.constants import Interfaces
    from granian.http import HTTP1Settings
    from granian.log import LogLevels

    server = Granian(
        "parfocal",
        address=settings.server.host,
        port=settings.server.port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=settings.server.threads,
        log_level=LogLevels.warning,
        http1_settings=HTTP1Settings(header_read_timeout=10_000),
        websockets=False,
    )
    server.serve(target_loader=partial(application, settings), wrap_loader=False)


def _at(settings: Settings, host: str | None, port: int | None) -> Settings:
    changes = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    server = settings.server.model_copy(update=changes)
    return settings.model_copy(update={"server": server})


@click.command()
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on.")
@click.pass_obj
def serve(settings: Settings, host: str | None, port: int | None) -> None:
    """Serve the API and the pages."""
    chosen = _at(settings, host, port)
    _check(chosen)
    click.echo(f"parfocal is at {chosen.base_url} (stop with Ctrl-C)")
    run(chosen)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default="demo-data")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    envvar="PORT",
    default=8000,
    show_default=True,
    help="Port to listen on; also by the variable PORT.",
)
def demo(folder: Path, port: int) -> None:
    """Harvest sample archives into FOLDER and serve them."""
    settings = sample.prepare(folder, port)
    with Catalogue.open(settings) as catalogue, bars() as show:
        for report in harvest(catalogue, progress=show):
            counts = report.counts
            click.echo(
                f"{report.source}: {counts.new:,} new, {counts.changed:,} changed, "
                f"{counts.unchanged:,} unchanged records, {report.problems:,} problems"
            )
    _check(settings)
    click.echo(f"\nparfocal is at {settings.base_url} (stop with Ctrl-C). Try:\n")
    click.echo(_TRY.format(address=settings.base_url, token=sample.TOKEN) + "\n")
    run(settings)
