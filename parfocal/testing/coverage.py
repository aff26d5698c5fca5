"""Which fields of the model, and which searchable fields, records fill, and at which level."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from parfocal.field_values import keywords_of, numbers_of, texts_of
from parfocal.model import Record
from parfocal.query import date_number

SEARCHED = "search:"
"""Before the names of searchable fields, to tell them from those of the model."""


def filled(records: Iterable[Record]) -> dict[str, set[str]]:
    """Return the levels at which each field has a value in some record.

    >>> filled([])
    {}
    """
    found: dict[str, set[str]] = {}
    for record in records:
        for name in (*_of_model(record), *_searched(record)):
            found.setdefault(name, set()).add(record.level)
    return found


def _of_model(record: Record) -> Iterator[str]:
    for field in msgspec.structs.fields(record):
        value = getattr(record, field.name)
        if value and value != field.default:
            yield field.name


def _searched(record: Record) -> Iterator[str]:
    """Yield searchable fields that have a value by a key, a claim or the model."""
    own = {*keywords_of(record), *texts_of(record), *numbers_of(record)}
    if record.date and date_number(record.date) is not None:
        own.add("date")
    own |= {claim.field for claim in record.annotations if claim.believed}
    yield from (SEARCHED + name for name in own)
