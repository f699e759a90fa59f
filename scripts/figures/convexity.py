"""Topic 17: convex functions, and what makes other functions hard to minimise."""

from collections.abc import Callable
from math import pi
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon, Rectangle
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from scripts.figures.runs import Runs
from scripts.figures.style import BLUE, GREEN, GREY, INK, ORANGE, POINT, RED, blank, mark, sheet
from zoo.optimization.projections import project_ball, project_box, project_simplex

TOPIC = (17, "Convex optimization")


def _span(start: float, end: float, count: int = 601) -> Tensor:
    return torch.linspace(start, end, count, dtype=torch.float64)


def _expected(x: Tensor) -> Tensor:
    return x * torch.cos(pi * x)


def _empirical(x: Tensor) -> Tensor:
    return _expected(x) + 0.2 * torch.cos(5 * pi * x)


def risks(runs: Runs) -> Figure:
    """Empirical risk, which is minimised, against expected risk, which is meant.

    A finite sample makes the risk rougher than it is: the smallest empirical risk lies beside the
    smallest expected risk, and there are more valleys to be caught in.

    Made from the expected risk f(x) = x cos(πx) and the empirical risk g(x) = f(x) + 0.2 cos(5πx).
    """
    figure, (panel,) = sheet(1, 1, 4.3)
    x = _span(0.5, 1.5)
    for function, label, color, offset in (
        (_expected, "expected risk", BLUE, (0, 75)),
        (_empirical, "empirical risk", ORANGE, (0, -40)),
    ):
        y = function(x)
        panel.plot(x, y, color=color, linewidth=2, label=label)
        lowest = y.argmin()
        text = f"minimum of the\n{label}: x = {x[lowest]:.2f}"
        mark(panel, x[lowest].item(), y[lowest].item(), text, offset, color)
    panel.set(ylim=(-1.6, 0.2))
    panel.set(title="f(x) = x cos(πx) and g(x) = f(x) + 0.2 cos(5πx)", xlabel="x", ylabel="risk")
    panel.legend(loc="upper center")
    return figure


def minima(runs: Runs) -> Figure:
    """A local minimum is not the global one.

    At both marked points the gradient is zero and every step nearby leads up. Gradient descent
    that starts on the left stops at the local minimum.

    Made from f(x) = x cos(πx) for x in [-1, 2].
    """
    figure, (panel,) = sheet(1, 1, 4)
    x = _span(-1, 2)
    y = _expected(x)
    panel.plot(x, y, color=BLUE, linewidth=2)
    left, lowest = torch.where(x < 0.5, y, 9.0).argmin(), y.argmin()
    mark(panel, x[left].item(), y[left].item(), "local minimum", (0, -35), ORANGE)
    mark(panel, x[lowest].item(), y[lowest].item(), "global minimum", (0, -35), GREEN)
    panel.set(ylim=(-1.9, 2.1), title="f(x) = x cos(πx)", xlabel="x", ylabel="f(x)")
    return figure


def inflection(runs: Runs) -> Figure:
    """A gradient of zero where there is no minimum: the saddle point of a cubic.

    At x = 0 gradient and second derivative are zero, and yet the function falls on to the left.

    Made from f(x) = x³ and its derivative 3x².
    """
    figure, panels = sheet(1, 2, 3.7)
    x = _span(-2, 2)
    for panel, y, title, color in zip(
        panels, (x**3, 3 * x**2), ("f(x) = x³", "f'(x) = 3x²"), (BLUE, ORANGE), strict=True
    ):
        panel.axhline(0, color=GREY, linewidth=0.8)
        panel.plot(x, y, color=color, linewidth=2)
        panel.plot(0, 0, color=RED, **POINT)
        panel.set(title=title, xlabel="x")
    mark(panels[0], 0, 0, "saddle point", (45, -40), RED)
    return figure


def _surface(function: Callable[[Tensor, Tensor], Tensor], title: str) -> tuple[Figure, Any, Axes]:
    """The graph of a function of two variables on [-1, 1]², and its level sets beside it."""
    figure = blank(4.2)
    figure.set_layout_engine("none")  # it leaves no room for the title of a surface
    surface: Any = figure.add_axes((0.01, 0.0, 0.47, 0.98), projection="3d")
    levels = figure.add_axes((0.56, 0.14, 0.34, 0.74))
    x, y = torch.meshgrid(_span(-1, 1, 101), _span(-1, 1, 101), indexing="xy")
    z = function(x, y)
    surface.plot_surface(x, y, z, cmap="viridis", rstride=2, cstride=2, linewidth=0, alpha=0.95)
    surface.set(xticks=(-1, 0, 1), yticks=(-1, 0, 1), xlabel="x", ylabel="y")
    surface.zaxis.set_major_locator(MaxNLocator(4))
    surface.set_box_aspect((1, 1, 0.7), zoom=0.95)
    for axis in (surface.xaxis, surface.yaxis, surface.zaxis):
        axis.pane.set_facecolor("white")
        axis.set_tick_params(labelsize=9, pad=1)
    drawn = levels.contourf(x, y, z, levels=16, cmap="viridis")
    levels.contour(x, y, z, levels=16, colors="white", linewidths=0.5, linestyles="solid")
    scale = figure.add_axes((0.92, 0.14, 0.016, 0.74))
    figure.colorbar(drawn, cax=scale)
    scale.set(title="f")
    levels.set(xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    figure.text(0.03, 0.9, title, fontsize=11, color=INK)
    levels.set(title="its level sets", xlabel="x", ylabel="y")
    return figure, surface, levels


def saddle(runs: Runs) -> Figure:
    """A saddle: a minimum along one direction, a maximum along the other.

    At the origin the gradient is zero. Along x the function rises on both sides, along y it falls:
    the Hessian has one positive and one negative eigenvalue.

    Made from f(x, y) = x² - y².
    """
    figure, surface, levels = _surface(lambda x, y: x**2 - y**2, "f(x, y) = x² - y²")
    surface.plot([0], [0], [0], color=RED, zorder=9, **POINT)
    levels.plot(0, 0, color=RED, **POINT)
    return figure


def vanishing_gradient(runs: Runs) -> Figure:
    """Where tanh is flat, descent stands still.

    At x = 4 the gradient is little more than a thousandth of what it is at 0: a step there hardly
    moves, although the minimum is far away.

    Made from f(x) = tanh(x) and its derivative 1 - tanh²(x).
    """
    figure, (panel,) = sheet(1, 1, 4)
    x = _span(-2, 5)
    y = torch.tanh(x)
    panel.plot(x, y, color=BLUE, linewidth=2, label="tanh(x)")
    panel.plot(x, 1 - y**2, color=ORANGE, linewidth=2, label="its gradient")
    for place, offset in ((0.0, (75, -12)), (4.0, (0, -45))):
        height = torch.tanh(torch.tensor(place, dtype=torch.float64))
        text = f"gradient {1 - height**2:.2g} at x = {place:g}"
        mark(panel, place, height.item(), text, offset, RED)
    panel.set(title="f(x) = tanh(x)", xlabel="x")
    panel.legend(loc="lower right")
    return figure


def chords(runs: Runs) -> Figure:
    """A function is convex if every chord lies above its graph.

    The chord of the cosine runs below its graph in part: the function is not convex. The chords of
    the other two lie above, wherever they begin and end.

    Made from 0.5x², cos(πx) and exp(0.5x) for x in [-2, 2], and chords between two points of each.
    """
    figure, panels = sheet(1, 3, 3.5)
    x = _span(-2, 2)
    for panel, title, y, ends in zip(
        panels,
        ("convex: 0.5x²", "not convex: cos(πx)", "convex: exp(0.5x)"),
        (0.5 * x**2, torch.cos(pi * x), torch.exp(0.5 * x)),
        ((75, 450), (75, 450), (75, 450)),
        strict=True,
    ):
        panel.plot(x, y, color=BLUE, linewidth=2)
        color = RED if title.startswith("not") else GREEN
        panel.plot(x[list(ends)], y[list(ends)], color=color, **{**POINT, "ls": "-"})
        panel.set(title=title, xlabel="x")
    return figure


def bowl(runs: Runs) -> Figure:
    """A bowl in one direction, waves in the other: not convex as a whole.

    Every cut along x is a parabola. Along y the cosine makes two valleys, one on each side of the
    ridge, with minima (red) and a saddle (orange) between them.

    Made from f(x, y) = x² + 0.5 cos(2πy).
    """
    figure, _, levels = _surface(
        lambda x, y: x**2 + 0.5 * torch.cos(2 * pi * y), "f(x, y) = x² + 0.5 cos(2πy)"
    )
    levels.plot((0, 0), (-0.5, 0.5), color=RED, **POINT)
    levels.plot(0, 0, color=ORANGE, **POINT)
    return figure


def secant(runs: Runs) -> Figure:
    """Between a and b a convex function stays below the secant.

    Any x in between is λa + (1 - λ)b. There the graph, f(x), lies below the point of the secant,
    λf(a) + (1 - λ)f(b).

    Made from f(x) = 0.5x² + 0.5, a = -1.5, b = 2 and λ = 0.4.
    """
    figure, (panel,) = sheet(1, 1, 4.3)
    x = _span(-2.2, 2.5)
    a, b, share = -1.5, 2.0, 0.4

    def f(x: Any) -> Any:
        return 0.5 * x**2 + 0.5

    between = share * a + (1 - share) * b
    mixed = share * f(a) + (1 - share) * f(b)
    panel.plot(x, f(x), color=BLUE, linewidth=2, label="f")
    panel.plot((a, b), (f(a), f(b)), color=ORANGE, linewidth=2, label="secant")
    feet = (f(a), mixed, f(b))
    panel.vlines((a, between, b), 0, feet, color=GREY, linestyle="--", linewidth=1)
    mark(panel, a, f(a), "f(a)", (-28, -4), BLUE)
    mark(panel, b, f(b), "f(b)", (30, -8), BLUE)
    mark(panel, between, mixed, "λ f(a) + (1 - λ) f(b)", (-60, 22), ORANGE)
    mark(panel, between, f(between), "f(λa + (1 - λ)b)", (75, -14), BLUE)
    panel.set_ylim(0, 3.6)
    panel.set_xticks((a, between, b), ("a", "x = λa + (1 - λ)b", "b"))
    panel.set_yticks(())
    panel.grid(visible=False)
    panel.spines["left"].set_visible(False)
    panel.set(title="a convex function and its secant")
    panel.legend(loc="upper center")
    return figure


def jensen(runs: Runs) -> Figure:
    """Jensen's inequality: the mean of a convex function is at least the function of the mean.

    The function lifts samples on the right more than it lowers those on the left: E f(X) lies above
    f(E X), and the more so the wider the samples spread.

    Made from f(x) = exp(0.5x) and 2,000 samples of normal distributions with mean 1: 1,000 and
    their mirror images.
    """
    figure, (samples, gap) = sheet(1, 2, 4.2)
    generator = torch.Generator().manual_seed(0)
    half = torch.randn(1000, generator=generator, dtype=torch.float64)
    normal = torch.cat([half, -half])

    def f(x: Tensor) -> Tensor:
        return torch.exp(0.5 * x)

    x = _span(-4, 5.5)
    drawn = 1 + 2 * normal
    samples.plot(x, f(x), color=BLUE, linewidth=2)
    some = drawn[:200]
    samples.vlines(some, 0, 0.25, color=BLUE, alpha=0.35, linewidth=0.8)
    samples.hlines(f(some), -4, -3.75, color=BLUE, alpha=0.35, linewidth=0.8)
    mean = drawn.mean().item()
    samples.vlines(mean, 0, f(drawn).mean().item(), color=GREY, linestyle="--", linewidth=1)
    for height, text, offset, color in (
        (f(drawn).mean().item(), "E f(X)", (-50, 22), ORANGE),
        (f(drawn.mean()).item(), "f(E X)", (45, -16), GREEN),
    ):
        samples.hlines(height, -4, mean, color=color, linestyle="--", linewidth=1)
        mark(samples, mean, height, text, offset, color)
    samples.set(xlim=(-4, 5.5), ylim=(0, 8))
    samples.set(title="samples of N(1, 2²) on both axes", xlabel="x", ylabel="f(x)")

    spreads = _span(0, 2, 41)
    spread = 1 + spreads.unsqueeze(1) * normal
    gap.plot(spreads, f(spread).mean(dim=1), color=ORANGE, linewidth=2, label="E f(X)")
    gap.plot(spreads, f(spread.mean(dim=1)), color=GREEN, linewidth=2, label="f(E X)")
    gap.set(title="the wider the samples, the larger the gap", xlabel="standard deviation of X")
    gap.legend(loc="upper left")
    return figure


def projections(runs: Runs) -> Figure:
    """Projections: the nearest point of a ball, of a box, of a simplex.

    Points inside stay where they are. Points outside go straight to the boundary: to the centre of
    the ball until they touch it, to a side or a corner of the box, to the segment or its ends.

    Made from 40 points of N(0, 1.2²) by `zoo.optimization.projections`: the ball of radius 1, the
    box [-1, 1]², the simplex x + y = 1 with x, y ≥ 0.
    """
    figure, panels = sheet(1, 3, 3.5, sharex=True, sharey=True)
    generator = torch.Generator().manual_seed(3)
    points = 1.2 * torch.randn(40, 2, generator=generator)
    fill = {"facecolor": BLUE, "edgecolor": BLUE, "alpha": 0.18, "linewidth": 2}
    for panel, title, shape, nearest in zip(
        panels,
        ("ball of radius 1", "box [-1, 1]²", "simplex: x + y = 1"),
        (Circle((0, 0), 1), Rectangle((-1, -1), 2, 2), Polygon([(1, 0), (0, 1)])),
        (project_ball(points), project_box(points, -1.0, 1.0), project_simplex(points)),
        strict=True,
    ):
        shape.set(**fill)
        panel.add_patch(shape)
        moves = nearest - points
        moved = moves.norm(dim=1) > 0
        panel.quiver(
            *points[moved].T,
            *moves[moved].T,
            angles="xy",
            scale_units="xy",
            scale=1,
            color=GREY,
            width=0.006,
        )
        panel.plot(*points.T, color=ORANGE, alpha=0.8, **{**POINT, "ms": 4, "mec": "none"})
        panel.plot(*nearest.T, color=GREEN, **{**POINT, "ms": 5})
        panel.set(xlim=(-3.2, 3.2), ylim=(-3.2, 3.2))
        panel.set_aspect("equal", anchor="NW")
        panel.set(title=title, xlabel="x", ylabel="" if panel is not panels[0] else "y")
    return figure
