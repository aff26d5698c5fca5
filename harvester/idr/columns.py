"""What the columns of an IDR annotation table are: names of images, key-values, accessions."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from hashlib import blake2b

from msgspec import Struct

from harvester.idr.bulkmap import BulkColumn
from parfocal.fields import field_of_key

_URL_SUFFIX = re.compile(r"\s*%%.*$", re.DOTALL)
_WRAPPED = re.compile(
    r"(characteristics|experimental condition|comment)\s*\[\s*(.+?)\s*\]\s*(\d*)", re.I | re.DOTALL
)
_TERM_SOURCE = re.compile(r"term source\s*\d*\s*(ref|accession(?: number)?)(?:\.\d+)?", re.I)
_TERM_ACCESSION = re.compile(r"(.+?) term accession(?: number)?( [a-z])?", re.I)
_NUMBER = re.compile(r"(?<!\s)\s+\d+$")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
LONGEST_NAME = 1200


class KeyColumn(Struct, frozen=True):
    """How a column's cells become key-values: under which keys, split at what ("": not at all)."""

    keys: tuple[str, ...]
    split: str = ""
    namespace: str = ""


class ClaimColumn(Struct, frozen=True):
    """A column of accessions and the columns that they are about; -1 where there is none."""

    accession: int
    text: int
    field: str
    key: str
    label: int = -1
    reference: int = -1


class NameColumns(Struct, frozen=True):
    """The columns that name a row: plate and well, or data set and image; -1 for none."""

    plate: int = -1
    well: int = -1
    dataset: int = -1
    image: int = -1


def plain_name(header: str) -> str:
    """Return a column's name without the address template that some files append.

    >>> plain_name("Gene Identifier %% url=https://example.org/%s")
    'Gene Identifier'
    """
    return " ".join(_URL_SUFFIX.sub("", header).split())


def unwrapped(name: str) -> str:
    """Return the text inside ``Characteristics []``, ``Experimental Condition []``, ``Comment []``.

    >>> unwrapped("Comment [Gene Symbol] 1")
    'Gene Symbol 1'
    """
    match = _WRAPPED.fullmatch(name)
    return f"{match.group(2)} {match.group(3)}".strip() if match else name


def _is_address(entry: BulkColumn) -> bool:
    return entry.client_name.upper().endswith("URL")


def key_columns(header: Sequence[str], bulkmap: Sequence[BulkColumn]) -> tuple[KeyColumn, ...]:
    """Say for every column under which keys its cells are kept; columns beyond the bulkmap too."""
    listed: dict[str, list[BulkColumn]] = {}
    for entry in bulkmap:
        listed.setdefault(plain_name(entry.name).casefold(), []).append(entry)
    columns = []
    for number, written in enumerate(header, 1):
        name = plain_name(written)
        entries = listed.get(name.casefold(), [])
        own = unwrapped(name) or f"column {number}"
        words = [entry for entry in entries if not _is_address(entry)]
        keys = dict.fromkeys(entry.client_name or own for entry in words)
        first = (words or entries or [BulkColumn(name)])[0]
        columns.append(KeyColumn(tuple(keys) or (own,), first.split, first.namespace))
    return tuple(columns)


def name_columns(header: Sequence[str]) -> NameColumns:
    """Find the columns that name plate and well, or data set and image."""
    places: dict[str, int] = {}
    for place, written in enumerate(header):
        places.setdefault(plain_name(written).lower(), place)

    def first(*names: str) -> int:
        return next((places[name] for name in names if name in places), -1)

    return NameColumns(
        plate=first("plate", "plate name"),
        well=first("well", "well name", "well number"),
        dataset=first("dataset name", "dataset"),
        image=first("image name", "image"),
    )


def _field(key: str) -> str:
    field = field_of_key(key) or field_of_key(_NUMBER.sub("", key))
    return field.name if field and field.type == "term" else "term"


def _described(names: Sequence[str], place: int) -> int:
    """Return the column that a ``Term Source`` column is about: the characteristic before it."""
    for before in range(place - 1, -1, -1):
        name = names[before].lower()
        if not name.startswith(("term source", "comment")):
            return before
    return -1


def claim_columns(header: Sequence[str], columns: Sequence[KeyColumn]) -> tuple[ClaimColumn, ...]:
    """Find the accession columns and what each of them is about."""
    names = [plain_name(written) for written in header]
    places = {name.lower(): place for place, name in reversed(list(enumerate(names)))}
    claims = []
    for place, name in enumerate(names):
        source = _TERM_SOURCE.fullmatch(name)
        named = _TERM_ACCESSION.fullmatch(name)
        if source:
            claim = _source_claim(names, columns, place, source.group(1).lower())
        elif named:
            claim = _named_claim(places, columns, place, *named.groups())
        else:
            continue
        if claim:
            claims.append(claim)
    return tuple(claims)


def _source_claim(
    names: Sequence[str], columns: Sequence[KeyColumn], place: int, kind: str
) -> ClaimColumn | None:
    text = _described(names, place)
    following = names[place + 1].lower() if place + 1 < len(names) else ""
    if kind == "ref" and (following.endswith("accession") or text != place - 1):
        return None
    if text < 0 or (kind == "ref" and not _WRAPPED.fullmatch(names[text])):
        return None
    key = columns[text].keys[0]
    before = place - 1
    reference = before if place and names[before].lower().endswith("ref") else -1
    return ClaimColumn(place, text, _field(key), key, reference=reference)


def _named_claim(
    places: dict[str, int], columns: Sequence[KeyColumn], place: int, base: str, letter: str | None
) -> ClaimColumn:
    label = places.get(f"{base} term name{letter or ''}".lower(), -1)
    text = places.get(base.lower(), label)
    reference = places.get(f"{base} term source ref{letter or ''}".lower(), -1)
    key = columns[text].keys[0] if text >= 0 else base
    field = "phenotype" if base.lower().startswith("phenotype") else _field(key)
    return ClaimColumn(place, text, field, key, label, reference)


def _cell(row: Sequence[str], place: int) -> str:
    return row[place].strip() if 0 <= place < len(row) else ""


def row_names(row: Sequence[str], names: NameColumns) -> tuple[str, str]:
    """Return a row's names of the larger and the smaller: plate and well, data set and image."""
    if names.plate >= 0 or names.well >= 0:
        return _cell(row, names.plate), _cell(row, names.well)
    return _cell(row, names.dataset), _cell(row, names.image)


def native_name(container: str, row: Sequence[str], larger: str, smaller: str) -> str:
    """Return a row's identifier within the source, before repeats are told apart.

    A row without any name is named by a digest of its content: rows put in before it do not matter.
    """
    if not larger and not smaller:
        digest = blake2b("\x1f".join(row).encode(), digest_size=6).hexdigest()
        return f"{container}/row-{digest}"
    name = f"{larger}/{smaller}" if larger and smaller else larger or smaller
    if not name.isascii() or not name.isprintable():
        name = _CONTROL.sub(" ", unicodedata.normalize("NFC", name)).strip() or "unnamed"
    if len(name) > LONGEST_NAME:
        name = f"{name[:LONGEST_NAME]}~{blake2b(name.encode(), digest_size=6).hexdigest()}"
    return f"{container}/{name}"
