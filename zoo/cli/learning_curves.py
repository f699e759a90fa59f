"""The learning curves of runs, side by side."""

from math import ceil
from typing import Any

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from zoo.cli.run_history import Run, metric_names

STYLES: dict[str, dict[str, Any]] = {
    "train": {"linewidth": 1, "alpha": 0.7},
    "val": {"linewidth": 2.2, "marker": "o", "markersize": 4.5},
}
SPREAD = 100  # of values, from which on they are drawn by their logarithms


def draw(runs: list[Run], title: str) -> Figure:
    """Learning curves: a panel a quantity, a colour a run; training thin, validation thick."""
    names = {
        n.rpartition("/")[2].removesuffix("_epoch") for n in metric_names(runs) if n[:5] != "test/"
    }
    quantities = sorted(names, key=lambda name: (name != "loss", name))
    labels = [*(run.name for run in runs), *STYLES]
    columns = min(2, len(quantities))
    # About ten letters fill an inch; five are a handle and the space around it.
    across = max(1, 50 * columns // (max(map(len, labels)) + 5))
    rows, below = ceil(len(quantities) / columns), ceil(len(labels) / across)
    size = (1 + 5 * columns, 0.8 + 3.4 * rows + 0.25 * below)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    palette = colormaps["tab10"] if len(runs) <= 10 else colormaps["turbo"].resampled(len(runs))
    by_epoch = all(run.steps_per_epoch for run in runs)
    for panel, quantity in zip(panels, quantities, strict=False):
        for index, run in enumerate(runs):
            per_epoch = run.steps_per_epoch if by_epoch else None
            _curves(panel, run, quantity, palette(index), per_epoch or 1.0)
        heights = [float(height) for line in panel.get_lines() for height in line.get_ydata()]
        if heights and 0 < SPREAD * min(heights) < max(heights):
            panel.set_yscale("log")
        panel.set(title=quantity, xlabel="epoch" if by_epoch else "step")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.grid(alpha=0.3)
        panel.spines[["top", "right"]].set_visible(False)
    for panel in panels[len(quantities) :]:
        panel.set_axis_off()
    handles = [Line2D([], [], color=palette(index), linewidth=4) for index in range(len(runs))]
    handles += [Line2D([], [], color="black", **style) for style in STYLES.values()]
    figure.legend(handles, labels, loc="outside lower center", ncols=across, frameon=False)
    figure.suptitle(title)
    return figure


def _curves(panel: Axes, run: Run, quantity: str, color: Any, per_epoch: float) -> None:
    for stage, style in STYLES.items():
        # Windows may be longer than epochs: the finer of the two. A rate belongs to no stage.
        names = [f"{stage}/{quantity}", f"{stage}/{quantity}_epoch"]
        names += [quantity] if stage == "train" else []
        name = max(names, key=lambda name: len(run.logged(name)))
        lines = run.logged(name)
        steps = [(line["step"] + 1) / per_epoch for line in lines]
        panel.plot(steps, [line[name] for line in lines], color=color, **style)
