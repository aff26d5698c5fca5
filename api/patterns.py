"""A calm drawing for what has no picture, made from the record's axes; greys on near-black."""

from __future__ import annotations

import hashlib
import re

from markupsafe import Markup

from parfocal.model import Image, Record

_PLATE = (
    '<symbol id="plate{wells}"><rect x="34" y="34" width="252" height="172" rx="8" fill="none" '
    'stroke="#33423f"/><g transform="translate(40 40)"><rect width="240" height="160" '
    'fill="url(#wells{wells})"/></g></symbol>'
)
DEFINITIONS = (
    '<pattern id="wells96" width="20" height="20" patternUnits="userSpaceOnUse">'
    '<circle cx="10" cy="10" r="6.5" fill="none" stroke="#3c4f4d" stroke-width="1.2"/></pattern>'
    '<pattern id="wells384" width="10" height="10" patternUnits="userSpaceOnUse">'
    '<rect x="1.2" y="1.2" width="7.6" height="7.6" rx="1.5" fill="none" stroke="#3c4f4d"/>'
    "</pattern>"
    + _PLATE.format(wells=96)
    + _PLATE.format(wells=384)
    + '<symbol id="rings"><g fill="none" stroke="#33423f"><circle cx="160" cy="120" r="26"/>'
    '<circle cx="160" cy="120" r="50"/><circle cx="160" cy="120" r="74"/></g></symbol>'
)
_LINE = "#6b8481"
_DIM = "#465a57"
_FAINT = "#33423f"
_WELL = re.compile(r"([A-Za-z]{1,2})0*(\d{1,2})")


def _frames(x: int, y: int, planes: int) -> str:
    """Return the X x Y frame, with up to five planes behind it."""
    scale = min(150 / max(x, 1), 110 / max(y, 1))
    width, height = max(x * scale, 8), max(y * scale, 8)
    left, top = 160 - width / 2, 104 - height / 2
    behind = min(max(planes - 1, 0), 5)
    drawn = []
    for step in range(behind, -1, -1):
        shade = _LINE if step == 0 else _FAINT
        fill = "#101918" if step == 0 else "none"
        drawn.append(
            f'<rect x="{left + step * 8:.0f}" y="{top - step * 7:.0f}" width="{width:.0f}" '
            f'height="{height:.0f}" rx="3" fill="{fill}" stroke="{shade}" stroke-width="1.5"/>'
        )
    return "".join(drawn)


def _row(count: int, y: int, radius: float, most: int) -> str:
    """Return a row of dots, one a channel or time point."""
    shown = min(count, most)
    step = min(14.0, 240 / max(shown, 1))
    start = 160 - step * (shown - 1) / 2
    return "".join(
        f'<circle cx="{start + step * number:.1f}" cy="{y}" r="{radius}" fill="{_LINE}"/>'
        for number in range(shown)
    )


def _image(image: Image) -> str:
    drawn = _frames(image.size_x or 4, image.size_y or 3, image.size_z or 1)
    channels = image.size_c or len(image.channels)
    if channels > 1:
        drawn += _row(channels, 196, 4, 16)
    if image.size_t and image.size_t > 1:
        drawn += f'<path d="M40 216H280" stroke="{_FAINT}"/>' + _row(image.size_t, 216, 1.6, 60)
    return drawn


def _well(name: str) -> str:
    """Return a plate with the well filled; "" when the name is none."""
    match = _WELL.fullmatch(name.strip())
    if not match:
        return ""
    row = 0
    for letter in match.group(1).upper():
        row = row * 26 + ord(letter) - 64
    column = int(match.group(2))
    large = row > 8 or column > 12
    if not (1 <= row <= 16 and 1 <= column <= 24):
        return ""
    step = 10 if large else 20
    x, y = 40 + (column - 1) * step, 40 + (row - 1) * step
    shape = (
        f'<rect x="{x + 1.2}" y="{y + 1.2}" width="7.6" height="7.6" rx="1.5" fill="#cfe3e0"/>'
        if large
        else f'<circle cx="{x + 10}" cy="{y + 10}" r="6.5" fill="#cfe3e0"/>'
    )
    return f'<use href="#plate{384 if large else 96}"/>{shape}'


def _study(identifier: str) -> str:
    """Return three rings, each broken elsewhere, so that studies can be told apart."""
    digest = hashlib.blake2b(identifier.encode(), digest_size=6).digest()
    drawn = ['<use href="#rings"/>']
    for number, radius in enumerate((26, 50, 74)):
        around = 6.2832 * radius
        length = around * (0.25 + digest[number] / 400)
        shade = _LINE if number == digest[5] % 3 else _DIM
        drawn.append(
            f'<circle cx="160" cy="120" r="{radius}" fill="none" stroke="{shade}" '
            f'stroke-width="5" stroke-linecap="round" stroke-dasharray="{length:.0f} '
            f'{around:.0f}" transform="rotate({digest[number + 2] * 360 // 256} 160 120)"/>'
        )
    return "".join(drawn)


def _container(plate: bool) -> str:
    if plate:
        return '<use href="#plate96"/>'
    cells = (
        f'<rect x="{76 + column * 58}" y="{56 + row * 46}" width="50" height="38" rx="3" '
        f'fill="none" stroke="{_LINE if row == column == 0 else _FAINT}" stroke-width="1.5"/>'
        for row in range(3)
        for column in range(3)
    )
    return "".join(cells)


def _drawing(record: Record) -> str:
    if isinstance(record, Image):
        return (_well(record.well) if record.well and not record.size_x else "") or _image(record)
    if record.level == "study":
        return _study(record.id)
    return _container(record.ome_type in ("Plate", "Screen"))


def inline(record: Record) -> Markup:
    """Return the pattern for a page that carries DEFINITIONS once."""
    return Markup(  # noqa: S704 - made of numbers only
        '<svg class="pattern" viewBox="0 0 320 240" aria-hidden="true" focusable="false">'
        f"{_drawing(record)}</svg>"
    )


def standalone(record: Record) -> str:
    """Return the pattern as an SVG file."""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 240" width="320" height="240">'
        f'<defs>{DEFINITIONS}</defs><rect width="320" height="240" fill="#0b0f0f"/>'
        f"{_drawing(record)}</svg>"
    )
