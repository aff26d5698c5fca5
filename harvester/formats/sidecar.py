"""Sidecar files of a folder of images: ``parfocal.toml`` and ``parfocal.csv``.

``parfocal.toml`` describes the data set (``[dataset]``) and gives key-values to files by pattern
(``[[files]]``); ``parfocal.csv`` has a column ``file`` with names or patterns, each other column is
a key.
"""

from __future__ import annotations

import csv
import io
import re
import tomllib
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from fnmatch import translate
from typing import Any

from msgspec import Struct

from harvester.words.licences import spdx
from parfocal.errors import SourceMalformed
from parfocal.identifiers import parse_doi, parse_orcid
from parfocal.model import KeyValue, Person, Publication

CSV_NAME = "parfocal.csv"
TOML_NAME = "parfocal.toml"
MAX_BYTES = 64 * 1024 * 1024
MAX_COLUMNS = 1000
MAX_CELL = 100_000
Pairs = tuple[KeyValue, ...]
_TEXT_KEYS = ("title", "description", "licence", "license", "date", "doi", "publisher")
_LIST_KEYS = ("authors", "keywords", "access", "funding", "publications")


class DatasetFacts(Struct, frozen=True, omit_defaults=True):
    """What ``[dataset]`` says of a study; ``access`` None means that it says nothing about it."""

    title: str = ""
    description: str = ""
    licence: str = ""
    date: str = ""
    doi: str = ""
    publisher: str = ""
    authors: tuple[Person, ...] = ()
    keywords: tuple[str, ...] = ()
    funding: tuple[str, ...] = ()
    publications: tuple[Publication, ...] = ()
    access: tuple[str, ...] | None = None
    pairs: Pairs = ()


class Rules:
    """Key-values by file name or pattern, in the order of the sidecar.

    A name or pattern counts from the sidecar's folder; one without a slash fits deeper files too.
    It also fits everything within a folder or OME-Zarr group that it names.
    """

    def __init__(self, rules: Iterable[tuple[str, Pairs]] = ()) -> None:
        self._exact: dict[str, list[tuple[int, Pairs]]] = {}
        self._patterns: list[tuple[int, re.Pattern[str], Pairs]] = []
        for order, (pattern, pairs) in enumerate(rules):
            if any(letter in pattern for letter in "*?["):
                self._patterns.append((order, re.compile(translate(pattern)), pairs))
            else:
                self._exact.setdefault(pattern.strip("/"), []).append((order, pairs))

    def __bool__(self) -> bool:
        return bool(self._exact or self._patterns)

    def pairs(self, path: str) -> Pairs:
        """Return the key-values of a file, given by its path from the sidecar's folder."""
        parts = path.split("/")
        names = {"/".join(parts[:end]) for end in range(1, len(parts) + 1)} | set(parts)
        found = [rule for name in names for rule in self._exact.get(name, ())]
        for order, pattern, pairs in self._patterns:
            if any(pattern.match(name) for name in names):
                found.append((order, pairs))
        return tuple(pair for _, pairs in sorted(found, key=lambda f: f[0]) for pair in pairs)


def _decode(content: bytes) -> str:
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")


def read_csv(content: bytes) -> tuple[Rules, tuple[tuple[str, str], ...]]:
    """Read ``parfocal.csv``: its rules, and pairs (place, reason) for rows that do not fit.

    Raises SourceMalformed, with the line, when the table as a whole cannot be read.
    """
    text = _decode(content)
    first = text[: text.find("\n") + 1 or None]
    delimiter = max(",;\t", key=first.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rules: list[tuple[str, Pairs]] = []
    problems: list[tuple[str, str]] = []
    try:
        keys = _header(next(rows, []))
        for row in rows:
            if any(row):
                rule, problem = _row(keys, row)
                rules.extend(rule)
                problems.extend((f"line {rows.line_num}, {p}", reason) for p, reason in problem)
    except csv.Error as error:
        raise SourceMalformed(f"not CSV: {error}", where=f"line {rows.line_num}") from error
    return Rules(rules), tuple(problems)


def _header(row: list[str]) -> list[str]:
    if len(row) > MAX_COLUMNS:
        raise SourceMalformed(f"{len(row)} columns; at most {MAX_COLUMNS} are read", where="line 1")
    keys = [cell.strip() for cell in row]
    if "file" not in [key.lower() for key in keys]:
        raise SourceMalformed(
            "there is no column 'file'",
            where="line 1, column 1",
            hint="the first line names the columns; the column file holds file names or patterns",
        )
    return keys


def _row(keys: list[str], row: list[str]) -> tuple[list[tuple[str, Pairs]], list[tuple[str, str]]]:
    place = [key.lower() for key in keys].index("file")
    if len(row) > len(keys):
        return [], [(f"column {len(keys) + 1}", f"{len(row)} cells, but {len(keys)} columns")]
    if len(row) <= place or not row[place].strip():
        return [], [(f"column {place + 1}", "no file name")]
    if max(map(len, row)) > MAX_CELL:
        return [], [("column 1", f"a cell of more than {MAX_CELL} characters")]
    pairs = tuple(
        KeyValue(key, cell.strip())
        for index, (key, cell) in enumerate(zip(keys, row, strict=False))
        if index != place and key and cell.strip()
    )
    return [(row[place].strip(), pairs)], []


class Toml(Struct, frozen=True):
    """What ``parfocal.toml`` says; ``dataset`` is None when it has no ``[dataset]``."""

    dataset: DatasetFacts | None
    rules: tuple[tuple[str, Pairs], ...]


def read_toml(content: bytes) -> Toml:
    """Read ``parfocal.toml``; SourceMalformed names the place, line or key, that is wrong."""
    try:
        table = tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SourceMalformed("not UTF-8", where=f"line {line}") from error
    except tomllib.TOMLDecodeError as error:
        message, _, place = str(error).rpartition(" (at ")
        where = place.rstrip(")") if message else ""
        if where in ("", "end of document"):
            where = f"line {max(1, len(content.splitlines()))}, at the end"
        raise SourceMalformed(f"not TOML: {message or error}", where=where) from error
    except RecursionError as error:
        raise SourceMalformed("TOML nested too deeply") from error
    dataset = table.get("dataset")
    if dataset is not None and not isinstance(dataset, dict):
        raise SourceMalformed("must be a table", where="dataset")
    return Toml(
        _dataset(dataset) if dataset is not None else None, tuple(_file_rules(table.get("files")))
    )


def _dataset(table: dict[str, Any]) -> DatasetFacts:
    texts = {key: _text(table, key) for key in _TEXT_KEYS}
    return DatasetFacts(
        title=texts["title"],
        description=texts["description"],
        licence=spdx(texts["licence"] or texts["license"]),
        date=texts["date"],
        doi=parse_doi(texts["doi"]) or "",
        publisher=texts["publisher"],
        authors=tuple(_person(a, i) for i, a in enumerate(_list(table, "authors"))),
        keywords=_texts(table, "keywords"),
        funding=_texts(table, "funding"),
        publications=tuple(_publication(p, i) for i, p in enumerate(_list(table, "publications"))),
        access=_texts(table, "access") if "access" in table else None,
        pairs=tuple(_pairs(table, (*_TEXT_KEYS, *_LIST_KEYS), "dataset")),
    )


def _plain(value: object, where: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (datetime, date)):
        return value.isoformat()[:10]
    if isinstance(value, (str, int, float)):
        return str(value).strip()
    raise SourceMalformed("must be a text, number or date", where=where)


def _text(table: dict[str, Any], key: str) -> str:
    return _plain(table[key], f"dataset.{key}") if key in table else ""


def _list(table: dict[str, Any], key: str) -> list[Any]:
    value = table.get(key, [])
    if not isinstance(value, list):
        raise SourceMalformed("must be a list", where=f"dataset.{key}")
    return value


def _texts(table: dict[str, Any], key: str) -> tuple[str, ...]:
    found = (_plain(v, f"dataset.{key}[{i}]") for i, v in enumerate(_list(table, key)))
    return tuple(filter(None, found))


def _person(value: object, index: int) -> Person:
    where = f"dataset.authors[{index}]"
    if isinstance(value, str):
        return Person(name=value.strip())
    if not isinstance(value, dict) or not value.get("name"):
        raise SourceMalformed('must be a text or a table like {name = "..."}', where=where)
    given = {key: _plain(held, f"{where}.{key}") for key, held in value.items()}
    return Person(
        name=given["name"],
        orcid=_orcid(given.get("orcid", ""), where),
        affiliation=given.get("affiliation", ""),
        email=given.get("email", ""),
    )


def _orcid(text: str, where: str) -> str:
    found = parse_orcid(text)
    if text and found is None:
        hint = "an ORCID iD reads 0000-0002-1825-0097; its last digit is a checksum"
        raise SourceMalformed(f"{text[:60]!r} is no ORCID iD", where=f"{where}.orcid", hint=hint)
    return found or ""


def _publication(value: object, index: int) -> Publication:
    where = f"dataset.publications[{index}]"
    if not isinstance(value, dict):
        raise SourceMalformed('must be a table like {title = "...", doi = "..."}', where=where)
    given = {key: _plain(held, f"{where}.{key}") for key, held in value.items()}
    return Publication(
        title=given.get("title", ""),
        authors=given.get("authors", ""),
        doi=parse_doi(given.get("doi", "")) or "",
        pubmed=given.get("pubmed", ""),
        pmc=given.get("pmc", ""),
    )


def _pairs(table: dict[str, Any], besides: tuple[str, ...], where: str) -> Iterator[KeyValue]:
    for key, value in table.items():
        if key not in besides:
            for held in value if isinstance(value, list) else [value]:
                text = _plain(held, f"{where}.{key}")
                if text:
                    yield KeyValue(key, text)


def _file_rules(value: object) -> Iterator[tuple[str, Pairs]]:
    if value is not None and not isinstance(value, list):
        raise SourceMalformed("must be written [[files]]", where="files")
    for index, table in enumerate(value or ()):
        where = f"files[{index}]"
        if not isinstance(table, dict) or not isinstance(table.get("pattern"), str):
            raise SourceMalformed('needs pattern = "..."', where=where)
        yield table["pattern"], tuple(_pairs(table, ("pattern",), where))
