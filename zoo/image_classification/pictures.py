"""Pictures of what a classifier sees: a grid of predictions and the confusion matrix."""

from math import ceil
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor
from torchmetrics.classification import MulticlassConfusionMatrix

from zoo.training.corpus import LabelledPictures, WithLabels, corpus_of
from zoo.training.pictures import EvaluationPictures, draw_confusion

GRID = (5, 8)


class ClassificationPictures(EvaluationPictures):
    """Writes `<stage>_predictions.png` and `<stage>_confusion.png`.

    Does nothing where the corpus does not name its labels, and leaves out the predictions where
    batches hold features instead of pictures or the corpus does not denormalise.
    """

    names: tuple[str, ...]  # of the classes
    confusion: MulticlassConfusionMatrix | None = None
    shown: list[tuple[Tensor, ...]]  # picture, label, prediction
    room: list[int]  # for how many more of each class

    def begin(self, trainer: Trainer, model: LightningModule) -> None:
        corpus = corpus_of(trainer, WithLabels)
        self.shown, self.room = [], []
        if corpus and (labels := corpus.labels):
            self.names = tuple(labels)
            self.confusion = MulticlassConfusionMatrix(len(labels)).to(model.device)
            self.room = [ceil(GRID[0] * GRID[1] / len(labels))] * len(labels)

    def add(self, batch: tuple[Tensor, Tensor], predictions: Tensor) -> None:
        if self.confusion is None:
            return
        images, labels = batch
        self.confusion.update(predictions, labels)
        if images.ndim == 4 and len(self.shown) < GRID[0] * GRID[1]:
            for row, label in enumerate(labels.tolist()):
                if self.room[label]:  # rows may come class by class
                    self.room[label] -= 1
                    kept = (images[row], labels[row], predictions[row])
                    self.shown.append(tuple(tensor.clone() for tensor in kept))

    def draw(self, trainer: Trainer, model: LightningModule) -> dict[str, Figure]:
        if self.confusion is None:
            return {}
        counts = self.confusion.compute().cpu()  # every rank takes part in the sum
        self.confusion = None
        if not (counts.any() and trainer.is_global_zero):
            return {}
        figures = {"confusion": draw_confusion(counts, self.names)}
        if self.shown and (corpus := corpus_of(trainer, LabelledPictures)):
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
