"""A tolerant reader of OWL in RDF/XML: element by element, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from lxml import etree
from msgspec import Struct, field

from ontology.document import Document, Skipped, ontology_name, version_name
from ontology.obo import replaced
from parfocal.errors import OntologyInvalid
from parfocal.identifiers import Curie
from parfocal.prefixes import curie_of
from parfocal.values import TermInfo

OWL = "http://www.w3.org/2002/07/owl#"
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
OIO = "http://www.geneontology.org/formats/oboInOwl#"
OBO = "http://purl.obolibrary.org/obo/"
PART_OF = {OBO + "BFO_0000050", OBO + "part_of", OIO + "part_of", OBO + "OBO_REL_part_of"}
SKOS = "http://www.w3.org/2004/02/skos/core#"
SYNONYMS = {
    OIO + "hasExactSynonym": "EXACT",
    OIO + "hasNarrowSynonym": "NARROW",
    OIO + "hasBroadSynonym": "BROAD",
    OIO + "hasRelatedSynonym": "RELATED",
    OBO + "IAO_0000118": "EXACT",
    "http://www.ebi.ac.uk/efo/alternative_term": "EXACT",
    SKOS + "altLabel": "EXACT",
    SKOS + "hiddenLabel": "RELATED",
    OIO + "hasSynonym": "RELATED",
}
LABELS = {RDFS + "label", SKOS + "prefLabel"}
DEFINITIONS = {OBO + "IAO_0000115", OIO + "hasDefinition", SKOS + "definition"}
REPLACED = {OBO + "IAO_0100001"}
ALTERNATIVES = {OIO + "hasAlternativeId"}
DEPRECATED = OWL + "deprecated"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


class Draft(Struct):
    """A class while its statements are being collected."""

    curie: Curie
    iri: str = ""
    labels: list[tuple[str, str]] = field(default_factory=list)
    synonyms: list[tuple[str, str]] = field(default_factory=list)
    parents: list[Curie] = field(default_factory=list)
    part_of: list[Curie] = field(default_factory=list)
    replaced_by: list[Curie] = field(default_factory=list)
    former: list[Curie] = field(default_factory=list)
    obsolete: bool = False
    definition: str = ""

    def say(self, predicate: str, value: str, language: str = "") -> None:
        """Take in one statement about the class, value being text or an address."""
        text = " ".join(value.split())
        if not text:
            return
        if predicate in LABELS:
            self.labels.append((language, text))
        elif predicate in SYNONYMS:
            self.synonyms.append((SYNONYMS[predicate], text))
        elif predicate in DEFINITIONS:
            self.definition = self.definition or text
        elif predicate == DEPRECATED:
            self.obsolete = text.lower() in ("true", "1")
        elif predicate in REPLACED or predicate in ALTERNATIVES:
            curie = curie_of(text)
            if curie:
                (self.replaced_by if predicate in REPLACED else self.former).append(curie)

    def term(self, ontology: str) -> TermInfo:
        """Return what was collected; an English label is preferred, others become synonyms."""
        labels = sorted(
            self.labels, key=lambda pair: not pair[0].startswith("en") and pair[0] != ""
        )
        label = labels[0][1] if labels else ""
        others = [("EXACT", text) for _, text in labels[1:] if text != label]
        return TermInfo(
            curie=self.curie,
            label=label,
            ontology=ontology,
            synonyms=tuple(dict.fromkeys(self.synonyms + others)),
            parents=tuple(dict.fromkeys(self.parents)),
            obsolete=self.obsolete,
            replaced_by=tuple(dict.fromkeys(self.replaced_by)),
            definition=self.definition,
            iri=self.iri,
            part_of=tuple(dict.fromkeys(self.part_of)),
        )


class Header(Struct):
    """What an ontology says of itself."""

    name: str = ""
    version: str = ""


def read_owl(stream: BinaryIO, path: Path) -> Document:
    """Read OWL in RDF/XML from its bytes: classes with an address, without restrictions."""
    skipped, header = Skipped(), Header()
    drafts = _drafts(stream, header, skipped, str(path))
    first = next(drafts, None)
    if first is None:
        raise OntologyInvalid(
            "the file holds no class with an address", where=str(path), hint="is it an ontology?"
        )
    name = ontology_name(header.name, path)
    return Document(
        name=name,
        version=version_name(header.version, path),
        reader="owl",
        terms=told(chain([first], drafts), name),
        skipped=skipped,
    )


def told(drafts: Iterator[Draft], ontology: str) -> Iterator[TermInfo]:
    """Yield the terms of finished drafts, then the former ids."""
    former: dict[Curie, Curie] = {}
    for draft in drafts:
        yield draft.term(ontology)
        former.update(dict.fromkeys(draft.former, draft.curie))
    yield from replaced(former, ontology)


def _drafts(stream: BinaryIO, header: Header, skipped: Skipped, where: str) -> Iterator[Draft]:
    try:
        for element in _top_elements(stream):
            tag = str(element.tag).replace("{", "").replace("}", "")
            if tag == OWL + "Ontology":
                _read_header(element, header)
            elif tag == OWL + "Class" or _typed_as_class(element):
                draft = _draft(element, skipped)
                if draft:
                    yield draft
            else:
                skipped.note(f"{tag.rpartition('#')[2].rpartition('/')[2]}, not a class")
    except etree.XMLSyntaxError as error:
        raise OntologyInvalid(
            f"the XML is broken: {error.msg}", where=where, hint="download the file again"
        ) from error


def _top_elements(stream: BinaryIO) -> Iterator[etree._Element]:
    """Yield the children of the root, each freed when the next is asked for."""
    depth = 0
    events = etree.iterparse(
        stream, events=("start", "end"), no_network=True, remove_comments=True, remove_pis=True
    )
    for event, element in events:
        depth += 1 if event == "start" else -1
        if event == "end" and depth == 1:
            yield element
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]


def _typed_as_class(element: etree._Element) -> bool:
    kinds = {child.get(RDF + "resource") for child in element if child.tag == RDF + "type"}
    return OWL + "Class" in kinds or SKOS + "Concept" in kinds


def _read_header(element: etree._Element, header: Header) -> None:
    header.name = element.get(RDF + "about") or ""
    for child in element:
        tag = str(child.tag)
        if tag == f"{{{OWL}}}versionIRI":
            header.version = child.get(RDF + "resource") or header.version
        elif tag == f"{{{OWL}}}versionInfo" and not header.version:
            header.version = (child.text or "").strip()


def _draft(element: etree._Element, skipped: Skipped) -> Draft | None:
    iri = element.get(RDF + "about") or ""
    curie = curie_of(iri)
    if curie is None:
        skipped.note("class whose address is no CURIE" if iri else "class without address", iri)
        return None
    draft = Draft(curie, iri)
    for child in element:
        predicate = str(child.tag).replace("{", "").replace("}", "")
        resource = child.get(RDF + "resource") or ""
        if predicate in (RDFS + "subClassOf", SKOS + "broader"):
            parent = curie_of(resource or _named_class(child))
            whole = None if parent else curie_of(_whole(child))
            if parent:
                draft.parents.append(parent)
            elif whole:
                draft.part_of.append(whole)
        else:
            draft.say(predicate, resource or child.text or "", child.get(_LANGUAGE) or "")
    return draft


def _named_class(element: etree._Element) -> str:
    """Return the address of a class written out inside subClassOf; "" for restrictions."""
    for child in element:
        if child.tag == f"{{{OWL}}}Class":
            return child.get(RDF + "about") or ""
    return ""


def _whole(element: etree._Element) -> str:
    """Return the address of a class in a plain ``part_of some class`` inside subClassOf, or ""."""
    for restriction in element.iterchildren(f"{{{OWL}}}Restriction"):
        found = {str(part.tag): part for part in restriction}
        relation = found.get(f"{{{OWL}}}onProperty")
        whole = found.get(f"{{{OWL}}}someValuesFrom")
        if relation is None or whole is None or relation.get(RDF + "resource") not in PART_OF:
            continue
        return whole.get(RDF + "resource") or _named_class(whole)
    return ""
