"""A Dataverse on loopback: search, exports, the native interface.

Sorting by date knows major versions only; ``updatedAt`` shows minor ones too. Exports are bare
JSON, everything else is in an envelope. Unknown data sets are 404, an unknown exporter 400.
"""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

from parfocal.testing.loopback import Asked, Given, given_json


def primitive(name: str, value: Any, kind: str = "primitive") -> dict[str, Any]:
    multiple = isinstance(value, list)
    return {"typeName": name, "typeClass": kind, "multiple": multiple, "value": value}


def compound(name: str, *values: dict[str, str]) -> dict[str, Any]:
    made = [{key: primitive(key, value) for key, value in one.items()} for one in values]
    return {"typeName": name, "typeClass": "compound", "multiple": True, "value": made}


class FakeDataverse:
    """The archive; ``sets`` are data sets with all their versions, the latest last."""

    def __init__(self, count: int = 7, *, exports: bool = True) -> None:
        self.exports = exports
        self.sets: list[dict[str, Any]] = []
        self.clock = datetime(2024, 1, 1, tzinfo=UTC)
        self.number = 0
        self.how = ""
        for _ in range(count):
            self.add()

    def now(self) -> str:
        self.clock += timedelta(hours=7)
        return self.clock.strftime("%Y-%m-%dT%H:%M:%SZ")

    def add(self, title: str = "") -> dict[str, Any]:
        self.number += 1
        now = self.now()
        version = {
            "id": self.number,
            "versionNumber": 1,
            "versionMinorNumber": 0,
            "versionState": "RELEASED",
            "lastUpdateTime": now,
            "releaseTime": now,
            "license": {
                "name": "CC0 1.0",
                "uri": "http://creativecommons.org/publicdomain/zero/1.0",
            },
            "metadataBlocks": {
                "citation": {
                    "displayName": "Citation Metadata",
                    "name": "citation",
                    "fields": self.citation(title or f"Cells {self.number}"),
                },
                "microscopy": {
                    "displayName": "Our own block",
                    "name": "microscopy",
                    "fields": [
                        primitive("objective", "60x oil"),
                        compound("channel", {"dye": "DAPI"}, {"dye": "GFP"}),
                    ],
                },
            },
            "files": self.files(),
        }
        made = {
            "key": f"doi:10.5072/FK2/A{self.number}",
            "published": now,
            "versions": [version],
            "deaccessioned": False,
        }
        self.sets.append(made)
        return made

    def citation(self, title: str) -> list[dict[str, Any]]:
        return [
            primitive("title", title),
            compound(
                "author",
                {
                    "authorName": "Example, Ada",
                    "authorAffiliation": "Institute",
                    "authorIdentifierScheme": "ORCID",
                    "authorIdentifier": "0000-0002-1825-0097",
                },
            ),
            compound("datasetContact", {"datasetContactEmail": "ada@lab.example"}),
            compound("dsDescription", {"dsDescriptionValue": "<p>Words</p>"}),
            primitive("subject", ["Medicine, Health and Life Sciences"], "controlledVocabulary"),
            compound(
                "keyword",
                {
                    "keywordValue": "human",
                    "keywordTermURI": "http://purl.obolibrary.org/obo/NCBITaxon_9606",
                    "keywordVocabulary": "NCBITaxon",
                },
            ),
            compound(
                "publication",
                {
                    "publicationCitation": "Example 2024",
                    "publicationIDType": "doi",
                    "publicationIDNumber": "10.1000/Paper",
                },
            ),
            compound("grantNumber", {"grantNumberAgency": "Funder", "grantNumberValue": "7"}),
            compound("otherId", {"otherIdAgency": "IDR", "otherIdValue": "idr0001"}),
        ]

    def files(self) -> list[dict[str, Any]]:
        number = self.number * 10
        return [
            {
                "label": "cells.ome.tif",
                "directoryLabel": "plate 1",
                "restricted": True,
                "version": 1,
                "description": "One field",
                "dataFile": {
                    "id": number + 1,
                    "filename": "cells.ome.tif",
                    "contentType": "image/tiff",
                    "filesize": 1234,
                    "md5": "aa",
                    "checksum": {"type": "MD5", "value": "aa"},
                },
            },
            {
                "label": "table.tab",
                "restricted": False,
                "dataFile": {"id": number + 2, "filename": "table.tab", "filesize": 7},
            },
        ]

    def change(self) -> None:
        """Publish a minor version: its date of publication stays."""
        made = self.sets[1]
        version = copy.deepcopy(made["versions"][-1])
        version["versionMinorNumber"] += 1
        version["lastUpdateTime"] = version["releaseTime"] = self.now()
        version["metadataBlocks"]["citation"]["fields"][0]["value"] += ", better"
        made["versions"].append(version)

    def remove(self) -> None:
        next(one for one in self.sets if not one["deaccessioned"])["deaccessioned"] = True

    def misbehave(self, how: str) -> None:
        self.how = how

    # ------------------------------------------------------------- answers

    def answer(self, asked: Asked) -> Given:
        if asked.path == "/api/search":
            return self.search(asked)
        key = asked.one("persistentId")
        made = next((s for s in self.sets if s["key"] == key and not s["deaccessioned"]), None)
        if made is None or not asked.path.startswith("/api/datasets/"):
            return self.error(404, f"Dataset with Persistent ID {key} not found.")
        if asked.path == "/api/datasets/export":
            if not self.exports or asked.one("exporter") != "dataverse_json":
                return self.error(400, "Export Failed")
            return given_json({**self.around(made), "datasetVersion": self.shown(made, -1)})
        if asked.path.endswith("/versions"):
            every = [self.shown(made, place) for place in range(len(made["versions"]))]
            return given_json({"status": "OK", "data": every[::-1]})
        latest = {**self.around(made), "latestVersion": self.shown(made, -1)}
        return given_json({"status": "OK", "data": latest})

    def error(self, status: int, message: str) -> Given:
        return given_json({"status": "ERROR", "message": message}, status)

    def search(self, asked: Asked) -> Given:
        size, start = int(asked.one("per_page", "10")), int(asked.one("start", "0"))
        if size > 1000:
            return self.error(400, "per_page must be between 1 and 1000")
        word = asked.one("q").strip("*").lower()
        found = [
            one
            for one in self.sets
            if not one["deaccessioned"]
            and word
            in self.shown(one, -1)["metadataBlocks"]["citation"]["fields"][0]["value"].lower()
        ]
        if asked.one("sort") == "date":
            found.sort(key=lambda one: one["published"], reverse=asked.one("order") != "asc")
        if self.how == "empty":
            found = []
        if self.how == "duplicate-page":
            start = 0
        items = [self.hit(one) for one in found[start : start + size]]
        data = {"q": asked.one("q"), "total_count": len(found), "start": start, "items": items,
                "count_in_response": len(items)}  # fmt: skip
        return given_json({"status": "OK", "data": data})

    def hit(self, made: dict[str, Any]) -> dict[str, Any]:
        latest = made["versions"][-1]
        return {
            "name": latest["metadataBlocks"]["citation"]["fields"][0]["value"],
            "type": "dataset",
            "url": f"https://doi.org/{made['key'][4:]}",
            "global_id": made["key"],
            "published_at": made["published"],
            "versionState": "RELEASED",
            "majorVersion": latest["versionNumber"],
            "minorVersion": latest["versionMinorNumber"],
            "createdAt": made["published"],
            "updatedAt": latest["lastUpdateTime"],
        }

    def around(self, made: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": 1,
            "identifier": made["key"].partition("/")[2],
            "persistentUrl": f"https://doi.org/{made['key'][4:]}",
            "protocol": "doi",
            "authority": "10.5072",
            "publisher": "Example Dataverse",
            "publicationDate": made["published"][:10],
        }

    def shown(self, made: dict[str, Any], place: int) -> dict[str, Any]:
        return {"datasetPersistentId": made["key"], **made["versions"][place]}
