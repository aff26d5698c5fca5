"""What an RO-Crate within an OME-Zarr group, or a row of a list, says of it; pure.

The crates of the NGFF challenge name a licence, and through an image acquisition the imaging
method (FBbi) and the organism (NCBI taxonomy) by identifiers alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from harvester.crates.crate import Crate, Json, open_crate, term_of, types, words
from harvester.crates.crate_study import study_of
from harvester.formats.zarr_tree import CRATE
from parfocal.errors import SourceMalformed
from parfocal.identifiers import Curie
from parfocal.model import Annotation, Dataset, KeyValue, Record
from parfocal.values import Problem

_TAXON = re.compile(r"NCBI:txid0*(\d{1,10})$")
_ORGANISM = ("organism", "Organism")
_METHOD = ("imaging_method", "Imaging Method")
_PREFIXES = {"organism": "NCBITaxon:", "imaging_method": "FBbi:"}
_MOST_STEPS = 32


def term_in(text: str) -> Curie | None:
    """Read a term from the identifiers that the NGFF challenge writes.

    >>> term_in("NCBI:txid9606"), term_in("obo:FBbi_00000246"), term_in("brightfield")
    ('NCBITaxon:9606', 'FBbi:00000246', None)
    """
    taxon = _TAXON.search(text)
    return Curie(f"NCBITaxon:{taxon[1]}") if taxon else term_of(text)


def claims_of(
    field: str, key: str, identifier: str, name: str = "", *, by: str = "crate"
) -> tuple[KeyValue, tuple[Annotation, ...]]:
    """Return the pair and the claim of a thing that is named by an identifier, perhaps a name."""
    text = name or identifier
    term = term_in(identifier)
    if term is None or not term.startswith(_PREFIXES[field]):
        return KeyValue(key, text), ()
    return KeyValue(key, text), (Annotation(field, text, term, text, "curated", 1.0, by, key),)


def _acquired(crate: Crate) -> Iterator[tuple[str, str, str, str]]:
    """Yield (field, key, identifier, name) of what acquisitions of the crate's data name."""
    waiting = list(crate.all(crate.root, "resultOf", "acquisiton_method", "biological_entity"))
    if not waiting:
        waiting = [e for e in crate.entities.values() if "image_acquisition" in types(e)]
    seen: set[int] = set()
    while waiting and len(seen) < _MOST_STEPS:
        entity = waiting.pop(0)
        if id(entity) in seen:
            continue
        seen.add(id(entity))
        for held in crate.all(entity, "fbbi_id"):
            yield (*_METHOD, words(held.get("@id")) or words(held.get("name")), _name(held))
        for held in crate.all(entity, "organism_classification", "organism_id"):
            yield (*_ORGANISM, words(held.get("@id")) or words(held.get("name")), _name(held))
        waiting += crate.all(entity, "specimen", "biosample", "biological_entity")


def _name(entity: Json) -> str:
    return words(entity.get("scientificName")) or words(entity.get("name"))


def study_in(content: bytes, record: Record) -> Dataset:
    """Return what a crate within a group says, as a study; SourceMalformed when it is no crate."""
    crate = open_crate(content)
    study = study_of(crate, record.id, record.provenance)
    pairs, claims = list(study.key_values), list(study.annotations)
    for field, key, identifier, name in _acquired(crate):
        if identifier:
            pair, more = claims_of(field, key, identifier, name)
            pairs.append(pair)
            claims += more
    return replace(
        study,
        title=words(crate.root.get("name")),
        key_values=tuple(dict.fromkeys(pairs)),
        annotations=tuple(dict.fromkeys(claims)),
    )


def with_crate(
    made: Iterable[Record | Problem], documents: Mapping[str, bytes], path: str
) -> Iterator[Record | Problem]:
    """Yield what was made of a group; what its crate says goes to the record of the whole group."""
    content = documents.get(CRATE, b"")
    for one in made:
        if content and not isinstance(one, Problem):
            try:
                one = with_study(one, study_in(content, one))
            except SourceMalformed as error:
                yield Problem(f"{path}/{CRATE}", error.message, error.where, severity="warning")
            content = b""
        yield one


def with_study(record: Record, study: Dataset) -> Record:
    """Return a record with what a crate or row adds; the record's own words come first."""
    path = record.provenance.native_id.rpartition("/")[2]
    named = record.title and record.title != path
    if isinstance(record, Dataset):
        keywords = record.keywords or study.keywords
        publications = record.publications or study.publications
        record = replace(record, keywords=keywords, publications=publications)
    return replace(
        record,
        title=record.title if named or not study.title else study.title,
        description=record.description or study.description,
        key_values=tuple(dict.fromkeys((*record.key_values, *study.key_values))),
        annotations=tuple(dict.fromkeys((*record.annotations, *study.annotations))),
        links=tuple(dict.fromkeys((*record.links, *study.links))),
        thumbnail=record.thumbnail or study.thumbnail,
        date=record.date or study.date,
        licence=record.licence or study.licence,
        creators=record.creators or study.creators,
        identifiers=tuple(dict.fromkeys((*record.identifiers, *study.identifiers))),
        same_as=tuple(dict.fromkeys((*record.same_as, *study.same_as))),
    )
