"""Metadata in DataCite's terms, as JSON and as XML of all kernels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.formats.xml_reading import clean_xml, parse_xml, read_xml
from harvester.repositories.datacite_record import study_of
from harvester.repositories.datacite_xml import attributes_of, find_resource
from harvester.words.markup import plain_text
from parfocal.errors import SourceMalformed
from parfocal.identifiers import record_id
from parfocal.model import Annotation, Dataset, KeyValue, Provenance, Publication, decode, encode


def study(attributes: dict[str, Any]) -> Dataset:
    return study_of(attributes, record_id("x", "a"), Provenance("x", "a"))


def of_xml(inner: str, kernel: str = "kernel-4") -> Dataset:
    text = f'<resource xmlns="http://datacite.org/schema/{kernel}">{inner}</resource>'
    return study(attributes_of(find_resource(parse_xml(text))))


# ------------------------------------------------------------------ what goes where


def test_licence_is_the_first_that_is_one() -> None:
    rights = [
        {"rights": "info:eu-repo/semantics/openAccess"},
        {"rights": "Ask us"},
        {"rights": "Creative Commons", "rightsUri": "https://creativecommons.org/licenses/by/4.0/"},
    ]
    made = study({"rightsList": rights})
    assert made.licence == "CC-BY-4.0"
    assert KeyValue("rightsList.rights", "Ask us") in made.key_values
    assert study({"rightsList": rights[:2]}).licence == "Ask us"
    assert study({"rightsList": rights[:1]}).licence == ""
    assert study({"rightsList": [{"rightsIdentifier": "cc0-1.0"}]}).licence == "CC0-1.0"


def test_people_have_orcid_and_ror_wherever_they_stand() -> None:
    made = study(
        {
            "creators": [
                {
                    "name": "Example, Ada",
                    "affiliation": [
                        "Plain",
                        {"name": "Home", "affiliationIdentifier": "https://ror.org/02mhbdp94"},
                    ],
                    "nameIdentifiers": [
                        {"nameIdentifier": "0000 0001", "nameIdentifierScheme": "ISNI"},
                        {"nameIdentifier": "https://orcid.org/0000-0002-1825-0097"},
                    ],
                },
                {
                    "name": "Institute",
                    "nameType": "Organizational",
                    "nameIdentifiers": [
                        {"nameIdentifier": "02mhbdp94", "nameIdentifierScheme": "ROR"}
                    ],
                },
            ]
        }
    )
    ada, institute = made.creators
    assert (ada.orcid, ada.ror, ada.affiliation) == (
        "0000-0002-1825-0097",
        "02mhbdp94",
        "Plain; Home",
    )
    assert (ada.given_name, ada.family_name) == ("Ada", "Example")
    assert institute.ror == "02mhbdp94"
    assert KeyValue("creators.nameIdentifier", "0000 0001") in made.key_values
    assert KeyValue("creators.nameType", "Organizational") in made.key_values


def test_dates_prefer_the_one_of_issue_and_all_are_kept() -> None:
    dates = [
        {"date": "2019-01-01/2019-12-31", "dateType": "Collected"},
        {"date": "2021-02-03T04:05:06Z", "dateType": "Issued"},
        {"date": "2020-05", "dateType": "Available"},
    ]
    made = study({"dates": dates, "publicationYear": 2022})
    assert made.date == "2021-02-03"
    assert KeyValue("dates.Collected", "2019-01-01/2019-12-31") in made.key_values
    assert KeyValue("publicationYear", "2022") in made.key_values
    assert study({"dates": dates[::2]}).date == "2020-05"
    assert study({"publicationYear": "2022"}).date == "2022"


def test_relations_are_kept_and_the_same_thing_is_an_identifier() -> None:
    def related(kind: str, number: str, **more: str) -> dict[str, str]:
        return {"relationType": kind, "relatedIdentifier": number, **more}

    made = study(
        {
            "doi": "10.5072/A",
            "relatedIdentifiers": [
                related("IsIdenticalTo", "https://doi.org/10.6019/S-BIAD1"),
                related("IsVersionOf", "10.5072/whole"),
                related("IsSupplementTo", "10.1000/Paper"),
                related("IsCitedBy", "PMID: 123"),
                related("IsSupplementTo", "10.5072/other", resourceTypeGeneral="Dataset"),
                related("References", "10.1000/old"),
            ],
            "alternateIdentifiers": [
                {"alternateIdentifierType": "accession", "alternateIdentifier": "idr0001"}
            ],
        }
    )
    assert made.identifiers == ("doi:10.5072/a", "idr0001", "doi:10.6019/s-biad1")
    assert made.publications == (Publication(doi="10.1000/paper"), Publication(pubmed="123"))
    assert KeyValue("relatedIdentifiers.IsVersionOf", "10.5072/whole") in made.key_values
    assert KeyValue("relatedIdentifiers.References", "10.1000/old") in made.key_values
    assert KeyValue("alternateIdentifiers.accession", "idr0001") in made.key_values


@pytest.mark.parametrize(
    ("subject", "field", "term"),
    [
        (
            {"valueUri": "http://purl.obolibrary.org/obo/NCBITaxon_9606"},
            "organism",
            "NCBITaxon:9606",
        ),
        (
            {"valueUri": "http://purl.obolibrary.org/obo/FBbi_00000251"},
            "imaging_method",
            "FBbi:00000251",
        ),
        ({"valueUri": "http://www.ebi.ac.uk/efo/EFO_0001185"}, "term", "EFO:0001185"),
        (
            {"subjectScheme": "NCBITaxon", "classificationCode": "9606"},
            "organism",
            "NCBITaxon:9606",
        ),
        ({"valueUri": "http://www.oecd.org/science/inno/38235147.pdf"}, "", ""),
        ({"valueUri": "http://localhost:8080"}, "", ""),
    ],
)
def test_subjects_with_a_term_are_claims(subject: dict[str, str], field: str, term: str) -> None:
    made = study({"subjects": [{"subject": "Word", **subject}, "plain"]})
    assert made.keywords == ("Word", "plain")
    claims = [(claim.field, claim.term) for claim in made.annotations]
    assert claims == ([(field, term)] if term else [])
    for claim in made.annotations:
        assert claim == Annotation(
            field, "Word", term, "Word", "curated", 1.0, "archive", "subjects"
        )


def test_unknown_attributes_become_key_values_and_counts_do_not() -> None:
    made = study(
        {
            "lab": {"scope": {"name": "Scope 7", "rooms": [1, 2]}},
            "viewCount": 3,
            "xml": "PD94",
            "geoLocations": [
                {
                    "geoLocationPlace": "Bench",
                    "geoLocationPolygon": [
                        {"polygonPoint": {"pointLongitude": 1, "pointLatitude": 2}},
                        {"polygonPoint": {"pointLongitude": "3", "pointLatitude": 4.5}},
                    ],
                }
            ],
        }
    )
    assert made.key_values == (
        KeyValue("lab.scope.name", "Scope 7"),
        KeyValue("lab.scope.rooms", "1"),
        KeyValue("lab.scope.rooms", "2"),
        KeyValue("geoLocations.geoLocationPlace", "Bench"),
        KeyValue("geoLocations.geoLocationPolygon", "1 2, 3 4.5"),
    )


nested = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(("title", "date", "name", "doi", "subject", "a")), inner)
    ),
    max_leaves=12,
)
NAMES = (
    "titles",
    "creators",
    "dates",
    "rightsList",
    "subjects",
    "publisher",
    "types",
    "doi",
    "url",
    "descriptions",
    "relatedIdentifiers",
    "geoLocations",
    "fundingReferences",
    "x",
)


@given(st.dictionaries(st.sampled_from(NAMES), nested))
def test_any_shape_gives_a_record(attributes: dict[str, Any]) -> None:
    made = study(attributes)
    assert decode(encode(made)) == made


# ------------------------------------------------------------------ XML


def test_xml_says_what_json_says() -> None:
    made = of_xml(
        """<identifier identifierType="DOI">10.5072/A</identifier>
        <creators><creator><creatorName nameType="Personal">Example, Ada</creatorName>
        <givenName>Ada</givenName><nameIdentifier nameIdentifierScheme="ORCID">
        0000-0002-1825-0097</nameIdentifier><affiliation>Home</affiliation></creator></creators>
        <titles><title titleType="Subtitle">Sub</title><title>Main</title></titles>
        <publisher>House</publisher><publicationYear>2020</publicationYear>
        <subjects><subject valueURI="http://purl.obolibrary.org/obo/CL_0000540">neuron</subject>
        </subjects><resourceType resourceTypeGeneral="Dataset">Images</resourceType>
        <sizes><size>1 GB</size></sizes>
        <descriptions><description descriptionType="Methods">How</description>
        <description descriptionType="Abstract">One<br/>two</description></descriptions>
        <fundingReferences><fundingReference><funderName>Fund</funderName>
        <awardNumber awardURI="http://x">7</awardNumber></fundingReference></fundingReferences>
        <labThing colour="red"><part>a</part><part>b</part></labThing>"""
    )
    assert (made.title, made.description, made.publisher, made.date) == (
        "Main", "One\ntwo", "House", "2020")  # fmt: skip
    assert made.creators[0].orcid == "0000-0002-1825-0097"
    assert made.annotations[0].term == "CL:0000540"
    assert made.funding == ("Fund 7",)
    assert made.identifiers == ("doi:10.5072/a",)
    pairs = {(pair.key, pair.value) for pair in made.key_values}
    assert pairs >= {
        ("titles.Subtitle", "Sub"),
        ("descriptions.Methods", "How"),
        ("sizes", "1 GB"),
        ("types.resourceTypeGeneral", "Dataset"),
        ("fundingReferences.awardUri", "http://x"),
        ("labThing.colour", "red"),
        ("labThing.part", "b"),
    }


def test_old_kernel_has_rights_without_a_list() -> None:
    made = of_xml("<titles><title>T</title></titles><rights>CC0</rights>", "kernel-2.2")
    assert made.licence == "CC0-1.0"


def test_kernel_is_found_in_any_wrapping_and_under_any_prefix() -> None:
    text = (
        '<w:oai xmlns:w="w"><w:payload><k:resource xmlns:k="http://datacite.org/schema/kernel-3">'
        "<k:titles><k:title>T</k:title></k:titles></k:resource></w:payload></w:oai>"
    )
    assert study(attributes_of(find_resource(parse_xml(text)))).title == "T"
    assert find_resource(parse_xml("<resource><other/></resource>")) is None


EVIL = [
    '<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>',
    '<?xml version="1.0"?><!-- c --><!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
    "<a>&undefined;</a>",
    "<a><b></a>",
    "",
    "plain",
]


@pytest.mark.parametrize("text", EVIL)
def test_xml_that_could_do_harm_is_refused(text: str) -> None:
    with pytest.raises(SourceMalformed):
        read_xml(text.encode())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_xml_is_read_in_its_encoding(encoding: str) -> None:
    name = encoding.removesuffix("-sig")
    text = f'<?xml version="1.0" encoding="{name}"?><a>M\u00fcller</a>'
    assert read_xml(text.encode(encoding)).text == "M\u00fcller"


@given(st.text())
def test_clean_text_is_legal_in_xml(text: str) -> None:
    escaped = clean_xml(text.encode("utf-8", "surrogatepass")).replace("&", "").replace("<", "")
    assert parse_xml(f"<a>{escaped}</a>").tag == "a"


@given(st.text())
def test_plain_text_never_fails(text: str) -> None:
    assert plain_text(plain_text(text)) is not None


# ------------------------------------------------------------------ the corpus


NOT_XML = {"datacite-example-relateditems.xml", "datacite_malformed.xml"}
NOT_KERNEL = {"crossref.xml", "datacite-crossref.xml"}


@pytest.mark.corpus
def test_every_example_of_every_kernel_is_read(corpus: Path) -> None:
    read = 0
    for file in sorted((corpus / "api").glob("datacite-*/**/*.xml")):
        if file.name in NOT_XML:
            with pytest.raises(SourceMalformed):
                read_xml(file.read_bytes())
            continue
        resource = find_resource(read_xml(file.read_bytes()))
        if file.name in NOT_KERNEL:
            assert resource is None
            continue
        made = study(attributes_of(resource))
        assert decode(encode(made)) == made
        assert made.title, file
        assert made.title != "a", file
        assert made.date, file
        assert made.creators or "missing_creator" in file.name, file
        read += 1
    assert read > 120


@pytest.mark.corpus
@pytest.mark.parametrize("field", ["title", "publisher", "keywords", "publications"])
def test_xml_and_json_of_the_same_example_agree(corpus: Path, field: str) -> None:
    compared = 0
    for file in sorted((corpus / "api/datacite-invenio").glob("4.[35]/*.xml")):
        of_file = study(attributes_of(find_resource(read_xml(file.read_bytes()))))
        of_json = study(json.loads(file.with_suffix(".json").read_bytes()))
        assert getattr(of_file, field) == getattr(of_json, field), file.name
        compared += 1
    assert compared > 10


@pytest.mark.corpus
def test_json_in_all_its_older_writings_is_read(corpus: Path) -> None:
    read = 0
    for file in sorted((corpus / "api").glob("datacite-*/**/*.json")):
        document = json.loads(file.read_bytes())
        if not isinstance(document, dict) or "titles" not in document:
            continue
        made = study(document)
        assert decode(encode(made)) == made
        assert made.title != "a", file
        read += 1
    assert read > 25
