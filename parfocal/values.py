"""The values that cross the interfaces of :mod:`parfocal.interfaces`: frozen, without behaviour."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from parfocal.identifiers import Curie, RecordId
from parfocal.identity import Identity
from parfocal.model import Dataset, Record


class RawItem(Struct, frozen=True):
    """What a source gave, uninterpreted, with all that ``normalise`` needs to read it.

    ``key`` is unique and stable within the source. ``cursor`` is the place after this item, from
    which an interrupted walk resumes; "" when the source cannot resume there. ``stamp`` is what
    the source can compare without reading the item: an ETag, a time of change, size and time.
    ``digest`` stands for the content. ``identity`` is what the item keeps when it moves, ``name``
    what its records are called after then: the key that it had first, "" for its own.
    """

    key: str
    content: bytes
    cursor: str = ""
    stamp: str = ""
    identity: str = ""
    name: str = ""

    @property
    def digest(self) -> bytes:
        """Return a digest of the content, 16 bytes."""
        return hashlib.blake2b(self.content, digest_size=16).digest()


class Problem(Struct, frozen=True):
    """Something that could not be read, or should not be believed.

    ``item`` is the raw key, file or address; ``place`` says where in it (``row 17, column 3``). An
    *error* means that something of the source is missing from the records; what it covers (raw
    keys that equal ``item`` or begin with ``item/`` or ``item#``; all of the source for an item of
    "") is not tombstoned. A *warning* leaves records complete.
    """

    item: str
    reason: str
    place: str = ""
    hint: str = ""
    severity: Literal["error", "warning"] = "error"


class Unchanged(Struct, frozen=True):
    """A raw item that the source knows to be as it was, without reading it (same stamp).

    With ``below``, so are all raw items whose keys begin with ``key/`` or ``key#``; with ``below``
    and no key, everything that this walk does not yield: it was a walk over changes only.
    """

    key: str
    cursor: str = ""
    below: bool = False
    stamp: str = ""
    """The stamp that it has now; "" leaves the one that is kept."""


class Deleted(Struct, frozen=True):
    """A raw item that the source itself says is gone; its records go when the run ends well."""

    key: str
    cursor: str = ""


class Mark(Struct, frozen=True):
    """What the next walk needs to know of this one; kept only when this one ends complete."""

    text: str


Fetched = RawItem | Unchanged | Deleted | Mark | Problem
"""What a source's walk yields."""


class TermInfo(Struct, frozen=True):
    """One ontology term."""

    curie: Curie
    label: str
    ontology: str = ""
    synonyms: tuple[tuple[str, str], ...] = ()
    """Pairs of scope (EXACT, BROAD, NARROW, RELATED) and text."""
    parents: tuple[Curie, ...] = ()
    obsolete: bool = False
    replaced_by: tuple[Curie, ...] = ()
    definition: str = ""
    iri: str = ""
    part_of: tuple[Curie, ...] = ()
    """Terms that it is a part of."""


class TermMatch(Struct, frozen=True):
    """A term found by a text; ``method`` is label or synonym, ``scope`` the synonym's scope."""

    curie: Curie
    label: str
    method: Literal["label", "synonym"]
    scope: str = ""


class OntologySummary(Struct, frozen=True):
    """What the store knows of one loaded ontology file."""

    name: str
    version: str
    terms: int
    obsolete: int
    loaded: str
    reader: str
    skipped: tuple[str, ...] = ()
    former: str = ""
    """Version that this one replaced."""


class KeptItem(Struct, frozen=True):
    """A raw item as the store keeps it; ``item`` None when its content was not kept so long."""

    number: int
    item: RawItem | None


class Change(Struct, frozen=True):
    """One entry of the change log; ``record`` None is a tombstone.

    ``seq`` is the record's number for ever (order of first sight); ``revision`` the log's number.
    ``ancestors`` are the live records that it lies in, nearest first, ``namesakes`` what shares
    names with it; both filled in by the pipeline. ``written`` is the revision at which the record
    itself changed, earlier than ``revision`` when only a namesake did.
    """

    revision: int
    seq: int
    id: RecordId
    record: Record | None
    ancestors: tuple[Dataset, ...] = ()
    namesakes: tuple[Identity, ...] = ()
    written: int = 0


class Normalised(Struct, frozen=True):
    """A raw item with the records and problems that it gave."""

    item: RawItem
    records: tuple[Record, ...] = ()
    problems: tuple[Problem, ...] = ()


class Batch(Struct, frozen=True):
    """What a harvest commits in one transaction.

    ``unchanged`` are items that are as they were, ``deleted`` keys of those that are gone,
    ``problems`` those of the walk itself, ``cursor`` is the place from which an interrupted walk
    resumes, ``mark`` what the next walk is to know. ``requests`` and ``received`` (bytes) count
    what servers answered, ``seconds`` what it took to come here from the batch before.
    """

    items: tuple[Normalised, ...] = ()
    unchanged: tuple[Unchanged, ...] = ()
    deleted: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    cursor: str = ""
    mark: str = ""
    requests: int = 0
    received: int = 0
    seconds: float = 0.0


class Rebuilt(Struct, frozen=True):
    """What a rebuild commits in one transaction, up to the raw item of number ``last``.

    ``items`` were normalised anew, by their numbers; ``records``, by their seqs, were made anew of
    themselves, as their raw items are no longer kept.
    """

    last: int
    items: tuple[tuple[int, Normalised], ...] = ()
    records: tuple[tuple[int, Record], ...] = ()
    seconds: float = 0.0


class Counts(Struct, frozen=True):
    """How many records a commit made new, changed, left alone or tombstoned."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    tombstoned: int = 0

    def __add__(self, other: Counts) -> Counts:
        """Add field by field."""
        return Counts(
            self.new + other.new,
            self.changed + other.changed,
            self.unchanged + other.unchanged,
            self.tombstoned + other.tombstoned,
        )


LIMITED = "limit"
"""Scope of a run that ends after some items; it says nothing about what it did not reach."""

REBUILDS = ("renormalise", "reannotate")
"""Scopes of runs that read no archive, only what is kept."""


class RunReport(Struct, frozen=True):
    """How a run over one source ended.

    ``state``: running, complete, interrupted, failed, limited. ``scope``: "" for everything,
    "since DATE", "limit", "renormalise", "reannotate". ``requests`` were answered by servers with
    ``received`` bytes; ``seconds`` is the time spent, without breaks between a kill and its end.
    ``refused`` records seemed gone, but were too many to believe it.
    """

    source: str
    run: int
    state: str
    started: str
    finished: str = ""
    counts: Counts = Counts()
    items: int = 0
    skipped: int = 0
    problems: int = 0
    warnings: int = 0
    requests: int = 0
    received: int = 0
    seconds: float = 0.0
    refused: int = 0
    scope: str = ""
    message: str = ""


class SourceState(Struct, frozen=True):
    """A source as the store knows it."""

    name: str
    records: int
    last_run: RunReport | None = None


class Answer(Struct, frozen=True):
    """A SPARQL answer: serialised bytes and their media type."""

    content: bytes
    media_type: str
    kind: Literal["solutions", "boolean", "graph"]


class Format(Struct, frozen=True):
    """A way to write one record: ``dump(record, base)`` with the server's base address."""

    name: str
    media_type: str
    suffix: str
    dump: Callable[[Record, str], bytes]


class Reservation(Struct, frozen=True):
    """A place for a data set at a deposit target: nothing public yet."""

    target: str
    identifier: str
    doi: str = ""


class Publication(Struct, frozen=True):
    """A data set that is out."""

    target: str
    identifier: str
    doi: str
    url: str


class Finding(Struct, frozen=True):
    """What a check found: where in the draft, what is wrong, how to mend it."""

    check: str
    place: str
    message: str
    hint: str
    severity: Literal["error", "warning"] = "error"
