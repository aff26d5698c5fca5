"""Passwords, tokens and keys in settings: where they are kept, never what they are.

``env:NAME``, ``file:/path`` or ``keyring:service/user``; read when they are needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from parfocal.config import environment
from parfocal.errors import ConfigError

_HINT = 'write "env:NAME", "file:/path" or "keyring:service/user"'
_KINDS = ("env", "file", "keyring")
_MAX_FILE = 64 * 1024


class Secret:
    """A place that holds a secret; printing it shows the place only.

    >>> Secret("env:OMERO_PASSWORD")
    Secret('env:OMERO_PASSWORD')
    """

    __slots__ = ("place",)

    def __init__(self, place: str) -> None:
        kind, colon, rest = place.partition(":")
        if kind not in _KINDS or not colon or not rest.strip():
            raise ValueError(f"a secret does not stand in settings; {_HINT}")
        if kind == "keyring" and not all(rest.partition("/")[::2]):
            raise ValueError('a keyring entry is written "keyring:service/user"')
        self.place = place

    def __repr__(self) -> str:
        return f"Secret({self.place!r})"

    def __str__(self) -> str:
        return self.place

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.place == self.place

    def __hash__(self) -> int:
        return hash(self.place)

    def reveal(self) -> str:
        """Return the secret itself; raise ConfigError that names the place when it is not there."""
        kind, _, rest = self.place.partition(":")
        found = {"env": environment, "file": _from_file, "keyring": _from_keyring}[kind](rest)
        if not found:
            raise ConfigError("there is no secret there", where=self.place, hint=_HINT)
        if not found.isprintable():
            raise ConfigError("holds more than one line of text", where=self.place)
        return found

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Read a text as a Secret, and write it as its place."""
        return core_schema.no_info_plain_validator_function(
            _validated, serialization=core_schema.to_string_ser_schema()
        )


def _validated(value: object) -> Secret:
    if isinstance(value, Secret):
        return value
    # The value may be the secret itself, so that it must not come back in the message.
    if not isinstance(value, str):
        raise ValueError(_HINT)
    return Secret(value)


def _from_file(path: str) -> str:
    try:
        with Path(path).expanduser().open("rb") as file:
            return file.read(_MAX_FILE).decode().strip()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=f"file:{path}") from error
    except UnicodeDecodeError as error:
        raise ConfigError("holds no text", where=f"file:{path}") from error


def _from_keyring(place: str) -> str:
    service, _, user = place.partition("/")
    try:
        import keyring
        from keyring.errors import KeyringError
    except ModuleNotFoundError as error:
        raise ConfigError(
            "the keyring needs the package keyring",
            where=f"keyring:{place}",
            hint="pip install 'parfocal[keyring]'",
        ) from error
    try:
        return keyring.get_password(service, user) or ""
    except KeyringError as error:
        raise ConfigError("the keyring does not open", where=f"keyring:{place}") from error
