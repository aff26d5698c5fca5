"""The contract of search indexes; subclass it and give fixtures ``index`` and ``reference``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from parfocal.errors import QueryInvalid
from parfocal.identifiers import Curie, RecordId
from parfocal.interfaces import SearchIndex
from parfocal.model import ANONYMOUS, Access, KeyValue, Viewer
from parfocal.query import (
    All,
    AnyOf,
    Clause,
    Concept,
    Everything,
    FacetRequest,
    FieldContains,
    FieldExists,
    FieldIn,
    FieldRange,
    KeyMatch,
    KeyOp,
    LiesIn,
    Match,
    Not,
    Phrase,
    Query,
    Sort,
    Terms,
    Token,
    Words,
)
from parfocal.testing.search_changes import SearchChangesContract
from parfocal.testing.searchable import (
    FACETS,
    HELD,
    LAB,
    PRIVATE_GENE,
    QUERIES,
    WORLDS,
    hits,
    image,
    names,
    numbered,
    pages,
    study,
    well,
)
from parfocal.values import Change

LEVELS = ("any", "study", "container", "image")


def _has_words(clause: Clause) -> bool:
    """Whether some hits may be better than others, so that engines may order them differently."""
    if isinstance(clause, All | AnyOf):
        return any(map(_has_words, clause.clauses))
    return isinstance(clause, Token | Phrase | Concept)


def _comparable(match: Match, query: Query, is_scored: bool) -> tuple[object, ...]:
    best = None if is_scored and query.level != "any" else match.best
    return (match.id, match.images, best)


def assert_same(index: SearchIndex, reference: SearchIndex, query: Query, viewer: Viewer) -> None:
    """Assert that two indexes give the same totals, levels, facets, hits and (if fixed) order."""
    got, expected = index.search(query, viewer), reference.search(query, viewer)
    assert (got.total, got.levels) == (expected.total, expected.levels)
    assert got.facets == expected.facets
    is_scored = _has_words(query.where)
    found = [_comparable(m, query, is_scored) for m in hits(index, query, viewer)]
    wanted = [_comparable(m, query, is_scored) for m in hits(reference, query, viewer)]
    assert len(found) == len({each[0] for each in found}) == expected.total
    if is_scored and query.sort.by == "relevance":
        found.sort(key=str)
        wanted.sort(key=str)
    assert found == wanted


class SearchIndexContract(SearchChangesContract):
    """What every search index does."""

    examples = 100
    """Worlds that the comparison with the reference tries."""

    @pytest.fixture
    def reference(self) -> SearchIndex:
        """Give an empty index of the kind that others are compared with."""
        raise NotImplementedError

    # -------------------------------------------------------------- clauses

    def test_words_match_in_own_and_inherited_text(self, filled: SearchIndex) -> None:
        assert names(filled, Token("tubulin")) == ["st/screen/w2"]
        assert names(filled, Token("Spindle")) == ["st", "st/screen", *HELD]
        assert names(filled, Token("spindle tubulin")) == ["st/screen/w2"]
        assert names(filled, Token("spin")) == []

    def test_own_words_weigh_more_than_inherited_ones(self, filled: SearchIndex) -> None:
        first = hits(filled, Query(Token("spindle"), size=2))[0]
        assert first.id == "s:st"

    def test_a_phrase_stands_in_one_text(self, filled: SearchIndex) -> None:
        assert names(filled, Phrase("spindle assembly")) == ["st", "st/screen", *HELD]
        assert names(filled, Phrase("assembly spindle")) == []
        assert names(filled, Phrase("alpha-TUBULIN")) == ["st/screen/w2"]
        assert names(filled, Phrase("tubulin w2")) == []

    def test_a_concept_matches_by_words_synonym_or_believed_term(self, filled: SearchIndex) -> None:
        human = Curie("NCBITaxon:9606")
        meant = Concept("human", human, "Homo sapiens", ("Homo sapiens",), (human,))
        assert names(filled, meant) == ["st", "st/screen", *HELD]
        assert names(filled, Concept("nothing", human, "", ("alpha tubulin",))) == ["st/screen/w2"]
        assert names(filled, Concept("tubulin", human, "")) == ["st/screen/w2"]
        doubted = Curie("NCBITaxon:9607")
        assert names(filled, Concept("nothing", doubted, "", (), (doubted,))) == []

    def test_terms_find_doubted_claims_too(self, filled: SearchIndex) -> None:
        doubted = Terms("x", "x", (Curie("NCBITaxon:9607"), Curie("NCBITaxon:1")))
        assert names(filled, doubted) == ["st/screen/w1"]
        many = tuple(Curie(f"X:{n}") for n in range(5000))
        assert names(filled, Terms("x", "x", (*many, Curie("NCBITaxon:9607")))) == ["st/screen/w1"]

    @pytest.mark.parametrize(
        ("key", "op", "values", "expected"),
        [
            ("gene symbol", "equals", ("cdk1",), ["w1", "w3"]),
            ("Gene  Symbol", "equals", ("CDK",), []),
            ("gene symbol", "contains", ("dk",), ["w1", "w3"]),
            ("gene symbol", "contains", (".*",), []),
            ("gene symbol", "exists", (), ["w1", "w2", "w3"]),
            ("gene symbol", "not_equals", ("cdk1",), ["w2"]),
            ("gene symbol", "not_contains", ("k",), ["w2"]),
            ("gene symbol", "in", ("cdk1", "tub1"), ["w1", "w2", "w3"]),
            ("gene symbol", "not_in", ("cdk1", "tub1"), ["w3"]),
            ("dose", ">=", ("2.5",), ["w2", "w3"]),
            ("dose", ">", ("2.5",), ["w3"]),
            ("dose", "<=", ("2.5",), ["w1", "w2"]),
            ("dose", "<", ("-1",), []),
            (None, "equals", ("cdk1",), ["w1", "w3"]),
            (None, "contains", ("2.5",), ["w2"]),
            (None, ">", ("11",), ["w3"]),
            (None, "not_equals", ("cdk1",), ["st", "w2"]),
            ("organism", "exists", (), ["st"]),
        ],
    )
    def test_key_values(
        self,
        filled: SearchIndex,
        key: str | None,
        op: KeyOp,
        values: tuple[str, ...],
        expected: list[str],
    ) -> None:
        found = [name.rpartition("/")[2] for name in names(filled, KeyMatch(key, op, values))]
        assert found == expected

    def test_a_condition_holds_within_one_pair(self, filled: SearchIndex) -> None:
        crossed = KeyMatch("dose", "equals", ("cdk1",))
        assert names(filled, crossed) == []

    def test_fields_match_by_text_label_or_believed_term(self, filled: SearchIndex) -> None:
        everywhere = ["st", "st/screen", *HELD]
        assert names(filled, FieldIn("organism", ("homo sapiens",))) == everywhere
        assert names(filled, FieldIn("organism", ("human",))) == everywhere
        assert names(filled, FieldIn("organism", (), (Curie("NCBITaxon:9606"),))) == everywhere
        assert names(filled, FieldIn("organism", (), (Curie("NCBITaxon:9607"),))) == []
        assert names(filled, FieldIn("gene", ("tub1", "none"))) == ["st/screen/w2"]
        assert names(filled, FieldIn("gene", ("tub",))) == []
        assert names(filled, FieldContains("gene", "UB")) == ["st/screen/w2"]
        assert names(filled, FieldContains("organism", "mo sap")) == everywhere

    def test_places_are_fields(self, filled: SearchIndex) -> None:
        assert names(filled, FieldIn("container", ("st/screen",))) == HELD
        assert names(filled, FieldIn("study", ("st",))) == ["st", "st/screen", *HELD]
        assert names(filled, FieldIn("source", ("t",))) == ["lone"]
        assert names(filled, FieldIn("type", ("well",))) == HELD
        assert names(filled, FieldIn("type", ("image",))) == [*HELD, "lone"]

    def test_what_lies_in_some_studies_and_containers(self, filled: SearchIndex) -> None:
        within = LiesIn("", (RecordId("s:st/screen"), RecordId("s:unknown")))
        assert names(filled, within) == ["st/screen", *HELD]
        assert names(filled, LiesIn("", (RecordId("s:st"),))) == ["st", "st/screen", *HELD]
        assert names(filled, LiesIn("", (RecordId("t:lone"),))) == []
        assert names(filled, LiesIn("", ())) == []

    def test_numbers_and_dates(self, filled: SearchIndex) -> None:
        assert names(filled, FieldRange("size_x", 512, 1024)) == ["st/screen/w1", "st/screen/w2"]
        above = FieldRange("size_x", 512, None, low_open=True)
        assert names(filled, above) == ["st/screen/w2", "lone"]
        assert names(filled, FieldRange("size_x", None, 512)) == ["st/screen/w1"]
        assert names(filled, FieldRange("pixel_size_x", 0.2, 0.2)) == ["st/screen/w1"]
        dated = FieldRange("date", 20190101, 20191231)
        assert names(filled, dated) == ["st", "st/screen", *HELD]
        assert names(filled, FieldExists("size_x")) == ["st/screen/w1", "st/screen/w2", "lone"]
        assert names(filled, FieldExists("licence")) == ["lone"]
        assert names(filled, Not(FieldExists("date"))) == ["lone"]

    def test_clauses_combine(self, filled: SearchIndex) -> None:
        gene = KeyMatch("gene symbol", "equals", ("cdk1",))
        assert names(filled, All((gene, Token("spindle")))) == ["st/screen/w1", "st/screen/w3"]
        assert names(filled, AnyOf((gene, Token("tubulin")))) == HELD
        assert names(filled, All((Not(gene), FieldIn("type", ("well",))))) == ["st/screen/w2"]
        assert names(filled, AnyOf(())) == []
        assert len(names(filled, All(()))) == len(names(filled, Everything())) == 6

    # -------------------------------------------------------------- levels, facets

    def test_all_three_levels_are_counted(self, filled: SearchIndex) -> None:
        gene = KeyMatch("gene symbol", "equals", ("cdk1",))
        for level, total in (("any", 2), ("image", 2), ("container", 1), ("study", 1)):
            page = filled.search(Query(gene, level=level), ANONYMOUS)  # type: ignore[arg-type]
            assert page.total == total
            assert page.levels == {"study": 1, "container": 1, "image": 2}
        assert filled.count(Query(gene, level="study"), ANONYMOUS) == 1

    def test_a_study_says_how_many_images_match_and_which_is_best(
        self, filled: SearchIndex
    ) -> None:
        gene = KeyMatch("gene symbol", "equals", ("cdk1",))
        (match,) = filled.search(Query(gene, level="study"), ANONYMOUS).matches
        assert match == Match(RecordId("s:st"), 0.0, 2, RecordId("s:st/screen/w1"))
        (match,) = filled.search(Query(Token("tubulin"), level="container"), ANONYMOUS).matches
        assert (match.id, match.images, match.best) == ("s:st/screen", 1, "s:st/screen/w2")

    def test_facets_count_exactly(self, filled: SearchIndex) -> None:
        asked = (FacetRequest("organism"), FacetRequest("gene", 10_000), FacetRequest("container"))
        page = filled.search(Query(level="image", facets=asked), ANONYMOUS)
        found = {name: [(v.value, v.count) for v in vs] for name, vs in page.facets.items()}
        assert found == {
            "organism": [("NCBITaxon:9606", 3)],
            "gene": [("CDK1", 2), ("ABC2", 1), ("TUB1", 1)],
            "container": [("st/screen", 3)],
        }
        page = filled.search(Query(facets=(FacetRequest("gene", 1),)), ANONYMOUS)
        assert [value.value for value in page.facets["gene"]] == ["CDK1"]

    # -------------------------------------------------------------- access

    def test_what_is_private_leaves_no_trace(self, filled: SearchIndex) -> None:
        secret = KeyMatch("gene symbol", "equals", (PRIVATE_GENE,))
        for level in LEVELS:
            asked = Query(
                Everything(),
                level=level,  # type: ignore[arg-type]
                facets=tuple(FacetRequest(field, 10_000) for field in FACETS),
                size=100,
            )
            page = filled.search(asked, ANONYMOUS)
            assert "vault" not in repr((page.matches, page.facets))
            assert PRIVATE_GENE not in repr(page.facets)
            assert page.levels == {"study": 1, "container": 1, "image": 4}
            hidden = msgspec.structs.replace(asked, where=secret)
            page = filled.search(hidden, ANONYMOUS)
            assert (page.total, page.levels) == (0, {"study": 0, "container": 0, "image": 0})
            assert filled.search(hidden, LAB).total == 1
        assert filled.suggest(PRIVATE_GENE, ANONYMOUS) == ()
        assert filled.suggest(PRIVATE_GENE, LAB) == (("gene", PRIVATE_GENE, 1),)
        assert names(filled, Token("confidential")) == []
        assert names(filled, secret, Viewer(frozenset({"other"}))) == []

    def test_nothing_is_inherited_from_what_fewer_may_see(self, index: SearchIndex) -> None:
        hidden = study("s", "h", "Hidden title", Access(("lab",)), date="2020")
        shown = well("s", "h/w", "Shown", KeyValue("Gene Symbol", "CDK1"))
        index.apply(numbered([(hidden, ()), (shown, (hidden,))]), 1)
        for viewer in (ANONYMOUS, LAB):
            found = names(index, Token("hidden"), viewer)
            assert found == (["h"] if viewer is LAB else [])
            page = index.search(Query(Token("shown"), level="any"), viewer)
            assert page.levels == {"study": 0, "container": 0, "image": 1}
        assert names(index, FieldIn("study", ("h",))) == []
        assert names(index, FieldExists("date")) == []

    def test_suggestions_count_what_the_viewer_sees(self, filled: SearchIndex) -> None:
        assert filled.suggest("cd", ANONYMOUS) == (("gene", "CDK1", 2),)
        assert filled.suggest("HOMO", ANONYMOUS) == (("organism", "Homo sapiens", 5),)
        assert filled.suggest("hum", ANONYMOUS, 1) == (("organism", "human", 5),)
        assert filled.suggest("", ANONYMOUS) == ()
        assert filled.suggest("omo", ANONYMOUS) == ()

    # -------------------------------------------------------------- order and pages

    def test_missing_values_come_last_and_ties_by_first_sight(self, filled: SearchIndex) -> None:
        def order(by: str, descending: bool = False) -> list[str]:
            found = hits(filled, Query(level="image", sort=Sort(by, descending), size=1))
            return [match.id.rpartition("/")[2].rpartition(":")[2] for match in found]

        assert order("size_x") == ["w1", "w2", "lone", "w3"]
        assert order("size_x", True) == ["lone", "w2", "w1", "w3"]
        assert order("date") == order("date", True) == ["w1", "w2", "w3", "lone"]
        assert order("id", True) == ["lone", "w3", "w2", "w1"]

    @pytest.mark.parametrize("sort", [Sort(), Sort("id"), Sort("size_x", True), Sort("date")])
    @pytest.mark.parametrize("clause", [Everything(), Token("spindle")])
    def test_paging_is_complete_while_the_index_changes(
        self, filled: SearchIndex, sort: Sort, clause: Clause
    ) -> None:
        before = {match.id for match in hits(filled, Query(clause, sort=sort, size=100))}
        revision = iter(range(21, 100))

        def change() -> None:
            number = next(revision)
            extra = image("u", f"late{number}", "another spindle")
            filled.apply([Change(number, 1000 + number, extra.id, extra)], number)

        asked = Query(clause, sort=sort, size=1 if sort.by == "relevance" else 2)
        seen: list[RecordId] = []
        for page in pages(filled, asked, ANONYMOUS, change):
            seen += [match.id for match in page.matches]
            if len(seen) > 12:
                break
        assert len(seen) == len(set(seen))
        assert before <= set(seen)

    def test_a_page_token_is_checked(self, filled: SearchIndex) -> None:
        token = filled.search(Query(size=1), ANONYMOUS).next
        assert token is not None
        damaged = token[:-3] + ("aaa" if token[-3:] != "aaa" else "bbb")
        for bad in ("", "x", "é", damaged, token + "AAAA"):
            with pytest.raises(QueryInvalid, match="token"):
                filled.search(Query(size=1, after=bad), ANONYMOUS)
        with pytest.raises(QueryInvalid, match="another query") as caught:
            filled.search(Query(Token("spindle"), size=1, after=token), ANONYMOUS)
        assert caught.value.hint

    @pytest.mark.parametrize(
        "query",
        [
            Query(size=10_001),
            Query(size=-1),
            Query(facets=(FacetRequest("gene", 10_001),)),
            Query(facets=(FacetRequest("size_x"),)),
            Query(facets=(FacetRequest("nothing"),)),
            Query(sort=Sort("gene")),
            Query(sort=Sort("nothing")),
            Query(KeyMatch("a", "contains", ("x" * 501,))),
            Query(KeyMatch("a", ">=", ("many",))),
            Query(Words("not understood")),
        ],
    )
    def test_what_cannot_be_answered_is_refused(self, index: SearchIndex, query: Query) -> None:
        with pytest.raises(QueryInvalid):
            index.search(query, ANONYMOUS)

    # -------------------------------------------------------------- comparison

    def test_any_query_is_answered_as_the_reference_does(
        self, index: SearchIndex, reference: SearchIndex
    ) -> None:
        @settings(
            max_examples=self.examples,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        @given(WORLDS, QUERIES)
        def compare(world: Sequence[Change], queries: Iterable[tuple[Query, Viewer]]) -> None:
            for each in (index, reference):
                each.clear()
                each.apply(world, len(world))
            for query, viewer in queries:
                assert_same(index, reference, query, viewer)

        compare()
