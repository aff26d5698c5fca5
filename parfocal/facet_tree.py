"""A facet's terms as a tree: what stands in the records, below what holds several of them.

Only terms with something to tell are nodes: those in the records, and the lowest one above each
set of them. Counts are of records, so one that has two terms below a node counts once there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from msgspec import Struct

from parfocal.identifiers import Curie
from parfocal.interfaces import TermStore
from parfocal.query import FacetValue

MOST = 200
"""Values of a facet that are put into a tree, the most frequent first."""
Count = Callable[[tuple[Curie, ...]], int]
Above = Callable[[Curie], frozenset[Curie]]


class Node(Struct, frozen=True):
    """A term with the records that have it or one below it; ``own`` those that have it itself."""

    term: Curie
    label: str
    count: int
    own: int
    children: tuple[Node, ...] = ()


class _Bough(Struct, frozen=True):
    term: Curie
    covered: frozenset[Curie]


def facet_tree(
    values: Sequence[FacetValue], terms: TermStore, count: Count, *, part_of: bool = False
) -> tuple[Node, ...]:
    """Return a facet's values as trees, largest first; values that are no terms are left out.

    ``count`` says how many records have one of some terms; it is asked for inner nodes only.
    With ``part_of``, parts lie below their whole, too.
    """
    present = {Curie(v.value): v for v in values[:MOST] if ":" in v.value}
    above = partial(terms.ancestors, part_of=part_of)
    boughs = _lowest(_covers(present, above), present, above)
    return _grown(boughs, present, terms, count)


def _covers(present: Iterable[Curie], above: Above) -> dict[Curie, frozenset[Curie]]:
    """Return all terms at or above those present, with the present ones that they cover."""
    covers: dict[Curie, set[Curie]] = {}
    for curie in present:
        for each in (curie, *above(curie)):
            covers.setdefault(each, set()).add(curie)
    return {curie: frozenset(covered) for curie, covered in covers.items()}


def _lowest(
    covers: dict[Curie, frozenset[Curie]], present: Iterable[Curie], above: Above
) -> list[_Bough]:
    """Keep what is present, and of terms that cover the same several ones the lowest."""
    kept: dict[frozenset[Curie], Curie] = {}
    depth = {curie: len(above(curie)) for curie in covers}
    for curie in sorted(covers, key=lambda each: (-depth[each], each)):
        covered = covers[curie]
        if len(covered) > 1:
            kept.setdefault(covered, curie)
    boughs = {curie: covers[curie] for curie in present}
    for covered, curie in kept.items():
        held = any(boughs.get(one) == covered for one in covered)
        if not held:
            boughs[curie] = covered
    return [_Bough(curie, covered) for curie, covered in boughs.items()]


def _grown(
    boughs: Sequence[_Bough],
    present: dict[Curie, FacetValue],
    terms: TermStore,
    count: Count,
) -> tuple[Node, ...]:
    """Return nodes of those boughs that lie in no other of them, with what lies in each."""
    tops = [one for one in boughs if not any(one.covered < other.covered for other in boughs)]
    nodes = []
    for top in tops:
        inside = [one for one in boughs if one.covered < top.covered]
        nodes.append(_node(top, inside, present, terms, count))
    return tuple(sorted(nodes, key=lambda node: (-node.count, node.label.casefold())))


def _node(
    bough: _Bough,
    inside: Sequence[_Bough],
    present: dict[Curie, FacetValue],
    terms: TermStore,
    count: Count,
) -> Node:
    value = present.get(bough.term)
    own = value.count if value else 0
    term = terms.get(bough.term)
    label = (value.label if value else "") or (term.label if term else "") or bough.term
    whole = count(tuple(sorted(bough.covered))) if len(bough.covered) > 1 else own
    return Node(bough.term, label, whole, own, _grown(inside, present, terms, count))
