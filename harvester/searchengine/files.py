"""Files of results that IDR's search engine makes: CSV and Parquet, read in portions."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import IO, Any

import msgspec

from harvester.asking.answers import Garbled
from parfocal.errors import SourceMalformed, SourceUnavailable
from parfocal.registry import missing_extra

ROWS_AT_ONCE = 1000
_PARQUET = b"PAR1"
_LONGEST_ERROR = 10_000


def check_file(file: IO[bytes], where: str) -> None:
    """Raise unless a file is whole; what is no file of results may be JSON or a page."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    start = file.read(1)
    if start in (b"", b"{", b"<"):
        file.seek(0)
        said = file.read(_LONGEST_ERROR)
        if b"Error" in said:
            raise SourceUnavailable("the engine does not give its file", where=where)
        raise Garbled("not a file of results", where=where)
    file.seek(max(0, size - len(_PARQUET)))
    if not file.read().endswith((b"\n", _PARQUET)):
        raise Garbled("the file of results is cut off", where=where)


def read_rows(file: IO[bytes], kind: str, where: str) -> Iterator[list[bytes]]:
    """Yield the rows of a file as JSON objects, some at a time."""
    file.seek(0)
    rows = _csv_rows(file, where) if kind == "csv" else _parquet_rows(file, where)
    while batch := list(islice(rows, ROWS_AT_ONCE)):
        yield batch


def _csv_rows(file: IO[bytes], where: str) -> Iterator[bytes]:
    text = io.TextIOWrapper(file, "utf-8-sig", "replace", newline="")
    try:
        for row in csv.DictReader(text):
            yield _row(row)
    except csv.Error as error:
        raise SourceMalformed(f"the CSV file cannot be read: {error}", where=where) from error
    finally:
        text.detach()


def _parquet_rows(file: IO[bytes], where: str) -> Iterator[bytes]:
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ModuleNotFoundError as error:
        raise missing_extra(error, "results in Parquet") from error
    try:
        for batch in parquet.ParquetFile(file).iter_batches(batch_size=ROWS_AT_ONCE):
            for row in batch.to_pylist():
                yield _row(row)
    except (arrow.ArrowException, OSError) as error:
        raise SourceMalformed(f"the Parquet file cannot be read: {error}", where=where) from error


def _row(row: Mapping[str | None, Any]) -> bytes:
    """Return a row of a file as JSON, without what is empty."""
    kept = {
        name: value
        for name, value in row.items()
        if isinstance(name, str) and name and value not in (None, "") and value == value
    }
    return msgspec.json.encode(kept, enc_hook=str)
