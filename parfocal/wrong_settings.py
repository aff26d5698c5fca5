"""Says in words what is wrong with settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from parfocal.errors import ConfigError


def config_error(settings: type[BaseModel], error: ValidationError, where: str) -> ConfigError:
    """Return an error that names the first wrong setting of a file, and what would be right.

    The value is left out: it may be a secret in the wrong place.
    """
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = "unknown setting"
    elif first["type"] == "string_pattern_mismatch":
        message = f"is not of the right form: {_meaning(settings, first['loc']) or message}"
    return ConfigError(
        f"{place}: {message}", where=where, hint="docs/configuration.md lists all settings"
    )


def _meaning(settings: type[BaseModel], place: Sequence[str | int]) -> str:
    """Return what the setting at a place means; nothing for what has no description."""
    model: Any = settings
    meaning = ""
    for name in (part for part in place if isinstance(part, str)):
        field = getattr(model, "model_fields", {}).get(name)
        if field is None:
            return ""
        inner = [one for one in get_args(field.annotation) if one is not ...]
        model, meaning = (inner or [field.annotation])[0], field.description or ""
    return meaning
