import pytest

from ontology.annotate import ValueAnnotator
from parfocal.catalogue import Catalogue
from parfocal.config import Settings
from parfocal.errors import ConfigError
from parfocal.fields import field_of_key, use_keys
from parfocal.knowledge import Knowledge
from parfocal.terms import MemoryTermStore
from parfocal.testing.annotators import well
from parfocal.testing.terms import TAXA


@pytest.fixture(autouse=True)
def _only_here():
    yield
    use_keys({})


def test_settings_add_keys():
    own = Settings.model_validate({"ontology": {"keys": {"species": ["Host Animal", "gene"]}}})
    with Catalogue.in_memory(settings=own, terms=MemoryTermStore(TAXA)):
        assert field_of_key("Characteristics [host_animal]").name == "organism"
        assert field_of_key("Host Animal 2").name == "organism"
        assert field_of_key("Gene").name == "organism"
        annotator = ValueAnnotator(Knowledge(MemoryTermStore(TAXA)))
        (claim,) = annotator.annotate(well(("Host Animal", "human")))
        assert (claim.field, claim.term) == ("organism", "NCBITaxon:9606")
    use_keys({})
    assert field_of_key("Host Animal") is None
    assert field_of_key("Gene").name == "gene"


def test_unknown_field_is_told():
    with pytest.raises(ConfigError, match="no field 'animal'"):
        use_keys({"animal": ["x"]})
