"""The learning curves of runs as numbers: what a picture of them shows, however it is drawn."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite, nan
from statistics import mean, stdev
from typing import Literal

from zoo.runs.comparison.table import Group
from zoo.runs.history import Run, metric_names

SPREAD = 100  # of values, from which on they are shown by their logarithms
STAGES: tuple[Literal["train", "val"], ...] = ("train", "val")


@dataclass
class Curve:
    """One line in a panel.

    Attributes:
        subject: FilePath of its run or group among those compared.
        stage: Of the metric.
        x: Epochs, or steps.
        y: Values; of a group their means.
        spread: Standard deviations of a group's values, else none.
        faint: Whether it is one of the runs of a group, behind their mean.
    """

    subject: int
    stage: Literal["train", "val"]
    x: list[float]
    y: list[float]
    spread: list[float] = field(default_factory=list)
    faint: bool = False


@dataclass
class Panel:
    """All curves of one quantity.

    Attributes:
        quantity: Its name, without the stage.
        unit: Of x: epoch, or step where some run has not finished an epoch.
        curves: In the order in which they are drawn.
    """

    quantity: str
    unit: Literal["epoch", "step"]
    curves: list[Curve]

    @property
    def logarithmic(self) -> bool:
        """Whether values that are all positive spread so far that most would lie on the axis."""
        heights = [y for curve in self.curves for y in curve.y if isfinite(y)]
        return bool(heights) and 0 < SPREAD * min(heights) < max(heights)


def panels(runs: Sequence[Run], groups: Sequence[Group]) -> list[Panel]:
    """A panel a quantity, losses first; training and validation, a mean and its runs a group."""
    names = metric_names(runs)
    logged = {n.rpartition("/")[2].removesuffix("_epoch") for n in names if n[:5] != "test/"}
    found = sorted(logged, key=lambda name: (not name.startswith("loss"), name))
    by_epoch = all(run.steps_per_epoch for run in runs)
    return [
        Panel(
            quantity,
            "epoch" if by_epoch else "step",
            [
                curve
                for subject, group in enumerate(groups)
                for curve in _curves([runs[i] for i in group.members], subject, quantity, by_epoch)
            ],
        )
        for quantity in found
    ]


def _curves(runs: list[Run], subject: int, quantity: str, by_epoch: bool) -> list[Curve]:
    curves = []
    for stage in STAGES:
        single = [_curve(run, subject, stage, quantity, by_epoch) for run in runs]
        if len(runs) == 1:
            curves += single
            continue
        for curve in single:
            curve.faint = True
        average = _averaged(single)
        if stage == "train":
            average.spread = []  # two bands would hide each other
        curves += [*(single if stage == "val" else []), average]
    return [curve for curve in curves if curve.x]


def _curve(
    run: Run, subject: int, stage: Literal["train", "val"], quantity: str, by_epoch: bool
) -> Curve:
    # Windows may be longer than epochs: the finer of the two. A rate belongs to no stage.
    names = [f"{stage}/{quantity}", f"{stage}/{quantity}_epoch"]
    names += [quantity] if stage == "train" else []
    name = max(names, key=lambda name: len(run.logged(name)))
    lines = run.logged(name)
    per_epoch = (run.steps_per_epoch if by_epoch else None) or 1.0
    steps = [(line["step"] + 1) / per_epoch for line in lines]
    return Curve(subject, stage, steps, [line[name] for line in lines])


def _averaged(curves: list[Curve]) -> Curve:
    """Mean and standard deviation where at least two of the runs have a value."""
    values: dict[float, list[float]] = {}
    for curve in curves:
        for x, y in dict(zip(curve.x, curve.y, strict=True)).items():
            values.setdefault(x, []).append(y)
    shared = sorted(x for x, heights in values.items() if len(heights) > 1)
    finite = {x: all(isfinite(y) for y in values[x]) for x in shared}
    means = [mean(values[x]) if finite[x] else nan for x in shared]
    spreads = [stdev(values[x]) if finite[x] else nan for x in shared]
    return Curve(curves[0].subject, curves[0].stage, shared, means, spreads)
