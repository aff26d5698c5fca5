"""The contract of term stores; subclass it and give a fixture ``make`` that fills a store."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest

from parfocal.identifiers import Curie
from parfocal.interfaces import TermStore
from parfocal.values import TermInfo

Make = Callable[[Iterable[TermInfo]], TermStore]
Told = tuple[tuple[str, str], ...]


def term(
    curie: str,
    label: str = "",
    *parents: str,
    synonyms: Told = (),
    ontology: str = "",
    obsolete: bool = False,
    replaced_by: tuple[str, ...] = (),
    part_of: tuple[str, ...] = (),
) -> TermInfo:
    """Make a term; its ontology is that of its prefix unless another is named."""
    return TermInfo(
        curie=Curie(curie),
        label=label,
        ontology=ontology or curie.partition(":")[0].lower(),
        synonyms=synonyms,
        parents=tuple(Curie(parent) for parent in parents),
        obsolete=obsolete,
        replaced_by=tuple(Curie(other) for other in replaced_by),
        part_of=tuple(Curie(whole) for whole in part_of),
    )


TAXA = (
    term("NCBITaxon:33208", "Metazoa"),
    term("NCBITaxon:40674", "Mammalia", "NCBITaxon:33208", synonyms=(("EXACT", "mammals"),)),
    term("NCBITaxon:10088", "Mus", "NCBITaxon:40674", synonyms=(("EXACT", "mouse"),)),
    term(
        "NCBITaxon:10090",
        "Mus musculus",
        "NCBITaxon:10088",
        synonyms=(("EXACT", "house mouse"), ("EXACT", "mouse"), ("RELATED", "Mus domesticus")),
    ),
    term("NCBITaxon:10092", "Mus musculus domesticus", "NCBITaxon:10090"),
    term("NCBITaxon:9606", "Homo sapiens", "NCBITaxon:40674", synonyms=(("EXACT", "human"),)),
)


class TermStoreContract:
    """What every term store does; ``make(terms)`` gives a store that holds them."""

    def test_names_are_those_of_the_prefix(self, make: Make) -> None:
        store = make((*TAXA, term("CL:1", "neuron")))
        named = set(store.names("NCBITaxon"))
        assert ("NCBITaxon:9606", "LABEL", "Homo sapiens") in named
        assert ("NCBITaxon:9606", "EXACT", "human") in named
        assert ("NCBITaxon:10090", "RELATED", "Mus domesticus") in named
        assert {curie for curie, _, _ in named} == {one.curie for one in TAXA}
        assert list(store.names("CL")) == [("CL:1", "LABEL", "neuron")]
        assert list(store.names("GO")) == []

    def test_names_of_an_obsolete_term_are_its_replacements(self, make: Make) -> None:
        store = make(
            (
                term("GO:1", "cell division"),
                term("GO:2", "old division", obsolete=True, replaced_by=("GO:1",)),
                term("GO:3", "gone", obsolete=True),
            )
        )
        assert set(store.names("GO")) == {
            ("GO:1", "LABEL", "cell division"),
            ("GO:1", "EXACT", "old division"),
        }

    def test_names_of_a_term_told_twice(self, make: Make) -> None:
        store = make((term("GO:1", "right"), term("GO:1", "foreign", ontology="efo")))
        assert set(store.names("GO")) == {("GO:1", "LABEL", "right"), ("GO:1", "EXACT", "foreign")}

    @pytest.fixture
    def make(self) -> Make:
        raise NotImplementedError

    def test_empty_store_knows_nothing(self, make: Make) -> None:
        store = make(())
        assert store.version() == ""
        assert store.ontologies() == ()
        assert store.get(Curie("NCBITaxon:9606")) is None
        assert store.find("human") == ()
        assert store.suggest("h") == ()
        assert store.ancestors(Curie("NCBITaxon:9606")) == frozenset()
        assert store.descendants(Curie("NCBITaxon:9606")) == frozenset()

    def test_get_returns_what_was_told(self, make: Make) -> None:
        store = make(TAXA)
        assert store.get(Curie("NCBITaxon:10090")) == TAXA[3]

    def test_find_ignores_case_and_white_space(self, make: Make) -> None:
        match = make(TAXA).find("  homo  SAPIENS ")[0]
        assert (match.curie, match.method, match.scope) == ("NCBITaxon:9606", "label", "")

    def test_find_tells_the_scope_of_a_synonym(self, make: Make) -> None:
        store = make(TAXA)
        assert [(m.curie, m.method, m.scope) for m in store.find("human")] == [
            ("NCBITaxon:9606", "synonym", "EXACT")
        ]
        assert store.find("mus domesticus")[0].scope == "RELATED"

    def test_find_puts_labels_first_then_exact_synonyms_then_the_order_of_prefixes(
        self, make: Make
    ) -> None:
        store = make(
            (
                term("BTO:1", "liver"),
                term("UBERON:1", "liver"),
                term("EFO:1", "hepar", synonyms=(("EXACT", "liver"),)),
                term("CL:1", "liver cell", synonyms=(("BROAD", "liver"),)),
            )
        )
        order = ("CL", "EFO", "UBERON", "BTO")
        assert [m.curie for m in store.find("liver", order)] == [
            "UBERON:1",
            "BTO:1",
            "EFO:1",
            "CL:1",
        ]
        assert [m.curie for m in store.find("liver", ("EFO",))] == ["EFO:1"]
        assert {m.curie for m in store.find("liver")} == {"BTO:1", "UBERON:1", "EFO:1", "CL:1"}

    def test_obsolete_terms_are_kept_but_not_found(self, make: Make) -> None:
        store = make((term("GO:1", "obsolete mitosis", obsolete=True),))
        found = store.get(Curie("GO:1"))
        assert found is not None
        assert found.obsolete
        assert store.find("mitosis") == ()
        assert store.find("obsolete mitosis") == ()
        assert store.suggest("mito") == ()

    def test_name_of_a_replaced_term_finds_the_replacement(self, make: Make) -> None:
        store = make(
            (
                term("GO:1", "obsolete M phase", obsolete=True, replaced_by=("GO:2",)),
                term("GO:2", "cell division"),
            )
        )
        match = store.find("m phase")[0]
        assert (match.curie, match.label) == ("GO:2", "cell division")
        assert (match.method, match.scope) == ("synonym", "EXACT")

    def test_closure_is_transitive(self, make: Make) -> None:
        store = make(TAXA)
        assert store.ancestors(Curie("NCBITaxon:10090")) == {
            "NCBITaxon:10088",
            "NCBITaxon:40674",
            "NCBITaxon:33208",
        }
        assert store.descendants(Curie("NCBITaxon:10088")) == {
            "NCBITaxon:10088",
            "NCBITaxon:10090",
            "NCBITaxon:10092",
        }

    def test_leaf_descends_to_itself(self, make: Make) -> None:
        assert make(TAXA).descendants(Curie("NCBITaxon:9606")) == {"NCBITaxon:9606"}

    def test_parent_that_is_no_term_still_has_descendants(self, make: Make) -> None:
        store = make((term("CL:1", "cell", "BFO:4"),))
        assert store.get(Curie("BFO:4")) is None
        assert store.descendants(Curie("BFO:4")) == {"BFO:4", "CL:1"}
        assert store.ancestors(Curie("CL:1")) == {"BFO:4"}

    def test_cycle_does_no_harm(self, make: Make) -> None:
        store = make((term("X:1", "a", "X:3"), term("X:2", "b", "X:1"), term("X:3", "c", "X:2")))
        assert store.ancestors(Curie("X:1")) == {"X:2", "X:3"}
        assert store.descendants(Curie("X:1")) == {"X:1", "X:2", "X:3"}

    def test_parts_are_followed_when_asked_for(self, make: Make) -> None:
        brain, finger = Curie("UBERON:1"), Curie("UBERON:5")
        store = make(
            (
                term("UBERON:1", "brain", "UBERON:0"),
                term("UBERON:2", "hippocampus", part_of=("UBERON:1",)),
                term("UBERON:3", "left hippocampus", "UBERON:2"),
                term("UBERON:4", "finger", part_of=("UBERON:5",)),
            )
        )
        assert store.descendants(brain) == {brain}
        assert store.descendants(brain, part_of=True) == {brain, "UBERON:2", "UBERON:3"}
        assert store.ancestors(Curie("UBERON:3")) == {"UBERON:2"}
        assert store.ancestors(Curie("UBERON:3"), part_of=True) == {"UBERON:2", brain, "UBERON:0"}
        assert store.descendants(finger) == frozenset()
        assert store.descendants(finger, part_of=True) == {finger, "UBERON:4"}
        told = store.get(Curie("UBERON:2"))
        assert told is not None
        assert (told.parents, told.part_of) == ((), (brain,))

    def test_several_ontologies_tell_of_one_hierarchy(self, make: Make) -> None:
        store = make(
            (
                term("X:1", "one", "X:0", ontology="a"),
                term("X:2", "two", "X:1", ontology="a"),
                term("X:0", "none", "X:9", ontology="b"),
                term("X:3", "three", "X:2", ontology="b"),
                term("X:4", "four", "X:3", "X:1", ontology="c"),
                term("X:9", "nine", "X:4", ontology="c"),
            )
        )
        every = {"X:0", "X:1", "X:2", "X:3", "X:4", "X:9"}
        for curie in map(Curie, every):
            assert store.descendants(curie) == every
            assert store.ancestors(curie) == every - {curie}

    def test_home_ontology_decides_when_several_tell_of_a_term(self, make: Make) -> None:
        store = make(
            (
                term("CL:1", "nerve cell", "EFO:9", ontology="efo"),
                term("CL:1", "neuron", "CL:0", ontology="cl", synonyms=(("EXACT", "neurone"),)),
            )
        )
        merged = store.get(Curie("CL:1"))
        assert merged is not None
        assert (merged.label, merged.ontology) == ("neuron", "cl")
        assert ("EXACT", "nerve cell") in merged.synonyms
        assert ("EXACT", "neurone") in merged.synonyms
        assert set(merged.parents) == {"CL:0", "EFO:9"}
        assert store.find("neuron")[0].method == "label"
        assert store.find("nerve cell")[0].method == "synonym"

    def test_suggest_gives_the_shortest_names_first(self, make: Make) -> None:
        store = make(TAXA)
        assert [m.curie for m in store.suggest("MU")] == [
            "NCBITaxon:10088",
            "NCBITaxon:10090",
            "NCBITaxon:10092",
        ]
        assert [m.curie for m in store.suggest("mu", 1)] == ["NCBITaxon:10088"]
        assert store.suggest(" ") == ()

    def test_summaries_count_terms(self, make: Make) -> None:
        store = make((*TAXA, term("GO:1", "gone", obsolete=True)))
        summaries = {summary.name: summary for summary in store.ontologies()}
        assert sorted(summaries) == ["go", "ncbitaxon"]
        assert summaries["ncbitaxon"].terms == len(TAXA)
        assert (summaries["go"].terms, summaries["go"].obsolete) == (1, 1)

    def test_version_changes_with_the_content(self, make: Make) -> None:
        versions = {make(TAXA[:1]).version(), make(TAXA).version(), make(()).version()}
        assert len(versions) == 3

    def test_many_threads_read_the_same(self, make: Make) -> None:
        store = make(TAXA)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: store.find("mouse"), range(64)))
        assert set(answers) == {store.find("mouse")}
        assert len(answers[0]) == 2
