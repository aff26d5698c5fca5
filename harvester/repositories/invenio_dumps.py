"""What an InvenioRDM tells of deleted records: the newest of its exported tables."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from harvester.asking.http import Http
from harvester.words.leaves import child, objects, words
from parfocal.errors import SourceMalformed

DUMP = "records-deleted.csv.gz"
MAX_TABLE = 512 * 1024 * 1024
_IDS = ("record_id", "id", "recid", "parent_id", "conceptrecid", "parent_recid", "concept_recid")
_LONGEST_LINE = 100_000


class Dump(Struct, frozen=True):
    """One exported table."""

    version: str
    url: str


async def newest_dump(http: Http, root: str, headers: Mapping[str, str]) -> Dump | None:
    """Return the newest table of deleted records; None where there is none."""
    answer = await http.get(
        f"{root}/api/exporter", headers=headers, expect=(200, 401, 403, 404, 405)
    )
    if answer.status != 200:
        return None
    found = objects(child(answer.json(), DUMP))
    found.sort(key=lambda one: (one.get("is_head") is True, words(one.get("created"))))
    for one in reversed(found):
        url = words(child(one, "links", "self")) or words(child(one, "links", "download"))
        if url:
            return Dump(words(one.get("version_id")) or url, url)
    return None


async def deleted_ids(http: Http, dump: Dump, headers: Mapping[str, str]) -> Iterator[str]:
    """Return the identifiers (of versions and of all versions of one record) of a table."""
    answer = await http.get(dump.url, headers=headers)
    return read_ids(answer.content, dump.url)


def read_ids(content: bytes, where: str) -> Iterator[str]:
    """Yield the identifiers in a table of deleted records, which may be compressed."""
    try:
        with _opened(content) as file:
            yield from _ids(csv.reader(_lines(file, where)))
    except (csv.Error, UnicodeError) as error:
        raise SourceMalformed(f"not a table: {error}", where=where) from error
    except (OSError, EOFError, zlib.error) as error:
        raise SourceMalformed(f"the table cannot be unpacked: {error}", where=where) from error


def _opened(content: bytes) -> io.TextIOWrapper:
    """Open a table for reading bit by bit: unpacked it may be far larger than memory likes."""
    raw: Any = io.BytesIO(content)
    if content[:2] == b"\x1f\x8b":
        raw = gzip.GzipFile(fileobj=raw)
    return io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace", newline="")


def _lines(file: io.TextIOWrapper, where: str) -> Iterator[str]:
    size = 0
    while line := file.readline(_LONGEST_LINE):
        size += len(line)
        if size > MAX_TABLE:
            raise SourceMalformed("the table is too large", where=where)
        yield line


def _ids(rows: Iterator[list[str]]) -> Iterator[str]:
    names = [name.strip().lower() for name in next(rows, [])]
    places = [names.index(name) for name in _IDS if name in names] or [0]
    for row in rows:
        for place in places:
            if place < len(row) and row[place].strip():
                yield row[place].strip()
