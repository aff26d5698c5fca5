"""TIFF files in buckets: which bytes are asked for, sets of files, changes."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
import pytest
import tifffile

from harvester.sources.s3 import S3Images
from parfocal.model import Image, Record
from parfocal.testing.http_sources import FAST
from parfocal.testing.loopback import Loopback, serve
from parfocal.testing.sources import Visit, fetch_all, normalise_all, raw_items
from parfocal.values import Problem, Unchanged
from tests.fakes.s3 import FakeS3

MARK = 0xA7


def source_of(server: Loopback, **options: Any) -> S3Images:
    given: dict[str, Any] = FAST | {"url": server.url, "bucket": "images"} | options
    return S3Images("s3", S3Images.Options(**given))


def tiff(**how: Any) -> bytes:
    """A TIFF file all of whose pixels are of one value."""
    shape = how.pop("shape", (3, 64, 48))
    pixels = np.full(shape, MARK, dtype=how.pop("dtype", "uint8"))
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, photometric="minisblack", **how)
    return file.getvalue()


def pixel_places(content: bytes) -> list[range]:
    """Where the strips and tiles of all pages lie."""
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        pages = [page for series in file.series for level in series.levels for page in level.pages]
        return [
            range(start, start + count)
            for page in pages
            if page is not None
            for start, count in zip(page.dataoffsets, page.databytecounts, strict=True)
        ]


def ranges(server: Loopback) -> list[range]:
    """The ranges that were asked for, of all files."""
    found = []
    for asked in server.asked:
        if "list-type" in asked.place or asked.method == "HEAD":
            continue
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", asked.headers.get("range", ""))
        assert match, f"asked for all of {asked.place}"
        found.append(range(int(match[1]), int(match[2]) + 1))
    return found


def overlap(one: range, other: range) -> bool:
    return max(one.start, other.start) < min(one.stop, other.stop)


KINDS: dict[str, dict[str, Any]] = {
    "ome": {"ome": True, "metadata": {"axes": "ZYX", "Name": "cells"}},
    "ome-big": {"ome": True, "bigtiff": True, "metadata": {"axes": "ZYX"}},
    "big-endian": {"ome": True, "byteorder": ">", "metadata": {"axes": "ZYX"}},
    "imagej": {"imagej": True, "metadata": {"axes": "ZYX", "spacing": 0.5, "unit": "um"}},
    "plain": {"metadata": None},
    "tiles": {"ome": True, "tile": (16, 16), "metadata": {"axes": "ZYX"}},
    "strips": {"ome": True, "rowsperstrip": 4, "metadata": {"axes": "ZYX"}},
    "zipped": {"ome": True, "compression": "zlib", "metadata": {"axes": "ZYX"}},
    "one pixel": {"shape": (1, 1), "metadata": None},
}


@pytest.mark.parametrize("kind", KINDS)
def test_no_byte_of_pixels_is_asked_for(kind: str) -> None:
    how = KINDS[kind] | ({} if "shape" in KINDS[kind] else {"resolution": (4e4, 4e4, "CENTIMETER")})
    content = tiff(**how)
    bucket = FakeS3()
    bucket.put("a/image.ome.tif", content)
    with serve(bucket) as server:
        source = source_of(server)
        found = fetch_all(source)
        asked = ranges(server)
    (image,) = [r for r in normalise_all(source, found) if isinstance(r, Image)]
    assert [(a, p) for a in asked for p in pixel_places(content) if overlap(a, p)] == []
    assert len(asked) <= 12
    assert (image.size_x, image.size_y) == ((1, 1) if kind == "one pixel" else (48, 64))
    assert image.size_z == {"plain": None, "one pixel": 1}.get(kind, 3)
    assert image.location == "s3://images/a/image.ome.tif"
    assert not any(link.kind == "viewer" for link in image.links)


def test_pixels_in_front_of_the_tags_are_left_alone() -> None:
    """As libtiff writes: header, pixels, then the page's tags."""
    pixels = bytes([MARK]) * 6000
    entries = [(256, 60), (257, 100), (258, 8), (273, 8), (278, 100), (279, len(pixels))]
    page = len(entries).to_bytes(2, "little")
    for tag, value in entries:
        page += b"".join(n.to_bytes(w, "little") for n, w in ((tag, 2), (4, 2), (1, 4), (value, 4)))
    head = b"II*\0" + (8 + len(pixels)).to_bytes(4, "little")
    bucket = FakeS3()
    bucket.put("a/image.tif", head + pixels + page + bytes(4))
    with serve(bucket) as server:
        source = source_of(server)
        records = normalise_all(source, fetch_all(source))
        assert not any(overlap(asked, range(8, 6008)) for asked in ranges(server))
    assert [(r.size_x, r.size_y) for r in records if isinstance(r, Image)] == [(60, 100)]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"II*",
        b"MM\0*\0\0\0\x08",
        b"GIF89a" + bytes(100),
        b"II*\0\xff\xff\xff\x7f",
        tiff()[:200],
    ],
)
def test_broken_files_are_problems(content: bytes) -> None:
    bucket = FakeS3()
    bucket.put("a/bad.tif", content)
    bucket.put("a/good.tif", tiff())
    with serve(bucket) as server:
        source = source_of(server)
        found = fetch_all(source)
    assert [one.item for one in found if isinstance(one, Problem)] == ["a/bad.tif"]
    assert [r.id for r in normalise_all(source, found) if isinstance(r, Image)] == ["s3:a/good.tif"]


def test_a_server_without_ranges_sends_no_whole_file() -> None:
    bucket = FakeS3()
    bucket.put("a/image.tif", tiff(shape=(40, 256, 256)))
    bucket.ignores_ranges = True
    with serve(bucket) as server:
        found = fetch_all(source_of(server))
        assert len(server.asked) <= 4
    (problem,) = [one for one in found if isinstance(one, Problem)]
    assert "parts" in problem.reason


# ------------------------------------------------------------------ changes, sets of files


def ome_tiff(name: str, members: tuple[str, ...]) -> bytes:
    """One file of a set that all carry the OME-XML of the whole set."""
    planes = "".join(
        f'<TiffData FirstZ="{z}" PlaneCount="1"><UUID FileName="{m}">urn:uuid:{z}</UUID></TiffData>'
        for z, m in enumerate(members)
    )
    xml = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        '<Image ID="Image:0" Name="set"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8"'
        f' SizeX="48" SizeY="64" SizeZ="{len(members)}" SizeC="1" SizeT="1">'
        f'<Channel ID="Channel:0:0"/>{planes}</Pixels></Image></OME>'
    )
    return tiff(shape=(64, 48), metadata=None, description=xml)


def images(records: list[Record]) -> list[tuple[str, int | None]]:
    return [(r.id, r.size_z) for r in records if isinstance(r, Image)]


def test_one_file_speaks_for_a_set_also_when_only_some_are_read_again() -> None:
    members = ("z0.ome.tif", "z1.ome.tif", "z2.ome.tif")
    bucket = FakeS3()
    for name in members:
        bucket.put(f"a/{name}", ome_tiff(name, members))
    with serve(bucket) as server:
        source = source_of(server)
        found = fetch_all(source)
        assert images(normalise_all(source, found)) == [("s3:a/z0.ome.tif", 3)]
        stamps = {item.key: item.stamp for item in raw_items(found)}
        assert set(stamps) == {"a/", *(f"a/{name}" for name in members)}

        server.forget()
        again = fetch_all(source, walk=Visit(stamps=stamps))
        assert {o.key for o in again if isinstance(o, Unchanged)} == {f"a/{n}" for n in members}
        assert ranges(server) == []

        bucket.put("a/z1.ome.tif", ome_tiff("z1.ome.tif", members) + b" ")
        changed = raw_items(fetch_all(source, walk=Visit(stamps=stamps)))
        assert [item.key for item in changed] == ["a/", "a/z1.ome.tif"]
        assert images(normalise_all(source, list(changed))) == []

        bucket.put("a/z0.ome.tif", ome_tiff("z0.ome.tif", ("z0.ome.tif",)))
        bucket.put("a/z1.ome.tif", ome_tiff("z1.ome.tif", ("z1.ome.tif",)))
        bucket.put("a/z2.ome.tif", ome_tiff("z2.ome.tif", ("z2.ome.tif",)))
        apart = fetch_all(source, walk=Visit(stamps=stamps))
        assert images(normalise_all(source, apart)) == [(f"s3:a/{n}", 1) for n in members]


def test_a_set_that_loses_its_first_file_gets_another_speaker() -> None:
    members = ("z0.ome.tif", "z1.ome.tif")
    bucket = FakeS3()
    for name in members:
        bucket.put(f"a/{name}", ome_tiff(name, members))
    with serve(bucket) as server:
        source = source_of(server)
        stamps = {item.key: item.stamp for item in raw_items(fetch_all(source))}
        del bucket.objects["a/z0.ome.tif"]
        found = fetch_all(source, walk=Visit(stamps=stamps))
        assert images(normalise_all(source, found)) == [("s3:a/z1.ome.tif", 2)]


def test_a_companion_speaks_for_its_files() -> None:
    space = 'xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"'
    pointer = f'<OME {space}><BinaryOnly MetadataFile="x.companion.ome" UUID="urn:uuid:1"/></OME>'
    pixels = (
        '<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeX="48" SizeY="64"'
        ' SizeZ="2" SizeC="1" SizeT="1"><TiffData><UUID FileName="m0.ome.tif">urn:uuid:1</UUID>'
        '</TiffData><TiffData><UUID FileName="m1.ome.tif">urn:uuid:2</UUID></TiffData></Pixels>'
    )
    xml = f'<OME {space}><Image ID="Image:0" Name="both">{pixels}</Image></OME>'
    bucket = FakeS3()
    bucket.put("a/m0.ome.tif", tiff(shape=(64, 48), metadata=None, description=pointer))
    bucket.put("a/m1.ome.tif", tiff(shape=(64, 48), metadata=None, description=pointer))
    bucket.put("a/x.companion.ome", xml.encode())
    with serve(bucket) as server:
        source = source_of(server)
        records = normalise_all(source, fetch_all(source))
        (image,) = [r for r in records if isinstance(r, Image)]
        assert (image.title, image.size_z) == ("both", 2)
        assert image.location == "s3://images/a/m0.ome.tif"


def test_other_formats_are_images_known_by_name_and_size() -> None:
    bucket = FakeS3()
    bucket.put("a/scan.czi", b"x" * 321)
    bucket.put("a/notes.docx", b"x")
    with serve(bucket) as server:
        source = source_of(server)
        found = fetch_all(source)
        assert ranges(server) == []
    (image,) = [r for r in normalise_all(source, found) if isinstance(r, Image)]
    assert (image.id, image.location) == ("s3:a/scan.czi", "s3://images/a/scan.czi")
    assert "321 bytes" in {pair.value for pair in image.key_values}
