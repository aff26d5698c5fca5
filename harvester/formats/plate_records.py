"""Turns the raw items of MetaXpress and ImageXpress plates into records; pure."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from harvester.formats import htd, jdce, metaseries, omexml, tiff_facts
from harvester.formats.metaseries import Plane
from harvester.lab.items import FieldItem, FieldPlane, ScreenedItem
from harvester.words.facts import ImageFacts, number, quantity
from parfocal.errors import SourceMalformed
from parfocal.model import Channel, KeyValue, Objective, Position, Quantity

_UNIT = "µm"


def plate_facts(item: ScreenedItem) -> tuple[str, tuple[KeyValue, ...]]:
    """Return a plate's description and key-values.

    What its first plane says holds for all images of the plate that do not say otherwise.
    """
    text, pairs = "", list[KeyValue]()
    if item.path.lower().endswith(".htd"):
        described = htd.read_htd(item.description)
        text = described.description
        pairs += described.pairs
        pairs += [KeyValue("UniquePlateIdentifier", described.uuid)] if described.uuid else []
    elif item.path.lower().endswith(".jdce"):
        found = jdce.read_jdce(item.description)
        pairs += found.pairs
        pairs += [KeyValue("Uuid", found.uuid)] if found.uuid.strip("0-") else []
    plane = metaseries.read_plane(item.plane)
    pairs += metaseries.pairs_of(plane)
    if item.projections:
        pairs.append(KeyValue("Projections", str(item.projections)))
    return text, tuple(dict.fromkeys(pairs))


class Field:
    """One field of a plate, as its planes and the plate's description tell it."""

    def __init__(self, item: FieldItem) -> None:
        self._item = item
        self._first = next(iter(item.planes), None)
        self._text = self._first.text if self._first else b""
        own = metaseries.is_metaseries(item.header.software if item.header else "", self._text)
        self._planes: dict[int, Plane] = {}
        if own:
            self._planes = {
                place: metaseries.read_plane(plane.text) for place, plane in enumerate(item.planes)
            }

    def facts(self) -> ImageFacts:
        """Return what the record says of the field."""
        item = self._item
        tags = self._tags()
        optics = self._optics()
        names = dict(item.optics.waves)
        several = len(item.waves) > 1 or bool(self._planes or names) or not tags.channels
        return replace(
            optics.or_else(tags),
            title=" ".join(filter(None, (item.plate_title, item.well, self._site()))),
            format="MetaXpress" if not item.planes or self._row() is None else "ImageXpress",
            description=tags.description if not item.plate_title else "",
            size_z=item.depth if item.depth > 1 else tags.size_z,
            size_c=len(item.waves) if len(item.waves) > 1 else tags.size_c or 1,
            size_t=item.times if item.times > 1 else tags.size_t,
            dimension_order="XYCZT",
            pixel_size_z=self._plane_distance() or tags.pixel_size_z,
            time_increment=self._time_step() or tags.time_increment,
            channels=tuple(self._channels(names)) if several else tags.channels,
            position=self._position() or tags.position,
            well=item.well,
            plate=item.plate_title,
            key_values=self._pairs(names),
        )  # fmt: skip

    def _row(self) -> jdce.Row | None:
        return self._first.row if self._first else None

    def _site(self) -> str:
        item = self._item
        return f"site {item.site}" if item.site or self._row() is not None else ""

    def _tags(self) -> ImageFacts:
        """What the first file says by its own tags."""
        header = self._item.header
        if header is None:
            return ImageFacts()
        text = b"" if self._planes else self._text
        plain = tiff_facts.facts_of(replace(header, description=text))
        if 0 in self._planes:
            return metaseries.facts_of(self._planes[0]).or_else(plain)
        if b"<OME" in self._text[:4096] or b":OME" in self._text[:4096]:
            try:
                images = omexml.read_document(self._text).images
            except SourceMalformed:
                images = ()
            return images[0][1].or_else(plain) if images else plain
        return plain

    def _optics(self) -> ImageFacts:
        """What the plate's description says of all images, where it says something."""
        optics = self._item.optics
        size_x = size_y = None
        if optics.pixel is not None:
            size_x, size_y = (quantity(value, optics.pixel[2]) for value in optics.pixel[:2])
        match = metaseries.magnification(optics.objective)
        return ImageFacts(
            date=optics.date,
            pixel_size_x=size_x,
            pixel_size_y=size_y,
            objective=Objective(model=optics.objective, magnification=match)
            if optics.objective
            else None,
        )

    # -------------------------------------------------------------- steps

    def _steps(self, axis: str) -> Iterator[tuple[int, FieldPlane]]:
        """The planes of the first wavelength along one axis."""
        for place, plane in enumerate(self._item.planes):
            first = self._item.planes[0]
            other = "time" if axis == "z" else "z"
            if plane.wave == first.wave and getattr(plane, other) == getattr(first, other):
                yield place, plane

    def _height(self, place: int, plane: FieldPlane) -> float | None:
        if plane.row is not None and plane.row.height is not None:
            return plane.row.height
        found = self._planes.get(place)
        return number(found.props.get("z-position")) if found else None

    def _plane_distance(self) -> Quantity | None:
        if self._item.depth < 2:
            return None
        found = list(self._steps("z"))[:2]
        if len(found) == 2:
            (place, plane), (next_place, next_plane) = found
            low, high = self._height(place, plane), self._height(next_place, next_plane)
            if low is not None and high is not None and next_plane.z != plane.z:
                return quantity(round(abs(high - low) / abs(next_plane.z - plane.z), 6), _UNIT)
        return quantity(self._item.optics.z_step, _UNIT)

    def _seconds(self, place: int, plane: FieldPlane) -> float | None:
        if plane.row is not None and plane.row.seconds is not None:
            return plane.row.seconds
        found = self._planes.get(place)
        when = metaseries.time_of(found) if found else None
        return (when - metaseries.EPOCH).total_seconds() if when else None

    def _time_step(self) -> Quantity | None:
        found = list(self._steps("t"))[:2]
        if self._item.times < 2 or len(found) < 2:
            return None
        (place, plane), (next_place, next_plane) = found
        start, end = self._seconds(place, plane), self._seconds(next_place, next_plane)
        if start is None or end is None or next_plane.time == plane.time:
            return None
        return quantity(round(abs(end - start) / abs(next_plane.time - plane.time), 3), "s")

    # -------------------------------------------------------------- channels and words

    def _of_wave(self, wave: int) -> tuple[int, FieldPlane] | None:
        planes = enumerate(self._item.planes)
        return next(((place, plane) for place, plane in planes if plane.wave == wave), None)

    def _channels(self, names: dict[int, str]) -> Iterator[Channel]:
        for wave in self._item.waves:
            found = self._of_wave(wave)
            name = names.get(wave, "")
            if found is None:
                yield Channel(name=name)
                continue
            place, plane = found
            name = name or (plane.row.filter if plane.row else "")
            tags = self._planes.get(place)
            yield metaseries.channel_of(tags, name) if tags else Channel(name=name)

    def _position(self) -> Position | None:
        row = self._row()
        if row is None:
            return None
        values = [quantity(v, _UNIT, positive=False) for v in (row.x, row.y, row.height)]
        return Position(*values) if any(values) else None

    def _pairs(self, names: dict[int, str]) -> tuple[KeyValue, ...]:
        each: list[tuple[str, tuple[KeyValue, ...]]] = []
        for wave in self._item.waves:
            found = self._of_wave(wave)
            if found is not None:
                place, plane = found
                name = names.get(wave) or (plane.row.filter if plane.row else "") or f"w{wave}"
                each.append((name, self._wave_pairs(place, plane)))
        files = KeyValue("Files", str(len(self._item.files)))
        return (*metaseries.together(each), files)

    def _wave_pairs(self, place: int, plane: FieldPlane) -> tuple[KeyValue, ...]:
        pairs: list[KeyValue] = []
        if plane.row is not None:
            pairs += [KeyValue("ExposureTimeMs", plane.row.exposure)] if plane.row.exposure else []
            pairs += [KeyValue(key, value) for key, value in plane.row.pairs]
        if place in self._planes:
            pairs += metaseries.chosen_pairs(self._planes[place], plane.own)
        return tuple(dict.fromkeys(pairs))
