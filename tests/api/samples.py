"""Records to serve in the tests: two archives, three levels, a private group, hostile ones."""

from __future__ import annotations

from parfocal.config import Settings
from parfocal.identifiers import Curie, record_id
from parfocal.model import (
    Access,
    Annotation,
    Channel,
    Dataset,
    Image,
    KeyValue,
    Link,
    Objective,
    Person,
    Provenance,
    Publication,
    Quantity,
    Record,
)
from parfocal.terms import MemoryTermStore
from parfocal.values import TermInfo

TOKEN = "a-lab-token-of-length"
SETTINGS = Settings.model_validate(
    {
        "server": {
            "base_url": "http://localhost",
            "viewers": [{"name": "Ada of the lab", "token": TOKEN, "groups": ["lab"]}],
        },
        "sources": [
            {"name": "idr", "kind": "idr-studies", "path": "/nowhere"},
            {"name": "private", "kind": "local", "path": "/nowhere", "access": ["lab"]},
        ],
    }
)
ORGANISMS = (("NCBITaxon:9606", "Homo sapiens"), ("NCBITaxon:10090", "Mus musculus"))
GENES = ("CDK1", "AURKB", "PLK1", "BUB1", "KIF11", "TUBB")
ATTACK = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}\u202e"


def provenance(source: str, native: str) -> Provenance:
    return Provenance(source, native, f"https://archive.example/{native}")


def claim(field: str, text: str, term: str, label: str, method: str = "curated", key: str = ""):
    return Annotation(field, text, Curie(term), label, method, 1.0, "the source", key)


def study(number: int) -> list[Record]:
    native = f"idr{number:04}-sample-study"
    term, label = ORGANISMS[number % 2]
    made: list[Record] = [
        Dataset(
            id=record_id("idr", native),
            ome_type="Study",
            title=f"Study {number} of mitotic defects after gene knock-down",
            description="Time-lapse microscopy of dividing cells after depletion of one gene each.",
            provenance=provenance("idr", native),
            creators=(
                Person("Grace Example", orcid="0000-0002-1825-0097", affiliation="Institute"),
            ),
            publications=(
                Publication("How cells divide", "Example G", f"10.1000/x{number}", "123"),
            ),
            identifiers=(f"doi:10.17867/1000{number:04}",),
            licence="CC-BY-4.0",
            date=f"20{15 + number}-05-0{number + 1}",
            key_values=(KeyValue("Study Organism", label), KeyValue("Study Title", "Mitosis")),
            annotations=(
                claim("organism", label, term, label, key="Study Organism"),
                claim("imaging_method", "confocal", "FBbi:00000251", "confocal microscopy"),
            ),
        )
    ]
    screen = f"{native}/screenA"
    made.append(
        Dataset(
            id=record_id("idr", screen),
            ome_type="Screen",
            title="Screen A: genome-wide RNA interference",
            part_of=made[0].id,
            provenance=provenance("idr", screen),
            links=(Link("https://archive.example/viewer", "Viewer", "viewer"),),
        )
    )
    for well in range(12):
        gene = GENES[well % len(GENES)]
        name = f"{'ABC'[well % 3]}{well + 1:02}"
        image = f"{screen}/Plate1/{name}"
        made.append(
            Image(
                id=record_id("idr", image),
                ome_type="Well",
                title=f"{native} Plate1 {name}",
                part_of=record_id("idr", screen),
                provenance=provenance("idr", image),
                well=name,
                plate="Plate1",
                key_values=(
                    KeyValue("Gene Symbol", gene),
                    KeyValue("Characteristics [Cell Line]", "HeLa"),
                    KeyValue("Phenotype 1", "mitotic delay"),
                ),
                annotations=(
                    claim("cell_line", "HeLa", "CLO:0003684", "HeLa cell", "synonym", "Cell Line"),
                    claim("phenotype", "mitotic delay", "CMPO:0000077", "mitotic delayed"),
                ),
                links=(Link("https://archive.example/img", "Open in viewer", "viewer"),),
            )
        )
    return made


def stack() -> Image:
    return Image(
        id=record_id("idr", "stack with spaces/äöü #1.json"),
        title="A z-stack of dividing HeLa cells",
        provenance=provenance("idr", "stack"),
        size_x=1024,
        size_y=768,
        size_z=24,
        size_c=3,
        size_t=40,
        pixel_type="uint16",
        pixel_size_x=Quantity(0.13, "µm"),
        pixel_size_y=Quantity(0.13, "µm"),
        channels=(
            Channel("DAPI", "DAPI", Quantity(405, "nm"), Quantity(450, "nm"), "0000FF"),
            Channel("GFP", "EGFP", Quantity(488, "nm"), Quantity(525, "nm"), "00FF00"),
            Channel("", "mCherry", Quantity(561, "nm"), Quantity(610, "nm"), "FF0000"),
        ),
        objective=Objective("Plan Apo", 60, 1.4, "Oil"),
        instrument="Spinning disk",
        format="OME-TIFF",
        location="mitosis/stack.ome.tif",
        licence="CC0-1.0",
        date="2021-11-21",
        thumbnail="https://elsewhere.example/thumb.png",
    )


def private() -> list[Record]:
    access = Access(("lab",))
    folder = Dataset(
        id=record_id("private", "secretfolder"),
        title="Secretproject of the lab",
        provenance=provenance("private", "secretfolder"),
        access=access,
        key_values=(KeyValue("Gene Symbol", "SECRETGENE"),),
    )
    image = Image(
        id=record_id("private", "secretfolder/one.ome.tif"),
        title="Secretimage one",
        part_of=folder.id,
        provenance=provenance("private", "secretfolder/one.ome.tif"),
        access=access,
        size_x=640,
        size_y=480,
        key_values=(KeyValue("Gene Symbol", "SECRETGENE"), KeyValue("Organism", "Secretorganism")),
        annotations=(claim("organism", "Secretorganism", "NCBITaxon:1", "Secretorganism"),),
    )
    return [folder, image]


def hostile() -> list[Record]:
    """Records such as a careless or hostile archive could hold."""
    attack = Dataset(
        id=record_id("idr", "attack/" + ATTACK),
        ome_type="Study",
        title=ATTACK,
        description=ATTACK * 3,
        provenance=Provenance("idr", ATTACK, "javascript:alert(3)"),
        key_values=(KeyValue(ATTACK, ATTACK), KeyValue("Organism", ATTACK)),
        annotations=(
            Annotation("organism", ATTACK, Curie("X:1"), ATTACK, ATTACK, 1.0, ATTACK, ATTACK),
        ),
        links=(
            Link("javascript:alert(4)", ATTACK, "viewer"),
            Link("data:text/html,<script>alert(5)</script>", ATTACK, "landing"),
            Link('https://good.example/"onmouseover="alert(6)', ATTACK, "viewer"),
        ),
        thumbnail="javascript:alert(7)",
        licence=ATTACK,
        date=ATTACK,
        creators=(Person(ATTACK, orcid=ATTACK, affiliation=ATTACK, email=ATTACK),),
        identifiers=("javascript:alert(8)", f"doi:{ATTACK}", ATTACK),
        same_as=("javascript:alert(9)",),
        publisher=ATTACK,
        publications=(Publication(ATTACK, ATTACK, ATTACK, ATTACK),),
        keywords=(ATTACK,),
    )
    huge = Image(
        id=record_id("idr", "huge"),
        title="Verylongword" * 400 + " and an end that is long",
        provenance=provenance("idr", "huge"),
        key_values=tuple(KeyValue(f"key {n}", f"value {n} " + "x" * (n % 90)) for n in range(400)),
        channels=tuple(Channel(f"Channel {n}", f"Dye {n}") for n in range(12)),
        size_x=2048,
        size_y=2048,
        size_c=12,
    )
    nameless = Image(id=record_id("idr", "no/title"), provenance=provenance("idr", "no/title"))
    arabic = Image(
        id=record_id("idr", "صورة"),
        title="انقسام الخلايا في خلايا هيلا",
        description="صورة مجهرية لخلايا هيلا",
        provenance=provenance("idr", "صورة"),
    )
    return [attack, huge, nameless, arabic]


def everything() -> list[Record]:
    records = [record for number in range(4) for record in study(number)]
    return [*records, stack(), *private(), *hostile()]


def terms() -> MemoryTermStore:
    """A few terms of real ontologies, with synonyms and one step of subclasses."""
    told = (
        TermInfo(Curie("NCBITaxon:9606"), "Homo sapiens", synonyms=(("EXACT", "human"),)),
        TermInfo(Curie("NCBITaxon:10090"), "Mus musculus", synonyms=(("EXACT", "mouse"),)),
        TermInfo(Curie("FBbi:00000251"), "confocal microscopy"),
        TermInfo(Curie("CLO:0003684"), "HeLa cell", synonyms=(("EXACT", "HeLa"),)),
        TermInfo(Curie("CMPO:0000003"), "mitotic process phenotype"),
        TermInfo(
            Curie("CMPO:0000077"), "mitotic delayed", parents=(Curie("CMPO:0000003"),),
            synonyms=(("EXACT", "mitotic delay"),),
        ),
    )  # fmt: skip
    return MemoryTermStore(told)
