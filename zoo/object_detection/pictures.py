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
NAMED = 5  # boxes of a picture, in a table
LEAST_SCORE = 0.5  # of boxes that are drawn
COLORS = ("tab:red", "tab:blue", "tab:green", "tab:purple", "tab:orange", "tab:cyan")


class DetectionPictures(EvaluationPictures):
    """Writes `<stage>_detections.png`: what was there in dashes, what was found with its score.

    A table in W&B has the pictures, on which both can be switched on and off.
    """

    columns = ("picture", "true", "predicted")
    shown: list[tuple[Tensor, tuple[Tensor, Tensor], Any]]  # picture, boxes and labels, detections

    def reset(self, trainer: Trainer, model: LightningModule) -> None:
        self.shown = []

    def update(self, batch: tuple[Tensor, Tensor, Tensor], predictions: Sequence[Any]) -> None:
        for image, boxes, labels, found in zip(*batch, predictions, strict=True):
            if len(self.shown) < SHOWN:
                there = labels >= 0
                self.shown.append((image.cpu(), (boxes[there].cpu(), labels[there].cpu()), found))

    def draw(self, trainer: Trainer, model: LightningModule) -> dict[str, Figure]:
        corpus = corpus_of(trainer, LabelledPictures)
        if not (self.shown and trainer.is_global_zero and corpus):
            return {}
        rows = ceil(len(self.shown) / COLUMNS)
        figure = Figure(figsize=(2.6 * COLUMNS, 2.6 * rows), layout="constrained")
        axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
        for axis in axes:
            axis.set_axis_off()
        for axis, (image, (boxes, _), found) in zip(axes, self.shown, strict=False):
            show_boxed(axis, corpus.denormalise(image[None])[0], found, corpus.labels)
            for box in boxes:
                axis.add_patch(rectangle(image, box, "white", linestyle="dashed"))
        return {"detections": figure}

    def table(self, trainer: Trainer) -> list[list[Any]]:
        corpus = corpus_of(trainer, LabelledPictures)
        if corpus is None:
            return []
        found = []
        for image, (boxes, labels), detections in self.shown:
            pairs = zip(boxes.tolist(), labels.tolist(), strict=True)
            true: Boxed = [(box, label, None) for box, label in pairs]
            groups = {"true": true, "predicted": _scored(*detections)}
            picture = corpus.denormalise(image[None])[0]
            texts = [_in_words(group, corpus.labels) for group in groups.values()]
            found.append([boxed_image(picture, groups, corpus.labels), *texts])
        return found


Boxed = list[tuple[list[float], int, float | None]]  # corners as fractions, label, score


def _scored(boxes: Tensor, scores: Tensor, labels: Tensor) -> Boxed:
    """Returns detections, but for those that score little."""
    found = zip(boxes.tolist(), labels.tolist(), scores.tolist(), strict=True)
    return [each for each in found if each[2] >= LEAST_SCORE]


def _in_words(group: Boxed, names: Sequence[str]) -> str:
    first = [names[i] + ("" if score is None else f" {score:.0%}") for _, i, score in group[:NAMED]]
    return ", ".join(first + ["..."] * (len(group) > NAMED))


def boxed_image(picture: Tensor, groups: dict[str, Boxed], names: Sequence[str]) -> Any:
    """Returns a picture (channels, height, width) in [0, 1] for W&B, with groups of boxes."""
    import wandb

    pixels = (picture.clamp(0, 1) * 255).byte().movedim(0, -1).squeeze(-1).numpy()
    boxes = {
        title: {
            "box_data": [
                {
                    "position": dict(zip(("minX", "minY", "maxX", "maxY"), corners, strict=True)),
                    "class_id": label,
                    "box_caption": names[label],
                    **({} if score is None else {"scores": {"score": score}}),
                }
                for corners, label, score in group
            ],
            "class_labels": dict(enumerate(names)),
        }
        for title, group in groups.items()
        if group
    }
    return wandb.Image(pixels, boxes=boxes or None)


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
