"""Reading an annotation table once: runs of rows, repeats, doubtful columns, ragged rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from msgspec import Raw, Struct

from harvester.idr.bulkmap import BulkColumn
from harvester.idr.columns import (
    ClaimColumn,
    NameColumns,
    claim_columns,
    key_columns,
    name_columns,
    native_name,
    plain_name,
    row_names,
)
from harvester.idr.drag_fill import DragFill, Pair, find_drag_fill
from harvester.idr.items import RowsItem, encode_rows
from parfocal.errors import SourceMalformed
from parfocal.values import Problem

ROWS_PER_ITEM = 1000
MAX_COLUMNS = 10_000


class Run(Struct, frozen=True):
    """Some consecutive rows, encoded, with what is repeated and what is doubted among them."""

    rows: Raw
    repeats: tuple[tuple[int, int], ...]
    doubted: tuple[tuple[int, str, str], ...] = ()


class Table(Struct, frozen=True):
    """A whole annotation table, in runs of rows."""

    header: tuple[str, ...]
    runs: tuple[Run, ...]
    warnings: tuple[Problem, ...]


def _rows(text: str, where: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (spreadsheet row, cells) of rows that are not empty; the header is row 1."""
    reader = csv.reader(io.StringIO(text, newline=""))
    number = 0
    while True:
        number += 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise SourceMalformed(
                f"is not a CSV table: {error}",
                where=f"row {number}",
                hint="look for a quotation mark that is never closed",
            ) from error
        if len(row) > MAX_COLUMNS:
            raise SourceMalformed(
                f"has {len(row)} columns", where=f"row {number}", hint=f"at most {MAX_COLUMNS}"
            )
        if any(row):
            yield number, row


def _header(rows: Iterator[tuple[int, list[str]]], text: str) -> tuple[str, ...]:
    if "\x00" in text:
        line = text.count("\n", 0, text.index("\x00")) + 1
        raise SourceMalformed(
            "holds NUL bytes, so it is no text", where=f"line {line}", hint="export it as CSV again"
        )
    first = next(rows, None)
    if first is None:
        raise SourceMalformed("is empty", hint="a table begins with a row of column names")
    return tuple(first[1])


class _Reading:
    """What is gathered while the rows go by."""

    def __init__(self, header: tuple[str, ...], container: str) -> None:
        self.width = len(header)
        self.container = container
        self.names: NameColumns = name_columns(header)
        self.claims: tuple[ClaimColumn, ...] = claim_columns(header, key_columns(header, ()))
        self.cells: list[list[Pair]] = [[] for _ in self.claims]
        self.seen: dict[str, int] = {}
        self.numbers: list[int] = []
        self.ragged: list[int] = []
        self.runs: list[Run] = []

    def _count(self, native: str) -> int:
        """Return how many rows have had this name, so that name and number are new."""
        count = self.seen[native] = self.seen.get(native, 0) + 1
        while count > 1 and f"{native}~{count}" in self.seen:
            count = self.seen[native] = count + 1
        if count > 1:
            self.seen[f"{native}~{count}"] = 1
        return count

    def take(self, rows: list[tuple[int, list[str]]]) -> None:
        """Take a run of rows."""
        self.numbers += [number for number, _ in rows]
        cells = [row for _, row in rows]
        repeats: list[tuple[int, int]] = []
        for place, row in enumerate(cells):
            if len(row) > self.width and any(row[self.width :]):
                self.ragged.append(rows[place][0])
            count = self._count(native_name(self.container, row, *row_names(row, self.names)))
            if count > 1:
                repeats.append((place, count))
        for claim, gathered in zip(self.claims, self.cells, strict=True):
            text, accession = claim.text, claim.accession
            most = max(text, accession)
            gathered += [
                (row[text].strip(), row[accession]) if len(row) > most else ("", "")
                for row in cells
            ]
        self.runs.append(Run(encode_rows(cells), tuple(repeats)))


def _drag_warning(
    file: str, header: Sequence[str], claim: ClaimColumn, found: DragFill, numbers: list[int]
) -> Problem:
    column = plain_name(header[claim.accession])
    return Problem(
        file,
        f"accessions count up while {plain_name(header[claim.text])!r} stays the same, "
        f"like {', '.join(found.examples)}: {found.rows} rows are doubted",
        f"column {column!r}, rows {numbers[found.first]} to {numbers[found.last]}",
        "somebody dragged a cell down in a spreadsheet; put the right accession in these rows",
        "warning",
    )


def _ragged_warning(file: str, rows: list[int]) -> Problem:
    return Problem(
        file,
        f"{len(rows)} rows have more cells than there are columns; these are kept without a name",
        f"row {rows[0]}",
        "look for a comma that should be in quotation marks",
        "warning",
    )


def read_table(text: str, file: str, container: str) -> Table:
    """Read an annotation table; SourceMalformed, with the row as its place, when it is none."""
    rows = _rows(text, file)
    header = _header(rows, text)
    reading = _Reading(header, container)
    waiting: list[tuple[int, list[str]]] = []
    for numbered in rows:
        waiting.append(numbered)
        if len(waiting) == ROWS_PER_ITEM:
            reading.take(waiting)
            waiting = []
    if waiting:
        reading.take(waiting)
    warnings = [_ragged_warning(file, reading.ragged)] if reading.ragged else []
    doubted: list[set[tuple[int, str, str]]] = [set() for _ in reading.runs]
    for claim, cells in zip(reading.claims, reading.cells, strict=True):
        found = find_drag_fill(cells) if claim.text >= 0 else None
        if found:
            warnings.append(_drag_warning(file, header, claim, found, reading.numbers))
            for number, gathered in enumerate(doubted):
                run = cells[number * ROWS_PER_ITEM : (number + 1) * ROWS_PER_ITEM]
                gathered.update(
                    (claim.accession, *pair) for pair in found.doubted.intersection(run)
                )
    runs = tuple(
        Run(run.rows, run.repeats, tuple(sorted(gathered)))
        for run, gathered in zip(reading.runs, doubted, strict=True)
    )
    return Table(header, runs, tuple(warnings))


def rows_item(
    table: Table, run: Run, folder: str, container: str, file: str, bulkmap: tuple[BulkColumn, ...]
) -> RowsItem:
    """Return one run of a table as an item that needs nothing else to be read."""
    return RowsItem(
        folder, container, file, table.header, bulkmap, run.doubted, run.repeats, run.rows
    )
