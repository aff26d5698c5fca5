"""What words mean: runs of words that name ontology terms, and all that one meaning covers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, runtime_checkable

from msgspec import Struct

from parfocal.answers import Expansion
from parfocal.fields import FIELDS, counts_parts
from parfocal.identifiers import Curie
from parfocal.interfaces import TermStore
from parfocal.prefixes import curie_of
from parfocal.query import Expand, fold, tokens
from parfocal.values import TermMatch

ALL_PREFIXES = tuple(dict.fromkeys(prefix for field in FIELDS for prefix in field.prefixes))
_STOP_WORDS = (
    "a an and are as at by for from in into is of on or that the their these this those to"
    " under via was were which while with within without"
    " image images picture pictures showing"
    " cell cells line lines sample samples defect defects defective"
)
STOP_WORDS = frozenset(_STOP_WORDS.split())
"""Words that say nothing about an image; they count only when a query has no others."""
LONGEST_RUN = 6
_LONGEST_TEXT = 300
_MOST_SYNONYMS = 100
_CELL_LINES = ("CLO", "EFO", "CVCL")
_CELL = re.compile(r" cells?$", re.IGNORECASE)
_EDGES = ".,;:!?()[]{}'\"`"


@runtime_checkable
class SupportsNicknames(Protocol):
    """A term store that also knows what people call terms though no ontology does."""

    def also_called(self, text: str, prefixes: Sequence[str] = ()) -> tuple[TermMatch, ...]:
        """Return live terms that are called so, best first."""
        ...


class Meaning(Struct, frozen=True):
    """A text with the term it means: names to look for as words, terms as annotations."""

    text: str
    term: Curie
    label: str
    names: tuple[str, ...]
    terms: tuple[Curie, ...]
    narrower: int

    def expansion(self, field: str = "") -> Expansion:
        """Return the meaning as it is told to people."""
        return Expansion(
            text=self.text,
            term=self.term,
            label=self.label,
            synonyms=self.names,
            narrower=self.narrower,
            field=field,
        )


def meaning_of(
    text: str,
    terms: TermStore,
    expand: Expand,
    prefixes: Sequence[str] = ALL_PREFIXES,
    *,
    part_of: bool | None = None,
) -> Meaning | None:
    """Return what a text means, all ontologies taken together; None when it names no term.

    The text may be a label, a synonym or a CURIE in any writing. Labels and exact synonyms count;
    other synonyms only when there is no better match.
    """
    if len(text) > _LONGEST_TEXT:
        return None
    named = _named_by_id(text, terms)
    if named is not None:
        return build(text, (named,), terms, expand, part_of=part_of)
    matches = find_by_name(text, terms, prefixes)
    exact = [match for match in matches if match.scope in ("", "EXACT")]
    found = _most_special(exact or list(matches), terms)
    return build(text, found, terms, expand, part_of=part_of) if found else None


def find_by_name(
    text: str, terms: TermStore, prefixes: Sequence[str] = ()
) -> tuple[TermMatch, ...]:
    """Return what a text names as it stands, else in singular or plural, else as people say."""
    for form in (text, _singular(text), f"{text}s"):
        matches = terms.find(form, prefixes) if form else ()
        if matches:
            return matches
    return terms.also_called(text, prefixes) if isinstance(terms, SupportsNicknames) else ()


def _most_special(matches: Sequence[TermMatch], terms: TermStore) -> tuple[Curie, ...]:
    """Leave out what lies above an equally good match: "mouse" is the species, not its genus."""
    above: set[Curie] = set()
    for match in matches if len(matches) > 1 else ():
        if match.method == matches[0].method:
            above |= terms.ancestors(match.curie)
    return tuple(match.curie for match in matches if match.curie not in above)


def _named_by_id(text: str, terms: TermStore) -> Curie | None:
    curie = curie_of(text)
    return curie if curie is not None and terms.get(curie) is not None else None


def build(
    text: str,
    curies: Sequence[Curie],
    terms: TermStore,
    expand: Expand,
    *,
    part_of: bool | None = None,
) -> Meaning:
    """Put together what terms that share a text cover; the first is the one shown.

    ``part_of`` says whether they cover their parts, too; None: as each term's ontology says.
    """
    covered: dict[Curie, None] = {}
    names: dict[str, str] = {}
    first, label = curies[0], ""
    for curie in _with_replacements(curies, terms):
        covered[curie] = None
        term = terms.get(curie)
        if term is None:
            continue
        if not label and not term.obsolete:
            first, label = curie, term.label
        exact = (name for scope, name in term.synonyms if scope == "EXACT")
        names.update((fold(name), name) for name in (term.label, *exact) if _says_enough(name))
    own = len(covered)
    if expand == "subclasses":
        for curie in tuple(covered):
            parts = counts_parts(curie) if part_of is None else part_of
            covered.update(dict.fromkeys(sorted(terms.descendants(curie, part_of=parts))))
    names.pop(fold(text), None)
    return Meaning(
        text=text,
        term=first,
        label=label,
        names=tuple(names.values())[:_MOST_SYNONYMS],
        terms=tuple(covered),
        narrower=len(covered) - own,
    )


def _with_replacements(curies: Iterable[Curie], terms: TermStore) -> Iterator[Curie]:
    for curie in curies:
        yield curie
        term = terms.get(curie)
        if term is not None and term.obsolete:
            yield from term.replaced_by


def _says_enough(name: str) -> bool:
    """Whether a synonym can be looked for as words; two letters match far too much."""
    return len("".join(tokens(name))) > 2


# ------------------------------------------------------------------ runs of words


def runs(
    text: str, terms: TermStore, expand: Expand
) -> tuple[tuple[Meaning, ...], tuple[str, ...]]:
    """Split words into meanings, the longest run first, and the words left over."""
    words = [word for word in (raw.strip(_EDGES) for raw in text.split()) if tokens(word)]
    meanings: list[Meaning] = []
    left: list[str] = []
    at = 0
    while at < len(words):
        found, length = _longest(words[at : at + LONGEST_RUN], terms, expand)
        if found is None:
            left.append(words[at])
        else:
            meanings.append(found)
        at += length
    return tuple(meanings), tuple(left)


def _longest(words: Sequence[str], terms: TermStore, expand: Expand) -> tuple[Meaning | None, int]:
    for length in range(len(words), 0, -1):
        if length == 1 and not _may_mean(words[0]):
            break
        found = _meaning_of_run(" ".join(words[:length]), terms, expand)
        if found is not None:
            return found, length
    return None, 1


def _may_mean(word: str) -> bool:
    """Whether a single word may be expanded: no stop word, number or pair of letters."""
    return word.lower() not in STOP_WORDS and len(word) > 2 and any(c.isalpha() for c in word)


def _meaning_of_run(run: str, terms: TermStore, expand: Expand) -> Meaning | None:
    named = _named_by_id(run, terms)
    if named is not None:
        return build(run, (named,), terms, expand)
    plural = f"{run}s" if len(run) > 3 else ""
    matches = next(
        filter(None, (_exact(form, terms) for form in (run, _singular(run), plural))), ()
    )
    if not matches and isinstance(terms, SupportsNicknames):
        matches = terms.also_called(run, ALL_PREFIXES)
    extra = _as_cell_line(run, matches, terms)
    found = tuple(dict.fromkeys(_most_special((*matches, *extra), terms)))
    return build(run, found, terms, expand) if found else None


def _exact(run: str, terms: TermStore) -> tuple[TermMatch, ...]:
    found = terms.find(run, ALL_PREFIXES) if run else ()
    return tuple(match for match in found if match.scope in ("", "EXACT"))


def _singular(run: str) -> str:
    """Return a run without the plural s of its last word; "" when it has none.

    >>> _singular("sensory neurons")
    'sensory neuron'
    """
    if len(run) > 4 and run[-1] in "sS" and run[-2] not in "sSuUiI":
        return run[:-1]
    return ""


def _as_cell_line(
    run: str, matches: Sequence[TermMatch], terms: TermStore
) -> tuple[TermMatch, ...]:
    """Return what else a cell line is called: some ontologies say "HeLa", others "HeLa cell"."""
    bare = _CELL.sub("", run)
    if bare != run:
        is_line = not matches or any(match.curie.startswith(_CELL_LINES) for match in matches)
        found = terms.find(bare, _CELL_LINES) if is_line and _may_mean(bare) else ()
    else:
        is_line = not matches or any(match.curie.startswith("EFO:") for match in matches)
        found = terms.find(f"{run} cell", _CELL_LINES) if is_line else ()
    return tuple(match for match in found if match.scope in ("", "EXACT"))
