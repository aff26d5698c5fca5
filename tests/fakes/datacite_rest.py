"""DataCite's REST lists on loopback, with the quirks of the real ones.

Numbered pages end at 10,000 hits: beyond, the last page comes again, silently. A cursor is made of
the last DOI's time and name; ``next`` stands behind a last full page too, and its page is empty; it
forgets ``sort``. Only findable DOIs are listed.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from parfocal.testing.loopback import Asked, Given

WINDOW = 10_000
_CHANGED = re.compile(r"updated:\[(\S+) TO \*\]")


class FakeDataciteRest:
    """The service; ``dois`` are the attributes of what is registered."""

    def __init__(self, count: int = 7) -> None:
        self.dois: list[dict[str, Any]] = []
        self.clock = datetime(2024, 1, 1, tzinfo=UTC)
        self.how = ""
        for _ in range(count):
            self.add()

    def now(self) -> str:
        self.clock += timedelta(hours=7)
        return self.clock.strftime("%Y-%m-%dT%H:%M:%SZ")

    def add(self, **more: Any) -> dict[str, Any]:
        number, now = len(self.dois) + 1, self.now()
        doi = f"10.5072/cells.{number}"
        self.dois.append(
            {
                "doi": doi,
                "identifiers": [],
                "creators": [
                    {
                        "name": "Example, Ada",
                        "nameType": "Personal",
                        "givenName": "Ada",
                        "familyName": "Example",
                        "affiliation": [
                            {
                                "name": "Institute",
                                "affiliationIdentifier": "https://ror.org/02mhbdp94",
                                "affiliationIdentifierScheme": "ROR",
                            }
                        ],
                        "nameIdentifiers": [
                            {
                                "nameIdentifier": "https://orcid.org/0000-0002-1825-0097",
                                "nameIdentifierScheme": "ORCID",
                            }
                        ],
                    }
                ],
                "titles": [{"title": f"Cells {number}"}],
                "publisher": {"name": "Example Archive"},
                "publicationYear": 2024,
                "subjects": [
                    {"subject": "HeLa"},
                    {
                        "subject": "human",
                        "valueUri": "http://purl.obolibrary.org/obo/NCBITaxon_9606",
                    },
                ],
                "fundingReferences": [{"funderName": "Funder", "awardNumber": "7"}],
                "contributors": [],
                "dates": [{"date": now, "dateType": "Issued"}],
                "types": {"resourceTypeGeneral": "Dataset"},
                "relatedIdentifiers": [
                    {
                        "relatedIdentifier": "10.1000/Paper",
                        "relatedIdentifierType": "DOI",
                        "relationType": "IsSupplementTo",
                    }
                ],
                "rightsList": [{"rightsIdentifier": "cc-by-4.0"}],
                "descriptions": [{"description": "Words", "descriptionType": "Abstract"}],
                "url": f"https://archive.example/{number}",
                "metadataVersion": 0,
                "viewCount": 5,
                "isActive": True,
                "state": "findable",
                "created": now,
                "registered": now,
                "updated": now,
                **more,
            }
        )
        return self.dois[-1]

    def change(self) -> None:
        self.dois[1]["titles"][0]["title"] += ", better"
        self.dois[1]["metadataVersion"] += 1
        self.dois[1]["updated"] = self.now()

    def remove(self) -> None:
        hidden = next(one for one in self.dois if one["state"] == "findable")
        hidden.update(state="registered", isActive=False, updated=self.now())

    def misbehave(self, how: str) -> None:
        self.how = how

    # ------------------------------------------------------------- answers

    def answer(self, asked: Asked) -> Given:
        if asked.path != "/dois":
            title = "The resource you are looking for doesn't exist."
            return _given({"errors": [{"status": "404", "title": title}]}, 404)
        size = min(int(asked.one("page[size]", "25")), 1000)
        found = [one for one in self.dois if self.fits(one, asked)]
        sort = asked.one("sort", "created")
        if "page[cursor]" in asked.query:
            sort = "created"
        found.sort(key=lambda one: (one[sort.lstrip("-")], one["doi"]), reverse=sort[:1] == "-")
        total = 0 if self.how == "empty" else len(found)
        page, following = self.cut(found[:total], asked, size)
        links = {"self": f"http://{asked.headers['host']}{asked.place}"}
        if following:
            links["next"] = f"http://{asked.headers['host']}/dois?{following}"
        document = {
            "data": [self.entry(one) for one in page],
            "meta": {"total": total, "totalPages": -(-total // size), "page": 1},
            "links": links,
        }
        return _given(document)

    def fits(self, one: dict[str, Any], asked: Asked) -> bool:
        changed = _CHANGED.search(asked.one("query"))
        word = _CHANGED.sub("", asked.one("query")).replace("AND", "").strip(" ()").lower()
        return (
            one["state"] == "findable"
            and one["doi"].startswith(asked.one("prefix"))
            and asked.one("client-id") in ("", "example.lab")
            and (not changed or _time(one["updated"]) >= _time(changed[1]))
            and word in one["titles"][0]["title"].lower()
        )

    def cut(
        self, found: list[dict[str, Any]], asked: Asked, size: int
    ) -> tuple[list[dict[str, Any]], str]:
        kept = {name: values[0] for name, values in asked.query.items() if name != "sort"}
        cursor = asked.one("page[cursor]")
        if not cursor:
            last = max(min(len(found), WINDOW) - 1, 0) // size + 1
            number = min(int(asked.one("page[number]", "1")), last)
            return found[(number - 1) * size : number * size], ""
        start = 0
        if cursor != "1":
            place = json.loads(urlsafe_b64decode(cursor.partition("!")[0]))
            start = sum((one["created"], one["doi"]) <= tuple(place) for one in found)
        if self.how == "duplicate-page":
            start = 0
        page = found[start : start + size]
        if len(page) < size and self.how != "endless-next":
            return page, ""
        end = (page or found)[-1] if page or found else {"created": "", "doi": ""}
        if self.how == "endless-next" and not page:
            page = found[-size:]
        token = urlsafe_b64encode(json.dumps([end["created"], end["doi"]]).encode()).decode()
        if self.how == "endless-next":
            token += "!" * (cursor.count("!") + 1)
        return page, urlencode({**kept, "page[cursor]": token})

    def entry(self, one: dict[str, Any]) -> dict[str, Any]:
        client = {"client": {"data": {"id": "example.lab", "type": "clients"}}}
        return {"id": one["doi"], "type": "dois", "attributes": one, "relationships": client}


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _given(document: object, status: int = 200) -> Given:
    return Given(status, json.dumps(document).encode(), "application/vnd.api+json; charset=utf-8")
