"""Asking an OAI-PMH provider: one request, one page, its errors as ours."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from harvester.asking.answers import Answer
from harvester.asking.http import Http
from harvester.formats.elements import Element, child, name_of
from harvester.repositories.oai_pages import OaiPage, read_oai
from harvester.words.instants import read_instant
from harvester.words.leaves import words
from parfocal.errors import SourceMalformed, SourceRefused

_HINTS = {
    "cannotDisseminateFormat": "set format of this source to one that the provider offers",
    "noSetHierarchy": "the provider knows no sets: leave out sets of this source",
    "badArgument": "look at sets and format of this source",
}
_ERRORS = (400, 404, 406, 409, 410, 422)
_EMPTY = OaiPage()


class OaiRefused(SourceRefused):
    """The provider answered with an error of the protocol."""

    def __init__(self, error: str, message: str, where: str) -> None:
        told = f"the provider answered {error}: {message}".rstrip(": ")
        super().__init__(told, where=where, hint=_HINTS.get(error, ""))
        self.error = error


class TokenExpired(SourceRefused):
    """The provider does not know a resumption token any more."""


class Provider(Struct, frozen=True):
    """What a provider says of itself."""

    earliest: str
    deleted: str
    by_second: bool
    date: str

    @property
    def granule(self) -> timedelta:
        """Return the shortest time that the provider tells apart."""
        return timedelta(seconds=1) if self.by_second else timedelta(days=1)

    def write(self, instant: datetime) -> str:
        """Return an instant in the provider's granularity."""
        return instant.strftime("%Y-%m-%dT%H:%M:%SZ" if self.by_second else "%Y-%m-%d")

    def before(self, text: str) -> str:
        """Return a day or second one granule before an instant, and not before the earliest."""
        found, first = read_instant(text), read_instant(self.earliest)
        if found is None:
            return ""
        try:
            moved = found - self.granule
        except OverflowError:
            return ""
        return self.write(max(moved, first) if first else moved)


class Format(Struct, frozen=True):
    """A metadata format that a provider offers."""

    prefix: str
    namespace: str = ""

    @property
    def rank(self) -> int:
        """Return how much the format can tell; 0 when it cannot be read here."""
        space, name = self.namespace.lower(), self.prefix.lower()
        if "datacite" in space or "datacite" in name:
            return 4 if "kernel-4" in space or name.endswith("4") else 3
        if "www.w3.org/ns/dcat" in space or name.startswith("dcat"):
            return 2
        return 1 if "oai_dc" in (name, space.rstrip("/").rpartition("/")[2]) else 0


class OaiClient:
    """Requests to one provider."""

    def __init__(self, http: Http, url: str) -> None:
        self._http = http
        self._url = url

    async def ask(self, verb: str, **arguments: str) -> OaiPage:
        """Return a page; one without entries when nothing matches.

        Raise TokenExpired when the resumption token is no longer known, OaiRefused for any other
        error of the protocol.
        """
        read: dict[int, OaiPage] = {}

        def look(answer: Answer) -> None:
            read[0] = _read(answer, "resumptionToken" in arguments)

        params = [("verb", verb), *((k, v) for k, v in arguments.items() if v)]
        await self._http.get(
            self._url,
            params=params,
            headers={"Accept": "text/xml, application/xml"},
            expect=(200, *_ERRORS),
            check=look,
        )
        page = read[0]
        if page.error == "noRecordsMatch":
            return OaiPage(page.date)
        if page.error == "badResumptionToken" or (page.error and "resumptionToken" in arguments):
            raise TokenExpired(f"the resumption token has expired: {page.message}", where=self._url)
        if page.error:
            raise OaiRefused(page.error, page.message, self._url)
        return page

    async def identify(self) -> Provider:
        """Return what the provider says of itself."""
        page = await self.ask("Identify")
        held = child(page.root, "Identify") if page.root is not None else None
        if held is None:
            raise SourceMalformed("the provider does not identify itself", where=self._url)
        return Provider(
            _said(held, "earliestDatestamp"),
            _said(held, "deletedRecord").lower() or "no",
            "hh" in _said(held, "granularity").lower(),
            page.date,
        )

    async def formats(self) -> list[Format]:
        """Return the formats that the provider offers."""
        page = await self.ask("ListMetadataFormats")
        held = child(page.root, "ListMetadataFormats") if page.root is not None else None
        if held is None:
            raise SourceMalformed("the provider offers no formats", where=self._url)
        return [
            Format(_said(one, "metadataPrefix"), _said(one, "metadataNamespace"))
            for one in held
            if name_of(one) == "metadataFormat" and _said(one, "metadataPrefix")
        ]

    async def best_format(self) -> str:
        """Return the format that tells most and can be read; SourceRefused when there is none."""
        offered = await self.formats()
        best = max(offered, key=lambda one: (one.rank, one.prefix), default=Format(""))
        if not best.rank:
            names = ", ".join(one.prefix for one in offered)
            raise SourceRefused(
                f"the provider offers no format that can be read: {names or 'none'}",
                where=self._url,
                hint="Dublin Core, DataCite and DCAT can be read",
            )
        return best.prefix


def _read(answer: Answer, with_token: bool) -> OaiPage:
    if answer.status == 200:
        return read_oai(answer.content, answer.url)
    try:
        page = read_oai(answer.content, answer.url)
    except SourceMalformed:
        page = _EMPTY
    if page.error:
        return page
    if with_token:
        return OaiPage(error="badResumptionToken", message=f"answered {answer.status}")
    return OaiPage(error=f"HTTP status {answer.status}")


def _said(element: Element, name: str) -> str:
    held = child(element, name)
    return words("".join(held.itertext())) if held is not None else ""
