"""Terms as several ontology files tell them, merged and ranked; and the in-memory term store."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product

import msgspec

from parfocal.identifiers import Curie
from parfocal.query import fold
from parfocal.values import OntologySummary, TermInfo, TermMatch

LABEL = "LABEL"
_Links = dict[Curie, set[Curie]]
_SCOPES = {LABEL: 0, "EXACT": 1, "NARROW": 2, "BROAD": 3, "RELATED": 4}


def names_of(term: TermInfo) -> Iterator[tuple[str, str]]:
    """Yield (scope, text) of all names that a term is found by; scope LABEL for its label.

    >>> list(names_of(TermInfo(Curie("GO:1"), "obsolete foo", obsolete=True)))
    [('LABEL', 'foo')]
    """
    label = term.label
    if term.obsolete and label[:9].lower() == "obsolete ":
        label = label[9:]
    if label:
        yield LABEL, label
    for scope, text in term.synonyms:
        if text:
            yield scope if scope in _SCOPES else "RELATED", text


def owns(ontology: str, curie: str) -> bool:
    """Whether an ontology is the home of a term, so that its word counts most.

    >>> owns("cl/subsets/blood", "CL:0000540"), owns("efo", "CL:0000540")
    (True, False)
    """
    return ontology.lower().partition("/")[0] == curie.partition(":")[0].lower()


def merge(told: Iterable[TermInfo]) -> TermInfo | None:
    """Make one term of what several ontologies tell; its home ontology decides label and state."""
    ranked = sorted(told, key=_trust)
    if not ranked:
        return None
    first = ranked[0]
    if len(ranked) == 1:
        return first
    names = dict.fromkeys(pair for term in ranked for pair in names_of(term))
    synonyms = dict.fromkeys(
        ("EXACT" if scope == LABEL else scope, text)
        for scope, text in names
        if fold(text) != fold(first.label)
    )
    return msgspec.structs.replace(
        first,
        synonyms=tuple(synonyms),
        parents=tuple(dict.fromkeys(parent for term in ranked for parent in term.parents)),
        part_of=tuple(dict.fromkeys(whole for term in ranked for whole in term.part_of)),
        definition=next((term.definition for term in ranked if term.definition), ""),
    )


def _trust(term: TermInfo) -> tuple[bool, bool, str]:
    says_something = bool(term.label) or term.obsolete
    return not (says_something and owns(term.ontology, term.curie)), not term.label, term.ontology


def rank(
    text: str,
    named: Iterable[tuple[Curie, str]],
    get: Callable[[Curie], TermInfo | None],
    prefixes: Sequence[str] = (),
) -> tuple[TermMatch, ...]:
    """Turn (CURIE, scope) pairs that carry a name into matches, best first.

    A name of an obsolete term counts as an exact synonym of what replaced it. One match per term.
    """
    order = {prefix: place for place, prefix in enumerate(prefixes)}
    best: dict[Curie, tuple[tuple[int, int, str], TermMatch]] = {}
    for found, scope in named:
        for term in _live(found, get):
            place = order.get(term.curie.partition(":")[0], -1 if not order else None)
            if place is None:
                continue
            true = _true_scope(text, scope, term)
            key = (_SCOPES.get(true, 4), place, str(term.curie))
            if term.curie not in best or key < best[term.curie][0]:
                best[term.curie] = (key, _match(term, true))
    return tuple(match for _, match in sorted(best.values(), key=lambda pair: pair[0]))


def _live(curie: Curie, get: Callable[[Curie], TermInfo | None]) -> Iterator[TermInfo]:
    term = get(curie)
    if term is None or not term.obsolete:
        if term is not None:
            yield term
        return
    for replacement in term.replaced_by:
        live = get(replacement)
        if live is not None and not live.obsolete:
            yield live


def _true_scope(text: str, scope: str, term: TermInfo) -> str:
    """Return LABEL only for the label finally chosen; another file's label is a synonym."""
    if fold(term.label) == fold(text):
        return LABEL
    return "EXACT" if scope == LABEL else scope


def _match(term: TermInfo, scope: str) -> TermMatch:
    if scope == LABEL:
        return TermMatch(term.curie, term.label, "label")
    return TermMatch(term.curie, term.label, "synonym", scope)


class MemoryTermStore:
    """Terms in memory: the reference that other term stores are compared with.

    >>> store = MemoryTermStore([TermInfo(Curie("CL:0000540"), "neuron", "cl")])
    >>> store.find("Neuron")[0].curie
    'CL:0000540'
    """

    def __init__(self, terms: Iterable[TermInfo] = (), *, version: str = "1") -> None:
        self._told: dict[Curie, list[TermInfo]] = {}
        self._names: dict[str, dict[tuple[Curie, str], None]] = {}
        # Links over is_a alone, and over is_a and part_of.
        self._below: tuple[_Links, _Links] = ({}, {})
        self._above: tuple[_Links, _Links] = ({}, {})
        self._version = version
        for term in terms:
            self._add(term)

    def _add(self, term: TermInfo) -> None:
        self._told.setdefault(term.curie, []).append(term)
        for scope, text in names_of(term):
            self._names.setdefault(fold(text), {})[term.curie, scope] = None
        for above, kinds in ((term.parents, (0, 1)), (term.part_of, (1,))):
            for parent, kind in product(above, kinds):
                self._below[kind].setdefault(parent, set()).add(term.curie)
                self._above[kind].setdefault(term.curie, set()).add(parent)

    def get(self, curie: Curie) -> TermInfo | None:
        """Return a term, or None."""
        return merge(self._told.get(curie, ()))

    def find(self, text: str, prefixes: Sequence[str] = ()) -> tuple[TermMatch, ...]:
        """Return live terms whose label or synonym equals the text, best first."""
        return rank(text, self._names.get(fold(text), ()), self.get, prefixes)

    def ancestors(self, curie: Curie, *, part_of: bool = False) -> frozenset[Curie]:
        """Return all terms above, without the term itself."""
        return _closure(curie, self._above[part_of]) - {curie}

    def descendants(self, curie: Curie, *, part_of: bool = False) -> frozenset[Curie]:
        """Return all terms below, with the term itself if it is known or has any."""
        below = _closure(curie, self._below[part_of])
        return below | {curie} if below or curie in self._told else frozenset()

    def suggest(self, prefix: str, limit: int = 10) -> tuple[TermMatch, ...]:
        """Return terms with a label or synonym that begins with the text, shortest first."""
        wanted = fold(prefix)
        if not wanted:
            return ()
        names = sorted((len(n), n) for n in self._names if n.startswith(wanted))
        named = ((name, pairs) for _, name in names for pairs in [self._names[name]])
        return suggestions(named, self.get, limit)

    def names(self, prefix: str) -> Iterator[tuple[Curie, str, str]]:
        """Yield (term, scope, text) of all names of the live terms of a prefix."""
        for curie, told in self._told.items():
            if curie.partition(":")[0] == prefix:
                for term in told:
                    for scope, text in names_of(term):
                        yield from named_alive(curie, scope, text, self.get)

    def ontologies(self) -> tuple[OntologySummary, ...]:
        """Return what is loaded, by name."""
        terms = [term for told in self._told.values() for term in told]
        return tuple(
            OntologySummary(
                name=name,
                version=self._version,
                terms=sum(term.ontology == name for term in terms),
                obsolete=sum(term.ontology == name and term.obsolete for term in terms),
                loaded="",
                reader="memory",
            )
            for name in sorted({term.ontology for term in terms})
        )

    def version(self) -> str:
        """Return a text that changes with the content; "" for an empty store."""
        if not self._told:
            return ""
        digest = hashlib.blake2b(digest_size=8)
        for told in self._told.values():
            digest.update(msgspec.json.encode(told))
        return digest.hexdigest()

    def close(self) -> None:
        """Release nothing."""


def named_alive(
    curie: Curie, scope: str, text: str, get: Callable[[Curie], TermInfo | None]
) -> Iterator[tuple[Curie, str, str]]:
    """Yield a name with the live term that it names; an obsolete term's is its replacements'."""
    for term in _live(curie, get):
        if term.curie != curie:
            yield term.curie, "EXACT", text
        elif scope == LABEL and term.label != text:
            yield curie, "EXACT", text
        else:
            yield curie, scope, text


def suggestions(
    named: Iterable[tuple[str, Iterable[tuple[Curie, str]]]],
    get: Callable[[Curie], TermInfo | None],
    limit: int,
) -> tuple[TermMatch, ...]:
    """Return the first ``limit`` different terms of names in order, without obsolete ones."""
    found: dict[Curie, TermMatch] = {}
    for name, pairs in named:
        live = [(c, s) for c, s in pairs if not ((term := get(c)) is None or term.obsolete)]
        for match in rank(name, live, get):
            found.setdefault(match.curie, match)
        if len(found) >= limit:
            break
    return tuple(found.values())[:limit]


def _closure(start: Curie, edges: _Links) -> frozenset[Curie]:
    seen: set[Curie] = set()
    waiting = [start]
    while waiting:
        for curie in edges.get(waiting.pop(), ()):
            if curie not in seen:
                seen.add(curie)
                waiting.append(curie)
    return frozenset(seen)
