"""A small IDR search engine: bookmarks, errors with status 200, jobs that make files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from parfocal.testing.loopback import Asked, Given, given_json

PATH = "/searchengine/api/v1/resources/"
_NOTHING = {"Error": "Your query returns no results"}


@dataclass
class Job:
    """A query whose file is being made; it is ready after so many looks."""

    id: str
    query: dict[str, Any]
    looks: int = 2


@dataclass
class FakeSearchengine:
    """The engine with its images, each as the engine shows it."""

    page_size: int = 3
    images: dict[int, dict[str, Any]] = field(default_factory=dict)
    containers: list[dict[str, Any]] = field(default_factory=list)
    jobs: dict[str, Job] = field(default_factory=dict)
    how: str = ""
    lists_containers: bool = True
    knows_containers: bool = True
    failing_jobs: bool = False
    heeds_containers: bool = True
    answered: Callable[[Asked], None] = lambda asked: None

    # -------------------------------------------------------------- making the world

    def container(self, kind: str, id: int, name: str, *pairs: tuple[str, str]) -> None:
        shown = [{"name": key, "value": value, "index": n} for n, (key, value) in enumerate(pairs)]
        self.containers.append(
            {"id": id, "name": name, "type": kind, "description": "", "key_values": shown}
        )

    def image(self, id: int, name: str, *pairs: tuple[str, str], **facts: Any) -> dict[str, Any]:
        shown = [{"name": key, "value": value, "index": n} for n, (key, value) in enumerate(pairs)]
        body = {
            "id": id,
            "name": name,
            "description": None,
            "data_source": "idr",
            "owner_id": 2,
            "group_id": 3,
            "experiment": None,
            "image_size": 1024,
            "key_values": shown,
            **facts,
        }
        self.images[id] = body
        return body

    def misbehave(self, how: str) -> None:
        self.how = how

    # -------------------------------------------------------------- answering

    def answer(self, asked: Asked) -> Given:
        self.answered(asked)
        path = asked.path.removeprefix(PATH)
        if path == "container_images/" and self.lists_containers:
            return given_json({"results": {"results": self._counted()}, "Error": None})
        if path == "submitquery/":
            return self._submitted(asked)
        if path in ("project/searchannotation/", "screen/searchannotation/"):
            return self._about(path.partition("/")[0], asked)
        if path == "async_submitquery/":
            return self._begun(json.loads(asked.body))
        if path == "check_query_job/":
            return self._looked_at(self.jobs[asked.one("query_id")])
        if path == "return_query_results/":
            return self._file(asked)
        return Given(404, b"Not Found", "text/plain")

    def _counted(self) -> list[dict[str, Any]]:
        if self.how == "empty":
            return []
        counted = []
        for container in self.containers:
            name = f"{container['type']}_id"
            count = sum(1 for one in self.images.values() if one.get(name) == container["id"])
            shown = {key: container[key] for key in ("id", "name", "type", "description")}
            counted.append({**shown, "image count": count})
        return counted

    def _about(self, kind: str, asked: Asked) -> Given:
        if not self.knows_containers:
            return Given(404, b"Not Found", "text/plain")
        main = json.loads(asked.body)["query"]["main_attributes"]["and_main_attributes"]
        found = [
            {key: value for key, value in one.items() if key != "type"}
            for one in self.containers
            if one["type"] == kind and all(one[c["name"]] == c["value"] for c in main)
        ]
        return self._page(found, {}, None) if found else given_json(_NOTHING)

    def _submitted(self, asked: Asked) -> Given:
        try:
            query = json.loads(asked.body)
        except ValueError:
            return given_json({"Error": "No query is provided"})
        groups = query["query_details"].get("or_filters", [])
        if any(isinstance(group, dict) for group in groups):
            return given_json({"Error": "query_details does not fit its schema"})
        found = self._matching(query)
        bookmark = query.get("bookmark")
        if not found or self.how == "empty":
            return given_json(_NOTHING)
        return self._page(found, query, bookmark[0] if bookmark else None)

    def _page(
        self, found: list[dict[str, Any]], query: dict[str, Any], bookmark: int | None
    ) -> Given:
        after = -1 if bookmark is None or self.how == "duplicate-page" else bookmark
        page = [one for one in found if one["id"] > after][: self.page_size]
        size = len(found)
        if self.how == "endless-next":
            size, page = 10**6, page or found[: self.page_size]
        answer = {
            "query_details": query.get("query_details"),
            "resource": "image",
            "server_query_time": 0.2,
            "notice": "",
            "raw_elasticsearch_query": {},
            "Error": "none",
        }
        if not page:
            return given_json([])
        results = {
            "results": page,
            "size": size,
            "total_pages": -(-size // self.page_size),
            "bookmark": [page[-1]["id"]],
        }
        return given_json({**answer, "results": results})

    def _matching(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        details = query["query_details"]
        main = query.get("main_attributes", {}).get("and_main_attributes", [])
        main = main if self.heeds_containers else []
        return [
            one
            for id, one in sorted(self.images.items())
            if all(one.get(condition["name"]) == condition["value"] for condition in main)
            and all(_holds(condition, one, details) for condition in details["and_filters"])
            and all(
                any(_holds(condition, one, details) for condition in group)
                for group in details.get("or_filters", [])
                if group
            )
        ]

    # -------------------------------------------------------------- jobs

    def _begun(self, query: dict[str, Any]) -> Given:
        for job in self.jobs.values():
            if job.query == query:
                words = "Existing query, you can check its status"
                return given_json({"message ": words, "query_id": job.id})
        job = Job(f"job-{len(self.jobs) + 1}", query)
        self.jobs[job.id] = job
        return given_json({"query_id": job.id})

    def _looked_at(self, job: Job) -> Given:
        if job.looks > 0:
            job.looks -= 1
            return given_json({"status": "PENDING"})
        if self.failing_jobs:
            return given_json({"status": "FAILED"})
        total = len(self._matching(job.query))
        if not total:
            return given_json({"status": "SUCCESS", "Result": "The query returned no results"})
        result = {
            "csv": f"{job.id}.csv",
            "parquet": f"{job.id}.parquet",
            "query": job.query["query_details"],
            "total_results": total,
            "data_source": "idr",
        }
        return given_json({"status": "SUCCESS", "Result": result})

    def _file(self, asked: Asked) -> Given:
        job = self.jobs.get(asked.one("query_id"))
        if job is None or job.looks > 0:
            return Given(500, b"Internal Server Error", "text/html")
        rows = [_flat(one) for one in self._matching(job.query)]
        columns = list(dict.fromkeys(name for row in rows for name in row))
        if asked.one("file_type", "parquet") == "csv":
            return Given(200, _csv(rows, columns), "application/octet-stream")
        return Given(200, _parquet(rows, columns), "application/octet-stream")


def _holds(condition: dict[str, Any], image: dict[str, Any], details: dict[str, Any]) -> bool:
    fold = str if details.get("case_sensitive") else str.lower
    values = [
        fold(pair["value"])
        for pair in image["key_values"]
        if fold(pair["name"]) == fold(condition["name"])
    ]
    wanted = condition["value"]
    if condition["operator"] == "contains":
        return any(fold(wanted) in value for value in values)
    if condition["operator"] == "in":
        return any(fold(one) in values for one in wanted)
    return fold(wanted) in values


def _flat(image: dict[str, Any]) -> dict[str, Any]:
    """An image as a row of a file: of keys that repeat only the last value is left."""
    kept = {name: value for name, value in image.items() if name != "key_values"}
    return kept | {pair["name"]: pair["value"] for pair in image["key_values"]}


def _csv(rows: list[dict[str, Any]], columns: list[str]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _parquet(rows: list[dict[str, Any]], columns: list[str]) -> bytes:
    import pyarrow as arrow
    from pyarrow import parquet

    table = arrow.table({name: [row.get(name) for row in rows] for name in columns})
    file = io.BytesIO()
    parquet.write_table(table, file)
    return file.getvalue()


def small_engine(**settings: Any) -> FakeSearchengine:
    """Two projects and a screen with ten images."""
    engine = FakeSearchengine(**settings)
    licence = ("License", "CC BY 4.0 https://creativecommons.org/licenses/by/4.0/")
    engine.container("project", 51, "idr0018-x/experimentA", licence, ("Sample Type", "tissue"))
    engine.container("project", 52, "idr0099-empty/experimentA")
    engine.container("screen", 3, "idr0001-y/screenA", ("Data DOI", "10.17867/10000101"))
    for id in range(1, 8):
        pairs = [("Organism", "Mus musculus"), ("Gene Symbol", f"G{id}")]
        place = {"project_id": 51, "project_name": "idr0018-x/experimentA"}
        inside = {"dataset_id": 700 + id % 2, "dataset_name": f"set {id % 2}"}
        engine.image(id, f"image {id}.tif", *pairs, **place, **inside)
    for id in range(21, 25):
        place = {"screen_id": 3, "screen_name": "idr0001-y/screenA"}
        inside = {"plate_id": 90, "plate_name": "JL_1", "well_id": 5 + id % 2, "wellsample_id": id}
        pairs = [("Organism", "Homo sapiens"), ("Gene Symbol", "A"), ("Gene Symbol", "B")]
        engine.image(id, f"field {id}", *pairs, **place, **inside)
    return engine
