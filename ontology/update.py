"""Fetching the latest releases of ontologies, and what they change."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from ontology import web
from ontology.changes import Comparison
from ontology.load import read
from ontology.remote import open_remote
from ontology.terms import SqliteTermStore
from parfocal.config import Settings
from parfocal.errors import ConfigError, ParfocalError

_SERVICES = ("ols:", "bioportal:")


def chosen(settings: Settings, names: tuple[str, ...]) -> dict[str, str]:
    """Return the configured addresses of the named ontologies, or of all; ConfigError if none."""
    sources = settings.ontology.sources
    unknown = [name for name in names if name not in sources]
    if unknown or not sources:
        known = ", ".join(sorted(sources)) or "none"
        raise ConfigError(
            f"no address is configured for {unknown[0]!r}" if unknown else "nothing to update",
            where=str(settings.file or "settings"),
            hint=f'[ontology.sources] says NAME = "URL"; configured: {known}',
        )
    return {name: sources[name] for name in names or sorted(sources)}


def update(
    settings: Settings,
    store: SqliteTermStore,
    sources: dict[str, str],
    comparison: Comparison,
    *,
    allow_shrink: bool = False,
) -> Iterator[ParfocalError]:
    """Fetch ontologies, compare and load each; yield what went wrong, the last version staying."""
    with tempfile.TemporaryDirectory(dir=settings.data_dir, prefix="update-") as folder:
        for name, url in sources.items():
            path = Path(folder) / f"{name}-{_file_name(url)}"
            try:
                _fetch(settings, store, url, path)
                store.load(read(path), comparison=comparison, allow_shrink=allow_shrink)
            except ParfocalError as error:
                error.where = error.where.replace(str(path), url)
                yield error
            finally:
                path.unlink(missing_ok=True)


def _file_name(url: str) -> str:
    name = urlsplit(url).path.rpartition("/")[2]
    return "".join(letter for letter in name if letter.isalnum() or letter in "._-")[-60:]


def _fetch(settings: Settings, store: SqliteTermStore, url: str, path: Path) -> None:
    if not url.startswith(_SERVICES):
        web.fetch(url, path)
        return
    service, _, name = url.partition(":")
    remote = open_remote(settings, store.path, service)
    try:
        remote.download(name, path)
    finally:
        remote.close()
