"""The raw items of the IDR source: a study's text, and runs of rows with all they need."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from harvester.idr.bulkmap import BulkColumn


class StudyItem(Struct, frozen=True, tag="study", array_like=True):
    """The study file's text ("" when there is none) and the containers that have tables."""

    folder: str
    file: str
    text: str
    containers: tuple[str, ...]


class RowsItem(Struct, frozen=True, tag="rows", array_like=True):
    """Some rows of one annotation table.

    ``doubted`` are (accession column, text, accession) as written; ``repeats`` pairs places in
    ``rows`` with how many rows of the same name there are up to that one.
    """

    folder: str
    container: str
    file: str
    header: tuple[str, ...]
    bulkmap: tuple[BulkColumn, ...]
    doubted: tuple[tuple[int, str, str], ...]
    repeats: tuple[tuple[int, int], ...]
    rows: Raw


_decoder: msgspec.msgpack.Decoder[StudyItem | RowsItem] = msgspec.msgpack.Decoder(
    StudyItem | RowsItem
)
_rows_decoder: msgspec.msgpack.Decoder[list[list[str]]] = msgspec.msgpack.Decoder(list[list[str]])
_encoder = msgspec.msgpack.Encoder()


def encode_item(item: StudyItem | RowsItem) -> bytes:
    """Return an item's bytes; equal items give equal bytes."""
    return _encoder.encode(item)


def encode_rows(rows: list[list[str]]) -> Raw:
    """Return rows in the form in which they stand in an item."""
    return Raw(_encoder.encode(rows))


def decode_item(content: bytes) -> StudyItem | RowsItem:
    """Read an item back; msgspec.DecodeError when it is none."""
    return _decoder.decode(content)


def decode_rows(item: RowsItem) -> list[list[str]]:
    """Return the rows of an item."""
    return _rows_decoder.decode(item.rows)
