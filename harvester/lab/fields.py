"""Reads the files of a field of a plate: every header for damage, the tags of those that count."""

from __future__ import annotations

from hashlib import blake2b

from msgspec import Struct
from msgspec.structs import replace

from harvester.formats.metaseries import pieces
from harvester.formats.plate_files import PlateFile
from harvester.formats.tiff import TiffHeader
from harvester.lab.files import look_at_tags
from harvester.lab.items import FieldPlane, Optics, damage_of
from harvester.lab.tree import LabTree
from parfocal.values import Problem

MAX_PROBLEMS = 20


class FieldFiles(Struct, frozen=True):
    """The files of one field, in order, and what the plate's description says of all of them."""

    files: tuple[PlateFile, ...]
    optics: Optics

    def name(self) -> str:
        """Return the field's name within its plate."""
        first = self.files[0]
        numbered = first.site or any(file.row is not None for file in self.files[:1])
        return f"{first.well}_s{first.site}" if numbered else first.well

    def stamp(self) -> str:
        """Stand for the names, sizes and times of the files, and for what is said of them."""
        lines = [f"{f.found.base}\0{f.found.size}\0{f.found.changed}\0{f.row}" for f in self.files]
        text = "\n".join((*lines, repr(self.optics))).encode("utf-8", "surrogateescape")
        return blake2b(text, digest_size=12).hexdigest()

    def waves(self) -> tuple[int, ...]:
        """Return the numbers of the wavelengths of which there are files."""
        return tuple(sorted({file.wave for file in self.files}))

    def times(self) -> int:
        """Return the number of time points."""
        return len({file.time for file in self.files})

    def depth(self) -> int:
        """Return the number of planes."""
        return len({file.z for file in self.files})

    def telling(self) -> set[int]:
        """Return the places of files whose tags count.

        That is the first of each wavelength; and of the first wavelength the second and the last
        time and plane, from which steps are told.
        """
        first: dict[int, int] = {}
        for place, file in enumerate(self.files):
            first.setdefault(file.wave, place)
        start = self.files[0]
        along_z = [n for n, f in enumerate(self.files)
                   if f.wave == start.wave and f.time == start.time]  # fmt: skip
        along_t = [n for n, f in enumerate(self.files) if f.wave == start.wave and f.z == start.z]
        return {*first.values(), *along_z[1:2], *along_t[1:2], *along_z[-1:], *along_t[-1:]}


class FieldRead(Struct, frozen=True):
    """What was read of a field: its first header, the tags that count, what cannot be read."""

    header: TiffHeader | None = None
    planes: tuple[FieldPlane, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def text(self) -> bytes:
        """The text of the first plane that has one."""
        return next((plane.text for plane in self.planes if plane.text), b"")


def read_field(
    tree: LabTree, field: FieldFiles, common: frozenset[bytes] = frozenset()
) -> FieldRead:
    """Read a field's files; ``common`` are the lines that each plane of the plate has."""
    telling = field.telling()
    header: TiffHeader | None = None
    planes: list[FieldPlane] = []
    problems: list[Problem] = []
    for place, file in enumerate(field.files):
        looked = look_at_tags(tree, file.found)
        if isinstance(looked, Problem):
            problems.append(looked)
            continue
        if looked.header is None:
            continue
        if looked.header.damage:
            problems.append(damage_of(file.found.name, looked.header))
        if header is None:
            header = replace(looked.header, description=b"")
        if place in telling:
            planes.append(_plane(file, looked.header.description, common))
    if len(problems) > MAX_PROBLEMS:
        more = Problem(field.files[0].found.name, f"{len(problems) - MAX_PROBLEMS} more files of"
                       " its field cannot be read")  # fmt: skip
        problems = [*problems[:MAX_PROBLEMS], more]
    return FieldRead(header, tuple(planes), tuple(problems))


def _plane(file: PlateFile, text: bytes, common: frozenset[bytes]) -> FieldPlane:
    own = b"\n".join(piece for piece in pieces(text) if piece not in common) if common else text
    return FieldPlane(file.wave, file.time, file.z, text, own, file.row)
