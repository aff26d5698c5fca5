"""Which records of different archives are the same data set, with the evidence; pure.

Merges are made level by level, the surest evidence first. A level never joins records that are
certainly two: two of one source, or two accessions of one archive. Where it would, what would do
so is refused and becomes a proposal. The result depends on the set of identities only, never on
their order, and not on what the viewer may not see: the caller gives what may be seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations

import msgspec
from msgspec import Struct

from parfocal.accessions import archive_of
from parfocal.identifiers import RecordId, record_iri, source_of
from parfocal.identity import DOI, Identity, Name
from parfocal.model import Dataset, Evidence, Record, Twin, Viewer

TOO_COMMON = 20
"""What so many records share names no single data set."""

_YEARS_APART = 1
_REFERENCE = "reference"
_SAME_DOI = "same DOI"
_Merge = tuple[Identity, Identity, Evidence]


class Pair(Struct, frozen=True):
    """Two records, what says that they are the same, and what speaks ``against`` it."""

    one: RecordId
    other: RecordId
    evidence: tuple[Evidence, ...]
    against: str = ""


class Sameness(Struct, frozen=True):
    """All that is the same among some records: clusters of two or more, and pairs."""

    clusters: tuple[tuple[RecordId, ...], ...] = ()
    merges: tuple[Pair, ...] = ()
    proposals: tuple[Pair, ...] = ()

    def cluster_of(self, id: RecordId) -> tuple[RecordId, ...]:
        """Return the cluster that holds a record, smallest identifier first; at least itself."""
        return next((cluster for cluster in self.clusters if id in cluster), (id,))

    def of_source(self, source: str) -> Sameness:
        """Return what concerns records of a source; everything for ""."""
        if not source:
            return self
        return Sameness(
            tuple(c for c in self.clusters if source in map(source_of, c)),
            *(
                tuple(p for p in pairs if source in (source_of(p.one), source_of(p.other)))
                for pairs in (self.merges, self.proposals)
            ),
        )

    def twins_of(self, id: RecordId) -> tuple[Twin, ...]:
        """Return the other records of a record's cluster, each with the evidence."""
        direct = {}
        for pair in self.merges:
            if pair.one == id:
                direct[pair.other] = pair.evidence
            elif pair.other == id:
                direct[pair.one] = tuple(map(_turned, pair.evidence))
        through = (Evidence("through", min(direct), "", ""),) if direct else ()
        others = (other for other in self.cluster_of(id) if other != id)
        return tuple(Twin(other, direct.get(other, through)) for other in others)


def _turned(evidence: Evidence) -> Evidence:
    return Evidence(evidence.kind, evidence.value, evidence.there, evidence.here)


def twins_for(id: RecordId, namesakes: Iterable[Identity], viewer: Viewer) -> tuple[Twin, ...]:
    """Return a record's twins as a viewer may know of them; what is hidden decides nothing."""
    seen = [identity for identity in namesakes if identity.access.visible_to(viewer)]
    return compare(seen).twins_of(id) if len(seen) > 1 else ()


def with_twins(record: Record, twins: Sequence[Twin], base: str) -> Record:
    """Return a record that tells its twins, also in ``same_as``."""
    if not twins or not isinstance(record, Dataset):
        return record
    addresses = (record_iri(twin.record, base) for twin in twins)
    same_as = tuple(dict.fromkeys((*record.same_as, *addresses)))
    return msgspec.structs.replace(record, twins=tuple(twins), same_as=same_as)


# ------------------------------------------------------------------ groups


class _Groups:
    """Records joined so far."""

    def __init__(self, identities: Iterable[Identity]) -> None:
        self._of = {identity.id: frozenset((identity.id,)) for identity in identities}

    def around(self, merges: Iterable[_Merge]) -> _Groups:
        """Return the groups of some records only, joined by merges; what is here stays as it is."""
        found, listed = _Groups(()), list(merges)
        for one, other, _ in listed:
            for group in (self._of[one.id], self._of[other.id]):
                found._of.update(dict.fromkeys(group, group))
        for one, other, _ in listed:
            found.join(one.id, other.id)
        return found

    def join(self, one: RecordId, other: RecordId) -> None:
        both = self._of[one] | self._of[other]
        for id in both:
            self._of[id] = both

    def of(self, id: RecordId) -> frozenset[RecordId]:
        return self._of[id]

    def all(self) -> set[frozenset[RecordId]]:
        return {group for group in self._of.values() if len(group) > 1}


def _why_not(group: Iterable[RecordId], known: Mapping[RecordId, Identity]) -> str:
    """Return why records cannot all be one data set; "" when they can."""
    archives: dict[str, str] = {}
    sources: dict[str, list[Identity]] = {}
    for identity in (known[id] for id in sorted(group)):
        for archive, accession in identity.own().items():
            if archives.setdefault(archive, accession) != accession:
                return f"two accessions of one archive: {archives[archive]}, {accession}"
        for other in sources.get(identity.source, ()):
            if not identity.own() or not other.own() or set(identity.own()) & set(other.own()):
                return f"two records of one source: {other.id}, {identity.id}"
        sources.setdefault(identity.source, []).append(identity)
    return ""


# ------------------------------------------------------------------ evidence


def _sharing(identities: Iterable[Identity]) -> dict[str, list[tuple[Identity, Name]]]:
    """Return who uses each name that several use; a paper's DOI is no data set's name."""
    sharing: dict[str, list[tuple[Identity, Name]]] = {}
    papers: set[str] = set()
    for identity in identities:
        papers.update(identity.papers)
        for name in identity.names:
            sharing.setdefault(name.value, []).append((identity, name))
    return {
        value: users
        for value, users in sharing.items()
        if value not in papers and 1 < len(users) <= TOO_COMMON
    }


def _kind(value: str, roles: tuple[str, str]) -> str:
    if "mentioned" in roles:
        return _REFERENCE if "own" in roles else ""
    if roles == ("own", "own"):
        kinds = {"doi": _SAME_DOI, "url": "same landing page"}
        return kinds.get(archive_of(value), "same accession")
    return "says so" if "own" in roles else "same name elsewhere"


def _level(merge: _Merge) -> int:
    """Return how sure evidence is, 0 the surest.

    A DOI among others is less than one that a record goes by: it may stand for all versions.
    """
    kind, among_others = merge[2].kind, DOI in (merge[2].here, merge[2].there)
    if kind in ("same accession", "same landing page", _SAME_DOI):
        return int(kind == _SAME_DOI and among_others)
    return 2 + ("says so", "same name elsewhere", _REFERENCE).index(kind)


def _sure(merge: _Merge) -> bool:
    """Whether evidence may merge: a part is no whole, and a reference alone says too little."""
    one, other, evidence = merge
    if evidence.kind == _REFERENCE and not _agree(one, other):
        return False
    return one.top == other.top or evidence.kind in ("same accession", "same landing page")


def _found(sharing: Mapping[str, Sequence[tuple[Identity, Name]]]) -> Iterator[_Merge]:
    for value, users in sharing.items():
        for (one, here), (other, there) in combinations(sorted(users, key=_by_id), 2):
            kind = _kind(value, (here.role, there.role))
            if kind and one.id != other.id:
                yield one, other, Evidence(kind, value, here.place, there.place)


def _by_id(user: tuple[Identity, Name]) -> str:
    return user[0].id


def _agree(one: Identity, other: Identity) -> bool:
    """Whether two have the same title and an author in common."""
    return bool(one.title) and one.title == other.title and bool({*one.authors} & {*other.authors})


def _proposed(identities: Sequence[Identity]) -> Iterator[_Merge]:
    """Yield pairs of studies that agree in title, authors and year, or have a paper in common."""
    shared: dict[str, list[Identity]] = {}
    for identity in identities:
        if identity.level == "study":
            for value in (
                *identity.papers,
                *([f"title:{identity.title}"] if identity.title else ()),
            ):
                shared.setdefault(value, []).append(identity)
    for value, users in shared.items():
        if len(users) > TOO_COMMON:
            continue
        for one, other in combinations(sorted(users, key=lambda user: user.id), 2):
            if not value.startswith("title:"):
                yield one, other, Evidence("same publication", value, "", "")
            elif _agree(one, other) and _near(one.year, other.year):
                text = f"{one.title}; {', '.join(sorted({*one.authors} & {*other.authors}))}"
                yield one, other, Evidence("same title, authors and year", text, "", "")


def _near(one: str, other: str) -> bool:
    if not (one.isdigit() and other.isdigit()):
        return True
    return abs(int(one) - int(other)) <= _YEARS_APART


# ------------------------------------------------------------------ deciding


class _Decision:
    """Merges so far; each level adds those that join no two certainly different records."""

    def __init__(self, identities: Sequence[Identity]) -> None:
        self.known = {identity.id: identity for identity in identities}
        self.groups = _Groups(identities)
        self.merged: list[_Merge] = []
        self.refused: list[tuple[_Merge, str]] = []

    def add(self, level: Sequence[_Merge]) -> None:
        """Merge a level: first without names that alone join too much, then without what does."""
        by_name: dict[str, list[_Merge]] = {}
        for merge in level:
            by_name.setdefault(merge[2].value, []).append(merge)
        left = [m for name in sorted(by_name) for m in self._unless_refused(by_name[name])]
        joined = self.groups.around(left)
        for merge in left:
            against = _why_not(joined.of(merge[0].id), self.known)
            if against:
                self.refused.append((merge, against))
            else:
                self.merged.append(merge)
                self.groups.join(merge[0].id, merge[1].id)

    def _unless_refused(self, merges: list[_Merge]) -> list[_Merge]:
        joined = self.groups.around(merges)
        against = {merge[0].id: _why_not(joined.of(merge[0].id), self.known) for merge in merges}
        self.refused += [(merge, text) for merge in merges if (text := against[merge[0].id])]
        return [merge for merge in merges if not against[merge[0].id]]

    def undecided(self, merge: _Merge) -> bool:
        """Whether people may decide: two records neither of one cluster nor certainly two."""
        one, other = merge[0].id, merge[1].id
        return other not in self.groups.of(one) and not _why_not((one, other), self.known)


def compare(identities: Iterable[Identity]) -> Sameness:
    """Return what is the same among records; give only those that the viewer may know of."""
    every = sorted(identities, key=lambda identity: identity.id)
    decision = _Decision(every)
    found = list(_found(_sharing(every)))
    sure = [merge for merge in found if _sure(merge)]
    doubtful = [merge for merge in found if not _sure(merge)]
    for level in sorted(set(map(_level, sure))):
        decision.add([merge for merge in sure if _level(merge) == level])
    left = [*decision.refused, *((merge, "") for merge in (*doubtful, *_proposed(every)))]
    return Sameness(
        tuple(sorted(tuple(sorted(group)) for group in decision.groups.all())),
        tuple(_pairs((merge, "") for merge in decision.merged)),
        tuple(_pairs(pair for pair in left if decision.undecided(pair[0]))),
    )


def _pairs(merges: Iterable[tuple[_Merge, str]]) -> Iterator[Pair]:
    gathered: dict[tuple[RecordId, RecordId], list[tuple[Evidence, str]]] = {}
    for (one, other, evidence), against in merges:
        gathered.setdefault((one.id, other.id), []).append((evidence, against))
    for ids, found in sorted(gathered.items()):
        reasons = tuple(dict.fromkeys(evidence for evidence, _ in found))
        yield Pair(*ids, reasons, next((against for _, against in found if against), ""))
