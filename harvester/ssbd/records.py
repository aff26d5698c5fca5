"""Records of SSBD's RDF: projects are studies, data sets lie in them, OME-Zarr are images; pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

import pyoxigraph as ox

from harvester.crates.crate import term_of
from harvester.ssbd.graph import Piece, local_name, read_triples
from harvester.words.coerce import read_date
from harvester.words.dois import read_doi
from harvester.words.licences import spdx
from harvester.words.people import person
from harvester.words.units import quantity
from parfocal.fields import field_of_key
from parfocal.identifiers import record_id
from parfocal.model import (
    Annotation,
    Dataset,
    Image,
    KeyValue,
    Link,
    Person,
    Provenance,
    Publication,
    Record,
)

BY = "ssbd"
MAX_DEPTH = 6
_FIELDS = {
    "NCBITaxon": "organism",
    "FBbi": "imaging_method",
    "CLO": "cell_line",
    "CL": "cell_type",
    "UBERON": "tissue",
}
_NOTHING = ("type", "label", "has_dataset_output", "RO_0002234")
_PROJECT = (
    *("has_dataset_title", "has_description", "has_license", "has_project_url"),
    *("has_project_participant", "has_project_publications"),
)
_DATES = ("has_release_date", "has_open_date", "has_submission_date", "has_update_date")
_DIGITS = re.compile(r"\d{1,9}")
Object = ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple


class Facts:
    """What a piece's triples say, by subject and the plain name of the predicate."""

    def __init__(self, piece: Piece) -> None:
        self.subject = piece.subject
        self._of: dict[str, dict[str, list[Object]]] = {}
        for triple in read_triples(piece.triples):
            names = self._of.setdefault(_key(triple.subject), {})
            names.setdefault(local_name(triple.predicate.value), []).append(triple.object)

    def about(self, node: str) -> dict[str, list[Object]]:
        """Return what is said of a node, without labels and types."""
        held = self._of.get(node, {})
        return {name: held[name] for name in sorted(held) if name not in _NOTHING}

    def nodes(self, node: str, *names: str) -> Iterator[str]:
        """Yield the nodes that a node refers to by predicates of these names."""
        for name in names:
            for held in self._of.get(node, {}).get(name, ()):
                if not isinstance(held, (ox.Literal, ox.Triple)):
                    yield _key(held)

    def texts(self, node: str, *names: str) -> list[str]:
        """Return the texts of a node's predicates of these names; of an IRI itself."""
        found = (held for name in names for held in self._of.get(node, {}).get(name, ()))
        return [_text(held) for held in found if _text(held)]

    def text(self, node: str, *names: str) -> str:
        """Return the first text of a node's predicates of these names."""
        return next(iter(self.texts(node, *names)), "")

    def label(self, node: str) -> str:
        """Return a node's label, the English one if there are several; "" when it has none."""
        held = [
            one for one in self._of.get(node, {}).get("label", []) if isinstance(one, ox.Literal)
        ]
        english = [one for one in held if one.language in (None, "en")] or held
        return min((one.value for one in english), default="")

    def kind(self, node: str) -> str:
        """Return the kind of a node, as SSBD calls it."""
        names = [local_name(_key(held)) for held in self._of.get(node, {}).get("type", [])]
        return next((name for name in sorted(names) if name.startswith("SSBD")), "")

    def others(self) -> Iterator[str]:
        """Yield the nodes beside the subject that SSBD gives a kind."""
        return (node for node in sorted(self._of) if node != self.subject and self.kind(node))


def _key(node: Object) -> str:
    return str(node) if isinstance(node, ox.BlankNode) else str(getattr(node, "value", node))


def _text(held: Object) -> str:
    return "" if isinstance(held, (ox.BlankNode, ox.Triple)) else held.value.strip()


def read_piece(piece: Piece, source: str) -> Iterator[Record]:
    """Yield a project, or a data set with its OME-Zarr images."""
    facts = Facts(piece)
    if facts.kind(piece.subject) == "SSBD_Project":
        yield _project(piece, facts, source)
        return
    yield _dataset(piece, facts, source)
    for node in facts.others():
        if "ZARR" in facts.kind(node).upper():
            yield _image(piece, facts, node, source)


# ------------------------------------------------------------------ projects


def _project(piece: Piece, facts: Facts, source: str) -> Dataset:
    here = piece.subject
    pairs, _ = _meaning(facts, here, _PROJECT)
    page = f"https://ssbd.riken.jp/database/project/{piece.native}/"
    links = [Link(page, "Landing page", "landing")]
    links += [Link(url, "Project") for url in facts.texts(here, "has_project_url") if url != page]
    return Dataset(
        id=record_id(source, piece.native),
        ome_type="Study",
        title=facts.text(here, "has_dataset_title") or piece.native,
        description="\n\n".join(dict.fromkeys(facts.texts(here, "has_description"))),
        provenance=Provenance(source, piece.native, here),
        key_values=tuple(pairs),
        links=tuple(dict.fromkeys(links)),
        date=next(filter(None, (read_date(facts.text(here, name)) for name in _DATES)), ""),
        licence=spdx("", facts.text(here, "has_license")),
        creators=tuple(_people(facts)),
        publisher="SSBD",
        publications=tuple(_papers(facts)),
    )


def _people(facts: Facts) -> Iterator[Person]:
    for node in sorted(set(facts.nodes(facts.subject, "has_project_participant"))):
        place = ("has_department", "has_organization", "has_address")
        given = (facts.text(node, "has_first_name"), facts.text(node, "has_middle_name"))
        made = person(
            "",
            given=" ".join(filter(None, given)),
            family=facts.text(node, "has_family_name"),
            orcid=facts.text(node, "has_orcid"),
            affiliation=", ".join(filter(None, (facts.text(node, name) for name in place))),
            email=facts.text(node, "has_email"),
            roles=facts.texts(node, "has_role"),
        )
        if made.name:
            yield made


def _papers(facts: Facts) -> Iterator[Publication]:
    for node in sorted(set(facts.nodes(facts.subject, "has_project_publications"))):
        pubmed = _DIGITS.search(facts.text(node, "has_PMID", "has_pubmed_id"))
        central = _DIGITS.search(facts.text(node, "has_PMCID", "has_pmc_id"))
        made = Publication(
            title=facts.text(node, "has_paper_information", "has_notes"),
            doi=read_doi(facts.text(node, "has_doi")),
            pubmed=pubmed.group() if pubmed else "",
            pmc=f"PMC{central.group()}" if central else "",
        )
        if made != Publication():
            yield made


# ------------------------------------------------------------------ data sets and images


def _dataset(piece: Piece, facts: Facts, source: str) -> Dataset:
    pairs, claims = _meaning(facts, piece.subject, ("has_dataset_title",))
    zarr = [node for node in facts.others() if "ZARR" in facts.kind(node).upper()]
    return Dataset(
        id=record_id(source, piece.native),
        ome_type="Dataset",
        title=facts.text(piece.subject, "has_dataset_title") or piece.native,
        part_of=record_id(source, piece.parent) if piece.parent else None,
        provenance=Provenance(source, piece.native, piece.subject),
        key_values=tuple(pairs),
        annotations=tuple(claims),
        thumbnail=next(filter(None, (_picture(facts, node) for node in zarr)), ""),
    )


def _image(piece: Piece, facts: Facts, node: str, source: str) -> Image:
    native = f"{piece.native}/{local_name(node)}"
    viewers = [Link(url, "Vizarr", "viewer") for url in facts.texts(node, "has_vizarr_url")]
    if not _picture(facts, node):
        pages = facts.texts(node, "has_thumbnail_url")
        viewers += [Link(url, "OMERO", "viewer") for url in pages]
    scales = [other for other in facts.others() if facts.kind(other) == "SSBD_dimension_data"]
    x, y, z, t = (
        next(filter(None, (quantity(facts.text(s, f"has_{axis}_scale")) for s in scales)), None)
        for axis in "xyzt"
    )
    told = ("has_s3_endpoint", "has_thumbnail_url", "has_vizarr_url", "has_license")
    pairs, claims = _meaning(facts, node, told, alone=True)
    return Image(
        id=record_id(source, native),
        title=facts.label(node) or local_name(node),
        part_of=record_id(source, piece.native),
        provenance=Provenance(source, native, node),
        key_values=tuple(pairs),
        annotations=tuple(claims),
        links=tuple(viewers),
        thumbnail=_picture(facts, node),
        licence=spdx("", facts.text(node, "has_license")),
        location=facts.text(node, "has_s3_endpoint"),
        format="OME-Zarr",
        size_x=_number(facts.text(node, "has_size_x")),
        size_y=_number(facts.text(node, "has_size_y")),
        size_z=_number(facts.text(node, "has_size_z")),
        size_c=_number(facts.text(node, "has_size_c")),
        size_t=_number(facts.text(node, "has_size_t")),
        pixel_size_x=x,
        pixel_size_y=y,
        pixel_size_z=z,
        time_increment=t,
    )


def _picture(facts: Facts, node: str) -> str:
    """Return the address of a small picture; what is given as one may be a viewer's page."""
    address = facts.text(node, "has_thumbnail_url")
    return "" if "/?" in address or address.endswith("/") else address


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 12 else None


def _meaning(
    facts: Facts, node: str, without: Collection[str], *, alone: bool = False
) -> tuple[dict[KeyValue, None], dict[Annotation, None]]:
    """Return pairs and curated claims of a node, and of those that it refers to or goes with."""
    pairs: dict[KeyValue, None] = {}
    claims: dict[Annotation, None] = {}
    seen: set[str] = set()

    def visit(held: str, depth: int) -> None:
        if held in seen or depth > MAX_DEPTH:
            return
        seen.add(held)
        space = "" if held == node else facts.kind(held)
        for name, objects in facts.about(held).items():
            if held == node and name in without:
                continue
            for one in sorted(objects, key=str):
                inner = _key(one)
                if not isinstance(one, ox.Literal) and facts.about(inner) and facts.kind(inner):
                    visit(inner, depth + 1)
                else:
                    _tell(facts, name, one, space)

    def _tell(facts: Facts, name: str, held: Object, space: str) -> None:
        term = None if isinstance(held, ox.Literal) else term_of(_key(held))
        text = facts.label(_key(held)) or (str(term) if term else _text(held))
        if not text:
            return
        pairs[KeyValue(name, text, space)] = None
        if term is not None and not term.startswith("UO:"):
            field = field_of_key(name)
            known = field.name if field else _FIELDS.get(term.partition(":")[0], "term")
            claims[Annotation(known, text, term, text, "curated", 1.0, BY, name)] = None

    visit(node, 0)
    for other in () if alone else facts.others():
        if facts.kind(node) == "SSBD_dataset" and "ZARR" not in facts.kind(other).upper():
            visit(other, 1)
    return pairs, claims
