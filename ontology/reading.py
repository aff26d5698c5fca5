"""Reading a value of a field: which terms its text names, how that is known, how sure it is.

Methods, most trusted first: *decided* by a curator here; *learned* from curators elsewhere; *label*
and *synonym*, letter by letter but for case; *wording*, ignoring hyphens, plurals and spelling;
*abbreviation* of a species; *part* of a combined value; *beginning* of a longer name (``HeLa
Kyoto``); *misspelt* by a letter or two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property

from msgspec import Struct
from msgspec.structs import replace

from ontology.choice import best_match
from ontology.decisions import Decisions, shipped_names
from ontology.dictionary import Dictionary
from ontology.learned import Mappings
from ontology.species import species
from ontology.wording import squash, text_forms
from parfocal.fields import FIELDS, Field
from parfocal.identifiers import Curie
from parfocal.interfaces import TermStore
from parfocal.prefixes import curie_of
from parfocal.values import TermMatch

LONGEST = 300
"""Characters up to which a value may be a name."""
SCORES = {
    "decided": 1.0,
    "label": 0.98,
    "EXACT": 0.95,
    "NARROW": 0.6,
    "BROAD": 0.6,
    "RELATED": 0.75,
    "wording": 0.94,
    "abbreviation": 0.9,
    "beginning": 0.8,
    "misspelt": 0.9,
}
_WORDING_LOSS = {0: 0.0, 1: 0.02, 2: 0.02, 3: 0.04}
_PART_LOSS = 0.03
_BETWEEN = re.compile(
    r"\s*[;|]\s*|\s*/\s*|,\s+|\s+(?:and|&|\+|with|infected with|transfected with)\s+", re.I
)
# Names of lines have a digit or a capital inside; "spinal cord" has not.
_LINE = re.compile(r"(?=.{3})\S*(?:\d|\w[A-Z])\S*")
_WORD_END = re.compile(r"[\s\-_/.,(]+")
_BINOMIAL = re.compile(r"([A-Z][a-z]+ [a-z]{3,}|[A-Z]\. ?[a-z]{3,})(?: [\w.:+/()-]+){1,4}")
# What is named after its host, or is more than the organism that it begins with.
_OTHER_ORGANISM = re.compile(
    r"vir(?:us|ion)|phage|hybrid|chima?er|\b(?:x|anti|and|or|with)\b", re.I
)
_NOTHING = frozenset(
    ("na", "none", "null", "nan", "nil", "unknown", "notapplicable", "notavailable", "notset")
)
"""Wordings of cells that were left empty."""
# Where else the terms of a field are, first, when the sample is such an organism.
_AT_HOME = {
    "NCBITaxon:7955": ("ZFA", "ZFS"),
    "NCBITaxon:7227": ("FBbt", "FBdv"),
    "NCBITaxon:6239": ("WBbt", "WBls"),
    "NCBITaxon:33090": ("PO",),
}
_ANATOMICAL = ("tissue", "cell_type", "development_stage")


class Reading(Struct, frozen=True):
    """One term that a text names; ``text`` begins at ``start`` of the value."""

    term: Curie
    label: str
    text: str
    start: int
    method: str
    score: float


class Reader:
    """Reads values of fields with what is known: terms, decisions, learned mappings."""

    def __init__(
        self,
        terms: TermStore,
        decisions: Decisions | None = None,
        learned: Mappings | None = None,
    ) -> None:
        self.terms = terms
        self._decisions = decisions or Decisions()
        self._names = shipped_names()
        self._learned = learned or Mappings()

    @cached_property
    def dictionary(self) -> Dictionary:
        """The names of all fields' ontologies, by wording."""
        wanted = [prefix for field in FIELDS for prefix in field.prefixes]
        extra = [prefix for prefixes in _AT_HOME.values() for prefix in prefixes]
        return Dictionary(self.terms, (*wanted, *extra))

    def read(
        self, field: Field, text: str, organisms: Sequence[Curie] = (), without: Sequence[str] = ()
    ) -> tuple[Reading, ...]:
        """Return the terms that a value names: one for the whole, else those of its parts.

        ``organisms`` are those of the sample; studies in ``without`` have taught nothing.
        """
        if not text.strip() or len(text) > LONGEST or not field.prefixes:
            return ()
        if self._decisions.is_no_term(field.name, text):
            return ()
        prefixes = self._prefixes(field, organisms)
        whole = self._whole(field, text, prefixes, without)
        if whole is not None and whole.method != "beginning":
            return (whole,)
        parts = tuple(self._parts(field, text, prefixes, without))
        return parts if whole is None or len(parts) > 1 else (whole,)

    def _prefixes(self, field: Field, organisms: Sequence[Curie]) -> tuple[str, ...]:
        if field.name not in _ANATOMICAL or not organisms:
            return field.prefixes
        above = set(organisms).union(*(self.terms.ancestors(curie) for curie in organisms))
        first = [p for home, prefixes in _AT_HOME.items() if home in above for p in prefixes]
        return tuple(dict.fromkeys((*first, *field.prefixes)))

    # ------------------------------------------------------------------ the whole text

    def _whole(
        self, field: Field, text: str, prefixes: Sequence[str], without: Sequence[str]
    ) -> Reading | None:
        """Return what the whole text names, by the first method that knows it."""
        found = self._named(field, text, prefixes, without)
        if found is None and field.name == "organism":
            found = self._species(text)
        if found is None:
            found = self._beginning(field, text, prefixes)
        if found is None or self._decisions.is_rejected(field.name, text, found.term):
            return None
        return found

    def _named(
        self, field: Field, text: str, prefixes: Sequence[str], without: Sequence[str]
    ) -> Reading | None:
        decided = self._decisions.find(field.name, text)
        if decided is not None:
            return self._reading(decided, text, "decided", SCORES["decided"])
        learned = self._learned.find(field.name, text, prefixes, without=without)
        if learned is not None and self._is_live(learned.term):
            trust = min(0.97, 0.94 + 0.01 * learned.support)
            return self._reading(learned.term, text, "learned", trust * learned.agreement)
        if squash(text) in _NOTHING:
            return None
        common = self._names.find(field.name, text)
        if common is not None and self._is_live(common):
            return self._reading(common, text, "synonym", SCORES["EXACT"])
        match = best_match(self.terms, text, prefixes) or self._by_identifier(text, prefixes)
        if match is not None:
            score = SCORES[match.scope if match.scope in SCORES else "label"]
            return self._reading(match.curie, text, match.method, score)
        return self._worded(field.name, text, prefixes)

    def _worded(self, field: str, text: str, prefixes: Sequence[str]) -> Reading | None:
        for form in text_forms(text):
            if not (text.startswith(form) or form.startswith(text)):
                continue  # what stands in brackets may be a part of it: kidney (cortex)
            common = self._names.find(field, form)
            if common is not None and self._is_live(common):
                return self._reading(common, text, "wording", SCORES["wording"] - _WORDING_LOSS[1])
        found = self.dictionary.find(text, prefixes)
        if found is None:
            found = self.dictionary.find_misspelt(text, prefixes)
        if found is None:
            return None
        loss = _WORDING_LOSS.get(found.scope, 0.25)
        common = self._names.find(field, found.form)
        if common is not None and self._is_live(common):
            return self._reading(common, text, found.method, SCORES[found.method] - loss)
        return self._reading(found.curie, text, found.method, SCORES[found.method] - loss)

    def _by_identifier(self, text: str, prefixes: Sequence[str]) -> TermMatch | None:
        """Return the term whose CURIE or address the text is, of the field's ontologies only."""
        curie = curie_of(text)
        if curie is None or curie.partition(":")[0] not in prefixes:
            return None
        term = self.terms.get(curie)
        if term is not None and term.obsolete and term.replaced_by:
            term = self.terms.get(term.replaced_by[0])
        if term is None or term.obsolete or not term.label:
            return None
        return TermMatch(term.curie, term.label, "label")

    def _species(self, text: str) -> Reading | None:
        curie = species(text)
        if curie is None or not self._is_live(curie):
            return None
        return self._reading(curie, text, "abbreviation", SCORES["abbreviation"])

    def _beginning(self, field: Field, text: str, prefixes: Sequence[str]) -> Reading | None:
        """Return the cell line that a longer name begins with: a clone or a reporter line of it."""
        if field.name == "organism":
            return self._strain(text)
        if field.name != "cell_line":
            return None
        ends = [match.start() for match in _WORD_END.finditer(text)][:6]
        for end in reversed(ends):
            curie = self._line(text[:end], prefixes) if _LINE.match(text[:end]) else None
            if curie is not None:
                return self._reading(curie, text[:end], "beginning", SCORES["beginning"])
        return None

    def _line(self, name: str, prefixes: Sequence[str]) -> Curie | None:
        """Return the cell line of a name; one with a number in it also in other wording."""
        common = self._names.find("cell_line", name)
        if common is not None and self._is_live(common):
            return common
        match = best_match(self.terms, name, prefixes)
        if match is not None and match.scope in ("", "EXACT"):
            return match.curie
        if len(name) < 4 or not any(letter.isdigit() for letter in name):
            return None
        found = self._worded("cell_line", name, prefixes)
        return found.term if found is not None and found.method == "wording" else None

    def _strain(self, text: str) -> Reading | None:
        """Return the species that the name of a strain begins with: ``E. coli MG1655``."""
        match = _BINOMIAL.fullmatch(text.strip())
        if match is None or _OTHER_ORGANISM.search(text, match.end(1)):
            return None
        known = best_match(self.terms, match[1], ("NCBITaxon",))
        curie = known.curie if known is not None and known.scope == "" else species(match[1])
        if curie is None or not self._is_live(curie):
            return None
        return self._reading(curie, match[1], "beginning", SCORES["beginning"])

    # ------------------------------------------------------------------ parts of a text

    def _parts(
        self, field: Field, text: str, prefixes: Sequence[str], without: Sequence[str]
    ) -> Iterator[Reading]:
        """Yield what the parts of a combined value name; a lone part is no combination."""
        spans = _spans(text)
        if len(spans) < 2:
            return
        for start, part in spans:
            if len(squash(part)) < 2 or self._decisions.is_no_term(field.name, part):
                continue
            found = self._whole(field, part, prefixes, without)
            if found is not None and found.method not in ("misspelt", "beginning"):
                yield replace(
                    found,
                    start=start + found.start,
                    method="part",
                    score=round(found.score - _PART_LOSS, 3),
                )

    def _is_live(self, curie: Curie) -> bool:
        term = self.terms.get(curie)
        return term is not None and not term.obsolete

    def _reading(self, curie: Curie, text: str, method: str, score: float) -> Reading:
        term = self.terms.get(curie)
        plain = text.strip()
        return Reading(
            curie, term.label if term else "", plain, text.find(plain), method, round(score, 3)
        )


def _spans(text: str) -> list[tuple[int, str]]:
    """Return the parts of a combined value with their places."""
    spans: list[tuple[int, str]] = []
    start = 0
    for match in _BETWEEN.finditer(text):
        spans.append((start, text[start : match.start()]))
        start = match.end()
    spans.append((start, text[start:]))
    return [(place, part) for place, part in spans if part.strip()]
