"""The learning curves of runs, side by side, as a matplotlib figure."""

from collections.abc import Sequence
from math import ceil
from typing import Any

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from zoo.runs.comparison.series import Curve, panels
from zoo.runs.comparison.table import seed_groups
from zoo.runs.history import Run

STYLES: dict[str, dict[str, Any]] = {
    "train": {"linewidth": 1, "alpha": 0.7},
    "val": {"linewidth": 2.2, "marker": "o", "markersize": 4.5},
}
FAINT = {"linewidth": 0.8, "alpha": 0.3}


def draw(runs: Sequence[Run], title: str) -> Figure:
    """Learning curves: a panel a quantity, a colour a run; training thin, validation thick.

    Runs that differ in the seed alone have one colour: their mean, within a band of one standard
    deviation, and behind it what each measured on validation.
    """
    groups = seed_groups(runs)
    found = panels(runs, groups)
    labels = [*(group.name for group in groups), *STYLES]
    columns = min(2, len(found))
    # About ten letters fill an inch; five are a handle and the space around it.
    across = max(1, 50 * columns // (max(map(len, labels)) + 5))
    rows, below = ceil(len(found) / columns), ceil(len(labels) / across)
    width, height = 1 + 5 * columns, 1.3 + 3.4 * rows + 0.21 * below
    figure = Figure(figsize=(width, height))
    # By hand: matplotlib's own layouts draw the figure twice.
    figure.subplots_adjust(
        left=0.7 / width,
        right=1 - 0.2 / width,
        bottom=(0.7 + 0.21 * below) / height,
        top=1 - 0.8 / height,
        wspace=0.18,
        hspace=0.32,
    )
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    many = len(groups) > 10
    palette = colormaps["turbo"].resampled(len(groups)) if many else colormaps["tab10"]
    for panel, axis in zip(found, axes, strict=False):
        for curve in panel.curves:
            _plot(axis, curve, palette(curve.subject))
        if panel.logarithmic:
            axis.set_yscale("log")
        axis.set(title=panel.quantity, xlabel=panel.unit)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[len(found) :]:
        axis.set_axis_off()
    handles = [Line2D([], [], color=palette(index), linewidth=4) for index in range(len(groups))]
    handles += [Line2D([], [], color="black", **style) for style in STYLES.values()]
    figure.legend(handles, labels, loc="lower center", ncols=across, frameon=False)
    figure.suptitle(title, y=1 - 0.15 / height, va="top")
    return figure


def _plot(axis: Axes, curve: Curve, color: Any) -> None:
    axis.plot(curve.x, curve.y, color=color, **(FAINT if curve.faint else STYLES[curve.stage]))
    if curve.spread:
        ends = [(y - s, y + s) for y, s in zip(curve.y, curve.spread, strict=True)]
        low, high = zip(*ends, strict=True)
        axis.fill_between(curve.x, low, high, color=color, alpha=0.15, linewidth=0)
