"""Annotation of running text: what the titles, descriptions and protocols of studies mention."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property

from ontology.running_text import Found, PhraseBook
from parfocal import __version__
from parfocal.knowledge import Knowledge
from parfocal.model import MENTIONED, Annotation, Dataset, Record

SCORES = {"organism": 0.9, "imaging_method": 0.65, "cell_line": 0.85}
OTHER_SCORE = 0.6
_LONG_KEY = re.compile(r"description|protocol|abstract|summary|overview", re.IGNORECASE)


class MentionAnnotator:
    """Claims what a study or container mentions, in fields of which nothing else is known.

    Such a claim counts for the record itself; images do not inherit it.
    """

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge

    @cached_property
    def _book(self) -> PhraseBook:
        return PhraseBook(self._knowledge.terms)

    def annotate(self, record: Record) -> tuple[Annotation, ...]:
        """Return the annotations of a study or container with what its texts mention."""
        if not isinstance(record, Dataset):
            return record.annotations
        known = {claim.field for claim in record.annotations if claim.believed}
        found: dict[tuple[str, str], Annotation] = {}
        for key, text in _texts(record):
            for one in self._book.find(text):
                if one.field not in known:
                    found.setdefault((one.field, one.term), self._claim(key, one))
        return (*record.annotations, *found.values()) if found else record.annotations

    def _claim(self, key: str, found: Found) -> Annotation:
        term = self._knowledge.terms.get(found.term)
        return Annotation(
            field=found.field,
            text=found.text,
            term=found.term,
            label=term.label if term else "",
            method=MENTIONED,
            score=SCORES.get(found.field, OTHER_SCORE),
            by=f"parfocal {__version__}",
            key=key,
            start=found.start,
        )


def _texts(record: Dataset) -> Iterator[tuple[str, str]]:
    yield "title", record.title
    yield "description", record.description
    for pair in record.key_values:
        if _LONG_KEY.search(pair.key):
            yield pair.key, pair.value
