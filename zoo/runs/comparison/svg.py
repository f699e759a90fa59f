"""The learning curves of runs as SVG, for a page that is read on light and on dark."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from html import escape
from math import ceil, floor, isfinite, log10
from typing import Any

from zoo.runs.comparison.series import Curve, Panel

WIDTH, HEIGHT = 560, 300
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 12, 38  # around the axes
POINTS = 400  # of a curve, at most
DOTTED = 40  # up to so many points each has a dot


class Scale:
    """Maps values to where they are drawn.

    Args:
        values: All that are to be seen.
        start: Where the lowest is drawn.
        end: Where the highest is drawn.
        logarithmic: Whether equal ratios are equally far apart.
        whole: Whether only whole numbers are marked.
        margin: Free on either side, as a part of the whole.
    """

    def __init__(
        self,
        values: Sequence[float],
        start: int,
        end: int,
        logarithmic: bool = False,
        whole: bool = False,
        margin: float = 0.0,
    ) -> None:
        self.start, self.end, self.logarithmic, self.whole = start, end, logarithmic, whole
        found = [self._of(v) for v in values if isfinite(v) and (v > 0 or not logarithmic)]
        low, high = min(found, default=0.0), max(found, default=1.0)
        if low == high:
            around = abs(low) / 10 or 0.5
            low, high = low - around, high + around
        free = margin * (high - low)
        self.low, self.high = low - free, high + free

    def _of(self, value: float) -> float:
        return log10(value) if self.logarithmic else value

    def __call__(self, value: float) -> float:
        """Where a value is drawn, inside the axes."""
        value = max(value, 1e-300) if self.logarithmic else value
        part = (self._of(value) - self.low) / (self.high - self.low)
        return self.start + min(1.0, max(0.0, part)) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round values, about five."""
        if self.logarithmic:
            powers = range(floor(self.low), ceil(self.high) + 1)
            factors = (1, 2, 5) if self.high - self.low < 2.5 else (1,)
            found = [factor * 10.0**power for power in powers for factor in factors]
            every = max(1, ceil(len(found) / 8)) if len(factors) == 1 else 1
            return [v for v in found[::every] if self.low <= log10(v) <= self.high]
        rough = (self.high - self.low) / 5
        size = 10.0 ** floor(log10(rough))
        step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough * 0.999)
        step = max(1.0, step) if self.whole else step
        first, last = ceil(self.low / step - 1e-9), floor(self.high / step + 1e-9)
        return [index * step for index in range(first, last + 1)]


def figure(panel: Panel, names: Sequence[str]) -> str:
    """A panel with its title; the values lie beside it, for what points at them.

    Args:
        panel: What is drawn.
        names: Of the runs and groups.
    """
    curves = [_thinned(curve) for curve in panel.curves]
    x = Scale([v for c in curves for v in c.x], LEFT, WIDTH - RIGHT, whole=True)
    spans = [v for c in curves for v in (*c.y, *(end for pair in _ends(c) for end in pair))]
    heights = spans if not panel.logarithmic else [v for c in curves for v in c.y]
    y = Scale(heights, HEIGHT - BOTTOM, TOP, panel.logarithmic, margin=0.06)
    drawn = "".join(part for curve in curves for part in _curve(curve, x, y))
    points = [
        [c.subject, c.stage, [[round(x(a), 1), round(y(b), 1), *_said(a, b)] for a, b in _known(c)]]
        for c in curves
        if not c.faint
    ]
    data = json.dumps({"unit": panel.unit, "curves": points}).replace("<", "\\u003c")
    title = escape(panel.quantity)
    who = escape(", ".join(names))
    return (
        f'<figure class="panel"><figcaption>{title}</figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{title} by {panel.unit} of {who}">'
        f"{_axes(x, y, panel.unit)}{drawn}"
        '<circle class="mark" r="5" visibility="hidden"/></svg>'
        f'<script type="application/json">{data}</script></figure>'
    )


def _axes(x: Scale, y: Scale, unit: str) -> str:
    parts = []
    digits = _digits(y)
    for value in y.ticks():
        at = f"{y(value):.1f}"
        text = f"{value:.{digits}f}" if digits is not None else f"{value:g}"
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at}" y2="{at}"/>')
        parts.append(f'<text class="y" x="{LEFT - 8}" y="{at}">{text}</text>')
    for value in x.ticks():
        parts.append(
            f'<text class="x" x="{x(value):.1f}" y="{HEIGHT - BOTTOM + 17}">{value:g}</text>'
        )
    base = HEIGHT - BOTTOM
    parts.append(f'<line class="base" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{base}" y2="{base}"/>')
    parts.append(f'<text class="x" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 4}">{unit}</text>')
    return "".join(parts)


def _digits(y: Scale) -> int | None:
    """Decimals of the ticks of a linear scale; None where powers of ten say it shorter."""
    ticks = y.ticks()
    if y.logarithmic or len(ticks) < 2 or max(map(abs, ticks)) >= 1e5 or ticks[1] - ticks[0] < 1e-4:
        return None
    return max(0, -floor(log10(ticks[1] - ticks[0]) + 1e-9))


def _curve(curve: Curve, x: Scale, y: Scale) -> Iterator[str]:
    style = f'class="{curve.stage}{" faint" if curve.faint else ""} s{curve.subject}"'
    if ends := _ends(curve):
        upper = [f"{x(a):.1f},{y(high):.1f}" for a, (_, high) in zip(curve.x, ends, strict=True)]
        lower = [f"{x(a):.1f},{y(low):.1f}" for a, (low, _) in zip(curve.x, ends, strict=True)]
        yield f'<polygon class="band s{curve.subject}" points="{" ".join(upper + lower[::-1])}"/>'
    path, begun = [], False
    for a, b in zip(curve.x, curve.y, strict=True):
        if isfinite(b):
            path.append(f"{'L' if begun else 'M'}{x(a):.1f} {y(b):.1f}")
        begun = isfinite(b)
    if path:
        yield f'<path {style} d="{"".join(path)}"/>'
    if curve.stage == "val" and not curve.faint and len(curve.x) <= DOTTED:
        for a, b in _known(curve):
            yield f'<circle class="dot s{curve.subject}" cx="{x(a):.1f}" cy="{y(b):.1f}" r="3.2"/>'


def _ends(curve: Curve) -> list[tuple[float, float]]:
    """The band of a curve, empty where it has none or a value is not known."""
    if not curve.spread or not all(map(isfinite, (*curve.y, *curve.spread))):
        return []
    return [(y - s, y + s) for y, s in zip(curve.y, curve.spread, strict=True)]


def _known(curve: Curve) -> list[tuple[float, float]]:
    return [(a, b) for a, b in zip(curve.x, curve.y, strict=True) if isfinite(b)]


def _said(x: float, y: float) -> tuple[Any, str]:
    return f"{x:.4g}" if x < 1e4 else f"{x:.0f}", f"{y:.4g}"


def _thinned(curve: Curve) -> Curve:
    """Every so-manieth point of a long curve, and the last."""
    every = ceil(len(curve.x) / POINTS)
    if every <= 1:
        return curve
    kept = [*range(0, len(curve.x) - 1, every), len(curve.x) - 1]
    x, y, spread = (
        [values[i] for i in kept] if values else [] for values in (curve.x, curve.y, curve.spread)
    )
    return replace(curve, x=x, y=y, spread=spread)
