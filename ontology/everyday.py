"""Words of everyday scientific language that are also names of terms, but say nothing in a text."""

from __future__ import annotations

_WORDS = """
abnormal acid action active activity adult affected age aging alpha analysis anatomical animal
area array aspect assay atlas band base beta binding biological blue body border boundary branch
bright canal cancer cap case cavity cell cellular center central chain change channel circle
class cluster collection column complex component compound computed conduct contrast control
core cover culture cycle damage data death defect degree design detection development device
direct disease disorder display division domain dominant donor dorsal drug duct dynamic edge
effect element end energy entity envelope event experiment expression extension external face
factor failure feature fiber field film filter fixed flow fluid fluorescent form formation
fragment front function gamma general genome genotype gland gradient graph green group growth
head high hollow human image imaging immature increase individual inner intensity internal joint
junction juvenile label layer length lesion level light line link localization location long
loss low machine male mark marker mass matrix mature measurement median medium membrane method
microscope microscopy mixed mode model module morphology mother motion movement network normal
nuclear number object one open optical order organ organism origin outer pair panel part
particle pattern peak phase phenotype place plan plant plate point pole pool population pore
position positive posterior process product profile projection protein quality range rate ratio
red region regulation response result ring root sample scale screen section segment sequence
series set shape sheet side signal single site size skeleton slice slide small source space
specimen speed spine spot stage stain staining stalk standard state stem step stomach strain
stress structure study subject substance surface symptom system tag target technique temperature
term test texture time tip tissue tool total track transition treatment trunk tube type unit
upper variation vector ventral vessel view virus volume wall wave white whole wide width wild
yellow zone
"""
EVERYDAY = frozenset(_WORDS.split())
