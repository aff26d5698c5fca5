"""Sample records for all contract tests: a full study, what lies in it, private and hostile ones.

All of it is made up.
"""

from __future__ import annotations

from parfocal.identifiers import Curie, RecordId, record_id
from parfocal.model import (
    Access,
    Annotation,
    Channel,
    Dataset,
    Evidence,
    Image,
    KeyValue,
    Link,
    Objective,
    Person,
    Position,
    Provenance,
    Publication,
    Quantity,
    Record,
    Twin,
    Viewer,
)
from parfocal.values import Change

BASE = "http://127.0.0.1:8000"
LAB = Viewer(groups=frozenset({"lab"}), name="Somebody in the lab")


def claim(
    field: str, text: str, term: str, label: str, *, method: str = "curated", key: str = ""
) -> Annotation:
    """Make a claim; the method ``doubted`` gives it a score that nobody believes."""
    score = 0.2 if method == "doubted" else 1.0
    return Annotation(
        field=field,
        text=text,
        term=Curie(term),
        label=label,
        method=method,
        score=score,
        by="sample",
        key=key,
    )


HUMAN = claim("organism", "Homo sapiens", "NCBITaxon:9606", "Homo sapiens", key="Organism")
CONFOCAL = claim(
    "imaging_method", "confocal", "FBbi:00000251", "confocal microscopy", method="synonym"
)
HELA = claim("cell_line", "HeLa", "EFO:0001185", "HeLa", key="Cell Line")


def study() -> Dataset:
    """Return a study with every field filled."""
    return Dataset(
        id=record_id("archive", "mitosis"),
        title="How cells divide when a gene is silenced",
        description='Time-lapse of "dividing" cells.\nTwo replicates each.',
        provenance=Provenance("archive", "mitosis", "https://archive.example.org/mitosis.txt"),
        key_values=(
            KeyValue("Study Organism", "Homo sapiens"),
            KeyValue("Study Key Words", "mitosis", "example.org/study"),
            KeyValue("Study Key Words", "RNA interference", "example.org/study"),
        ),
        annotations=(HUMAN, CONFOCAL, HELA),
        links=(Link("https://archive.example.org/mitosis", "Landing page", "landing"),),
        thumbnail="https://archive.example.org/mitosis.png",
        date="2019-05-17",
        licence="CC-BY-4.0",
        creators=(
            Person(
                "Ada Quill",
                "Ada",
                "Quill",
                "0000-0002-1825-0097",
                "Example Institute",
                "ada@example.org",
                ("submitter", "author"),
                ror="02mhbdp94",
            ),
            Person("Bo Field"),
        ),
        identifiers=("doi:10.17867/10000101", "pubmed:12345678", "urn:x-sample:1"),
        same_as=("https://other.example.org/42",),
        ome_type="Study",
        publisher="Example Archive",
        publications=(
            Publication(
                "Silenced genes and division", "Quill A, Field B", "10.1000/xyz", "12345678", "PMC1"
            ),
        ),
        keywords=("mitosis", "RNAi"),
        funding=("Example Fund 17",),
        twins=(
            Twin(
                record_id("elsewhere", "mitosis 1"),
                (Evidence("same DOI", "doi:10.17867/10000101", "DOI", "landing page"),),
            ),
        ),
    )


def screen() -> Dataset:
    """Return a screen within the study."""
    return Dataset(
        id=record_id("archive", "mitosis/screenA"),
        title="Screen A",
        part_of=study().id,
        provenance=Provenance("archive", "mitosis/screenA"),
        ome_type="Screen",
        date="2018",
    )


def well() -> Image:
    """Return a well of the screen, with a claim that is doubted."""
    return Image(
        id=record_id("archive", "mitosis/screenA/P 1/A01"),
        title="P 1 A01",
        part_of=screen().id,
        provenance=Provenance("archive", "mitosis/screenA/P 1/A01"),
        ome_type="Well",
        plate="P 1",
        well="A01",
        key_values=(
            KeyValue("Gene Symbol", "CDK1"),
            KeyValue("Concentration", "12.5 nM"),
            KeyValue("Phenotype", "mitotic delay"),
        ),
        annotations=(
            claim("phenotype", "mitotic delay", "CMPO:0000077", "mitosis phenotype"),
            claim("organism", "human", "NCBITaxon:9607", "one further", method="doubted"),
        ),
    )


def image() -> Image:
    """Return an image of the study with every field filled."""
    return Image(
        id=record_id("archive", "mitosis/first.ome.tiff"),
        title="first.ome.tiff",
        description="A dividing cell.",
        part_of=study().id,
        provenance=Provenance("archive", "first.ome.tiff", "images/first.ome.tiff"),
        key_values=(KeyValue("Cell Line", "HeLa"),),
        annotations=(HELA,),
        links=(Link("https://archive.example.org/view/1", "Viewer", "viewer"),),
        thumbnail="/thumbnails/1.png",
        date="2018-11",
        licence="CC0-1.0",
        creators=(Person("Ada Quill"),),
        identifiers=("image-1",),
        same_as=("https://other.example.org/image/1",),
        location="images/first.ome.tiff",
        format="OME-TIFF",
        size_x=1344,
        size_y=1024,
        size_z=5,
        size_c=2,
        size_t=40,
        pixel_type="uint16",
        dimension_order="XYZCT",
        pixel_size_x=Quantity(0.1075, "µm"),
        pixel_size_y=Quantity(0.1075, "µm"),
        pixel_size_z=Quantity(1.0, "µm"),
        time_increment=Quantity(1 / 3, "s"),
        channels=(
            Channel(
                "DNA",
                "Hoechst",
                Quantity(405.0, "nm"),
                Quantity(461.0, "nm"),
                "0000FF",
                "LaserScan",
            ),
            Channel("Tubulin", "GFP"),
        ),
        objective=Objective("Plan 63x", 63.0, 1.4, "Oil"),
        instrument="Microscope 7",
        position=Position(Quantity(-12.5, "µm"), Quantity(0.0, "µm"), Quantity(3e-7, "m")),
        well="B02",
        plate="P 2",
        roi_count=3,
        labels=("nuclei", "cells"),
        uuid="urn:uuid:3f2c1f0a-8d0b-4b52-9f5e-5c1f2a3b4c5d",
    )


def private() -> Image:
    """Return an image that only the group ``lab`` may see."""
    return Image(
        id=record_id("lab", "secret/unseen.tif"),
        title="Unpublished spindle",
        access=Access(groups=("lab",)),
        provenance=Provenance("lab", "secret/unseen.tif"),
        key_values=(KeyValue("Gene Symbol", "SECRET1"),),
        annotations=(claim("organism", "Mus musculus", "NCBITaxon:10090", "Mus musculus"),),
    )


HOSTILE_TEXTS = (
    "",
    " ",
    '" . <http://x/y> <http://x/z> "',
    "back\\slash \\u0041 \\",
    "tab\tnew\nline\r\nNUL-less \x01\x7f",
    "<script>alert(1)</script>",
    "=HYPERLINK(1)",
    "@value",
    "_:b0",
    'http://example.org/a b<c>"d"{e}|f^g`h\\i',
    "http://example.org/%zz",
    "javascript:alert(1)",
    "доказательство 証拠 🧬 \u2028\u202e",
)


def hostile() -> tuple[Record, ...]:
    """Return records whose texts try to break out of every format."""
    return tuple(_hostile(number, text) for number, text in enumerate(HOSTILE_TEXTS))


def _hostile(number: int, text: str) -> Record:
    return Dataset(
        id=RecordId(f"archive:hostile/{number} <\"{{}}|^`\\'>#?%20é"),
        title=text,
        description=text,
        provenance=Provenance("archive", text, text),
        key_values=(KeyValue(text, text, text),),
        annotations=(
            Annotation("organism", text, Curie(f"X:{number}"), text, "label", 0.7, text, text),
        ),
        links=(Link(text, text),),
        thumbnail=text,
        date=text,
        licence=text,
        creators=(Person(text, orcid=text, roles=(text,)),),
        identifiers=(text, f"doi:{text}", f"pubmed:{text}"),
        same_as=(text,),
        publications=(Publication(text, doi=text),),
        keywords=(text,),
    )


def all_samples() -> tuple[Record, ...]:
    """Return all samples, parents before what lies in them."""
    return (study(), screen(), well(), image(), private(), *hostile())


def changes(*records: Record, start: int = 1) -> list[Change]:
    """Return the change log that brings records in, revision and seq from ``start``."""
    return [
        Change(revision=number, seq=number, id=record.id, record=record)
        for number, record in enumerate(records, start)
    ]
