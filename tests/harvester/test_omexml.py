"""Reading OME-XML of all ages."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.formats.omemodern import ModernImages
from harvester.formats.omexml import file_names, metadata_file, read_document, validate
from harvester.formats.structured import MAX_PAIRS
from parfocal.errors import SourceMalformed
from parfocal.model import KeyValue, Position, Quantity

NEW = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
PIXELS = (
    '<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" SizeX="30" SizeY="20" SizeZ="5" '
    'SizeC="2" SizeT="7" PhysicalSizeX="200" PhysicalSizeXUnit="nm" PhysicalSizeZ="0.5" '
    'TimeIncrement="2" TimeIncrementUnit="min">'
    '<Channel ID="Channel:0:0" Name="DNA" Fluor="DAPI" ExcitationWavelength="405" '
    'EmissionWavelength="461" Color="65535" AcquisitionMode="SpinningDiskConfocal"/>'
    '<Channel ID="Channel:0:1" Color="-1"/><MetadataOnly/>'
    '<Plane TheC="0" TheZ="0" TheT="0" PositionX="10" PositionXUnit="µm" PositionY="-3"/>'
    '<Plane TheC="1" TheZ="0" TheT="0" PositionX="99"/></Pixels>'
)
INSTRUMENT = (
    '<Instrument ID="Instrument:0"><Microscope Manufacturer="Maker" Model="M1"/>'
    '<Objective ID="Objective:0" Model="Plan" NominalMagnification="63" LensNA="1.4" '
    'Immersion="Oil"/><Objective ID="Objective:1"/></Instrument>'
)


def ome(body: str, space: str = NEW) -> bytes:
    return f'<?xml version="1.0"?><OME xmlns="{space}">{body}</OME>'.encode()


def image(inner: str = "", pixels: str = PIXELS) -> str:
    return f'<Image ID="Image:0" Name="n">{inner}{pixels}</Image>'


def test_everything_of_an_image() -> None:
    inner = (
        "<AcquisitionDate>2021-05-06T07:08:09</AcquisitionDate>"
        '<ExperimenterRef ID="Experimenter:0"/><Description>words</Description>'
        '<InstrumentRef ID="Instrument:0"/><ObjectiveSettings ID="Objective:0"/>'
    )
    after = '<ROIRef ID="ROI:0"/><ROIRef ID="ROI:1"/>'
    person = '<Experimenter ID="Experimenter:0" FirstName="Ada" LastName="Byron" Institution="I"/>'
    body = person + INSTRUMENT + image(inner, PIXELS + after)
    body += '<ROI ID="ROI:0"/><ROI ID="ROI:1"/>'
    facts = read_document(ome(body)).images[0][1]
    sizes = (facts.size_x, facts.size_y, facts.size_z, facts.size_c, facts.size_t)
    assert sizes == (30, 20, 5, 2, 7)
    assert facts.pixel_size_x == Quantity(200, "nm")
    assert facts.pixel_size_y is None
    assert facts.pixel_size_z == Quantity(0.5, "µm")
    assert facts.time_increment == Quantity(2, "min")
    assert (facts.title, facts.description, facts.date) == ("n", "words", "2021-05-06")
    assert (facts.pixel_type, facts.dimension_order, facts.roi_count) == ("uint16", "XYCZT", 2)
    dna = facts.channels[0]
    assert (dna.name, dna.fluorophore, dna.colour) == ("DNA", "DAPI", "0000FF")
    assert (dna.excitation, dna.emission) == (Quantity(405, "nm"), Quantity(461, "nm"))
    assert facts.channels[1].colour == "FFFFFF"
    assert facts.instrument == "Maker M1"
    assert facts.objective is not None
    assert (facts.objective.magnification, facts.objective.immersion) == (63, "Oil")
    here = Position(x=Quantity(10, "µm"), y=Quantity(-3, "reference frame"))
    assert facts.position == here
    assert [(p.name, p.affiliation) for p in facts.creators] == [("Ada Byron", "I")]


def test_annotations_of_every_kind() -> None:
    refs = "".join(f'<AnnotationRef ID="Annotation:{n}"/>' for n in range(8))
    kinds = (
        '<MapAnnotation ID="Annotation:0" Namespace="ns"><Value><M K="Gene">CDK1</M>'
        '<M K="Gene">CDK2</M></Value></MapAnnotation>'
        '<TagAnnotation ID="Annotation:1"><Value>good</Value></TagAnnotation>'
        '<CommentAnnotation ID="Annotation:2"><Value>seen</Value></CommentAnnotation>'
        '<LongAnnotation ID="Annotation:3"><Value>5</Value></LongAnnotation>'
        '<DoubleAnnotation ID="Annotation:4"><Value>0.5</Value></DoubleAnnotation>'
        '<BooleanAnnotation ID="Annotation:5"><Value>true</Value></BooleanAnnotation>'
        '<TermAnnotation ID="Annotation:6"><Value>CMPO:0000077</Value></TermAnnotation>'
        '<XMLAnnotation ID="Annotation:7"><Value><OriginalMetadata><Key>Laser</Key><Value>on'
        '</Value></OriginalMetadata><Stage x="3">high</Stage></Value></XMLAnnotation>'
    )
    body = image("", PIXELS + refs) + f"<StructuredAnnotations>{kinds}</StructuredAnnotations>"
    pairs = read_document(ome(body)).images[0][1].key_values
    assert pairs == (
        KeyValue("Gene", "CDK1", "ns"),
        KeyValue("Gene", "CDK2", "ns"),
        KeyValue("Tag", "good"),
        KeyValue("Comment", "seen"),
        KeyValue("Long", "5"),
        KeyValue("Double", "0.5"),
        KeyValue("Boolean", "true"),
        KeyValue("Term", "CMPO:0000077"),
        KeyValue("Laser", "on"),
        KeyValue("Stage", "high"),
        KeyValue("Stage x", "3"),
    )


def test_annotations_in_a_circle_and_too_many() -> None:
    many = "".join(f'<M K="k">{n}</M>' for n in range(MAX_PAIRS + 5))
    body = (
        image("", PIXELS + '<AnnotationRef ID="Annotation:0"/>')
        + '<StructuredAnnotations><MapAnnotation ID="Annotation:0"><AnnotationRef '
        f'ID="Annotation:0"/><Value>{many}</Value></MapAnnotation></StructuredAnnotations>'
    )
    document = read_document(ome(body))
    assert len(document.images[0][1].key_values) == MAX_PAIRS
    assert any("left out" in warning for warning in document.warnings)


def test_schema_of_2008() -> None:
    body = (
        '<Instrument ID="I"><Objective ID="O"><LensNA>1.2</LensNA><Immersion>Oil</Immersion>'
        "<NominalMagnification>60</NominalMagnification></Objective></Instrument>"
        '<Image ID="Image:0" Name="old" DefaultPixels="P:1">'
        "<CreationDate>2008-01-02T00:00:00</CreationDate><InstrumentRef ID='I'/>"
        '<ObjectiveRef ID="O"/><LogicalChannel ID="L" Name="red" ExWave="561" EmWave="600"/>'
        '<Pixels ID="P:0" SizeX="1" SizeY="1" PixelType="uint8"/>'
        '<Pixels ID="P:1" SizeX="8" SizeY="4" PixelType="int8"/></Image>'
    )
    facts = read_document(ome(body, NEW.replace("2016-06", "2008-09"))).images[0][1]
    assert (facts.size_x, facts.pixel_type, facts.date) == (8, "int8", "2008-01-02")
    assert facts.objective is not None
    assert (facts.objective.numerical_aperture, facts.objective.magnification) == (1.2, 60)
    assert (facts.channels[0].name, facts.channels[0].emission) == ("red", Quantity(600, "nm"))


def test_plate_with_reagents() -> None:
    body = (
        '<Plate ID="Plate:0" Name="P" ExternalIdentifier="B7">'
        '<Well ID="Well:0" Row="2" Column="11" '
        'Type="control"><WellSample ID="S"><ImageRef ID="Image:0"/></WellSample>'
        '<ReagentRef ID="Reagent:0"/></Well></Plate><Screen ID="Screen:0" Name="S">'
        '<Reagent ID="Reagent:0" Name="siRNA-7"/><PlateRef ID="Plate:0"/></Screen>' + image()
    )
    document = read_document(ome(body))
    plate = document.plates[0]
    assert plate.plate.wells[0].name == "C12"
    assert plate.pairs == (KeyValue("ExternalIdentifier", "B7"),)
    assert KeyValue("Reagent", "siRNA-7") in plate.well_pairs["C12"]
    assert document.screens[0][0].plates == ("Plate:0",)


def test_sizes_that_cannot_be() -> None:
    huge = PIXELS.replace('SizeX="30"', 'SizeX="99999999999999999999"')
    huge = huge.replace('SizeT="7"', 'SizeT="-7"').replace('="200"', '="NaN"')
    document = read_document(ome(image("", huge)))
    facts = document.images[0][1]
    assert (facts.size_x, facts.size_t, facts.pixel_size_x) == (None, None, None)
    assert len(document.warnings) == 2


LAUGHS = (
    b'<!DOCTYPE OME [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
    b'<OME xmlns="' + NEW.encode() + b'"><Image ID="&b;"/></OME>'
)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not XML"),
        (b"<OME><Image></OME>", "line 1"),
        (b"<html/>", "outermost element"),
        (LAUGHS, "DOCTYPE"),
        (LAUGHS.decode().encode("utf-16"), "DOCTYPE"),
        (b"<OME>" + b"<a>" * 5000, "not XML"),
        (b'<?xml version="1.0" encoding="no-such"?><OME/>', "not XML"),
        (b"<OME>&secret;</OME>", "not XML"),
    ],
)
def test_hostile_documents_say_why(content: bytes, reason: str) -> None:
    with pytest.raises(SourceMalformed) as caught:
        read_document(content)
    assert reason in str(caught.value)


def test_latin_1_and_control_characters_are_read() -> None:
    text = ome(image("<Description>5 \xb5m\x01 &amp; more</Description>")).decode()
    text = text.replace('Unit="µm"', 'Unit="um"')
    facts = read_document(text.encode("latin-1")).images[0][1]
    assert facts.description == "5 µm & more"


def test_ome_types_is_the_judge() -> None:
    assert validate(ome(image("", PIXELS))) == ""
    assert "uint9" in validate(ome(image("", PIXELS.replace("uint16", "uint9"))))
    assert validate(b"<OME/>")


def test_names_of_other_files() -> None:
    xml = b"""<TiffData><UUID FileName="a &amp; b.tif">u</UUID></TiffData><UUID FileName='c'/>"""
    assert file_names(xml) == {"a & b.tif", "c"}
    assert metadata_file(b'<OME><BinaryOnly UUID="u" MetadataFile="x.ome"/></OME>') == "x.ome"


@given(st.text(max_size=200), st.integers(0, 400))
def test_any_text_is_read_or_malformed(text: str, cut: int) -> None:
    for content in (text.encode("utf-8", "replace"), ome(image(text))[:cut], ome(image(text))):
        with contextlib.suppress(SourceMalformed):
            read_document(content)


@pytest.mark.corpus
def test_every_document_of_the_corpus_is_read(corpus: Path) -> None:
    files = sorted((corpus / "ome").rglob("*.ome.xml"))
    assert len(files) > 150
    invalid = set()
    for file in files:
        content = file.read_bytes()
        read_document(content)
        if validate(content):
            invalid.add(file.name)
    assert invalid == {"MMStack.ome.xml", "bad.ome.xml", "invalid_xml_annotation.ome.xml"}


def _both_ways(xml: bytes, monkeypatch: pytest.MonkeyPatch) -> tuple[object, object]:
    quick = read_document(xml)
    with monkeypatch.context() as patched:
        patched.setattr(ModernImages, "read", lambda *_: None)
        return quick, read_document(xml)


@pytest.mark.parametrize(
    "inner",
    [
        "",
        "<AcquisitionDate>2024-03-11T11:36:58</AcquisitionDate>"
        "<Description> a &amp; b</Description>",
        '<InstrumentRef ID="Instrument:0"/><ObjectiveSettings ID="Objective:0"/>',
        '<StageLabel Name="s" X="1" XUnit="mm" Y="nan"/>',
        '<ROIRef ID="ROI:0"/><ROIRef ID="ROI:1"/><AnnotationRef ID="Annotation:0"/>',
        '<ExperimenterRef ID="Experimenter:0"/>',
        "<Unknown/>",
    ],
)
@pytest.mark.parametrize(
    "space", [NEW, *(NEW.replace("2016-06", year) for year in ("2011-06", "2008-09"))]
)
def test_one_pass_says_the_same(inner: str, space: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rest = (
        '<Experimenter ID="Experimenter:0" LastName="Example"/><StructuredAnnotations>'
        '<MapAnnotation ID="Annotation:0"><Value><M K="k">v</M></Value></MapAnnotation>'
        '<CommentAnnotation ID="Annotation:1"><Value>c</Value></CommentAnnotation>'
        "</StructuredAnnotations>"
    )
    for body in (image(inner) + INSTRUMENT + rest, INSTRUMENT + image(inner) + image(inner) + rest):
        quick, slow = _both_ways(ome(body, space), monkeypatch)
        assert quick == slow


@pytest.mark.corpus
def test_one_pass_says_the_same_of_the_corpus(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = 0
    for path in sorted((corpus / "ome").rglob("*.ome.xml")):
        xml = path.read_bytes()
        with contextlib.suppress(SourceMalformed):
            quick, slow = _both_ways(xml, monkeypatch)
            assert quick == slow, path
            compared += 1
    assert compared > 100


def test_many_planes_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    planes = "".join(f'<Plane TheC="0" TheZ="0" TheT="{n}" PositionX="{n}"/>' for n in range(5000))
    pixels = PIXELS.replace("<Plane", f"{planes}<Plane", 1)
    quick, slow = _both_ways(ome(image(pixels=pixels)), monkeypatch)
    assert quick == slow
