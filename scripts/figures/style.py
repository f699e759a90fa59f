"""What every figure has: few colours, panels as page.mplstyle has them, marks."""

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Ten points of text are fourteen pixels where the page shows a figure at its 900.
WIDTH, DPI = 9.0, 150
INK, GREY = "#22262b", "#9aa0a8"
COLORS = "#2f6fb0", "#dd7a35", "#3a9a6d", "#bf3b3b", "#7b5ea7"
BLUE, ORANGE, GREEN, RED, PURPLE = COLORS
NOTE: dict[str, Any] = {"fontsize": 9, "color": INK}
POINT: dict[str, Any] = {"marker": "o", "ms": 7, "mec": "white", "ls": "none"}
SHEET = Path(__file__).with_name("page.mplstyle")  # within which figures are drawn


def blank(height: float) -> Figure:
    """Returns an empty figure as wide as the page, of a height in inches."""
    return Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained")


def sheet(rows: int, columns: int, height: float, **options: Any) -> tuple[Figure, list[Axes]]:
    """Returns a figure of panels, row by row; the options are those of `Figure.subplots`."""
    figure = blank(height)
    return figure, list(figure.subplots(rows, columns, squeeze=False, **options).ravel())


def mark(
    panel: Axes, x: float, y: float, text: str, offset: tuple[float, float], color: str
) -> None:
    """Marks a point; a thin line joins it to a text at an offset, in typographic points."""
    panel.plot(x, y, color=color, zorder=5, **POINT)
    line = {"arrowstyle": "-", "color": GREY, "shrinkB": 5}
    where: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "va": "center"}
    panel.annotate(text, (x, y), xytext=offset, arrowprops=line, **where, **NOTE)
