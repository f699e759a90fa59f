"""Pictures with the boxes that a detector found, and those that were there."""

from collections.abc import Sequence
from math import ceil
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from zoo.training.corpus import LabelledPictures, corpus_of
from zoo.training.pictures import EvaluationPictures

SHOWN, COLUMNS = 12, 4
LEAST_SCORE = 0.5  # of boxes that are drawn
COLORS = ("tab:red", "tab:blue", "tab:green", "tab:purple", "tab:orange", "tab:cyan")


class DetectionPictures(EvaluationPictures):
    """Writes `<stage>_detections.png`: what was there in dashes, what was found with its score."""

    shown: list[tuple[Tensor, Tensor, Any]]  # picture, boxes that are there, detections

    def reset(self, trainer: Trainer, model: LightningModule) -> None:
        self.shown = []

    def update(self, batch: tuple[Tensor, Tensor, Tensor], predictions: Sequence[Any]) -> None:
        for image, boxes, labels, found in zip(*batch, predictions, strict=True):
            if len(self.shown) < SHOWN:
                self.shown.append((image.cpu(), boxes[labels >= 0].cpu(), found))

    def draw(self, trainer: Trainer, model: LightningModule) -> dict[str, Figure]:
        corpus = corpus_of(trainer, LabelledPictures)
        if not (self.shown and trainer.is_global_zero and corpus):
            return {}
        rows = ceil(len(self.shown) / COLUMNS)
        figure = Figure(figsize=(2.6 * COLUMNS, 2.6 * rows), layout="constrained")
        axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
        for axis in axes:
            axis.set_axis_off()
        for axis, (image, boxes, found) in zip(axes, self.shown, strict=False):
            show_boxed(axis, corpus.denormalise(image[None])[0], found, corpus.labels)
            for box in boxes:
                axis.add_patch(rectangle(image, box, "white", linestyle="dashed"))
        return {"detections": figure}


def show_boxed(
    axis: Axes, image: Tensor, found: Any, names: Sequence[str], least: float = LEAST_SCORE
) -> None:
    """Shows a picture (channels, height, width) in [0, 1] and the boxes found in it.

    Those that score little are left out; classes are named where there are several.

    Args:
        axis: Where to draw.
        image: The picture.
        found: Boxes, scores and labels; scores are None for real boxes.
        names: Names of the classes.
        least: Least score of those that are drawn.
    """
    axis.imshow(image.movedim(0, -1).squeeze(-1), cmap="gray", vmin=0, vmax=1)
    boxes, scores, labels = found
    for index, (box, label) in enumerate(zip(boxes.cpu(), labels.cpu(), strict=True)):
        if scores is not None and scores[index] < least:
            continue
        color = COLORS[int(label) % len(COLORS)]
        patch = rectangle(image, box, color)
        axis.add_patch(patch)
        words = [names[int(label)]] if len(names) > 1 or scores is None else []
        words += [f"{scores[index]:.0%}"] if scores is not None else []
        above = patch.get_y() > 0.06 * image.shape[1]  # room for the words
        axis.text(
            *patch.get_xy(),
            " ".join(words),
            color="white",
            fontsize=7,
            verticalalignment="bottom" if above else "top",
            clip_on=True,
            bbox={"facecolor": color, "edgecolor": color, "pad": 1, "linewidth": 0},
        )


def rectangle(
    image: Tensor, box: Tensor, color: str, linewidth: float = 1.5, **style: Any
) -> Rectangle:
    """A box of fractions, in pixels of the picture."""
    height, width = image.shape[1:]
    left, top, right, bottom = (box.float() * box.new_tensor([width, height] * 2)).tolist()
    corner = left - 0.5, top - 0.5  # of a pixel, whose centre has whole coordinates
    return Rectangle(
        corner,
        right - left,
        bottom - top,
        fill=False,
        edgecolor=color,
        linewidth=linewidth,
        **style,
    )
