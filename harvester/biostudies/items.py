"""Raw items of the source ``biostudies``: a study, its data sets, runs of their files, the end."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from harvester.biostudies.pagetab import Section
from parfocal.values import RawItem

SCOPE = "studies"
"""All raw keys lie below it, so that one problem can cover them all."""


class ListFacts(Struct, frozen=True):
    """What a file list holds: entries, and how many there are of each suffix."""

    name: str
    entries: int
    suffixes: dict[str, int]


class StudyItem(Struct, frozen=True, tag="study"):
    """A study as the archive gave it: its hit in the search, its info and its PageTab."""

    site: str
    accession: str
    pagetab: bytes
    info: bytes = b""
    hit: bytes = b""
    public: bool = True


class PartItem(Struct, frozen=True, tag="part"):
    """A data set of a study: its section, those that describe data, and what its list holds."""

    site: str
    accession: str
    part: str
    section: Section
    described: tuple[Section, ...] = ()
    facts: ListFacts | None = None
    public: bool = True


class FilesItem(Struct, frozen=True, tag="files"):
    """A run of entries of one file list, as a JSON array."""

    site: str
    accession: str
    part: str
    list_name: str
    entries: bytes
    public: bool = True


class EndItem(Struct, frozen=True, tag="end"):
    """Stands behind a study's files: with it the study has been read whole."""

    accession: str


Item = StudyItem | PartItem | FilesItem | EndItem
_decoder: msgspec.msgpack.Decoder[Item] = msgspec.msgpack.Decoder(Item)
_encoder = msgspec.msgpack.Encoder()


def decode_item(content: bytes) -> Item:
    """Read a raw item's content; msgspec.DecodeError when it is none."""
    return _decoder.decode(content)


def study_key(accession: str) -> str:
    """Return the raw key of a study."""
    return f"{SCOPE}/{accession}"


def part_key(accession: str, part: str) -> str:
    """Return the raw key of a data set; those of its files lie below it."""
    return f"{SCOPE}/{accession}/{part or '-'}"


def end_key(accession: str) -> str:
    """Return the raw key of a study's end."""
    return f"{SCOPE}/{accession}#end"


def raw(key: str, item: Item, *, cursor: str = "", stamp: str = "") -> RawItem:
    """Make a raw item."""
    return RawItem(key, _encoder.encode(item), cursor, stamp)
