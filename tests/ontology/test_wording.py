import pytest
from hypothesis import given
from hypothesis import strategies as st

from ontology.wording import name_forms, squash, text_forms, words_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Light-sheet microscopy", "lightsheet microscopy"),
        ("nuclei", "nucleus"),
        ("tumour cells", "tumor cell"),
        ("foetal haemoglobin", "fetal hemoglobin"),
        ("polarised light", "polarized light"),
        ("β-catenin", "beta catenin"),
        ("µ-opioid", "mu opioid"),
        ("U-2 OS", "U2OS"),
        ("Förster", "Forster"),
        ("boundaries", "boundary"),
        ("branches", "branch"),
        ("grey matter", "gray matter"),
        ("cell localisation", "cell localization"),
    ],
)
def test_spellings_are_one_wording(one, other):
    assert squash(one) == squash(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("HEK293", "HEK293T"),
        ("mitosis", "mitosi"),
        ("gas", "ga"),
        ("S2", "S2R+"),
        ("virus", "viru"),
    ],
)
def test_other_names_stay_apart(one, other):
    assert squash(one) != squash(other)


@given(st.text(max_size=60))
def test_wording_is_plain_and_stays_as_it_is(text):
    wording = squash(text)
    assert wording.isascii()
    assert words_of(" ".join(words_of(text))) == words_of(text) or "s" in wording
    assert squash(text.upper().lower()) == squash(text.lower())


@given(st.text(max_size=60))
def test_forms_are_never_empty_or_unbounded(text):
    assert len(list(name_forms(text))) < 80
    assert len(list(text_forms(text))) < 80
