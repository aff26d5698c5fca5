"""Settings: ``parfocal.toml``, then ``PARFOCAL_...`` environment variables, then flags.

Read once, frozen.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from parfocal.errors import ConfigError
from parfocal.wrong_settings import config_error

FILE_NAME = "parfocal.toml"
_MASK = "********"
_SECRET = re.compile(r"(?i)passw|secret|token|key")


_RAW = r"^(all|none|[1-9][0-9]{0,4}d)$"


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SourceSettings(BaseModel):
    """One ``[[sources]]`` table; keys beyond these belong to the source's kind."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$",
        description="Name; first part of record identifiers: a-z, 0-9, dot, _ and -.",
    )
    kind: str = Field("", description="Kind of source, such as idr-studies or local.")
    preset: str = Field(
        "", description="Name of a preset that gives kind and options, such as idr."
    )
    access: tuple[str, ...] = Field(
        (), description="Groups that may see its records; none: everybody."
    )
    every: str = Field(
        "",
        pattern=r"^([1-9][0-9]{0,4}[smhdw]|\s*\S+(\s+\S+){4}\s*|)$",
        description="When parfocal schedule harvests it: 6h, 1d, or five fields of cron.",
    )
    raw: str = Field(
        "",
        pattern=f"{_RAW}|^$",
        description="How long raw items are kept, if not as harvest.raw says.",
    )

    @property
    def options(self) -> dict[str, Any]:
        """Return the keys that belong to the kind of source."""
        return dict(self.model_extra or {})


class HarvestSettings(_Table):
    """``[harvest]``: how sources are harvested."""

    at_once: int = Field(8, ge=1, le=64, description="Sources that are harvested side by side.")
    raw: str = Field(
        "all",
        pattern=_RAW,
        description="How long raw items are kept: all for ever, none, or days such as 30d.",
    )


class ScheduleSettings(_Table):
    """``[schedule]``: what parfocal schedule does beside ``sources.every``."""

    jitter: float = Field(
        60.0, ge=0, le=86400, description="Seconds by which a run is moved at random, at most."
    )
    missed: Literal["once", "skip"] = Field(
        "once", description="Runs missed while it did not run: once made up for, or skip."
    )


class AlertSettings(_Table):
    """``[alerts]``: who is told when a scheduled run fails or a source shrinks."""

    webhook: SecretStr = Field(SecretStr(""), description="Address that gets a JSON POST.")
    mail_to: tuple[str, ...] = Field((), description="Addresses that get an e-mail.")
    mail_from: str = Field("parfocal@localhost", description="Sender of e-mails.")
    smtp_host: str = Field("localhost", description="Server that takes e-mails.")
    smtp_port: int = Field(25, ge=1, le=65535, description="Its port.")
    smtp_tls: Literal["none", "starttls", "tls"] = Field(
        "none", description="How the connection to it is secured: none, starttls or tls."
    )
    smtp_user: str = Field("", description="User name at that server; none: no login.")
    smtp_password: str = Field(
        "",
        pattern=r"^((env|file|keyring):.+)?$",
        description="Where its password is: env:NAME, file:/path or keyring:service/user.",
    )

    @field_validator("webhook")
    @classmethod
    def _is_address(cls, webhook: SecretStr) -> SecretStr:
        if not re.fullmatch(r"(https?://\S+)?", webhook.get_secret_value()):
            raise ValueError("not an address of http or https")
        return webhook


class SearchSettings(_Table):
    """``[search]``: which engine answers."""

    engine: str = Field("tantivy", description="tantivy, elastic or memory.")
    url: str = Field("http://127.0.0.1:9200", description="Address of the search server (elastic).")
    index: str = Field("parfocal", description="Name of the index on the search server (elastic).")
    username: str = Field("", description="User name at the search server (elastic).")
    password: SecretStr = Field(
        SecretStr(""), description="Password at the search server (elastic)."
    )


class GraphSettings(_Table):
    """``[graph]``: the triple store."""

    engine: str = Field("oxigraph", description="oxigraph, or memory.")
    timeout: float = Field(30.0, gt=0, le=3600, description="Seconds that a SPARQL query may take.")
    memory_mb: int = Field(2048, ge=128, description="Memory that a SPARQL query may use, in MiB.")


class ViewerSettings(_Table):
    """One ``[[server.viewers]]`` table: somebody who may see more than everybody."""

    name: str = Field(min_length=1, description="Name shown on the page.")
    token: SecretStr = Field(description="Secret that proves who it is; at least 8 characters.")
    groups: tuple[str, ...] = Field(description="Groups whose records this viewer may see.")
    curator: bool = Field(False, description="Whether this viewer may decide on texts at /review.")

    @field_validator("token")
    @classmethod
    def _long_enough(cls, token: SecretStr) -> SecretStr:
        if len(token.get_secret_value()) < 8:
            raise ValueError("a token needs at least 8 characters")
        return token


class ServerSettings(_Table):
    """``[server]``: the web server."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on.")
    base_url: str = Field(
        "", description="Public address, used in record IRIs; by default host and port."
    )
    threads: int = Field(4, ge=1, le=64, description="Threads that answer requests.")
    viewers: tuple[ViewerSettings, ...] = Field((), description="Who may see more than everybody.")


_OntologyName = Annotated[str, Field(pattern=r"^[\w.-]{1,80}$")]
_OntologyAddress = Annotated[str, Field(pattern=r"^(https?://\S+|(ols|bioportal):[\w.-]+)$")]


class RemoteSettings(_Table):
    """``[ontology.remote]``: a service that is asked for terms that are not loaded."""

    service: Literal["", "ols", "bioportal"] = Field(
        "", description="Service to ask: ols, bioportal or none."
    )
    url: str = Field("", pattern=r"^(https?://\S+)?$", description="Its address, if not the usual.")
    api_key: str = Field(
        "",
        pattern=r"^((env|file|keyring):.+)?$",
        description="Where its key is: env:NAME, file:/path or keyring:service/user.",
    )
    days: float = Field(30.0, gt=0, le=3650, description="Days for which answers are kept.")
    timeout: float = Field(15.0, gt=0, le=600, description="Seconds that an answer may take.")
    offline: bool = Field(False, description="Ask nothing; only kept answers count.")


class OntologySettings(_Table):
    """``[ontology]``: the term store."""

    engine: str = Field("sqlite", description="Term store; sqlite.")
    bundled: bool = Field(True, description="Start a new term store with the tables shipped.")
    keys: dict[str, tuple[str, ...]] = Field(
        {}, description="More source keys that fill a field: field = [key, ...]."
    )
    decisions: tuple[Path, ...] = Field(
        (), description="Mapping files (SSSOM); the first takes new decisions."
    )
    sources: dict[_OntologyName, _OntologyAddress] = Field(
        {}, description="Where parfocal ontology update fetches them: name = address."
    )
    remote: RemoteSettings = RemoteSettings()


class PublishSettings(_Table):
    """``[publish]``: where data sets are published."""

    folder: Path = Field(Path("published"), description="Folder of the target 'folder'.")
    landing_url: str = Field(
        "", description="Address below which published packages will be found."
    )
    publisher: str = Field("", description="Publisher named in DataCite metadata.")
    doi_prefix: str = Field("", description="DOI prefix; none: no DOI is made.")
    datacite_url: str = Field("https://api.test.datacite.org", description="DataCite REST address.")
    datacite_user: str = Field("", description="DataCite repository account.")
    datacite_password: SecretStr = Field(SecretStr(""), description="Its password.")


class Settings(_Table):
    """Everything that can be set."""

    data_dir: Path = Field(Path("data"), description="Folder of store, index and graph.")
    sources: tuple[SourceSettings, ...] = Field((), description="Archives to harvest.")
    harvest: HarvestSettings = HarvestSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    alerts: AlertSettings = AlertSettings()
    search: SearchSettings = SearchSettings()
    graph: GraphSettings = GraphSettings()
    server: ServerSettings = ServerSettings()
    ontology: OntologySettings = OntologySettings()
    publish: PublishSettings = PublishSettings()
    file: Path | None = Field(None, description="File that was read.", exclude=True)
    origins: dict[str, str] = Field(default_factory=dict, exclude=True)

    @field_validator("sources")
    @classmethod
    def _names_differ(cls, sources: tuple[SourceSettings, ...]) -> tuple[SourceSettings, ...]:
        names = [source.name for source in sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two sources have the name {twice[0]!r}")
        return sources

    @property
    def audiences(self) -> frozenset[frozenset[str]]:
        """Return the sets of groups that viewers may have: none, each source's, each viewer's."""
        viewers = {frozenset(viewer.groups) for viewer in self.server.viewers}
        single = {frozenset({group}) for source in self.sources for group in source.access}
        return frozenset({frozenset(), *viewers, *single})

    @property
    def base_url(self) -> str:
        """Return the address below which record IRIs lie, without a slash at the end."""
        return (self.server.base_url or f"http://{self.server.host}:{self.server.port}").rstrip("/")

    def source(self, name: str) -> SourceSettings:
        """Return a source's settings or raise ConfigError that lists what there is."""
        for source in self.sources:
            if source.name == name:
                return source
        known = ", ".join(source.name for source in self.sources) or "none"
        raise ConfigError(f"there is no source {name!r}", hint=f"configured sources: {known}")


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise ConfigError(
            "no such configuration file", where=str(path), hint="parfocal init makes one"
        ) from error
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"not valid TOML: {error}", where=str(path)) from error


def _paths(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        path = f"{prefix}.{key}" if prefix else key
        if isinstance(value, Mapping):
            yield from _paths(value, path)
        else:
            yield path, value


def _set(table: dict[str, Any], path: str, value: object) -> None:
    *parents, last = path.split(".")
    for parent in parents:
        if not isinstance(table.get(parent), dict):
            table[parent] = {}
        table = table[parent]
    table[last] = value


def _known_paths(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _known_paths(kind, f"{prefix}{name}.")
        elif name not in ("sources", "viewers", "file", "origins"):
            yield f"{prefix}{name}"


def _environment(environ: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield (path, variable, value): ``PARFOCAL_SEARCH_ENGINE`` sets ``search.engine``."""
    for path in _known_paths(Settings):
        variable = "PARFOCAL_" + path.replace(".", "_").upper()
        if variable in environ:
            yield path, variable, environ[variable]


def _resolve(base: Path, table: dict[str, Any]) -> None:
    """Make the paths of a file, and the default ones, relative to the folder of that file."""
    publish = table.setdefault("publish", {})
    table.setdefault("data_dir", "data")
    if isinstance(publish, dict):
        publish.setdefault("folder", "published")
    for place, key in ((table, "data_dir"), (table.get("publish", {}), "folder")):
        if isinstance(place, dict) and isinstance(place.get(key), str):
            place[key] = str(base / Path(place[key]).expanduser())
    ontology = table.get("ontology", {})
    decisions = ontology.get("decisions") if isinstance(ontology, dict) else None
    if isinstance(decisions, list) and all(isinstance(path, str) for path in decisions):
        ontology["decisions"] = [str(base / Path(path).expanduser()) for path in decisions]
    for source in table.get("sources", ()):
        if isinstance(source, dict) and isinstance(source.get("path"), str):
            source["path"] = str(base / Path(source["path"]).expanduser())


def load(
    file: Path | None = None,
    *,
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Read settings from a file, the environment and flags.

    The file is ``parfocal.toml`` in the working folder, if there, unless another one is given.

    Relative paths in a file count from the file's folder. Raises ConfigError that names file and
    key.
    """
    found = file or (Path(FILE_NAME) if Path(FILE_NAME).is_file() else None)
    table = _read(found) if found else {}
    origins = {path: str(found) for path, _ in _paths(table)}
    if found:
        _resolve(found.parent.absolute(), table)
    for path, variable, text in _environment(os.environ if environ is None else environ):
        _set(table, path, text)
        origins[path] = variable
    for path, value in (flags or {}).items():
        if value is not None:
            _set(table, path, value)
            origins[path] = "flag"
    try:
        return Settings.model_validate({**table, "file": found, "origins": origins})
    except ValidationError as error:
        raise config_error(Settings, error, str(found or "settings")) from error


def explain(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Yield (setting, value as text, origin) for every setting, secrets masked."""
    for path in _known_paths(Settings):
        value: Any = settings
        for part in path.split("."):
            value = getattr(value, part)
        yield path, _shown(value), settings.origins.get(path, "default")
    for number, source in enumerate(settings.sources):
        for key, value in source.model_dump().items():
            shown = _MASK if _SECRET.search(key) and not _is_place(value) else _shown(value)
            yield f"sources[{number}].{key}", shown, str(settings.file or "default")
    for number, viewer in enumerate(settings.server.viewers):
        for key, value in viewer.model_dump().items():
            yield f"server.viewers[{number}].{key}", _shown(value), str(settings.file or "default")


def _is_place(value: object) -> bool:
    """Whether a value says where a secret is, and is not itself one, which sources refuse."""
    return not value or str(value).startswith(("env:", "file:", "keyring:"))


def _shown(value: object) -> str:
    return _MASK if isinstance(value, SecretStr) and value.get_secret_value() else str(value)


def debugging() -> bool:
    """Whether ``PARFOCAL_DEBUG`` asks for tracebacks."""
    return bool(os.environ.get("PARFOCAL_DEBUG"))


def environment(name: str) -> str:
    """Return an environment variable that a setting names; "" when there is none."""
    return os.environ.get(name, "")
