"""What a new version of an ontology changes: terms that are new, obsolete, replaced, renamed."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator

import msgspec
from ahocorasick_rs import AhoCorasick, MatchKind
from msgspec import Struct, field

from ontology.wording import name_forms, squash
from parfocal.identifiers import Curie
from parfocal.model import Dataset, Record

KINDS = ("new", "gone", "obsolete", "replaced", "revived", "renamed", "other names", "moved")
MOST_REMEMBERED = 200_000
"""Changed terms up to which the records that they touch are found; more touch everything."""
_EXAMPLES = 20
_SHORT = 4
_ADDED = (" phenotype", " cell", " cells", " cell line", " microscopy")
_LINKS = """(SELECT group_concat(part_of || ' ' || parent) FROM (SELECT part_of, parent FROM edge
  WHERE child = term.node AND ontology = term.ontology ORDER BY part_of, parent))"""
_BEFORE = f"""
CREATE TEMP TABLE was AS
SELECT node, label, obsolete, replaced_by, synonyms, {_LINKS} AS links
FROM term WHERE ontology = (SELECT id FROM ontology WHERE name = ?)"""  # noqa: S608
_CHANGED = f"""
SELECT curie, was.label, was.obsolete, was.synonyms,
  term.label, term.obsolete, term.synonyms, term.replaced_by, {_LINKS} IS NOT links
FROM was JOIN node ON node.id = was.node
LEFT JOIN term ON term.node = was.node AND term.ontology = :ontology
WHERE (term.label, term.obsolete, term.replaced_by, term.synonyms)
  IS NOT (was.label, was.obsolete, was.replaced_by, was.synonyms) OR {_LINKS} IS NOT links
UNION ALL
SELECT curie, NULL, NULL, NULL, label, obsolete, synonyms, replaced_by, 0
FROM term JOIN node ON node.id = term.node
WHERE ontology = :ontology AND node NOT IN (SELECT node FROM was)"""  # noqa: S608


class TermChange(Struct, frozen=True):
    """One term that a new version changes."""

    curie: Curie
    kind: str
    label: str = ""
    former: str = ""
    replaced_by: tuple[Curie, ...] = ()


class Changes(Struct):
    """What one ontology's new version changes: counts by kind, examples, what it touches."""

    name: str
    former: str = ""
    version: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    examples: list[TermChange] = field(default_factory=list)

    def total(self) -> int:
        """Return how many terms change."""
        return sum(self.counts.values())


class Comparison:
    """Compares what is loaded with what it replaces; with ``keep`` False nothing is replaced."""

    def __init__(self, *, keep: bool = True) -> None:
        self.keep = keep
        self.found: list[Changes] = []
        self.terms: set[Curie] = set()
        self.names: set[str] = set()
        self.everything = False

    def before(self, connection: sqlite3.Connection, name: str) -> None:
        """Note what is loaded of an ontology."""
        connection.execute("DROP TABLE IF EXISTS was")
        connection.execute(_BEFORE, (name,))
        connection.execute("CREATE INDEX was_node ON was(node)")

    def after(self, connection: sqlite3.Connection, changes: Changes, ontology: int) -> None:
        """Compare with what is loaded now."""
        counts: Counter[str] = Counter()
        for row in connection.execute(_CHANGED, {"ontology": ontology}):
            change = _change(row)
            counts[change.kind] += 1
            if counts[change.kind] <= _EXAMPLES:
                changes.examples.append(change)
            self._touch(change.curie, row)
        changes.counts = {kind: counts[kind] for kind in KINDS if counts[kind]}
        changes.examples.sort(key=lambda each: (KINDS.index(each.kind), each.curie))
        self.found.append(changes)

    def _touch(self, curie: Curie, row: tuple[object, ...]) -> None:
        if len(self.terms) >= MOST_REMEMBERED:
            self.everything = True
            return
        self.terms.add(curie)
        for label, synonyms in ((row[1], row[3]), (row[4], row[6])):
            names = [label, *(name for _, name in _pairs(synonyms))]
            self.names.update(str(name) for name in names if name)


def _pairs(synonyms: object) -> list[tuple[str, str]]:
    told = synonyms if isinstance(synonyms, bytes) else b"[]"
    return msgspec.json.decode(told, type=list[tuple[str, str]])


def _change(row: tuple[object, ...]) -> TermChange:
    curie, old, was_obsolete, old_names, new, obsolete, names, replaced_by, moved = row
    kind = "moved" if moved else "other names"
    if old is None:
        kind = "new"
    elif new is None:
        kind = "gone"
    elif obsolete and not was_obsolete:
        kind = "replaced" if replaced_by else "obsolete"
    elif was_obsolete and not obsolete:
        kind = "revived"
    elif old != new:
        kind = "renamed"
    elif old_names == names and not moved:
        kind = "replaced"
    return TermChange(
        curie=Curie(str(curie)),
        kind=kind,
        label=str(new or old or ""),
        former=str(old) if kind == "renamed" else "",
        replaced_by=tuple(Curie(other) for other in str(replaced_by or "").split()),
    )


class Touched:
    """Says which records changed terms may touch: by a claim of theirs, or by words.

    Words are compared without case, hyphens, plurals and spelling, anywhere in a text; names of
    two or three letters only with whole values. What differs by a letter is not seen.
    """

    def __init__(self, comparison: Comparison) -> None:
        self._terms = frozenset(comparison.terms)
        wordings = {squash(form) for name in comparison.names for form in _forms(name)} - {""}
        self._short = frozenset(word for word in wordings if len(word) < _SHORT)
        long = sorted(wordings - self._short)
        self._long = AhoCorasick(long, matchkind=MatchKind.Standard) if long else None

    def __call__(self, record: Record) -> bool:
        """Return whether a record may get other claims."""
        if any(claim.term in self._terms for claim in record.annotations):
            return True
        return any(self._names(text) for text in _texts(record))

    def _names(self, text: str) -> bool:
        wording = squash(text)
        if wording in self._short:
            return True
        return self._long is not None and bool(self._long.find_matches_as_indexes(wording))


def _forms(name: str) -> Iterator[str]:
    for form in (name, *name_forms(name)):
        yield form
        yield from (form.removesuffix(added) for added in _ADDED if form.endswith(added))
    words = name.split()
    if len(words) == 2 and words[0].isalpha() and words[0][:1].isupper() and words[1].islower():
        yield f"{words[0][0]}. {words[1]}"


def _texts(record: Record) -> Iterator[str]:
    yield record.title
    if isinstance(record, Dataset):
        yield record.description
    for pair in record.key_values:
        yield pair.value
