"""The trace of a descent: every point in a table, drawn over the curve or the contours."""

import csv
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor

from zoo.training.pictures import FolderCallback, keep


class DescentPictures(FolderCallback):
    """Writes `training_trace.png` and `training_trace.csv`, and shows the picture in W&B.

    The table has a row for each point, the start first: step, x1 ..., f; all digits.
    """

    trace: list[Tensor]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.trace = [_point(pl_module)]

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        self.trace.append(_point(pl_module))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        surface: Any = pl_module
        if trainer.is_global_zero:
            trace = torch.stack(self.trace).cpu()
            values = surface.value(trace)
            figure = Figure(figsize=(6, 4), layout="constrained")
            function = surface.function
            draw_trace(figure.subplots(), surface.value, function.shown, trace, function.formula)
            with self.writing():
                keep(trainer, self.folder, "training", {"trace": figure})
                write_trace(self.folder / "training_trace.csv", trace, values)


def _point(surface: Any) -> Tensor:
    return surface.point.detach().clone()


def write_trace(path: Path, trace: Tensor, values: Tensor) -> None:
    """Writes points (steps, dimensions) and their values (steps) as CSV, all digits."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        names = [f"x{i + 1}" for i in range(trace.shape[1])]
        writer.writerow(["step", *names, "f"])
        for step, (point, value) in enumerate(zip(trace, values, strict=True)):
            writer.writerow([step, *point.tolist(), value.item()])


def draw_trace(axis: Any, value: Any, shown: Any, trace: Tensor, formula: str) -> None:
    """Draws points (steps, dimensions) over the curve or the contours of a function.

    Args:
        axis: To draw on.
        value: The function, from (..., dimensions) to (...).
        shown: (low, high) of each variable; widened where the trace leaves it by little.
        trace: The points in order.
        formula: Of the function, for the title.
    """
    ranges = [_widened(limits, trace[:, i]) for i, limits in enumerate(shown)]
    lines = [torch.linspace(low, high, 201, dtype=trace.dtype) for low, high in ranges]
    style = {"color": "C1", "marker": "o", "markersize": 4, "linewidth": 1}
    if len(lines) == 1:
        axis.plot(lines[0], value(lines[0].unsqueeze(-1)))
        axis.plot(trace[:, 0], value(trace), **style)
        axis.set(xlabel="x", ylabel="f(x)")
    else:
        x, y = torch.meshgrid(*lines, indexing="xy")
        axis.contour(x, y, value(torch.stack([x, y], dim=-1)), levels=14, colors="C0", alpha=0.6)
        axis.plot(trace[:, 0], trace[:, 1], **style)
        axis.set(xlabel="x₁", ylabel="x₂", ylim=ranges[1])
    axis.set(title=f"{formula}, {len(trace) - 1} steps", xlim=ranges[0])
    axis.spines[["top", "right"]].set_visible(False)


def _widened(limits: tuple[float, float], values: Tensor) -> tuple[float, float]:
    """The limits, wider where finite values leave them, by their own width at the most."""
    low, high = limits
    width = high - low
    finite = values[values.isfinite()]
    if not len(finite):
        return low, high
    return (
        max(min(low, float(finite.min()) - width / 20), low - width),
        min(max(high, float(finite.max()) + width / 20), high + width),
    )
