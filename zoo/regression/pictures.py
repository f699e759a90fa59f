"""What a regression did, drawn: the fitted curve, or predictions against the truth."""

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor

from zoo.training.pictures import EvaluationPictures

MOST = 2_000  # points in a picture


class RegressionPictures(EvaluationPictures):
    """Writes `<stage>_predictions.png`."""

    rows: tuple[tuple[Tensor, ...], ...] = ()

    def reset(self, trainer: Trainer, model: LightningModule) -> None:
        self.rows = ()

    def update(self, batch: tuple[Tensor, Tensor], predictions: Tensor) -> None:
        if sum(len(shown) for _, _, shown in self.rows) < MOST:
            self.rows += ((*batch, predictions),)

    def draw(self, trainer: Trainer, model: LightningModule) -> dict[str, Figure]:
        if not (self.rows and trainer.is_global_zero):
            return {}
        columns = (torch.cat(part).cpu().float() for part in zip(*self.rows, strict=True))
        features, targets, predictions = columns
        if features.shape[1] > 1:
            return {"predictions": draw_predictions(targets, predictions)}
        x = features.squeeze(1)
        line = torch.linspace(x.min(), x.max(), 200)
        return {"predictions": draw_fit(x, targets, line, _curve(model, line))}


def draw_predictions(targets: Tensor, predictions: Tensor) -> Figure:
    """Predictions against the truth, each (rows): on the diagonal where they are right."""
    figure = Figure(figsize=(5, 5), layout="constrained")
    axis = figure.subplots()
    axis.scatter(targets, predictions, s=9, alpha=0.5, edgecolors="none")
    low, high = float(targets.min()), float(targets.max())
    axis.plot([low, high], [low, high], color="0.5", linewidth=1, zorder=0)
    axis.set(xlabel="target", ylabel="prediction")
    return _plain(figure)


def _curve(model: Any, line: Tensor) -> Tensor:
    """What a model makes of numbers (points), as it does in evaluation."""
    training = model.training
    column = line.unsqueeze(1).to(model.device, model.dtype)
    with torch.no_grad():
        predictions = model.eval().predict_step((column, None), 0)
    model.train(training)
    return predictions.cpu().float()


def draw_fit(x: Tensor, targets: Tensor, line: Tensor, curve: Tensor) -> Figure:
    """The fitted curve (points) along a line (points), over the rows' points (rows)."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axis = figure.subplots()
    axis.scatter(x, targets, s=14, alpha=0.6, edgecolors="none", label="rows")
    axis.plot(line, curve, color="C1", label="fit")
    axis.set(xlabel="x", ylabel="y")
    axis.legend(frameon=False)
    return _plain(figure)


def _plain(figure: Figure) -> Figure:
    for axis in figure.axes:
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    return figure
