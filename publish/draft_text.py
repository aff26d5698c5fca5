"""A draft as commented TOML, for a person to fill in."""

from __future__ import annotations

import json
from collections.abc import Iterator

from msgspec import Struct

from publish.draft import Draft

_HEAD = """\
# Draft of a data set. Fill in what is missing, then run
#   parfocal publish check FILE
#   parfocal publish run FILE
# Nothing is written or registered before all checks pass.
"""
_COMMENTS: dict[str, str] = {
    "key": "Required. Names the package, and its DOI, for ever: small letters, digits, - and .",
    "title": "Required.",
    "description": "Required. What was imaged, how and why; a paragraph or more.",
    "licence": "Required. SPDX identifier such as CC0-1.0 or CC-BY-4.0, or the licence's address.",
    "publisher": "Required. Who makes the data set available: institute, facility, archive.",
    "date": "Required. Day of publication.",
    "version": "Recommended.",
    "keywords": "Recommended.",
    "funding": "Optional. Grants, one text each.",
    "records": "Records of the catalogue that are published with all that lies in them ...",
    "folder": "... or a folder whose files are published. One of the two is required.",
}
_TABLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "creators": (
        "Required: at least one. ORCID iD and affiliation are recommended; e-mail is optional\n"
        "# and becomes public.",
        ("name", "given_name", "family_name", "orcid", "affiliation", "email"),
    ),
    "organisms": (
        "Required: at least one NCBITaxon term (https://www.ncbi.nlm.nih.gov/taxonomy).",
        ("term", "label"),
    ),
    "methods": (
        "Required: at least one FBbi term for the imaging method (https://www.ebi.ac.uk/ols4).",
        ("term", "label"),
    ),
    "subjects": ("Optional. Other terms: cell lines, tissues, phenotypes.", ("term", "label")),
    "publications": ("Optional. Articles about the data.", ("title", "doi", "url")),
}


def write_draft(draft: Draft) -> str:
    """Return a draft as TOML with comments on what is required; it reads back to the same draft."""
    return "\n".join([_HEAD, *_members(draft), *_tables(draft)])


def _members(draft: Draft) -> Iterator[str]:
    for name, comment in _COMMENTS.items():
        value = getattr(draft, name)
        text = _texts(value) if isinstance(value, tuple) else _text(value)
        yield f"# {comment}\n{name} = {text}\n"


def _tables(draft: Draft) -> Iterator[str]:
    for name, (comment, members) in _TABLES.items():
        yield f"# {comment}"
        rows: tuple[Struct, ...] = getattr(draft, name)
        for row in rows:
            lines = [f"{member} = {_text(getattr(row, member))}" for member in members]
            yield "\n".join([f"[[{name}]]", *lines, ""])
        if not rows:
            yield "\n".join([f"# [[{name}]]", *(f'# {member} = ""' for member in members), ""])


def _texts(values: tuple[str, ...]) -> str:
    return "[" + ", ".join(_text(value) for value in values) + "]"


def _text(value: str) -> str:
    """Return a TOML basic string; JSON's escapes are TOML's, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
