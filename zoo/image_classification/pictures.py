"""Pictures of what a classifier sees: a grid of predictions and the confusion matrix."""

from math import ceil
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor

from zoo.training.corpus import LabelledPictures, corpus_of
from zoo.training.pictures import ConfusionPictures

GRID = (5, 8)


class ClassificationPictures(ConfusionPictures):
    """Writes `<stage>_confusion.png` and `<stage>_predictions.png`.

    Does nothing where the corpus does not name its labels, and leaves out the predictions where
    batches hold features instead of pictures or the corpus does not denormalise.
    """

    shown: list[tuple[Tensor, ...]]  # picture, label, prediction
    room: list[int]  # for how many more of each class

    def reset(self, trainer: Trainer, model: LightningModule) -> None:
        super().reset(trainer, model)
        self.shown = []
        self.room = [ceil(GRID[0] * GRID[1] / len(self.names)) for _ in self.names]

    def update(self, batch: tuple[Tensor, ...], predictions: Tensor) -> None:
        super().update(batch, predictions)
        images, labels = batch
        if self.room and images.ndim == 4 and len(self.shown) < GRID[0] * GRID[1]:
            for row, label in enumerate(labels.tolist()):
                if self.room[label]:  # rows may come class by class
                    self.room[label] -= 1
                    kept = (images[row], labels[row], predictions[row])
                    self.shown.append(tuple(tensor.clone() for tensor in kept))

    def draw(self, trainer: Trainer, model: LightningModule) -> dict[str, Figure]:
        figures = super().draw(trainer, model)
        corpus = corpus_of(trainer, LabelledPictures)
        if figures and self.shown and corpus:
            images, labels, predictions = (
                torch.stack(column).cpu() for column in zip(*self.shown, strict=True)
            )
            pictures = corpus.denormalise(images)
            figures["predictions"] = draw_predictions(pictures, labels, predictions, self.names)
        return figures


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
