"""How fast the OME-XML of a large plate is read, beside bare lxml iterparse in the same run.

    python bench/omexml.py [--check]

The document holds 384 wells with nine images each, 3,456 in all, 4.3 MB. The bare loop takes name,
sizes and pixel width of each image and forgets it; we make all that a record says of it.
"""

from __future__ import annotations

import argparse
import io
import sys
import time
from collections.abc import Callable

from lxml import etree

from harvester.formats.omexml import read_document

TARGET = 0.5
WELLS, FIELDS = 384, 9
REPEATS = 9
SPACE = "http://www.openmicroscopy.org/Schemas/OME/2016-06"


def document() -> bytes:
    """Return the OME-XML of a plate as Bio-Formats writes it."""
    wells, images = [], []
    for number in range(WELLS * FIELDS):
        well, field = divmod(number, FIELDS)
        channels = "".join(
            f'<Channel ID="Channel:{number}:{n}" Name="{name}" SamplesPerPixel="1" '
            f'Color="{colour}" EmissionWavelength="{nm}" EmissionWavelengthUnit="nm">'
            "<LightPath/></Channel>"
            for n, (name, nm, colour) in enumerate(
                (("DAPI", 452, 65535), ("FITC", 536, 16711935), ("Cy5", 692, -16776961))
            )
        )
        planes = "".join(
            f'<Plane TheC="{n}" TheT="0" TheZ="0" ExposureTime="0.1" PositionX="{well * 9.0}"/>'
            for n in range(3)
        )
        images.append(
            f'<Image ID="Image:{number}" Name="Well {well}, Field {field}"><AcquisitionDate>'
            "2024-03-11T11:36:58</AcquisitionDate><InstrumentRef "
            'ID="Instrument:0"/><ObjectiveSettings ID="Objective:0:0"/><Pixels '
            f'ID="Pixels:{number}" DimensionOrder="XYCZT" Type="uint16" SizeX="1080" SizeY="1080" '
            'SizeZ="1" SizeC="3" SizeT="1" PhysicalSizeX="0.65" PhysicalSizeXUnit="µm" '
            f'PhysicalSizeY="0.65" PhysicalSizeYUnit="µm">{channels}<TiffData FirstC="0" '
            f'PlaneCount="3"/>{planes}</Pixels></Image>'
        )
        if field == 0:
            samples = "".join(
                f'<WellSample ID="WellSample:0:{well}:{n}" Index="{number + n}"><ImageRef '
                f'ID="Image:{number + n}"/></WellSample>'
                for n in range(FIELDS)
            )
            row, column = divmod(well, 24)
            wells.append(f'<Well ID="Well:0:{well}" Row="{row}" Column="{column}">{samples}</Well>')
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><OME xmlns="{SPACE}"><Plate ID="Plate:0" Name="P" '
        f'Rows="16" Columns="24">{"".join(wells)}</Plate><Instrument ID="Instrument:0"><Objective '
        'ID="Objective:0:0" NominalMagnification="20" LensNA="0.75"/></Instrument>'
        f"{''.join(images)}</OME>"
    ).encode()


def bare(xml: bytes) -> int:
    """Take five attributes of each image with lxml alone; return how many there are."""
    count = 0
    for _, element in etree.iterparse(io.BytesIO(xml), tag=f"{{{SPACE}}}Image"):
        pixels = element.find(f"{{{SPACE}}}Pixels")
        _ = (
            element.get("Name"), pixels.get("SizeX"), pixels.get("SizeY"), pixels.get("SizeC"),
            pixels.get("PhysicalSizeX"),
        )  # fmt: skip
        count += 1
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]
    return count


def ours(xml: bytes) -> int:
    return len(read_document(xml).images)


def rate(read: Callable[[bytes], int], xml: bytes) -> float:
    start = time.process_time()  # of this process alone, whatever else the machine does
    count = read(xml)
    return count / (time.process_time() - start)


def main() -> None:
    """Measure both in turns, print the best of each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="exit 1 when the target is missed")
    given = parser.parse_args()
    xml = document()
    best = {"bare": 0.0, "ours": 0.0}
    for _ in range(REPEATS):
        best["bare"] = max(best["bare"], rate(bare, xml))
        best["ours"] = max(best["ours"], rate(ours, xml))
    share = best["ours"] / best["bare"]
    print(f"{WELLS * FIELDS:,} images, {len(xml) / 1e6:.1f} MB")
    print(f"bare lxml iterparse {best['bare']:>10,.0f} images/s")
    print(f"read_document       {best['ours']:>10,.0f} images/s: {share:.0%} (target {TARGET:.0%})")
    sys.exit(1 if given.check and share < TARGET else 0)


if __name__ == "__main__":
    main()
