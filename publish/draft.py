"""The draft of a data set: a TOML file that a person fills in, and the value that it stands for."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from parfocal.errors import ConfigError

MAX_DRAFT = 5_000_000
KEY = re.compile(r"[a-z0-9][a-z0-9.-]{0,98}[a-z0-9]")
_PLACE = re.compile(r"(?:`\$(?P<path>[^`]*)`)")
_UNKNOWN = re.compile(r"unknown field `(?P<name>[^`]*)`")


class _Table(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    pass


class Creator(_Table, frozen=True):
    """Somebody who made the data."""

    name: Annotated[str, Meta(description="Family, Given; or an organisation's name.")] = ""
    given_name: Annotated[str, Meta(description="Given name.")] = ""
    family_name: Annotated[str, Meta(description="Family name.")] = ""
    orcid: Annotated[str, Meta(description="ORCID iD, like 0000-0002-1825-0097.")] = ""
    affiliation: Annotated[str, Meta(description="Name of the organisation.")] = ""
    email: Annotated[str, Meta(description="E-mail address; it becomes public.")] = ""


class Term(_Table, frozen=True):
    """An ontology term by CURIE and label."""

    term: Annotated[str, Meta(description="CURIE, like NCBITaxon:9606.")] = ""
    label: Annotated[str, Meta(description="Label of the term.")] = ""


class Article(_Table, frozen=True):
    """A publication about the data."""

    title: Annotated[str, Meta(description="Title.")] = ""
    doi: Annotated[str, Meta(description="DOI, like 10.1000/xyz.")] = ""
    url: Annotated[str, Meta(description="Address, when there is no DOI.")] = ""


class Draft(_Table, frozen=True, kw_only=True):
    """All that is said of a data set before it is published.

    ``key`` names the package for ever: the same key never makes a second package or DOI.
    """

    key: Annotated[str, Meta(description="Name of the package.")] = ""
    title: Annotated[str, Meta(description="Title of the data set.")] = ""
    description: Annotated[str, Meta(description="What was imaged, how and why.")] = ""
    licence: Annotated[str, Meta(description="SPDX identifier or address of the licence.")] = ""
    publisher: Annotated[str, Meta(description="Who publishes it.")] = ""
    date: Annotated[str, Meta(description="Day of publication, YYYY-MM-DD.")] = ""
    version: Annotated[str, Meta(description="Version of the data set.")] = "1"
    keywords: Annotated[tuple[str, ...], Meta(description="Keywords.")] = ()
    funding: Annotated[tuple[str, ...], Meta(description="Grants, as text.")] = ()
    records: Annotated[tuple[str, ...], Meta(description="Records of the catalogue.")] = ()
    folder: Annotated[str, Meta(description="Folder of files.")] = ""
    creators: Annotated[tuple[Creator, ...], Meta(description="Who made the data.")] = ()
    organisms: Annotated[tuple[Term, ...], Meta(description="NCBITaxon terms.")] = ()
    methods: Annotated[tuple[Term, ...], Meta(description="FBbi terms.")] = ()
    subjects: Annotated[tuple[Term, ...], Meta(description="Other terms.")] = ()
    publications: Annotated[tuple[Article, ...], Meta(description="Articles about it.")] = ()

    @property
    def digest(self) -> str:
        """Return what stands for everything that the draft says."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()


def read_draft(path: Path) -> Draft:
    """Read a draft file; ConfigError names file, line and what is wrong."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_DRAFT + 1)
    except FileNotFoundError as error:
        hint = "parfocal publish draft ID -o FILE makes one"
        raise ConfigError("no such draft", where=str(path), hint=hint) from error
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from error
    if len(content) > MAX_DRAFT:
        raise ConfigError(f"a draft has at most {MAX_DRAFT} bytes", where=str(path))
    try:
        return parse_draft(content.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        hint = "save the file as UTF-8"
        raise ConfigError("not UTF-8", where=f"{path}:{line}", hint=hint) from error


def parse_draft(text: str, where: str = "draft") -> Draft:
    """Read a draft from its TOML text.

    >>> parse_draft('title = "Spindles"').title
    'Spindles'
    """
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        match = re.search(r"at line (\d+)", str(error))
        place = f"{where}:{match.group(1)}" if match else where
        hint = 'texts stand in quotes, lists in brackets: keywords = ["a", "b"]'
        raise ConfigError(f"not valid TOML: {error}", where=place, hint=hint) from error
    try:
        return msgspec.convert(table, Draft, strict=True)
    except msgspec.ValidationError as error:
        raise _explained(str(error), text, where) from error


def _explained(message: str, text: str, where: str) -> ConfigError:
    """Turn msgspec's words into ours: which member, on which line."""
    place = _PLACE.search(message)
    unknown = _UNKNOWN.search(message)
    path = (place.group("path") if place else "").removeprefix(".")
    if unknown:
        path = f"{path}.{unknown.group('name')}".removeprefix(".")
    line = line_of(text, path)
    reason = f"unknown member {path!r}" if unknown else f"{path}: {message.partition(' - at')[0]}"
    return ConfigError(
        reason,
        where=f"{where}:{line}" if line else where,
        hint="docs/publishing.md lists what a draft can say",
    )


def line_of(text: str, path: str) -> int:
    r"""Return the line on which a member stands, counted from 1; 0 when it is not found.

    >>> line_of('title = "a"\n[[creators]]\nname = 5', "creators[0].name")
    3
    """
    match = re.fullmatch(r"(\w+)(?:\[(\d+|\.\.\.)\])?(?:\.(.+))?", path)
    if not match:
        return 0
    name, number, member = match.groups()
    wanted = int(number) if number and number.isdigit() else 0
    header, seen, table = re.compile(rf"\s*\[+\s*{re.escape(name)}\s*\]+"), -1, ""
    first = 0
    for at, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("["):
            table = name if header.match(line) else "other"
            seen += table == name
            first = at if table == name and seen == wanted else first
        inside = table == name and seen == wanted and member and _is_key(line, member)
        if inside or (not table and _is_key(line, name)):
            return at
    return first


def _is_key(line: str, name: str) -> bool:
    return re.match(rf"""\s*["']?{re.escape(name)}["']?\s*=""", line) is not None
