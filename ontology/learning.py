"""Learning from the harvested archives what curators agree that texts mean."""

from __future__ import annotations

from collections.abc import Iterator

from ontology.checked import CURATED
from ontology.learned import Mappings
from parfocal.identifiers import RecordId
from parfocal.interfaces import RecordStore
from parfocal.model import Dataset, Record
from parfocal.projecting import Ancestors

_A_READ = 2000


def learn(store: RecordStore) -> Mappings:
    """Learn from the curated claims of all public records, one word for each study.

    What only some may see is not learned from: its texts would show in the file.
    """
    learned = Mappings()
    ancestors = Ancestors(store)
    for record in _public(store):
        claims = [claim for claim in record.annotations if claim.method == CURATED]
        if claims:
            study = _study(record, ancestors)
            for claim in claims:
                learned.learn(claim.field, claim.text, claim.term, study)
    return learned


def _public(store: RecordStore) -> Iterator[Record]:
    after = 0
    while page := store.records(after=after, limit=_A_READ):
        after = page[-1].seq
        yield from (
            change.record
            for change in page
            if change.record is not None and change.record.access.public
        )


def _study(record: Record, ancestors: Ancestors) -> RecordId:
    above: tuple[Dataset, ...] = ancestors.of(record)
    return above[-1].id if above else record.id
