import pytest
from hypothesis import given
from hypothesis import strategies as st

from parfocal.errors import ConfigError
from parfocal.identifiers import Curie
from parfocal.mappings import Mapping, read_sssom, write_sssom

SOME = (
    Mapping("HeLa", "cell_line", Curie("EFO:0001185"), "HeLa", author="Ada", date="2026-11-01"),
    Mapping("none", "tissue", None, comment="a note"),
    Mapping("mouse", "", Curie("NCBITaxon:10088"), "Mus", negated=True, confidence=0.5),
)


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "new" / "map.sssom.tsv"
    write_sssom(path, SOME)
    assert read_sssom(path) == SOME
    assert list(path.parent.iterdir()) == [path]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)))
def test_any_text_survives(tmp_path_factory, texts):
    rows = tuple(Mapping(" ".join(text.split()) or "x", "", None) for text in texts)
    path = tmp_path_factory.mktemp("map") / "map.tsv"
    write_sssom(path, rows)
    assert read_sssom(path) == rows


def test_files_of_others_are_read(tmp_path):
    path = tmp_path / "other.tsv"
    path.write_text(
        "#curie_map:\n#  X: http://example.org/\nsubject_id\tsubject_label\tpredicate_id\tobject_id\n"
        "X:1\tneuron\tskos:exactMatch\tCL:0000540\nX:2\t\tskos:exactMatch\tCL:0000000\n"
    )
    assert read_sssom(path) == (Mapping("neuron", "", Curie("CL:0000540")),)


@pytest.mark.parametrize(
    ("content", "said", "line"),
    [
        ("a\tb\n", "no column subject_label", ""),
        (
            "subject_label\tobject_id\tsubject_category\nx\tCL:1\tnofield\n",
            "no field 'nofield'",
            "line 2",
        ),
        ("#c\nsubject_label\tobject_id\nx\tnot a term\n", "is no term", "line 3"),
        ("subject_label\tobject_id\tconfidence\nx\tCL:1\t7\n", "confidence '7'", "line 2"),
    ],
)
def test_wrong_files_are_told(tmp_path, content, said, line):
    path = tmp_path / "map.tsv"
    path.write_text(content)
    with pytest.raises(ConfigError, match=said) as raised:
        read_sssom(path)
    assert line in raised.value.where


def test_missing_file_is_told(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_sssom(tmp_path / "none.tsv")
