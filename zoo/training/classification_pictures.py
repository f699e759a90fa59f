"""Pictures of what a classifier sees: a grid of predictions and the confusion matrix."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor
from torchmetrics.classification import MulticlassConfusionMatrix

from zoo.training.pictures import keep

GRID = (5, 8)


class ClassificationPictures(Callback):
    """Draws, after training on the validation and after testing on the test pictures.

    Writes `<stage>_predictions.png` and `<stage>_confusion.png`, and shows them in W&B. Does
    nothing where the corpus does not name its labels.

    Args:
        folder: Where the pictures go.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.confusion: MulticlassConfusionMatrix | None = None
        self.shown: tuple[Tensor, ...] = ()

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        labels = getattr(getattr(trainer, "datamodule", None), "labels", None)
        self.shown = ()
        if labels:
            self.confusion = MulticlassConfusionMatrix(len(labels)).to(pl_module.device)

    on_test_epoch_start = on_validation_epoch_start

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if self.confusion is None or outputs is None:
            return
        images, labels = batch
        self.confusion.update(outputs["predictions"], labels)
        if not self.shown:
            count = GRID[0] * GRID[1]
            self.shown = (images[:count], labels[:count], outputs["predictions"][:count])

    on_test_batch_end = on_validation_batch_end

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._draw(trainer, "validation")

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._draw(trainer, "test")

    def _draw(self, trainer: Trainer, stage: str) -> None:
        if self.confusion is None:
            return
        counts = self.confusion.compute().cpu()  # every rank takes part in the sum
        if trainer.is_global_zero and self.shown:
            corpus: Any = trainer.datamodule  # type: ignore[attr-defined]
            images, labels, predictions = (tensor.cpu() for tensor in self.shown)
            figures = {
                "predictions": draw_predictions(
                    corpus.denormalise(images), labels, predictions, corpus.labels
                ),
                "confusion": draw_confusion(counts, corpus.labels),
            }
            keep(trainer, self.folder, stage, figures)
        self.confusion = None


def draw_predictions(
    images: Tensor, labels: Tensor, predictions: Tensor, names: tuple[str, ...]
) -> Figure:
    """A grid of pictures (batch, channels, height, width) in [0, 1]; mistakes in red."""
    rows, columns = GRID
    figure = Figure(figsize=(columns * 1.3, rows * 1.55), layout="constrained")
    axes = figure.subplots(rows, columns).ravel()
    for axis in axes:
        axis.set_axis_off()
    for axis, image, label, prediction in zip(axes, images, labels, predictions, strict=False):
        show(axis, image)
        right = label == prediction
        title = f"\n{names[label]}" if right else f"{names[prediction]}\nnot {names[label]}"
        axis.set_title(title, fontsize=8, color="black" if right else "firebrick")
    return figure


def show(axis: Any, image: Tensor) -> None:
    """Shows one picture (channels, height, width) in [0, 1]."""
    grey = len(image) == 1
    axis.imshow(image[0] if grey else image.movedim(0, -1), cmap="gray", vmin=0, vmax=1)


def draw_confusion(counts: Tensor, names: tuple[str, ...]) -> Figure:
    """Rows are the true classes, columns the predicted ones; shade is the share of the row."""
    size = 1.8 + 0.5 * len(names)
    figure = Figure(figsize=(size, size), layout="constrained")
    axis = figure.subplots()
    shares = counts / counts.sum(dim=1, keepdim=True).clamp(min=1)
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    ticks = range(len(names))
    axis.set_xticks(ticks, names, rotation=45, ha="right")
    axis.set_yticks(ticks, names)
    axis.set_xlabel("predicted")
    axis.set_ylabel("true")
    for row, column in torch.nonzero(counts).tolist() if len(names) <= 20 else ():
        color = "white" if shares[row, column] > 0.5 else "black"
        count = str(int(counts[row, column]))
        axis.text(column, row, count, ha="center", va="center", fontsize=8, color=color)
    return figure
