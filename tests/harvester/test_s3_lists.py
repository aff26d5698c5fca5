"""Lists of addresses: CSV, text, Parquet, nested, hostile; what they say of images; changes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from harvester.s3.zarr_list import Row, read_list, split_address
from harvester.sources.s3 import S3Images
from parfocal.errors import SourceMalformed
from parfocal.interfaces import Source
from parfocal.model import Image, Record
from parfocal.testing.http_sources import FAST, HttpSourceContract
from parfocal.testing.loopback import Asked, Given, Loopback, serve
from parfocal.testing.sources import Visit, fetch_all, normalise_all, raw_items
from parfocal.values import Problem, RawItem, Unchanged
from tests.fakes.s3 import FakeS3, etag_of, multiscales, put_plate


class FakeWeb:
    """A plain web server with files; the lists name its own address."""

    def __init__(self) -> None:
        self.files = FakeS3("data")
        self.url = ""
        self.lists: dict[str, str] = {}
        self._how = ""
        self._number = 0

    def answer(self, asked: Asked) -> Given:
        if asked.path in self.lists:
            text = self.lists[asked.path].replace("{url}", self.url)
            content = b"" if self._how == "empty" else text.encode()
            return Given(200, content, "text/csv", (("ETag", etag_of(content)),))
        if asked.path == "/lists/made.csv":
            return Given(200, self._made(), "text/csv")
        given = self.files.answer(asked)
        # A web server knows nothing of buckets.
        return given if given.status in (200, 206, 304) else Given(404, b"not here", "text/plain")

    def _made(self) -> bytes:
        keys = sorted(k for k in self.files.objects if k.endswith(".zarr/zarr.json"))
        rows = [f"{self.url}/data/{key.removesuffix('/zarr.json')},told" for key in keys]
        rows += rows[:1] if self._how == "duplicate-page" else []
        text = "\n".join(["url,note", *rows, ""])
        return b"" if self._how == "empty" else text.encode()

    def add(self) -> None:
        self.files.add()

    def change(self) -> None:
        self.files.change()

    def remove(self) -> None:
        self.files.remove()

    def misbehave(self, how: str) -> None:
        self._how = how


def source_of(server: Loopback, *lists: str, **options: Any) -> S3Images:
    settings: dict[str, Any] = FAST | {"url": server.url, "lists": lists} | options
    return S3Images("web", S3Images.Options(**settings))


class TestLists(HttpSourceContract):
    misbehaviour = ("empty", "duplicate-page")
    skips_unchanged = True
    asked_again = 24

    @pytest.fixture
    def archive(self) -> FakeWeb:
        web = FakeWeb()
        web.files.put_image("a/one.zarr", "one")
        web.files.put_image("a/two.zarr", "two")
        put_plate(web.files, "b/plate.zarr", ("A/1",))
        return web

    @pytest.fixture
    def source(self, archive: FakeWeb, server: Loopback) -> Source:
        archive.url = server.url
        return source_of(server, f"{server.url}/lists/made.csv")

    @pytest.fixture
    def name(self) -> str:
        return "web"


def harvested(
    web: FakeWeb, *lists: str, **options: Any
) -> tuple[list[Any], list[Record], Loopback]:
    with serve(web) as server:
        web.url = server.url
        source = source_of(
            server, *(text.replace("{url}", server.url) for text in lists), **options
        )
        found = fetch_all(source)
        return found, normalise_all(source, found), server


TABLE = """url,written,license,name,description,organismId,fbbiId,origin,wells
{url}/data/p.zarr,123,https://creativecommons.org/licenses/by/4.0/,Yeast,Yeast cells,NCBI:txid4932,obo:FBbi_00000251,https://idr.openmicroscopy.org/webclient/?show=plate-1,2
{url}/data/one.zarr/,,,,,,,,
"""


def test_rows_describe_what_they_name() -> None:
    web = FakeWeb()
    put_plate(web.files, "p.zarr", ("A/1",))
    web.files.put_image("one.zarr", "one")
    web.lists["/samples.csv"] = TABLE
    found, records, server = harvested(web, "{url}/samples.csv")
    assert [one for one in found if isinstance(one, Problem)] == []
    host = server.url.removeprefix("http://")
    held = {r.id.removeprefix(f"web:{host}/data/"): r for r in records}
    study, plate = records[0], held["p.zarr"]
    assert (study.id, study.title, plate.part_of) == ("web:samples", "samples", "web:samples")
    assert plate.licence == "CC-BY-4.0"
    assert plate.description == "Yeast cells"
    assert {a.term for a in plate.annotations} == {"NCBITaxon:4932", "FBbi:00000251"}
    assert {p.key: p.value for p in plate.key_values} == {
        "written": "123",
        "wells": "2",
        "Organism": "NCBI:txid4932",
        "Imaging Method": "obo:FBbi_00000251",
    }
    assert ("other", "https://idr.openmicroscopy.org/webclient/?show=plate-1") in {
        (link.kind, link.url) for link in plate.links
    }
    field, one = held["p.zarr/A/1/0"], held["one.zarr"]
    assert (field.part_of, field.key_values, field.well) == (plate.id, (), "A01")  # type: ignore[union-attr]
    assert isinstance(one, Image)
    assert one.location == f"{server.url}/data/one.zarr"


def test_lists_name_lists_and_hand_down_what_they_say() -> None:
    web = FakeWeb()
    for name in ("one", "two"):
        web.files.put_image(f"{name}.zarr", name)
    web.lists["/all.csv"] = "source,url\nIDR,{url}/idr.csv\nJAX,sub/jax.txt\nme,{url}/all.csv\n"
    web.lists["/idr.csv"] = "{url}/data/one.zarr\n"
    web.lists["/sub/jax.txt"] = "\n# ours\n{url}/data/two.zarr\n{url}/data/one.zarr\n"
    found, records, _ = harvested(web, "{url}/all.csv")
    assert [one for one in found if isinstance(one, Problem)] == []
    assert [r.title for r in records] == ["idr", "one", "jax", "two"]
    assert [[(p.key, p.value) for p in r.key_values] for r in records if isinstance(r, Image)] == [
        [("source", "IDR")],
        [("source", "JAX")],
    ]


def test_addresses_in_lists_lead_into_no_closed_network() -> None:
    secret = FakeWeb()
    secret.files.put_image("one.zarr")
    with serve(secret) as closed:
        web = FakeWeb()
        web.files.put_image("one.zarr")
        web.lists["/l.csv"] = "\n".join(
            [f"{closed.url}/data/one.zarr", f"{closed.url}/more.csv", "http://169.254.169.254/x.zarr",
             "file:///etc/passwd", "/etc/hosts.csv", "{url}/data/../one.zarr", "http://u:p@h/x.zarr",
             "{url}/data/one.zarr?X-Amz-Signature=1", "{url}/data/one.zarr"]
        )  # fmt: skip
        found, records, server = harvested(web, "{url}/l.csv")
        assert closed.asked == []
    assert len([r for r in records if isinstance(r, Image)]) == 1
    told = [one for one in found if isinstance(one, Problem)]
    assert any("not public" in p.reason and p.item == "" for p in told), "a nested list hides items"
    assert any(p.item.endswith("/data/one.zarr") and "not public" in p.reason for p in told)
    assert not any("passwd" in asked.path for asked in server.asked)


def test_a_list_that_fails_hides_everything_and_others_are_read() -> None:
    web = FakeWeb()
    web.files.put_image("one.zarr")
    web.lists["/good.txt"] = "{url}/data/one.zarr\n"
    web.lists["/page.csv"] = "<!DOCTYPE html><html>moved</html>"
    found, records, _ = harvested(web, "{url}/gone.csv", "{url}/page.csv", "{url}/good.txt")
    assert [p.item for p in found if isinstance(p, Problem)] == ["", ""]
    assert [r.id for r in records if isinstance(r, Image)] != []


def test_files_relative_addresses_and_tiff(tmp_path: Path) -> None:
    from tests.harvester.test_s3_files import tiff

    web = FakeWeb()
    web.files.put_image("one.zarr", "one")
    web.files.put("deep/cells.ome.tif", tiff(ome=True, metadata={"axes": "ZYX"}))
    file = tmp_path / "mine.csv"
    file.write_text(
        "File Path;SizeX;Keywords\ndata/one.zarr;32;worm\ns3://data/deep/cells.ome.tif;;\n"
    )
    with serve(web) as server:
        web.url = server.url
        source = source_of(server, str(file))
        found = fetch_all(source)
        records = normalise_all(source, found)
        assert [one for one in found if isinstance(one, Problem)] == []
        assert [(r.title, r.provenance.url.partition("/data/")[2]) for r in records] == [
            ("mine", ""),
            ("one", "one.zarr"),
            ("Image0", "deep/cells.ome.tif"),
        ]
        stamps = {item.key: item.stamp for item in raw_items(found)}
        server.forget()
        again = fetch_all(source, walk=Visit(stamps=stamps))
        assert len([one for one in again if isinstance(one, Unchanged)]) == 2
        assert {asked.method for asked in server.asked} == {"HEAD"}
        file.write_text("File Path;SizeX;Keywords\ndata/one.zarr;32;other words\n")
        changed = raw_items(fetch_all(source, walk=Visit(stamps=stamps)))
        assert [item.key.rpartition("/")[2] for item in changed] == ["mine#list", "one.zarr"]


def test_a_store_that_hides_what_is_missing() -> None:
    class Hiding(FakeWeb):
        refused: tuple[str, ...] = ()

        def answer(self, asked: Asked) -> Given:
            given = super().answer(asked)
            hidden = given.status == 404 or asked.path in self.refused
            return Given(403, b"", "application/xml") if hidden else given

    web = Hiding()
    web.files.put("old.zarr/.zattrs", {"multiscales": [multiscales("old", "0.4")]})
    web.files.put("old.zarr/0/.zarray", {"shape": [2, 7, 9], "dtype": "<u2"})
    web.files.put_image("new.zarr", "new")
    web.files.put_image("closed.zarr", "closed")
    web.refused = ("/data/closed.zarr/0/zarr.json",)
    web.lists["/l.txt"] = "{url}/data/old.zarr\n{url}/data/new.zarr\n{url}/data/closed.zarr\n"
    found, records, _ = harvested(web, "{url}/l.txt")
    assert [(r.title, r.size_x) for r in records if isinstance(r, Image)] == [
        ("old", 9),
        ("new", 32),
    ]
    told = [one.item.rpartition("/")[2] for one in found if isinstance(one, Problem)]
    assert told == ["closed.zarr"]


def test_parquet_is_read() -> None:
    table = pyarrow.table(
        {"name": ["a", None], "url": ["https://h.example/a.zarr", None], "n": [1, 2]}
    )
    file = io.BytesIO()
    parquet.write_table(table, file)
    assert list(read_list(file.getvalue(), "x")) == [
        Row("https://h.example/a.zarr", (("name", "a"), ("n", "1")))
    ]
    with pytest.raises(SourceMalformed):
        list(read_list(file.getvalue()[:-20], "x"))


def test_resumes_when_the_list_has_changed_meanwhile() -> None:
    web = FakeWeb()
    for name in ("a", "b", "c"):
        web.files.put_image(f"{name}.zarr", name)
    web.lists["/l.txt"] = "\n".join(f"{{url}}/data/{name}.zarr" for name in "abc")
    with serve(web) as server:
        web.url = server.url
        source = source_of(server, f"{server.url}/l.txt")
        whole = [one for one in fetch_all(source) if isinstance(one, RawItem)]
        web.lists["/l.txt"] = "\n".join(f"{{url}}/data/{name}.zarr" for name in "ca")
        gone = fetch_all(source, whole[2].cursor)
        assert [item.key[-6:] for item in raw_items(gone)] == ["c.zarr", "a.zarr"]


@given(st.binary(max_size=400))
def test_any_bytes_are_a_list_or_malformed(content: bytes) -> None:
    try:
        rows = list(read_list(content, "x"))
    except SourceMalformed:
        return
    assert all(row.address for row in rows)


@given(st.text(max_size=60))
def test_any_address_is_split_or_malformed(text: str) -> None:
    try:
        root, path = split_address(text)
    except SourceMalformed:
        return
    assert root.endswith("://")
    assert path.strip("/") == path
