"""Files that a repository lists beside a data set; those that are images become records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from harvester.formats.image_formats import image_format
from parfocal.errors import RecordInvalid
from parfocal.identifiers import record_id
from parfocal.model import Access, Dataset, Image, KeyValue, Link, Provenance
from parfocal.values import Problem


class RepositoryFile(Struct, frozen=True, kw_only=True):
    """One file: its path in the data set, where it is, and what else the repository says of it."""

    path: str
    url: str = ""
    thumbnail: str = ""
    description: str = ""
    access: Access = Access()
    pairs: tuple[KeyValue, ...] = ()


def images_of(
    study: Dataset, files: Iterable[RepositoryFile], item: str
) -> Iterator[Image | Problem]:
    """Yield the images among the files of a study; one whose name makes no identifier is told."""
    taken: set[str] = set()
    for file in files:
        found = image_format(file.path)
        if not found or file.path in taken:
            continue
        taken.add(file.path)
        try:
            yield _image(study, file, found)
        except RecordInvalid as error:
            yield Problem(item, error.message, file.path, error.hint, severity="warning")


def _image(study: Dataset, file: RepositoryFile, found: str) -> Image:
    native = f"{study.id.partition(':')[2]}/{file.path}"
    source = study.provenance.source
    return Image(
        id=record_id(source, native),
        title=file.path.rpartition("/")[2],
        description=file.description,
        part_of=study.id,
        access=file.access,
        provenance=Provenance(source=source, native_id=native, url=file.url),
        key_values=file.pairs,
        links=(Link(file.url, "File", "data"),) if file.url else (),
        thumbnail=file.thumbnail,
        location=file.url or file.path,
        format=found,
    )


def other_files(files: Iterable[RepositoryFile]) -> tuple[KeyValue, ...]:
    """Return the names of files that are no images, as key-values of the data set.

    >>> other_files([RepositoryFile(path="a.tif"), RepositoryFile(path="b.csv")])[0].value
    'b.csv'
    """
    return tuple(KeyValue("files.key", file.path) for file in files if not image_format(file.path))
