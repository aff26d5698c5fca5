"""Pictures that look like cells, made for the demonstration; the same for the same generator."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint16]
Field = npt.NDArray[np.float64]
SIDE = 256
"""Width and height of all pictures in pixels."""


def _noise(random: np.random.Generator, coarse: int) -> Field:
    """Smooth noise from 0 to 1: a coarse grid of random values, interpolated."""
    grid = random.random((coarse + 1, coarse + 1))
    at = np.linspace(0, coarse, SIDE, endpoint=False)
    low = at.astype(int)
    part = at - low
    part = part * part * (3 - 2 * part)
    rows = grid[low] * (1 - part)[:, None] + grid[low + 1] * part[:, None]
    return np.asarray(rows[:, low] * (1 - part) + rows[:, low + 1] * part)


class _Cell:
    """A cell: where it lies, how large it is, how it is turned, how much it is stained."""

    def __init__(self, random: np.random.Generator, y: float, x: float, radius: float) -> None:
        self.y, self.x, self.radius = y, x, radius
        self.turn = random.uniform(0, np.pi)
        self.stretch = random.uniform(1.05, 1.4)
        self.waves = random.normal(0, (0.05, 0.035, 0.015))
        self.bright = random.uniform(0.7, 1.0)
        self.phase = random.uniform(0, 2 * np.pi, 3)

    def view(self, reach: float) -> _View:
        """Return the cell's surroundings up to a multiple of its radius."""
        far = int(self.radius * self.stretch * reach * 1.25) + 2
        rows = slice(max(0, int(self.y) - far), max(0, min(SIDE, int(self.y) + far)))
        columns = slice(max(0, int(self.x) - far), max(0, min(SIDE, int(self.x) + far)))
        return _View(self, rows, columns)


class _View:
    """Coordinates around one cell; all distances are 1 at the border of the cell times a scale."""

    def __init__(self, cell: _Cell, rows: slice, columns: slice) -> None:
        self.cell, self.box = cell, (rows, columns)
        dy = np.arange(rows.start, rows.stop, dtype=float)[:, None] - cell.y
        dx = np.arange(columns.start, columns.stop, dtype=float)[None, :] - cell.x
        self.along = dx * np.cos(cell.turn) + dy * np.sin(cell.turn)
        self.across = -dx * np.sin(cell.turn) + dy * np.cos(cell.turn)
        self.angle = np.arctan2(self.across, self.along / cell.stretch)
        waves = zip((2, 3, 5), cell.waves, cell.phase, strict=True)
        self.wave = 1 + sum(size * np.cos(n * self.angle + phase) for n, size, phase in waves)

    def distance(self, scale: float) -> Field:
        """Distance to the wavy border."""
        round_ = np.hypot(self.along / self.cell.stretch, self.across)
        return np.asarray(round_ / (self.cell.radius * scale * self.wave))

    def ellipse(self, length: float, width: float) -> Field:
        """Distance to an ellipse, its half axes given in radii."""
        radius = self.cell.radius
        return np.asarray(np.hypot(self.along / (length * radius), self.across / (width * radius)))

    def lay(self, picture: Field, part: Field) -> None:
        """Lay a part upon a picture, the brighter wins."""
        picture[self.box] = np.maximum(picture[self.box], part)


def _edge(distance: Field, softness: float) -> Field:
    """1 inside, 0 outside, with a soft border."""
    return np.asarray(1 / (1 + np.exp(np.minimum((distance - 1) / softness, 60))))


def _ring(distance: Field, at: float, width: float) -> Field:
    return np.asarray(np.exp(-(((distance - at) / width) ** 2)))


def _scatter(
    random: np.random.Generator, count: int, radius: float, gap: float = 2.6
) -> list[_Cell]:
    """Cells that hardly lie upon one another."""
    cells: list[_Cell] = []
    for _ in range(count * 40):
        y, x = random.uniform(0.04, 0.96, 2) * SIDE
        if all(np.hypot(c.y - y, c.x - x) > gap * radius for c in cells):
            cells.append(_Cell(random, y, x, radius * random.uniform(0.85, 1.15)))
        if len(cells) == count:
            break
    return cells


def _counts(random: np.random.Generator, picture: Field, *, top: float = 9000) -> Pixels:
    """Camera counts: offset, signal with shot noise, read noise."""
    signal = picture * top + 220
    noisy = signal + random.normal(0, 1, picture.shape) * np.sqrt(signal) * 2.2 + 100
    return np.asarray(np.clip(noisy, 0, 65535), np.uint16)


def _resting(cell: _Cell, dna: Field, fibre: Field, chromatin: Field, mesh: Field) -> None:
    """A cell in interphase: textured nucleus, fibres that radiate from it."""
    view = cell.view(2.6)
    core, body = view.distance(1.0), view.distance(2.2)
    view.lay(dna, cell.bright * _edge(core, 0.06) * (0.5 + 0.5 * chromatin[view.box]))
    rays = 0.5 + 0.5 * np.cos(17 * view.angle + 14 * mesh[view.box] + 5 * body)
    inside = _edge(body, 0.08) * (0.2 + 0.8 * np.exp(-1.5 * body)) * (0.45 + 0.55 * rays)
    view.lay(fibre, cell.bright * inside * (1 - 0.75 * _edge(core, 0.06)))


def _dividing(cell: _Cell, dna: Field, fibre: Field, chromatin: Field) -> None:
    """A rounded cell in metaphase: chromosomes in a plate, a spindle across it."""
    view = cell.view(1.6)
    plate = _edge(view.ellipse(0.85, 0.24), 0.16) * (0.75 + 0.5 * chromatin[view.box])
    view.lay(dna, 1.25 * plate)
    spindle = _edge(view.ellipse(0.55, 1.0), 0.18) * (0.7 + 0.3 * np.cos(8 * view.angle))
    cortex = 0.35 * _edge(view.ellipse(1.35, 1.35), 0.05)
    view.lay(fibre, np.maximum(1.1 * spindle, cortex))


def _culture(
    random: np.random.Generator, cells: list[_Cell], dividing: list[_Cell], textures: list[Field]
) -> Pixels:
    dna, fibre = np.zeros((SIDE, SIDE)), np.zeros((SIDE, SIDE))
    for cell in cells:
        if cell in dividing:
            _dividing(cell, dna, fibre, textures[0])
        else:
            _resting(cell, dna, fibre, *textures)
    return np.stack([_counts(random, dna), _counts(random, fibre, top=6500)])


def culture(
    random: np.random.Generator, *, cells: int = 14, mitotic: float = 0.1, radius: float = 17.0
) -> Pixels:
    """Return nuclei and fibres of cultured cells, shape (2, SIDE, SIDE).

    ``mitotic`` is the share of cells that are rounded up with condensed chromosomes.
    """
    found = _scatter(random, cells, radius)
    textures = [_noise(random, 48), _noise(random, 20)]
    return _culture(random, found, found[: round(mitotic * len(found))], textures)


def division(random: np.random.Generator, times: int) -> Pixels:
    """Return a culture over time in which one cell after the other divides: (T, 2, SIDE, SIDE)."""
    found = _scatter(random, 11, 18.0)
    textures = [_noise(random, 48), _noise(random, 20)]
    frames = []
    for time in range(times):
        frames.append(_culture(random, found, found[time : time + 2], textures))
        for cell in found:
            cell.y += random.normal(0, 1.5)
            cell.x += random.normal(0, 1.5)
    return np.stack(frames)


def _tubule(
    cell: _Cell, number: int, plane: int, channels: list[Field], labels: Pixels, texture: Field
) -> None:
    """A tubule cut across: a wall with nuclei like beads, which are numbered in ``labels``."""
    view = cell.view(1.4)
    far = view.distance(1 + 0.02 * plane)
    beads = np.clip(np.cos(9 * view.angle + cell.phase[0] + 0.3 * plane) - 0.3, 0, 1) * 1.6
    nuclei = _ring(far, 0.8, 0.1) * beads * cell.bright
    view.lay(channels[0], nuclei)
    view.lay(channels[1], _ring(far, 0.84, 0.15) * (0.45 + 0.55 * texture[view.box]) * cell.bright)
    turn = ((view.angle + np.pi) / (2 * np.pi) * 9).astype(np.uint16)
    labels[view.box] = np.where(nuclei > 0.35, number * 10 + turn + 1, labels[view.box])


def tissue(random: np.random.Generator, planes: int) -> tuple[Pixels, Pixels]:
    """Return kidney-like tubules in depth: nuclei, walls, vessels (3, Z, SIDE, SIDE); labels."""
    tubes = _scatter(random, 16, 27.0, 2.3)
    texture, winding = _noise(random, 60), _noise(random, 9) * 0.7 + _noise(random, 23) * 0.3
    stack, labels = [], []
    for plane in range(planes):
        channels = [np.zeros((SIDE, SIDE)) for _ in range(2)]
        numbered = np.zeros((SIDE, SIDE), np.uint16)
        for number, tube in enumerate(tubes):
            _tubule(tube, number, plane, channels, numbered, texture)
            tube.y += 0.8
        vessels = _ring(winding, 0.5 + 0.01 * plane, 0.025) * np.clip(1 - 3 * channels[1], 0, 1)
        parts = zip((*channels, vessels), (9000, 5000, 3500), strict=True)
        stack.append(np.stack([_counts(random, part, top=top) for part, top in parts]))
        labels.append(numbered)
    return np.stack(stack, axis=1), np.stack(labels)


def heart(random: np.random.Generator, times: int) -> Pixels:
    """Return a beating heart-like shell of cells over time: (T, 1, SIDE, SIDE)."""
    cells, fine = _noise(random, 26), _noise(random, 70)
    chambers = [
        (_Cell(random, SIDE * 0.42, SIDE * 0.4, 60.0), 1.0),
        (_Cell(random, SIDE * 0.68, SIDE * 0.68, 40.0), -1.0),
    ]
    frames = []
    for time in range(times):
        beat = 0.1 * np.sin(2 * np.pi * time / max(times, 2))
        picture = np.zeros((SIDE, SIDE))
        for part, phase in chambers:
            view = part.view(1.7)
            far = view.distance(1 + beat * phase)
            muscle = _ring(far, 0.85, 0.13) + 0.5 * _ring(far, 0.5, 0.3) * _edge(
                1.6 - cells[view.box], 0.08
            )
            view.lay(picture, muscle * (0.35 + 0.65 * fine[view.box]))
        frames.append(_counts(random, picture, top=7000)[None])
    return np.stack(frames)
