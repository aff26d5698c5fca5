import pytest

from parfocal.catalogue import Catalogue
from parfocal.config import Settings
from parfocal.errors import ConfigError, RecordNotFound, StoreError
from parfocal.identifiers import Curie, RecordId
from parfocal.model import (
    ANONYMOUS,
    Access,
    Annotation,
    Dataset,
    Image,
    KeyValue,
    Provenance,
    Viewer,
)
from parfocal.query import FacetRequest, Query
from parfocal.query_text import parse_query

LAB = Viewer(frozenset({"lab"}))
ORGANISM = Annotation(
    "organism",
    "mouse",
    Curie("NCBITaxon:10090"),
    "Mus musculus",
    "curated",
    1.0,
    "curator",
    "Organism",
)


def study(name, **fields):
    return Dataset(
        id=RecordId(f"s:{name}"),
        ome_type="Study",
        title=f"Study {name}",
        provenance=Provenance("s", name),
        **fields,
    )


def image(study_name, number, **fields):
    name = f"{study_name}/{number}"
    return Image(
        id=RecordId(f"s:{name}"),
        title=f"Image {number}",
        part_of=RecordId(f"s:{study_name}"),
        provenance=Provenance("s", name),
        key_values=(KeyValue("Gene Symbol", f"GENE{number}"),),
        **fields,
    )


@pytest.fixture
def catalogue():
    hidden = Access(("lab",))
    records = [
        study("open", annotations=(ORGANISM,), key_values=(KeyValue("Organism", "mouse"),)),
        *(image("open", number) for number in range(5)),
        study("secret", access=hidden, annotations=(ORGANISM,)),
        *(image("secret", number, access=hidden) for number in range(3)),
    ]
    with Catalogue.in_memory(records) as catalogue:
        yield catalogue


def test_search_fills_hits_from_the_store(catalogue):
    answer = catalogue.search(parse_query('kv:"Gene Symbol=gene3"'), ANONYMOUS)
    (hit,) = answer.hits
    assert (hit.id, hit.title, hit.level, hit.study.id) == (
        "s:open/3",
        "Image 3",
        "image",
        "s:open",
    )
    assert [(a.claim.label, a.inherited_from) for a in hit.annotations] == [
        ("Mus musculus", "s:open")
    ]
    assert hit.reasons[0].text == "GENE3"


def test_a_stranger_finds_no_trace_of_what_is_private(catalogue):
    everything = Query(
        facets=(FacetRequest("study"), FacetRequest("organism"), FacetRequest("gene"))
    )
    answer = catalogue.search(everything, ANONYMOUS)
    assert answer.total == 6
    assert answer.levels == {"study": 1, "container": 0, "image": 5}
    assert [value.value for value in answer.facets["study"]] == ["open"]
    assert sum(value.count for value in answer.facets["gene"]) == 5
    assert catalogue.count(parse_query("secret"), ANONYMOUS) == 0
    assert catalogue.suggest("GENE", LAB)[0].count > catalogue.suggest("GENE", ANONYMOUS)[0].count
    assert not catalogue.children(RecordId("s:secret"), ANONYMOUS)
    with pytest.raises(RecordNotFound):
        catalogue.view(RecordId("s:secret/1"), ANONYMOUS)
    asked = "SELECT (COUNT(DISTINCT ?g) AS ?n) { GRAPH ?g { ?s ?p ?o } }"
    assert b"6" in catalogue.sparql(asked, ANONYMOUS, accept="text/csv").content


def test_a_member_sees_it_everywhere(catalogue):
    assert catalogue.search(Query(), LAB).total == 10
    assert catalogue.view(RecordId("s:secret/1"), LAB).study.id == "s:secret"
    assert len(catalogue.children(RecordId("s:secret"), LAB)) == 3


def test_facets_are_labelled_by_the_records_when_no_ontology_knows_the_term(catalogue):
    answer = catalogue.search(Query(facets=(FacetRequest("organism"),)), ANONYMOUS)
    (value,) = answer.facets["organism"]
    assert (value.value, value.label, value.count) == ("NCBITaxon:10090", "Mus musculus", 6)


def test_streaming_gives_every_hit_once(catalogue, monkeypatch):
    monkeypatch.setattr("parfocal.catalogue._A_STREAMED_PAGE", 2)
    ids = [hit.id for hit in catalogue.stream(parse_query("image"), LAB)]
    assert len(ids) == len(set(ids)) == catalogue.count(parse_query("image"), LAB)


def test_sources_are_listed_with_what_the_viewer_sees(catalogue):
    (view,) = catalogue.sources(ANONYMOUS)
    assert (view.name, view.records) == ("s", 6)
    assert catalogue.sources(LAB)[0].records == 10


def test_private_sources_are_not_listed_for_strangers():
    settings = Settings.model_validate(
        {"sources": [{"name": "hidden", "kind": "local", "path": "x", "access": ["lab"]}]}
    )
    with Catalogue.in_memory(settings=settings) as catalogue:
        assert catalogue.sources(ANONYMOUS) == ()
        assert [view.name for view in catalogue.sources(LAB)] == ["hidden"]


def test_a_source_whose_records_are_private_is_not_listed_whatever_older_settings_say():
    settings = Settings.model_validate(
        {
            "sources": [
                {"name": "new", "kind": "local", "path": "x"},
                {"name": "was-public", "kind": "local", "path": "x"},
            ]
        }
    )
    record = Image(
        id=RecordId("was-public:1"),
        provenance=Provenance("was-public", "1"),
        access=Access(("lab",)),
    )
    with Catalogue.in_memory([record], settings=settings) as catalogue:
        assert [view.name for view in catalogue.sources(ANONYMOUS)] == ["new"]
        assert [view.name for view in catalogue.sources(LAB)] == ["new", "was-public"]


def test_reading_where_nothing_is_says_what_to_do(tmp_path):
    with pytest.raises(StoreError, match="nothing here yet") as caught:
        Catalogue.open(Settings(data_dir=tmp_path), read_only=True)
    assert "harvest" in caught.value.hint


def test_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be made"):
        Catalogue.open(Settings(data_dir=tmp_path / "file" / "data"))


def test_a_source_that_cannot_be_made_does_not_break_search():
    settings = Settings.model_validate({"sources": [{"name": "s", "kind": "nonsense"}]})
    with Catalogue.in_memory([image("open", 1)], settings=settings) as catalogue:
        assert catalogue.search(Query(), ANONYMOUS).hits[0].thumbnail == ""
        assert not catalogue.draws("s")
