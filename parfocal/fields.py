"""THE table of searchable fields.

Index mappings, query checks, API docs and facets derive from it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from parfocal.errors import ConfigError, QueryInvalid
from parfocal.identifiers import Curie

FieldType = Literal["term", "keyword", "number", "length", "date"]
"""term: ontology terms and texts; keyword: exact text, case ignored.

Length: number in micrometres.
"""


class Field(Struct, frozen=True):
    """One searchable field.

    ``keys`` are the source keys whose values belong to it (compared by :func:`plain_key`),
    ``prefixes`` the ontologies of its terms in order of preference, ``inherited`` says whether an
    image without a value takes it from what it lies in, ``part_of`` whether a question for a term
    finds its parts, too.
    """

    name: str
    type: FieldType
    sentence: str
    aliases: tuple[str, ...] = ()
    facet: bool = False
    unit: str = ""
    inherited: bool = False
    keys: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    part_of: bool = False


FIELDS: tuple[Field, ...] = (
    Field(
        "organism",
        "term",
        "Species or other taxon of the sample.",
        aliases=("species",),
        facet=True,
        inherited=True,
        keys=(
            "organism",
            "study organism",
            "experiment organism",
            "screen organism",
            "specimen organism",
            "host species",
            "species",
            "organisms",
            "taxon",
            "scientific name",
            "host organism",
            "is about organism",
        ),
        prefixes=("NCBITaxon",),
    ),
    Field(
        "cell_line",
        "term",
        "Cell line.",
        aliases=("cellline",),
        facet=True,
        inherited=True,
        keys=("cell line", "cell lines", "cell line name", "cellline", "is about cell line"),
        prefixes=("CLO", "EFO", "BTO", "CVCL", "CL"),
    ),
    Field(
        "cell_type",
        "term",
        "Cell type.",
        aliases=("celltype",),
        facet=True,
        inherited=True,
        keys=("cell type", "cell types", "is about cell"),
        prefixes=("CL", "BTO", "EFO"),
    ),
    Field(
        "tissue",
        "term",
        "Tissue, organ or organism part.",
        aliases=("organism_part", "organ"),
        facet=True,
        inherited=True,
        keys=(
            "organism part",
            "tissue",
            "organ",
            "tissue type",
            "anatomical part",
            "body part",
            "anatomical entity",
        ),
        prefixes=("UBERON", "PO", "BTO", "EFO", "ZFA"),
        part_of=True,
    ),
    Field(
        "imaging_method",
        "term",
        "Imaging method.",
        aliases=("method", "modality"),
        facet=True,
        inherited=True,
        keys=(
            "imaging method",
            "screen imaging method",
            "experiment imaging method",
            "study imaging method",
            "imaging modality",
            "has imaging method",
            "has imaging method recorded type",
            "is about imaging method",
            "imaging method name",
            "modality",
        ),
        prefixes=("FBbi", "EFO", "EDAM"),
    ),
    Field(
        "phenotype",
        "term",
        "Phenotype seen.",
        facet=True,
        keys=("phenotype", "phenotype term name", "phenotype name"),
        prefixes=("CMPO", "PATO", "GO", "FYPO"),
    ),
    Field(
        "disease",
        "term",
        "Disease or diagnosis.",
        aliases=("diagnosis", "pathology"),
        facet=True,
        inherited=True,
        keys=("disease", "diagnosis", "disease state", "pathology"),
        prefixes=("DOID", "MONDO", "EFO"),
    ),
    Field(
        "development_stage",
        "term",
        "Developmental stage.",
        aliases=("stage",),
        inherited=True,
        keys=("developmental stage", "development stage"),
        prefixes=("UBERON", "EFO", "MmusDv", "HsapDv", "ZFS", "PO"),
    ),
    Field(
        "cell_cycle_phase",
        "term",
        "Phase of the cell cycle.",
        inherited=False,
        keys=("cell cycle phase",),
        prefixes=("GO",),
    ),
    Field("sex", "term", "Sex of the donor.", inherited=True, keys=("sex",), prefixes=("PATO",)),
    Field(
        "compound",
        "term",
        "Compound or drug.",
        aliases=("drug",),
        facet=True,
        keys=("compound", "compound name", "drug", "treatment compound"),
        prefixes=("CHEBI",),
    ),
    Field(
        "gene",
        "keyword",
        "Gene symbol.",
        facet=True,
        keys=("gene symbol", "hgnc gene symbol", "gene", "gene name", "has gene name"),
    ),
    Field(
        "antibody",
        "keyword",
        "Antibody or its target.",
        facet=False,
        keys=("antibody", "antibody target", "primary antibody"),
    ),
    Field(
        "study_type",
        "term",
        "Kind of study.",
        inherited=True,
        keys=("study type", "screen type", "experiment type", "screen technology type"),
        prefixes=("EFO",),
    ),
    Field("term", "term", "Any other term that a curator gave."),
    Field(
        "type",
        "keyword",
        "Kind of record: image, well, study, screen, plate, dataset ...",
        facet=True,
    ),
    Field("source", "keyword", "Archive that the record comes from.", facet=True),
    Field("study", "keyword", "Study that the record is or lies in.", facet=True),
    Field(
        "container",
        "keyword",
        "Screen, experiment, data set or plate that the record lies in.",
        facet=True,
    ),
    Field(
        "licence",
        "keyword",
        "Licence, as SPDX identifier.",
        aliases=("license",),
        facet=True,
        inherited=True,
    ),
    Field(
        "author",
        "keyword",
        "Creator's name.",
        aliases=("authors", "creator"),
        facet=True,
        inherited=True,
    ),
    Field("doi", "keyword", "DOI of the data or of a publication.", inherited=True),
    Field("identifier", "keyword", "Any other identifier.", inherited=True),
    Field(
        "cluster",
        "keyword",
        "Whatever is one data set in several sources: identifier of any of its records, or a name"
        " that one goes by.",
    ),
    Field("date", "date", "Release or acquisition date.", inherited=True),
    Field("size_x", "number", "Width.", unit="px"),
    Field("size_y", "number", "Height.", unit="px"),
    Field("size_z", "number", "Number of focal planes."),
    Field("size_t", "number", "Number of time points."),
    Field("channels", "number", "Number of channels.", aliases=("size_c",)),
    Field("pixel_size_x", "length", "Pixel width.", unit="um"),
    Field("pixel_size_y", "length", "Pixel height.", unit="um"),
    Field("pixel_size_z", "length", "Distance of focal planes.", unit="um"),
    Field("magnification", "number", "Nominal magnification of the objective."),
    Field("channel", "keyword", "Channel name or fluorophore.", facet=True),
    Field("format", "keyword", "File format.", facet=True),
    Field("pixel_type", "keyword", "Pixel type."),
)

_BY_NAME = {name: field for field in FIELDS for name in (field.name, *field.aliases)}
_BY_KEY = {key: field for field in FIELDS for key in field.keys}
_OWN_KEYS: dict[str, Field] = {}
_WRAPPED = re.compile(
    r"^(?:characteristics|experimental condition|comment)\s*\[(.+)\]$", re.IGNORECASE
)
_NUMBERED = re.compile(r"[ .]\d{1,3}$")


def counts_parts(curie: Curie) -> bool:
    """Whether a question for a term finds its parts: as the first field of its ontology says.

    >>> counts_parts(Curie("UBERON:0000955")), counts_parts(Curie("CL:0000540"))
    (True, False)
    """
    prefix = curie.partition(":")[0]
    return next((field.part_of for field in FIELDS if prefix in field.prefixes), False)


def field_named(name: str) -> Field | None:
    """Return the field of a name or alias; None when there is none.

    >>> field_named("method").name
    'imaging_method'
    """
    return _BY_NAME.get(name.lower())


def plain_key(key: str) -> str:
    """Return a source key without wrapping and case, for comparison.

    >>> plain_key("Characteristics [Cell Line]")
    'cell line'
    """
    match = _WRAPPED.match(key.strip())
    return " ".join((match.group(1) if match else key).replace("_", " ").lower().split())


@lru_cache(maxsize=65_536)
def field_of_key(key: str) -> Field | None:
    """Return the field that a source key's values belong to; None for other keys.

    >>> field_of_key("Characteristics [Organism]").name, field_of_key("Phenotype 12").name
    ('organism', 'phenotype')
    """
    plain = plain_key(key)
    for wording in (plain, _NUMBERED.sub("", plain)):
        found = _OWN_KEYS.get(wording) or _BY_KEY.get(wording)
        if found is not None:
            return found
    return None


def use_keys(keys: Mapping[str, Sequence[str]]) -> None:
    """Let the settings' own keys belong to fields, too, in this process; they count first.

    Raises ConfigError for a field that there is not.
    """
    own: dict[str, Field] = {}
    for name, wordings in keys.items():
        field = field_named(name)
        if field is None:
            raise ConfigError(
                f"there is no field {name!r}", where="ontology.keys", hint="see docs/fields.md"
            )
        own |= {plain_key(wording): field for wording in wordings}
    if own != _OWN_KEYS:
        _OWN_KEYS.clear()
        _OWN_KEYS.update(own)
        field_of_key.cache_clear()


def require_field(name: str, position: int = -1) -> Field:
    """Return the field of a name, or raise QueryInvalid that lists what there is."""
    field = field_named(name)
    if field is None:
        known = ", ".join(field.name for field in FIELDS)
        raise QueryInvalid(
            f"there is no field {name!r}",
            hint=f'fields are {known}; for a source\'s own key write kv:"{name}=value"',
            position=position,
            length=len(name),
        )
    return field
