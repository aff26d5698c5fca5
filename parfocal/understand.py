"""Understanding a query: words become concepts, field conditions become texts, terms and ranges."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches

import msgspec

from parfocal.answers import Expansion
from parfocal.concepts import STOP_WORDS, Meaning, build, find_by_name, runs
from parfocal.conditions import Understood, understand_field
from parfocal.errors import QueryInvalid
from parfocal.identifiers import Curie
from parfocal.interfaces import TermStore
from parfocal.prefixes import curie_of
from parfocal.query import (
    All,
    AnyOf,
    Clause,
    Concept,
    Expand,
    FieldMatch,
    Not,
    Query,
    Terms,
    Token,
    Within,
    Words,
    fold,
)

_PROPOSED = 3


def understand(query: Query, terms: TermStore) -> tuple[Query, tuple[Expansion, ...]]:
    """Return the query with understood clauses only, and how its words were expanded, each once.

    Raises QueryInvalid for a number, date or term that cannot be read, with its position.

    >>> from parfocal.terms import MemoryTermStore
    >>> understand(Query(Words("big blue cells")), MemoryTermStore())[0].where
    Token(text='big blue')
    """
    where, expansions = _clause(query.where, terms, query.expand)
    return msgspec.structs.replace(query, where=where), tuple(dict.fromkeys(expansions))


def _clause(clause: Clause, terms: TermStore, expand: Expand) -> Understood:
    if isinstance(clause, All | AnyOf):
        parts = [_clause(part, terms, expand) for part in clause.clauses]
        return type(clause)(tuple(part for part, _ in parts)), _joined(found for _, found in parts)
    if isinstance(clause, Not):
        inner, found = _clause(clause.clause, terms, expand)
        return Not(inner), found
    if isinstance(clause, Words):
        return _words(clause, terms, expand)
    if isinstance(clause, FieldMatch):
        return understand_field(clause, terms, expand)
    if isinstance(clause, Within):
        return _within(clause, terms)
    return clause, ()


def _joined(parts: Iterable[tuple[Expansion, ...]]) -> tuple[Expansion, ...]:
    return tuple(expansion for part in parts for expansion in part)


# ------------------------------------------------------------------ words


def _words(words: Words, terms: TermStore, expand: Expand) -> Understood:
    if expand == "none":
        return Token(words.text), ()
    meanings, left = runs(words.text, terms, expand)
    kept = [word for word in left if word.lower() not in STOP_WORDS]
    clauses: list[Clause] = [_concept(meaning) for meaning in meanings]
    if kept:
        clauses.append(Token(" ".join(kept)))
    if not clauses:
        return Token(words.text), ()
    where = clauses[0] if len(clauses) == 1 else All(tuple(clauses))
    return where, tuple(meaning.expansion() for meaning in meanings)


def _concept(meaning: Meaning) -> Concept:
    return Concept(
        text=meaning.text,
        term=meaning.term,
        label=meaning.label,
        synonyms=meaning.names,
        terms=meaning.terms,
    )


# ------------------------------------------------------------------ within


def _within(asked: Within, terms: TermStore) -> Understood:
    curie = curie_of(asked.term)
    if curie is not None and (":" in asked.term or terms.get(curie) is not None):
        found = build(asked.term, (curie,), terms, "subclasses")
    else:
        found = build(asked.term, _labelled(asked, terms), terms, "subclasses")
    clause = Terms(asked.term, found.label or asked.term, found.terms)
    return clause, (found.expansion(),) if found.label else ()


def _labelled(asked: Within, terms: TermStore) -> tuple[Curie, ...]:
    """Return the terms of a label; QueryInvalid proposes similar ones when there are none."""
    matches = find_by_name(asked.term, terms)
    exact = [match.curie for match in matches if match.scope in ("", "EXACT")]
    found = exact or [match.curie for match in matches]
    if found:
        return tuple(found)
    raise QueryInvalid(
        f"no loaded ontology has a term {asked.term[:100]!r}",
        hint=_proposal(asked.term, terms),
        position=asked.position,
        length=len(asked.term),
    )


def _proposal(text: str, terms: TermStore) -> str:
    if not terms.version():
        return "no ontology is loaded yet; run: parfocal ontology load --bundled"
    labels = {fold(label): label for label in _similar(text, terms.suggest)}
    near = get_close_matches(fold(text), list(labels), n=_PROPOSED, cutoff=0.5)
    if near:
        return "did you mean " + ", ".join(repr(labels[name]) for name in near) + "?"
    return "write a CURIE such as CMPO:0000077, or a term's label"


def _similar(text: str, suggest: Callable[[str, int], Iterable[object]]) -> list[str]:
    """Return labels that begin like the text, from its first words to its first three letters."""
    folded = fold(text)[:60]
    lengths = dict.fromkeys((len(folded), len(folded) * 2 // 3, len(folded) // 3, 3))
    found = (match for length in lengths for match in suggest(folded[:length], 50) if length > 1)
    return [str(getattr(match, "label", "")) for match in found]
