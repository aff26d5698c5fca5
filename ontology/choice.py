"""Choosing one term where a text names several."""

from __future__ import annotations

from collections.abc import Sequence

from parfocal.interfaces import TermMatch, TermStore


def best_match(terms: TermStore, text: str, prefixes: Sequence[str]) -> TermMatch | None:
    """Return the best term for a text; among equally good ones of an ontology the most special.

    So "mouse", which names a genus and the species in it, means the species.
    """
    matches = terms.find(text, prefixes)
    if len(matches) < 2:
        return matches[0] if matches else None
    first = matches[0]
    equal = [match for match in matches if _rank(match) == _rank(first)]
    if len(equal) == 1:
        return first
    return max(equal, key=lambda match: len(terms.ancestors(match.curie)))


def _rank(match: TermMatch) -> tuple[str, str, str]:
    return match.method, match.scope, match.curie.partition(":")[0]
