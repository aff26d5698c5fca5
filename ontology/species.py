"""Abbreviated species names, as people write those of the organisms they work with."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ontology.decisions import shipped_names
from parfocal.identifiers import Curie

# Binomials of common laboratory organisms; where an abbreviation fits two, the earlier one counts.
_COMMON = (
    ("Homo sapiens", 9606),
    ("Mus musculus", 10090),
    ("Rattus norvegicus", 10116),
    ("Drosophila melanogaster", 7227),
    ("Caenorhabditis elegans", 6239),
    ("Danio rerio", 7955),
    ("Saccharomyces cerevisiae", 4932),
    ("Schizosaccharomyces pombe", 4896),
    ("Arabidopsis thaliana", 3702),
    ("Escherichia coli", 562),
    ("Bacillus subtilis", 1423),
    ("Xenopus laevis", 8355),
    ("Xenopus tropicalis", 8364),
    ("Gallus gallus", 9031),
    ("Bos taurus", 9913),
    ("Sus scrofa", 9823),
    ("Canis lupus familiaris", 9615),
    ("Oryctolagus cuniculus", 9986),
    ("Macaca mulatta", 9544),
    ("Chlorocebus sabaeus", 60711),
    ("Cricetulus griseus", 10029),
    ("Dictyostelium discoideum", 44689),
    ("Plasmodium falciparum", 5833),
    ("Plasmodium berghei", 5821),
    ("Toxoplasma gondii", 5811),
    ("Trypanosoma brucei", 5691),
    ("Candida albicans", 5476),
    ("Aspergillus fumigatus", 746128),
    ("Mycobacterium tuberculosis", 1773),
    ("Staphylococcus aureus", 1280),
    ("Streptococcus pneumoniae", 1313),
    ("Salmonella enterica", 28901),
    ("Listeria monocytogenes", 1639),
    ("Pseudomonas aeruginosa", 287),
    ("Vibrio cholerae", 666),
    ("Chlamydomonas reinhardtii", 3055),
    ("Oryza sativa", 4530),
    ("Zea mays", 4577),
    ("Nicotiana benthamiana", 4100),
    ("Nicotiana tabacum", 4097),
    ("Solanum lycopersicum", 4081),
    ("Medicago truncatula", 3880),
    ("Physcomitrium patens", 3218),
    ("Marchantia polymorpha", 3197),
    ("Strongylocentrotus purpuratus", 7668),
    ("Ciona intestinalis", 7719),
    ("Nematostella vectensis", 45351),
    ("Hydra vulgaris", 6087),
    ("Schmidtea mediterranea", 79327),
    ("Platynereis dumerilii", 6359),
    ("Tribolium castaneum", 7070),
    ("Apis mellifera", 7460),
    ("Oryzias latipes", 8090),
    ("Ambystoma mexicanum", 8296),
)
_SHORT = re.compile(r"([A-Z][a-z]{0,4})\.?\s*([a-z]{2,})\.?(?:\s+([a-z]{3,})\.?)?")


def common_names() -> Iterator[tuple[str, Curie]]:
    """Yield (name, species) of common laboratory organisms: binomials, short forms, English names.

    >>> ("C. elegans", "NCBITaxon:6239") in set(common_names())
    True
    """
    for name, number in reversed(_COMMON):
        curie = Curie(f"NCBITaxon:{number}")
        genus, rest = name.split(" ", 1)
        yield name, curie
        yield f"{genus[0]}. {rest}", curie
    yield from ((text, term) for (_, text), term in shipped_names().of_field("organism"))


def species(text: str) -> Curie | None:
    """Return the common species that an abbreviated name stands for; None for anything else.

    >>> species("S. pombe"), species("D. mel."), species("E coli"), species("Dog")
    ('NCBITaxon:4896', 'NCBITaxon:7227', 'NCBITaxon:562', None)
    """
    match = _SHORT.fullmatch(text.strip())
    if not match or not ("." in text or len(match[1]) == 1):
        return None
    genus, epithet, _ = match.groups()
    whole = not text.rstrip().endswith(".")
    for name, number in _COMMON:
        first, second = name.split()[:2]
        fits = second == epithet if whole else second.startswith(epithet)
        if first.startswith(genus) and fits:
            return Curie(f"NCBITaxon:{number}")
    return None
