import pytest
from hypothesis import given
from hypothesis import strategies as st

from parfocal.errors import QueryInvalid
from parfocal.query import (
    All,
    AnyOf,
    Concept,
    Everything,
    FieldContains,
    FieldExists,
    FieldIn,
    FieldMatch,
    FieldRange,
    KeyMatch,
    Not,
    Phrase,
    Query,
    Terms,
    Token,
    Within,
    Words,
)
from parfocal.query_text import parse_query
from parfocal.terms import MemoryTermStore
from parfocal.testing.terms import TAXA, term
from parfocal.understand import understand

STORE = MemoryTermStore(
    (
        *TAXA,
        term("EFO:1185", "HeLa", "EFO:1"),
        term("EFO:22666", "HeLa M", "EFO:1185"),
        term("CLO:3684", "HeLa cell"),
        term("BTO:1", "stem"),
        term("CL:34", "stem cell"),
        term("CL:540", "neuron", synonyms=(("EXACT", "nerve cell"), ("RELATED", "brain stuff"))),
        term("CL:101", "sensory neuron", "CL:540"),
        term("CMPO:2", "cell population phenotype"),
        term("CMPO:77", "elongated cell phenotype", "CMPO:2", synonyms=(("EXACT", "ec"),)),
        term("CMPO:9", "obsolete long cell", obsolete=True, replaced_by=("CMPO:77",)),
        term("GO:278", "mitotic cell cycle"),
        term("GO:7067", "mitosis", "GO:278"),
        term("FBbi:251", "confocal microscopy"),
    )
)


def where(clause, expand="subclasses"):
    return understand(Query(clause, expand=expand), STORE)[0].where


def asked(text):
    return understand(parse_query(text), STORE)


# ------------------------------------------------------------------ words


def test_words_become_concepts_and_a_token():
    query, expansions = asked("HeLa mitosis arrest")
    hela, mitosis, rest = query.where.clauses
    assert isinstance(hela, Concept)
    assert (hela.text, hela.term, hela.label) == ("HeLa", "EFO:1185", "HeLa")
    assert set(hela.terms) == {"EFO:1185", "EFO:22666", "CLO:3684"}
    assert "HeLa cell" in hela.synonyms
    assert (mitosis.term, mitosis.terms) == ("GO:7067", ("GO:7067",))
    assert rest == Token("arrest")
    assert [(e.text, e.term, e.narrower) for e in expansions] == [
        ("HeLa", "EFO:1185", 1),
        ("mitosis", "GO:7067", 0),
    ]


def test_longest_run_of_words_wins():
    concept = where(Words("sensory neuron"))
    assert isinstance(concept, Concept)
    assert concept.terms == ("CL:101",)


@pytest.mark.parametrize(
    ("text", "curie"),
    [
        ("neurons", "CL:540"),
        ("NERVE cells", "CL:540"),
        ("HeLa cells", "CLO:3684"),
        ("(neuron),", "CL:540"),
        ("NCBITaxon_9606", "NCBITaxon:9606"),
    ],
)
def test_writing_does_not_matter(text, curie):
    assert where(Words(text)).term == curie


def test_cell_lines_are_found_with_and_without_the_word_cell():
    for text in ("HeLa", "HeLa cell", "HeLa cells"):
        assert set(where(Words(text)).terms) >= {"EFO:1185", "CLO:3684"}
    assert where(Words("stem cells")).terms == ("CL:34",)


def test_stop_words_neither_expand_nor_count():
    assert where(Words("images of the mitosis in HeLa")) == where(Words("mitosis HeLa"))
    assert where(Words("mitosis defects in cell lines")) == where(Words("mitosis"))
    assert where(Words("of the")) == Token("of the")
    assert where(Words("images")) == Token("images")


@pytest.mark.parametrize("text", ["ec", "brain stuff", "17", "unknown"])
def test_what_says_too_little_is_not_expanded(text):
    assert where(Words(text)) == Token(text)


def test_expansion_can_be_narrowed():
    assert where(Words("neuron mitosis"), "none") == Token("neuron mitosis")
    assert where(Words("neuron"), "synonyms").terms == ("CL:540",)
    assert set(where(Words("neuron")).terms) == {"CL:540", "CL:101"}
    assert where(Words("neuron"), "synonyms").synonyms == ("nerve cell",)


def test_mouse_is_the_species_not_the_genus():
    assert set(where(Words("mouse")).terms) == {"NCBITaxon:10090", "NCBITaxon:10092"}


def test_same_expansion_is_told_once():
    assert len(asked("neuron OR (neuron AND mitosis)")[1]) == 2


# ------------------------------------------------------------------ nesting


def test_clauses_inside_clauses_are_understood_and_others_kept():
    kept = (Everything(), Phrase("a b"), KeyMatch("Gene", "equals", ("x",)))
    query = All((Not(Words("neuron")), AnyOf((Words("xyz"), Within("CMPO:2"))), *kept))
    negated, either, *rest = where(query).clauses
    assert isinstance(negated.clause, Concept)
    assert either.clauses[0] == Token("xyz")
    assert isinstance(either.clauses[1], Terms)
    assert tuple(rest) == kept


def test_what_is_understood_stays_as_it_is():
    query = understand(parse_query("HeLa organism:mouse within:CMPO:2 size_x:>=5 zzz"), STORE)[0]
    assert understand(query, STORE) == (query, ())


def test_rest_of_the_query_is_kept():
    query = parse_query("neuron", level="image", size=3, sort="-date")
    understood = understand(query, STORE)[0]
    assert (understood.level, understood.size, understood.sort) == ("image", 3, query.sort)


# ------------------------------------------------------------------ term fields


@pytest.mark.parametrize(
    "value",
    [
        "Mus musculus",
        "house  MOUSE",
        "NCBITaxon:10090",
        "ncbitaxon_10090",
        "http://purl.obolibrary.org/obo/NCBITaxon_10090",
    ],
)
def test_term_field_takes_label_synonym_and_any_curie(value):
    clause = where(FieldMatch("organism", "is", (value,)))
    assert clause.field == "organism"
    assert set(clause.terms) == {"NCBITaxon:10090", "NCBITaxon:10092"}
    assert {"mus musculus", "house mouse", "mouse"} <= set(clause.texts)
    assert clause.label == "Mus musculus"


def test_alias_becomes_the_field_itself():
    assert where(FieldMatch("method", "is", ("confocal microscopy",))).field == "imaging_method"


def test_expand_bounds_a_field():
    match = FieldMatch("organism", "is", ("Mus musculus",))
    assert where(match, "none") == FieldIn("organism", ("mus musculus",), (), "Mus musculus")
    assert where(match, "synonyms").terms == ("NCBITaxon:10090",)
    curie = FieldMatch("organism", "is", ("NCBITaxon_10090",))
    assert where(curie, "none").terms == ("NCBITaxon:10090",)


def test_within_a_field_always_descends():
    match = FieldMatch("organism", "within", ("Mammalia",))
    assert "NCBITaxon:9606" in where(match, "none").terms
    assert where(match, "none") == where(match)


def test_only_ontologies_of_the_field_count():
    assert where(FieldMatch("organism", "is", ("neuron",))) == FieldIn(
        "organism", ("neuron",), (), "neuron"
    )


def test_other_synonyms_count_when_nothing_better_is_there():
    assert where(FieldMatch("cell_type", "is", ("brain stuff",))).terms[0] == "CL:540"


def test_obsolete_curie_brings_its_replacement():
    clause = where(FieldMatch("phenotype", "is", ("CMPO:9",)))
    assert set(clause.terms) == {"CMPO:9", "CMPO:77"}
    assert clause.label == "elongated cell phenotype"


def test_unknown_curie_stands_for_itself():
    assert where(FieldMatch("organism", "is", ("NCBITaxon:1234567",))).terms == (
        "NCBITaxon:1234567",
    )


def test_several_values():
    clause = where(FieldMatch("organism", "in", ("human", "mouse")))
    assert {"NCBITaxon:9606", "NCBITaxon:10090"} <= set(clause.terms)
    assert {"human", "mouse"} <= set(clause.texts)
    assert where(FieldMatch("organism", "not_in", ("human", "mouse"))) == Not(clause)


def test_contains_and_exists():
    assert where(FieldMatch("organism", "contains", ("MUS",))) == FieldContains("organism", "mus")
    assert where(FieldMatch("species", "exists")) == FieldExists("organism")


# ------------------------------------------------------------------ keyword fields


@pytest.mark.parametrize(
    ("field", "value", "texts"),
    [
        ("type", "Image", ("image",)),
        ("study", "idr0001-graml-sysgro", ("idr0001-graml-sysgro",)),
        ("study", "idr:idr0001-a", ("idr:idr0001-a", "idr0001-a")),
        ("container", "idr:idr0001-a/screenA", ("idr:idr0001-a/screena", "idr0001-a/screena")),
        ("doi", "https://doi.org/10.17867/ABC", ("10.17867/abc",)),
        ("licence", "CC BY 4.0", ("cc by 4.0", "cc-by-4.0")),
        ("gene", " CDK1 ", ("cdk1",)),
    ],
)
def test_keywords_are_folded(field, value, texts):
    clause = where(FieldMatch(field, "is", (value,)))
    assert (clause.field, clause.texts, clause.terms) == (field, texts, ())


# ------------------------------------------------------------------ numbers and dates


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("size_x:>=1024", FieldRange("size_x", low=1024.0)),
        ("size_x:<1024", FieldRange("size_x", high=1024.0, high_open=True)),
        ("channels:4", FieldRange("channels", 4.0, 4.0)),
        ("pixel_size_x:<=0.2um", FieldRange("pixel_size_x", high=0.2)),
        ("pixel_size_x:<=200nm", FieldRange("pixel_size_x", high=0.2)),
        ("pixel_size_x:>0.2", FieldRange("pixel_size_x", low=0.2, low_open=True)),
        ("date:2019", FieldRange("date", 20190101.0, 20191231.0)),
        ("date:2019-05", FieldRange("date", 20190501.0, 20190531.0)),
        ("date:>=2019-05", FieldRange("date", low=20190501.0)),
        ("date:>2019", FieldRange("date", low=20191231.0, low_open=True)),
        ("date:<2019", FieldRange("date", high=20190101.0, high_open=True)),
        ("date:<=2019", FieldRange("date", high=20191231.0)),
        ("date:[2019 TO 2021]", FieldRange("date", 20190101.0, 20211231.0)),
        ("date:[* TO 2021-03-02]", FieldRange("date", high=20210302.0)),
        ("size_x:[10 TO *]", FieldRange("size_x", low=10.0)),
    ],
)
def test_ranges(text, expected):
    assert asked(text)[0].where == expected


def test_several_numbers():
    either = AnyOf((FieldRange("channels", 1.0, 1.0), FieldRange("channels", 3.0, 3.0)))
    assert where(FieldMatch("channels", "in", ("1", "3"))) == either
    assert where(FieldMatch("channels", "not_in", ("1", "3"))) == Not(either)


@pytest.mark.parametrize(
    ("field", "op", "values"),
    [
        ("size_x", ">=", ("many",)),
        ("size_x", "is", ("1e999",)),
        ("size_x", "is", ("5um",)),
        ("size_x", "contains", ("5",)),
        ("size_x", "is", ("9", "5")),
        ("pixel_size_x", "<=", ("0.2 seconds",)),
        ("date", "is", ("yesterday",)),
        ("date", "is", ("2019-13",)),
        ("date", ">=", ("2019-02-40",)),
        ("organism", ">=", ("mouse",)),
        ("organism", "is", ()),
        ("nothing", "is", ("x",)),
    ],
)
def test_what_cannot_be_compared_is_refused_at_its_place(field, op, values):
    with pytest.raises(QueryInvalid) as error:
        where(FieldMatch(field, op, values, position=7))
    assert error.value.position == 7
    assert error.value.hint


# ------------------------------------------------------------------ within


@pytest.mark.parametrize(
    "written",
    ["CMPO:2", "cmpo_2", "http://www.ebi.ac.uk/cmpo/CMPO_2", "Cell population phenotype"],
)
def test_within_takes_curie_address_and_label(written):
    clause = where(Within(written))
    assert clause == Terms(written, "cell population phenotype", ("CMPO:2", "CMPO:77"))


def test_singular_and_plural_name_the_same():
    assert where(Within("cell population phenotypes")).terms == ("CMPO:2", "CMPO:77")
    mammals = MemoryTermStore(
        [term("NCBITaxon:40674", "Mammalia", synonyms=(("EXACT", "mammals"),))]
    )
    (found,) = understand(Query(FieldMatch("organism", "is", ("mammal",))), mammals)[1]
    assert found.term == "NCBITaxon:40674"
    (found,) = understand(Query(Words("mammal")), mammals)[1]
    assert found.term == "NCBITaxon:40674"


class Nicknames(MemoryTermStore):
    def also_called(self, text, prefixes=()):
        return self.find("neuron", prefixes) if text == "grey cell" else ()


def test_what_people_call_a_term_is_asked_last():
    store = Nicknames([term("CL:540", "neuron"), term("CL:101", "sensory neuron", "CL:540")])
    for clause in (Words("grey cell"), FieldMatch("cell_type", "is", ("grey cell",))):
        (found,) = understand(Query(clause), store)[1]
        assert (found.term, found.narrower) == ("CL:540", 1)
    assert understand(Query(Within("grey cell")), store)[0].where.terms == ("CL:540", "CL:101")


def test_within_descends_whatever_expand_says():
    assert where(Within("CMPO:2"), "none") == where(Within("CMPO:2"))


def test_within_an_unknown_curie_is_that_term_alone():
    query, expansions = understand(Query(Within("XYZ:0000001")), STORE)
    assert query.where == Terms("XYZ:0000001", "XYZ:0000001", ("XYZ:0000001",))
    assert expansions == ()


def test_within_an_unknown_label_proposes_similar_ones():
    with pytest.raises(QueryInvalid) as error:
        where(Within("elongatd cell", position=4))
    assert "'elongated cell phenotype'" in error.value.hint
    assert (error.value.position, error.value.length) == (4, len("elongatd cell"))


def test_within_a_label_without_any_ontology_says_what_to_do():
    with pytest.raises(QueryInvalid) as error:
        understand(Query(Within("mitosis")), MemoryTermStore())
    assert "parfocal ontology load" in error.value.hint


# ------------------------------------------------------------------ anything


@given(st.text(max_size=60))
def test_expansion_of_any_words_keeps_the_question(text):
    query, expansions = understand(Query(Words(text)), STORE)
    for expansion in expansions:
        assert expansion.text.split()[0] in text
    for clause in getattr(query.where, "clauses", (query.where,)):
        assert isinstance(clause, Concept | Token)
        if isinstance(clause, Concept):
            assert clause.term in clause.terms


@given(st.text(max_size=40), st.sampled_from(["size_x", "pixel_size_x", "date", "organism", "doi"]))
def test_any_value_is_understood_or_refused(text, field):
    try:
        understood = where(FieldMatch(field, "is", (text,)))
    except QueryInvalid:
        return
    assert isinstance(understood, FieldIn | FieldRange)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("tissue:brain", {"UBERON:1", "UBERON:2", "UBERON:3"}),
        ("brain", {"UBERON:1", "UBERON:2", "UBERON:3"}),
        ("within:UBERON:1", {"UBERON:1", "UBERON:2", "UBERON:3"}),
        ("development_stage:brain", {"UBERON:1", "UBERON:3"}),
        ("within:CL:1", {"CL:1"}),
    ],
)
def test_parts_are_found_where_the_field_says_so(text, found):
    store = MemoryTermStore(
        (
            term("UBERON:1", "brain"),
            term("UBERON:2", "hippocampus", part_of=("UBERON:1",)),
            term("UBERON:3", "midbrain", "UBERON:1"),
            term("CL:1", "cell"),
            term("CL:2", "nucleus", part_of=("CL:1",)),
        )
    )
    where = understand(parse_query(text), store)[0].where
    assert set(where.terms) == found
