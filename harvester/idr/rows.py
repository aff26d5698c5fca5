"""Rows of an annotation table as records: wells, images or data sets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harvester.idr.columns import (
    ClaimColumn,
    KeyColumn,
    claim_columns,
    key_columns,
    name_columns,
    native_name,
    row_names,
)
from harvester.idr.items import RowsItem, decode_rows
from harvester.words.accessions import read_accessions
from parfocal.identifiers import RecordId, record_id
from parfocal.model import Annotation, Dataset, Image, KeyValue, Provenance, Record

BELIEVED = ("curated", 1.0)
DOUBTED = ("doubted", 0.2)
_LEFT_OVER = KeyColumn(("(cell without a column)",))


class _Pairs(dict[str, tuple[KeyValue, ...]]):
    """The key-values of one column by its cell; a cell that recurs costs one look-up."""

    def __init__(self, column: KeyColumn) -> None:
        super().__init__()
        self._column = column

    def __missing__(self, cell: str) -> tuple[KeyValue, ...]:
        column = self._column
        parts = cell.split(column.split) if column.split else (cell,)
        made = tuple(
            KeyValue(key, value, column.namespace)
            for part in parts
            if (value := part.strip())
            for key in column.keys
        )
        self[cell] = made
        return made


class _Claims(dict[tuple[str, str, str, str], tuple[Annotation, ...]]):
    """The annotations of one accession column by (text, accession, label, reference)."""

    def __init__(self, column: ClaimColumn, doubted: frozenset[tuple[str, str]], by: str) -> None:
        super().__init__()
        self._column = column
        self._doubted = doubted
        self._by = by

    def __missing__(self, cells: tuple[str, str, str, str]) -> tuple[Annotation, ...]:
        text, accession, label, reference = cells
        column = self._column
        default = "NCBITaxon" if column.field == "organism" else ""
        terms = read_accessions(accession, reference.strip() or default)
        doubted = (text.strip(), accession) in self._doubted
        method, score = DOUBTED if doubted else BELIEVED
        said = label.strip() or text.strip()
        made = tuple(
            Annotation(
                field=column.field,
                text=text.strip() or said,
                term=term,
                label="" if doubted or len(terms) > 1 else said,
                method=method,
                score=score,
                by=self._by,
                key=column.key,
            )
            for term in terms
        )
        self[cells] = made
        return made


class _Plan:
    """How to read the rows of one item; made once for all of them."""

    def __init__(self, item: RowsItem) -> None:
        columns = key_columns(item.header, item.bulkmap)
        by = f"curator of {item.folder}"
        self.width = len(item.header)
        self.names = name_columns(item.header)
        self.screen = self.names.plate >= 0 or self.names.well >= 0
        self.pairs = [_Pairs(column) for column in columns]
        self.left_over = _Pairs(_LEFT_OVER)
        self.claims: list[tuple[int, int, int, int, _Claims]] = []
        for claim in claim_columns(item.header, columns):
            doubted = frozenset(
                (text, term) for place, text, term in item.doubted if place == claim.accession
            )
            blank = self.width
            places = (claim.text, claim.accession, claim.label, claim.reference)
            text, accession, label, reference = (p if p >= 0 else blank for p in places)
            made = _Claims(claim, doubted, by)
            self.claims.append((text, accession, label, reference, made))

    def key_values(self, row: Sequence[str]) -> tuple[KeyValue, ...]:
        """Return the pairs of a row."""
        found: list[KeyValue] = []
        for pairs, cell in zip(self.pairs, row, strict=False):
            found += pairs[cell]
        for cell in row[self.width :]:
            found += self.left_over[cell]
        return tuple(found)

    def annotations(self, row: Sequence[str]) -> tuple[Annotation, ...]:
        """Return the claims of a row's accession cells; the row has a blank cell after the last."""
        found: list[Annotation] = []
        for text, accession, label, reference, claims in self.claims:
            if row[accession]:
                found += claims[row[text], row[accession], row[label], row[reference]]
        return tuple(found)


def read_rows(item: RowsItem, source: str) -> Iterator[Record]:
    """Yield one record per row, in the table's order."""
    plan = _Plan(item)
    container = record_id(source, item.container)
    repeats = dict(item.repeats)
    for place, row in enumerate(decode_rows(item)):
        larger, smaller = row_names(row, plan.names)
        native = native_name(item.container, row, larger, smaller)
        if place in repeats:
            native = f"{native}~{repeats[place]}"
        identifier = _identifier(source, native)
        provenance = Provenance(source, native, item.file)
        key_values = plan.key_values(row)
        annotations = plan.annotations(_padded(row, plan.width)) if plan.claims else ()
        if plan.screen:
            yield Image(
                id=identifier,
                title=f"{larger} {smaller}".strip() or native,
                part_of=container,
                provenance=provenance,
                key_values=key_values,
                annotations=annotations,
                ome_type="Well",
                plate=larger,
                well=smaller,
            )
            continue
        kind = Image if smaller or not larger else Dataset
        yield kind(
            id=identifier,
            title=smaller or larger or native,
            part_of=container,
            provenance=provenance,
            key_values=key_values,
            annotations=annotations,
        )


def _identifier(source: str, native: str) -> RecordId:
    plain = native.isascii() and native.isprintable() and native[-1] != " "
    return RecordId(f"{source}:{native}") if plain else record_id(source, native)


def _padded(row: list[str], width: int) -> list[str]:
    """Return the row with all its columns, and one blank cell after them."""
    return [*row[:width], *[""] * (width + 1 - min(len(row), width))]
