"""Makes what else a lab's disk may hold: a MetaXpress plate, an HDF5 file, an archive; invented."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile

from harvester.demo.pictures import culture, tissue

Pixels = npt.NDArray[np.uint16]
_NAME = "Arrest-1"
_WELLS = {
    "A01": ("DMSO", "0", 0.08),
    "A02": ("nocodazole", "100", 0.55),
    "B01": ("paclitaxel", "10", 0.4),
    "B02": ("paclitaxel", "100", 0.75),
}
_WAVES = (("Hoechst", 461, 20), ("Phalloidin", 603, 60))
_ABOUT = """\
[dataset]
title = "Mitotic arrest by dose, imaged on an ImageXpress"
description = "One plate of HeLa cells with microtubule drugs, as the microscope wrote it."
authors = [{name = "Dora Specimen", affiliation = "Institute of Examples"}]
licence = "CC BY 4.0"
date = "2024-05-17"
keywords = ["high-content screening", "mitosis"]
Organism = "Homo sapiens"
"Cell Line" = "HeLa"
"Imaging Method" = "confocal microscopy"
"""
_ABOUT_STACKS = """\
[dataset]
title = "Segmented kidney cortex, exported for analysis"
description = "A stack as HDF5, and the pictures of one day packed into an archive."
authors = [{name = "Clara Muster", affiliation = "Centre for Demonstrations"}]
licence = "CC0"
date = "2023-12-01"
keywords = ["kidney", "segmentation"]
Organism = "Mus musculus"
"Organism Part" = "kidney"
"""


def _htd() -> str:
    lines = ['"HTSInfoFile", Version 1.0', '"Description", "dose response"', '"TimePoints", 1']
    lines += ['"ZSeries", FALSE', '"XWells", 2', '"YWells", 2', '"WellsSelection1", TRUE, TRUE']
    lines += ['"WellsSelection2", TRUE, TRUE', '"Sites", FALSE', '"XSites", 1', '"YSites", 1']
    lines += ['"Waves", TRUE', f'"NWavelengths", {len(_WAVES)}']
    lines += [f'"WaveName{n}", "{name}"' for n, (name, _, _) in enumerate(_WAVES, 1)]
    return "\r\n".join([*lines, '"EndFile"', ""])


def _tags(well: str, wave: int) -> str:
    name, nanometres, exposure = _WAVES[wave]
    lines = [
        ("Description", "string", f"Exposure: {exposure} ms&#13;&#10;Binning: 2 x 2"),
        ("ApplicationName", "string", "MetaXpress"),
        ("spatial-calibration-state", "bool", "on"),
        ("spatial-calibration-x", "float", "0.65"),
        ("spatial-calibration-y", "float", "0.65"),
        ("spatial-calibration-units", "string", "um"),
        ("acquisition-time-local", "time", f"20240516 10:2{wave}:30.000"),
        ("stage-label", "string", f"{well} : Site 1"),
        ("wavelength", "float", str(nanometres)),
        ("_IllumSetting_", "string", name),
        ("_MagNA_", "float", "0.75"),
        ("_MagSetting_", "string", "20X Plan Apo"),
    ]
    props = "\n".join(f'<prop id="{i}" type="{t}" value="{v}"/>' for i, t, v in lines)
    return f"<MetaData>\n<PlaneInfo>\n{props}\n</PlaneInfo>\n</MetaData>"


def write_plate(folder: Path) -> None:
    """Write a MetaXpress plate of four wells, with the treatments as key-values by file name."""
    place = folder / "plate"
    place.mkdir(parents=True)
    rows = ["file,Compound,Concentration (nM),Control"]
    for number, (well, (compound, dose, mitotic)) in enumerate(_WELLS.items()):
        control = "negative" if compound == "DMSO" else ""
        rows.append(f"plate/{_NAME}_{well}_*,{compound},{dose},{control}")
        picture = culture(
            np.random.default_rng(500 + number), cells=20, mitotic=mitotic, radius=14.0
        )
        for wave in range(len(_WAVES)):
            tifffile.imwrite(
                place / f"{_NAME}_{well}_w{wave + 1}.TIF", picture[wave], metadata=None,
                description=_tags(well, wave), software="MetaSeries", photometric="minisblack",
                compression="zlib", datetime="2024:05:16 10:20:30",
            )  # fmt: skip
    (place / f"{_NAME}.HTD").write_text(_htd(), encoding="ascii", newline="")
    (folder / "parfocal.toml").write_text(_ABOUT, encoding="utf-8")
    (folder / "parfocal.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def write_stacks(folder: Path) -> None:
    """Write an archive of TIFF files; and an HDF5 file, if h5py is installed."""
    folder.mkdir(parents=True)
    pixels, labels = tissue(np.random.default_rng(600), 5)
    with zipfile.ZipFile(folder / "day-3.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _members(pixels):
            archive.writestr(zipfile.ZipInfo(name, (2023, 11, 30, 9, 0, 0)), content)
    _write_hdf5(folder / "cortex-3.h5", pixels, labels)
    (folder / "parfocal.toml").write_text(_ABOUT_STACKS, encoding="utf-8")


def _members(pixels: Pixels) -> Iterator[tuple[str, bytes]]:
    for channel, name in enumerate(("nuclei", "actin", "vessels")):
        buffer = io.BytesIO()
        text = f"Maximum of the stack, {name}"
        plane = pixels[channel].max(axis=0)
        tifffile.imwrite(buffer, plane, metadata=None, description=text, compression="zlib")
        yield f"projections/{name}.tif", buffer.getvalue()


def _write_hdf5(path: Path, pixels: Pixels, labels: Pixels) -> None:
    try:
        import h5py
    except ModuleNotFoundError:
        return
    with h5py.File(path, "w", track_order=True) as file:
        file.attrs["sample"] = "cleared cortex"
        for name, content in (("raw", pixels[0]), ("nuclei", labels)):
            data = file.create_dataset(name, data=content, compression="gzip", track_times=False)
            data.attrs["element_size_um"] = [2.0, 0.52, 0.52]
