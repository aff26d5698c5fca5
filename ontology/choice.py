"""Choosing one term where a text names several."""

from __future__ import annotations

from collections.abc import Sequence

from parfocal.interfaces import TermStore
from parfocal.values import TermMatch

_SCOPES = ("", "EXACT", "NARROW", "BROAD", "RELATED")


def best_match(terms: TermStore, text: str, prefixes: Sequence[str]) -> TermMatch | None:
    """Return the best term for a text in ontologies given in order of preference.

    The earlier ontology wins when it has the text as label or exact synonym; within an ontology the
    label wins. Among equally good terms the most special is taken, so "mouse", which names a
    genus and the species in it, means the species.
    """
    matches = terms.find(text, prefixes)
    if len(matches) < 2:
        return matches[0] if matches else None
    best = min(_rank(match, prefixes) for match in matches)
    equal = [match for match in matches if _rank(match, prefixes) == best]
    if len(equal) == 1:
        return equal[0]
    return max(equal, key=lambda match: len(terms.ancestors(match.curie)))


def _rank(match: TermMatch, prefixes: Sequence[str]) -> tuple[bool, int, int]:
    scope = _SCOPES.index(match.scope) if match.scope in _SCOPES else len(_SCOPES)
    return scope > 1, list(prefixes).index(match.curie.partition(":")[0]), scope
