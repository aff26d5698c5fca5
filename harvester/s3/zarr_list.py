"""Lists of addresses of images, as the NGFF challenge publishes them: CSV, text, Parquet; pure."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from harvester.words.coerce import decode_text
from parfocal.errors import SourceMalformed
from parfocal.registry import missing_extra

MAX_ROWS = 5_000_000
_PARQUET = b"PAR1"
_ADDRESS = re.compile(r"(?:https?|s3)://\S", re.I)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.I)
_NAMES = ("url", "zarr", "zarr_url", "uri", "href", "address", "file path", "path", "location")
_LISTS = (".csv", ".tsv", ".txt", ".parquet")
_MAX_CELL = 100_000


class Row(Struct, frozen=True):
    """An address and what else stands in its row, by column."""

    address: str
    columns: tuple[tuple[str, str], ...] = ()

    @property
    def is_list(self) -> bool:
        """Whether the address is another list's."""
        return urlsplit(self.address).path.lower().endswith(_LISTS)


def read_list(content: bytes, where: str) -> Iterator[Row]:
    """Yield the rows of a list in their order; SourceMalformed when it cannot be read."""
    if content.startswith(_PARQUET):
        yield from _parquet(content, where)
        return
    text, _ = decode_text(content)
    if text.lstrip()[:1] == "<":
        raise SourceMalformed("is a web page or XML, no list of addresses", where=where)
    try:
        yield from _table(csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text)))
    except csv.Error as error:
        raise SourceMalformed(f"not a table: {error}", where=where) from error


def _delimiter(text: str) -> str:
    """The sign between cells: of the first line, where addresses hold no tab or semicolon."""
    first = text.lstrip("\r\n").split("\n", 1)[0]
    return max(",\t;", key=first.count)


def _table(lines: Iterable[list[str]]) -> Iterator[Row]:
    header: list[str] | None = None
    column = 0
    for number, cells in enumerate(lines):
        if number >= MAX_ROWS:
            raise SourceMalformed(f"more than {MAX_ROWS} rows")
        cells = [cell.strip() for cell in cells]
        if not any(cells) or cells[0].startswith("#"):
            continue
        if header is None:
            header = [] if any(map(_ADDRESS.match, cells)) else cells
            column = _address_column(header, cells)
            if header:
                continue
        yield from _row(header, column, cells)


def _address_column(header: list[str], cells: list[str]) -> int:
    """The number of the column that holds addresses."""
    lower = [name.lower() for name in header]
    named = [lower.index(name) for name in _NAMES if name in lower]
    first = [number for number, cell in enumerate(cells) if _ADDRESS.match(cell)]
    return (named or first or [0])[0]


def _row(header: list[str], column: int, cells: list[str]) -> Iterator[Row]:
    if column >= len(cells) or not cells[column]:
        return
    names = header or [f"column {number}" for number in range(1, len(cells) + 1)]
    pairs = zip(names, cells, strict=False)
    kept = tuple(
        (name, value[:_MAX_CELL])
        for number, (name, value) in enumerate(pairs)
        if number != column and name and value
    )
    yield Row(cells[column], kept)


def _parquet(content: bytes, where: str) -> Iterator[Row]:
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ModuleNotFoundError as error:
        raise missing_extra(error, "a list in Parquet") from error
    try:
        table = parquet.ParquetFile(arrow.BufferReader(content))
        header = [str(name) for name in table.schema_arrow.names]
        for batch in table.iter_batches(1000):
            for held in batch.to_pylist():
                cells = [_cell(held.get(name)) for name in header]
                yield from _row(header, _address_column(header, cells), cells)
    except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise SourceMalformed("not a Parquet file that can be read", where=where) from error


def _cell(value: object) -> str:
    return "" if value is None or isinstance(value, bytes) else str(value).strip()


def web_address(text: str, home: str) -> str:
    """Return the web address of an entry: as it is, of an S3 address, or below a home address.

    >>> web_address("s3://idr/zarr/a.zarr", "https://s3.example")
    'https://s3.example/idr/zarr/a.zarr'
    """
    if text[:5].lower() == "s3://":
        return f"{home.rstrip('/')}/{text[5:]}"
    if _SCHEME.match(text) and not _ADDRESS.match(text):
        raise SourceMalformed(f"{text[:200]!r} is no web address")
    return text if _ADDRESS.match(text) else f"{home.rstrip('/')}/{text.lstrip('/')}"


def split_address(address: str) -> tuple[str, str]:
    """Return an address as its beginning and a path that starts with the host.

    Raises SourceMalformed for one that is no place to read below.

    >>> split_address("https://h.example/a%20b.zarr/")
    ('https://', 'h.example/a b.zarr')
    """
    try:
        parts = urlsplit(address)
        host = parts.netloc
    except ValueError:
        parts, host = urlsplit(""), ""
    path = unquote(parts.path).strip("/")
    if not host or not path or parts.query or "@" in host:
        raise SourceMalformed(f"{address[:200]!r} is no address of a Zarr or file to read")
    return f"{parts.scheme.lower()}://", f"{host.lower()}/{path}"
