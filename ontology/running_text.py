"""Names of terms in running text: titles, descriptions, protocols of studies and containers.

The longest name wins. A name that is negated (*no mitosis*, *unlike HeLa cells*), an organism that
only gave an antibody or a serum (*mouse anti-tubulin*), and a word of everyday language count for
nothing; an abbreviation that the text defines means what it was defined as.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ahocorasick_rs import AhoCorasick, MatchKind
from msgspec import Struct

from ontology.everyday import EVERYDAY
from ontology.species import common_names
from ontology.wording import name_forms, words_of
from parfocal.identifiers import Curie
from parfocal.interfaces import TermStore

LONGEST_TEXT = 20_000
"""Characters of a text that are read."""
_FIELD_OF_PREFIX = {
    "FBbi": "imaging_method",
    "CMPO": "phenotype",
    "UBERON": "tissue",
    "PO": "tissue",
    "CL": "cell_type",
    "CLO": "cell_line",
    "DOID": "disease",
    "MONDO": "disease",
}
_CELL_LINES = Curie("EFO:0000322")
_BELOW = {"FBbi": Curie("FBbi:00000222")}
"""Terms below which a prefix's names are taken, where the ontology holds more than the field."""
_MOST_NAMES = 400_000
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*\+?|[.;:!?()]")
_ENDS = frozenset(".;:!?")
_NEGATING_WORDS = """
no not non without unlike neither nor lack lacks lacking absence except
"""
_GIVING_WORDS = """
anti antibody igg igm serum albumin monoclonal polyclonal secondary antiserum sera collagen
fibronectin insulin thrombin trypsin gelatin extract conjugated
"""
_NEGATING = frozenset(_NEGATING_WORDS.split())
_GIVERS = frozenset(_GIVING_WORDS.split())
_BEFORE_NEGATION = 3
_ABBREVIATION = re.compile(r"[A-Z][A-Za-z0-9-]{1,9}")


class Name(Struct, frozen=True):
    """A name of the dictionary: the term, its field, and how it must be written if that matters."""

    term: Curie
    field: str
    exactly: str = ""


class Found(Struct, frozen=True):
    """A name found in a text."""

    term: Curie
    field: str
    text: str
    start: int


class _Word(Struct, frozen=True):
    text: str
    start: int
    wording: str


class PhraseBook:
    """Finds names in running text with one automaton over all of them."""

    def __init__(self, terms: TermStore) -> None:
        names = dict(_names(terms))
        self._named = list(names.values())
        self._automaton = AhoCorasick(list(names), matchkind=MatchKind.LeftmostLongest)

    def find(self, text: str) -> list[Found]:
        """Return the terms named in a text, each once, in order."""
        words = _words(text[:LONGEST_TEXT])
        hits = list(self._hits(words, text))
        meant = _defined(hits, words)
        found: dict[tuple[str, Curie], Found] = {}
        for first, last, name in hits:
            written = text[words[first].start : words[last].start + len(words[last].text)]
            other = meant.get(written)
            if other is not None and other != name.term:
                continue
            if not _counts(words, first, last, name):
                continue
            one = Found(name.term, name.field, written, words[first].start)
            found.setdefault((name.field, name.term), one)
        return list(found.values())

    def _hits(self, words: list[_Word], text: str) -> Iterator[tuple[int, int, Name]]:
        """Yield (first word, last word, name)."""
        places: dict[int, int] = {}
        ends: dict[int, int] = {}
        line = []
        length = 0
        for number, word in enumerate(words):
            places[length] = number
            length += len(word.wording) + 2
            ends[length] = number
            line.append(f" {word.wording} ")
        for pattern, start, end in self._automaton.find_matches_as_indexes("".join(line)):
            name = self._named[pattern]
            first, last = places[start], ends[end]
            written = text[words[first].start : words[last].start + len(words[last].text)]
            if not name.exactly or name.exactly == written:
                yield first, last, name


def _words(text: str) -> list[_Word]:
    return [
        _Word(match.group(), match.start(), "".join(words_of(match.group())) or match.group())
        for match in _WORD.finditer(text)
    ]


def _pattern(name: str) -> str:
    return "".join(f" {word.wording} " for word in _words(name) if word.wording not in "()")


def _names(terms: TermStore) -> Iterator[tuple[str, Name]]:
    """Yield (pattern, name); a later one of the same pattern replaces an earlier one."""
    for prefix, field in reversed(_FIELD_OF_PREFIX.items()):
        yield from _of_prefix(terms, prefix, field)
    lines = terms.descendants(_CELL_LINES)
    for curie, scope, text in terms.names("EFO"):
        if curie in lines and scope in ("LABEL", "EXACT") and _is_line(text):
            yield _pattern(text), Name(curie, "cell_line", text)
    for text, curie in common_names():
        if terms.get(curie) is not None:
            yield _pattern(text), Name(curie, "organism")


def _of_prefix(terms: TermStore, prefix: str, field: str) -> Iterator[tuple[str, Name]]:
    wanted = terms.descendants(_BELOW[prefix]) if prefix in _BELOW else None
    for number, (curie, scope, text) in enumerate(terms.names(prefix)):
        if number >= _MOST_NAMES:
            return
        if wanted is not None and curie not in wanted:
            continue
        if scope not in ("LABEL", "EXACT") or len(text) > 120:
            continue
        if field == "cell_line":
            if _is_line(text):
                yield _pattern(text), Name(curie, field, text)
            continue
        forms = name_forms(text) if field != "phenotype" else ()
        for form in (*forms, text):
            if _is_telling(form):
                yield _pattern(form), Name(curie, field, form if _is_short(form) else "")


def _is_line(text: str) -> bool:
    """Whether a name looks like a cell line's and no English word does."""
    return len(text) >= 4 and bool(re.search(r"\d|[a-z][A-Z]|[A-Z]{2}", text))


def _is_short(text: str) -> bool:
    return len(text) <= 5 and text.upper() == text


def _is_telling(text: str) -> bool:
    """Whether a name is no everyday word."""
    words = words_of(text)
    if len(words) == 1:
        return len(text) >= (3 if _is_short(text) else 5) and words[0] not in EVERYDAY
    return any(word not in EVERYDAY and len(word) > 2 for word in words)


def _counts(words: list[_Word], first: int, last: int, name: Name) -> bool:
    """Whether what stands around a name lets it be what the study is about."""
    for before in reversed(words[max(0, first - _BEFORE_NEGATION) : first]):
        if before.wording in _ENDS:
            break
        if before.wording in _NEGATING:
            return False
    if name.field != "organism":
        return True
    around = (*words[max(0, first - 1) : first], *words[last + 1 : last + 3])
    return not any(
        part in _GIVERS for word in around for part in (word.wording, *words_of(word.text))
    )


def _defined(hits: Iterable[tuple[int, int, Name]], words: list[_Word]) -> dict[str, Curie]:
    """Return abbreviations that the text defines right behind a name: ``name (ABBR)``."""
    meant: dict[str, Curie] = {}
    for _, last, name in hits:
        behind = words[last + 1 : last + 4]
        bracketed = len(behind) == 3 and behind[0].text == "(" and behind[2].text == ")"
        if bracketed and _ABBREVIATION.fullmatch(behind[1].text):
            meant.setdefault(behind[1].text, name.term)
    return meant
