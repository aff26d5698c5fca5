"""How fast a disk of MetaXpress plates is harvested, beside a bare tag reader and tifffile.

    python bench/local.py [--files 80000] [--waves 2] [--check]

Made are plates of 384 wells with ten sites each, every file with MetaSeries tags of its own, and
some OME-TIFF files beside them. The harvest runs as the command does, until index and graph have
all records; then once more over the same files, then with one file changed. ``--objects N``
measures the memory of a walk over N files instead, once over a tenth of them and once over all.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import tifffile

FIRST_SECONDS, SECOND_SECONDS = 30.0, 3.0
WELLS, SITES = 384, 10
_TAGS = (
    (256, 4, 1), (257, 4, 1), (258, 3, 1), (262, 3, 1), (270, 2, 0), (273, 4, 1), (277, 3, 1),
    (278, 4, 1), (279, 4, 1), (305, 2, 0),
)  # fmt: skip
_META = """<MetaData>
<prop id="Description" type="string" value="Exposure: {exposure} ms&#13;&#10;\
Binning: 1 X 1&#13;&#10;Camera Bit Depth:16"/>
<prop id="ApplicationName" type="string" value="MetaXpress"/>
<PlaneInfo>
<prop id="spatial-calibration-state" type="bool" value="on"/>
<prop id="spatial-calibration-x" type="float" value="0.65"/>
<prop id="spatial-calibration-y" type="float" value="0.65"/>
<prop id="spatial-calibration-units" type="string" value="um"/>
<prop id="acquisition-time-local" type="time" value="20240311 11:{minute:02d}:58.123"/>
<prop id="stage-position-x" type="float" value="{x}"/>
<prop id="stage-position-y" type="float" value="{y}"/>
<prop id="stage-label" type="string" value="{well} : Site {site}"/>
<prop id="z-position" type="float" value="9343.19"/>
<prop id="wavelength" type="float" value="{nm}"/>
<prop id="_IllumSetting_" type="string" value="{dye}"/>
<prop id="_MagNA_" type="float" value="0.75"/>
<prop id="_MagSetting_" type="string" value="20X Plan Apo"/>
</PlaneInfo>
</MetaData>"""
_OME = (
    '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/'
    '2016-06" UUID="urn:uuid:00000000-0000-4000-8000-{number:012d}"><Image ID="Image:0" Name="cell '
    '{number}"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" SizeX="4" SizeY="4" '
    'SizeZ="1" SizeC="1" SizeT="1" PhysicalSizeX="0.2"><Channel ID="Channel:0:0" Name="GFP"/>'
    "<TiffData/></Pixels></Image></OME>"
)
_DYES = (("DAPI", 452), ("FITC", 536), ("Texas Red", 624), ("Cy5", 692))


def tiff(description: str, software: str) -> bytes:
    """Return a TIFF file of 4 x 4 pixels."""
    texts = {270: description.encode() + b"\0", 305: software.encode() + b"\0"}
    start = 8 + 2 + len(_TAGS) * 12 + 4
    values = {256: 4, 257: 4, 258: 16, 262: 1, 273: 0, 277: 1, 278: 4, 279: 32}
    data, entries = b"", b""
    for tag, kind, count in _TAGS:
        text = texts.get(tag)
        if text is None:
            entries += struct.pack("<HHII", tag, kind, count, values[tag])
        else:
            entries += struct.pack("<HHII", tag, kind, len(text), start + len(data))
            data += text
    where = start + len(data)
    entries = entries.replace(
        struct.pack("<HHII", 273, 4, 1, 0), struct.pack("<HHII", 273, 4, 1, where)
    )
    head = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(_TAGS))
    return head + entries + struct.pack("<I", 0) + data + bytes(32)


def htd(waves: int) -> str:
    lines = ['"HTSInfoFile", Version 1.0', '"Description", "benchmark"', '"TimePoints", 1']
    lines += ['"XWells", 24', '"YWells", 16']
    lines += [f'"WellsSelection{row}", ' + ", ".join(["TRUE"] * 24) for row in range(1, 17)]
    lines += ['"Sites", TRUE', '"XSites", 5', '"YSites", 2', f'"NWavelengths", {waves}']
    lines += [f'"SiteSelection{row}", ' + ", ".join(["TRUE"] * 5) for row in (1, 2)]
    lines += [f'"WaveName{n}", "{_DYES[n - 1][0]}"' for n in range(1, waves + 1)]
    return "\r\n".join([*lines, '"EndFile"', ""])


def make(root: Path, files: int, waves: int) -> int:
    """Write plates, and OME-TIFF files for the rest; return how many files there are."""
    plates = files // (WELLS * SITES * waves)
    for number in range(plates):
        folder = root / "screen" / f"plate{number:02d}"
        folder.mkdir(parents=True)
        (folder / f"P{number:02d}.HTD").write_text(htd(waves), newline="")
        for well in range(WELLS):
            place = f"{chr(65 + well // 24)}{well % 24 + 1:02d}"
            for site in range(1, SITES + 1):
                for wave in range(1, waves + 1):
                    dye, nm = _DYES[wave - 1]
                    text = _META.format(
                        exposure=10 * wave, minute=well % 60, x=9000.0 * (well % 24) + site,
                        y=9000.0 * (well // 24), well=place, site=site, nm=nm, dye=dye,
                    )  # fmt: skip
                    name = f"P{number:02d}_{place}_s{site}" + (f"_w{wave}" if waves > 1 else "")
                    (folder / f"{name}.TIF").write_bytes(tiff(text, "MetaSeries"))
    left = files - plates * WELLS * SITES * waves
    (root / "loose").mkdir()
    for number in range(left):
        content = tiff(_OME.format(number=number), "benchmark")
        (root / "loose" / f"c{number:06d}.ome.tif").write_bytes(content)
    return files


# ------------------------------------------------------------------ the baselines


def bare_tags(paths: list[str]) -> float:
    """Return files a second of a loop that reads four tags of the first page."""
    start = time.perf_counter()
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        head = os.pread(descriptor, 4096, 0)
        offset = struct.unpack_from("<I", head, 4)[0]
        count = struct.unpack_from("<H", head, offset)[0]
        found = {}
        for tag, kind, number, value in struct.iter_unpack(
            "<HHII", head[offset + 2 : offset + 2 + count * 12]
        ):
            if tag in (256, 257, 258, 270):
                found[tag] = head[value : value + number] if kind == 2 else value
        os.close(descriptor)
    return len(paths) / (time.perf_counter() - start)


def tifffile_loop(paths: list[str]) -> float:
    start = time.perf_counter()
    for path in paths:
        with tifffile.TiffFile(path) as file:
            page = file.pages[0]
            _ = page.shape, page.description  # type: ignore[union-attr]
    return len(paths) / (time.perf_counter() - start)


# ------------------------------------------------------------------ the harvest


def stage(work: Path, root: Path) -> None:
    """Harvest as the command does; print when index and graph had everything."""
    from parfocal.catalogue import Catalogue
    from parfocal.config import Settings
    from parfocal.harvesting import harvest

    source = {"name": "disk", "kind": "local", "path": str(root)}
    settings = Settings.model_validate({"data_dir": work, "sources": [source]})
    with Catalogue.open(settings) as catalogue:
        seen: list[tuple[float, int]] = []
        ended = threading.Event()

        def look() -> None:
            while not ended.wait(0.1):
                seen.append((time.perf_counter() - start, catalogue.index.revision()))

        start = time.perf_counter()
        watcher = threading.Thread(target=look)
        watcher.start()
        (report,) = list(harvest(catalogue))
        seconds = time.perf_counter() - start
        ended.set()
        watcher.join()
        last = catalogue.store.revision()
    found = {
        "records": report.counts.new, "changed": report.counts.changed,
        "unchanged": report.counts.unchanged, "problems": report.problems,
        "searchable": min([when for when, reached in seen if reached == last] or [seconds]),
        "graph": seconds,
        "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }  # fmt: skip
    print(json.dumps(found))


def harvest_apart(work: Path, root: Path) -> tuple[float, dict[str, Any]]:
    """Harvest in a process of its own; return its seconds and what it measured."""
    command = [sys.executable, __file__, "--stage", str(work), str(root)]
    start = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return time.perf_counter() - start, found


def speed(given: argparse.Namespace) -> bool:
    with tempfile.TemporaryDirectory(prefix="parfocal-bench-", dir=given.dir) as name:
        root, work = Path(name) / "disk", Path(name) / "work"
        root.mkdir()
        work.mkdir()
        count = make(root, given.files, given.waves)
        paths = sorted(str(path) for path in root.rglob("*.[tT][iI][fF]"))
        bare = bare_tags(paths)
        slow = tifffile_loop(paths[:: max(1, len(paths) // 4000)])
        _, first = harvest_apart(work, root)
        second, again = harvest_apart(work, root)
        Path(paths[0]).write_bytes(Path(paths[1]).read_bytes())
        third, changed = harvest_apart(work, root)
    found = first["searchable"]
    print(f"{count:,} files of {given.waves} wavelengths, {first['records']:,} records")
    print(f"bare tag reader    {bare:>10,.0f} files/s")
    print(f"tifffile           {slow:>10,.0f} files/s")
    print(f"searchable after   {found:>10.1f} s   {count / found:,.0f} files/s (target < 30 s)")
    print(f"with the graph     {first['graph']:>10.1f} s   peak memory {first['mb']:,.0f} MB")
    print(f"nothing changed    {second:>10.1f} s   {again['unchanged']:,} records (target < 3 s)")
    print(f"one file changed   {third:>10.1f} s   {changed['changed']:,} records")
    return bool(found < FIRST_SECONDS and second < SECOND_SECONDS)


# ------------------------------------------------------------------ memory


def walk(root: Path) -> None:
    """Walk a folder without a store, and print the number of items and the peak memory."""
    import asyncio

    from harvester.sources.local import LocalFiles
    from parfocal.testing.sources import Visit

    async def count() -> int:
        source = LocalFiles("disk", LocalFiles.Options(path=root))
        number = 0
        async for _ in source.fetch(Visit()):
            number += 1
        return number

    number = asyncio.run(count())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"items": number, "mb": peak}))


def memory(given: argparse.Namespace) -> bool:
    """Walk folders of a thousand links to one file each, a tenth of them and all of them."""
    peaks = []
    with tempfile.TemporaryDirectory(prefix="parfocal-bench-", dir=given.dir) as name:
        made = 0
        for part in (given.objects // 10, given.objects):
            while made < part:
                folder = Path(name) / f"study{made // 100_000}" / f"folder{made // 1000:05d}"
                folder.mkdir(parents=True)
                first = folder / "c0000.tif"
                first.write_bytes(tiff(f"number {made}", "benchmark"))
                for number in range(1, 1000):
                    os.link(first, folder / f"c{number:04d}.tif")
                made += 1000
            command = [sys.executable, __file__, "--walk", name]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            peaks.append(json.loads(done.stdout))
            print(f"{peaks[-1]['items']:,} items: peak memory {peaks[-1]['mb']:,.0f} MB")
    return bool(peaks[1]["mb"] < peaks[0]["mb"] * 1.5 + 20)


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, default=80_000, help="how many files to make")
    parser.add_argument("--waves", type=int, default=2, choices=(1, 2, 3, 4))
    parser.add_argument("--objects", type=int, default=0, help="measure memory over so many files")
    parser.add_argument("--dir", type=Path, help="where to make them")
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    parser.add_argument("--walk", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--stage", type=Path, nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.walk:
        return walk(given.walk)
    if given.stage:
        return stage(*given.stage)
    good = memory(given) if given.objects else speed(given)
    sys.exit(1 if given.check and not good else 0)


if __name__ == "__main__":
    main()
