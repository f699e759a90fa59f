"""Topic 18: gradient descent, seen step by step; how much of the data each step should see."""

import csv
from itertools import pairwise
from math import exp
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Patch, Polygon, Rectangle
from torch import Tensor

from datamodules.airfoil import Airfoil
from scripts.figures.runs import Runs
from scripts.figures.style import BLUE, GREEN, GREY, NOTE, ORANGE, POINT, PURPLE, RED, mark, sheet
from zoo.optimization.functions import FUNCTIONS
from zoo.optimization.pictures import draw_trace
from zoo.regression.linear_regression import least_squares

TOPIC = (18, "Gradient descent")
PLAIN: dict[str, Any] = {"facecolor": "white", "edgecolor": "none", "alpha": 0.9, "pad": 2}
Limits = tuple[tuple[float, float], ...]


def trace_of(run: Path) -> Tensor:
    """The points of a descent, the start first, in float64: (1 + steps, variables)."""
    with (run / "pictures" / "training_trace.csv").open(encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file)
    points = [[float(cell) for cell in coordinates] for _, *coordinates, _ in rows]
    return torch.tensor(points, dtype=torch.float64)


def value(function: str, points: Tensor) -> Tensor:
    """A function of the course at points (..., variables) -> (...)."""
    return FUNCTIONS[function].value(*points.unbind(-1))


def descend(runs: Runs, recipe: str, *overrides: str, **arguments: object) -> Tensor:
    """Trains a recipe of a descent; returns its trace.

    Args:
        runs: Runs of recipes.
        recipe: Recipe without its corpus.
        overrides: Options of the command.
        arguments: Arguments of the model, and `lr` and `num_steps`.
    """
    places = {"lr": "model.optimizer.lr", "num_steps": "data.num_steps"}
    given = {places.get(name, f"model.{name}"): value for name, value in arguments.items()}
    options = [f"--{place}={value}" for place, value in given.items()]
    return trace_of(runs.fit(f"{recipe}-gradient_noise", *options, *overrides))


def draw_descent(
    panel: Axes, function: str, trace: Tensor, title: str, shown: Limits | None = None
) -> None:
    """Draws a trace over the curve or the contours of its function, in the colours of the page.

    Args:
        panel: Panel to draw on.
        function: Name in `FUNCTIONS`.
        trace: Points in order, (1 + steps, variables).
        title: Title of the panel.
        shown: (low, high) of each variable, by default the function's own.
    """
    limits = shown or FUNCTIONS[function].shown
    draw_trace(panel, lambda points: value(function, points), limits, trace, title)
    panel.set_title(title)
    panel.lines[0].set_color(BLUE)  # the curve, where there is one
    panel.lines[-1].set_color(ORANGE)
    for levels in panel.collections:
        levels.set(linewidth=0.9, linestyle="solid")


def note_end(panel: Axes, trace: Tensor) -> None:
    """Writes above a curve where a descent of one variable ended."""
    low, high = panel.get_ylim()
    panel.set_ylim(low, high + 0.15 * (high - low))
    end = f"after {len(trace) - 1} steps: x = {trace[-1].item():.3g}"
    panel.text(0.5, 0.94, end, transform=panel.transAxes, ha="center", bbox=PLAIN, **NOTE)


def learning_rates(runs: Runs) -> Figure:
    """The learning rate: too small, right, too large.

    A small rate is still on its way after ten steps. A larger one arrives. Above 1 each step lands
    farther from the minimum than it began: descent diverges.

    Made from runs of `surface_parabola-gradient_noise`: ten steps on x² from x = 10 with
    `--model.optimizer.lr` 0.05, 0.2 and 1.1.
    """
    figure, panels = sheet(1, 3, 3.7)
    for panel, lr in zip(panels, (0.05, 0.2, 1.1), strict=True):
        trace = descend(runs, "surface_parabola", lr=lr)
        draw_descent(panel, "parabola", trace, f"learning rate {lr}")
        if lr > 1:
            panel.set_ylim(-40, 1150)  # the last steps lie far above
        note_end(panel, trace)
    return figure


def local_minimum(runs: Runs) -> Figure:
    """Descent ends in a local minimum, and does not know that there is a lower one.

    The first step leaps over the deep valley beside the start. The next ones land in a shallow
    valley on the left and swing to and fro in it, ever less.

    Made from a run of `surface_waves-gradient_noise`: ten steps of rate 2 from x = 10.
    """
    figure, (panel,) = sheet(1, 1, 4)
    trace = descend(runs, "surface_waves")
    draw_descent(panel, "waves", trace, "x cos(0.15πx), learning rate 2")
    end = trace[-1].item()
    text = f"after 10 steps:\nx = {end:.3f}"
    mark(panel, end, value("waves", trace[-1]).item(), text, (0, -45), ORANGE)
    mark(panel, 10, value("waves", trace[0]).item(), "start", (-25, 22), ORANGE)
    x = torch.linspace(*FUNCTIONS["waves"].shown[0], 2201, dtype=torch.float64)
    lowest = x[value("waves", x.unsqueeze(1)).argmin()]
    text = f"global minimum:\nx = {lowest:.3f}"
    mark(panel, lowest.item(), value("waves", lowest.unsqueeze(0)).item(), text, (-95, 4), GREEN)
    return figure


def two_variables(runs: Runs) -> Figure:
    """In two variables each step is perpendicular to the contour it starts from.

    Where the function is steeper descent arrives first: x₂, whose gradient is twice as large, is
    nearly 0 after a few steps, while x₁ is still on its way.

    Made from a run of `surface-gradient_noise`: 20 steps of rate 0.1 from (-5, -2).
    """
    figure, (panel,) = sheet(1, 1, 4.3)
    trace = descend(runs, "surface")
    shown = ((-5.5, 1.5), (-2.4, 0.8))
    draw_descent(panel, "ellipse", trace, "x₁² + 2x₂², learning rate 0.1", shown)
    panel.set_aspect("equal", anchor="NW")
    x, y = trace[-1].tolist()
    mark(panel, -5, -2, "start (-5, -2)", (62, -6), RED)
    mark(panel, x, y, f"after 20 steps\n({x:.4f}, {y:.5f})", (20, -45), GREEN)
    return figure


def newton(runs: Runs) -> Figure:
    """Newton's method: fast where the function is convex, astray where it is not.

    On cosh(0.5x) a few steps suffice. On the waves the second step begins where the second
    derivative is nearly 0 and is thrown far away, to where it is negative: there Newton's method
    climbs, and it ends on a maximum. Half steps stay where the function is convex, and arrive.

    Made from runs of `surface_newton-gradient_noise`: ten steps from x = 10, with
    `--model.function` cosh and waves, and `--model.optimizer.lr` 1 and 0.5.
    """
    figure, panels = sheet(1, 3, 3.7)
    ways = (
        ("cosh(0.5x)", "cosh", 1.0),
        ("x cos(0.15πx)", "waves", 1.0),
        ("x cos(0.15πx), half steps", "waves", 0.5),
    )
    for panel, (title, function, lr) in zip(panels, ways, strict=True):
        trace = descend(runs, "surface_newton", function=function, lr=lr)
        draw_descent(panel, function, trace, title)
        note_end(panel, trace)
    return figure


def noise(runs: Runs) -> Figure:
    """A noisy gradient: the learning rate has to fall, but not too soon.

    With a constant rate the point never rests. With one that falls exponentially it stops before
    it arrives. A rate that falls with the root of time comes near and grows calm.

    Made from runs of `surface_stochastic-gradient_noise`: 200 steps from (-5, -2) with noise
    N(0, 1) on each derivative, rates of 0.1, 0.1 exp(-0.1t) and 0.1 / √(1 + 0.1t).
    """
    figure, panels = sheet(2, 3, 5.6, sharey="row", height_ratios=(1.2, 1))
    exponential = "torch.optim.lr_scheduler.ExponentialLR"
    falling = f"--model.lr_scheduler.gamma={exp(-0.1)}"
    decays: tuple[tuple[str, tuple[str, ...]], ...] = (
        ("constant rate", ("--model.lr_scheduler=null",)),
        ("exponential decay", (f"--model.lr_scheduler={exponential}", falling)),
        ("decay by the root of time", ()),
    )
    for column, (title, overrides) in enumerate(decays):
        upper, lower = panels[column::3]
        trace = descend(runs, "surface_stochastic", *overrides, num_steps=200)
        draw_descent(upper, "ellipse", trace, title)
        upper.lines[-1].set(linewidth=0.7, markersize=2.5)
        upper.plot(*trace[-1], color=GREEN, zorder=5, **POINT)
        lower.plot(value("ellipse", trace), color=ORANGE, linewidth=1)
        lower.set(yscale="log", ylim=(3e-5, 100), xlabel="step")
        lower.set_ylabel("" if column else "x₁² + 2x₂²")
        upper.set_ylabel("" if column else "x₂")
    return figure


def projected_descent(runs: Runs) -> Figure:
    """Projected descent: a step may leave the set, and goes to its nearest point.

    The grey lines are steps that would leave the set, and the ways back. In the ball descent slides
    along the edge to the lowest point, in the box along a side into the corner, on the simplex to
    the point where a contour touches it.

    Made from runs of `surface_projected-gradient_noise` with `--model.within` ball, box and
    simplex: x₁² + 0.5 cos(2πx₂) in the ball of radius 0.4 at rate 0.04, and at rate 0.1 x₁² + 2x₂²
    in the box [0.5, 1.5]², and where x₁ + x₂ = 1 with x₁, x₂ ≥ 0.
    """
    figure, panels = sheet(1, 3, 3.15)
    sets: tuple[tuple[str, Patch, str, float, Limits, dict[str, Any]], ...] = (
        (
            *("in a ball", Circle((0, 0), 0.4), "bowl", 0.04, ((-0.6, 0.6), (-0.6, 0.6))),
            {"within": "ball", "radius": 0.4, "start": [-0.35, 0.1]},
        ),
        (
            *("in a box", Rectangle((0.5, 0.5), 1, 1), "ellipse", 0.1, ((0.0, 2.0), (0.0, 2.0))),
            {"within": "box", "low": 0.5, "high": 1.5, "start": [1.4, 1.3]},
        ),
        (
            *("on a simplex", Polygon([(1, 0), (0, 1)], closed=False), "ellipse", 0.1),
            *(((-0.3, 1.3), (-0.3, 1.3)), {"within": "simplex", "start": [0, 1]}),
        ),
    )
    for panel, (title, shape, function, lr, shown, given) in zip(panels, sets, strict=True):
        trace = descend(runs, "surface_projected", function=function, lr=lr, **given)
        draw_descent(panel, function, trace, title, shown)
        shape.set(facecolor=(PURPLE, 0.12), edgecolor=PURPLE, linewidth=1.5)
        panel.add_patch(shape)
        for point, projection in pairwise(trace):
            variables = point.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(value(function, variables), variables)
            step = point - lr * gradient
            if not torch.allclose(step, projection):
                way = torch.stack([point, step, projection])
                panel.plot(*way.T, color=GREY, linewidth=0.8, zorder=1.5)
        panel.plot(*trace[-1], color=GREEN, zorder=5, **POINT)
        panel.set(xlim=shown[0], ylim=shown[1])
        panel.set_aspect("equal", anchor="NW")
    return figure


def starts(runs: Runs) -> Figure:
    """Where descent ends depends on where it starts.

    On the axis of a saddle the gradient never leaves the axis, and descent stops at the saddle; a
    hundredth beside it is enough to escape. In the bowl the ridge in the middle decides which of
    the two minima is found, and a start on the ridge finds neither.

    Made from runs of `surface-gradient_noise`: x₁² - x₂², 26 steps of rate 0.1 from (-1, 0) and
    (-1, 0.01), and x₁² + 0.5 cos(2πx₂), 60 steps of rate 0.04 from seven points.
    """
    figure, panels = sheet(1, 2, 4.4)

    line: dict[str, Any] = {"marker": "o", "ms": 3.5, "linewidth": 1}
    left, right = panels
    for start, color in (((-1.0, 0.0), RED), ((-1.0, 0.01), GREEN)):
        given = {"function": "saddle", "start": list(start), "lr": 0.1, "num_steps": 26}
        trace = descend(runs, "surface", **given)
        if not left.lines:
            draw_descent(left, "saddle", trace[:1], "a saddle: x₁² - x₂²")
        left.plot(*trace.T, color=color, label="from ({:g}, {:g})".format(*start), **line)
    left.legend(loc="lower right", frameon=True, edgecolor="none", framealpha=0.9)
    upper, lower = ((-0.9, 0.1), (-0.8, 0.9), (0.7, 0.7)), ((0.9, -0.1), (-0.7, -0.9), (0.8, -0.6))
    for start in (*upper, *lower, (0.8, 0.0)):
        given = {"function": "bowl", "start": list(start), "lr": 0.04, "num_steps": 60}
        trace = descend(runs, "surface", **given)
        if not right.lines:
            draw_descent(right, "bowl", trace[:1], "a bowl with a ridge: x₁² + 0.5cos(2πx₂)")
        end = trace[-1, 1].item()
        color = RED if abs(end) < 0.1 else BLUE if end < 0 else ORANGE
        right.plot(*trace.T, color=color, **line)
    return figure


class Clock(Callback):
    """Logs `val/seconds`, the time spent in training, beside each validation's loss."""

    def __init__(self) -> None:
        self.seconds = self.since = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.seconds, self.since = 0.0, perf_counter()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.seconds += perf_counter() - self.since
        pl_module.log("val/seconds", self.seconds)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.since = perf_counter()


def airfoil() -> tuple[tuple[str, ...], str]:
    """The overrides with which recipes train on airfoil noise, and words for what that is.

    The real corpus where it lies under $ZOO_DATA, else its stand-in.
    """
    if Airfoil().files_exist:
        return (), "airfoil noise, 1,500 rows"
    return ("--data.synthetic=true",), "synthetic stand-in of airfoil noise"


def least_loss(overrides: tuple[str, ...]) -> float:
    """The lowest loss of a linear regression on airfoil noise, from the closed form."""
    corpus = Airfoil(measure_on="training", num_rows=1500, synthetic=bool(overrides))
    features, targets = (tensor.double() for tensor in corpus.read("train").tensors)
    standard = (targets - corpus.target_mean) / corpus.target_std
    weights, bias = least_squares(features, standard)
    return (features @ weights + bias - standard).square().mean().item() / 2


def batch_sizes(runs: Runs) -> Figure:
    """How many rows a step should see.

    Counted in epochs, the smaller the batch the sooner the loss is low, for there are more steps.
    Counted in seconds single rows are the slowest, as a step costs nearly the same whether it sees
    one row or a hundred. On a table as small as this all rows at once are as quick as a hundred;
    without noise they alone come to rest at the lowest loss (dashed).

    Made from runs of `linear_regression-airfoil` on the real corpus, or its stand-in where it is
    not there (the title says which), with batches of 1, 10, 100 and 1,500 rows at rates of 0.005,
    0.05, 0.4 and 0.9. Seconds are those of the training loop with one thread, without the
    validations: the clock, a callback that `--trainer.callbacks` adds, stops meanwhile.
    """
    figure, (left, right) = sheet(1, 2, 4.2, sharey=True)
    overrides, corpus = airfoil()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for rows, lr, epochs, every, color in (
            (1, 0.005, 2, 0.25, RED),
            (10, 0.05, 4, 0.25, ORANGE),
            (100, 0.4, 8, 0.5, GREEN),
            (1500, 0.9, 12, 1.0, BLUE),
        ):
            run = runs.fit(
                "linear_regression-airfoil",
                f"--data.batch_size={rows}",
                f"--model.optimizer.lr={lr}",
                f"--trainer.max_epochs={epochs}",
                f"--trainer.val_check_interval={every}",
                f"--trainer.callbacks+={Clock.__module__}.{Clock.__qualname__}",
                "--trainer.enable_checkpointing=false",
                *overrides,
            )
            lines = [line for line in runs.metrics(run) if "val/seconds" in line]
            losses = [line["val/loss"] for line in lines]
            label = "1 row" if rows == 1 else f"{rows:,} rows"
            epochs_done = [every * (number + 1) for number in range(len(lines))]
            seconds = [line["val/seconds"] for line in lines]
            for panel, places in ((left, epochs_done), (right, seconds)):
                panel.plot(places, losses, color=color, marker="o", ms=4, label=label)
    finally:
        torch.set_num_threads(threads)
    for panel in (left, right):
        panel.axhline(least_loss(overrides), color=GREY, linewidth=1, linestyle="--")
    right.set_xscale("log")
    left.set(title=corpus, xlabel="epoch", ylabel="loss")
    right.set(title="the same, by time", xlabel="seconds")
    right.legend(title="in a batch", alignment="left")
    return figure
