"""What an RO-Crate says its data are about: organisms, samples, methods, as claims; pure."""

from __future__ import annotations

from itertools import zip_longest
from typing import NamedTuple

from harvester.crates.crate import Crate, Json, term_of, texts, types, words
from harvester.words.accessions import read_accessions
from parfocal.model import Annotation, KeyValue

MAX_SHORT = 2000
MAX_VISITED = 500
_COMMON = ("vernacularName", "commonName", "common_name")
_FIELDS = {
    "NCBITaxon": "organism",
    "FBbi": "imaging_method",
    "CLO": "cell_line",
    "CL": "cell_type",
    "UBERON": "tissue",
}


class Meaning(NamedTuple):
    """Key-values, and curated claims beside them."""

    pairs: list[KeyValue]
    claims: list[Annotation]


def meaning(crate: Crate, root: Json) -> Meaning:
    """Return key-values and curated claims of what data are about and how they were imaged."""
    pairs: list[KeyValue] = []
    claims: list[Annotation] = []
    if not (root.get("about") or root.get("measurementMethod")):
        return anywhere(crate)
    for entity in crate.all(root, "about"):
        if "Taxon" in types(entity):
            _taxon(entity, pairs, claims)
        elif "BioSample" in types(entity):
            _sample(crate, entity, pairs, claims)
        else:
            _subject(entity, pairs, claims)
    for entity in crate.all(root, "measurementMethod"):
        if "LabProtocol" in types(entity):
            _protocol(crate, entity, pairs, claims)
        else:
            _method(entity, pairs, claims)
    return Meaning(pairs, claims)


def nearby(crate: Crate, entity: Json, depth: int = 3) -> Meaning:
    """Return the taxa and imaging methods that an entity refers to, also through others."""
    found = Meaning([], [])
    seen: set[int] = {id(crate.root)}

    def visit(held: Json, left: int) -> None:
        if id(held) in seen or len(seen) > MAX_VISITED:
            return
        seen.add(id(held))
        _tell(held, found)
        for name in held if left else ():
            if not name.startswith("@") and name not in ("hasPart", "isPartOf"):
                for inner in crate.all(held, name):
                    visit(inner, left - 1)

    visit(entity, depth)
    return found


def anywhere(crate: Crate) -> Meaning:
    """Return the taxa and imaging methods that a crate describes, whatever refers to them."""
    found = Meaning([], [])
    for entity in crate.entities.values():
        if entity is not crate.root:
            _tell(entity, found)
    return found


def _tell(entity: Json, found: Meaning) -> None:
    kinds = types(entity)
    if "Taxon" in kinds:
        _taxon(entity, *found)
    elif "DefinedTerm" in kinds:
        _method(entity, *found)
    elif "ImageAcquisitionProtocol" in kinds:
        names = [*texts(entity.get("imagingMethodName")), *texts(entity.get("imaging_method_name"))]
        numbers = [*texts(entity.get("fbbiId")), *texts(entity.get("fbbi_id"))]
        for name, number in zip_longest(names, numbers[: len(names)], fillvalue=""):
            found.pairs.append(KeyValue("Imaging Method", name))
            for term in read_accessions(number, "FBbi"):
                claim = Annotation(
                    "imaging_method", name, term, name, "curated", 1.0, "crate", "Imaging Method"
                )
                found.claims.append(claim)


def _claim(
    field: str, entity: Json, text: str, key: str, claims: list[Annotation], *, only: str = ""
) -> None:
    term = term_of(words(entity.get("@id")))
    if term is not None and text and (not only or term.startswith(f"{only}:")):
        claims.append(Annotation(field, text, term, text, "curated", 1.0, "crate", key))


def _taxon(entity: Json, pairs: list[KeyValue], claims: list[Annotation]) -> None:
    scientific = words(entity.get("scientificName")) or words(entity.get("scientific_name"))
    name = scientific or words(entity.get("name"))
    if name:
        pairs.append(KeyValue("Organism", name))
        _claim("organism", entity, name, "Organism", claims, only="NCBITaxon")
    common = next(filter(None, (words(entity.get(n)) for n in _COMMON)), "")
    if common:
        pairs.append(KeyValue("Common Name", common))


def _sample(crate: Crate, entity: Json, pairs: list[KeyValue], claims: list[Annotation]) -> None:
    for key, name in (("Biological Sample", "name"), ("Sample Description", "description")):
        text = words(entity.get(name))[:MAX_SHORT]
        if text and text not in [pair.value for pair in pairs]:
            pairs.append(KeyValue(key, text))
    for taxon in crate.all(entity, "taxonomicRange"):
        _taxon(taxon, pairs, claims)
    for line in crate.all(entity, "hasCellLine"):
        name = words(line.get("name")) or words(line.get("@id")).lstrip("#")
        if name:
            pairs.append(KeyValue("Cell Line", name))
            _claim("cell_line", line, name, "Cell Line", claims)


def _subject(entity: Json, pairs: list[KeyValue], claims: list[Annotation]) -> None:
    """A term that is neither taxon nor sample: a process, structure, cell line ..."""
    name = words(entity.get("name"))
    term = term_of(words(entity.get("@id")))
    field = _FIELDS.get(term.partition(":")[0], "term") if term else "term"
    key = field.replace("_", " ").title() if field != "term" else "Subject"
    if name:
        pairs.append(KeyValue(key, name))
        _claim(field, entity, name, key, claims)


def _method(entity: Json, pairs: list[KeyValue], claims: list[Annotation]) -> None:
    name = words(entity.get("name"))
    term = term_of(words(entity.get("@id")))
    if not name:
        return
    imaging = term is None or term.startswith(("FBbi:", "EDAM", "OBI:"))
    key, field = ("Imaging Method", "imaging_method") if imaging else ("Protocol", "term")
    pairs.append(KeyValue(key, name))
    _claim(field, entity, name, key, claims)


def _protocol(crate: Crate, entity: Json, pairs: list[KeyValue], claims: list[Annotation]) -> None:
    for technique in crate.all(entity, "measurementTechnique"):
        _method(technique, pairs, claims)
    for key, name in (
        ("Protocol", "name"),
        ("Protocol Description", "description"),
        ("Equipment", "labEquipment"),
    ):
        for text in texts(entity.get(name)):
            pairs.append(KeyValue(key, text[:MAX_SHORT]))
