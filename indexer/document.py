"""The search document of a record: what every engine indexes, built once from a change.

Text is inherited from what a record lies in, fields where the record has none of its own,
key-values never. Only ancestors that everybody who sees the record may see too are inherited from;
narrower ones do not exist for it. Values repeat over millions of rows, so what is derived from them
is kept in bounded caches.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

import msgspec
from msgspec import Struct

from indexer.entries import (
    Entry,
    Pair,
    has_any,
    is_short,
    keyword_entries,
    own_fields,
    pairs_of,
    words_of,
)
from parfocal.fields import FIELDS
from parfocal.identifiers import RecordId, native_of, source_of
from parfocal.model import PROPOSED, Access, Dataset, Image, Record, Viewer
from parfocal.values import Change

PUBLIC = "public"
_CLAIMS_CACHED = 50
_INHERITED = frozenset(field.name for field in FIELDS if field.inherited)


class Described(Struct, frozen=True, eq=False, gc=False):
    """What many records have in common; its ``texts`` stand beside those of title and pairs.

    The same object stands in all documents made of equal parts, so engines may remember by it what
    they make of it. ``ancestors`` are the ids of what a record inherits from, ``studies`` and
    ``containers`` the ids of those that it lies in or is itself; ``claims`` are the terms of all
    claims, believed or not.
    """

    level: str
    audience: tuple[str, ...]
    ancestors: tuple[RecordId, ...]
    studies: tuple[RecordId, ...]
    containers: tuple[RecordId, ...]
    inherited: tuple[str, ...]
    fields: dict[str, Entry]
    claims: tuple[str, ...]
    texts: tuple[str, ...]


class Document(Struct, frozen=True, gc=False):
    """A record as engines index it; each text is its words joined by blanks."""

    seq: int
    id: RecordId
    texts: tuple[str, ...]
    pairs: tuple[Pair, ...]
    described: Described

    @property
    def level(self) -> str:
        """Study, container or image."""
        return self.described.level

    @property
    def audience(self) -> tuple[str, ...]:
        """Who may see it: everybody, or groups."""
        return self.described.audience

    @property
    def ancestors(self) -> tuple[RecordId, ...]:
        """The ids of what it inherits from."""
        return self.described.ancestors

    @property
    def studies(self) -> tuple[RecordId, ...]:
        """The ids of the studies that it lies in or is."""
        return self.described.studies

    @property
    def containers(self) -> tuple[RecordId, ...]:
        """The ids of the containers that it lies in or is."""
        return self.described.containers

    @property
    def inherited(self) -> tuple[str, ...]:
        """The texts of what it lies in."""
        return self.described.inherited

    @property
    def fields(self) -> dict[str, Entry]:
        """The entries of all fields: own, inherited, and of its place."""
        return self.described.fields

    @property
    def claims(self) -> tuple[str, ...]:
        """The terms of all claims, believed or not."""
        return self.described.claims


class _Lineage(Struct, frozen=True, eq=False):
    """What a chain of ancestors gives to all records that lie in it."""

    ancestors: tuple[RecordId, ...] = ()
    studies: tuple[RecordId, ...] = ()
    containers: tuple[RecordId, ...] = ()
    texts: tuple[str, ...] = ()
    fields: dict[str, Entry] = {}


class _Legacy(Struct, frozen=True, eq=False):
    """What one ancestor gives: its own texts and the entries of its inherited fields."""

    record: Dataset
    texts: tuple[str, ...]
    fields: dict[str, Entry]


def audience_of(viewer: Viewer) -> list[str]:
    """Return the audiences that a viewer belongs to.

    >>> audience_of(Viewer(groups=frozenset({"lab"})))
    ['public', 'group:lab']
    """
    return [PUBLIC, *(f"group:{group}" for group in sorted(viewer.groups))]


# ------------------------------------------------------------------ texts


def _dataset_texts(record: Dataset) -> Iterable[str]:
    yield native_of(record.id)
    yield from record.keywords
    yield from record.funding
    yield record.publisher
    for publication in record.publications:
        yield publication.title
        yield publication.authors


def _image_texts(record: Image) -> Iterable[str]:
    for channel in record.channels:
        yield channel.name
        yield channel.fluorophore
    yield record.instrument


def _more_texts(record: Record) -> Iterable[str]:
    yield from (person.name for person in record.creators)
    yield from record.identifiers
    yield from (claim.label for claim in record.annotations if claim.believed)
    yield from _dataset_texts(record) if isinstance(record, Dataset) else _image_texts(record)


def _common_texts(record: Record) -> tuple[str, ...]:
    """Return the words of all texts but title, description and pairs."""
    return tuple(dict.fromkeys(words_of(text) for text in _more_texts(record) if text))


def _own_texts(record: Record, common: tuple[str, ...], pairs: Iterable[Pair]) -> tuple[str, ...]:
    found = [words_of(text) for text in (record.title, record.description) if text]
    return tuple(filter(None, dict.fromkeys([*found, *common, *[pair.words for pair in pairs]])))


# ------------------------------------------------------------------ inheritance

_legacies: dict[RecordId, _Legacy] = {}
_lineages: dict[tuple[int, ...], tuple[tuple[_Legacy, ...], _Lineage]] = {}
_chains: dict[tuple[int, Access], tuple[tuple[Dataset, ...], _Lineage]] = {}
_ANCESTORS_KEPT = 2_000


def _without_mentions(ancestor: Dataset) -> Dataset:
    if all(claim.inherited or not claim.believed for claim in ancestor.annotations):
        return ancestor
    kept = tuple(claim for claim in ancestor.annotations if claim.inherited)
    return msgspec.structs.replace(ancestor, annotations=kept)


def _legacy(ancestor: Dataset) -> _Legacy:
    kept = _legacies.get(ancestor.id)
    if kept is not None and (kept.record is ancestor or kept.record == ancestor):
        return kept
    if len(_legacies) >= _ANCESTORS_KEPT:
        _legacies.clear()
    own = own_fields(_without_mentions(ancestor))
    legacy = _Legacy(
        ancestor,
        _own_texts(ancestor, _common_texts(ancestor), pairs_of(ancestor.key_values)),
        {name: entry for name, entry in own.items() if name in _INHERITED and has_any(entry)},
    )
    _legacies[ancestor.id] = legacy
    return legacy


def _lineage(legacies: tuple[_Legacy, ...]) -> _Lineage:
    key = tuple(map(id, legacies))
    kept = _lineages.get(key)
    if kept is not None:
        return kept[1]
    if len(_lineages) >= _ANCESTORS_KEPT:
        _lineages.clear()
    records = [legacy.record for legacy in legacies]
    fields: dict[str, Entry] = {}
    for legacy in reversed(legacies):
        fields.update(legacy.fields)
    lineage = _Lineage(
        tuple(record.id for record in records),
        tuple(record.id for record in records if record.level == "study"),
        tuple(record.id for record in records if record.level == "container"),
        tuple(dict.fromkeys(text for legacy in legacies for text in legacy.texts)),
        fields,
    )
    _lineages[key] = (legacies, lineage)
    return lineage


_NO_LINEAGE = _Lineage()


def _lineage_of(record: Record, ancestors: tuple[Dataset, ...]) -> _Lineage:
    if not ancestors:
        return _NO_LINEAGE
    key = (id(ancestors), record.access)
    kept = _chains.get(key)
    if kept is not None and kept[0] is ancestors:
        return kept[1]
    if len(_chains) >= _ANCESTORS_KEPT:
        _chains.clear()
    wide = [a for a in ancestors if a.access.as_wide_as(record.access)]
    lineage = _lineage(tuple(map(_legacy, wide))) if wide else _NO_LINEAGE
    _chains[key] = (ancestors, lineage)
    return lineage


def _places(record: Record, lineage: _Lineage) -> Iterable[Entry]:
    """Yield the entries of source, study and container; a container does not lie in itself."""
    yield keyword_entries(("source", (source_of(record.id),)))
    studies = (record.id, *lineage.studies) if record.level == "study" else lineage.studies
    if studies:
        yield keyword_entries(("study", tuple(map(native_of, studies))))
    if lineage.containers:
        yield keyword_entries(("container", tuple(map(native_of, lineage.containers))))


# ------------------------------------------------------------------ what records have in common

_OF_ONE = frozenset(
    (
        *("id", "title", "description", "part_of", "provenance", "links", "thumbnail", "location"),
        *("position", "well", "plate", "labels", "uuid", "roi_count", "same_as", "key_values"),
    )
)
"""What distinguishes images and is not described; pairs of fields are looked at apart."""
_common = attrgetter(*(name for name in Image.__struct_fields__ if name not in _OF_ONE))


def _audience(record: Record) -> tuple[str, ...]:
    if record.access.public:
        return (PUBLIC,)
    return tuple(f"group:{group}" for group in record.access.groups)


def _describe(record: Record, lineage: _Lineage) -> Described:
    fields = own_fields(record)
    for name, entry in lineage.fields.items():
        if name not in fields or not has_any(fields[name]):
            fields[name] = entry
    for place in _places(record, lineage):
        fields[place.field] = place
    claims: list[str] = [c.term for c in record.annotations if c.method != PROPOSED]
    claims += [claim for entry in fields.values() for claim in entry.claims]
    level = record.level
    return Described(
        level=level,
        audience=_audience(record),
        ancestors=lineage.ancestors,
        studies=(record.id, *lineage.studies) if level == "study" else lineage.studies,
        containers=(record.id, *lineage.containers) if level == "container" else lineage.containers,
        inherited=lineage.texts,
        fields=fields,
        claims=tuple(dict.fromkeys(claims)),
        texts=_common_texts(record),
    )


_descriptions: dict[tuple[object, ...], Described] = {}
_DESCRIPTIONS_KEPT = 10_000


def _description(record: Record, pairs: tuple[Pair, ...], lineage: _Lineage) -> Described:
    """Return what a record has in common with others; for images that was mostly made before."""
    if isinstance(record, Dataset):
        return _describe(record, lineage)
    of_fields = tuple([pair for pair in pairs if pair.of_field])
    key = (lineage, source_of(record.id), of_fields, _common(record))
    found = _descriptions.get(key)
    if found is None:
        found = _describe(record, lineage)
        if len(_descriptions) >= _DESCRIPTIONS_KEPT:
            _descriptions.clear()
        if len(record.annotations) < _CLAIMS_CACHED and is_short(found.texts):
            _descriptions[key] = found
    return found


# ------------------------------------------------------------------ the document


def build(change: Change) -> Document | None:
    """Return the document of a change; None for a tombstone."""
    record = change.record
    if record is None:
        return None
    pairs = pairs_of(record.key_values)
    described = _description(record, pairs, _lineage_of(record, change.ancestors))
    texts = _own_texts(record, described.texts, pairs)
    return Document(change.seq, record.id, texts, pairs, described)
