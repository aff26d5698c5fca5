"""Who may see a record of an InvenioRDM, and which files it has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harvester.repositories.rdm_record import is_old
from harvester.repositories.repository_files import RepositoryFile
from harvester.words.leaves import Json, child, leaves, objects, words
from parfocal.model import Access, KeyValue

_PUBLIC = ("public", "open", "")


def access_of(record: Json, group: str, part: str = "record") -> Access:
    """Return who may see a record or, with ``part`` "files", its files; ``group`` if restricted."""
    held = record.get("access")
    word = words(child(held, part)) if isinstance(held, dict) else ""
    if is_old(record) and part == "files":
        right = words(child(record, "metadata", "access_right"))
        word = right if right != "embargoed" else "restricted"
    restricted = word not in _PUBLIC or (
        part == "files" and child(held, "record") not in (None, "public")
    )
    return Access((group,)) if restricted else Access()


def listed_files(record: Json) -> list[Json] | None:
    """Return the files that a record lists; None when it has some but does not list them."""
    held: Any = record.get("files")
    if isinstance(held, list):
        return objects(held)
    found = child(held, "entries")
    if isinstance(found, dict) and found:
        return [
            {"key": name, **one} for name, one in sorted(found.items()) if isinstance(one, dict)
        ]
    if isinstance(found, list) and found:
        return objects(found)
    if not isinstance(held, dict) or held.get("enabled") is False or held.get("count") == 0:
        return []
    return None


def thumbnail_of(record: Json) -> str:
    """Return the address of a small picture of a record's first file, where there is one."""
    held = child(record, "links", "thumbnails")
    sizes = {name: words(url) for name, url in held.items()} if isinstance(held, dict) else {}
    return sizes.get("250") or next(filter(None, sizes.values()), "")


def files_of(record: Json, files: list[Json], access: Access) -> Iterator[RepositoryFile]:
    """Yield the files of a record."""
    home = words(child(record, "links", "self"))
    for file in files:
        path = words(file.get("key")) or words(file.get("filename"))
        if not path:
            continue
        url = words(child(file, "links", "content")) or words(child(file, "links", "self"))
        rest = {k: v for k, v in file.items() if k not in ("key", "filename", "links", "access")}
        yield RepositoryFile(
            path=path,
            url=url or (f"{home}/files/{path}/content" if home else ""),
            access=access,
            pairs=tuple(_file_pairs(rest)),
        )


def _file_pairs(file: Json) -> Iterator[KeyValue]:
    yield from leaves(file, "")
