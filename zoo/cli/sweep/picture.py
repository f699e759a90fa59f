"""The parallel coordinates of a sweep: an axis for each parameter, a curve for each trial."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Curve
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator, MaxNLocator

from zoo.cli.sweep.file import Metric
from zoo.cli.sweep.parameters import Parameter, short_names, shown
from zoo.cli.sweep.study import Trial
from zoo.runs.rounding import rounded

SPREAD = 100.0  # of numbers, from which on an axis shows their logarithms
CHOSEN_SPREAD = 8.0  # of those that the file lists
FEW = 8  # different numbers that get a tick each
MANY = 16  # categories from which on not all of them are named
BUNDLE = 0.045  # of an axis, over which curves through one of few values are fanned out
INK, FAINT = "#30343b", "#9aa0a8"


@dataclass
class Axis:
    """A vertical axis.

    Attributes:
        title: Above it.
        heights: Of the trials, from 0 to 1; nan where one has no value.
        ticks: Heights and labels.
        discrete: Whether many curves go through one point.
    """

    title: str
    heights: list[float]
    ticks: list[tuple[float, str]]
    discrete: bool = False


def draw(
    trials: Sequence[Trial], parameters: Sequence[Parameter], metric: Metric, title: str
) -> Figure:
    """Draws a curve for each trial through its values, coloured by what it reached: the best dark.

    Args:
        trials: The best first.
        parameters: Those that vary; an axis each.
        metric: The last axis.
        title: Of the picture.
    """
    names = short_names([parameter.name for parameter in parameters])
    axes = []
    for parameter in parameters:
        spread = (
            1.0
            if parameter.logarithmic
            else CHOSEN_SPREAD
            if "values" in parameter.settings
            else SPREAD
        )
        values = [trial.values[parameter.name] for trial in trials]
        axes.append(_axis(names[parameter.name], values, spread, few=FEW))
    results = [trial.result(metric) for trial in trials]
    reached = [math.nan if value is None else value for value in results]
    last = _axis(metric.name, reached, SPREAD, few=1)
    figure = Figure(figsize=(2.2 + 1.9 * len(axes), 5.2), layout="constrained")
    panel = figure.subplots()
    panel.set(xlim=(-0.45, len(axes) + 0.45), ylim=(-0.06, 1.06))
    panel.set_axis_off()
    palette = _palette(metric)
    for place in reversed(range(len(trials))):  # the best over all others
        _curve(
            panel, trials[place], [a.heights[place] for a in [*axes, last]], axes, palette, place
        )
    for place, axis in enumerate(axes):
        _scale(panel, place, axis)
    bar = panel.inset_axes((len(axes) - 0.035, 0, 0.07, 1), transform=panel.transData, zorder=5)
    bar.imshow(np.linspace(0, 1, 256)[:, None], aspect="auto", origin="lower", cmap=palette)
    bar.set_axis_off()
    _scale(panel, len(axes), last, line=False)
    best = f": best {metric.name} {rounded(reached[0])}" if math.isfinite(reached[0]) else ""
    figure.suptitle(title + best, color=INK, fontsize=13, fontweight="bold")
    _legend(figure, trials)
    return figure


def _axis(title: str, values: Sequence[Any], spread: float, *, few: int) -> Axis:
    """The axis of some values: of categories, of numbers, or of their logarithms.

    Args:
        title: Above it.
        values: Of the trials.
        spread: From which ratio of the largest to the least on it shows logarithms.
        few: Up to so many different numbers get a tick each.
    """
    numbers = [_number(value) for value in values]
    if any(number is None for number in numbers):
        return _categories(title, [shown(value) for value in values])
    found = [float(number) for number in numbers if number is not None]
    finite = sorted({number for number in found if math.isfinite(number)})
    low, high = (finite[0], finite[-1]) if finite else (0.0, 1.0)
    if low == high:
        return Axis(title, [0.5 for _ in found], [(0.5, shown(low))], discrete=True)
    bent = low > 0 and high / low >= spread

    def height(number: float) -> float:
        if bent:
            return math.log(number / low) / math.log(high / low)
        return (number - low) / (high - low)

    heights = [height(number) if math.isfinite(number) else math.nan for number in found]
    discrete = len(finite) <= few and len(finite) < len(found)
    marks = finite if discrete else _marks(low, high, bent)
    return Axis(title, heights, [(height(mark), _label(mark)) for mark in marks], discrete)


def _categories(title: str, texts: Sequence[str]) -> Axis:
    known = sorted(set(texts))
    step = 1 / max(1, len(known) - 1)
    heights = {text: index * step if len(known) > 1 else 0.5 for index, text in enumerate(known)}
    every = math.ceil(len(known) / MANY)
    ticks = [(heights[text], text[:18]) for text in known[::every]]
    return Axis(title, [heights[text] for text in texts], ticks, discrete=True)


def _number(value: Any) -> float | None:
    """A number, also one that YAML took for a text; None of anything else."""
    if isinstance(value, bool):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _marks(low: float, high: float, bent: bool) -> list[float]:
    """Round numbers within a range, and its ends where there are few."""
    locator = LogLocator(subs=(1, 2, 5) if high / low < 1000 else (1,)) if bent else MaxNLocator(5)
    inner = [float(mark) for mark in locator.tick_values(low, high) if low <= mark <= high]
    return inner if len(inner) > 1 else [low, high]


def _label(mark: float) -> str:
    text = f"{mark:.4g}"
    return text.replace("e-0", "e-").replace("e+0", "e")


def _palette(metric: Metric) -> Colormap:
    """From the lowest value to the highest; what is good is dark, and stands out on white."""
    shades = colormaps["viridis"](np.linspace(0.93, 0.0, 256))
    return ListedColormap(shades if metric.maximize else shades[::-1])


def _curve(
    panel: Axes,
    trial: Trial,
    heights: list[float],
    axes: list[Axis],
    palette: Colormap,
    place: int,
) -> None:
    """A trial's curve, level at each axis; one without a result ends before the last."""
    fan = BUNDLE * ((place % 9) / 8 - 0.5)  # neighbours in rank lie beside each other
    points = [
        (float(index), height + fan * axes[index].discrete if index < len(axes) else height)
        for index, height in enumerate(heights)
        if math.isfinite(height)
    ]
    result = heights[-1]
    style: dict[str, Any] = {"color": FAINT, "linestyle": (0, (3, 2)), "linewidth": 1.1}
    if math.isfinite(result):
        style = {"color": palette(result), "linewidth": 1.6, "alpha": 0.85}
        if trial.state == "pruned":
            style |= {"linewidth": 1.2, "alpha": 0.8, "linestyle": (0, (1, 1.2))}
        elif place == 0:
            style |= {"linewidth": 3.4, "alpha": 1.0}
            style["path_effects"] = [withStroke(linewidth=6, foreground="white")]
    vertices, codes = [points[0]], [Curve.MOVETO]
    for (x, y), (next_x, next_y) in pairwise(points):
        middle = (x + next_x) / 2
        vertices += [(middle, y), (middle, next_y), (next_x, next_y)]
        codes += [Curve.CURVE4] * 3
    panel.add_patch(PathPatch(Curve(vertices, codes), fill=False, capstyle="round", **style))


def _scale(panel: Axes, place: int, axis: Axis, *, line: bool = True) -> None:
    halo = [withStroke(linewidth=3, foreground="white")]
    if line:
        panel.plot([place, place], [0, 1], color=INK, linewidth=1.1, zorder=4)
    for height, label in axis.ticks:
        if line:
            panel.plot([place - 0.025, place], [height] * 2, color=INK, linewidth=1.1, zorder=4)
        side: Any
        side, place_at = ("right", place - 0.05) if line else ("left", place + 0.06)
        panel.text(
            *(place_at, height, label),
            ha=side,
            va="center",
            fontsize=9,
            color=INK,
            path_effects=halo,
            zorder=6,
        )
    title: dict[str, Any] = {"fontsize": 10.5, "color": INK, "fontweight": "bold"}
    panel.text(place, 1.085, axis.title, title, ha="center", va="bottom")


def _legend(figure: Figure, trials: Sequence[Trial]) -> None:
    """What the dashes mean, where there are any."""
    styles: dict[str, dict[str, Any]] = {
        "best": {"color": "#440154", "linewidth": 3.4},
        "pruned": {"color": INK, "linewidth": 1.2, "linestyle": (0, (1, 1.2))},
        "failed": {"color": FAINT, "linewidth": 1.1, "linestyle": (0, (3, 2))},
    }
    states = {trial.state for trial in trials} | {"best"}
    shown_styles = {name: style for name, style in styles.items() if name in states}
    handles = [Line2D([], [], **style) for style in shown_styles.values()]
    figure.legend(
        handles, list(shown_styles), loc="outside lower center", ncols=3, frameon=False, fontsize=9
    )
