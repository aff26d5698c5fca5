"""The source ``rocrate`` against a web server with crates and lists of them."""

from __future__ import annotations

import gzip
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harvester.sources.rocrate import StudyCrates
from parfocal.config import SourceSettings
from parfocal.model import Dataset, Image, KeyValue, Record
from parfocal.sources import make_source
from parfocal.testing.http_sources import FAST, HttpSourceContract
from parfocal.testing.loopback import Given, Loopback, serve
from parfocal.testing.sources import Visit, fetch_all, normalise_all, raw_items
from parfocal.values import Problem, Unchanged
from tests.fakes.crates import FakeCrates, crate, sitemap, zipped


def source_of(url: str, **more: Any) -> StudyCrates:
    return StudyCrates("gide", StudyCrates.Options(url=url, **FAST, **more))


class TestWebCrates(HttpSourceContract):
    misbehaviour = ("empty",)
    skips_unchanged = True

    @pytest.fixture
    def archive(self) -> FakeCrates:
        archive = FakeCrates()
        for number in range(5):
            archive.add(f"S-{number}")
        return archive

    @pytest.fixture
    def source(self, server: Loopback) -> StudyCrates:
        return source_of(f"{server.url}/list.txt")

    @pytest.fixture
    def name(self) -> str:
        return "gide"


@pytest.fixture
def archive() -> FakeCrates:
    archive = FakeCrates()
    for name in ("S-2", "S-1"):
        archive.add(name)
    return archive


@pytest.fixture
def server(archive: FakeCrates) -> Iterator[Loopback]:
    with serve(archive) as loopback:
        yield loopback


def records_of(source: StudyCrates) -> list[Record]:
    return normalise_all(source, fetch_all(source))


def studies_of(source: StudyCrates) -> list[str]:
    return [record.id for record in records_of(source) if record.part_of is None]


def problems_of(source: StudyCrates) -> list[Problem]:
    found = fetch_all(source)
    problems = [one for one in found if isinstance(one, Problem)]
    for item in raw_items(found):
        problems += [one for one in source.normalise(item) if isinstance(one, Problem)]
    return problems


@pytest.mark.parametrize("name", ["list.txt", "list.csv", "listing.json", "sitemap.xml"])
def test_lists_in_every_form(server: Loopback, name: str) -> None:
    source = source_of(f"{server.url}/{name}")
    assert studies_of(source) == ["gide:S-1", "gide:S-2"]
    asked_for_robots = "/robots.txt" in [asked.path for asked in server.asked]
    assert asked_for_robots == (name == "sitemap.xml")


def test_one_crate_by_its_own_address(server: Loopback) -> None:
    address = f"{server.url}/crates/S-2/ro-crate-metadata.json"
    study = records_of(source_of(address))[0]
    assert isinstance(study, Dataset)
    assert (study.title, study.licence, study.publisher) == ("Study S-2", "CC0-1.0", "Archive")
    assert {(claim.field, claim.term) for claim in study.annotations} == {
        ("organism", "NCBITaxon:9606"),
        ("imaging_method", "FBbi:00000251"),
    }
    two = source_of(address, urls=(f"{server.url}/list.txt",))
    assert studies_of(two) == ["gide:S-2", "gide:S-1"]


def test_what_the_listing_says_is_unchanged_is_not_asked_for(server: Loopback) -> None:
    source = source_of(f"{server.url}/listing.json")
    stamps = {item.key: item.stamp for item in raw_items(fetch_all(source))}
    server.forget()
    found = fetch_all(source, walk=Visit(stamps=stamps))
    assert [type(one) for one in found] == [Unchanged, Unchanged]
    assert [asked.path for asked in server.asked] == ["/listing.json"]


def test_names_stay_when_some_crates_are_not_read_again(
    archive: FakeCrates, server: Loopback
) -> None:
    for name in ("a", "b", "c"):
        archive.crates[name] = crate("latest", title=name)
    source = source_of(f"{server.url}/list.txt")
    first = {r.title: r.id for r in records_of(source) if r.part_of is None}
    assert len(set(first.values())) == 5
    stamps = {item.key: item.stamp for item in raw_items(fetch_all(source))}
    archive.crates["b"]["@graph"][1]["description"] = "changed"
    (changed,) = normalise_all(source, fetch_all(source, walk=Visit(stamps=stamps)))
    assert changed.id == first["b"]


def test_sitemaps_within_sitemaps_and_robots(archive: FakeCrates, server: Loopback) -> None:
    inner = [f"{server.url}/crates/S-1/ro-crate-metadata.json", f"{server.url}/pages/S-2"]
    archive.files = {
        "/index.xml": Given(200, sitemap([f"{server.url}/a.xml.gz"], "sitemapindex"), "text/xml"),
        "/a.xml.gz": Given(200, gzip.compress(sitemap(inner)), "application/gzip"),
        "/pages/S-2": Given(
            200,
            b"<!DOCTYPE html><html><head><link rel='describedby' type='application/ld+json'"
            b" href='/crates/S-2/ro-crate-metadata.json'></head></html>",
            "text/html",
        ),
    }
    source = source_of(f"{server.url}/index.xml")
    assert studies_of(source) == ["gide:S-1", "gide:S-2"]
    archive.files["/robots.txt"] = Given(200, b"User-agent: *\nDisallow: /crates/S-1", "text/plain")
    assert studies_of(source) == ["gide:S-2"]
    assert [p.item for p in problems_of(source)] == [inner[0]]


def test_a_sitemap_that_names_itself_ends(archive: FakeCrates, server: Loopback) -> None:
    address = f"{server.url}/self.xml"
    archive.files["/self.xml"] = Given(200, sitemap([address], "sitemapindex"), "text/xml")
    assert fetch_all(source_of(address)) == []


def test_pages_that_name_their_crate_in_a_header(archive: FakeCrates, server: Loopback) -> None:
    link = '</crates/S-1/ro-crate-metadata.json>; rel="describedby"; type="application/ld+json"'
    page = Given(200, b"<html></html>", "text/html", (("Link", link),))
    archive.files = {
        "/page": page,
        "/bare": Given(200, b"<html></html>", "text/html"),
        "/l.txt": Given(200, f"{server.url}/page\n{server.url}/bare".encode(), "text/plain"),
    }
    source = source_of(f"{server.url}/l.txt")
    assert studies_of(source) == ["gide:S-1"]
    assert [p.reason for p in problems_of(source)] == ["is a web page that names no RO-Crate"]


def test_addresses_that_nobody_may_ask(archive: FakeCrates, server: Loopback) -> None:
    bad = ["http://169.254.169.254/ro-crate-metadata.json", "http://localhost:1/x.zip"]
    lines = [*bad, "file:///etc/ro-crate-metadata.json", "crates/S-1/ro-crate-metadata.json"]
    archive.files["/l.txt"] = Given(200, "\n".join(lines).encode(), "text/plain")
    source = source_of(f"{server.url}/l.txt")
    assert studies_of(source) == ["gide:S-1"]
    assert [problem.item for problem in problems_of(source)] == lines[:3]


def test_crates_in_an_archive_on_the_web(archive: FakeCrates, server: Loopback) -> None:
    image = {"@id": "data/cell 1.ome.tif", "@type": "File", "contentSize": "12"}
    members = {
        f"{name}/ro-crate-metadata.json": json.dumps(crate(name, parts=(image,))).encode()
        for name in ("x", "y")
    }
    archive.files["/all.zip"] = Given(200, zipped(members), "application/zip", (("ETag", '"1"'),))
    source = source_of(f"{server.url}/all.zip")
    found = fetch_all(source)
    keys = [item.key for item in raw_items(found)]
    assert keys == [
        f"{server.url}/all.zip#y/ro-crate-metadata.json",
        f"{server.url}/all.zip",
    ]
    records = normalise_all(source, found)
    images = [record for record in records if isinstance(record, Image)]
    assert [image.id for image in images] == [
        "gide:y/data/cell 1.ome.tif",
        "gide:x/data/cell 1.ome.tif",
    ]
    assert images[0].location == f"{server.url}/all.zip/y/data/cell 1.ome.tif"
    assert images[0].format == "OME-TIFF"
    assert KeyValue("contentSize", "12") in images[0].key_values


def test_addresses_that_the_operator_named_may_lie_anywhere(server: Loopback) -> None:
    other = FakeCrates()
    other.add("S-9")
    with serve(other) as second:
        source = source_of(f"{server.url}/list.txt", urls=(f"{second.url}/list.txt",))
        assert studies_of(source) == ["gide:S-1", "gide:S-2", "gide:S-9"]


def test_a_list_that_cannot_be_read_hides_what_it_names(
    archive: FakeCrates, server: Loopback
) -> None:
    source = source_of(f"{server.url}/list.txt", urls=(f"{server.url}/gone.txt",))
    found = fetch_all(source)
    assert [one.item for one in found if isinstance(one, Problem)] == [""]
    assert len(raw_items(found)) == 2


@pytest.mark.parametrize(
    "content",
    [
        b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'b'>]><urlset>&a;</urlset>",
        gzip.compress(b" " * 100_000_000),
        b'{"a": ',
    ],
)
def test_hostile_lists_are_problems(archive: FakeCrates, server: Loopback, content: bytes) -> None:
    archive.files["/x"] = Given(200, content, "application/octet-stream")
    (problem,) = fetch_all(source_of(f"{server.url}/x"))
    assert isinstance(problem, Problem)


def test_presets_and_example_of_the_documentation(archive: FakeCrates, server: Loopback) -> None:
    page = (Path(__file__).parents[2] / "docs/sources/rocrate.md").read_text()
    blocks = page.split("```toml\n")[1:]
    tables = [tomllib.loads(block.partition("```")[0])["sources"][0] for block in blocks]
    (web,) = [table for table in tables if "url" in table]
    archive.files["/crates.txt"] = archive.answer(
        type("A", (), {"path": "/list.txt", "headers": {"host": server.url[7:]}})()
    )
    options = {**web, "url": f"{server.url}/crates.txt", **FAST}
    name = options.pop("name")
    source = make_source(SourceSettings(name=name, **options))
    assert len(studies_of(source)) == 2
    for preset in ("gide", "ssbd"):
        assert isinstance(make_source(SourceSettings(name="x", preset=preset)), StudyCrates)
