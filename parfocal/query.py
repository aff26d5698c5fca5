"""The query as an object, and its answer: values that cross every interface.

``where`` is a tree of clauses. The parsers (:mod:`parfocal.query_text`, :mod:`parfocal.query_json`)
make *asked* clauses; :mod:`parfocal.understand` turns the asked ones (Words, FieldMatch, Within)
into *understood* ones (Concept, FieldIn, FieldRange, Terms) by the term store. Engines get
understood trees.
"""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

from parfocal.identifiers import Curie, RecordId
from parfocal.model import Level

Expand = Literal["none", "synonyms", "subclasses"]
FieldOp = Literal["is", "within", "contains", "exists", "in", "not_in", ">=", "<=", ">", "<"]
KeyOp = Literal[
    "exists",
    "equals",
    "not_equals",
    "contains",
    "not_contains",
    "in",
    "not_in",
    ">=",
    "<=",
    ">",
    "<",
]


class _Clause(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a query; structural equality."""


# ------------------------------------------------------------------ asked and understood


class Everything(_Clause, frozen=True, tag="everything"):
    """Matches all records."""


class All(_Clause, frozen=True, tag="all"):
    """Matches when every clause matches; an empty one matches everything."""

    clauses: tuple[Clause, ...]


class AnyOf(_Clause, frozen=True, tag="any"):
    """Matches when at least one clause matches; an empty one matches nothing."""

    clauses: tuple[Clause, ...]


class Not(_Clause, frozen=True, tag="not"):
    """Matches when the clause does not."""

    clause: Clause


class Phrase(_Clause, frozen=True, tag="phrase"):
    """Words that stand in this order in one text of the record."""

    text: str


class KeyMatch(_Clause, frozen=True, tag="key"):
    """A condition that ONE key-value pair of the record itself fulfils; case is ignored.

    ``key`` None means any key. ``not_equals`` and ``not_contains``: the key is present and none of
    its values equals or contains; ``not_in``: at least one value of the key lies outside
    ``values``. Comparisons read the first number in the value. Key-values are never inherited.
    """

    key: str | None
    op: KeyOp
    values: tuple[str, ...] = ()


# ------------------------------------------------------------------ asked


class Words(_Clause, frozen=True, tag="words"):
    """Bare words, all of which must match, in own or inherited text; expanded by ontologies."""

    text: str
    position: int = -1


class FieldMatch(_Clause, frozen=True, tag="field"):
    """A condition on a field of :mod:`parfocal.fields`, as asked."""

    field: str
    op: FieldOp
    values: tuple[str, ...] = ()
    position: int = -1


class Within(_Clause, frozen=True, tag="within"):
    """A term given by CURIE, IRI or label, or anything below it, in any field."""

    term: str
    position: int = -1


# ------------------------------------------------------------------ understood


class Token(_Clause, frozen=True, tag="token"):
    """Words that were not expanded: each must occur somewhere in own or inherited text."""

    text: str


class Concept(_Clause, frozen=True, tag="concept"):
    """Words that mean a term.

    Match as words, as a synonym's phrase, or by a believed annotation.
    """

    text: str
    term: Curie
    label: str
    synonyms: tuple[str, ...] = ()
    terms: tuple[Curie, ...] = ()


class Terms(_Clause, frozen=True, tag="terms"):
    """Any annotation, also a doubted one, with one of the terms."""

    asked: str
    label: str
    terms: tuple[Curie, ...]


class FieldIn(_Clause, frozen=True, tag="field_in"):
    """The field has one of these texts (folded, whole), or a believed annotation with a term."""

    field: str
    texts: tuple[str, ...] = ()
    terms: tuple[Curie, ...] = ()
    label: str = ""


class FieldContains(_Clause, frozen=True, tag="field_contains"):
    """A text of the field contains this (casefolded)."""

    field: str
    text: str


class FieldRange(_Clause, frozen=True, tag="field_range"):
    """A number, length (micrometres) or date (as YYYYMMDD number) lies between the bounds."""

    field: str
    low: float | None = None
    high: float | None = None
    low_open: bool = False
    high_open: bool = False


class FieldExists(_Clause, frozen=True, tag="field_exists"):
    """The field has any value."""

    field: str


class LiesIn(_Clause, frozen=True, tag="lies_in"):
    """One of these studies and containers, or what lies in one: those of a cluster."""

    asked: str
    ids: tuple[RecordId, ...]


Clause = (
    Everything
    | All
    | AnyOf
    | Not
    | Phrase
    | KeyMatch
    | Words
    | FieldMatch
    | Within
    | Token
    | Concept
    | Terms
    | FieldIn
    | FieldContains
    | FieldRange
    | FieldExists
    | LiesIn
)


class FacetRequest(Struct, frozen=True):
    """Ask for the most frequent values of a field."""

    field: str
    size: int = 10


class Sort(Struct, frozen=True):
    """Order of the hits.

    ``relevance``, ``id`` (order of first harvest), or a number or date field.
    """

    by: str = "relevance"
    descending: bool = False


class Query(Struct, frozen=True):
    """A whole question.

    With ``collapse`` and level study, of studies that are one data set one is listed.
    """

    where: Clause = Everything()
    level: Level | Literal["any"] = "any"
    facets: tuple[FacetRequest, ...] = ()
    sort: Sort = Sort()
    size: int = 20
    after: str | None = None
    expand: Expand = "subclasses"
    collapse: bool = False


class Match(Struct, frozen=True):
    """One hit of an index.

    Which record, how well, and for a study or container what in it matches.
    """

    id: RecordId
    score: float = 0.0
    images: int | None = None
    best: RecordId | None = None


class FacetValue(Struct, frozen=True):
    """One value of a facet; ``value`` can be put back into a query, ``label`` is for people."""

    value: str
    label: str
    count: int


class Page(Struct, frozen=True):
    """What an index answers; totals and facets count only what the viewer may see.

    ``total`` counts the hits at the asked level; ``levels`` counts studies, containers and images
    that match or hold a match, whatever the level; facets count the matching records at the asked
    level, for study and container all matching records.
    """

    matches: tuple[Match, ...]
    total: int
    levels: dict[str, int]
    facets: dict[str, tuple[FacetValue, ...]]
    next: str | None = None


# ------------------------------------------------------------------ comparison rules shared by all
# engines

_NUMBER = re.compile(r"[-+]?(?:\d+(?:[.,]\d+)?|\.\d+)(?:[eE][-+]?\d+)?")
_TOKEN = re.compile(r"[^\W_]+", re.UNICODE)


def fold(text: str) -> str:
    """Return a text for comparison ignoring case and outer or repeated white space.

    >>> fold("  Homo  SAPIENS ")
    'homo sapiens'
    """
    return " ".join(text.casefold().split())


def tokens(text: str) -> list[str]:
    """Split a text into words as every engine does: runs of letters and digits, casefolded.

    >>> tokens("HeLa-H2B_GFP, 2 µm")
    ['hela', 'h2b', 'gfp', '2', 'μm']
    """
    return _TOKEN.findall(text.casefold())


def first_number(text: str) -> float | None:
    """Return the first number in a value; None when there is none.

    >>> first_number("55.7 nanometers")
    55.7
    """
    match = _NUMBER.search(text)
    return float(match.group().replace(",", ".")) if match else None


def date_number(text: str, *, last: bool = False) -> int | None:
    """Return a date as the number YYYYMMDD; a missing part is the first or the last possible.

    >>> date_number("2019"), date_number("2019", last=True)
    (20190101, 20191231)
    """
    match = re.match(r"(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?(?!\d)", text.strip())
    if not match:
        return None
    year, month, day = match.groups()
    month, day = month or ("12" if last else "1"), day or ("31" if last else "1")
    return int(year) * 10000 + int(month) * 100 + int(day)
