"""Places of terms in a walk down their hierarchy, so that what lies below a term is one range.

Each ontology gives places to the terms that none before it gave one. A parent's place is followed
by those of all that was reached over it: ``position`` to ``last``. Links that the walk did not
take (second parents, links to terms of other ontologies, part_of, the last link of a cycle) are
extra: jumps from one place to another. What lies below a term is its range, the ranges that jumps
out of it lead to, and so on.
"""

from __future__ import annotations

import sqlite3
from array import array
from bisect import bisect_right
from collections.abc import Iterator

_LOOSE = 0
_EDGES = """
SELECT child, parent, EXISTS(SELECT 1 FROM place WHERE node = child)
  OR EXISTS(SELECT 1 FROM place WHERE node = parent)
FROM edge WHERE ontology = ? AND part_of = 0 AND child <> parent"""
_PLACE = "INSERT INTO place SELECT ?, ?, id, ?, curie FROM node WHERE id = ?"
# Terms that only extra links mention get a place each.
_LOOSE_PLACES = """
INSERT INTO place
SELECT row_number() OVER () + (SELECT coalesce(max(position), 0) FROM place),
  row_number() OVER () + (SELECT coalesce(max(position), 0) FROM place), id, 0, curie
FROM node WHERE id IN (SELECT child FROM extra UNION SELECT parent FROM extra)
  AND NOT EXISTS(SELECT 1 FROM place WHERE place.node = node.id)"""
_JUMPS = """
INSERT OR IGNORE INTO jump
SELECT above.position, below.position, part_of FROM extra
CROSS JOIN place AS above ON above.node = extra.parent
CROSS JOIN place AS below ON below.node = extra.child"""
_JUMPS_OUT = """
SELECT DISTINCT position, last FROM jump CROSS JOIN place ON position = child
WHERE parent BETWEEN ? AND ? AND part_of <= ?"""
_IN_RANGES = """
SELECT group_concat(curie, char(10)) FROM json_each(?) AS span
CROSS JOIN place ON position BETWEEN span.value ->> 0 AND span.value ->> 1"""


class Walk:
    """A walk over one ontology's links, each term once, from the roots down."""

    def __init__(self, nodes: int) -> None:
        self._first = array("q", bytes(8 * (nodes + 1)))
        self._next = array("q")
        self._child = array("q")
        self._mentioned = bytearray(nodes + 1)
        self._below = bytearray(nodes + 1)
        self._seen = bytearray(nodes + 1)
        self.order = array("q")
        self.last = array("q", bytes(8 * (nodes + 1)))
        self.extra: list[tuple[int, int]] = []

    def link(self, child: int, parent: int) -> None:
        """Take in a link."""
        self._child.append(child)
        self._next.append(self._first[parent])
        self._first[parent] = len(self._child)
        self._mentioned[child] = self._mentioned[parent] = self._below[child] = 1

    def go(self) -> None:
        """Walk: ``order`` tells the terms, ``last`` where each one's range ends in that order."""
        for node, mentioned in enumerate(self._mentioned):
            if mentioned and not self._below[node]:
                self._descend(node)
        for node, mentioned in enumerate(self._mentioned):
            if mentioned and not self._seen[node]:
                self._descend(node)

    def _descend(self, root: int) -> None:
        first, following, children, seen = self._first, self._next, self._child, self._seen
        seen[root] = 1
        self.order.append(root)
        stack = [root]
        while stack:
            node = stack[-1]
            link = first[node]
            if not link:
                self.last[node] = len(self.order) - 1
                stack.pop()
                continue
            first[node] = following[link - 1]
            child = children[link - 1]
            if seen[child]:
                self.extra.append((child, node))
            else:
                seen[child] = 1
                self.order.append(child)
                stack.append(child)


def begin(connection: sqlite3.Connection) -> None:
    """Take back the places of terms that no ontology placed; the next one may."""
    connection.execute("DELETE FROM place WHERE ontology = ?", (_LOOSE,))


def add(connection: sqlite3.Connection, ontology: int) -> None:
    """Give places to an ontology's terms, its links being in the store already."""
    nodes = connection.execute("SELECT coalesce(max(id), 0) FROM node").fetchone()[0]
    walk = Walk(nodes)
    for child, parent, foreign in connection.execute(_EDGES, (ontology,)):
        if foreign:
            walk.extra.append((child, parent))
        else:
            walk.link(child, parent)
    walk.go()
    connection.executemany(_PLACE, _places(connection, walk, ontology))
    connection.executemany(
        "INSERT OR IGNORE INTO extra VALUES(?,?,?,0)",
        ((ontology, child, parent) for child, parent in walk.extra),
    )
    connection.execute(
        "INSERT OR IGNORE INTO extra SELECT ontology, child, parent, 1 FROM edge"
        " WHERE ontology = ? AND part_of = 1",
        (ontology,),
    )


def add_extra(connection: sqlite3.Connection, ontology: int) -> None:
    """Take in all links of an ontology as extra ones; it gives no places."""
    connection.execute(
        "INSERT OR IGNORE INTO extra SELECT ontology, child, parent, part_of FROM edge"
        " WHERE ontology = ?",
        (ontology,),
    )


def _places(
    connection: sqlite3.Connection, walk: Walk, ontology: int
) -> Iterator[tuple[int, int, int, int]]:
    found = connection.execute("SELECT coalesce(max(position), 0) FROM place").fetchone()
    start = found[0] + 1
    for number, node in enumerate(walk.order, start):
        yield number, start + walk.last[node], ontology, node


def finish(connection: sqlite3.Connection) -> None:
    """Place what is left over and connect the places by what is extra."""
    connection.execute(_LOOSE_PLACES)
    connection.execute("DELETE FROM jump")
    connection.execute(_JUMPS)


class Spans:
    """Ranges of places that do not overlap."""

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []

    def add(self, start: int, end: int) -> bool:
        """Add a range; False when it is covered already."""
        at = bisect_right(self.starts, start)
        if at and self.ends[at - 1] >= end:
            return False
        until = at
        while until < len(self.starts) and self.starts[until] <= end:
            until += 1
        self.starts[at:until] = [start]
        self.ends[at:until] = [end]
        return True


def below(connection: sqlite3.Connection, curie: str, *, part_of: bool) -> frozenset[str]:
    """Return a term that has a place and all below it; empty for one that has none."""
    waiting = connection.execute(
        "SELECT position, last FROM place WHERE node = (SELECT id FROM node WHERE curie = ?)",
        (curie,),
    ).fetchall()
    spans = Spans()
    while waiting:
        start, end = waiting.pop()
        if spans.add(start, end):
            waiting += connection.execute(_JUMPS_OUT, (start, end, part_of)).fetchall()
    pairs = [f"[{start},{end}]" for start, end in zip(spans.starts, spans.ends, strict=True)]
    found = connection.execute(_IN_RANGES, (f"[{','.join(pairs)}]",)).fetchone()[0]
    return frozenset(found.split("\n")) if found else frozenset()
