"""A tolerant reader of OWL functional syntax: class declarations, annotations, plain SubClassOf."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ontology.document import Document, Skipped, ontology_name, version_name
from ontology.owl import PART_OF, Draft, Header, told
from parfocal.errors import OntologyInvalid
from parfocal.identifiers import Curie
from parfocal.prefixes import curie_of

_PIECE = re.compile(
    r'\s+|#[^\n]*|(?P<text>"(?:[^"\\]|\\.)*")|(?P<iri><[^>\s]*>)|(?P<sign>\^\^|[()=])'
    r"|(?P<language>@[A-Za-z-]+)|(?P<word>[^\s()\"=<>^@]+)"
)
Tree = list["Tree | str"]
_DEEPEST = 200


def read_functional(stream: BinaryIO, path: Path) -> Document:
    """Read OWL functional syntax from its bytes; the whole file is held in memory."""
    skipped, header = Skipped(), Header()
    content = stream.read().decode("utf-8-sig", errors="replace")
    drafts: dict[Curie, Draft] = {}
    prefixes: dict[str, str] = {}
    for axiom in _axioms(content, str(path)):
        _take(axiom, prefixes, drafts, header, skipped)
    if not drafts:
        raise OntologyInvalid("the file declares no class", where=str(path))
    name = ontology_name(header.name, path)
    return Document(
        name=name,
        version=version_name(header.version, path),
        reader="functional",
        terms=told(iter(drafts.values()), name),
        skipped=skipped,
    )


def _axioms(content: str, where: str) -> Iterator[Tree]:
    """Yield ``[name, argument, ...]`` for prefixes, the ontology's header and each axiom."""
    stack: list[Tree] = []
    waiting: str = ""
    for piece in _pieces(content):
        if piece == "(":
            if len(stack) > _DEEPEST:
                raise OntologyInvalid("axioms are nested too deeply", where=where)
            stack.append([waiting])
            waiting = ""
            continue
        if waiting and stack:
            stack[-1].append(waiting)
        waiting = ""
        if piece != ")":
            waiting = piece
        elif stack:
            done = stack.pop()
            if len(stack) == 0 or (len(stack) == 1 and stack[0][0] == "Ontology"):
                yield done
            else:
                stack[-1].append(done)
    if stack:
        raise OntologyInvalid(
            "the file ends in the middle of an axiom", where=where, hint="download it again"
        )


def _pieces(content: str) -> Iterator[str]:
    for match in _PIECE.finditer(content):
        if match.lastgroup and match.lastgroup != "language":
            yield match.group()


def _take(
    axiom: Tree,
    prefixes: dict[str, str],
    drafts: dict[Curie, Draft],
    header: Header,
    skipped: Skipped,
) -> None:
    kind, *arguments = axiom
    words = [argument for argument in arguments if isinstance(argument, str)]
    if kind == "Prefix" and len(words) == 3:
        prefixes[words[0].rstrip(":")] = words[2].strip("<>")
    elif kind == "Ontology":
        header.name, header.version = (*(w.strip("<>") for w in words[:2]), "", "")[:2]
    elif kind == "Declaration":
        _declare(arguments, prefixes, drafts, skipped)
    elif kind == "SubClassOf" and len(words) == 2:
        child, parent = (curie_of(_iri(word, prefixes)) for word in words)
        if child and parent:
            drafts.setdefault(child, Draft(child)).parents.append(parent)
    elif kind == "SubClassOf" and len(words) == 1:
        _take_whole(words[0], arguments, prefixes, drafts)
    elif kind == "AnnotationAssertion" and len(words) >= 3:
        predicate, subject, value = words[:3]
        curie = curie_of(_iri(subject, prefixes))
        if curie in drafts:
            drafts[curie].say(_iri(predicate, prefixes), _value(value, prefixes))
    elif isinstance(kind, str):
        skipped.note(f"{kind}, not read")


def _take_whole(
    child: str, arguments: Tree, prefixes: dict[str, str], drafts: dict[Curie, Draft]
) -> None:
    """Take in ``SubClassOf(child ObjectSomeValuesFrom(part_of whole))``; other ones say more."""
    part = curie_of(_iri(child, prefixes))
    for other in arguments:
        if not isinstance(other, list) or other[0] != "ObjectSomeValuesFrom" or len(other) != 3:
            continue
        relation, whole = other[1:]
        if isinstance(relation, str) and isinstance(whole, str):
            curie = curie_of(_iri(whole, prefixes))
            if part and curie and _iri(relation, prefixes) in PART_OF:
                drafts.setdefault(part, Draft(part)).part_of.append(curie)


def _declare(
    arguments: Tree, prefixes: dict[str, str], drafts: dict[Curie, Draft], skipped: Skipped
) -> None:
    for argument in arguments:
        if isinstance(argument, list) and argument[0] == "Class" and len(argument) == 2:
            iri = _iri(str(argument[1]), prefixes)
            curie = curie_of(iri)
            if curie:
                drafts.setdefault(curie, Draft(curie)).iri = iri
            else:
                skipped.note("class whose address is no CURIE", iri)


def _iri(word: str, prefixes: dict[str, str]) -> str:
    if word.startswith("<"):
        return word.strip("<>")
    prefix, _, local = word.partition(":")
    return prefixes.get(prefix, "") + local


def _value(word: str, prefixes: dict[str, str]) -> str:
    if word.startswith('"'):
        return re.sub(r"\\(.)", r"\1", word[1:-1])
    return _iri(word, prefixes)
