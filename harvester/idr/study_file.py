"""``*-study.txt``: the tab-separated text that describes an IDR study, in rows and sections."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from parfocal.errors import SourceMalformed

_LINES = re.compile(r"\r\n|\n|\r")
_GROUPS = (
    "Study|Screen|Experiment|Library|Protocol|Phenotype|Raw|Feature Level|Processed Data|"
    "Term Source|Quality Control|Assay"
)
_KEY = re.compile(
    rf"Comment ?\[[^\]\t]{{1,60}}\]|(?:{_GROUPS})(?: (?:[A-Z#][\w()#-]*|To|of|for)){{0,7}}:?"
)
_SHORT_KEYS = (
    "Study Title|Study Type|Study Description|Study Organism|Study Key Words|Study License|"
    "Term Source Name|Term Source URI|Term Source File|Protocol Description|Protocol Name|"
    "Screen Type|Screen Description|Screen Imaging Method|Experiment Size|Experiment Description|"
    "Experiment Imaging Method|Screen Size"
)
_SPACED = re.compile(
    rf"((?:{_SHORT_KEYS})(?: Term Source REF| Term Accession)?) (\s*\S.*)", re.DOTALL
)
_START = re.compile(r"(Screen|Experiment) Number")
_NAME = re.compile(r"Comment ?\[IDR (?:Screen|Experiment) Name\]", re.I)
_CONTAINER = re.compile(r"(?:screen|experiment)[A-Za-z0-9]{1,3}", re.I)
_WIDE = re.compile(r"\s{4,}|\t")
MAX_CELLS = 20_000
MAX_ROWS = 2_000
MAX_SECTIONS = 500


class StudyRow(Struct, frozen=True):
    """A key with its cells, in order; empty cells are kept so that rows line up."""

    key: str
    cells: tuple[str, ...]


class Section(Struct, frozen=True):
    """The rows of the study (kind ""), or of a screen or experiment, with its name like screenA."""

    kind: str
    name: str
    rows: tuple[StudyRow, ...]

    def cells(self, *keys: str) -> tuple[str, ...]:
        """Return the cells of the first of these keys that has any, without empty ones at the end.

        >>> Section("", "", (StudyRow("Study Title", ("A", "")),)).cells("Study Title")
        ('A',)
        """
        for key in keys:
            for row in self.rows:
                if row.key.lower() == key.lower() and any(row.cells):
                    last = max(place for place, cell in enumerate(row.cells) if cell)
                    return row.cells[: last + 1]
        return ()

    def first(self, *keys: str) -> str:
        """Return the first cell that is not empty, or ""."""
        return next((cell for cell in self.cells(*keys) if cell), "")


def _unquoted(cell: str) -> str:
    cell = cell.strip()
    if len(cell) > 1 and cell[0] == cell[-1] == '"':
        cell = cell[1:-1].replace('""', '"').strip()
    return cell


def _split(line: str) -> tuple[str, list[str]] | None:
    """Return key and cells of a line that begins a row; None for one that goes on with the last."""
    head, *cells = line.split("\t")
    head = _unquoted(head) if head.count('"') != 1 else head.strip().lstrip('"')
    if _KEY.fullmatch(head):
        return head.rstrip(":"), cells
    spaced = _SPACED.fullmatch(head)
    if spaced:
        return spaced.group(1), [*_WIDE.split(spaced.group(2).strip()), *cells]
    return None


def read_rows(text: str) -> Iterator[StudyRow]:
    """Yield the rows of a study file; a line without a known key goes on with the row before it."""
    key = ""
    cells: list[str] = []
    last: list[str] = []
    for line in _LINES.split(text):
        if line.lstrip('" ').startswith("#"):
            continue
        begun = _split(line)
        if begun:
            if key:
                yield _row(key, [*cells, "\n".join(last)])
            key, cells = _without_empty_row(*begun)
            last = [cells.pop()] if cells else []
        elif key and line.strip():
            first, *others = line.split("\t")
            last.append(first)
            if others:
                cells += ["\n".join(last), *others[:-1]]
                last = others[-1:]
    if key:
        yield _row(key, [*cells, "\n".join(last)])


def _without_empty_row(key: str, cells: list[str]) -> tuple[str, list[str]]:
    """Return key and cells of a line, leaving out an empty row that some lines hold before."""
    for place, cell in enumerate(cells):
        if cell.strip():
            later = _split("\t".join(cells[place:]))
            return later if later and key.startswith(later[0].partition(" ")[0]) else (key, cells)
    return key, cells


def _row(key: str, cells: Sequence[str]) -> StudyRow:
    read = [_unquoted(cell) for cell in cells[:MAX_CELLS]]
    while read and not read[-1]:
        read.pop()
    return StudyRow(key, tuple(read))


def _named(kind: str, rows: Sequence[StudyRow], number: int) -> str:
    """Return a section's name like screenA, by its own name or else by its number."""
    for row in rows:
        if _NAME.fullmatch(row.key) and row.cells:
            name = row.cells[0].rstrip("/").rpartition("/")[2]
            if _CONTAINER.fullmatch(name):
                return name
    letter = chr(ord("A") + number - 1) if number <= 26 else str(number)
    return f"{kind}{letter}"


def read_sections(text: str) -> tuple[Section, ...]:
    r"""Return the study's own section, then those of its screens and experiments, names unlike.

    >>> [s.name for s in read_sections("Study Title\tT\nScreen Number\t1\nScreen Size\t2")]
    ['', 'screenA']
    """
    groups: list[tuple[str, list[StudyRow]]] = [("", [])]
    for row in read_rows(text):
        start = _START.fullmatch(row.key)
        if start:
            groups.append((start.group(1).lower(), []))
        groups[-1][1].append(row)
        if len(groups[-1][1]) > MAX_ROWS or len(groups) > MAX_SECTIONS:
            raise SourceMalformed("has far too many rows or sections to be a study file")
    sections = [Section("", "", tuple(groups[0][1]))]
    taken = {""}
    numbers = {"screen": 0, "experiment": 0}
    for kind, rows in groups[1:]:
        if any(row.cells for row in rows):
            numbers[kind] += 1
            sections.append(
                Section(kind, _free_name(kind, rows, numbers[kind], taken), tuple(rows))
            )
    return tuple(sections)


def _free_name(kind: str, rows: Sequence[StudyRow], number: int, taken: set[str]) -> str:
    names = (_named(kind, rows, number), _named(kind, (), number), f"{kind}~{number}")
    name = next(name for name in names if name not in taken)
    taken.add(name)
    return name
