"""How far scores can be trusted: what share of the answers with a score is right, as a plot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import sqrt
from xml.sax.saxutils import escape

from msgspec import Struct

ENOUGH = 12.0
"""Pairs that a bin has at least; one that holds fewer is put together with its neighbours."""
_APART = 0.02
_Z = 1.96
_SIDE = 420.0
_LEFT, _TOP = 70.0, 30.0
_STYLE = (
    "text{font:14px system-ui,sans-serif;fill:#1c2430}.grid{stroke:#c3cad4}"
    ".even{stroke:#5a6675;stroke-dasharray:5 4}.range{stroke:#0b6e77;stroke-width:2}"
    ".point{fill:#0b6e77}.back{fill:#fff}"
    "@media(prefers-color-scheme:dark){text{fill:#e6eaf0}.grid{stroke:#3c4654}"
    ".even{stroke:#a3afbf}.range{stroke:#5cc8d2}.point{fill:#5cc8d2}.back{fill:#12171e}}"
)


class Answer(Struct, frozen=True):
    """One answer under test: its score, whether it is right, what it weighs (1 is a pair)."""

    score: float
    right: bool
    weight: float


class Bin(Struct, frozen=True):
    """Answers of like scores: the lowest and highest, their mean, how many pairs, share right."""

    lowest: float
    highest: float
    mean: float
    pairs: float
    right: float

    @property
    def likely(self) -> tuple[float, float]:
        """Return between what shares the truth lies, 19 times in 20 (Wilson's interval)."""
        spread = _Z * _Z / self.pairs
        middle = (self.right + spread / 2) / (1 + spread)
        about = sqrt(self.right * (1 - self.right) / self.pairs + spread / (4 * self.pairs))
        reach = _Z * about / (1 + spread)
        return max(0.0, middle - reach), min(1.0, middle + reach)


def bins_of(answers: Iterable[Answer]) -> tuple[Bin, ...]:
    """Group answers by score, lowest first; groups that are small or near are put together."""
    groups: list[list[Answer]] = []
    for one in sorted(answers, key=lambda each: each.score):
        last = groups[-1] if groups else None
        if last is None or _is_full(last, one):
            groups.append([one])
        else:
            last.append(one)
    if len(groups) > 1 and _weight(groups[-1]) < ENOUGH:
        groups[-2:] = [groups[-2] + groups[-1]]
    return tuple(_bin(group) for group in groups)


def _is_full(group: Sequence[Answer], following: Answer) -> bool:
    if following.score == group[-1].score or following.score - group[0].score < _APART:
        return False
    return _weight(group) >= ENOUGH


def _weight(group: Iterable[Answer]) -> float:
    return sum(one.weight for one in group)


def _bin(group: Sequence[Answer]) -> Bin:
    pairs = _weight(group)
    return Bin(
        group[0].score,
        group[-1].score,
        round(sum(one.score * one.weight for one in group) / pairs, 4),
        round(pairs, 2),
        round(_weight(one for one in group if one.right) / pairs, 4),
    )


# ------------------------------------------------------------------ the plot


def reliability_plot(bins: Sequence[Bin]) -> str:
    """Return an SVG of scores against shares right; it follows the reader's light or dark theme."""
    low = 0.5 if all(min(one.likely[0], one.mean) >= 0.5 for one in bins) else 0.0
    width, height = _LEFT + _SIDE + 40, _TOP + _SIDE + 60
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}"'
        f' width="{width:g}" height="{height:g}" role="img" aria-labelledby="t d">',
        '<title id="t">How often answers of a score are right</title>',
        f'<desc id="d">{escape(plot_words(bins))}</desc>',
        f"<style>{_STYLE}</style>",
        f'<rect class="back" width="{width:g}" height="{height:g}"/>',
        *_grid(low),
        *(_drawn(one, low, last=one is bins[-1]) for one in bins),
        "</svg>\n",
    ]
    return "\n".join(parts)


def plot_words(bins: Sequence[Bin]) -> str:
    """Return what the plot shows, for those who do not see it."""
    said = (
        f"scores {one.lowest:.2f} to {one.highest:.2f}, mean {one.mean:.2f}:"
        f" {one.right:.3f} of {one.pairs:.0f} pairs right"
        for one in bins
    )
    return "; ".join(said) + "." if bins else "No answers."


def _place(score: float, share: float, low: float) -> tuple[float, float]:
    across, up = (score - low) / (1 - low), (share - low) / (1 - low)
    return _LEFT + _SIDE * across, _TOP + _SIDE * (1 - up)


def _grid(low: float) -> Iterable[str]:
    for step in range(6):
        share = low + (1 - low) * step / 5
        x, y = _place(share, share, low)
        right, foot = _LEFT + _SIDE, _TOP + _SIDE
        yield f'<path class="grid" d="M{_LEFT:g} {y:.1f}H{right:g}M{x:.1f} {_TOP:g}V{foot:g}"/>'
        yield f'<text x="{_LEFT - 8:g}" y="{y + 5:.1f}" text-anchor="end">{share:.1f}</text>'
        yield f'<text x="{x:.1f}" y="{foot + 20:g}" text-anchor="middle">{share:.1f}</text>'
    yield f'<path class="even" d="M{_LEFT:g} {foot:g}L{right:g} {_TOP:g}"/>'
    middle = _LEFT + _SIDE / 2
    yield f'<text x="{middle:g}" y="{foot + 44:g}" text-anchor="middle">score of the answer</text>'
    turned = f'transform="translate(22 {_TOP + _SIDE / 2:g}) rotate(-90)" text-anchor="middle"'
    yield f"<text {turned}>share that is right</text>"


def _drawn(one: Bin, low: float, *, last: bool) -> str:
    """Draw a bin as a point, where the truth likely lies as a line, and how many pairs it has."""
    x, y = _place(one.mean, one.right, low)
    (_, top), (_, foot) = (_place(one.mean, share, low) for share in reversed(one.likely))
    size = 4 + min(6.0, sqrt(one.pairs) / 3)
    words = f"{one.lowest:.2f} to {one.highest:.2f}: {one.right:.3f} of {one.pairs:.0f} right"
    # Under its line, and the last beside it: scores crowd near 1.
    place = f'x="{x + 7:.1f}" y="{foot:.1f}"' if last else f'x="{x:.1f}" y="{foot + 17:.1f}"'
    anchor = "start" if last else "middle"
    return (
        f'<g><title>{words}</title><path class="range" d="M{x:.1f} {top:.1f}V{foot:.1f}"/>'
        f'<circle class="point" cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}"/>'
        f'<text {place} text-anchor="{anchor}">{one.pairs:.0f}</text></g>'
    )
