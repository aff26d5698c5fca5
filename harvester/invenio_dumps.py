"""What an InvenioRDM tells of deleted records: the newest of its exported tables."""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Iterator, Mapping

from msgspec import Struct

from harvester.http import Http
from harvester.leaves import child, objects, words
from parfocal.errors import SourceMalformed

DUMP = "records-deleted.csv.gz"
MAX_TABLE = 512 * 1024 * 1024
_IDS = ("record_id", "id", "recid", "parent_id", "conceptrecid", "parent_recid", "concept_recid")
_CHUNK = 1 << 20


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
    lines = io.StringIO(_unpacked(content, where).decode("utf-8-sig", "replace"), newline="")
    rows = csv.reader(lines)
    try:
        names = [name.strip().lower() for name in next(rows, [])]
        places = [names.index(name) for name in _IDS if name in names] or [0]
        for row in rows:
            for place in places:
                if place < len(row) and row[place].strip():
                    yield row[place].strip()
    except csv.Error as error:
        raise SourceMalformed(f"not a table: {error}", where=where) from error


def _unpacked(content: bytes, where: str) -> bytes:
    if content[:2] != b"\x1f\x8b":
        return content
    parts: list[bytes] = []
    size = 0
    try:
        while content:
            unpack = zlib.decompressobj(31)
            while content and not unpack.eof:
                parts.append(unpack.decompress(content, _CHUNK))
                content = unpack.unconsumed_tail
                size += len(parts[-1])
                if size > MAX_TABLE:
                    raise SourceMalformed("the table is too large", where=where)
            if not unpack.eof:
                raise SourceMalformed("the table is cut off", where=where)
            content = unpack.unused_data
    except zlib.error as error:
        raise SourceMalformed(f"the table cannot be unpacked: {error}", where=where) from error
    return b"".join(parts)
