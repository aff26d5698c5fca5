"""The record model: what every source is normalised to, each field with type, sentence and IRI.

Records are frozen. A source's own words are kept as key-values; what they mean stands beside
them as annotations. The JSON-LD context (:mod:`parfocal.jsonld`) is generated from this file.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from parfocal.errors import RecordInvalid
from parfocal.identifiers import Curie, RecordId

OME = "http://www.openmicroscopy.org/Schemas/OME/2016-06#"
PREFIXES = {
    "ome": OME,
    "schema": "http://schema.org/",
    "dcterms": "http://purl.org/dc/terms/",
    "prov": "http://www.w3.org/ns/prov#",
    "dcat": "http://www.w3.org/ns/dcat#",
    "oa": "http://www.w3.org/ns/oa#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "dwc": "http://rs.tdwg.org/dwc/terms/",
    "dwciri": "http://rs.tdwg.org/dwc/iri/",
    "bao": "http://www.bioassayontology.org/bao#",
    "obo": "http://purl.obolibrary.org/obo/",
    "parfocal": "https://w3id.org/parfocal/terms#",
    "keys": "https://w3id.org/parfocal/keys/",
}

Level = Literal["study", "container", "image"]
DatasetType = Literal["Study", "Project", "Dataset", "Screen", "Plate"]
ImageType = Literal["Image", "Well"]


def means(sentence: str, iri: str) -> Meta:
    """Say what a field is, in one sentence, and which IRI it has in the graph."""
    return Meta(description=sentence, extra={"iri": iri})


class Part(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """A value inside a record."""


class KeyValue(Part, frozen=True):
    """A pair as the source wrote it; keys may repeat."""

    key: Annotated[str, means("Key as the source wrote it.", "parfocal:key")]
    value: Annotated[str, means("Value as the source wrote it.", "parfocal:value")]
    namespace: Annotated[str, means("Namespace of the pair.", "ome:Namespace")] = ""


CONTRADICTED = "contradicted"
"""Method of a curator's claim whose text says something else; the pipeline reports it."""
MENTIONED = "text"
"""Method of a claim that a title or description mentions; it counts for that record only."""
PROPOSED = "proposed"
"""Method of a claim that waits for a curator; no search finds it."""


class Annotation(Part, frozen=True):
    """A claim that a text of the record means an ontology term; it stands beside the text."""

    field: Annotated[str, means("Searchable field that the claim is about.", "parfocal:field")]
    text: Annotated[str, means("Text that the claim reads.", "oa:exact")]
    term: Annotated[Curie, means("Ontology term that the text means.", "oa:hasBody")]
    label: Annotated[str, means("Label of the term.", "rdfs:label")]
    method: Annotated[
        str, means("How it is known: curated, label, synonym ..., doubted.", "parfocal:method")
    ]
    score: Annotated[float, means("Trust, from 0 to 1; below 0.5 it is doubted.", "parfocal:score")]
    by: Annotated[str, means("Who or what made the claim.", "prov:wasAttributedTo")]
    key: Annotated[str, means("Key beside which the text stood.", "parfocal:key")] = ""
    start: Annotated[
        int, means("Place of the text in the value, in characters from 0.", "oa:start")
    ] = 0

    @property
    def believed(self) -> bool:
        """Whether fields, facets and expansion may use the claim."""
        return self.score >= 0.5

    @property
    def inherited(self) -> bool:
        """Whether what lies in the record takes the claim over: not what is only mentioned."""
        return self.believed and self.method != MENTIONED


class Person(Part, frozen=True):
    """A person or organisation."""

    name: Annotated[str, means("Name as the source wrote it.", "schema:name")]
    given_name: Annotated[str, means("Given name.", "schema:givenName")] = ""
    family_name: Annotated[str, means("Family name.", "schema:familyName")] = ""
    orcid: Annotated[str, means("ORCID iD without address.", "schema:identifier")] = ""
    affiliation: Annotated[str, means("Name of the organisation.", "schema:affiliation")] = ""
    email: Annotated[str, means("E-mail address.", "schema:email")] = ""
    roles: Annotated[tuple[str, ...], means("Roles in the work.", "schema:roleName")] = ()
    ror: Annotated[str, means("ROR iD of the organisation, without address.", "parfocal:ror")] = ""


class Publication(Part, frozen=True):
    """A publication about the data."""

    title: Annotated[str, means("Title.", "schema:name")] = ""
    authors: Annotated[str, means("Authors as one text.", "schema:creditText")] = ""
    doi: Annotated[str, means("DOI, lower case.", "schema:identifier")] = ""
    pubmed: Annotated[str, means("PubMed number.", "parfocal:pubmed")] = ""
    pmc: Annotated[str, means("PubMed Central number.", "parfocal:pmc")] = ""


class Link(Part, frozen=True):
    """An address outside: a viewer, a landing page, a file."""

    url: Annotated[str, means("Address.", "schema:url")]
    label: Annotated[str, means("What is there.", "schema:name")] = ""
    kind: Annotated[
        Literal["landing", "viewer", "data", "other"],
        means("Kind of link.", "schema:additionalType"),
    ] = "other"


class Quantity(Part, frozen=True):
    """A number with the unit that the source gave."""

    value: Annotated[float, means("Number.", "schema:value")]
    unit: Annotated[str, means("Unit symbol.", "schema:unitText")]


class Channel(Part, frozen=True):
    """One channel of an image."""

    name: Annotated[str, means("Name.", "ome:Name")] = ""
    fluorophore: Annotated[str, means("Fluorophore.", "ome:Fluor")] = ""
    excitation: Annotated[
        Quantity | None, means("Excitation wavelength.", "ome:ExcitationWavelength")
    ] = None
    emission: Annotated[
        Quantity | None, means("Emission wavelength.", "ome:EmissionWavelength")
    ] = None
    colour: Annotated[str, means("Display colour as RRGGBB.", "ome:Color")] = ""
    acquisition_mode: Annotated[str, means("Acquisition mode.", "ome:AcquisitionMode")] = ""


class Objective(Part, frozen=True):
    """An objective of the microscope."""

    model: Annotated[str, means("Model.", "ome:Model")] = ""
    magnification: Annotated[
        float | None, means("Nominal magnification.", "ome:NominalMagnification")
    ] = None
    numerical_aperture: Annotated[float | None, means("Numerical aperture.", "ome:LensNA")] = None
    immersion: Annotated[str, means("Immersion medium.", "ome:Immersion")] = ""


class Position(Part, frozen=True):
    """A position of the stage."""

    x: Annotated[Quantity | None, means("X.", "ome:PositionX")] = None
    y: Annotated[Quantity | None, means("Y.", "ome:PositionY")] = None
    z: Annotated[Quantity | None, means("Z.", "ome:PositionZ")] = None


class Evidence(Part, frozen=True):
    """What two records have in common that says that they are the same."""

    kind: Annotated[str, means("Kind of evidence.", "parfocal:evidenceKind")]
    value: Annotated[str, means("Name or words that both have.", "parfocal:evidenceValue")] = ""
    here: Annotated[str, means("Where this record has it.", "parfocal:evidenceHere")] = ""
    there: Annotated[str, means("Where the other has it.", "parfocal:evidenceThere")] = ""


class Twin(Part, frozen=True):
    """The same data set as another source has it."""

    record: Annotated[RecordId, means("Record of the other source.", "parfocal:sameRecord")]
    evidence: Annotated[tuple[Evidence, ...], means("How we know.", "parfocal:evidence")] = ()


class Provenance(Part, frozen=True):
    """Where the record comes from."""

    source: Annotated[str, means("Name of the source.", "prov:wasDerivedFrom")]
    native_id: Annotated[str, means("Identifier within the source.", "dcterms:identifier")]
    url: Annotated[str, means("Address or path of what was read.", "prov:hadPrimarySource")] = ""


class Viewer(Struct, frozen=True):
    """Somebody who reads: anonymous unless groups are given; a curator may decide on texts."""

    groups: frozenset[str] = frozenset()
    name: str = ""
    curator: bool = False


ANONYMOUS = Viewer()


class Access(Part, frozen=True):
    """Who may see a record: everybody, or the members of at least one group."""

    groups: Annotated[
        tuple[str, ...], means("Groups that may see it; none means public.", "dcterms:accessRights")
    ] = ()

    @property
    def public(self) -> bool:
        """Whether everybody may see it."""
        return not self.groups

    def visible_to(self, viewer: Viewer) -> bool:
        """Whether this viewer may know that the record exists.

        >>> Access(groups=("lab",)).visible_to(Viewer())
        False
        """
        return self.public or not viewer.groups.isdisjoint(self.groups)

    def as_wide_as(self, other: Access) -> bool:
        """Whether everybody who sees ``other`` also sees this."""
        return self.public or (not other.public and set(other.groups) <= set(self.groups))


class _Base(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, gc=False
):
    id: Annotated[RecordId, means("Identifier: source:name.", "dcterms:identifier")]
    title: Annotated[str, means("Title or file name.", "schema:name")] = ""
    description: Annotated[str, means("Description.", "schema:description")] = ""
    part_of: Annotated[RecordId | None, means("Record that it lies in.", "schema:isPartOf")] = None
    access: Annotated[Access, means("Who may see it.", "dcterms:accessRights")] = Access()
    provenance: Annotated[Provenance, means("Where it comes from.", "prov:wasGeneratedBy")]
    key_values: Annotated[
        tuple[KeyValue, ...], means("Key-value pairs of the source.", "parfocal:keyValue")
    ] = ()
    annotations: Annotated[
        tuple[Annotation, ...], means("Ontology terms with evidence.", "parfocal:annotation")
    ] = ()
    links: Annotated[tuple[Link, ...], means("Addresses outside.", "schema:mainEntityOfPage")] = ()
    thumbnail: Annotated[str, means("Address of a small picture.", "schema:thumbnailUrl")] = ""
    date: Annotated[
        str,
        means("Release or acquisition date: YYYY, YYYY-MM, YYYY-MM-DD.", "schema:datePublished"),
    ] = ""
    licence: Annotated[str, means("SPDX identifier, else what was written.", "schema:license")] = ""
    creators: Annotated[tuple[Person, ...], means("Who made it.", "schema:creator")] = ()
    identifiers: Annotated[
        tuple[str, ...],
        means("Other identifiers, as doi:, pubmed: ... or URL.", "schema:identifier"),
    ] = ()
    same_as: Annotated[tuple[str, ...], means("The same thing elsewhere.", "schema:sameAs")] = ()


class Dataset(_Base, frozen=True, tag="Dataset", tag_field="type"):
    """A study, project, data set, screen or plate: anything that holds other records."""

    ome_type: Annotated[DatasetType, means("Kind of container.", "parfocal:omeType")] = "Dataset"
    publisher: Annotated[str, means("Who published it.", "schema:publisher")] = ""
    publications: Annotated[
        tuple[Publication, ...], means("Publications about it.", "schema:citation")
    ] = ()
    keywords: Annotated[tuple[str, ...], means("Keywords.", "schema:keywords")] = ()
    funding: Annotated[tuple[str, ...], means("Grants.", "schema:funding")] = ()
    twins: Annotated[
        tuple[Twin, ...],
        means("The same in other sources, found when the record is read.", "parfocal:twin"),
    ] = ()

    @property
    def level(self) -> Level:
        """Where it stands in source > study > container > image."""
        return "study" if self.ome_type in ("Study", "Project") else "container"


class Image(_Base, frozen=True, tag="Image", tag_field="type"):
    """One image, or one well of a plate with its images."""

    ome_type: Annotated[ImageType, means("Image or well.", "parfocal:omeType")] = "Image"
    location: Annotated[
        str, means("Path below the source's root, or address.", "schema:contentUrl")
    ] = ""
    format: Annotated[str, means("File format.", "schema:encodingFormat")] = ""
    size_x: Annotated[int | None, means("Width in pixels.", "ome:SizeX")] = None
    size_y: Annotated[int | None, means("Height in pixels.", "ome:SizeY")] = None
    size_z: Annotated[int | None, means("Number of focal planes.", "ome:SizeZ")] = None
    size_c: Annotated[int | None, means("Number of channels.", "ome:SizeC")] = None
    size_t: Annotated[int | None, means("Number of time points.", "ome:SizeT")] = None
    pixel_type: Annotated[str, means("Pixel type as OME names it.", "ome:PixelType")] = ""
    dimension_order: Annotated[str, means("Order of the axes.", "ome:DimensionOrder")] = ""
    pixel_size_x: Annotated[Quantity | None, means("Pixel width.", "ome:PhysicalSizeX")] = None
    pixel_size_y: Annotated[Quantity | None, means("Pixel height.", "ome:PhysicalSizeY")] = None
    pixel_size_z: Annotated[Quantity | None, means("Plane distance.", "ome:PhysicalSizeZ")] = None
    time_increment: Annotated[Quantity | None, means("Time step.", "ome:TimeIncrement")] = None
    channels: Annotated[tuple[Channel, ...], means("Channels in order.", "ome:Channel")] = ()
    objective: Annotated[Objective | None, means("Objective used.", "ome:Objective")] = None
    instrument: Annotated[str, means("Microscope.", "ome:Microscope")] = ""
    position: Annotated[Position | None, means("Stage position.", "ome:StageLabel")] = None
    well: Annotated[str, means("Well, like A01.", "ome:Well")] = ""
    plate: Annotated[str, means("Plate.", "ome:Plate")] = ""
    roi_count: Annotated[int, means("Number of regions of interest.", "parfocal:roiCount")] = 0
    labels: Annotated[tuple[str, ...], means("Names of label images.", "parfocal:labelImage")] = ()
    uuid: Annotated[str, means("UUID inside the file.", "ome:UUID")] = ""

    @property
    def level(self) -> Level:
        """Where it stands in source > study > container > image."""
        return "image"


Record = Dataset | Image

_decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)
_encoder = msgspec.json.Encoder()


def encode(record: Record) -> bytes:
    """Return a record as compact JSON, UTF-8; equal records give equal bytes."""
    return _encoder.encode(record)


def decode(content: bytes | str) -> Record:
    """Read a record from its JSON; RecordInvalid names the field that is wrong."""
    try:
        return _decoder.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordInvalid(f"not a record: {error}") from error


def study_and_container(
    record: Record, ancestors: Iterable[Dataset]
) -> tuple[RecordId | None, RecordId | None]:
    """Return the study and the nearest container that a record lies in, nearest ancestor first.

    A study is its own study; a container lies in no container unless its parent is one.
    """
    study = record.id if record.level == "study" else None
    container = None
    for ancestor in ancestors:
        if container is None and ancestor.level == "container":
            container = ancestor.id
        if study is None and ancestor.level == "study":
            study = ancestor.id
    return study, container
