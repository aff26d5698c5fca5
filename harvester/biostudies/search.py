"""Walking the pages of BioStudies' search while studies come and go between them."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

from msgspec import Struct

from harvester.asking.answers import Answer
from harvester.asking.http import Http
from harvester.biostudies.items import SCOPE, study_key
from harvester.biostudies.options import BioStudiesOptions
from parfocal.errors import SourceMalformed
from parfocal.values import Problem

SWEEPS = 3
_BARREN = 2
_ACCESSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,98}")
_NO_STUDY = ("collection", "project")


class Hit(Struct, frozen=True):
    """A study that the search found; ``cursor`` is the place after it."""

    accession: str
    content: bytes = b""
    cursor: str = ""
    is_study: bool = True


class _Place(Struct, frozen=True):
    """Where a walk stood: page, studies so far, studies in all, the last one."""

    page: int = 1
    count: int = 0
    total: int = 0
    accession: str = ""

    def text(self) -> str:
        return f"{self.page}:{self.count}:{self.total}:{self.accession}"


class _Page(Struct, frozen=True):
    hits: tuple[Hit, ...]
    total: int
    exact: bool


def site_of(url: str) -> str:
    """Return the archive's address without slash and API path.

    >>> site_of("https://www.ebi.ac.uk/biostudies/api/v1/")
    'https://www.ebi.ac.uk/biostudies'
    """
    return url.rstrip("/").removesuffix("/api/v1")


def is_accession(text: str) -> bool:
    """Whether a text can be an accession, and so a part of an address and of a key."""
    return bool(_ACCESSION.fullmatch(text)) and ".." not in text


def _place(cursor: str) -> _Place:
    parts = cursor.split(":", 3)
    if len(parts) == 4 and all(part.isdigit() for part in parts[:3]):
        return _Place(int(parts[0]), int(parts[1]), int(parts[2]), parts[3])
    return _Place()


async def listed(accessions: Iterable[str], cursor: str) -> AsyncIterator[Hit]:
    """Yield the studies that the settings name, sorted, from after the cursor."""
    for accession in sorted(set(accessions)):
        if accession > cursor:
            yield Hit(accession, cursor=accession)


def hits_of(http: Http, options: BioStudiesOptions, cursor: str) -> AsyncIterator[Hit | Problem]:
    """Yield each study of a collection once; what the pages do not show becomes a Problem.

    Raises SourceError when a page cannot be read.
    """
    return _Search(http, options).walk(_place(cursor))


class _Search:
    def __init__(self, http: Http, options: BioStudiesOptions) -> None:
        self._http = http
        self._options = options
        parts = [site_of(options.url), "api/v1", options.collection, "search"]
        self._address = "/".join(part for part in parts if part)
        self._seen: set[str] = set()
        self._count = 0
        self._last = _Place()

    async def walk(self, place: _Place) -> AsyncIterator[Hit | Problem]:
        totals = {place.total} if place.accession else set()
        page = await self._page(place.page)
        place, page = await self._resumed(place, page)
        self._count = place.count
        number, barren, exact = place.page, 0, True
        while True:
            totals.add(page.total)
            exact = exact and page.exact
            before = len(self._seen)
            for hit in self._fresh(page, number):
                yield hit
            barren = barren + 1 if len(self._seen) == before else 0
            whole = page.exact and self._count >= page.total
            if not page.hits or whole or barren >= _BARREN:
                break
            number += 1
            page = await self._page(number)
        if len(totals) > 1 or (exact and self._count != page.total):
            async for found in self._sweep():
                yield found

    async def _resumed(self, place: _Place, page: _Page) -> tuple[_Place, _Page]:
        """Pass over what came before the place; begin anew when its study moved to another page."""
        if not place.accession:
            return place, page
        names = [hit.accession for hit in page.hits]
        if place.accession in names:
            self._seen.update(names[: names.index(place.accession) + 1])
            self._last = place
            return place, page
        return _Place(), page if place.page == 1 else await self._page(1)

    def _fresh(self, page: _Page, number: int) -> Iterator[Hit | Problem]:
        for hit in page.hits:
            if hit.accession in self._seen:
                continue
            self._seen.add(hit.accession)
            self._count += 1
            if number:
                self._last = _Place(number, self._count, page.total, hit.accession)
            if not hit.is_study:
                continue
            if not is_accession(hit.accession):
                shown = hit.accession[:100]
                yield Problem(study_key(shown), f"is no accession: {shown!r}")
            elif self._wanted(hit.accession):
                yield Hit(hit.accession, hit.content, self._last.text())

    def _wanted(self, accession: str) -> bool:
        return not self._options.prefixes or accession.startswith(self._options.prefixes)

    async def _sweep(self) -> AsyncIterator[Hit | Problem]:
        """List all pages again for studies that slipped from one page to another."""
        names: set[str] = set()
        total, exact = 0, True
        for _ in range(SWEEPS):
            names, totals, number = set(), set(), 0
            while True:
                number += 1
                page = await self._page(number)
                before = len(names)
                names.update(hit.accession for hit in page.hits)
                totals.add(page.total)
                total, exact = page.total, exact and page.exact
                for hit in self._fresh(page, 0):
                    yield hit
                if len(names) == before or (page.exact and len(names) >= page.total):
                    break
            if len(totals) == 1 and (len(names) == total or not exact):
                return
        if exact:
            reason = f"the archive says that it has {total} studies, but shows {len(names)}"
            yield Problem(SCOPE, reason, hint="harvest again later; nothing is taken for deleted")

    async def _page(self, number: int) -> _Page:
        params: dict[str, str | int] = {"pageSize": self._options.page_size, "page": number}
        if self._options.query:
            params["query"] = self._options.query
        answer = await self._http.get(self._address, params=params, check=_check)
        held: dict[str, Any] = answer.json()
        hits = [one for one in held["hits"] if isinstance(one, dict)]
        total = held.get("totalHits")
        return _Page(
            tuple(_hit(one) for one in hits),
            total if isinstance(total, int) else len(hits),
            isinstance(total, int) and held.get("isTotalHitsExact") is not False,
        )


def _hit(held: dict[str, Any]) -> Hit:
    content = json.dumps(held).encode()
    is_study = held.get("type") not in _NO_STUDY
    return Hit(str(held.get("accession") or ""), content, is_study=is_study)


def _check(answer: Answer) -> None:
    held = answer.json()
    if not isinstance(held, dict) or not isinstance(held.get("hits"), list):
        raise SourceMalformed("not an answer of a search: there are no hits", where=answer.url)
