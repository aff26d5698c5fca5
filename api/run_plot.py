"""The runs of a source over time, drawn on the server: records seen, and how long it took."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from parfocal.values import REBUILDS, RunReport

WIDTH = 720.0
HEIGHT = 190.0
_LEFT, _RIGHT = 8.0, 712.0
_TOP, _MIDDLE = 18.0, 100.0
_BARS_TOP, _BOTTOM = 124.0, 170.0


class Point(Struct, frozen=True):
    """One run in the plot; ``good`` runs saw the whole source."""

    x: float
    y: float
    bar: float
    good: bool
    label: str


class Plot(Struct, frozen=True):
    """Where everything stands, in units of the drawing; ``line`` joins the good runs."""

    points: tuple[Point, ...]
    line: str
    most_records: int
    longest: float
    first: str
    last: str
    words: str


def plot_of(runs: Sequence[RunReport]) -> Plot | None:
    """Return the plot of runs, given newest first; None when there are too few to compare."""
    walks = [run for run in reversed(runs) if run.finished and run.scope not in REBUILDS]
    if len(walks) < 2:
        return None
    times = [datetime.fromisoformat(run.started).timestamp() for run in walks]
    span = max(times[-1] - times[0], 1.0)
    most = max(max(map(_records, walks)), 1)
    longest = max(max(run.seconds for run in walks), 0.001)
    points = tuple(
        Point(
            x=round(_LEFT + 6 + (_RIGHT - _LEFT - 12) * (time - times[0]) / span, 1),
            y=round(_MIDDLE - (_MIDDLE - _TOP) * _records(run) / most, 1),
            bar=round((_BOTTOM - _BARS_TOP) * run.seconds / longest, 1),
            good=run.state == "complete",
            label=f"{run.started[:10]}: {run.state}, {_records(run):,} records",
        )
        for run, time in zip(walks, times, strict=True)
    )
    good = [point for point in points if point.good]
    return Plot(
        points,
        " ".join(f"{point.x},{point.y}" for point in good),
        most,
        longest,
        walks[0].started,
        walks[-1].started,
        _words(walks),
    )


def _records(run: RunReport) -> int:
    return run.counts.new + run.counts.changed + run.counts.unchanged


def _words(walks: Sequence[RunReport]) -> str:
    """Return what the plot shows, for those who do not see it."""
    failed = sum(run.state == "failed" for run in walks)
    return (
        f"{len(walks)} runs from {walks[0].started[:10]} to {walks[-1].started[:10]}."
        f" The first saw {_records(walks[0]):,} records, the last {_records(walks[-1]):,}."
        f" {failed} failed."
    )
