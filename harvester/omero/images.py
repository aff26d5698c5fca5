"""Images of OMERO as records, and wells with their fields."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from harvester.formats.plates import well_name
from harvester.omero.context import (
    READ,
    Context,
    above_zero,
    access_of,
    as_object,
    counted,
    creators_of,
    day_of,
    landing,
    membership,
    merged,
    parent_of,
    plain_value,
    provenance_of,
    quantity_of,
    rest_of,
)
from harvester.omero.items import Held, Part
from harvester.omero.notes import Said, read_notes
from harvester.words.facts import size
from harvester.words.leaves import Json, child, objects, words
from parfocal.model import Channel, Image, KeyValue, Link, Position

_PIXELS_READ = frozenset(
    {"@id", "@type", "omero:details", "Channels", "Type", "DimensionOrder", "TimeIncrement"}
    | {f"Size{axis}" for axis in "XYZCT"}
    | {f"PhysicalSize{axis}" for axis in "XYZ"}
)


def read_well(context: Context) -> Iterator[Image]:
    """Yield one image for each field, with the annotations of its well; a well without any as such.

    An annotation that is linked to well and image counts once.
    """
    held, body = context.held, context.body
    well = merged(body, held.detail)
    name = _well_name(well)
    samples = [one for one in objects(well.get("WellSamples")) if _image_id(one) is not None]
    about_well = [
        *rest_of(well, READ),
    ]
    parts = {part.id: part for part in held.parts}
    for index, sample in enumerate(samples, start=1):
        shown = as_object(sample.get("Image"))
        part = parts.get(shown["@id"], Part(shown["@id"]))
        said = read_notes((*part.notes, *held.notes), held.web)
        image = read_image(context, merged(shown, part.detail), part, said)
        yield msgspec.structs.replace(
            image,
            title=image.title if words(shown.get("Name")) else f"{held.plate} {name} {index}",
            well=name,
            plate=held.plate,
            position=_position(sample),
            key_values=(*image.key_values, *about_well, *_run_name(sample)),
            links=(*image.links, *_landing_of_well(held, body["@id"])),
        )
    if not samples:
        yield _empty_well(context, name)


def _image_id(sample: Json) -> int | None:
    found = child(sample, "Image", "@id")
    return found if isinstance(found, int) else None


def _well_name(well: Json) -> str:
    row, column = well.get("Row"), well.get("Column")
    if isinstance(row, int) and isinstance(column, int) and 0 <= row < 10_000 and column >= 0:
        return well_name(row, column)
    return ""


def _landing_of_well(held: Held, id: object) -> Iterator[Link]:
    yield Link(f"{held.web}webclient/?show=well-{id}", "well", "other")


def _run_name(sample: Json) -> Iterator[KeyValue]:
    run = as_object(sample.get("PlateAcquisition"))
    name = words(run.get("Name")) or (f"run {words(run.get('@id'))}" if run.get("@id") else "")
    if name:
        yield KeyValue("PlateAcquisition", name)


def _position(sample: Json) -> Position | None:
    x, y = quantity_of(sample.get("PositionX")), quantity_of(sample.get("PositionY"))
    return Position(x, y) if x or y else None


def _empty_well(context: Context, name: str) -> Image:
    held, body = context.held, context.body
    said = read_notes(held.notes, held.web)
    return Image(
        id=context.id("well", body["@id"]),
        ome_type="Well",
        title=f"{held.plate} {name}".strip() or f"well {body['@id']}",
        part_of=parent_of(context),
        access=access_of(context),
        provenance=provenance_of(context, f"well-{body['@id']}"),
        key_values=(*said.pairs, *rest_of(body, READ), *counted(said), *membership(context)),
        links=(*landing(held, "well", body["@id"]), *said.links),
        creators=creators_of(context),
        well=name,
        plate=held.plate,
    )


def read_image(context: Context, body: Json, part: Part, said: Said) -> Image:
    """Return an image's record; ``body`` holds all that the server says of it."""
    held, id = context.held, body["@id"]
    pixels = as_object(body.get("Pixels"))
    drawable = bool(pixels) or held.kind == "well"  # lists of wells leave pixels out
    kept = [*rest_of(body, READ), *rest_of(pixels, _PIXELS_READ, "Pixels.")]
    return Image(
        id=context.id("image", id),
        title=words(body.get("Name")) or f"image {id}",
        description=words(body.get("Description")),
        part_of=parent_of(context),
        access=access_of(context),
        provenance=provenance_of(context, f"image-{id}"),
        key_values=(*said.pairs, *kept, *counted(said), *membership(context)),
        links=(
            Link(f"{held.web}webclient/img_detail/{id}/", "OMERO.web viewer", "viewer"),
            *landing(held, "image", id),
            *said.links,
        ),
        thumbnail=f"{held.web}webgateway/render_thumbnail/{id}/" if drawable else "",
        date=day_of(body.get("AcquisitionDate")),
        creators=creators_of(context),
        format=plain_value(body.get("omero:format")),
        size_x=size(pixels.get("SizeX")),
        size_y=size(pixels.get("SizeY")),
        size_z=size(pixels.get("SizeZ")),
        size_c=size(pixels.get("SizeC")),
        size_t=size(pixels.get("SizeT")),
        pixel_type=plain_value(pixels.get("Type")),
        dimension_order=plain_value(pixels.get("DimensionOrder")),
        pixel_size_x=above_zero(pixels.get("PhysicalSizeX")),
        pixel_size_y=above_zero(pixels.get("PhysicalSizeY")),
        pixel_size_z=above_zero(pixels.get("PhysicalSizeZ")),
        time_increment=above_zero(pixels.get("TimeIncrement")),
        channels=tuple(_channel(one) for one in objects(pixels.get("Channels"))),
        roi_count=max(part.rois, 0),
    )


def _channel(channel: Json) -> Channel:
    return Channel(
        name=words(channel.get("Name")),
        fluorophore=words(channel.get("Fluor")),
        excitation=above_zero(channel.get("ExcitationWavelength")),
        emission=above_zero(channel.get("EmissionWavelength")),
        colour=_colour(channel),
        acquisition_mode=plain_value(channel.get("AcquisitionMode")),
    )


def _colour(channel: Json) -> str:
    """Return RRGGBB of a signed 32-bit RGBA number, or of its parts."""
    number = channel.get("Color")
    if isinstance(number, int) and not isinstance(number, bool) and -(2**31) <= number < 2**32:
        return f"{(number & 0xFFFFFFFF) >> 8:06X}"
    parts = [channel.get(name) for name in ("Red", "Green", "Blue")]
    if all(isinstance(part, int) and 0 <= part < 256 for part in parts):
        return "".join(f"{part:02X}" for part in parts)
    return ""
