"""JSON-LD: exact round trips, a context made from the model, and nothing fetched."""

import json

import pytest
from hypothesis import HealthCheck, given, settings

from parfocal import jsonld
from parfocal.errors import RecordInvalid
from parfocal.jsonld import compact, context, frame, from_jsonld, to_jsonld
from parfocal.model import PREFIXES
from parfocal.testing.records import BASE, all_samples, image, private, study
from parfocal.testing.strategies import RECORDS
from parfocal.vocabulary import full_iri, properties_of

relaxed = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("record", all_samples(), ids=lambda record: record.id)
def test_a_sample_comes_back_as_it_was(record):
    document = json.loads(json.dumps(to_jsonld(record, BASE)))
    assert from_jsonld(document) == record


@relaxed
@given(RECORDS)
def test_every_record_comes_back_as_it_was(record):
    assert from_jsonld(to_jsonld(record, "https://example.org/deep/")) == record


def test_every_field_of_the_model_is_in_the_context():
    defined = context()
    for model in (type(study()), type(image())):
        for field in properties_of(model):
            if field.name in ("key_values", "provenance"):
                assert defined[field.name] == "@nest"
                continue
            entry = defined[field.name]
            assert (entry if isinstance(entry, str) else entry["@id"]) == field.iri


def test_every_prefix_used_is_known():
    assert full_iri("dwc:Taxon") == PREFIXES["dwc"] + "Taxon"


def test_a_study_is_what_the_gide_profile_expects():
    document = to_jsonld(study(), BASE)
    assert document["@type"] == ["schema:Dataset", "ome:Project"]
    assert document["licence"] == {"@id": "https://creativecommons.org/licenses/by/4.0/"}
    assert document["about"] == [
        {
            "@id": "http://purl.obolibrary.org/obo/NCBITaxon_9606",
            "@type": ["dwc:Taxon"],
            "scientific_name": "Homo sapiens",
        }
    ]
    assert document["measurement_method"][0]["@id"].endswith("/FBbi_00000251")
    assert document["author"][0] == {"@id": document["creators"][0]["@id"]}
    assert document["identifiers"][0] == {"@id": "https://doi.org/10.17867/10000101"}
    assert document["date"] == {"@type": "xsd:date", "@value": "2019-05-17"}


def test_compaction_to_another_context_keeps_the_graph():
    document = to_jsonld(image(), BASE)
    again = compact(document, {"@vocab": "http://schema.org/"})
    assert again["thumbnailUrl"] == "/thumbnails/1.png"
    assert sorted(jsonld.to_nquads(again).splitlines()) == sorted(
        jsonld.to_nquads(document).splitlines()
    )


def test_framing_finds_the_people():
    framed = frame(to_jsonld(study(), BASE), {"@context": context(), "@type": "schema:Person"})
    names = {person["title"] for person in framed["@graph"]}
    assert names == {"Ada Quill", "Bo Field"}


@pytest.mark.parametrize("action", [compact, frame])
def test_a_remote_context_is_never_fetched(action):
    with pytest.raises(RecordInvalid) as caught:
        action({"@context": "https://schema.org/", "name": "x"}, {})
    assert "never fetched" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": 3}, "@id and id"),
        ({"@id": "http://elsewhere.example.org/records/other"}, "do not name"),
        ({"surprise": 1}, "no field 'surprise'"),
        ({"title": 7}, "title"),
        ({"links": ["text"]}, "must be an object"),
        ({"part_of": "text"}, "@id"),
    ],
)
def test_what_is_no_record_is_refused_with_the_place(change, message):
    with pytest.raises(RecordInvalid) as caught:
        from_jsonld({**to_jsonld(image(), BASE), **change})
    assert message in str(caught.value)


@pytest.mark.parametrize("node", [None, [], "text", {}])
def test_what_is_no_object_is_refused(node):
    with pytest.raises(RecordInvalid):
        from_jsonld(node)


def test_only_group_names_are_told_of_access():
    assert to_jsonld(private(), BASE)["access"] == ["lab"]
    assert "access" not in to_jsonld(study(), BASE)
    assert "dcterms:accessRights" in json.dumps(jsonld.context()["access"])
