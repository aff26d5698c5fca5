import pytest
from hypothesis import given
from hypothesis import strategies as st

from ontology.decisions import Decisions
from ontology.learned import Mappings
from ontology.reading import Reader
from ontology.species import species
from ontology.terms import open_terms
from parfocal.config import Settings
from parfocal.fields import FIELDS, field_named
from parfocal.identifiers import Curie
from parfocal.mappings import Mapping
from parfocal.terms import MemoryTermStore
from parfocal.testing.terms import TAXA, term

TERMS = (
    *TAXA,
    term("NCBITaxon:4896", "Schizosaccharomyces pombe"),
    term("NCBITaxon:7955", "Danio rerio"),
    term("EFO:1", "HeLa"),
    term("EFO:2", "MCF 10A"),
    term("FBbi:1", "transmission electron microscopy (TEM)"),
    term("FBbi:2", "differential interference contrast microscopy"),
    term("FBbi:3", "bright-field microscopy"),
    term("UBERON:1", "brain"),
    term("UBERON:2", "tail bud"),
    term("ZFA:1", "tail bud"),
    term("CMPO:1", "round cell phenotype"),
)


def reader(decisions=(), learned=None, terms=TERMS):
    return Reader(MemoryTermStore(terms), Decisions(decisions), learned)


def read(field, text, using=None, organisms=()):
    found = (using or reader()).read(field_named(field), text, organisms)
    return [(one.term, one.text, one.start, one.method) for one in found]


@pytest.mark.parametrize(
    ("field", "text", "term", "method"),
    [
        ("cell_line", "HeLa", "EFO:1", "label"),
        ("cell_line", "HELA cells", "EFO:1", "wording"),
        ("cell_line", "MCF10A", "EFO:2", "wording"),
        ("imaging_method", "TEM", "FBbi:1", "wording"),
        ("imaging_method", "transmission electron microscopy", "FBbi:1", "wording"),
        ("imaging_method", "brightfield", "FBbi:3", "wording"),
        ("imaging_method", "differential interferance contrast microscopy", "FBbi:2", "misspelt"),
        ("organism", "S. pombe", "NCBITaxon:4896", "abbreviation"),
        ("organism", "D. rer.", "NCBITaxon:7955", "abbreviation"),
        ("organism", "humans", "NCBITaxon:9606", "synonym"),
        ("phenotype", "round cells", "CMPO:1", "wording"),
    ],
)
def test_ways_to_write_a_name(field, text, term, method):
    ((found, _, _, how),) = read(field, text)
    assert (found, how) == (term, method)


def test_longer_name_means_the_line_that_it_begins_with():
    assert read("cell_line", "HeLa Kyoto") == [("EFO:1", "HeLa", 0, "beginning")]
    assert read("cell_line", "HeLa-H2B-GFP") == [("EFO:1", "HeLa", 0, "beginning")]
    assert read("cell_line", "HeLaS3") == []
    assert read("tissue", "brain slice") == []


@pytest.mark.parametrize("text", ["n/a", "N/A", "-", "--", "NA", "unknown", "none"])
@pytest.mark.parametrize("field", ["cell_line", "tissue", "phenotype", "organism"])
def test_an_empty_cell_means_nothing(field, text):
    terms = (*TERMS, term("EFO:5", "FVB/N"), term("CL:0000000", "cell"), term("CMPO:2", "NA"))
    assert read(field, text, reader(terms=terms)) == []


def test_a_slash_within_one_name_makes_no_second_name():
    both = reader(terms=(*TERMS, term("EFO:6", "CHO-IR", ("EXACT", "CHO/IR"))))
    assert read("cell_line", "CHO", both) == []


def test_two_lines_are_two_and_not_one_with_a_suffix():
    both = reader(terms=(*TERMS, term("EFO:7", "U2OS")))
    assert [found[0] for found in read("cell_line", "HeLa/U2OS", both)] == ["EFO:1", "EFO:7"]


def test_a_line_in_other_wording_begins_a_longer_name():
    assert read("cell_line", "MCF-10A clone 3") == [("EFO:2", "MCF-10A", 0, "beginning")]


@pytest.mark.parametrize(
    ("text", "term", "named"),
    [
        ("S. pombe 972h-", "NCBITaxon:4896", "S. pombe"),
        ("Danio rerio AB", "NCBITaxon:7955", "Danio rerio"),
    ],
)
def test_strain_is_of_the_species_it_begins_with(text, term, named):
    assert read("organism", text) == [(term, named, 0, "beginning")]


@pytest.mark.parametrize(
    "text", ["Mus musculus cytomegalovirus", "Homo sapiens x Mus musculus", "D. rerio anti-GFP"]
)
def test_what_is_named_after_an_organism_is_not_it(text):
    assert read("organism", text) == []


def test_common_name_with_brackets_is_the_species():
    genus = term("NCBITaxon:10088", "Mus <genus>", ("EXACT", "mouse"))
    ((found, *_),) = read("organism", "mouse (C57BL/6)", reader(terms=(*TERMS, genus)))
    assert found == "NCBITaxon:10090"


def test_combined_value_is_read_part_by_part():
    text = "Homo sapiens; house mouse"
    assert read("organism", text) == [
        ("NCBITaxon:9606", "Homo sapiens", 0, "part"),
        ("NCBITaxon:10090", "house mouse", 14, "part"),
    ]
    assert [term for term, *_ in read("organism", "human infected with nonsense")] == [
        "NCBITaxon:9606"
    ]


def test_organism_decides_which_anatomy():
    assert read("tissue", "tail bud")[0][0] == "UBERON:2"
    assert read("tissue", "tail bud", organisms=(Curie("NCBITaxon:7955"),))[0][0] == "ZFA:1"


def test_decision_counts_most():
    decisions = (
        Mapping("HeLa", "cell_line", Curie("EFO:2")),
        Mapping("brain", "tissue", None),
        Mapping("mouse", "", Curie("NCBITaxon:10088")),
        Mapping("human", "organism", Curie("NCBITaxon:9606"), negated=True),
    )
    using = reader(decisions)
    assert read("cell_line", "hela", using) == [("EFO:2", "hela", 0, "decided")]
    assert read("tissue", "Brain", using) == []
    assert read("organism", "mouse", using)[0][0] == "NCBITaxon:10088"
    assert read("organism", "human", using) == []


def test_learned_from_other_studies_only():
    learned = Mappings()
    field = field_named("phenotype")
    for study in ("a", "b"):
        learned.learn("phenotype", "blob-like", Curie("CMPO:1"), study)
    using = reader(learned=learned)
    ((reading),) = using.read(field, "Blob like")
    assert (reading.term, reading.method, reading.score) == ("CMPO:1", "learned", 0.96)
    assert using.read(field, "blob-like", (), ("a",))[0].score == 0.95
    assert using.read(field, "blob-like", (), ("a", "b")) == ()


def test_curators_who_disagree_teach_nothing():
    learned = Mappings()
    learned.learn("phenotype", "blob", Curie("CMPO:1"), "a")
    learned.learn("phenotype", "blob", Curie("CMPO:2"), "b")
    assert learned.find("phenotype", "blob", ("CMPO",)) is None
    assert learned.find("phenotype", "blob", ("CMPO",), without=("b",)).term == "CMPO:1"


@given(st.sampled_from([one for one in FIELDS if one.prefixes]), st.text(max_size=40))
def test_a_readings_text_is_in_the_value(field, text):
    value = f"{text} HeLa; brain / {text}, human"
    for one in reader().read(field, value):
        assert value[one.start : one.start + len(one.text)] == one.text
        assert 0 < one.score <= 1


@pytest.mark.parametrize("text", ["", "Dog", "A. thing", "s. pombe", "S. Pombe", "X" * 400])
def test_what_is_no_abbreviation(text):
    assert species(text) is None


@pytest.mark.parametrize(
    ("field", "text", "term"),
    [
        ("tissue", "Skin", "UBERON:0002097"),
        ("tissue", "skeletal muscle", "UBERON:0001134"),
        ("tissue", "bladder", "UBERON:0001255"),
        ("imaging_method", "iSIM", "FBbi:00000332"),
        ("imaging_method", "lattice light-sheet microscopy", "FBbi:00000369"),
        ("cell_line", "Saos2 cells", "CLO:0008947"),
    ],
)
def test_names_of_the_shipped_table(tmp_path, field, text, term):
    store = open_terms(Settings(data_dir=tmp_path))
    ((found, *_),) = read(field, text, Reader(store))
    store.close()
    assert found == term
