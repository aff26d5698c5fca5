"""The package: metadata in a folder of our own, files still where they are, checksums of both."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import msgspec
from msgspec import Struct

from parfocal.errors import PublishError
from parfocal.formats import safe_cell
from parfocal.model import Image, Record
from publish import datacite as kernel
from publish.checks import Proposal
from publish.contents import DataFile
from publish.crate import FILE_NAME, Part, crate
from publish.readme import readme

MANIFEST = "manifest-sha256.txt"
DATACITE = "datacite.json"
DATACITE_XML = "datacite.xml"
RECORDS = "metadata/records.jsonl"
IMAGES = "metadata/images.csv"
README = "README.md"
_CHUNK = 1 << 20
_COLUMNS = ("id", "title", "part_of", "location", "format", "size_x", "size_y", "size_z", "size_c")
_ABOUT = {
    RECORDS: "All records, one JSON-LD document a line",
    IMAGES: "The images as a table",
    README: "Read me",
    DATACITE: "DataCite metadata",
    DATACITE_XML: "DataCite metadata as XML",
}
_FORMATS = {".jsonl": "application/x-ndjson", ".csv": "text/csv", ".json": "application/json"}

Dump = Callable[[Record], bytes]


class PackageFile(Struct, frozen=True):
    """A file: its path within the package, where it is now, size and SHA-256 as hexadecimal."""

    path: str
    source: Path
    size: int
    sha256: str


class Package(Struct, frozen=True):
    """A data set ready for upload; ``files`` are ordered by path, the manifest last."""

    key: str
    files: tuple[PackageFile, ...]
    metadata: dict[str, Any]

    @property
    def digest(self) -> str:
        """Return the checksum of the manifest, which stands for the whole content."""
        return self.files[-1].sha256


def build(proposal: Proposal, records: Iterable[Record], folder: Path, dump: Dump) -> Package:
    """Make the metadata of a package in a folder of its own, in place of what was there.

    Everything is on disk when this returns. PublishError when a file changed or cannot be read.
    """
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "metadata").mkdir(parents=True)
    _write_records(records, folder, dump)
    metadata = kernel.metadata(proposal.draft, proposal.contents, proposal.doi, proposal.url)
    _write(folder / DATACITE, _json(metadata))
    _write(folder / DATACITE_XML, kernel.xml(metadata))
    data = [_data_file(file) for file in proposal.contents.files]
    _write(folder / README, readme(proposal).encode())
    made = [_hashed(name, folder / name) for name in sorted(_ABOUT)]
    formats = {file.path: file.format for file in proposal.contents.files}
    parts = [_part(file, formats) for file in (*made, *data)]
    document = crate(proposal.draft, proposal.contents, parts, proposal.doi, proposal.url)
    _write(folder / FILE_NAME, _json(document))
    files = sorted((*made, *data, _hashed(FILE_NAME, folder / FILE_NAME)), key=lambda f: f.path)
    lines = "".join(f"{file.sha256}  {file.path}\n" for file in files)
    _write(folder / MANIFEST, lines.encode())
    return Package(proposal.draft.key, (*files, _hashed(MANIFEST, folder / MANIFEST)), metadata)


def _part(file: PackageFile, formats: dict[str, str]) -> Part:
    form = formats.get(file.path) or _FORMATS.get(Path(file.path).suffix, "")
    return Part(file.path, file.size, file.sha256, form, _ABOUT.get(file.path, ""))


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n"


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _write_records(records: Iterable[Record], folder: Path, dump: Dump) -> None:
    with (
        (folder / RECORDS).open("wb") as lines,
        (folder / IMAGES).open("w", encoding="utf-8", newline="") as table,
    ):
        writer = csv.writer(table)
        writer.writerow((*_COLUMNS, "pixel_size_x", "key_values", "terms", "links"))
        for record in records:
            document = msgspec.json.decode(dump(record))
            lines.write(msgspec.json.encode(document) + b"\n")
            if isinstance(record, Image):
                writer.writerow([safe_cell(cell) for cell in _cells(record)])
        for file in (lines, table):
            _flush(file)


def _flush(file: IO[Any]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _cells(image: Image) -> Iterator[str]:
    for name in _COLUMNS:
        value = getattr(image, name)
        yield "" if value is None else str(value)
    size = image.pixel_size_x
    yield f"{size.value:g} {size.unit}" if size else ""
    yield "; ".join(f"{pair.key}={pair.value}" for pair in image.key_values)
    yield "; ".join(f"{c.label} ({c.term})" for c in image.annotations if c.believed)
    yield " ".join(link.url for link in image.links)


def _hashed(name: str, path: Path) -> PackageFile:
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return PackageFile(name, path, size, digest.hexdigest())


def _data_file(file: DataFile) -> PackageFile:
    try:
        found = _hashed(file.path, file.source)
    except OSError as error:
        raise PublishError(
            f"a file cannot be read: {error.strerror}",
            where=str(file.source),
            hint="run parfocal publish check",
        ) from error
    if found.size != file.size:
        hint = "wait until nothing writes to it, then run the command again"
        raise PublishError("a file is changing", where=str(file.source), hint=hint)
    return found
