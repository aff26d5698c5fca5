"""Measuring annotation against gold: by study, so that nothing is learned from what is tested.

Counted are distinct (field, text) pairs. A text that several studies have is tested in each of
them with all others' word, and counts with the share of studies where the answer is right.
Curators' accessions are never shown to the reader under test.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from ontology.gold import GoldRow
from ontology.learned import Mappings
from ontology.reading import Reader, Reading
from ontology.reliability import Answer, Bin, bins_of
from ontology.wording import words_of
from parfocal.fields import Field, field_of_key
from parfocal.identifiers import Curie
from parfocal.interfaces import TermStore

TOGETHER = ("organism", "cell_line", "tissue", "imaging_method")
"""Fields whose pairs are also counted together."""


class Score(Struct):
    """Counts of one group of pairs; ``right`` and ``wrong`` may be fractions of pairs."""

    pairs: int = 0
    answered: float = 0.0
    right: float = 0.0

    @property
    def precision(self) -> float:
        """Share of the answers that are right; 1 without answers."""
        return self.right / self.answered if self.answered else 1.0

    @property
    def recall(self) -> float:
        """Share of the pairs that were answered rightly; 1 without pairs."""
        return self.right / self.pairs if self.pairs else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


class Miss(Struct, frozen=True):
    """A pair that was not, or not always, answered rightly. ``reason`` explains doubtful gold."""

    field: str
    text: str
    studies: int
    gold: tuple[str, ...]
    answer: str
    label: str
    method: str
    reason: str = ""


class Evaluation(Struct, frozen=True):
    """What an evaluation found."""

    fields: dict[str, Score]
    together: Score
    ontologies: dict[str, Score]
    methods: dict[str, Score]
    reliability: tuple[Bin, ...]
    misses: tuple[Miss, ...]
    doubtful: tuple[Miss, ...]
    """Pairs left out of the counts because the gold itself is in doubt."""
    unanswerable: dict[str, int]
    """Pairs left out whose accession's ontology is not loaded, by prefix."""


class _Trial(Struct, frozen=True):
    """One text of one study with the curators' terms and our answer."""

    field: str
    text: str
    study: str
    gold: frozenset[Curie]
    answers: tuple[Reading, ...]

    @property
    def right(self) -> bool:
        return any(answer.term in self.gold for answer in self.answers)

    @property
    def first(self) -> Reading | None:
        """Return the answer that counts: the right one if there is any."""
        fitting = [answer for answer in self.answers if answer.term in self.gold]
        return next(iter((*fitting, *self.answers)), None)


def evaluate(rows: Iterable[GoldRow], reader: Reader, terms: TermStore) -> Evaluation:
    """Read every gold text without its accession and compare."""
    known = _Known(terms)
    trials = list(_trials(list(rows), reader, known))
    pairs: dict[tuple[str, str], list[_Trial]] = defaultdict(list)
    for trial in trials:
        pairs[trial.field, trial.text].append(trial)
    return _evaluation(pairs, known)


def learned_from(rows: Iterable[GoldRow], terms: TermStore) -> Mappings:
    """Learn from gold, study by study; evaluation leaves the tested study's word out."""
    known = _Known(terms)
    learned = Mappings()
    for row in rows:
        field = field_of_key(row.key)
        if field is not None and row.term is not None:
            learned.learn(field.name, row.text, known.live(row.term), row.study)
    return learned


class _Known:
    """What the loaded ontologies say of gold accessions."""

    def __init__(self, terms: TermStore) -> None:
        self._terms = terms
        self._live: dict[Curie, Curie] = {}

    def live(self, curie: Curie) -> Curie:
        """Return what replaced an obsolete term, else the term itself."""
        if curie not in self._live:
            term = self._terms.get(curie)
            replaced = term.replaced_by if term is not None and term.obsolete else ()
            self._live[curie] = replaced[0] if replaced else curie
        return self._live[curie]

    def has(self, curie: Curie) -> bool:
        """Whether the term can be answered at all."""
        return self._terms.get(curie) is not None

    def doubt(self, trial: _Trial) -> str:
        """Return why the gold of a wrong answer is itself in doubt; "" when it is not."""
        answer = trial.first
        if answer is None or answer.method not in ("label", "synonym"):
            return ""
        said = [term for curie in trial.gold if (term := self._terms.get(curie)) is not None]
        if any(term.obsolete for term in said):
            return "the accession is obsolete and was not replaced"
        names = [
            name for term in said for name in (term.label, *(text for _, text in term.synonyms))
        ]
        words = set(words_of(trial.text))
        if said and not any(words & set(words_of(name)) for name in names):
            return f"no name of the accession ({said[0].label}) has a word of the text"
        if any(words_of(name) == words_of(trial.text) for name in names):
            return "both terms have this name; the curators took the other ontology's"
        return ""


def _trials(rows: Sequence[GoldRow], reader: Reader, known: _Known) -> Iterator[_Trial]:
    organisms = _organisms(rows, reader)
    grouped: dict[tuple[str, str, str], set[Curie]] = defaultdict(set)
    fields: dict[str, Field] = {}
    for row in rows:
        field = field_of_key(row.key)
        if field is None or field.type != "term" or not field.prefixes or row.term is None:
            continue
        fields[field.name] = field
        grouped[field.name, row.text, row.study].add(known.live(row.term))
    for (name, text, study), gold in grouped.items():
        answers = reader.read(fields[name], text, organisms.get(study, ()), (study,))
        yield _Trial(name, text, study, frozenset(gold), answers)


def _organisms(rows: Iterable[GoldRow], reader: Reader) -> dict[str, tuple[Curie, ...]]:
    """Return what organisms each study's texts name, as the reader reads them."""
    found: dict[str, dict[Curie, None]] = defaultdict(dict)
    for row in rows:
        field = field_of_key(row.key)
        if field is not None and field.name == "organism":
            for reading in reader.read(field, row.text, (), (row.study,)):
                found[row.study][reading.term] = None
    return {study: tuple(curies) for study, curies in found.items()}


def _evaluation(pairs: dict[tuple[str, str], list[_Trial]], known: _Known) -> Evaluation:
    fields: dict[str, Score] = defaultdict(Score)
    ontologies: dict[str, Score] = defaultdict(Score)
    methods: dict[str, Score] = defaultdict(Score)
    together = Score()
    answers: list[Answer] = []
    misses: list[Miss] = []
    doubtful: list[Miss] = []
    unanswerable: Counter[str] = Counter()
    for (field, text), trials in sorted(pairs.items()):
        gold = {curie for trial in trials for curie in trial.gold}
        if not any(known.has(curie) for curie in gold):
            unanswerable[min(gold).partition(":")[0]] += 1
            continue
        wrong = [trial for trial in trials if not trial.right]
        reasons = {known.doubt(trial) for trial in wrong}
        if wrong:
            miss = _miss(field, text, trials, gold, next(iter(sorted(reasons))))
            (misses if "" in reasons else doubtful).append(miss)
            if "" not in reasons:
                continue
        groups = [fields[field], ontologies[max(gold).partition(":")[0]]]
        groups += [together] if field in TOGETHER else []
        _count(trials, groups, methods, answers)
    return Evaluation(
        fields=dict(sorted(fields.items())),
        together=together,
        ontologies=dict(sorted(ontologies.items())),
        methods=dict(sorted(methods.items())),
        reliability=bins_of(answers),
        misses=tuple(sorted(misses, key=lambda miss: (-miss.studies, miss.field, miss.text))),
        doubtful=tuple(doubtful),
        unanswerable=dict(unanswerable),
    )


def _count(
    trials: Sequence[_Trial],
    groups: Iterable[Score],
    methods: dict[str, Score],
    answers: list[Answer],
) -> None:
    share = 1 / len(trials)
    answered = share * sum(bool(trial.answers) for trial in trials)
    right = share * sum(trial.right for trial in trials)
    for group in groups:
        group.pairs += 1
        group.answered += answered
        group.right += right
    for trial in trials:
        answer = trial.first
        if answer is not None:
            method = methods[answer.method]
            method.pairs += 1
            method.answered += 1
            method.right += trial.right
            answers.append(Answer(answer.score, trial.right, share))


def _miss(
    field: str, text: str, trials: Sequence[_Trial], gold: Iterable[Curie], reason: str
) -> Miss:
    answer = next((trial.first for trial in trials if not trial.right and trial.first), None)
    return Miss(
        field,
        text,
        len(trials),
        tuple(sorted(gold)),
        answer.term if answer else "",
        answer.label if answer else "",
        answer.method if answer else "",
        reason,
    )
