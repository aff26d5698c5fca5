"""An InvenioRDM on loopback, with the limits of the real one, in its own or Zenodo's older shape.

The search shows no more than 10,000 hits: ``(page - 1) * size >= 10000`` is 400, and so is a size
above 25 (100 with a token). Hits are the latest versions unless ``allversions``. ``links.next``
follows the total and so leads into that 400. Deleted records are 410 and in the exported table.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from parfocal.testing.loopback import Asked, Given, given_json

WINDOW = 10_000
_RANGE = re.compile(r"\s*(\w+):\[(\S+) TO (\S+)\]\s*")
_SORTS = {
    "oldest": ("created", False),
    "newest": ("created", True),
    "updated-asc": ("updated", False),
    "updated-desc": ("updated", True),
}


def refused(message: str, status: int = 400) -> Given:
    return given_json({"status": status, "message": message}, status)


@lru_cache
def whole(text: str) -> str:
    """A bound with microseconds."""
    if text == "*":
        return "9"
    return datetime.fromisoformat(text).isoformat(timespec="microseconds")


class FakeInvenio:
    """The archive. ``old`` gives Zenodo's older shape; the others say what its search can."""

    def __init__(
        self,
        count: int = 7,
        *,
        old: bool = False,
        sorts: bool = True,
        ranges: bool = True,
        cap: int = 25,
        files_in_hits: bool = True,
        exports: bool = True,
        sortings: tuple[str, ...] = tuple(_SORTS),
    ) -> None:
        self.sortings = sortings
        self.old = old
        self.sorts = sorts
        self.ranges = ranges
        self.cap = cap
        self.files_in_hits = files_in_hits
        self.exports = exports
        self.records: list[dict[str, Any]] = []
        self.deleted: list[dict[str, Any]] = []
        self.clock = datetime(2024, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
        self.number = 100
        self.how = ""
        self.terse = False
        """Whether records say no more than what a walk needs."""
        for _ in range(count):
            self.add()

    # ------------------------------------------------------------- the world

    def now(self) -> str:
        self.clock += timedelta(hours=7, milliseconds=1)
        return self.clock.isoformat(timespec="microseconds")

    def add(self, *, parent: str = "", when: str = "", **metadata: Any) -> dict[str, Any]:
        self.number += 2
        when = when or self.now()
        record = {
            "id": str(self.number),
            "parent": parent or str(self.number - 1),
            "index": 1,
            "latest": True,
            "created": when,
            "updated": when,
            "communities": [],
            "restricted": False,
            "metadata": {"title": f"Cells {self.number}", **metadata},
            "files": [
                {"key": "plate 1/cells.ome.tif", "size": 1000 + self.number, "checksum": "md5:aa"},
                {"key": "table.csv", "size": 7, "checksum": "md5:bb"},
            ],
        }
        for one in self.records if parent else ():
            if one["parent"] == parent:
                one["latest"] = False
                record["index"] = one["index"] + 1
        self.records.append(record)
        return record

    def change(self) -> None:
        record = self.records[1]
        record["metadata"]["title"] += ", better"
        record["updated"] = self.now()

    def remove(self) -> None:
        self.deleted.append(self.records.pop(0))

    def misbehave(self, how: str) -> None:
        self.how = how

    # ------------------------------------------------------------- answers

    def answer(self, asked: Asked) -> Given:
        parts = asked.path.strip("/").split("/")
        if parts[:2] == ["api", "records"] and len(parts) == 2:
            return self.search(asked, "")
        if parts[:2] == ["api", "communities"] and parts[3:] == ["records"] and not self.old:
            return self.search(asked, parts[2])
        if parts[:2] == ["api", "records"]:
            return self.one(parts[2], parts[3:])
        if self.exports and parts[:2] == ["api", "exporter"]:
            return self.export(asked, parts[2:])
        return refused("The requested URL was not found on the server.", 404)

    def search(self, asked: Asked, community: str) -> Given:
        size, page = int(asked.one("size", "10")), int(asked.one("page", "1"))
        token = asked.headers.get("authorization") == "Bearer open sesame"
        if size > (100 if token else self.cap):
            return refused(f"Size must be at most {self.cap}.")
        if (page - 1) * size >= WINDOW:
            return refused("Maximum number of 10000 results have been reached.")
        if asked.one("sort") and asked.one("sort") not in self.sortings:
            return refused("Invalid sort option.")
        community = community or asked.one("communities")
        found = [
            one
            for one in self.records
            if (one["latest"] or asked.one("allversions") == "true")
            and (not community or community in one["communities"])
            and (token or not one["restricted"])
            and self.fits(one, asked.one("q"))
        ]
        field, backwards = _SORTS.get(asked.one("sort") if self.sorts else "newest", ("id", True))
        found.sort(key=lambda one: one[field], reverse=backwards)
        total = len(found)
        if self.how == "empty":
            found, total = [], 0
        start = 0 if self.how == "duplicate-page" else (page - 1) * size
        hits = [self.shown(one, self.files_in_hits) for one in found[start : start + size]]
        if self.how == "duplicate-page" and "TO *]" in asked.one("q"):
            everything = sorted(self.records, key=lambda one: one[field], reverse=backwards)
            hits = [self.shown(one, self.files_in_hits) for one in everything[:size]]
            total = len(everything)
        if self.how == "endless-next":
            total = 9999
        links = {"next": "next"} if page * size < total else {}
        return given_json({"hits": {"hits": hits, "total": total}, "links": links, "sortBy": field})

    def fits(self, one: dict[str, Any], query: str) -> bool:
        for part in filter(None, query.split(" AND ")):
            spans = _RANGE.fullmatch(part)
            if spans:
                field, low, high = spans.groups()
                held = one[field]  # all have microseconds and zone: texts sort as times do
                if self.ranges and ((low != "*" and held < whole(low)) or held > whole(high)):
                    return False
            elif part.strip("() ").lower() not in one["metadata"]["title"].lower():
                return False
        return True

    def one(self, identifier: str, rest: list[str]) -> Given:
        by_parent = [one for one in self.records if one["parent"] == identifier and one["latest"]]
        found = [one for one in self.records if one["id"] == identifier] + by_parent
        if not found:
            gone = any(identifier in (one["id"], one["parent"]) for one in self.deleted)
            return refused("The persistent identifier does not exist.", 410 if gone else 404)
        if rest == ["files"]:
            return given_json({"enabled": True, "entries": self.files(found[0])})
        return given_json(self.shown(found[0], True))

    def export(self, asked: Asked, rest: list[str]) -> Given:
        if rest:
            table = io.StringIO()
            lines = csv.writer(table)
            lines.writerow(["record_id", "doi", "parent_id", "removal_date"])
            for one in self.deleted:
                lines.writerow([one["id"], f"10.5281/x.{one['id']}", one["parent"], one["updated"]])
            return Given(200, gzip.compress(table.getvalue().encode(), mtime=0), "application/gzip")
        version = f"v{len(self.deleted)}"
        held = [
            {"version_id": "v-old", "created": "2020-01-01", "is_head": False,
             "links": {"self": f"http://{asked.headers['host']}/api/exporter/old"}},
            {"version_id": version, "created": "2024-01-01", "is_head": True, "size": 1,
             "checksum": "md5:0",
             "links": {"self": f"http://{asked.headers['host']}/api/exporter/{version}.csv.gz"}},
        ]  # fmt: skip
        return given_json({"records-deleted.csv.gz": held, "records-xml.tar.gz": []})

    # ------------------------------------------------------------- shapes

    def files(self, one: dict[str, Any]) -> list[dict[str, Any]]:
        home = f"https://archive.example/api/records/{one['id']}"
        return [
            {**file, "mimetype": "x", "links": {"content": f"{home}/files/{file['key']}/content"}}
            for file in one["files"]
        ]

    def shown(self, one: dict[str, Any], files: bool) -> dict[str, Any]:
        if self.terse:
            kept = {name: one[name] for name in ("id", "created", "updated", "metadata")}
            return {**kept, "parent": {"id": one["parent"]}, "files": {"enabled": False}}
        shown = self.shown_old(one) if self.old else self.shown_rdm(one)
        if not files:
            shown["files"] = {"enabled": True}
        return shown

    def shown_rdm(self, one: dict[str, Any]) -> dict[str, Any]:
        home = f"https://archive.example/records/{one['id']}"
        entries = {file["key"]: file for file in self.files(one)}
        return {
            "id": one["id"],
            "created": one["created"],
            "updated": one["updated"],
            "links": {
                "self": home.replace("/records", "/api/records"),
                "self_html": home,
                "thumbnails": {"10": f"{home}/10.jpg", "250": f"{home}/250.jpg"},
            },
            "revision_id": 3,
            "parent": {
                "id": one["parent"],
                "communities": {"entries": [{"slug": name} for name in one["communities"]]},
                "pids": {"doi": {"identifier": f"10.5281/x.{one['parent']}"}},
            },
            "versions": {"is_latest": one["latest"], "index": one["index"]},
            "pids": {
                "doi": {"identifier": f"10.5281/x.{one['id']}", "provider": "datacite"},
                "oai": {"identifier": f"oai:archive.example:{one['id']}", "provider": "oai"},
            },
            "access": {
                "record": "restricted" if one["restricted"] else "public",
                "files": "public",
            },
            "files": {"enabled": True, "count": len(entries), "entries": entries},
            "stats": {"all_versions": {"views": 17}},
            "metadata": {
                "resource_type": {"id": "dataset", "title": {"en": "Dataset"}},
                "publication_date": one["created"][:10],
                "creators": [
                    {
                        "person_or_org": {
                            "type": "personal",
                            "name": "Example, Ada",
                            "given_name": "Ada",
                            "family_name": "Example",
                            "identifiers": [
                                {"scheme": "orcid", "identifier": "0000-0002-1825-0097"}
                            ],
                        },
                        "affiliations": [{"id": "02mhbdp94", "name": "Institute"}],
                    }
                ],
                "rights": [{"id": "cc-by-4.0", "title": {"en": "Creative Commons"}}],
                "subjects": [
                    {"subject": "HeLa"},
                    {"id": "http://purl.obolibrary.org/obo/NCBITaxon_9606", "subject": "Human"},
                ],
                "related_identifiers": [
                    {
                        "identifier": "10.1000/Paper",
                        "scheme": "doi",
                        "relation_type": {"id": "issupplementto"},
                    }
                ],
                "funding": [
                    {
                        "funder": {"name": "Funder"},
                        "award": {"number": "7", "title": {"en": "Grant"}},
                    }
                ],
                "description": "<p>Cells &amp; more.</p>",
                "publisher": "Example Archive",
                **one["metadata"],
            },
            "custom_fields": {"lab:microscope": "Scope 7"},
        }

    def shown_old(self, one: dict[str, Any]) -> dict[str, Any]:
        home = f"https://archive.example/records/{one['id']}"
        versions = [{"index": one["index"], "is_last": one["latest"]}]
        return {
            "id": int(one["id"]),
            "conceptrecid": one["parent"],
            "doi": f"10.5281/x.{one['id']}",
            "conceptdoi": f"10.5281/x.{one['parent']}",
            "created": one["created"],
            "modified": one["updated"],
            "updated": one["updated"],
            "links": {"self": home.replace("/records", "/api/records"), "self_html": home},
            "files": [
                {**file, "links": {"self": file["links"]["content"]}} for file in self.files(one)
            ],
            "stats": {"views": 17},
            "title": one["metadata"]["title"],
            "metadata": {
                "doi": f"10.5281/x.{one['id']}",
                "resource_type": {"title": "Dataset", "type": "dataset"},
                "publication_date": one["created"][:10],
                "access_right": "open",
                "creators": [
                    {
                        "name": "Example, Ada",
                        "affiliation": "Institute",
                        "orcid": "0000-0002-1825-0097",
                    }
                ],
                "license": {"id": "cc-by-4.0"},
                "keywords": ["HeLa"],
                "communities": [{"id": name} for name in one["communities"]],
                "relations": {"version": versions},
                "related_identifiers": [
                    {"identifier": "10.1000/Paper", "relation": "isSupplementTo", "scheme": "doi"}
                ],
                "grants": [{"code": "7", "title": "Grant", "funder": {"name": "Funder"}}],
                "description": "<p>Cells &amp; more.</p>",
                **one["metadata"],
            },
        }
