"""What annotators know: ontology terms, and mappings that curators decided or archives taught."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from parfocal.config import Settings
from parfocal.interfaces import TermStore
from parfocal.mappings import Mapping, read_sssom

DECISIONS = "decisions.sssom.tsv"
LEARNED = "learned.sssom.tsv"


class Knowledge(Struct, frozen=True):
    """The terms, the decisions of curators here, and what curators of archives taught."""

    terms: TermStore
    decisions: tuple[Mapping, ...] = ()
    learned: tuple[Mapping, ...] = ()

    def version(self) -> str:
        """Return a text that changes whenever any of it does."""
        digest = hashlib.blake2b(self.terms.version().encode(), digest_size=8)
        for mappings in (self.decisions, self.learned):
            digest.update(msgspec.json.encode(mappings))
        return digest.hexdigest()


def decision_files(settings: Settings) -> tuple[Path, ...]:
    """Return the mapping files of the settings; the first one takes new decisions."""
    return settings.ontology.decisions or (settings.data_dir / DECISIONS,)


def learned_file(settings: Settings) -> Path:
    """Return the file that keeps what was learned from the harvested archives."""
    return settings.data_dir / LEARNED


def open_knowledge(settings: Settings, terms: TermStore) -> Knowledge:
    """Read all mapping files; one that the settings name must be there, others need not."""
    named = settings.ontology.decisions
    found = [path for path in decision_files(settings) if named or path.exists()]
    taught = learned_file(settings)
    return Knowledge(
        terms,
        tuple(_all(found)),
        read_sssom(taught) if taught.exists() else (),
    )


def _all(files: Sequence[Path]) -> list[Mapping]:
    return [mapping for path in files for mapping in read_sssom(path)]
