"""The source ``s3``: a bucket walked, pruned, resumed, changed, denied, moved; hostile content."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harvester.sources.s3 import S3Images
from parfocal.errors import SourceRefused
from parfocal.interfaces import Source
from parfocal.model import Dataset, Image, Record
from parfocal.testing.http_sources import FAST, HttpSourceContract
from parfocal.testing.loopback import Asked, Fault, Given, Loopback, serve
from parfocal.testing.sources import Visit, fetch_all, normalise_all, raw_items
from parfocal.values import Fetched, Problem, RawItem, Unchanged
from tests.fakes.s3 import (
    FakeS3,
    group,
    image_array,
    image_group,
    list_xml,
    multiscales,
    put_plate,
)


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


FULL_XML = b"""<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"
 UUID="urn:uuid:12345678-1234-1234-1234-123456789abc">
 <Experimenter ID="Experimenter:0" FirstName="Ada" LastName="Example"/>
 <Instrument ID="Instrument:0"><Microscope Manufacturer="Maker" Model="M1"/>
  <Objective ID="Objective:0" NominalMagnification="60" LensNA="1.4" Immersion="Oil"/></Instrument>
 <Image ID="Image:0" Name="full"><AcquisitionDate>2024-05-06T07:08:09</AcquisitionDate>
  <ExperimenterRef ID="Experimenter:0"/><Description>All of it.</Description>
  <InstrumentRef ID="Instrument:0"/><ObjectiveSettings ID="Objective:0"/>
  <StageLabel Name="here" X="1" XUnit="mm" Y="2" YUnit="mm"/>
  <Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="4" SizeY="5" SizeZ="2" SizeC="1"
   SizeT="3" PhysicalSizeX="0.1" PhysicalSizeY="0.1" PhysicalSizeZ="0.5" TimeIncrement="2">
   <Channel ID="Channel:0" Name="GFP" Fluor="EGFP" ExcitationWavelength="488"
    EmissionWavelength="509" AcquisitionMode="SpinningDiskConfocal"/><MetadataOnly/></Pixels>
  <ROIRef ID="ROI:0"/></Image><ROI ID="ROI:0"><Union/></ROI></OME>"""


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

    @pytest.fixture
    def broken(self) -> Iterator[Source]:
        bucket = FakeS3()
        bucket.put("a/bad.zarr/zarr.json", b"{")
        bucket.put("a/bad.tif", b"II*")
        bucket.put("a/empty.zarr/zarr.json", group())
        bucket.put_image("a/good.zarr")
        with serve(bucket) as server:
            yield source_of(server)

    @pytest.fixture
    def fullest(self) -> Iterator[Source]:
        """All that a store can say: a crate, channels, label images, a plate, OME-XML."""
        bucket = FakeS3()
        channels = {"channels": [{"label": "DAPI", "color": "0000FF"}]}
        bucket.put_image("a/full.zarr")
        bucket.put("a/full.zarr/zarr.json", image_group("full", omero=channels))
        bucket.put("a/full.zarr/labels/zarr.json", group(labels=["nuclei"]))
        bucket.put("a/full.zarr/ro-crate-metadata.json", CRATE)
        put_plate(bucket, "a/plate.zarr")
        bucket.put("a/plate.zarr/ro-crate-metadata.json", CRATE)
        bucket.put("a/deep/scope.ome.xml", FULL_XML)
        with serve(bucket) as server:
            yield source_of(server)


# ------------------------------------------------------------------ what is read, and what is not


def test_nothing_below_a_zarr_is_listed_and_no_chunk_is_read() -> None:
    bucket = FakeS3()
    bucket.put_image("study/one.zarr", chunks=500)
    bucket.put_image("study/plain", chunks=500)
    put_plate(bucket, "study/plate.zarr")
    bucket.put("study/array.zarr/.zarray", image_array())
    bucket.put("study/deep/array/zarr.json", image_array())
    for number in range(2000):
        bucket.put(f"study/array.zarr/0.{number}", b"pixels")
        bucket.put(f"study/deep/array/c/{number}", b"pixels")
    found, records, places = walked(bucket)
    assert [place for place in places if "/c/" in place or "0.1" in place] == []
    lists = {place.split("prefix=")[-1] for place in places if "list-type" in place}
    allowed = ("", "study/", "study/one.zarr/", "study/plain/", "study/plate.zarr/")
    others = ("study/array.zarr/", "study/deep/", "study/deep/array/")
    assert {text for text in lists if text.startswith("study/")} <= {*allowed, *others}
    assert [p.item for p in problems(found)] == ["study/array.zarr"]
    assert len([r for r in records if isinstance(r, Image)]) == 6


def test_a_second_walk_transfers_no_document() -> None:
    bucket = FakeS3()
    bucket.put_image("a/one.zarr")
    put_plate(bucket, "a/plate.zarr")
    with serve(bucket) as server:
        source = source_of(server)
        stamps = {item.key: item.stamp for item in raw_items(fetch_all(source))}
        server.forget()
        again = fetch_all(source, walk=Visit(stamps=stamps))
        assert {one.key for one in again if isinstance(one, Unchanged)} == {
            "a/one.zarr",
            "a/plate.zarr",
            *(f"a/plate.zarr/{well}/{field}" for well in ("A/1", "B/2") for field in "01"),
        }
        assert [
            a.place for a in server.asked if a.method == "GET" and "list-type" not in a.place
        ] == []


@pytest.mark.parametrize(
    ("key", "changed"),
    [
        ("a/one.zarr/0/zarr.json", "a/one.zarr"),
        ("a/one.zarr/labels/zarr.json", "a/one.zarr"),
        ("a/one.zarr/ro-crate-metadata.json", "a/one.zarr"),
        ("a/plate.zarr/A/1/zarr.json", "a/plate.zarr"),
        ("a/plate.zarr/A/1/0/labels/zarr.json", "a/plate.zarr/A/1/0"),
        ("a/plate.zarr/A/1/1/0/zarr.json", "a/plate.zarr/A/1/1"),
    ],
)
def test_any_changed_document_of_a_group_is_noticed(key: str, changed: str) -> None:
    bucket = FakeS3()
    bucket.put_image("a/one.zarr")
    put_plate(bucket, "a/plate.zarr")
    with serve(bucket) as server:
        source = source_of(server)
        stamps = {item.key: item.stamp for item in raw_items(fetch_all(source))}
        if "/A/1/zarr.json" in key:
            bucket.put(key, group(well={"images": [{"path": "0"}, {"path": "1"}], "x": 1}))
        else:
            bucket.put(key, image_array((2, 99, 32)) if "/0/z" in key else group(labels=["new"]))
        again = raw_items(fetch_all(source, walk=Visit(stamps=stamps)))
        assert [item.key for item in again if not item.key.endswith("/")] == [changed]


def test_records_have_places_links_and_viewers() -> None:
    bucket = FakeS3()
    bucket.put_image("atlas/slices/cell 1+ä.zarr", "cell 1")
    _, records, _ = walked(bucket)
    study, folder, image = records
    assert (study.title, folder.title, folder.part_of, image.part_of) == (
        "atlas", "slices", study.id, folder.id,
    )  # fmt: skip
    assert isinstance(image, Image)
    assert image.location == "s3://images/atlas/slices/cell 1+ä.zarr"
    assert (image.size_c, image.size_y, image.size_x, image.pixel_type) == (2, 64, 32, "uint16")
    web = next(link.url for link in image.links if link.kind == "data")
    assert web.endswith("/images/atlas/slices/cell%201%2B%C3%A4.zarr")
    viewers = [link.url for link in image.links if link.kind == "viewer"]
    assert all(
        url.partition("?source=")[2].endswith("cell%25201%252B%25C3%25A4.zarr") for url in viewers
    )
    assert len(viewers) == 2


def test_versions_of_ome_zarr() -> None:
    bucket = FakeS3()
    bucket.put("v/old.zarr/.zattrs", {"multiscales": [multiscales("old", "0.4")]})
    bucket.put("v/old.zarr/.zgroup", {"zarr_format": 2})
    bucket.put("v/old.zarr/0/.zarray", {"shape": [2, 7, 9], "dtype": "<u2", "zarr_format": 2})
    bucket.put("v/old.zarr/labels/.zattrs", {"labels": ["nuclei"]})
    bucket.put("v/new.zarr/zarr.json", image_group("new", "0.6rc0"))
    bucket.put("v/new.zarr/0/zarr.json", image_array())
    bucket.put("v/raw.zarr/zarr.json", group(**{"bioformats2raw.layout": 3}))
    bucket.put("v/raw.zarr/OME/zarr.json", group(series=["0", "1"]))
    xml = b'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
    xml += b'<Image ID="Image:0" Name="first"><Description>as imaged</Description></Image></OME>'
    bucket.put("v/raw.zarr/OME/METADATA.ome.xml", xml)
    bucket.put_image("v/raw.zarr/0", "")
    bucket.put_image("v/raw.zarr/1", "second")
    found, records, _ = walked(bucket)
    held = by_id(records)
    assert problems(found) == []
    old = held["v/old.zarr"]
    assert isinstance(old, Image)
    assert (old.size_x, old.size_y, old.labels) == (9, 7, ("nuclei",))
    assert held["v/new.zarr"].title == "new"
    assert isinstance(held["v/raw.zarr"], Dataset)
    assert held["v/raw.zarr/0"].description == "as imaged"
    assert held["v/raw.zarr/1"].part_of == "s3:v/raw.zarr"


CRATE = {
    "@context": "https://w3id.org/ro/crate/1.1/context",
    "@graph": [
        {"@id": "ro-crate-metadata.json", "@type": "CreativeWork", "about": {"@id": "./"}},
        {
            "@id": "./",
            "@type": "Dataset",
            "name": "Worms at night",
            "description": "Worms, imaged in the dark.",
            "license": "https://creativecommons.org/licenses/by/4.0/",
            "resultOf": {"@id": "#acquisition"},
        },
        {
            "@id": "#acquisition",
            "@type": "image_acquisition",
            "fbbi_id": {"@id": "obo:FBbi_00000246"},
            "specimen": {"@id": "#specimen"},
        },
        {"@id": "#specimen", "@type": "specimen", "biosample": {"@id": "#sample"}},
        {
            "@id": "#sample",
            "@type": "biosample",
            "organism_classification": {"@id": "NCBI:txid6239"},
        },
    ],
}


@pytest.mark.parametrize("plate", [False, True])
def test_crate_within_a_group_describes_it(plate: bool) -> None:
    bucket = FakeS3()
    if plate:
        put_plate(bucket, "a/x.zarr")
    else:
        bucket.put_image("a/x.zarr", "")
    bucket.put("a/x.zarr/ro-crate-metadata.json", CRATE)
    _, records, _ = walked(bucket)
    record = by_id(records)["a/x.zarr"]
    assert record.licence == "CC-BY-4.0"
    assert record.description == "Worms, imaged in the dark."
    assert record.title == ("screen 7" if plate else "Worms at night")
    assert {a.term for a in record.annotations} == {"NCBITaxon:6239", "FBbi:00000246"}
    assert [p.value for p in record.key_values if p.key == "Organism"] == ["NCBI:txid6239"]


def test_crate_that_is_none_is_a_warning() -> None:
    bucket = FakeS3()
    bucket.put_image("a/x.zarr", "kept")
    bucket.put("a/x.zarr/ro-crate-metadata.json", b'{"@graph": 7}')
    with serve(bucket) as server:
        source = source_of(server)
        made = [one for item in raw_items(fetch_all(source)) for one in source.normalise(item)]
    told = [one for one in made if isinstance(one, Problem)]
    assert [(p.item, p.severity) for p in told] == [("a/x.zarr/ro-crate-metadata.json", "warning")]
    assert [r.title for r in made if isinstance(r, Image)] == ["kept"]


# ------------------------------------------------------------------ hostile and broken content


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "a/../../b", "..", "a\\b", "//x/y"])
def test_paths_stay_within_their_group(path: str) -> None:
    bucket = FakeS3()
    bucket.put("secret/zarr.json", image_group("secret"))
    document = image_group("x")
    document["attributes"]["ome"]["multiscales"][0]["datasets"][0]["path"] = path
    bucket.put("a/image.zarr/zarr.json", document)
    bucket.put("a/plate.zarr/zarr.json", group(plate={"name": "p", "wells": [{"path": path}]}))
    bucket.put("a/raw.zarr/zarr.json", group(**{"bioformats2raw.layout": 3}))
    bucket.put("a/raw.zarr/OME/zarr.json", group(series=[path]))
    found, _, places = walked(bucket, prefixes=["a"])
    assert [place for place in places if "secret" in place or "passwd" in place] == []
    assert {p.item.split("/")[1] for p in problems(found)} == {
        "image.zarr",
        "plate.zarr",
        "raw.zarr",
    }


def test_a_refused_folder_is_a_problem_and_the_rest_is_read() -> None:
    bucket = FakeS3()
    bucket.put_image("a/one.zarr")
    bucket.put_image("b/two.zarr")
    bucket.put_image("c/three.zarr")
    bucket.denied = ("b/",)
    found, records, _ = walked(bucket)
    assert [p.item for p in problems(found)] == ["b"]
    assert "AccessDenied" in problems(found)[0].reason
    assert {r.id for r in records if isinstance(r, Image)} == {"s3:a/one.zarr", "s3:c/three.zarr"}


@pytest.mark.parametrize("bucket_name", ["images", "other"])
def test_a_bucket_that_is_refused_or_missing_ends_the_walk(bucket_name: str) -> None:
    bucket = FakeS3()
    bucket.denied = ("",)
    with serve(bucket) as server, pytest.raises(SourceRefused) as caught:
        fetch_all(source_of(server, bucket=bucket_name))
    assert "AccessDenied" in caught.value.message or "NoSuchBucket" in caught.value.message


def test_documents_that_are_stored_broken_are_asked_for_once() -> None:
    bucket = FakeS3()
    bucket.put("a/bad.zarr/zarr.json", b'{"zarr_format": 3, "attributes": {')
    bucket.put_image("a/good.zarr")
    found, records, places = walked(bucket)
    assert [p.item for p in problems(found)] == ["a/bad.zarr"]
    assert len([place for place in places if place.endswith("bad.zarr/zarr.json")]) == 1
    assert [r.id for r in records if isinstance(r, Image)] == ["s3:a/good.zarr"]


def test_a_plate_with_a_bad_well_is_read_again_next_time() -> None:
    bucket = FakeS3()
    put_plate(bucket, "a/plate.zarr", ("A/1", "B/2"))
    del bucket.objects["a/plate.zarr/B/2/zarr.json"]
    with serve(bucket) as server:
        source = source_of(server)
        for stamps in ({}, None):
            first = fetch_all(source, walk=Visit(stamps=stamps or {}))
            assert [p.item for p in problems(first)] == ["a/plate.zarr/B/2"]
            stamps = {item.key: item.stamp for item in raw_items(first)}
        again = fetch_all(source, walk=Visit(stamps=stamps))
        assert [p.item for p in problems(again)] == ["a/plate.zarr/B/2"]


def test_redirects_into_closed_networks_are_not_followed() -> None:
    inner = FakeS3()
    inner.put_image("a/secret.zarr")
    with serve(inner) as closed:
        bucket = FakeS3()
        bucket.put_image("a/one.zarr")
        place = f"{closed.url}/images/a/secret.zarr/zarr.json"
        bucket.fails["a/one.zarr/zarr.json"] = Given(307, b"", headers=(("Location", place),))
        found, _, _ = walked(bucket)
        assert closed.asked == []
    assert [p.item for p in problems(found)] == ["a/one.zarr"]


def test_a_bucket_in_another_region_is_asked_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_ACCESS", "someone")
    monkeypatch.setenv("S3_SECRET", "sesame-7")
    bucket = FakeS3()
    bucket.put_image("a/one.zarr")
    bucket.region = "eu-west-3"
    keys = {"access_key": "env:S3_ACCESS", "secret_key": "env:S3_SECRET"}
    found, records, places = walked(bucket, **keys)
    assert problems(found) == []
    assert len([r for r in records if isinstance(r, Image)]) == 1
    assert not any("sesame-7" in repr(one) for one in (*found, *records, *places))
    with pytest.raises(SourceRefused, match="elsewhere"):
        walked(bucket)


def test_a_clock_that_differs_is_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_ACCESS", "someone")
    monkeypatch.setenv("S3_SECRET", "sesame-7")
    bucket = FakeS3()
    bucket.put_image("a/one.zarr")
    bucket.skewed = True
    keys = {"access_key": "env:S3_ACCESS", "secret_key": "env:S3_SECRET"}
    with serve(bucket) as server:
        server.faults.append(Fault("skew", times=10_000))
        assert problems(fetch_all(source_of(server, **keys))) == []


def test_keys_that_are_no_paths_are_left_alone() -> None:
    bucket = FakeS3()
    bucket.put_image("a/one.zarr")
    bucket.put("a//double.ome.xml", b"<OME/>")
    bucket.put("a/./dot.ome.xml", b"<OME/>")
    bucket.put("a/../up.ome.xml", b"<OME/>")
    bucket.put("a/.hidden.zarr/zarr.json", image_group("hidden"))
    found, records, places = walked(bucket)
    assert not any("up.ome" in place or "hidden" in place for place in places)
    assert "s3:a/one.zarr" in {r.id for r in records}
    assert all(p.item.startswith("a/") for p in problems(found))


def test_prefixes_are_walked_alone_and_resumed() -> None:
    bucket = FakeS3(most_keys=2)
    for path in ("a/1.zarr", "b/x/2.zarr", "b/x/3.zarr", "c/4.zarr", "d/5.zarr"):
        bucket.put_image(path)
    with serve(bucket) as server:
        source = source_of(server, prefixes=["b/x", "d"])
        whole = fetch_all(source)
        keys = [item.key for item in raw_items(whole)]
        assert keys == ["b/x/", "b/x/2.zarr", "b/x/3.zarr", "d/", "d/5.zarr"]
        for number, one in enumerate(whole):
            if isinstance(one, RawItem) and one.cursor:
                assert fetch_all(source, one.cursor) == whole[number + 1 :]
    assert not any(asked.one("prefix").startswith(("a", "c")) for asked in server.asked)
    with pytest.raises(ValueError, match="lies within"):
        S3Images.Options(url="http://h.example", bucket="images", prefixes=["a", "a/b"])


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"bucket": "b" * 3, "lists": ["x.csv"]},
        {"bucket": "no/slash"},
        {"bucket": "abc", "access_key": "env:X"},
        {"bucket": "abc", "access_key": "AKIAPLAIN", "secret_key": "env:X"},
        {"bucket": "abc", "region": "x y"},
    ],
)
def test_settings_that_make_no_sense_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 -- any message, but for the secret
        S3Images.Options(**given)
    assert "AKIAPLAIN" not in str(caught.value).replace("input_value='AKIAPLAIN'", "")


def test_addresses_of_buckets() -> None:
    options = S3Images.Options(endpoint="https://s3.example:9000/", bucket="cells")
    assert options.bucket_address() == "https://s3.example:9000/cells"
    hosted = S3Images.Options(url="https://s3.example", bucket="cells", path_style=False)
    assert hosted.bucket_address() == "https://cells.s3.example"


# ------------------------------------------------------------------ many keys


def test_a_wide_folder_is_walked_page_by_page() -> None:
    bucket = FakeS3(most_keys=10)
    for number in range(300):
        bucket.put(f"wide/readme {number:04d}.txt", b"")
    bucket.put_image("wide/zz.zarr")
    found, records, places = walked(bucket)
    assert problems(found) == []
    assert (
        len([place for place in places if "prefix=wide/&" in place or place.endswith("wide/")])
        == 31
    )
    assert [r.id for r in records] == ["s3:wide", "s3:wide/zz.zarr"]


def test_a_server_without_order_is_told_and_nothing_lost() -> None:
    class Disorderly(FakeS3):
        def _entries(self, prefix: str, delimiter: str) -> list[str]:
            return sorted(super()._entries(prefix, delimiter), key=lambda key: key[::-1])

        def _page(self, asked: Asked, prefix: str, after: str) -> str:
            entries = self._entries(prefix, "/")
            place = entries.index(after) + 1 if after in entries else 0
            page = entries[place : place + 2]
            more = entries[place + 2 :] != []
            return list_xml(self.bucket, self.objects, page, False, page[-1] if more else None)

    bucket = Disorderly()
    for name in ("a9", "b1", "c5", "d0", "e3"):
        bucket.put_image(f"s/{name}.zarr")
    found, records, _ = walked(bucket)
    assert len([r for r in records if isinstance(r, Image)]) == 5
    assert [(p.item, p.severity) for p in problems(found)] == [("s", "error")]


# ------------------------------------------------------------------ obstore


def test_obstore_reads_the_same() -> None:
    bucket = FakeS3()
    bucket.put_image("a/one.zarr")
    bucket.put("a/one.zarr/labels/zarr.json", group(labels=["cells"]))
    bucket.put_image("a/two words+ä.zarr")
    bucket.put("a/bad.zarr/zarr.json", b"{")
    put_plate(bucket, "a/plate.zarr")
    careful, records, _ = walked(bucket)
    fast, same, _ = walked(bucket, engine="obstore")
    assert problems(fast) != []
    assert [p.item for p in problems(fast)] == [p.item for p in problems(careful)]
    assert [r.id for r in same] == [r.id for r in records]
    assert [getattr(r, "labels", ()) for r in same] == [getattr(r, "labels", ()) for r in records]


@pytest.mark.parametrize("kind", ["500", "429-retry-after", "reset", "truncated", "html"])
def test_what_obstore_cannot_get_is_asked_for_with_care(kind: str) -> None:
    bucket = FakeS3()
    for number in range(4):
        bucket.put_image(f"a/{number}.zarr")
    with serve(bucket) as server:
        server.faults.append(Fault(kind, path="2.zarr/0/zarr.json"))
        source = source_of(server, engine="obstore")
        found = fetch_all(source)
        assert server.most_at_once <= FAST["concurrency"]
    assert problems(found) == []
    assert [r.size_x for r in normalise_all(source, found) if isinstance(r, Image)] == [32] * 4


def test_obstore_is_not_led_to_other_hosts() -> None:
    inner = FakeS3()
    inner.put_image("a/secret.zarr")
    with serve(inner) as closed:
        place = closed.url.replace("127.0.0.1", "localhost") + "/images/a/secret.zarr/zarr.json"
        bucket = FakeS3()
        bucket.fails["a/one.zarr/zarr.json"] = Given(307, b"", headers=(("Location", place),))
        bucket.put_image("a/one.zarr")
        found, _, _ = walked(bucket, engine="obstore")
        assert closed.asked == []
    assert [p.item for p in problems(found)] == ["a/one.zarr"]


# ------------------------------------------------------------------ settings as documented


def test_the_example_of_the_documentation_harvests(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "sources" / "s3.md").read_text()
    block = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[0]
    bucket, lists = tomllib.loads(block)["sources"]
    monkeypatch.setenv("S3_ACCESS_KEY", "somebody")
    secret = tmp_path / "s3"
    secret.write_text("sesame")
    world = FakeS3()
    world.put_image("screens/one.zarr", "one")
    world.put_image("atlas/2024/two.zarr", "two")
    world.put_image("atlas/2023/three.zarr", "three")
    with serve(world) as server:
        rows = tmp_path / "more.txt"
        rows.write_text(f"{server.url}/images/atlas/2023/three.zarr\n")
        given = {name: value for name, value in bucket.items() if name not in ("name", "kind")}
        given |= {"url": server.url, "secret_key": f"file:{secret}"}
        source = S3Images("store", S3Images.Options(**given | FAST))
        titles = [r.title for r in normalise_all(source, fetch_all(source))]
        assert titles == ["2024", "two", "screens", "one"]
        listed = {"lists": [str(rows)], "url": server.url}
        assert set(lists) == {"name", "kind", "lists"}
        other = S3Images("challenge", S3Images.Options(**listed | FAST))
        assert [r.title for r in normalise_all(other, fetch_all(other))] == ["more", "three"]


@pytest.mark.parametrize("preset", ["idr-zarr", "bia-zarr", "ngff-challenge"])
def test_presets_are_valid(preset: str) -> None:
    file = Path(__file__).parents[2] / "harvester" / "presets" / f"{preset}.toml"
    settings = tomllib.loads(file.read_text())
    assert settings.pop("kind") == "s3"
    assert S3Images.Options(**settings).keys() is None


def test_a_prefix_may_be_a_group() -> None:
    bucket = FakeS3()
    bucket.put_image("a/one.zarr", "one")
    put_plate(bucket, "a/plate.zarr", ("A/1",))
    bucket.put_image("a/other.zarr", "other")
    with serve(bucket) as server:
        source = source_of(server, prefixes=["a/one.zarr", "a/plate.zarr/"])
        whole = fetch_all(source)
        keys = ["a/", "a/one.zarr", "a/plate.zarr", "a/plate.zarr/A/1/0", "a/plate.zarr/A/1/1"]
        assert [item.key for item in raw_items(whole)] == keys
        for number, one in enumerate(whole):
            if isinstance(one, RawItem) and one.cursor:
                assert fetch_all(source, one.cursor) == whole[number + 1 :]


def test_etags_that_a_proxy_rewrote_are_known_again() -> None:
    class Proxied(FakeS3):
        def answer(self, asked: Asked) -> Given:
            given = super().answer(asked)
            headers = tuple(
                (name, f'W/"{value[1:-1]}-gzip"' if name == "ETag" else value)
                for name, value in given.headers
            )
            return Given(given.status, given.content, given.media_type, headers)

    bucket = Proxied()
    bucket.put_image("a/one.zarr")
    bucket.put("a/page.ome.xml", b"<OME><Image ID='Image:0'/></OME>")
    with serve(bucket) as server:
        source = source_of(server)
        first = fetch_all(source)
        assert problems(first) == []
        stamps = {item.key: item.stamp for item in raw_items(first)}
        again = fetch_all(source, walk=Visit(stamps=stamps))
        assert len([one for one in again if isinstance(one, Unchanged)]) == 2


def plate_xml(words: str) -> bytes:
    space = 'xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"'
    sample = '<WellSample ID="WellSample:0:0:0" Index="0"><ImageRef ID="Image:0"/></WellSample>'
    return (
        f'<OME {space}><Plate ID="Plate:0" Name="screen 7"><Well ID="Well:0" Row="0" Column="0">'
        f'{sample}</Well></Plate><Image ID="Image:0"><Description>{words}</Description></Image>'
        "</OME>"
    ).encode()


def test_the_xml_of_a_plate_describes_its_fields() -> None:
    bucket = FakeS3()
    put_plate(bucket, "a/plate.zarr", ("A/1",))
    bucket.put("a/plate.zarr/OME/METADATA.ome.xml", plate_xml("first words"))
    with serve(bucket) as server:
        source = source_of(server)
        first = fetch_all(source)
        held = by_id(normalise_all(source, first))
        assert held["a/plate.zarr/A/1/0"].description == "first words"
        assert held["a/plate.zarr/A/1/1"].description == ""
        stamps = {item.key: item.stamp for item in raw_items(first)}
        server.forget()
        again = fetch_all(source, walk=Visit(stamps=stamps))
        assert len([one for one in again if isinstance(one, Unchanged)]) == 3
        assert not [a for a in server.asked if a.method == "GET" and "METADATA" in a.path]

        bucket.put("a/plate.zarr/OME/METADATA.ome.xml", plate_xml("other words"))
        changed = fetch_all(source, walk=Visit(stamps=stamps))
        held = by_id(normalise_all(source, changed))
        assert held["a/plate.zarr/A/1/0"].description == "other words"

        bucket.put("a/plate.zarr/OME/METADATA.ome.xml", b"<OME")
        broken = fetch_all(source, walk=Visit(stamps=stamps))
        told = [(p.item, p.severity) for p in problems(broken)]
        assert ("a/plate.zarr/OME/METADATA.ome.xml", "warning") in told
        assert len([r for r in normalise_all(source, broken) if isinstance(r, Image)]) == 2
