"""Making sources of settings: kind, preset and the kind's own options."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any

from pydantic import ValidationError

from parfocal import registry
from parfocal.config import SourceSettings
from parfocal.errors import ConfigError
from parfocal.interfaces import Source

_MESSAGES = {"extra_forbidden": "unknown setting", "missing": "must be set"}
"""What is said of wrong options, by type, where it is not what the check says."""


def _preset(name: str) -> dict[str, Any]:
    """Read a preset shipped with a plug-in package's ``presets`` folder."""
    for point in registry.packages("sources"):
        file = resources.files(point) / "presets" / f"{name}.toml"
        if file.is_file():
            return tomllib.loads(file.read_text(encoding="utf-8"))
    known = ", ".join(presets()) or "none"
    raise ConfigError(f"there is no preset {name!r}", hint=f"presets: {known}")


def presets() -> tuple[str, ...]:
    """Return the names of all presets, sorted."""
    folders = [resources.files(point) / "presets" for point in registry.packages("sources")]
    files = [file.name for folder in folders if folder.is_dir() for file in folder.iterdir()]
    return tuple(sorted(name.removesuffix(".toml") for name in files if name.endswith(".toml")))


def make_source(settings: SourceSettings) -> Source:
    """Make the source that a ``[[sources]]`` table describes.

    ConfigError names what is wrong in it.
    """
    options = {**(_preset(settings.preset) if settings.preset else {}), **settings.options}
    kind = settings.kind or options.pop("kind", "")
    options.pop("kind", None)
    if not kind:
        known = ", ".join(registry.names("sources"))
        raise ConfigError(
            f"source {settings.name!r} has no kind", hint=f'write kind = "..."; kinds: {known}'
        )
    plugin = registry.load("sources", kind)
    try:
        checked = plugin.Options.model_validate(options)
    except ValidationError as error:
        first = error.errors()[0]
        places = (f"source {settings.name!r}", ".".join(str(part) for part in first["loc"]))
        message = _MESSAGES.get(first["type"]) or first["msg"].removeprefix("Value error, ")
        known = ", ".join(plugin.Options.model_fields)
        raise ConfigError(
            ": ".join((*filter(None, places), message)),
            hint=f"settings of kind {kind}: {known}",
        ) from error
    source: Source = plugin(settings.name, checked)
    return source
