"""CURIEs in any writing: ``NCBITaxon_9606``, an OBO, EFO or CMPO address, odd case."""

from __future__ import annotations

import re

from parfocal.identifiers import Curie

_WRITTEN = (
    "NCBITaxon FBbi CMPO EFO CLO BTO CL UBERON PO ZFA ZFS ZFIN FBbt FBdv FBcv WBbt WBls MA EMAPA"
    " GO CHEBI DOID MONDO HP MP PATO FYPO EDAM MmusDv HsapDv CVCL NCIT OBI IAO BFO RO SO SBO MOD"
    " BAO Orphanet UO MS PR ECO CARO TAO AEO XAO SNOMEDCT MESH HANCESTRO ENVO OGMS IDO OMIT ERO"
    " STATO MI CIO PLANA MAT APO WBPhenotype"
)
_CANONICAL = {name.lower(): name for name in _WRITTEN.split()} | {
    "ncbi_taxon": "NCBITaxon",
    "taxonomy": "NCBITaxon",
    "taxon": "NCBITaxon",
    "ncbitaxonomy": "NCBITaxon",
    "taxid": "NCBITaxon",
    "cellosaurus": "CVCL",
    "ordo": "Orphanet",
}
_COMPACT = re.compile(r"([A-Za-z][A-Za-z0-9.-]*(?:_[A-Za-z]+)?)[:_]([A-Za-z0-9][A-Za-z0-9_.\-]*)")
_ADDRESS = re.compile(r"<?https?://(\S+?)>?")
_SPACES = (
    "purl.obolibrary.org/obo/",
    "www.ebi.ac.uk/efo/",
    "www.ebi.ac.uk/cmpo/",
    "www.ebi.ac.uk/clo/",
    "www.orpha.net/ordo/",
    "www.bioassayontology.org/bao#",
    "purl.bioontology.org/obo/",
)
_SETS = ("obo", "efo", "cmpo", "clo")
"""Prefixes of whole sets of ontologies, or of one that tells others' terms: obo:CL_0000540."""
_RESOLVERS = ("identifiers.org/", "www.identifiers.org/", "bioregistry.io/", "n2t.net/")
_FORMATS = "data|format|operation|topic"


def canonical_prefix(prefix: str) -> str:
    """Return a prefix as its ontology writes it; an unknown one as it stands.

    >>> canonical_prefix("ncbitaxon")
    'NCBITaxon'
    """
    return _CANONICAL.get(prefix.lower(), prefix)


def known_prefix(curie: Curie) -> bool:
    """Whether a CURIE's prefix is that of an ontology known here.

    >>> known_prefix(Curie("CL:0000540")), known_prefix(Curie("note:1"))
    (True, False)
    """
    return curie.partition(":")[0].lower() in _CANONICAL


def curie_of(text: str) -> Curie | None:
    """Read a CURIE in any writing; None for what is none.

    A prefix that is not known here counts only as ``prefix:local``.

    >>> curie_of("http://purl.obolibrary.org/obo/FBbi_00000253"), curie_of("ncbitaxon_9606")
    ('FBbi:00000253', 'NCBITaxon:9606')
    >>> curie_of("obo:CL_0000540"), curie_of("efo:EFO_0001185")
    ('CL:0000540', 'EFO:0001185')
    """
    stripped = text.strip()
    if len(stripped) > 300:
        return None
    address = _ADDRESS.fullmatch(stripped)
    if address:
        return _of_address(address.group(1))
    return _of_compact(stripped)


def _of_compact(text: str) -> Curie | None:
    match = _COMPACT.fullmatch(text)
    if not match:
        return None
    prefix, local = match.groups()
    inner = _COMPACT.fullmatch(local)
    if inner and prefix.lower() in _SETS and inner[1].lower() in _CANONICAL:
        return _of_compact(local)
    known = prefix.lower() in _CANONICAL
    if not known and text[len(prefix)] == "_":
        return None
    repeated = f"{prefix}_".lower()
    if local.lower().startswith(repeated):
        local = local[len(repeated) :]
    return Curie(f"{canonical_prefix(prefix)}:{local}")


def _of_address(address: str) -> Curie | None:
    lowered = address.lower()
    for space in _SPACES:
        if lowered.startswith(space):
            prefix, _, local = address[len(space) :].rpartition("_")
            return Curie(f"{canonical_prefix(prefix)}:{local}") if _plain(prefix, local) else None
    for resolver in _RESOLVERS:
        if lowered.startswith(resolver):
            return _of_compact(address[len(resolver) :].replace("/", ":", 1))
    edam = re.fullmatch(rf"edamontology\.org/((?:{_FORMATS})_[\w-]+)", address)
    return Curie(f"EDAM:{edam.group(1)}") if edam else None


def _plain(prefix: str, local: str) -> bool:
    return bool(
        re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]*", prefix) and re.fullmatch(r"[\w.-]+", local)
    )
