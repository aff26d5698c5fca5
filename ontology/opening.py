"""Opening ontology files: bounded in size, gunzipped, their format told from their beginning."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from pathlib import Path
from typing import BinaryIO, Literal

from parfocal.errors import OntologyInvalid

MAX_BYTES = 4 << 30
"""No ontology is larger than this, unpacked."""

Kind = Literal["obo", "owl", "functional", "json", "table", "turtle"]
_HEAD = 65536
_TURTLE = re.compile(
    rb"^[ \t]*(?:@(?:prefix|base)[ \t]|(?:prefix|base)[ \t]+[\w.-]*:?[ \t]*<[^>\n]*>[ \t]*$)",
    re.IGNORECASE | re.MULTILINE,
)
_DOCTYPE = re.compile(rb"<!doctype\s+html|<html[\s>]", re.IGNORECASE)


class BoundedReader(io.RawIOBase):
    """A binary stream that ends with OntologyInvalid, not with a full memory or a half file."""

    def __init__(self, file: BinaryIO, where: str, *, gzipped: bool, limit: int) -> None:
        super().__init__()
        self._file = file
        self._inner = gzip.GzipFile(fileobj=file) if gzipped else file
        self._where = where
        self._left = limit

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill a buffer; raise OntologyInvalid for damage and excess."""
        data = self._read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise OntologyInvalid(
                "the file is larger unpacked than any ontology",
                where=self._where,
                hint="is it really an ontology?",
            )
        buffer[: len(data)] = data
        return len(data)

    def _read(self, size: int) -> bytes:
        try:
            return self._inner.read(size)
        except EOFError as error:
            raise OntologyInvalid(
                "the file ends in the middle", where=self._where, hint="download it again"
            ) from error
        except (zlib.error, gzip.BadGzipFile) as error:
            raise OntologyInvalid(
                f"the gzip file is damaged: {error}", where=self._where, hint="download it again"
            ) from error
        except OSError as error:
            raise OntologyInvalid(f"cannot be read: {error}", where=self._where) from error

    def close(self) -> None:
        """Close the file below."""
        self._inner.close()
        self._file.close()
        super().close()


def open_bytes(path: Path, limit: int = MAX_BYTES) -> io.BufferedReader:
    """Open a file for reading, gunzipped when it is gzip, whatever its name says."""
    try:
        raw = path.open("rb")
        magic = raw.read(2)
        raw.seek(0)
    except OSError as error:
        raise OntologyInvalid(
            f"cannot be read: {error.strerror or error}", where=str(path), hint="check the path"
        ) from error
    gzipped = magic == b"\x1f\x8b"
    return io.BufferedReader(BoundedReader(raw, str(path), gzipped=gzipped, limit=limit), 1 << 18)


def sniff(path: Path) -> Kind:
    """Tell the format of a file from its beginning; OntologyInvalid says what it is instead."""
    with open_bytes(path) as stream:
        head = stream.read(_HEAD)
    kind = _kind(head.lstrip(b"\xef\xbb\xbf \t\r\n"))
    if kind:
        return kind
    raise OntologyInvalid(*_why_not(head), where=str(path), hint=_hint(head))


def _kind(head: bytes) -> Kind | None:
    if head.startswith(b"#parfocal-terms"):
        return "table"
    if head[:1] == b"{":
        return "json"
    if re.match(rb"(?:#[^\n]*\n|\s)*(?:Prefix|Ontology)\s*\(", head):
        return "functional"
    if _TURTLE.search(head):
        return "turtle"
    if head[:1] == b"<":
        return "owl" if b"RDF" in head[:20000] and not _DOCTYPE.search(head[:2000]) else None
    if re.search(rb"^(?:format-version|ontology|default-namespace|date)\s*:|^\[Term\]", head, re.M):
        return "obo"
    return None


def _why_not(head: bytes) -> tuple[str]:
    start = head[:2000]
    if not head.strip():
        return ("the file is empty",)
    if _DOCTYPE.search(start):
        return ("this is a web page, not an ontology",)
    if b"<Ontology" in head and b"owl#" in head:
        return ("this is OWL/XML, which is not read",)
    return ("this is neither OBO, OWL (RDF/XML, functional syntax), Turtle nor OBO Graphs JSON",)


def _hint(head: bytes) -> str:
    if _DOCTYPE.search(head[:2000]):
        return "a login page or an error page was saved in place of the file; download it again"
    if b"owl#" in head:
        return "convert it with ROBOT: robot convert -i FILE -o FILE.obo"
    return "parfocal ontology load takes .obo, .owl, .ofn, .ttl and .json files, also gzipped"
