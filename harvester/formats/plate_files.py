"""Which files belong to a MetaXpress or ImageXpress plate: names, wells, sites, what is missing.

Pure: it gets the names and sizes that a folder holds and the plate's own description.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby, islice, product

from msgspec import Struct

from harvester.formats.htd import Htd
from harvester.formats.jdce import Jdce, Row
from harvester.lab.tree import Found

FOLDER = re.compile(r"(?:(timepoint)_?|(zstep)_?)(\d{1,9})$", re.IGNORECASE)
_GUID = r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"
_NAME = re.compile(
    rf"(?P<plate>.*?)(?:_t(?P<t>\d{{1,9}}))?_(?P<row>[A-Za-z]{{1,2}})(?P<column>\d{{1,2}})"
    rf"(?:_s(?P<s>\d{{1,6}}?))?(?:_w(?P<w>\d{{1,3}}?))?(?:_z(?P<z>\d{{1,9}}?))?"
    rf"(?P<first>{_GUID})?(?P<thumb>_thumb)?(?P<guid>{_GUID})?\.tiff?$",
    re.IGNORECASE,
)
_EXAMPLES = 5
_TIMES = 100_000


class PlateFile(Struct, frozen=True):
    """A file of a plate and what it shows; numbers are those of the file names, 0 when none."""

    found: Found
    well: str
    site: int = 0
    wave: int = 0
    time: int = 0
    z: int = 0
    row: Row | None = None


class Named(Struct, frozen=True):
    """What a file's name says."""

    plate: str
    well: str
    site: int = 0
    wave: int = 0
    time: int = 0
    z: int = 0
    thumb: bool = False
    guid: bool = False


class Counted(Struct, frozen=True):
    """What of a plate is missing or more than its description says: numbers, and examples."""

    missing: int = 0
    extra: int = 0
    missing_examples: tuple[str, ...] = ()
    extra_examples: tuple[str, ...] = ()
    extra_waves: tuple[int, ...] = ()


def read_name(base: str) -> Named | None:
    """Read the name of a plate's file; None for any other.

    >>> name = read_name("P1_B02_s3_w2C10CB6A9-0D67-4C31-9AF4-1A5C1B0D2E3F.tif")
    >>> name.plate, name.well, name.site, name.wave, name.guid
    ('P1', 'B02', 3, 2, True)
    """
    match = _NAME.match(base)
    if match is None:
        return None
    plate, time, row, column, site, wave, z, first, thumb, guid = match.groups()
    return Named(
        plate=plate,
        well=f"{row.upper()}{int(column):02d}",
        site=int(site or 0),
        wave=int(wave or 0),
        time=int(time or 0),
        z=int(z or 0),
        thumb=thumb is not None,
        guid=bool(first or guid),
    )


def is_thumbnail(base: str) -> bool:
    """Whether a file is one of the small pictures that lie beside a plate's images.

    >>> is_thumbnail("P1_B02_s1_thumb.tif"), is_thumbnail("my_thumb.tif")
    (True, False)
    """
    if "_thumb" not in base.lower():
        return False
    name = read_name(base)
    return name is not None and name.thumb


def plate_folder(name: str) -> tuple[str, int] | None:
    """Return ("t" or "z", number) of a folder of time points or planes; None for any other."""
    match = FOLDER.match(name)
    return None if match is None else ("t" if match[1] else "z", int(match[3]))


def files_of(plate: str, files: Iterable[Found], folder: Mapping[str, int]) -> Iterator[PlateFile]:
    """Yield the files of one folder that belong to a plate; thumbnails are left out.

    ``folder`` gives the time (``t``) and plane (``z``) that the folder stands for.
    """
    wanted = plate.casefold()
    for found in files:
        name = read_name(found.base)
        if name is not None and not name.thumb and name.plate.casefold() == wanted:
            yield PlateFile(
                found,
                name.well,
                name.site,
                name.wave,
                folder.get("t", name.time),
                folder.get("z", name.z),
            )


def tidied(files: list[PlateFile]) -> tuple[list[PlateFile], int]:
    """Return the files in order, without projections where planes are, and how many those were.

    A projection lies in ``ZStep_0``, or beside the folders ``ZStep_1`` ...
    """
    deep = {file.well for file in files if file.z > 0}
    first = [file for file in files if file.z > 0 or file.well not in deep]
    whole = {(file.well, file.site, file.wave) for file in first}
    # A wavelength of which there are only projections is shown by them.
    kept = first + [
        file for file in files
        if file.z == 0 and file.well in deep and (file.well, file.site, file.wave) not in whole
    ]  # fmt: skip
    kept.sort(key=lambda f: (f.well, f.site, f.time, f.z, f.wave, f.found.name))
    return kept, len(files) - len(kept)


def fields_of(files: Iterable[PlateFile]) -> Iterator[tuple[PlateFile, ...]]:
    """Group the files, which are in order, by well and site."""
    for _, group in groupby(files, key=lambda file: (file.well, file.site)):
        yield tuple(group)


# ------------------------------------------------------------------ expected and found


def sites_of(htd: Htd, files: Iterable[PlateFile]) -> tuple[int, ...]:
    """Return the numbers of the sites: counted among the selected ones, or over the whole grid."""
    if not htd.sites:
        return ()
    highest = max((file.site for file in files), default=0)
    return htd.grid if highest > len(htd.sites) else htd.sites


def _levels(files: Iterable[PlateFile]) -> dict[int, frozenset[int]]:
    """The planes that there are of each wavelength anywhere on the plate."""
    found: dict[int, set[int]] = {}
    for file in files:
        found.setdefault(file.wave, set()).add(file.z)
    return {wave: frozenset(levels) for wave, levels in found.items()}


class _Expected(Struct, frozen=True):
    """The places of a plate at which there should be a file."""

    wells: tuple[str, ...]
    sites: tuple[int, ...]
    times: tuple[int, ...]
    waves: tuple[tuple[int, tuple[int, ...]], ...]
    """Wavelengths with their planes."""

    def count(self) -> int:
        planes = sum(len(levels) for _, levels in self.waves)
        return len(self.wells) * len(self.sites) * len(self.times) * planes

    def places(self) -> Iterator[Where]:
        for well, site, time in product(self.wells, self.sites, self.times):
            for wave, levels in self.waves:
                for z in levels:
                    yield well, site, time, wave, z


Where = tuple[str, int, int, int, int]
"""Well, site, time, wavelength, plane."""


def _expected(htd: Htd, files: list[PlateFile]) -> _Expected:
    levels = _levels(files)
    if len(htd.waves) == 1:
        levels = {1: frozenset[int]().union(*levels.values())}
    collected = [number for number, on in enumerate(htd.collected, 1) if on] or [1]
    times = {file.time for file in files}
    first = min(times, default=1)
    times.update(range(first, first + min(htd.times, _TIMES)) if htd.times > len(times) else ())
    return _Expected(
        wells=tuple(dict.fromkeys(htd.wells)),
        sites=sites_of(htd, files) or (0,),
        times=tuple(sorted(times)) or (0,),
        waves=tuple((wave, tuple(sorted(levels.get(wave) or (0,)))) for wave in collected),
    )


def _place(htd: Htd, file: PlateFile) -> Where:
    wave = file.wave if len(htd.waves) > 1 else 1
    return file.well, file.site if htd.sites else 0, file.time, wave, file.z


def compare(htd: Htd, files: list[PlateFile]) -> Counted:
    """Compare a plate's files with what its HTD file says.

    Of each wavelength those planes are expected that some field has, as wavelengths may differ.
    """
    expected = _expected(htd, files)
    wells, sites, waves = (
        frozenset(expected.wells), frozenset(expected.sites), {wave for wave, _ in expected.waves},
    )  # fmt: skip
    there: set[Where] = set()
    extra: list[str] = []
    for file in files:
        place = _place(htd, file)
        if place[0] in wells and place[1] in sites and place[3] in waves:
            there.add(place)
        else:
            extra.append(file.found.base)
    missing = expected.count() - len(there)
    absent = (place for place in expected.places() if place not in there)
    examples = tuple(_named(htd, place) for place in islice(absent, _EXAMPLES if missing else 0))
    return Counted(missing, len(extra), examples, tuple(extra[:_EXAMPLES]))


def _named(htd: Htd, place: Where) -> str:
    well, site, time, wave, z = place
    numbers = (
        ("s", site),
        ("w", wave if len(htd.waves) > 1 else 0),
        ("t", time if htd.times > 1 else 0),
        ("z", z),
    )
    return "_".join((well, *(f"{letter}{value}" for letter, value in numbers if value)))


def from_rows(
    rows: Iterable[Row], files: Mapping[str, Found], jdce: Jdce
) -> tuple[list[PlateFile], Counted]:
    """Match the rows of an acquisition's tables with its files, given by path in its folder."""
    matched: list[PlateFile] = []
    missing: list[str] = []
    count = 0
    listed: set[str] = set()
    for row in rows:
        found = files.get(row.path)
        listed.add(row.path)
        if found is None:
            count += 1
            if count <= _EXAMPLES:
                missing.append(row.path)
        else:
            matched.append(PlateFile(found, row.well, row.site, row.wave, row.time, row.z, row))
    extra = [path for path in files if path not in listed and read_name(path.rpartition("/")[2])]
    waves = {wave.index for wave in jdce.waves}
    strange = tuple(sorted({file.wave for file in matched} - waves)) if waves else ()
    return matched, Counted(
        count, len(extra), tuple(missing), tuple(sorted(extra)[:_EXAMPLES]), strange
    )


def unlisted(files: Mapping[str, Found], listed: Iterable[PlateFile]) -> list[PlateFile]:
    """Return the files of an acquisition that no row names, as their names tell them."""
    known = {file.found.name for file in listed}
    more: list[PlateFile] = []
    for path, found in files.items():
        folder, _, base = path.rpartition("/")
        name = read_name(base)
        if name is None or name.thumb or found.name in known:
            continue
        place = plate_folder(folder.rpartition("/")[2])
        time = place[1] if place and place[0] == "t" else name.time
        more.append(PlateFile(found, name.well, name.site, name.wave, time, name.z))
    return more
