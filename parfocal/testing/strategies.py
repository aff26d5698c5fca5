"""Hypothesis strategies for records, for tests that something holds for every record."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from parfocal.identifiers import Curie, RecordId
from parfocal.model import (
    Access,
    Annotation,
    Channel,
    Dataset,
    Image,
    KeyValue,
    Link,
    Objective,
    Person,
    Position,
    Provenance,
    Publication,
    Quantity,
    Record,
)
from parfocal.testing.records import HOSTILE_TEXTS

TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=12),
    st.sampled_from(HOSTILE_TEXTS),
)
_VISIBLE = st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp"])
RECORD_IDS = st.builds(
    lambda source, native: RecordId(f"{source}:{native}"),
    st.from_regex(r"[a-z0-9][a-z0-9._-]{0,8}", fullmatch=True),
    st.text(_VISIBLE, min_size=1, max_size=20),
)
ADDRESSES = st.one_of(
    TEXTS,
    st.sampled_from(
        (
            "https://doi.org/10.1/x",
            "https://example.org/a/b?c=d#e",
            "doi:10.1000/a<b>c",
            "doi:10.1000/ab",
            "pubmed:123",
            "https://pubmed.ncbi.nlm.nih.gov/1",
            "CC-BY-NC-SA-3.0",
            "https://creativecommons.org/licenses/by/4.0/",
            "https://spdx.org/licenses/MIT",
            "MIT",
            "0000-0002-1825-0097",
            "s3://bucket/key",
        )
    ),
)
CURIES = st.one_of(
    st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,6}:[A-Za-z0-9_.-]{1,8}", fullmatch=True),
    st.sampled_from(("EFO:0001185", "CMPO:0000077", "NCBITaxon:9606", "A_B:C_D")),
).map(Curie)
DATES = st.one_of(
    TEXTS, st.sampled_from(("2019", "2019-05", "2019-05-17", "2019-02-30", "2020-02-29", "0000"))
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
COUNTS = st.none() | st.integers(-10, 2**40)


def _many(values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(values, max_size=2).map(tuple)


QUANTITIES = st.builds(Quantity, NUMBERS, TEXTS)
_QUANTITY = st.none() | QUANTITIES
CHANNELS = st.builds(Channel, TEXTS, TEXTS, _QUANTITY, _QUANTITY, TEXTS, TEXTS)
ANNOTATIONS = st.builds(
    Annotation,
    st.sampled_from(("organism", "imaging_method", "cell_line", "term")),
    TEXTS,
    CURIES,
    TEXTS,
    TEXTS,
    st.floats(0, 1),
    TEXTS,
    TEXTS,
)
PERSONS = st.builds(Person, TEXTS, TEXTS, TEXTS, ADDRESSES, TEXTS, TEXTS, _many(TEXTS))
_BASE: dict[str, st.SearchStrategy[Any]] = {
    "id": RECORD_IDS,
    "title": TEXTS,
    "description": TEXTS,
    "part_of": st.none() | RECORD_IDS,
    "access": st.builds(Access, _many(TEXTS)),
    "provenance": st.builds(Provenance, TEXTS, TEXTS, ADDRESSES),
    "key_values": _many(st.builds(KeyValue, TEXTS, TEXTS, TEXTS)),
    "annotations": _many(ANNOTATIONS),
    "links": _many(
        st.builds(Link, ADDRESSES, TEXTS, st.sampled_from(("landing", "viewer", "data", "other")))
    ),
    "thumbnail": ADDRESSES,
    "date": DATES,
    "licence": ADDRESSES,
    "creators": _many(PERSONS),
    "identifiers": _many(ADDRESSES),
    "same_as": _many(ADDRESSES),
}
DATASETS = st.builds(
    Dataset,
    **_BASE,
    ome_type=st.sampled_from(("Study", "Project", "Dataset", "Screen", "Plate")),
    publisher=TEXTS,
    publications=_many(st.builds(Publication, TEXTS, TEXTS, ADDRESSES, TEXTS, TEXTS)),
    keywords=_many(TEXTS),
    funding=_many(TEXTS),
)
IMAGES = st.builds(
    Image,
    **_BASE,
    ome_type=st.sampled_from(("Image", "Well")),
    location=ADDRESSES,
    size_x=COUNTS,
    size_c=COUNTS,
    pixel_size_x=_QUANTITY,
    channels=_many(CHANNELS),
    objective=st.none() | st.builds(Objective, TEXTS, st.none() | NUMBERS, st.none() | NUMBERS),
    position=st.none() | st.builds(Position, _QUANTITY, _QUANTITY, _QUANTITY),
    roi_count=st.integers(0, 9),
    labels=_many(TEXTS),
)
RECORDS: st.SearchStrategy[Record] = st.one_of(DATASETS, IMAGES)
