import msgspec
from hypothesis import given
from hypothesis import strategies as st

from parfocal.facet_tree import facet_tree
from parfocal.identifiers import Curie
from parfocal.query import FacetValue
from parfocal.terms import MemoryTermStore
from parfocal.testing.terms import TAXA, term

STORE = MemoryTermStore(
    (*TAXA, term("NCBITaxon:7955", "Danio rerio", "NCBITaxon:33208"), term("A:1", "alone"))
)


def values(*counts):
    return [FacetValue(curie, "", count) for curie, count in counts]


def told(nodes):
    return [(node.label, node.count, node.own, told(node.children)) for node in nodes]


def summed(counts):
    held = dict(counts)
    return lambda terms: sum(held[term] for term in terms)


def tree(*counts):
    return told(facet_tree(values(*counts), STORE, summed(counts)))


def test_terms_lie_below_the_lowest_that_holds_several():
    assert tree(("NCBITaxon:9606", 5), ("NCBITaxon:10090", 3), ("NCBITaxon:7955", 1)) == [
        (
            "Metazoa",
            9,
            0,
            [
                (
                    "Mammalia",
                    8,
                    0,
                    [("Homo sapiens", 5, 5, []), ("Mus musculus", 3, 3, [])],
                ),
                ("Danio rerio", 1, 1, []),
            ],
        )
    ]


def test_a_term_in_the_records_holds_those_below_it():
    assert tree(("NCBITaxon:10090", 3), ("NCBITaxon:10092", 2)) == [
        ("Mus musculus", 5, 3, [("Mus musculus domesticus", 2, 2, [])])
    ]


def test_terms_that_share_nothing_stand_side_by_side():
    assert tree(("NCBITaxon:9606", 1), ("A:1", 2)) == [
        ("alone", 2, 2, []),
        ("Homo sapiens", 1, 1, []),
    ]


def test_parts_lie_below_their_whole_where_asked():
    kidney, nephron = term("UBERON:1", "kidney"), term("UBERON:2", "nephron")
    store = MemoryTermStore((kidney, msgspec.structs.replace(nephron, part_of=(kidney.curie,))))
    both = values(("UBERON:1", 2), ("UBERON:2", 1))
    (top,) = facet_tree(both, store, lambda terms: 3, part_of=True)
    assert (top.label, top.count, [child.label for child in top.children]) == (
        "kidney",
        3,
        ["nephron"],
    )
    assert len(facet_tree(both, store, lambda terms: 3)) == 2


def test_texts_and_unknown_terms():
    assert tree() == []
    nodes = facet_tree(
        [FacetValue("mouse-like", "", 2), FacetValue("X:1", "labelled", 1)], STORE, lambda _: 0
    )
    assert told(nodes) == [("labelled", 1, 1, [])]


def test_a_record_with_two_terms_counts_once_above():
    both = values(("NCBITaxon:9606", 2), ("NCBITaxon:10090", 2))
    (top,) = facet_tree(both, STORE, lambda terms: 3)
    assert (top.label, top.count) == ("Mammalia", 3)


@given(st.sets(st.sampled_from([one.curie for one in STORE._told.values() for one in one])))
def test_every_term_is_in_the_tree_below_what_is_above_it(present):
    counts = [(curie, 1) for curie in sorted(present)]
    nodes = facet_tree(values(*counts), STORE, summed(counts))
    seen = set()

    def walk(node, above):
        seen.add(node.term)
        assert above <= STORE.ancestors(node.term)
        assert len({child.term for child in node.children}) == len(node.children)
        for child in node.children:
            walk(child, above | {node.term})

    for node in nodes:
        walk(node, frozenset())
    assert {Curie(curie) for curie in present} <= seen
