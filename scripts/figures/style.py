"""One quiet look for every figure: few colours, a light grid, no frame."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Ten points of text are fourteen pixels where the page shows a figure at its 900.
WIDTH, DPI = 9.0, 150
INK, GREY = "#22262b", "#9aa0a8"
BLUE, ORANGE, GREEN, RED, PURPLE = "#2f6fb0", "#dd7a35", "#3a9a6d", "#bf3b3b", "#7b5ea7"
NOTE: dict[str, Any] = {"fontsize": 9, "color": INK}
POINT: dict[str, Any] = {"marker": "o", "ms": 7, "mec": "white", "ls": "none"}


def blank(height: float) -> Figure:
    """An empty figure as wide as the page, of a height in inches."""
    return Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained")


def sheet(rows: int, columns: int, height: float, **options: Any) -> tuple[Figure, list[Axes]]:
    """A figure of panels, row by row; the options are those of `Figure.subplots`."""
    figure = blank(height)
    panels = list(figure.subplots(rows, columns, squeeze=False, **options).ravel())
    for panel in panels:
        panel.grid(alpha=0.25, linewidth=0.7)
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
        panel.spines[["left", "bottom"]].set_color(GREY)
        panel.tick_params(color=GREY, labelsize=9)
    return figure, panels


def name(panel: Axes, title: str, x: str = "", y: str = "") -> None:
    """Gives a panel its title, at the left, and names its axes."""
    panel.set_title(title, loc="left", fontsize=11, color=INK)
    panel.set_xlabel(x)
    panel.set_ylabel(y)


def legend(panel: Axes, **options: Any) -> None:
    """A legend without a frame; the options are those of `Axes.legend`."""
    panel.legend(**{"frameon": False, "fontsize": 9, **options})


def mark(
    panel: Axes, x: float, y: float, text: str, offset: tuple[float, float], color: str
) -> None:
    """Marks a point; a thin line joins it to a text at an offset, in typographic points."""
    panel.plot(x, y, color=color, zorder=5, **POINT)
    line = {"arrowstyle": "-", "color": GREY, "shrinkB": 5}
    where: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "va": "center"}
    panel.annotate(text, (x, y), xytext=offset, arrowprops=line, **where, **NOTE)


def scientific(value: float) -> str:
    """A number as two digits and a power of ten."""
    digits, _, power = f"{value:.1e}".partition("e")
    return rf"${digits}\times10^{{{int(power)}}}$"
