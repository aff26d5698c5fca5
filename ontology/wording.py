"""Wording: what stays of a text without case, hyphens, plurals, Greek letters and spelling.

People write *light-sheet*, *light sheet* and *lightsheet*, *nuclei* and *nucleus*, *tumour* and
*tumor*. :func:`squash` gives all of them the same form; :func:`name_forms` and :func:`text_forms`
say what else a name, or a text in the wild, may be written like.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

_GREEK_NAMES = (
    *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"),
    *("lambda", "mu", "nu", "xi", "omicron", "pi", "rho", "sigma", "sigma", "tau", "upsilon"),
    *("phi", "chi", "psi", "omega"),
)
_GREEK = dict(zip("αβγδεζηθικλμνξοπρσςτυφχψω", _GREEK_NAMES, strict=True)) | {
    "µ": "mu",
    "ß": "ss",
}
_IRREGULAR = {
    "antheridia": "antheridium",
    "archegonia": "archegonium",
    "bacteria": "bacterium",
    "bronchi": "bronchus",
    "alveoli": "alveolus",
    "cilia": "cilium",
    "fungi": "fungus",
    "flagella": "flagellum",
    "ganglia": "ganglion",
    "gemmae": "gemma",
    "hyphae": "hypha",
    "larvae": "larva",
    "mice": "mouse",
    "mitochondria": "mitochondrion",
    "nuclei": "nucleus",
    "nucleoli": "nucleolus",
    "ova": "ovum",
    "spermatozoa": "spermatozoon",
    "testes": "testis",
    "vertebrae": "vertebra",
    "villi": "villus",
}
_SPELLING = tuple(
    (re.compile(british), american)
    for british, american in (
        ("tumour", "tumor"),
        ("colour", "color"),
        ("oesophag", "esophag"),
        ("foet", "fet"),
        ("haem", "hem"),
        ("leukaem", "leukem"),
        ("anaem", "anem"),
        ("paed", "ped"),
        ("oedem", "edem"),
        ("caecum", "cecum"),
        ("fibre", "fiber"),
        ("centre", "center"),
        ("grey", "gray"),
        ("labell", "label"),
        ("([a-z]{4})is(e|ed|es|ing|ation)\\b", "\\1iz\\2"),
    )
)
_BRITISH = re.compile("our|oesoph|foet|aem|paed|oedem|caecum|fibre|centre|grey|labell|is[aei]")
_TOKEN = re.compile(r"[a-z0-9+]+")
_NUMBER = re.compile(r"[0-9]+")
_BRACKET = re.compile(r"\s*[(\[]([^()\[\]]*)[)\]]\s*")
_EITHER = re.compile(r"(.*?)\b([A-Za-z][\w-]*)/([A-Za-z][\w-]*)\b(.*)")
_SUFFIXES = (
    " cells",
    " cell",
    " cell line",
    " cell lines",
    " tissue",
    " strain",
    " mouse",
    " mice",
    " imaging",
)
_ADDED = (" phenotype", " cell", " microscopy")


def _singular(word: str) -> str:
    known = _IRREGULAR.get(word)
    if known:
        return known
    if not word.endswith("s") or not word.isalpha():
        return word
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    if len(word) > 3 and word[-2] not in "sui":
        return word[:-1]
    return word


def words_of(text: str) -> list[str]:
    """Return the words of a text in their comparable form.

    >>> words_of("Foetal β-Tubulin fibres")
    ['fetal', 'beta', 'tubulin', 'fiber']
    """
    plain = text.casefold()
    if not plain.isascii():
        plain = _ascii(plain)
    if _BRITISH.search(plain):
        for british, american in _SPELLING:
            plain = british.sub(american, plain)
    return [_singular(word) for word in _TOKEN.findall(plain)]


def _ascii(text: str) -> str:
    parts = unicodedata.normalize("NFKD", "".join(_GREEK.get(letter, letter) for letter in text))
    return "".join(letter for letter in parts if not unicodedata.combining(letter))


@lru_cache(maxsize=65_536)
def squash(text: str) -> str:
    """Return the words of a text without anything between them.

    >>> squash("Light-sheet"), squash("lightsheets")
    ('lightsheet', 'lightsheet')
    """
    return "".join(words_of(text))


def _without_brackets(text: str) -> str:
    return " ".join(_BRACKET.sub(" ", text).split())


def name_forms(name: str) -> Iterator[str]:
    """Yield how else a term's name is written: without and within brackets, as an alternative.

    >>> list(name_forms("electron microscopy (SEM)")), list(name_forms("near/far field"))
    (['electron microscopy', 'SEM'], ['near field', 'far field'])
    """
    short = _without_brackets(name) if "(" in name or "[" in name else name
    if short and short != name:
        yield short
    if short != name:
        yield from (inner.strip() for inner in _BRACKET.findall(name) if len(inner.strip()) > 2)
    if name.endswith(" phenotype"):
        yield name.removesuffix(" phenotype")
    if "/" not in short:
        return
    either = _EITHER.fullmatch(short) if len(short) < 200 else None
    if either and not re.search(r"\d", either[2] + either[3]):
        before, one, other, after = either.groups()
        if not any(letter.isspace() for letter in before + after):
            return  # one name that has a slash in it: FVB/N, CHO/IR
        yield f"{before}{one}{after}"
        yield f"{before}{other}{after}"


def text_forms(text: str) -> Iterator[str]:
    """Yield how else a text in the wild may be read, nearest first.

    >>> list(text_forms("HeLa cells (CCL-2)"))[:2]
    ['HeLa cells', 'CCL-2']
    """
    short = _without_brackets(text)
    if short and short != text:
        yield short
    yield from (inner.strip() for inner in _BRACKET.findall(text) if inner.strip())
    lower = text.casefold()
    for suffix in _SUFFIXES:
        if lower.endswith(suffix):
            yield text[: -len(suffix)]
    yield from (text + added for added in _ADDED)


def numbers(text: str) -> frozenset[str]:
    """Return the numbers in a name; two names with other numbers are not alike."""
    return frozenset(_NUMBER.findall(text))
