"""The header reader for TIFF files."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harvester.formats.tiff import read_header
from harvester.formats.tiff_facts import facts_of
from parfocal.errors import SourceMalformed
from parfocal.model import Quantity


@pytest.mark.parametrize("big", [False, True], ids=["classic", "big"])
@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
def test_reads_what_tifffile_writes(tmp_path: Path, big: bool, order: str) -> None:
    path = tmp_path / "a.tif"
    pixels = np.zeros((5, 12, 20), "uint16")
    tifffile.imwrite(path, pixels, bigtiff=big, byteorder=order, metadata=None,
                     photometric="minisblack", description="words", software="maker",
                     datetime="2020:02:03 04:05:06", resolution=(20000, 20000),
                     resolutionunit="CENTIMETER")  # fmt: skip
    header = read_header(path)
    assert (header.width, header.height, header.pages, header.bits) == (20, 12, 5, 16)
    assert (header.description, header.software) == (b"words", "maker")
    assert header.damage == ""
    facts = facts_of(header)
    assert (facts.size_x, facts.size_y, facts.size_z, facts.date) == (20, 12, 5, "2020-02-03")
    assert (facts.pixel_type, facts.description) == ("uint16", "words")
    assert facts.pixel_size_x == facts.pixel_size_y == Quantity(0.5, "µm")


def test_printer_resolution_is_no_pixel_size(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((4, 4), "uint8"), resolution=(300, 300), resolutionunit="INCH")
    assert facts_of(read_header(path)).pixel_size_x is None


def test_imagej_hyperstack(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    pixels = np.zeros((2, 3, 4, 8, 16), "uint16")
    tifffile.imwrite(path, pixels, imagej=True, resolution=(4, 4),
                     metadata={"axes": "TZCYX", "unit": "um", "spacing": 1.5, "finterval": 30}
                     )  # fmt: skip
    facts = facts_of(read_header(path))
    assert (facts.size_t, facts.size_z, facts.size_c) == (2, 3, 4)
    assert (facts.size_x, facts.size_y) == (16, 8)
    assert facts.pixel_size_x == Quantity(0.25, "µm")
    assert facts.pixel_size_z == Quantity(1.5, "µm")
    assert facts.time_increment == Quantity(30.0, "s")


def test_colour_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((8, 16, 3), "uint8"), photometric="rgb")
    facts = facts_of(read_header(path))
    assert (facts.size_c, [c.name for c in facts.channels]) == (3, ["red", "green", "blue"])


def test_truncated_pixels_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((64, 64), "uint8"), metadata=None)
    path.write_bytes(path.read_bytes()[:-100])
    size = path.stat().st_size
    reason = f"strip 1 of IFD 1 lies beyond the end of the file, {size:,} bytes"
    assert read_header(path).damage == reason


OME = '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">words</OME>'


def pages(path: Path, *, ome: bool, count: int = 4) -> bytes:
    """Write pages one after the other, each with several strips behind its tags."""
    with tifffile.TiffWriter(path) as writer:
        for _ in range(count):
            writer.write(
                np.ones((64, 64), "uint8"), rowsperstrip=8, metadata=None, contiguous=False,
                photometric="minisblack", description=OME if ome else "",
            )  # fmt: skip
    return path.read_bytes()


@pytest.mark.parametrize("ome", [True, False])
def test_a_cut_in_the_last_page_is_found(tmp_path: Path, ome: bool) -> None:
    path = tmp_path / "a.tif"
    content = pages(path, ome=ome)
    assert read_header(path).damage == ""
    path.write_bytes(content[:-600])
    header = read_header(path)
    assert header.damage == (
        f"strip 7 of IFD 4 lies beyond the end of the file, {len(content) - 600:,} bytes"
    )
    assert (header.width, header.height, header.is_ome) == (64, 64, ome)


def test_a_cut_in_the_chain_of_pages_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    content = pages(path, ome=True)
    cut = len(content) // 2
    path.write_bytes(content[:cut])
    header = read_header(path)
    assert header.damage.startswith("IFD 3 at byte ")
    assert header.damage.endswith(f"lies beyond the end of the file, {cut:,} bytes")
    path.write_bytes(pages(path, ome=False)[:cut])
    with pytest.raises(SourceMalformed, match=r"IFD 3 at byte .* lies beyond the end of the file"):
        read_header(path)


def test_a_cut_in_the_places_of_strips_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tags = (entry(256, 4, 1, 5), entry(257, 4, 1, 5), entry(273, 4, 9, 900), entry(279, 4, 9, 990))
    path.write_bytes(classic(*tags))
    assert "the places of the strips of IFD 1 lie beyond" in read_header(path).damage


def entry(tag: int, kind: int, count: int, value: int) -> bytes:
    return struct.pack("<HHII", tag, kind, count, value)


def classic(*entries: bytes, following: int = 0) -> bytes:
    body = struct.pack("<H", len(entries)) + b"".join(entries) + struct.pack("<I", following)
    return b"II*\0" + struct.pack("<I", 8) + body


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a TIFF"),
        (b"PK\3\4", "not a TIFF"),
        (b"II*\0\0\0\0\x10", "the file ends"),
        (b"II\x63\0\x08\0\0\0", "neither 42 nor 43"),
        (classic(entry(256, 4, 1, 0), entry(257, 4, 1, 5)), "0 x 5"),
        (classic(entry(256, 4, 1, 2**32 - 1), entry(257, 4, 1, 5)), "4294967295 x 5"),
        (classic(entry(256, 4, 1, 5), entry(257, 4, 1, 5), following=8), "loop"),
        (classic(entry(256, 4, 1, 5), entry(257, 4, 1, 5), entry(270, 2, 2**31, 8)), "at most"),
        (
            classic(entry(256, 4, 1, 5), entry(257, 4, 1, 5), entry(270, 2, 5000, 8)),
            "the file ends",
        ),
        (b"II*\0\x08\0\0\0\xff\xff", "65535 tags"),
    ],
)
def test_damaged_files_say_why(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    with pytest.raises(SourceMalformed, match=reason):
        read_header(path)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cut=st.integers(0, 400),
    changes=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=8),
    big=st.booleans(),
)
def test_any_damage_is_read_or_malformed(
    tmp_path: Path, cut: int, changes: list[tuple[int, int]], big: bool
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((2, 4, 4), "uint8"), bigtiff=big, photometric="minisblack",
                     description="text", metadata=None)  # fmt: skip
    content = bytearray(path.read_bytes())
    for place, value in changes:
        content[place % len(content)] = value
    path.write_bytes(bytes(content[: max(0, len(content) - cut)]))
    try:
        header = read_header(path)
    except SourceMalformed:
        pass
    else:
        facts_of(header)
