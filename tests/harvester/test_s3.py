"""The source ``s3``: a bucket walked, pruned, resumed, changed, denied, moved; hostile content."""

from __future__ import annotations

from typing import Any

import pytest

from harvester.sources.s3 import S3Images
from parfocal.interfaces import Source
from parfocal.model import Dataset, Image, Record
from parfocal.testing.http_sources import FAST, HttpSourceContract
from parfocal.testing.loopback import Loopback, serve
from parfocal.testing.sources import Visit, fetch_all, normalise_all, raw_items
from parfocal.values import Fetched, Problem, Unchanged
from tests.fakes.s3 import FakeS3, group, image_array, image_group, multiscales, put_plate


def source_of(server: Loopback, **options: Any) -> S3Images:
    given: dict[str, Any] = FAST | {"url": server.url, "bucket": "images"} | options
    return S3Images("s3", S3Images.Options(**given))


def walked(bucket: FakeS3, **options: Any) -> tuple[list[Fetched], list[Record], list[str]]:
    """What a walk over a bucket yields, the records of it, and what was asked."""
    with serve(bucket) as server:
        source = source_of(server, **options)
        found = fetch_all(source)
        return found, normalise_all(source, found), [f"{a.method} {a.place}" for a in server.asked]


def by_id(records: list[Record]) -> dict[str, Record]:
    return {record.id.removeprefix("s3:"): record for record in records}


def problems(found: list[Fetched]) -> list[Problem]:
    return [one for one in found if isinstance(one, Problem)]


class TestS3(HttpSourceContract):
    skips_unchanged = True
    asked_again = 24
    """What was read ahead of its turn: some images, of four documents each, on every level."""

    @pytest.fixture
    def archive(self) -> FakeS3:
        bucket = FakeS3(most_keys=2)
        bucket.put_image("a/one.zarr", "one")
        bucket.put_image("a/inner/two.zarr", "two")
        bucket.put_image("a/three.zarr", "three")
        put_plate(bucket, "b/plate.zarr", ("A/1",))
        bucket.put_image("root.zarr", "four")
        return bucket

    @pytest.fixture
    def source(self, server: Loopback) -> Source:
        return source_of(server)

    @pytest.fixture
    def name(self) -> str:
        return "s3"
