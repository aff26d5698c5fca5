"""What the text of a MetaSeries TIFF says: the tags that MetaMorph and MetaXpress give each plane.

The text is XML whose elements are all ``prop`` with an id and a value; it is read without an XML
parser, as much of it is damaged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from harvester.words.facts import ImageFacts, number, quantity
from parfocal.model import Channel, KeyValue, Objective, Position

MAX_PAIRS = 400
EPOCH = datetime(1970, 1, 1)
"""Where the seconds of :func:`time_of` are counted from; the microscope tells no time zone."""
_STAGE_UNIT = "µm"
_PROP = re.compile(r'<(?:custom-)?prop\s+id="([^"]{1,200})"(?:\s+type="[^"]*")?\s+value="([^"]*)"')
_BREAK = re.compile(r"(?:(?<!\s)\s+)?(?:#13;\s*#10;|\r\n|\r|\n)\s*")
_ENTITY = re.compile(r"&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|(amp|lt|gt|quot|apos));")
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_UNBROKEN = re.compile(r"(?<!\s)\s+(?=[A-Z][\w ()/-]{2,40}:\s)")
_MAGNIFICATION = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)\s*[xX]\b")
_LABEL = re.compile(r"\s*([A-Za-z]{1,2})(\d{1,2})\s*(?::\s*Site\s*(\d{1,5}))?", re.IGNORECASE)
_WHEN = re.compile(r"(\d{4})[:-]?(\d\d)[:-]?(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?")
_SHOWN = ("autoscale-", "scale-", "threshold-", "look-up-table-", "gray-calibration-")
_READ = frozenset(
    (
        *("Description", "MetaDataVersion", "plane-type", "pixel-size-x", "pixel-size-y"),
        *("bits-per-pixel", "spatial-calibration-state", "spatial-calibration-x"),
        *("spatial-calibration-y", "spatial-calibration-units", "plane-guid", "number-of-planes"),
        *("acquisition-time-local", "modification-time-local", "stage-position-x"),
        *("stage-position-y", "stage-label", "z-position", "wavelength", "image-name"),
        *("zoom-percent", "gamma", "photonegative-mode", "_MagNA_", "_MagSetting_"),
        *("ImageXpress Micro Objective", "ImageXpress Micro X", "ImageXpress Micro Y"),
        "ImageXpress Micro Z",
    )
)
_ALWAYS = frozenset(("Exposure", "Binning", "Gain"))


class Plane(Struct, frozen=True):
    """The properties of one plane: by id, and the lines of its description."""

    props: dict[str, str]
    pairs: tuple[tuple[str, str], ...] = ()
    """What the description says as ``key: value``, in its order."""
    words: str = ""
    """What the user wrote into the description."""


def is_metaseries(software: str, description: bytes) -> bool:
    """Whether a TIFF's tags are those of a MetaSeries file."""
    head = description[:200].lstrip()
    return head.startswith(b"<MetaData") or (
        software.startswith("MetaSeries") and b"<prop " in description[:2000]
    )


def _character(match: re.Match[str]) -> str:
    decimal, hexadecimal, name = match.groups()
    if name:
        return _NAMED[name]
    code = int(decimal) if decimal else int(hexadecimal, 16)
    return chr(code) if 0 < code < 0xD800 or 0xE000 <= code < 0x110000 else "\ufffd"


@lru_cache(4096)
def _plain(value: str) -> str:
    return _ENTITY.sub(_character, value) if "&" in value else value


@lru_cache(1024)
def _described(text: str) -> tuple[tuple[tuple[str, str], ...], str]:
    """Split a description into the acquisition's ``key: value`` lines and the user's words."""
    lines = _BREAK.split(text.strip())
    if len(lines) == 1 and "Exposure: " in text:
        lines = _UNBROKEN.split(text.strip())
    start = next((n for n, line in enumerate(lines) if line.startswith("Exposure: ")), None)
    words = [line for line in lines[:start] if line]
    pairs = []
    for line in lines[start:] if start is not None else []:
        key, colon, value = line.partition(":")
        if colon and key.strip() and value.strip():
            pairs.append((key.strip(), value.strip()))
        elif line.strip():
            camera = line.strip().startswith("Acquired from ")
            pairs.append(("Acquired from", line.strip()[14:]) if camera else ("Description", line))
    return tuple(pairs), "\n".join(words)


def read_plane(description: bytes) -> Plane:
    """Read the text of a MetaSeries TIFF, or some of its lines; what is no property is left out."""
    text = description.decode("utf-8", "replace")
    props: dict[str, str] = {}
    for name, value in _PROP.findall(text):
        props.setdefault(_plain(name), _plain(value).strip())
    pairs, words = _described(props.get("Description", ""))
    return Plane(props, pairs, words)


def time_of(plane: Plane) -> datetime | None:
    """Return when a plane was acquired, by the microscope's own clock."""
    match = _WHEN.match(plane.props.get("acquisition-time-local", ""))
    if not match:
        return None
    *parts, fraction = match.groups()
    try:
        year, month, day, hour, minute, second = map(int, parts)
        return datetime(
            year, month, day, hour, minute, second, int((fraction or "0").ljust(6, "0"))
        )
    except ValueError:
        return None


def well_of(plane: Plane) -> tuple[str, int]:
    """Return well and site of the stage label; ``("", 0)`` when it names none."""
    match = _LABEL.match(plane.props.get("stage-label", ""))
    if not match:
        return "", 0
    return f"{match[1].upper()}{int(match[2]):02d}", int(match[3] or 0)


def channel_of(plane: Plane, name: str = "") -> Channel:
    """Return the channel of a plane; ``name`` is what the plate calls it."""
    wavelength = number(plane.props.get("wavelength"))
    own = plane.props.get("_IllumSetting_") or plane.props.get("image-name", "")
    emission = quantity(wavelength, "nm") if wavelength and 100 < wavelength < 3000 else None
    return Channel(name=name or own, emission=emission)


def magnification(model: str) -> float | None:
    """Return the magnification that an objective's name tells.

    >>> magnification("20X Plan Apo Lambda"), magnification("")
    (20.0, None)
    """
    match = _MAGNIFICATION.search(model)
    return number(match[1]) if match else None


def _objective(plane: Plane) -> Objective | None:
    model = plane.props.get("_MagSetting_") or plane.props.get("ImageXpress Micro Objective", "")
    aperture = number(plane.props.get("_MagNA_"))
    if not model and not aperture:
        return None
    return Objective(
        model=model,
        magnification=magnification(model),
        numerical_aperture=aperture if aperture and 0 < aperture < 2 else None,
    )


def _instrument(plane: Plane) -> str:
    for name in plane.props:
        if name.startswith("ImageXpress "):
            return " ".join(name.split()[:2])
    return ""


def _position(plane: Plane) -> Position | None:
    names = ("stage-position-x", "stage-position-y", "z-position")
    found = [quantity(plane.props.get(n), _STAGE_UNIT, positive=False) for n in names]
    return Position(*found) if any(found) else None


def facts_of(plane: Plane) -> ImageFacts:
    """Return what the plane's properties say of an image, without key-values."""
    calibrated = plane.props.get("spatial-calibration-state", "on").lower() in ("on", "1", "true")
    unit = plane.props.get("spatial-calibration-units", "um")
    unit = {"um": "µm", "microns": "µm", "micron": "µm"}.get(unit.lower(), unit)
    usable = calibrated and unit not in ("", "pixel", "pixels")
    when = time_of(plane)
    facts = ImageFacts(
        date=when.date().isoformat() if when else "",
        channels=(channel_of(plane),),
        objective=_objective(plane),
        instrument=_instrument(plane),
        position=_position(plane),
        well=well_of(plane)[0],
        uuid=plane.props.get("plane-guid", "").strip("{}").lower(),
        description="" if plane.words == "thumbnail image" else plane.words,
    )
    if not usable:
        return facts
    return replace(
        facts,
        pixel_size_x=quantity(plane.props.get("spatial-calibration-x"), unit),
        pixel_size_y=quantity(plane.props.get("spatial-calibration-y"), unit),
    )


def pairs_of(plane: Plane) -> tuple[KeyValue, ...]:
    """Return the properties that no field of an image holds, as key-values."""
    found = [KeyValue(key, value) for key, value in plane.pairs]
    for name, value in plane.props.items():
        if value and name not in _READ and not name.startswith(_SHOWN):
            found.append(KeyValue(name, value))
    return tuple(dict.fromkeys(found))[:MAX_PAIRS]


def pieces(text: bytes) -> list[bytes]:
    """Return the properties and lines of a text one by one, to be compared with another's."""
    return text.replace(b"&#13;&#10;", b"\n").replace(b"#13; #10;", b"\n").split(b"\n")


def chosen_pairs(plane: Plane, own: bytes) -> tuple[KeyValue, ...]:
    """Return the key-values of a plane that are its ``own``, and those that each image shows.

    ``own`` holds the pieces of its text that the first plane of its plate does not have.
    """
    lines = own.decode("utf-8", "replace").split("\n")
    different = {_plain(name) for line in lines for name, _ in _PROP.findall(line)}
    for line in lines:
        before = line.partition(":")[0]
        different.add(_plain(before.rpartition('value="')[2]).strip())
    name = channel_of(plane).name
    return tuple(
        pair
        for pair in pairs_of(plane)
        if (pair.key in different or pair.key in _ALWAYS)
        and not (pair.key == "_IllumSetting_" and pair.value == name)
    )


def together(each: Iterable[tuple[str, tuple[KeyValue, ...]]]) -> tuple[KeyValue, ...]:
    """Return the key-values of several channels; what not all say carries the channel's name."""
    channels = list(each)
    shared = set(channels[0][1]).intersection(*(pairs for _, pairs in channels)) if channels else ()
    return tuple(dict.fromkeys(_named(channels, frozenset(shared))))


def _named(
    channels: list[tuple[str, tuple[KeyValue, ...]]], shared: frozenset[KeyValue]
) -> Iterator[KeyValue]:
    for name, pairs in channels:
        for pair in pairs:
            yield pair if pair in shared else replace(pair, namespace=name)
