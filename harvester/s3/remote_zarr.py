"""Reads OME-Zarr groups from servers: what ``zarr_tree`` says, several at once.

The stamp of a group tells every object that was asked for it with its ETag, also those that were
not there, and what of note its list named. When all is as it was, nothing is read again: the list
tells the ETags of what lies directly in the group, HEAD those of the rest. The stamp of a plate
tells its wells and their images, so that an unchanged plate is not read to find them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from typing import TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from harvester.asking.ahead import gathered, in_order
from harvester.formats import zarr_tree
from harvester.formats.ome_parts import ImageParts, field_number
from harvester.formats.zarr_tree import Group, Opened, PlateGroup, Reading, Spot, checked
from harvester.s3.answers import Hidden, Objects
from parfocal.errors import SourceError, SourceMalformed, SourceRefused
from parfocal.values import Problem

T = TypeVar("T")
_NO_ETAG = "?"
_HIDDEN = "!"
_OF_NOTE = frozenset({*zarr_tree.MARKS, zarr_tree.CRATE, "labels/", "OME/"})

Listed = dict[str, str]
"""Names of all files and folders (with a slash) directly in a group, with the ETags of files."""


class GroupStamp(Struct, frozen=True, array_like=True, tag="group"):
    """What an image or collection was: the ETags of its objects, and where it stood."""

    asked: dict[str, str]
    spot: Spot = Spot()
    salt: str = ""
    named: tuple[str, ...] = ()


class WellStamp(Struct, frozen=True, array_like=True):
    """What a well was: path, name, the ETags of its document, the paths of its images."""

    path: str
    name: str
    asked: dict[str, str] = {}
    images: tuple[str, ...] = ()


class PlateStamp(Struct, frozen=True, array_like=True, tag="plate"):
    """What a plate was, and its wells."""

    asked: dict[str, str]
    spot: Spot
    salt: str = ""
    named: tuple[str, ...] = ()
    wells: tuple[WellStamp, ...] = ()


class Part(Struct, frozen=True):
    """A plate, image or collection at a path; ``group`` None: it is as it was."""

    path: str
    group: Group | PlateGroup | None
    stamp: str


class Wells(Struct, frozen=True):
    """A plate of which only its own documents are known yet, or a well that lies alone."""

    path: str
    plate: PlateGroup | None
    stamp: PlateStamp


Found = Part | Problem


class _Reader:
    """Asks for what readings want, and notes the ETag of each object."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self.asked: dict[str, str] = {}

    async def _read(self, most: int, path: str) -> bytes | None:
        try:
            got = await self._objects.get(path, most)
        except Hidden:
            self.asked[path] = _HIDDEN
            return None
        self.asked[path] = "" if got is None else got.etag or _NO_ETAG
        return None if got is None else got.content

    async def content(self, path: str) -> bytes:
        """Return a file of metadata; b"" when there is none."""
        return await self._read(zarr_tree.MAX_METADATA_XML, path) or b""

    async def follow(self, reading: Reading[T]) -> T:
        """Carry a reading out; what it wants at one time is asked at one time."""
        try:
            wanted = next(reading)
            while True:
                read = partial(self._read, wanted.most)
                if len(wanted.paths) == 1:
                    contents = [await read(wanted.paths[0])]
                else:
                    contents = await gathered(map(read, wanted.paths))
                wanted = reading.send(contents)
        except StopIteration as end:
            result: T = end.value
            return result

    def checked(self, group: Group) -> Group:
        """Return a group, unless what it lacks may only have been refused; then SourceRefused."""
        if _HIDDEN in self.asked.values() and not all(
            zarr_tree.has_array(group, image) for image in group.images
        ):
            raise SourceRefused("a document is refused or missing", where=group.path)
        return group


class _PlateXml:
    """The OME-XML of a plate, asked for when an image is read; its state is in the stamp."""

    def __init__(self, reader: _Reader, held: Wells) -> None:
        self._reader = reader
        self._path = f"{held.path}/{zarr_tree.METADATA}"
        self._there = bool(held.stamp.spot.xml)
        self._asking = asyncio.Lock()
        self._parts: ImageParts | None = None

    async def parts(self) -> ImageParts:
        """Return what it says of each image; of none when there is no OME-XML."""
        async with self._asking:
            if self._parts is None:
                xml = await self._reader.content(self._path) if self._there else b""
                self._parts = await asyncio.to_thread(ImageParts, xml)
        return self._parts


def _written(stamp: GroupStamp | PlateStamp) -> str:
    """A stamp as text; "" when a server gives nothing to tell changes by."""
    held = [stamp.asked, *(well.asked for well in getattr(stamp, "wells", ()))]
    if any(_NO_ETAG in asked.values() for asked in held):
        return ""
    return msgspec.json.encode(stamp, order="sorted").decode()


_stamps: msgspec.json.Decoder[GroupStamp | PlateStamp] = msgspec.json.Decoder(
    GroupStamp | PlateStamp
)


def _read_stamp(text: str) -> GroupStamp | PlateStamp | None:
    try:
        return _stamps.decode(text) if text else None
    except msgspec.DecodeError:
        return None


def _of_note(names: Iterable[str] | None) -> tuple[str, ...]:
    """What of a group's list decides what is read."""
    return tuple(sorted(_OF_NOTE.intersection(names))) if names is not None else ()


def _etags(path: str, listed: Listed | None) -> dict[str, str]:
    """The ETags that a group's list tells, by path."""
    return {f"{path}/{name}": etag for name, etag in (listed or {}).items() if etag}


def problem_of(path: str, error: SourceError) -> Problem:
    """Return the problem of a part that could not be read."""
    where = "" if error.where == path else error.where
    return Problem(path, error.message, where, error.hint)


class Groups:
    """Reads the groups of one server. ``salt`` stands for all else that goes into an item."""

    def __init__(
        self, objects: Objects, stamp: Callable[[str], str], at_once: int, salt: str = ""
    ) -> None:
        self._objects = objects
        self._stamp = stamp
        self._at_once = at_once
        self._salt = salt

    async def look(self, path: str, listed: Listed | None = None) -> Part | Wells | Opened:
        """Read the group at a path, but not the wells of a plate.

        What holds no OME metadata is returned as it was opened. Raises SourceError.
        """
        known = self._stamp(path)
        stamp = _read_stamp(known)
        named = _of_note(listed)
        alike = stamp is not None and stamp.named == named and stamp.salt == self._salt
        if stamp and alike and await self._same(stamp.asked, _etags(path, listed)):
            if isinstance(stamp, PlateStamp):
                return Wells(path, None, stamp)
            return Part(path, None, known)
        reader = _Reader(self._objects)
        names = None if listed is None else frozenset(listed)
        return await self._read(reader, await reader.follow(zarr_tree.open_group(path, names)))

    async def _read(self, reader: _Reader, opened: Opened) -> Part | Wells | Opened:
        newer = "zarr.json" in opened.documents
        named = _of_note(opened.names)
        if opened.kind == "plate":
            plate, facts = await reader.follow(zarr_tree.read_plate(opened))
            wells = tuple(WellStamp(w.path, w.name) for w in dict.fromkeys(facts.wells))
            xml = await self._xml_state(reader, opened)
            spot = Spot(plate=facts.name, plate_path=opened.path, newer=newer, xml=xml)
            stamp = PlateStamp(reader.asked, spot, self._salt, named, wells)
            return Wells(opened.path, plate, stamp)
        if opened.kind == "well":
            alone = PlateStamp({}, Spot(newer=newer), self._salt, named, (WellStamp("", ""),))
            return Wells(opened.path, None, alone)
        if not opened.kind:
            return opened
        read = zarr_tree.read_image if opened.kind == "image" else zarr_tree.read_collection
        group = reader.checked(await reader.follow(read(opened)))
        single = GroupStamp(reader.asked, Spot(), self._salt, named)
        return Part(opened.path, group, _written(single))

    async def _xml_state(self, reader: _Reader, opened: Opened) -> str:
        """The state of a plate's OME-XML, "" without one; part of the stamp."""
        path = f"{opened.path}/{zarr_tree.METADATA}"
        if not opened.may_have("OME/"):
            return ""
        reader.asked[path] = await self._state(path)
        return reader.asked[path] if reader.asked[path] != _HIDDEN else ""

    async def _same(self, asked: dict[str, str], etags: dict[str, str] | None = None) -> bool:
        """Whether all objects are as they were; one that cannot be asked counts as changed."""
        told = etags or {}
        if any(told[path] != etag for path, etag in asked.items() if path in told):
            return False
        rest = [path for path in asked if path not in told]
        try:
            return await gathered(map(self._state, rest)) == [asked[path] for path in rest]
        except SourceRefused:
            return False

    async def _state(self, path: str) -> str:
        try:
            etag = await self._objects.stamp(path)
        except Hidden:
            return _HIDDEN
        return "" if etag is None else etag or _NO_ETAG

    # ------------------------------------------------------------------ wells

    async def parts(self, held: Wells, after: str = "") -> AsyncIterator[Found]:
        """Yield a plate and the images of its wells, from after one of their paths."""
        bad: list[Problem] = []
        wells: list[WellStamp] = []
        waiting = _from(held, after)
        async for well in in_order(partial(self._well, held), waiting, self._at_once):
            if isinstance(well, Problem):
                bad.append(well)
            else:
                wells.append(well)
        if held.stamp.asked and not after:
            yield await self._plate(held, replace(held.stamp, wells=tuple(wells)), complete=not bad)
        for problem in bad:
            yield problem
        xml = _PlateXml(_Reader(self._objects), held)
        if held.plate is not None and not after and (await xml.parts()).problem:
            where = f"{held.path}/{zarr_tree.METADATA}"
            yield Problem(where, (await xml.parts()).problem, severity="warning")
        places = _places(held, wells, after)
        async for part in in_order(partial(self._field, xml), places, self._at_once):
            yield part

    async def _plate(self, held: Wells, stamp: PlateStamp, *, complete: bool) -> Part:
        """The plate itself; one with a well that cannot be read gets no stamp."""
        if held.plate is None and stamp == held.stamp:
            return Part(held.path, None, _written(stamp))
        plate = held.plate
        if plate is None:
            reader = _Reader(self._objects)
            opened = await reader.follow(zarr_tree.open_group(held.path))
            plate, _ = await reader.follow(zarr_tree.read_plate(opened))
        return Part(held.path, plate, _written(stamp) if complete else "")

    async def _well(self, held: Wells, well: WellStamp) -> WellStamp | Problem:
        if well.asked and await self._same(well.asked):
            return well
        path = f"{held.path}/{well.path}" if well.path else held.path
        reader = _Reader(self._objects)
        try:
            if well.path:
                checked(well.path)
            images = await reader.follow(zarr_tree.read_well(path, held.stamp.spot.newer))
        except (SourceMalformed, SourceRefused) as error:
            return problem_of(path[:400], error)
        return WellStamp(well.path, well.name, reader.asked, images)

    async def _field(self, xml: _PlateXml, place: tuple[str, str, Spot]) -> Found:
        well, image, spot = place
        path = f"{well}/{image}"
        known = self._stamp(path)
        stamp = _read_stamp(known)
        reader = _Reader(self._objects)
        try:
            checked(image)
            if stamp and stamp.spot == spot and await self._same(stamp.asked):
                return Part(path, None, known)
            group = reader.checked(await reader.follow(zarr_tree.read_field(path, spot)))
            said = (await xml.parts()).of(spot.well, field_number(path)) if spot.well else b""
            group = replace(group, xml=said)
        except (SourceMalformed, SourceRefused) as error:
            return problem_of(path[:400], error)
        return Part(path, group, _written(GroupStamp(reader.asked, spot, self._salt)))


def _from(held: Wells, after: str) -> list[WellStamp]:
    """The wells of a plate from the one on in which a path lies."""
    wells = list(held.stamp.wells)
    for number, well in enumerate(wells):
        if after.startswith(f"{held.path}/{well.path}/"):
            return wells[number:]
    return wells


def _places(held: Wells, wells: list[WellStamp], after: str) -> list[tuple[str, str, Spot]]:
    """Path of the well, path of the image within it and spot of each image after a path."""
    places = [
        (
            f"{held.path}/{well.path}" if well.path else held.path,
            image,
            replace(held.stamp.spot, well=well.name),
        )
        for well in wells
        for image in well.images
    ]
    for number, (path, image, _) in enumerate(places):
        if after == f"{path}/{image}":
            return places[number + 1 :]
    return places
