"""Proposing terms by meaning: names whose words mean much the same as those of a text.

Needs the extra ``meaning``: a package that carries its model, a vector for each piece of a word.
The mean of a text's vectors stands for the text. Nothing is downloaded. Without the package
there are no such proposals; with it they are still for a curator's eye only.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from ontology.wording import numbers
from parfocal.fields import field_named
from parfocal.identifiers import Curie
from parfocal.knowledge import Knowledge
from parfocal.registry import missing_extra
from parfocal.review import Candidate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

METHOD = "meaning"
MOST_NAMES = 60_000
"""Names of a field that are compared, in the order of its ontologies."""
_MOST_FIELDS = 4
_CUTOFF = 0.4
_TRUST = 0.7
_AT_ONCE = 4096
_PACKAGE = "wordllama"
_WEIGHTS = "weights/l2_supercat_256.safetensors"
_PIECES = "tokenizers/l2_supercat_tokenizer_config.json"
_SCOPES = ("LABEL", "EXACT")
# Codes such as E11.5 are no words: what looks like them means something else.
_WORD = re.compile(r"[^\W\d_]{3}")


class Model:
    """Vectors of texts, from the files of an installed package; none of its code is run."""

    def __init__(self, folder: Path) -> None:
        try:
            from safetensors.numpy import load_file
            from tokenizers import Tokenizer
        except ModuleNotFoundError as error:
            raise missing_extra(error, "proposing terms by meaning") from error
        self._pieces: Any = Tokenizer.from_file(str(folder / _PIECES))
        self._weights: Any = load_file(str(folder / _WEIGHTS))["embedding.weight"]

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """Return a row of length 1 for each text, of length 0 for one without words."""
        import numpy as np

        found = np.zeros((len(texts), self._weights.shape[1]), dtype=np.float32)
        for start in range(0, len(texts), _AT_ONCE):
            some = [text.casefold() for text in texts[start : start + _AT_ONCE]]
            for row, one in enumerate(
                self._pieces.encode_batch(some, add_special_tokens=False), start
            ):
                if one.ids:
                    found[row] = self._weights[one.ids].astype(np.float32).mean(axis=0)
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        np.divide(found, lengths, out=found, where=lengths > 0)
        return found


class _Names(Struct, frozen=True):
    """The names of a field's terms: the numbers in them and their vectors, row by row."""

    terms: tuple[Curie, ...]
    numbers: tuple[frozenset[str], ...]
    vectors: Any


class MeaningProposer:
    """Looks for terms of the field whose label or exact synonym is near in meaning.

    The vectors of the fields asked last are held, 60 MB each at most.
    """

    def __init__(self, knowledge: Knowledge) -> None:
        self._terms = knowledge.terms
        self._held: OrderedDict[str, _Names] = OrderedDict()

    @cached_property
    def _model(self) -> Model | None:
        found = find_spec(_PACKAGE)
        if found is None or not found.submodule_search_locations:
            return None
        return Model(Path(found.submodule_search_locations[0]))

    def propose(self, field: str, text: str, limit: int = 5) -> tuple[Candidate, ...]:
        """Return the nearest terms first, each once; none when the package is not installed."""
        if self._model is None or not _WORD.search(text):
            return ()
        names = self._names(field, self._model)
        if not names.terms:
            return ()
        near = names.vectors @ self._model.vectors([text])[0]
        said = numbers(text)
        found: dict[Curie, Candidate] = {}
        for row in (-near).argsort(kind="stable"):
            if near[row] < _CUTOFF or len(found) == limit:
                break
            if names.numbers[row] <= said:
                curie = names.terms[row]
                found.setdefault(curie, self._candidate(curie, float(near[row])))
        return tuple(found.values())

    def _candidate(self, curie: Curie, likeness: float) -> Candidate:
        term = self._terms.get(curie)
        return Candidate(curie, term.label if term else "", METHOD, round(_TRUST * likeness, 3))

    def _names(self, name: str, model: Model) -> _Names:
        if name in self._held:
            self._held.move_to_end(name)
            return self._held[name]
        field = field_named(name)
        named = [
            # All phenotypes are called so; the word would make them alike.
            (curie, text.removesuffix(" phenotype"))
            for prefix in (field.prefixes if field else ())
            for curie, scope, text in islice(self._terms.names(prefix), MOST_NAMES)
            if scope in _SCOPES
        ][:MOST_NAMES]
        made = _Names(
            tuple(curie for curie, _ in named),
            tuple(numbers(text) for _, text in named),
            model.vectors([text for _, text in named]),
        )
        self._held[name] = made
        if len(self._held) > _MOST_FIELDS:
            self._held.popitem(last=False)
        return made
