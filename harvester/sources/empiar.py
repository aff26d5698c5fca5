"""The source ``empiar``: entries of the Electron Microscopy Public Image Archive."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, ClassVar

import msgspec
from msgspec import Struct
from pydantic import Field, field_validator

from harvester.asking.ahead import in_order
from harvester.asking.answers import Answer, unless
from harvester.asking.http import Http
from harvester.asking.http_options import HttpOptions
from harvester.asking.setbacks import Setbacks
from harvester.biostudies.empiar_records import read_entry
from harvester.biostudies.items import SCOPE as STUDIES
from harvester.biostudies.options import BioStudiesOptions
from harvester.biostudies.search import Hit, hits_of
from parfocal.errors import RecordInvalid, SourceError, SourceMalformed
from parfocal.interfaces import Walk
from parfocal.model import Record
from parfocal.values import Fetched, Problem, RawItem, Unchanged

SCOPE = "entries"
_RANGE = re.compile(r"(?:EMPIAR-)?(\d{1,7})(?:\s*-\s*(?:EMPIAR-)?(\d{1,7}))?", re.I)


class EmpiarOptions(HttpOptions):
    """Settings of an ``empiar`` source."""

    url: str = Field("https://www.ebi.ac.uk/empiar", description="Address of the archive.")
    numbers: tuple[str, ...] = Field(
        (), description="Numbers and ranges of entries, as 10943 or 10002-12000."
    )
    biostudies: str = Field(
        "https://www.ebi.ac.uk/biostudies",
        description="Archive whose collection lists the entries, when no numbers are given.",
    )
    collection: str = Field(
        "BioImages", pattern=r"[A-Za-z0-9._-]*", description="Collection that lists them."
    )
    page_size: int = Field(100, ge=1, le=1000, description="Hits on a page of that list.")

    @field_validator("numbers")
    @classmethod
    def _are_ranges(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            if not _RANGE.fullmatch(text.strip()):
                raise ValueError(f"{text!r} is no number and no range of numbers")
        return value


class _Wanted(Struct, frozen=True):
    """An entry to ask for; ``named`` says that it must be there."""

    accession: str
    cursor: str
    named: bool


def _numbers(texts: Iterable[str]) -> Iterator[tuple[int, bool]]:
    """Yield the numbers of ranges, sorted, each once, and whether each was named by itself."""
    ranges: list[range] = []
    single: set[int] = set()
    for text in texts:
        match = _RANGE.fullmatch(text.strip())
        if match and match[2]:
            ranges.append(range(int(match[1]), int(match[2]) + 1))
        elif match:
            single.add(int(match[1]))
    start = 0
    for part in sorted([*ranges, *(range(one, one + 1) for one in single)], key=lambda r: r.start):
        for number in range(max(start, part.start), part.stop):
            yield number, number in single
        start = max(start, part.stop)


class Empiar:
    """Entries of EMPIAR and their image sets."""

    Options: ClassVar[type[EmpiarOptions]] = EmpiarOptions

    def __init__(self, name: str, options: EmpiarOptions) -> None:
        self.name = name
        self.options = options
        self._site = options.url.rstrip("/").removesuffix("/api")

    async def fetch(self, walk: Walk) -> AsyncIterator[Fetched]:
        """Yield each entry; one whose ETag is known is not read again.

        Raises SourceError when the entries cannot be listed, or many in a row cannot be read.
        """
        shared = self.options.model_dump(include=set(HttpOptions.model_fields) - {"url"})
        listing = BioStudiesOptions(
            url=self.options.biostudies,
            collection=self.options.collection,
            page_size=self.options.page_size,
            prefixes=("EMPIAR-",),
            **shared,
        )
        async with Http(self.options, walk) as http, Http(listing, walk) as lister:
            reader = _Reader(http, self._site, walk)
            over: AsyncIterator[_Wanted | Problem] | Iterator[_Wanted] = (
                self._ranges(walk.cursor)
                if self.options.numbers
                else _listed(hits_of(lister, listing, walk.cursor))
            )
            async for found in in_order(reader, over, self.options.concurrency):
                if found is not None:
                    yield found

    def _ranges(self, cursor: str) -> Iterator[_Wanted]:
        done = int(cursor) if cursor.isdigit() else -1
        for number, named in _numbers(self.options.numbers):
            if number > done:
                yield _Wanted(f"EMPIAR-{number}", str(number), named)

    def normalise(self, item: RawItem) -> Iterable[Record | Problem]:
        """Yield an entry and its image sets."""
        try:
            accession, told = _entry(json.loads(item.content), item.key)
            yield from read_entry(accession, told, self.name, self._site)
        except (ValueError, RecursionError) as error:
            yield Problem(item.key, f"cannot be read: {error}")
        except (SourceMalformed, RecordInvalid) as error:
            yield Problem(item.key, error.message, error.where, error.hint)


async def _listed(hits: AsyncIterator[Hit | Problem]) -> AsyncIterator[_Wanted | Problem]:
    async for hit in hits:
        if isinstance(hit, Problem):
            scope = hit.item.replace(STUDIES, SCOPE, 1)
            yield msgspec.structs.replace(hit, item=scope)
        elif hit.accession.rpartition("-")[2].isdigit():
            yield _Wanted(hit.accession, hit.cursor, named=True)


def _entry(told: Any, key: str) -> tuple[str, dict[str, Any]]:
    """Return accession and content of an answer, which holds one entry by its accession."""
    held = told if isinstance(told, dict) else {}
    for accession, content in held.items():
        if isinstance(content, dict) and content and accession == key.rpartition("/")[2]:
            return accession, content
    raise SourceMalformed("not an entry of EMPIAR", where=key)


class _Reader:
    """Asks for entries, each only if it changed."""

    def __init__(self, http: Http, site: str, walk: Walk) -> None:
        self._http = http
        self._site = site
        self._walk = walk
        self._setbacks = Setbacks()

    async def __call__(self, wanted: _Wanted | Problem) -> Fetched | None:
        """Return an entry; None for a number that has none."""
        if isinstance(wanted, Problem):
            return wanted
        key = f"{SCOPE}/{wanted.accession}"
        try:
            answer = await self._ask(wanted.accession, key)
        except SourceError as error:
            return self._setbacks.problem(key, error)
        self._setbacks.success()
        if answer.status == 304:
            return Unchanged(key, wanted.cursor)
        if answer.status == 404 or not any(answer.json().values()):
            missing = Problem(key, "there is no such entry", severity="warning")
            return missing if wanted.named else None
        return RawItem(key, answer.content, wanted.cursor, answer.stamp)

    async def _ask(self, accession: str, key: str) -> Answer:
        return await self._http.get(
            f"{self._site}/api/entry/{accession.rpartition('-')[2]}",
            headers=unless(self._walk.stamp(key)),
            expect=(200, 304, 404),
            check=_check,
        )


def _check(answer: Answer) -> None:
    """Anything but an object is a mistake of the server that may pass."""
    if answer.status == 200 and not isinstance(answer.json(), dict):
        raise SourceMalformed("the answer is no JSON object", where=answer.url)
