"""A question as SPARQL over the graph; what SPARQL cannot say of it stands there as a comment."""

from __future__ import annotations

import json

from parfocal.identifiers import curie_iri
from parfocal.model import PREFIXES
from parfocal.query import (
    All,
    AnyOf,
    Clause,
    Concept,
    FieldIn,
    KeyMatch,
    Not,
    Phrase,
    Terms,
    Token,
)
from parfocal.query_print import format_clause

MAX_TERMS = 60
_USED = ("schema", "dcterms", "oa", "parfocal")
PROLOGUE = "".join(f"PREFIX {name}: <{PREFIXES[name]}>\n" for name in _USED)


def literal(text: str) -> str:
    r"""Return a text as a SPARQL string, whatever is in it.

    >>> print(literal('say "yes"'))
    "say \"yes\""
    """
    return json.dumps(text, ensure_ascii=False)


class _Writer:
    """Writes one clause after another, with a fresh variable for each."""

    def __init__(self) -> None:
        self._count = 0

    def _fresh(self, name: str) -> str:
        self._count += 1
        return f"?{name}{self._count}"

    def write(self, clause: Clause, indent: str = "  ") -> str:
        """Return the pattern of a clause."""
        match clause:
            case All(clauses=clauses):
                return "".join(self.write(one, indent) for one in clauses)
            case AnyOf(clauses=clauses):
                inner = (f"{{\n{self.write(one, indent + '  ')}{indent}}}" for one in clauses)
                return indent + " UNION ".join(inner) + "\n"
            case Not(clause=one):
                return f"{indent}FILTER NOT EXISTS {{\n{self.write(one, indent + '  ')}{indent}}}\n"
            case Concept(terms=terms) | Terms(terms=terms) if terms:
                return self._terms(terms, "", indent)
            case FieldIn(field=field, terms=terms) if terms:
                return self._terms(terms, field, indent)
            case Token(text) | Phrase(text) | Concept(text=text):
                return self._text(text, indent)
            case KeyMatch(key=key, op="equals" | "contains" as op, values=values):
                return self._pair(key, op, values[0], indent)
            case _:
                return f"{indent}# not said here: {' '.join(format_clause(clause).split())}\n"

    def _terms(self, terms: tuple[str, ...], field: str, indent: str) -> str:
        claim, term = self._fresh("claim"), self._fresh("term")
        chosen = sorted(terms)[:MAX_TERMS]
        left = len(terms) - len(chosen)
        told = f"{indent}# and {left:,} narrower terms more\n" if left else ""
        iris = " ".join(f"<{curie_iri(term)}>" for term in chosen)  # type: ignore[arg-type]
        about = f" ; parfocal:field {literal(field)}" if field else ""
        return (
            f"{indent}VALUES {term} {{ {iris} }}\n{told}"
            f"{indent}?record parfocal:annotation {claim} .\n"
            f"{indent}{claim} oa:hasBody {term}{about} .\n"
        )

    def _text(self, text: str, indent: str) -> str:
        said, value = self._fresh("said"), self._fresh("text")
        return (
            f"{indent}?record {said} {value} .\n"
            f"{indent}FILTER(isLiteral({value}) && "
            f"CONTAINS(LCASE(STR({value})), {literal(text.lower())}))\n"
        )

    def _pair(self, key: str | None, op: str, value: str, indent: str) -> str:
        name, text = self._fresh("key"), self._fresh("value")
        keys = literal(PREFIXES["keys"])
        same = (
            f"STRSTARTS(STR({name}), {keys})"
            if key is None
            else f"LCASE(STR({name})) = LCASE(CONCAT({keys}, ENCODE_FOR_URI({literal(key)})))"
        )
        lower = literal(value.lower())
        test = f"LCASE({text}) = {lower}" if op == "equals" else f"CONTAINS(LCASE({text}), {lower})"
        return f"{indent}?record {name} {text} .\n{indent}FILTER({same} && {test})\n"


def as_sparql(where: Clause) -> str:
    """Return a query that finds records by the same terms and pairs."""
    pattern = _Writer().write(where)
    return (
        f"{PROLOGUE}SELECT DISTINCT ?record ?title WHERE {{\n"
        f"  ?record dcterms:identifier ?id .\n{pattern}"
        "  OPTIONAL { ?record schema:name ?title }\n}\nLIMIT 100\n"
    )
