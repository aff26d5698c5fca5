"""Gold for evaluation: what curators of studies said that texts mean, as tab-separated files."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from parfocal.errors import ConfigError
from parfocal.identifiers import Curie
from parfocal.prefixes import curie_of

REQUIRED = ("study", "field", "text", "accession")
_SUSPECT = "suspect_dragfill"
_PART = "file_or_section"
_MAX_BYTES = 256 * 1024 * 1024


class GoldRow(Struct, frozen=True):
    """One curator's word: in a part of a study, a text under a key means a term.

    ``term`` is None when the accession cannot be read; ``accession`` is what was written.
    """

    study: str
    part: str
    key: str
    text: str
    accession: str
    term: Curie | None


def read_gold(path: Path) -> tuple[GoldRow, ...]:
    """Read a gold file, also gzipped, without the rows that are marked as drag-filled.

    ConfigError names the missing column, or why the file cannot be read.
    """
    rows = csv.DictReader(io.StringIO(_text(path)), delimiter="\t", quoting=csv.QUOTE_NONE)
    found = rows.fieldnames or ()
    missing = [name for name in REQUIRED if name not in found]
    if missing:
        raise ConfigError(
            f"gold has no column {', '.join(missing)}; it has {', '.join(found) or 'none'}",
            where=str(path),
            hint=f"tab-separated columns are {', '.join(REQUIRED)}; {_SUSPECT} may be there",
        )
    return tuple(_rows(rows))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        if content[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as zipped:
                content = zipped.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise ConfigError(f"gold is larger than {_MAX_BYTES // 2**20} MB", where=str(path))
        return content.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigError(f"gold cannot be read: {error}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise ConfigError("gold is not UTF-8", where=str(path), hint="save it as UTF-8") from error


def _rows(rows: csv.DictReader[str]) -> Iterator[GoldRow]:
    for row in rows:
        text = (row["text"] or "").strip()
        if not text or (row.get(_SUSPECT) or "").strip() == "1":
            continue
        accession = (row["accession"] or "").strip()
        yield GoldRow(
            study=row["study"] or "",
            part=row.get(_PART) or "",
            key=row["field"] or "",
            text=text,
            accession=accession,
            term=curie_of(accession),
        )
