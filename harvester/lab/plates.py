"""Finds MetaXpress and ImageXpress plates in a folder and reads them: one item for each field."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b

from msgspec import Struct
from msgspec.structs import replace

from harvester.formats import htd, jdce
from harvester.formats.metaseries import pieces
from harvester.formats.plate_files import (
    Counted,
    PlateFile,
    compare,
    fields_of,
    files_of,
    from_rows,
    is_thumbnail,
    plate_folder,
    read_name,
    tidied,
    unlisted,
)
from harvester.lab.context import Context
from harvester.lab.fields import FieldFiles, read_field
from harvester.lab.files import in_portions
from harvester.lab.items import FieldItem, Optics, ReadItem, ScreenedItem, pack
from harvester.lab.kinds import kind_of
from harvester.lab.places import Places
from harvester.lab.tree import Found, LabTree, Listing, read_found
from parfocal.errors import SourceError
from parfocal.interfaces import Walk
from parfocal.values import Problem, RawItem, Unchanged

Outcome = RawItem | Unchanged | Problem
_COPY_HINT = "copy the plate again, or tell who made it"


class PlateFound(Struct, frozen=True):
    """A plate of a folder: its kind, key, title, description file, and the files beside it."""

    kind: str
    key: str
    title: str
    source: Found | None
    listings: tuple[tuple[str, dict[str, int], Listing], ...]
    """Folders of the plate by path within it, with the time and plane that they stand for."""
    strays: tuple[str, ...] = ()
    """Images in those folders that are not named as the plate's files are."""


class PlateRest(Struct, frozen=True):
    """The plates of a folder, and what of it belongs to no plate."""

    plates: tuple[PlateFound, ...]
    files: tuple[Found, ...]
    folders: tuple[str, ...]
    problems: tuple[Problem, ...] = ()


class _Gathered(Struct, frozen=True):
    """A plate's files and description, read but for the images."""

    content: bytes
    files: list[PlateFile]
    optics: Optics
    counted: Counted
    problems: tuple[Problem, ...] = ()
    projections: int = 0
    uuid: str = ""


class PlateReader:
    """Finds and reads the plates of one folder."""

    def __init__(
        self, tree: LabTree, places: Places, walk: Walk, pool: ThreadPoolExecutor | None
    ) -> None:
        self._tree = tree
        self._places = places
        self._walk = walk
        self._pool = pool

    # -------------------------------------------------------------- finding

    def claim(self, path: str, listing: Listing) -> PlateRest:
        """Say which plates a folder holds, and what of it is not theirs."""
        sources = [file for file in listing.files if kind_of(file.base) in ("htd", "jdce")]
        implied = _implied(listing) if not sources else {}
        if not (sources or implied):
            return PlateRest((), listing.files, listing.folders)
        inner, folders, problems = self._inner(path, listing)
        listings = (("", dict[str, int](), listing), *inner)
        plates = [_of_source(source, listings) for source in sources]
        plates += [_of_name(path, self._places.root, name, listings) for name in sorted(implied)]
        known = {plate.title.casefold() for plate in plates if plate.kind != "jdce"}
        free = tuple(file for file in listing.files if not _is_known(file, known, sources))
        strays = tuple(
            file.name for _, _, inside in inner for file in inside.files
            if _is_image(file) and not _is_known(file, known, sources)
        )  # fmt: skip
        if strays:
            plates[0] = replace(plates[0], strays=strays)
        return PlateRest(tuple(plates), free, folders, problems)

    def _inner(
        self, path: str, listing: Listing
    ) -> tuple[list[tuple[str, dict[str, int], Listing]], tuple[str, ...], tuple[Problem, ...]]:
        """List folders of time points and planes, two deep; return them, and the other folders."""
        found: list[tuple[str, dict[str, int], Listing]] = []
        others: list[str] = []
        problems: list[Problem] = []
        waiting = [(folder, dict[str, int](), 0) for folder in listing.folders]
        for folder, above, depth in waiting:
            place = plate_folder(folder.rpartition("/")[2])
            if place is None:
                others.append(folder)
                continue
            inside = self._tree.listing(folder)
            if isinstance(inside, Problem):
                problems.append(inside)
                continue
            problems.extend(inside.problems)
            stands = {**above, place[0]: place[1]}
            found.append((folder[len(path) :].lstrip("/"), stands, inside))
            if depth == 0:
                waiting.extend((deeper, stands, 1) for deeper in inside.folders)
        return found, tuple(others), tuple(problems)

    # -------------------------------------------------------------- reading

    def items(self, rest: PlateRest, path: str, context: Context) -> Generator[Outcome]:
        """Yield the items of a folder's plates, each followed by its fields."""
        yield from rest.problems
        folder = path if path in ("", context.study) else path.rpartition("/")[0]
        for plate in rest.plates:
            yield from self._plate(plate, path, folder, context)

    def _plate(
        self, plate: PlateFound, path: str, folder: str, context: Context
    ) -> Generator[Outcome]:
        stamp = f"{_digest(plate)}:{context.token}"
        if self._walk.stamp(f"{plate.key}#read") == stamp:
            yield from self._places.announce(folder, context, plate.key)
            yield Unchanged(plate.key, below=True)
            return
        try:
            gathered = self._gathered(plate)
        except SourceError as error:
            yield Problem(plate.key, error.message, error.where, error.hint)
            return
        fields = [FieldFiles(files, gathered.optics) for files in fields_of(gathered.files)]
        identity = _identity(plate, gathered)
        yield from self._places.announce(folder, context, plate.key, identity)
        native = self._places.names.of(plate.key, identity)
        place = self._places.place(plate.key, folder, context)
        reference = read_field(self._tree, fields[0]).text if fields else b""
        item = ScreenedItem(
            path=plate.key,
            native=native,
            title=plate.title,
            place=place,
            description=gathered.content,
            plane=reference,
            problems=(*gathered.problems, *_findings(plate, gathered)),
            projections=gathered.projections,
            identity=identity,
        )
        yield pack(plate.key, item)
        yield from self._fields(plate, path, folder, native, fields, reference, context)
        yield pack(f"{plate.key}#read", ReadItem(), stamp)

    def _fields(
        self,
        plate: PlateFound,
        path: str,
        folder: str,
        native: str,
        fields: list[FieldFiles],
        reference: bytes,
        context: Context,
    ) -> Iterator[Outcome]:
        """Yield an item for each field; one whose files are as they were is not opened."""
        about = blake2b(f"{native}\0{context.token}".encode() + reference, digest_size=8)
        stamps = [f"{field.stamp()}:{about.hexdigest()}" for field in fields]
        keys = [f"{plate.key}#{field.name()}" for field in fields]
        same = [self._walk.stamp(key) == stamp for key, stamp in zip(keys, stamps, strict=True)]
        changed = [field for field, as_it_was in zip(fields, same, strict=True) if not as_it_was]
        lines = frozenset(pieces(reference))
        read = in_portions(lambda field: read_field(self._tree, field, lines), changed, self._pool)
        for field, key, stamp, as_it_was in zip(fields, keys, stamps, same, strict=True):
            if as_it_was:
                yield Unchanged(key)
                continue
            found = next(read)
            first = field.files[0].found.name
            item = FieldItem(
                path=key,
                plate=native,
                plate_title=plate.title,
                well=field.files[0].well,
                site=field.files[0].site,
                place=self._places.place(first, folder, context),
                folder=path,
                files=tuple(file.found.name[len(path) :].lstrip("/") for file in field.files),
                optics=field.optics,
                header=found.header,
                planes=found.planes,
                waves=field.waves(),
                times=field.times(),
                depth=field.depth(),
                problems=found.problems,
            )
            yield pack(key, item, stamp)

    # -------------------------------------------------------------- gathering

    def _gathered(self, plate: PlateFound) -> _Gathered:
        if plate.kind == "jdce" and plate.source is not None:
            return self._acquisition(plate, plate.source)
        files = [
            file for _, stands, listing in plate.listings
            for file in files_of(plate.title, listing.files, stands)
        ]  # fmt: skip
        ordered, projections = tidied(files)
        if plate.source is None:
            return _Gathered(b"", ordered, Optics(), Counted(), (), projections)
        content = read_found(self._tree, plate.source, htd.MAX_BYTES)
        described = htd.read_htd(content)
        waves = tuple(enumerate(described.waves, 1))
        if len(waves) == 1:
            waves = ((0, waves[0][1]), waves[0])
        counted = compare(described, ordered)
        optics = Optics(waves=waves)
        return _Gathered(content, ordered, optics, counted, (), projections, described.uuid)

    def _acquisition(self, plate: PlateFound, source: Found) -> _Gathered:
        content = read_found(self._tree, source, jdce.MAX_BYTES)
        described = jdce.read_jdce(content)
        files = {
            f"{inside}/{found.base}" if inside else found.base: found
            for inside, _, listing in plate.listings for found in listing.files
            if kind_of(found.base) == "tiff"
        }  # fmt: skip
        rows, problems = self._rows(source, described)
        if rows or not described.tables:
            matched, counted = from_rows(rows, files, described)
        else:
            matched, counted = [], Counted()
        more = unlisted(files, matched)
        ordered = sorted(
            (*matched, *more), key=lambda f: (f.well, f.site, f.time, f.z, f.wave, f.found.name)
        )
        step = max((wave.z_step for wave in described.waves), default=0.0)
        pixel = (described.pixel_width, described.pixel_height, described.unit)
        optics = Optics(
            waves=tuple((wave.index, wave.name) for wave in described.waves),
            pixel=pixel if described.pixel_width > 0 else None,
            z_step=step,
            objective=described.objective,
            date=described.date,
        )
        if not rows:
            counted = Counted()
        return _Gathered(content, ordered, optics, counted, tuple(problems), 0, described.uuid)

    def _rows(self, source: Found, described: jdce.Jdce) -> tuple[list[jdce.Row], list[Problem]]:
        folder = source.name.rpartition("/")[0]
        rows: list[jdce.Row] = []
        problems: list[Problem] = []
        for table in described.tables:
            where = f"{source.name}, {table[:100]}"
            try:
                content = self._tree.read(_inside(folder, table), jdce.MAX_BYTES)
                if content is None:
                    reason = f"the table {table[:200]!r} that it names is not there"
                    problems.append(Problem(source.name, reason, severity="warning"))
                    continue
                found, bad = jdce.read_table(content)
            except SourceError as error:
                problems.append(
                    Problem(source.name, f"{table[:200]}: {error.message}", error.where)
                )
                continue
            rows.extend(found)
            problems += [Problem(source.name, f"{table[:100]}: {r}", p) for p, r in bad[:20]]
            if len(bad) > 20:
                problems.append(Problem(source.name, f"{len(bad) - 20} more lines", where))
        return rows, problems


def _inside(folder: str, name: str) -> str:
    parts = name.replace("\\", "/").split("/")
    safe = "/".join(part for part in parts if part not in ("", ".", ".."))
    return f"{folder}/{safe}" if folder else safe


def _implied(listing: Listing) -> set[str]:
    """Names of plates that have no HTD file: the program's own store names files with a GUID."""
    found: set[str] = set()
    for file in listing.files:
        if kind_of(file.base) == "tiff":
            name = read_name(file.base)
            if name is not None and name.guid and name.plate:
                found.add(name.plate)
    return found


def _of_source(
    source: Found, listings: tuple[tuple[str, dict[str, int], Listing], ...]
) -> PlateFound:
    title = source.base.rpartition(".")[0]
    return PlateFound(kind_of(source.base), source.name, title, source, listings)


def _of_name(
    path: str, root: str, name: str, listings: tuple[tuple[str, dict[str, int], Listing], ...]
) -> PlateFound:
    return PlateFound("names", f"{path or root}#{name}", name, None, listings)


def _is_image(file: Found) -> bool:
    return kind_of(file.base) in ("tiff", "xml", "hdf5", "other") and not is_thumbnail(file.base)


def _is_known(file: Found, plates: set[str], sources: list[Found]) -> bool:
    """Whether a file of the folder itself belongs to one of its plates."""
    kind = kind_of(file.base)
    if kind in ("htd", "jdce"):
        return True
    name = read_name(file.base) if kind == "tiff" else None
    if name is None:
        return False
    return name.plate.casefold() in plates or any(s.base.lower().endswith(".jdce") for s in sources)


def _digest(plate: PlateFound) -> str:
    digest = blake2b(digest_size=12)
    for inside, _, listing in plate.listings:
        digest.update(f"{inside}\0{listing.digest()}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _identity(plate: PlateFound, gathered: _Gathered) -> str:
    """The plate's own identifier with what its files are called; two copies have the same."""
    names = "\n".join(sorted(f"{f.found.base}\0{f.found.size}" for f in gathered.files))
    digest = blake2b(names.encode("utf-8", "surrogateescape") + gathered.content, digest_size=16)
    return gathered.uuid if gathered.uuid.strip("0-") else digest.hexdigest()


def _findings(plate: PlateFound, gathered: _Gathered) -> Iterator[Problem]:
    """Say what is missing, what is more than described, and what does not fit."""
    counted = gathered.counted
    if counted.missing:
        some = ", ".join(counted.missing_examples)
        more = " ..." if counted.missing > len(counted.missing_examples) else ""
        reason = f"{counted.missing:,} files of the plate are missing: {some}{more}"
        yield Problem(plate.key, reason, hint=_COPY_HINT, severity="warning")
    if counted.extra:
        some = ", ".join(counted.extra_examples)
        more = " ..." if counted.extra > len(counted.extra_examples) else ""
        reason = f"{counted.extra:,} files are not in the plate's description: {some}{more}"
        yield Problem(plate.key, reason, severity="warning")
    if counted.extra_waves:
        waves = ", ".join(map(str, counted.extra_waves))
        reason = f"files have wavelengths that the description does not name: {waves}"
        yield Problem(plate.key, reason, severity="warning")
    if plate.strays:
        reason = f"{len(plate.strays):,} images lie among the plate's files, but are not named so"
        yield Problem(plate.strays[0], reason, severity="warning")
    if plate.kind == "htd":
        for warning in htd.read_htd(gathered.content).warnings:
            yield Problem(plate.key, warning, severity="warning")
