"""A lab's disk in miniature: small TIFF files, MetaXpress and ImageXpress plates, archives."""

from __future__ import annotations

import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

from harvester.sources.local import LocalFiles
from parfocal.model import Record
from parfocal.testing.sources import fetch_all, raw_items
from parfocal.values import Problem

WELLS = ("A01", "B02")


def tiff(width: int = 8, description: str = "cells", software: str = "", pixel: int = 0) -> bytes:
    """Return a TIFF file of four rows of bytes; its directory lies at its end."""
    texts = {270: description.encode() + b"\0", 305: software.encode() + b"\0"}
    data = bytes([pixel]) * (4 * width)
    numbers = {256: width, 257: 4, 258: 8, 262: 1, 273: 8, 277: 1, 278: 4, 279: 4 * width}
    entries = []
    place = 8 + len(data)
    for tag in sorted((*numbers, *texts)):
        text = texts.get(tag)
        if text is None:
            entries.append(struct.pack("<HHII", tag, 4, 1, numbers[tag]))
        elif len(text) <= 4:
            entries.append(struct.pack("<HHI", tag, 2, len(text)) + text.ljust(4, b"\0"))
        else:
            entries.append(struct.pack("<HHII", tag, 2, len(text), place))
            place += len(text)
    long = b"".join(text for _, text in sorted(texts.items()) if len(text) > 4)
    head = b"II*\0" + struct.pack("<I", place) + data + long
    return head + struct.pack("<H", len(entries)) + b"".join(entries) + struct.pack("<I", 0)


def write(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def write_zip(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members.items():
            file.writestr(zipfile.ZipInfo(name), content, method)


def write_tar(path: Path, members: dict[str, bytes], mode: str = "w") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as file:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))


# ------------------------------------------------------------------ plates


def metaseries(
    well: str = "A01", site: int = 1, *, dye: str = "DAPI", nm: str = "452.0", z: float = 100.0,
    second: int = 0, exposure: int = 10,
) -> str:  # fmt: skip
    """Return the text of a MetaSeries TIFF."""
    return f"""<MetaData>
<prop id="Description" type="string" value="Fixed cells&#13;&#10;Exposure: {exposure} ms&#13;&#10;\
Binning: 2 x 2&#13;&#10;Acquired from Example Camera&#13;&#10;Note: high &#38; low"/>
<prop id="ApplicationName" type="string" value="MetaXpress"/>
<PlaneInfo>
<prop id="spatial-calibration-state" type="bool" value="on"/>
<prop id="spatial-calibration-x" type="float" value="0.65"/>
<prop id="spatial-calibration-y" type="float" value="0.65"/>
<prop id="spatial-calibration-units" type="string" value="um"/>
<prop id="image-name" type="string" value="{dye}"/>
<prop id="acquisition-time-local" type="time" value="20240311 11:36:{second:02d}.500"/>
<prop id="stage-position-x" type="float" value="1e+004"/>
<prop id="stage-position-y" type="float" value="250.5"/>
<prop id="stage-label" type="string" value="{well} : Site {site}"/>
<prop id="z-position" type="float" value="{z}"/>
<prop id="wavelength" type="float" value="{nm}"/>
<prop id="_IllumSetting_" type="string" value="{dye}"/>
<prop id="_MagNA_" type="float" value="0.75"/>
<prop id="_MagSetting_" type="string" value="20X Plan Apo"/>
<custom-prop id="Laser focus score" type="float" value="{site}{second}"/>
</PlaneInfo>
</MetaData>"""


def htd(
    wells: Iterable[str] = WELLS, *, sites: tuple[int, int] | None = (2, 1), waves: int = 2,
    times: int = 1, z_steps: int = 1, selection: bool = True,
) -> str:  # fmt: skip
    """Return a description of a plate of 2 x 3 wells."""
    chosen = set(wells)
    lines = ['"HTSInfoFile", Version 1.0', '"Description", "fixed, stained\x82"']
    lines += [f'"TimePoints", {times}', f'"ZSeries", {"TRUE" if z_steps > 1 else "FALSE"}']
    lines += [f'"ZSteps", {z_steps}', '"XWells", 3', '"YWells", 2']
    for row in "AB":
        cells = ", ".join("TRUE" if f"{row}{n:02d}" in chosen else "FALSE" for n in (1, 2, 3))
        lines.append(f'"WellsSelection{"AB".index(row) + 1}", {cells}')
    across, down = sites or (2, 2)
    lines += [f'"Sites", {"TRUE" if sites else "FALSE"}', f'"XSites", {across}']
    lines.append(f'"YSites", {down}')
    if selection:
        line = ", ".join(["TRUE"] * across)
        lines += [f'"SiteSelection{row}", {line}' for row in range(1, down + 1)]
    lines += [f'"Waves", {"TRUE" if waves > 1 else "FALSE"}', f'"NWavelengths", {waves}']
    lines += [f'"WaveName{n}", "wave {n}"' for n in range(1, waves + 1)]
    lines += [f'"WaveCollect{n}", 1' for n in range(1, waves + 1)]
    return "\r\n".join([*lines, '"EndFile"', ""])


DYES = (("DAPI", "452"), ("FITC", "536.0"))


def write_plate(
    folder: Path, name: str = "P1", *, sites: int = 2, waves: int = 2, times: int = 1,
    z_steps: int = 1, guid: bool = False, suffix: str = ".tif",
) -> None:  # fmt: skip
    """Write a plate of two wells, in folders of time points and planes where there are several."""
    described = htd(sites=(sites, 1) if sites else None, waves=waves, times=times, z_steps=z_steps)
    write(folder / f"{name}.HTD", described.encode("latin-1"))
    number = 0
    for well in WELLS:
        for site in range(1, (sites or 1) + 1):
            for time in range(1, times + 1):
                for z in range(1, z_steps + 1):
                    for wave in range(1, waves + 1):
                        number += 1
                        dye, nm = DYES[wave - 1]
                        text = metaseries(
                            well, site, dye=dye, nm=nm, z=100 + 2.5 * z, second=time * 10,
                            exposure=10 * wave,
                        )  # fmt: skip
                        base = f"{name}_{well}" + (f"_s{site}" if sites else "")
                        base += f"_w{wave}" if waves > 1 else ""
                        base += f"{number:08X}-0000-4000-8000-{number:012X}" if guid else ""
                        place = folder
                        if times > 1 or z_steps > 1:
                            place = place / f"TimePoint_{time}"
                        if z_steps > 1:
                            place = place / f"ZStep_{z}"
                        write(place / f"{base}{suffix}", tiff(16, text, "MetaSeries"))
                        if wave == 1 and z == 1 and time == 1:
                            write(place / f"{base}_thumb{suffix}", tiff(4, text, "MetaSeries"))


def jdce(tables: tuple[str, ...] = ("image_metadata_1.csv",)) -> str:
    """Return the description of an acquisition of two wavelengths, three planes, two times."""
    waves = [
        {"Index": n, "ZSlice": 3, "ZStep": 3.0, "EmissionFilter": {"Name": name}}
        for n, name in enumerate(("TL", "FITC"))
    ]
    protocol = {
        "Camera": {"Binning": "1 X 1"},
        "ObjectiveCalibration": {
            "Unit": "\u00b5m", "ObjectiveName": "10X Plan Apo", "PixelWidth": 0.58,
            "PixelHeight": 0.58,
        },
        "Plate": {"Name": "Example 96 Well", "Rows": 8, "Columns": 12},
        "Wavelengths": waves,
        "PlateMap": {"TimeSchedule": {"NumberOfTimepoints": 2}},
    }  # fmt: skip
    stack = {
        "Uuid": "5b0f4a4e-0000-4000-8000-000000000001",
        "Creation": {"Date": "2026-02-03", "Time": "10:31:10", "TimeZoneOffset": 0},
        "PlateId": "3500",
        "Operator": {"Login": "somebody"},
        "AutoLeadAcquisitionProtocol": protocol,
        "ImageMetadataFiles": list(tables),
    }
    return json.dumps({"Version": "1.1", "ImageStack": stack}, indent=2)


_COLUMNS = (
    "Well,Row,Column,Field,Wavelength,Timepoint,ZIndex,ImageSubFolderPath,ImageFileName,"
    "TimeStampSec,ExposureTimeMs,ExcitationEmissionFilter,PositionXUm,PositionYUm,PositionZUm"
)


def write_acquisition(folder: Path, name: str = "Run", *, table: bool = True) -> None:
    """Write an acquisition of two wells with two sites each."""
    write(folder / f"{name}.jdce", jdce())
    lines = [_COLUMNS]
    for well in ("B02", "B03"):
        for site, time, wave, z in (
            (s, t, w, z) for t in range(2) for s in range(2) for w in range(2) for z in range(3)
        ):
            base = f"{name}_t{time}_{well}_s{site}_w{wave}_z{z}.tif"
            write(folder / f"timepoint{time}" / base, tiff(8, "", "MetaSeries"))
            write(folder / f"timepoint{time}" / f"{base}.statistics.json", "{}")
            lines.append(
                f"B - {int(well[1:])},2,{int(well[1:])},{site},{wave},{time},{z},timepoint{time},"
                f"{base},{1785864670 + 600 * time},{10 * (wave + 1)},{('TL', 'FITC')[wave]},"
                f"{1000 + site},2000,{20000 + 3 * z}"
            )
    if table:
        write(folder / "image_metadata_1.csv", "\n".join(lines) + "\n")


# ------------------------------------------------------------------ harvesting


def local(path: Path, name: str = "lab") -> LocalFiles:
    return LocalFiles(name, LocalFiles.Options(path=path))


def harvest(path: Path) -> tuple[dict[str, Record], list[Problem]]:
    """Return the records of a folder by id, and all problems."""
    source = local(path)
    found = fetch_all(source)
    problems = [one for one in found if isinstance(one, Problem)]
    records: dict[str, Record] = {}
    for item in raw_items(found):
        for made in source.normalise(item):
            if isinstance(made, Problem):
                problems.append(made)
            else:
                assert made.id not in records
                records[made.id] = made
    return records, problems
