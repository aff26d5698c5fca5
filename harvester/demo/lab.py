"""Makes a lab disk for the demonstration: generated images that look like cells, with sidecars.

The same call always gives the same files; people and experiments are invented. Needs the extra
``images``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
import numpy.typing as npt
import tifffile
import zarr
from msgspec import Struct

from harvester.demo.pictures import culture, division, heart, tissue
from harvester.demo.plate import write_plate, write_stacks

Pixels = npt.NDArray[np.uint16]
_OME = "http://www.openmicroscopy.org/Schemas/OME/2016-06"


class _Dye(Struct, frozen=True):
    """A channel: name, fluorophore, excitation and emission in nm, colour."""

    name: str
    fluorophore: str
    excitation: int
    emission: int
    colour: str


_H2B = _Dye("H2B-mCherry", "mCherry", 561, 610, "FF40C0")
_TUBULIN = _Dye("alpha-tubulin-EGFP", "EGFP", 488, 525, "20E060")
_DNA = _Dye("Hoechst 33342", "Hoechst 33342", 405, 461, "3070FF")
_ACTIN = _Dye("Phalloidin", "Alexa Fluor 568", 561, 603, "FFB020")
_VESSELS = _Dye("CD31", "Alexa Fluor 647", 640, 668, "FF3060")
_MYOSIN = _Dye("myl7:EGFP", "EGFP", 488, 525, "40FFB0")

_HELA = """\
[dataset]
title = "HeLa cells in mitosis, histone H2B and microtubules over time"
description = "Fluorescent histone and tubulin, followed through division with and without drug."
authors = [
  {name = "Ada Example", orcid = "0000-0002-1825-0097", affiliation = "Institute of Examples"},
  {name = "Ben Sample", affiliation = "Institute of Examples"},
]
licence = "CC BY 4.0"
date = 2024-03-14
keywords = ["mitosis", "live-cell imaging", "chromosome segregation"]
Organism = "Homo sapiens"
"Cell Line" = "HeLa"
"Imaging Method" = "spinning disk confocal microscopy"

[[files]]
pattern = "*.ome.tif"
"Gene Symbol" = ["H2BC11", "TUBA1B"]
"""
_HELA_TABLE = """\
file,Compound,Concentration (nM),Phenotype
h2b-tubulin-01.ome.tif,DMSO,0,
h2b-tubulin-02.ome.tif,nocodazole,100,more mitotic metaphase cells
h2b-tubulin-03.ome.tif,nocodazole,500,more mitotic metaphase cells
"""
_KIDNEY = """\
[dataset]
title = "Cleared mouse kidney in depth: tubules, vessels and nuclei"
description = "Stacks through cleared cortex, with nuclei outlined as labels."
authors = [{name = "Clara Muster", affiliation = "Centre for Demonstrations"}]
licence = "CC0"
date = "2023-11-02"
doi = "10.5072/parfocal.demo0003"
keywords = ["tissue clearing", "kidney", "segmentation"]
Organism = "Mus musculus"
"Organism Part" = "kidney"
"Imaging Method" = "SPIM"
"""
_SCREEN = """\
[dataset]
title = "Small compound screen for mitotic arrest"
description = "One plate of HeLa cells treated with microtubule drugs, stained for DNA and actin."
authors = [{name = "Ben Sample", affiliation = "Institute of Examples"}, {name = "Dora Specimen"}]
licence = "CC BY 4.0"
date = "2022-06"
keywords = ["high-content screening", "microtubules"]
Organism = "Homo sapiens"
"Cell Line" = "HeLa"
"Imaging Method" = "confocal microscopy"
"""
_HEART = """\
[dataset]
title = "Zebrafish heart at three days, not yet published"
description = "Transgenic larvae, ventricle and atrium over one beat."
authors = [{name = "Emil Beispiel", affiliation = "Group of Examples"}]
licence = "CC BY-NC 4.0"
date = "2025-01-20"
keywords = ["heart", "development"]
Organism = "Danio rerio"
"Organism Part" = "heart"
"Developmental Stage" = "larval protruding mouth"
"Imaging Method" = "confocal microscopy"
"""
_HEART_TABLE = """\
file,Genotype,Gene Symbol
larva-wt.ome.tif,wild type,myl7
larva-tnnt2a.ome.tif,tnnt2a knockdown,tnnt2a
"""
_WELLS = {
    "A/1": ("DMSO", 0.0, 0.08),
    "A/2": ("nocodazole", 0.1, 0.4),
    "A/3": ("nocodazole", 1.0, 0.75),
    "B/1": ("DMSO", 0.0, 0.08),
    "B/2": ("paclitaxel", 0.01, 0.3),
    "B/3": ("paclitaxel", 0.1, 0.6),
}


def generate(folder: Path) -> None:
    """Write ``lab/`` (five studies) and ``private/`` (one group's data set) into a folder."""
    _hela(folder / "lab" / "hela-h2b-timelapse")
    _kidney(folder / "lab" / "mouse-kidney-cleared")
    _screen(folder / "lab" / "mitotic-arrest-screen")
    write_plate(folder / "lab" / "mitotic-arrest-imagexpress")
    write_stacks(folder / "lab" / "kidney-exports")
    _heart(folder / "private" / "zebrafish-heart")


def _write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, text in files.items():
        (folder / f"parfocal.{suffix}").write_text(text, encoding="utf-8")


# ------------------------------------------------------------------ OME-TIFF


def _channel_xml(number: int, dye: _Dye) -> str:
    colour = int(dye.colour + "FF", 16)
    signed = colour - 2**32 if colour >= 2**31 else colour
    return (
        f'<Channel ID="Channel:0:{number}" Name={quoteattr(dye.name)} SamplesPerPixel="1" '
        f'Fluor={quoteattr(dye.fluorophore)} ExcitationWavelength="{dye.excitation}" '
        f'EmissionWavelength="{dye.emission}" Color="{signed}" '
        'AcquisitionMode="SpinningDiskConfocal"/>'
    )


def _ome_xml(
    name: str, shape: tuple[int, ...], dyes: tuple[_Dye, ...], day: str, pixel: float
) -> bytes:
    times, channels, height, width = shape
    channel = "".join(_channel_xml(number, dye) for number, dye in enumerate(dyes))
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><OME xmlns="{_OME}">'
        '<Instrument ID="Instrument:0">'
        '<Microscope Manufacturer="Example Optics" Model="Spinner 2"/>'
        '<Objective ID="Objective:0" Model="Plan Apo" NominalMagnification="60" LensNA="1.4" '
        'Immersion="Oil"/></Instrument>'
        f'<Image ID="Image:0" Name={quoteattr(name)}>'
        f"<AcquisitionDate>{day}T10:00:00</AcquisitionDate>"
        '<InstrumentRef ID="Instrument:0"/><ObjectiveSettings ID="Objective:0"/>'
        f'<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" '
        f'SizeX="{width}" SizeY="{height}" '
        f'SizeZ="1" SizeC="{channels}" SizeT="{times}" '
        f'PhysicalSizeX="{pixel}" PhysicalSizeXUnit="µm" '
        f'PhysicalSizeY="{pixel}" PhysicalSizeYUnit="µm" '
        'TimeIncrement="300" TimeIncrementUnit="s">'
        f'{channel}<TiffData/></Pixels><AnnotationRef ID="Annotation:0"/></Image>'
        '<StructuredAnnotations><MapAnnotation ID="Annotation:0" Namespace="parfocal.demo">'
        '<Value><M K="Exposure (ms)">120</M><M K="Temperature">37 C</M></Value></MapAnnotation>'
        "</StructuredAnnotations></OME>"
    ).encode()


def _write_tiff(path: Path, pixels: Pixels, dyes: tuple[_Dye, ...], day: str, pixel: float) -> None:
    name = path.name.removesuffix(".ome.tif")
    described = _ome_xml(name, pixels.shape, dyes, day, pixel)
    tifffile.imwrite(
        path,
        pixels.reshape(-1, *pixels.shape[2:]),
        description=described,
        metadata=None,
        photometric="minisblack",
        compression="zlib",
    )


def _hela(folder: Path) -> None:
    _write(folder, toml=_HELA, csv=_HELA_TABLE)
    for number in (1, 2, 3):
        random = np.random.default_rng(100 + number)
        if number == 1:
            pixels = division(random, 5)
        else:
            shares = (0.2 * number - 0.2, 0.2 * number)
            pixels = np.stack([culture(random, mitotic=share) for share in shares])
        path = folder / f"h2b-tubulin-{number:02d}.ome.tif"
        _write_tiff(path, pixels, (_H2B, _TUBULIN), "2024-01-09", 0.18)


def _heart(folder: Path) -> None:
    _write(folder, toml=_HEART, csv=_HEART_TABLE)
    for number, name in enumerate(("larva-wt", "larva-tnnt2a")):
        pixels = heart(np.random.default_rng(400 + number), 4)
        _write_tiff(folder / f"{name}.ome.tif", pixels, (_MYOSIN,), "2024-12-01", 0.65)


# ------------------------------------------------------------------ OME-Zarr


def _halved(pixels: Pixels) -> Pixels:
    """Half as wide and high, by averaging."""
    four = [pixels[..., y::2, x::2].astype(np.uint32) for y in (0, 1) for x in (0, 1)]
    return np.asarray(sum(four) // 4, np.uint16)


def _levels(pixels: Pixels, count: int) -> list[Pixels]:
    levels = [pixels]
    while len(levels) < count:
        levels.append(_halved(levels[-1]))
    return levels


def _multiscale(name: str, axes: str, levels: int, pixel: float, depth: float) -> dict[str, Any]:
    kinds = {"c": "channel", "t": "time"}
    datasets = []
    for level in range(levels):
        sizes = {"z": depth, "y": pixel * 2**level, "x": pixel * 2**level}
        scale = [sizes.get(axis, 1.0) for axis in axes]
        step = [{"type": "scale", "scale": scale}]
        datasets.append({"path": str(level), "coordinateTransformations": step})
    return {
        "name": name,
        "axes": [
            {"name": a, "type": kinds[a]} if a in kinds
            else {"name": a, "type": "space", "unit": "micrometer"}
            for a in axes
        ],
        "datasets": datasets,
    }  # fmt: skip


def _omero(dyes: tuple[_Dye, ...]) -> dict[str, Any]:
    window = {"min": 0, "max": 65535, "start": 200, "end": 9000}
    channels = [
        {"label": d.name, "color": d.colour, "active": True, "window": window} for d in dyes
    ]
    return {"channels": channels}


def _fill(group: zarr.Group, levels: list[Pixels], axes: str) -> None:
    """Write the arrays of an image, one chunk per plane."""
    for number, pixels in enumerate(levels):
        plain = group.metadata.zarr_format == 2
        array = group.create_array(
            str(number),
            shape=pixels.shape,
            chunks=(*(1,) * (pixels.ndim - 2), *pixels.shape[-2:]),
            dtype="uint16",
            chunk_key_encoding={"name": "v2" if plain else "default", "separator": "/"},
            dimension_names=None if plain else list(axes),
        )
        array[...] = pixels


def _kidney(folder: Path) -> None:
    """Two OME-Zarr 0.5 stacks with resolution levels and label images."""
    _write(folder, toml=_KIDNEY)
    for number, name in enumerate(("cortex-1", "cortex-2")):
        pixels, labels = tissue(np.random.default_rng(200 + number), 5)
        root = zarr.open_group(folder / f"{name}.ome.zarr", mode="w", zarr_format=3)
        described = _multiscale(name, "czyx", 2, 0.52, 2.0)
        dyes = (_DNA, _ACTIN, _VESSELS)
        root.attrs["ome"] = {"version": "0.5", "multiscales": [described], "omero": _omero(dyes)}
        _fill(root, _levels(pixels, 2), "czyx")
        group = root.create_group("labels")
        group.attrs["ome"] = {"version": "0.5", "labels": ["nuclei"]}
        nuclei = group.create_group("nuclei")
        scale = _multiscale("nuclei", "zyx", 1, 0.52, 2.0)
        nuclei.attrs["ome"] = {"version": "0.5", "multiscales": [scale], "image-label": {}}
        _fill(nuclei, [labels], "zyx")


def _screen(folder: Path) -> None:
    """One OME-Zarr 0.4 plate of six wells, and the same treatments as key-values by well."""
    name = "plate-1.ome.zarr"
    rows = ["file,Compound,Concentration (uM),Control"]
    for well, (compound, dose, _) in _WELLS.items():
        rows.append(f"{name}/{well},{compound},{dose},{'negative' if compound == 'DMSO' else ''}")
    _write(folder, toml=_SCREEN, csv="\n".join(rows) + "\n")
    plate = zarr.open_group(folder / name, mode="w", zarr_format=2)
    plate.attrs["plate"] = {
        "version": "0.4",
        "name": "Plate 1",
        "rows": [{"name": "A"}, {"name": "B"}],
        "columns": [{"name": str(number)} for number in (1, 2, 3)],
        "wells": [
            {"path": well, "rowIndex": "AB".index(well[0]), "columnIndex": int(well[2]) - 1}
            for well in _WELLS
        ],
        "field_count": 1,
    }
    for number, (well, (_, _, mitotic)) in enumerate(_WELLS.items()):
        _well(plate.require_group(well), np.random.default_rng(300 + number), mitotic)


def _well(group: zarr.Group, random: np.random.Generator, mitotic: float) -> None:
    group.attrs["well"] = {"version": "0.4", "images": [{"path": "0"}]}
    field = group.create_group("0")
    described = {"version": "0.4", **_multiscale("field 1", "cyx", 2, 0.65, 1.0)}
    field.attrs.update({"multiscales": [described], "omero": _omero((_DNA, _ACTIN))})
    _fill(field, _levels(culture(random, cells=20, mitotic=mitotic, radius=14.0), 2), "cyx")
