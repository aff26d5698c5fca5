"""The names of the fields' ontologies in memory, for comparing wordings instead of letters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from msgspec import Struct

from ontology.wording import name_forms, squash, text_forms
from parfocal.identifiers import Curie
from parfocal.interfaces import TermStore

MOST_NAMES = 600_000
"""Names of one ontology up to which they are held; a larger one is only asked for exact names."""
_SCOPES = {"LABEL": 0, "EXACT": 1, "NARROW": 2, "BROAD": 3, "RELATED": 4}
_NEAR = 4
_MOST_MEANINGS = 16
"""Terms of one wording that are kept; what means more than these says nothing."""
_CLOSE = 90.0
_WORTH_COMPARING = 12


class Found(Struct, frozen=True):
    """A term found by wording: how well the name fits (0 is best), and which form of the text."""

    curie: Curie
    scope: int
    form: str
    method: str


class Dictionary:
    """Names by their wording, for the ontologies of some prefixes.

    An ontology with more than ``MOST_NAMES`` names stays in the term store.
    """

    def __init__(self, terms: TermStore, prefixes: Iterable[str]) -> None:
        self._names: dict[str, tuple[tuple[Curie, int], ...]] = {}
        self._near: dict[tuple[str, str], list[str]] = {}
        for prefix in dict.fromkeys(prefixes):
            held = list(islice(terms.names(prefix), MOST_NAMES + 1))
            if len(held) <= MOST_NAMES:
                self._add(prefix, held)

    def _add(self, prefix: str, names: list[tuple[Curie, str, str]]) -> None:
        for curie, scope, text in names:
            rank = 2 * _SCOPES.get(scope, 4)
            self._enter(prefix, squash(text), curie, rank)
            for form in name_forms(text):
                self._enter(prefix, squash(form), curie, rank + 1)

    def _enter(self, prefix: str, wording: str, curie: Curie, rank: int) -> None:
        if not wording:
            return
        known = self._names.get(wording, ())
        if len(known) >= _MOST_MEANINGS:
            return
        if not any(other == curie and better <= rank for other, better in known):
            self._names[wording] = (*(pair for pair in known if pair[0] != curie), (curie, rank))
        if len(wording) >= _WORTH_COMPARING and not known:
            self._near.setdefault((prefix, wording[:_NEAR]), []).append(wording)

    def find(self, text: str, prefixes: Sequence[str]) -> Found | None:
        """Return the term that a text names in other wording; earlier prefixes are preferred."""
        if not squash(text):
            return None
        for form in (text, *text_forms(text)):
            best = self._best(squash(form), prefixes)
            if best is not None:
                return Found(*best, form, "wording")
        return None

    def find_misspelt(self, text: str, prefixes: Sequence[str]) -> Found | None:
        """Return the term of a name that differs from the text by a letter or two."""
        from rapidfuzz import fuzz, process

        wording = squash(text)
        if len(wording) < _WORTH_COMPARING or any(letter.isdigit() for letter in wording):
            return None
        for prefix in prefixes:
            names = self._near.get((prefix, wording[:_NEAR]), ())
            near = process.extractOne(wording, names, scorer=fuzz.ratio, score_cutoff=_CLOSE)
            best = self._best(near[0], (prefix,)) if near else None
            if best is not None:
                return Found(*best, text, "misspelt")
        return None

    def _best(self, wording: str, prefixes: Sequence[str]) -> tuple[Curie, int] | None:
        order = {prefix: place for place, prefix in enumerate(prefixes)}
        found = [
            (order[curie.partition(":")[0]], rank, curie)
            for curie, rank in self._names.get(wording, ())
            if curie.partition(":")[0] in order
        ]
        if not found:
            return None
        _, rank, curie = min(found)
        return curie, rank
