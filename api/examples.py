"""Questions to try on the front page, made from what this catalogue holds for this viewer."""

from __future__ import annotations

from urllib.parse import urlencode

from msgspec import Struct

from api.context import catalogue
from api.viewers import viewer
from parfocal.query import FacetRequest, FacetValue, Query


class Example(Struct, frozen=True):
    """A question with what it shows."""

    text: str
    says: str
    level: str = "image"

    @property
    def address(self) -> str:
        """Return the address of its answer."""
        return "/?" + urlencode({"q": self.text, "level": self.level})


def _first(values: tuple[FacetValue, ...]) -> str:
    return values[0].label if values else ""


def examples() -> list[Example]:
    """Return questions that find something here: words, a field, a key, a level, a number."""
    names = ("phenotype", "cell_line", "organism", "imaging_method", "gene", "tissue")
    facets = tuple(FacetRequest(name, 3) for name in names)
    found = catalogue().search(Query(level="image", size=1, facets=facets), viewer()).facets
    top = {name: _first(found.get(name, ())) for name in names}
    made = [
        Example(top["phenotype"] or top["tissue"], "words, with synonyms and narrower terms"),
        Example(_quoted("organism", top["organism"]), "a field: label, synonym or identifier"),
        Example(_words(top["cell_line"], top["imaging_method"]), "both must match", "study"),
        Example(_key("Gene Symbol", top["gene"]), "a key-value pair of the source"),
        Example("size_x:>=256", "numbers and sizes"),
    ]
    return [one for one in made if one.text and catalogue().count(_as_query(one), viewer())]


def _as_query(example: Example) -> Query:
    from parfocal.query_text import parse_query

    return parse_query(example.text, level=example.level)


def _plain(text: str) -> str:
    return text.replace("\\", " ").replace('"', " ").strip()


def _quoted(field: str, value: str) -> str:
    return f'{field}:"{_plain(value)}"' if _plain(value) else ""


def _words(*values: str) -> str:
    return " ".join(f'"{_plain(value)}"' for value in values if _plain(value))


def _key(key: str, value: str) -> str:
    return f'kv:"{key}={_plain(value)}"' if _plain(value) else ""
