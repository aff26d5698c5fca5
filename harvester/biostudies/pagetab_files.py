"""File lists of BioStudies: hundreds of thousands of entries, taken apart as they arrive."""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from parfocal.errors import SourceMalformed

MAX_ENTRY = 1_000_000
_WITHIN_ZARR = re.compile(r"(.*?\.zarr)/.", re.I | re.DOTALL)
_BETWEEN = " \t\r\n,"


def read_list(name: str, chunks: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the entries of a file list that arrives in chunks: JSON, or a table by its name.

    Raises SourceMalformed when it is neither, or ends too early; what came before has been yielded.
    """
    if name.lower().endswith((".tsv", ".txt", ".csv")):
        return _table(chunks, "," if name.lower().endswith(".csv") else "\t")
    return _array(chunks)


def stores_once(entries: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield a Zarr store once, in place of all the files within it; other entries as they are."""
    seen: set[str] = set()
    for entry in entries:
        path = entry.get("path")
        match = _WITHIN_ZARR.match(path) if isinstance(path, str) else None
        if match is None:
            yield entry
        elif match[1] not in seen:
            seen.add(match[1])
            yield {**entry, "path": match[1], "type": "directory", "size": None}


def _array(chunks: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    decode = codecs.getincrementaldecoder("utf-8-sig")("replace").decode
    scan = json.JSONDecoder().raw_decode
    held = ""
    opened = closed = False
    for chunk in chunks:
        held += decode(chunk)
        if not opened:
            held = held.lstrip()
            if held and held[0] != "[":
                raise SourceMalformed("not a list of files", where=held[:40])
            opened, held = bool(held), held[1:]
        start = 0
        while not closed:
            start = _skip(held, start)
            closed = held.startswith("]", start)
            if closed or start == len(held):
                break
            try:
                value, start = scan(held, start)
            except RecursionError as error:
                raise SourceMalformed("an entry is nested too deeply") from error
            except ValueError:
                break  # the rest of this entry comes with the next chunk
            for entry in value if isinstance(value, list) else [value]:
                if isinstance(entry, dict) and entry:
                    yield entry
        held = held[start:]
        if len(held) > MAX_ENTRY:
            raise SourceMalformed("an entry is no JSON, or larger than 1 MB", where=held[:40])
    if not closed:
        raise SourceMalformed("the list of files is cut short", where=held[:40])


def _skip(held: str, start: int) -> int:
    while start < len(held) and held[start] in _BETWEEN:
        start += 1
    return start


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    decode = codecs.getincrementaldecoder("utf-8-sig")("replace").decode
    held = ""
    for chunk in chunks:
        *whole, held = (held + decode(chunk)).split("\n")
        yield from (line + "\n" for line in whole)
        if len(held) > MAX_ENTRY:
            raise SourceMalformed("a line is longer than 1 MB", where=held[:40])
    if held:
        yield held


def _table(chunks: Iterable[bytes], delimiter: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table whose first column has the paths, the others attributes."""
    rows = csv.reader(_lines(chunks), delimiter=delimiter)
    try:
        names = next(rows, [])
        for row in rows:
            if row and row[0].strip():
                pairs = zip(names[1:], row[1:], strict=False)
                attributes = [{"name": n.strip(), "value": v.strip()} for n, v in pairs]
                yield {"path": row[0].strip(), "attributes": attributes, "type": "file"}
    except csv.Error as error:
        raise SourceMalformed(f"not a table: {error}") from error
