"""show --augmented: pictures of a corpus, and what the random changes make of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from datamodules.batches.in_memory import Rows
from datamodules.boxes.augmentation import CHANGES as BOX_CHANGES
from datamodules.boxes.augmentation import BoxAugmentation
from datamodules.boxes.corpus import DetectionCorpus
from datamodules.boxes.rows import DetectionBatch
from datamodules.pictures.augmentation import CHANGES, MIXES, Augmentation
from zoo.catalogue import arguments, corpora, definitions, recipes
from zoo.cli.allowed import refuse_foreign_classes
from zoo.cli.lightning import built_corpus
from zoo.cli.names import listed, pick
from zoo.cli.predict.prediction import write_figure
from zoo.cli.report import plain_console
from zoo.errors import InputError
from zoo.image_classification.pictures import show
from zoo.object_detection.pictures import rectangle

COPIES = 7
# What each change does without a recipe that says more.
Options = dict[str, dict[str, Any]]
COLORS = {"brightness": 0.5, "contrast": 0.5, "saturation": 0.5, "hue": 0.1}
SINGLY: Options = {**{name: {} for name in (*CHANGES, *MIXES)}, "color_jitter": COLORS}
SINGLY_BOXED: Options = {
    **{name: {} for name in BOX_CHANGES},
    "zoom_out": {"p": 1.0},
    "color_jitter": COLORS,
}

Named = Sequence[str | Mapping[str, Any]]
Grid = tuple[Tensor, list[list[Tensor]]]  # (rows, 1 + copies, ...) in [0, 1]; boxes of each


def show_augmented(name: str, output: Path | None, overrides: list[str]) -> None:
    """Draws a grid, the originals on the left, and prints where it is.

    A recipe shows its own changes on several pictures, a corpus each change that there is on one.

    Args:
        name: Name of a recipe or a corpus of pictures.
        output: Path of the PNG; by default `<name>-augmented.png`.
        overrides: Options of the corpus, `--data.option=value`.

    Raises:
        InputError: The name is neither, the corpus has no pictures, or the recipe changes none.
    """
    name = pick("recipe or corpus", name, [*recipes(), *corpora()])
    chosen = recipes()[name].corpus if name in recipes() else name
    fitting = [each for each, d in corpora().items() if "augment" in arguments(d, definitions())]
    if chosen not in fitting:
        raise InputError(f"{chosen} has no pictures; corpora that do: {listed(fitting)}")
    data = recipes()[name].config["data"] if name in recipes() else {}
    settings = {**data, "class_path": corpora()[chosen].class_path}
    refuse_foreign_classes({"data": settings}, overrides)
    corpus = built_corpus(settings, overrides)
    if name in recipes() and not corpus.augment:
        raise InputError(f"{name} changes no pictures: say how, --data.augment '[flip, crop]'")
    corpus.prepare_data()
    corpus.setup("fit")
    boxed = isinstance(corpus, DetectionCorpus)
    grid, singly = (_boxed_grid, SINGLY_BOXED) if boxed else (_grid, SINGLY)
    rows = corpus.data["train"]
    indices = torch.arange(0, len(rows), max(1, len(rows) // len(singly)))[: len(singly)]
    batch = rows[Rows(0, indices)]
    if corpus.augment:
        drawn, boxes = grid(corpus, corpus.augment, batch)
        titles = [corpus.labels[label] for label in batch[1]] if not boxed else [""] * len(drawn)
    else:
        two = tuple(part[:2] for part in batch)  # the second one to be mixed with the first
        grids = [grid(corpus, [{change: singly[change]}], two) for change in singly]
        drawn = torch.stack([pictures[0] for pictures, _ in grids])
        boxes, titles = [found[0] for _, found in grids if found], list(singly)
    path = output or Path(f"{name}-augmented.png")
    write_figure(path, _draw(drawn, titles, boxes), 120)
    plain_console().print(f"{corpus.described}\nwritten: {path}", soft_wrap=True)


def _grid(corpus: Any, augment: Named, batch: Sequence[Tensor]) -> Grid:
    """Returns of each picture the original and copies."""
    images, labels = batch[:2]
    size = corpus.crop_size or images.shape[-1]
    augmentation = Augmentation(augment, size, images.shape[1])
    batches = [corpus.normalise(images)]
    for epoch in range(COPIES):
        keys = (epoch << 32) + torch.arange(len(images))
        changed = corpus.normalise(augmentation.change(images, keys))
        if augmentation.mix:
            changed, _ = augmentation.mix(changed, labels, keys, corpus.num_classes)
        batches.append(changed)
    return corpus.denormalise(torch.stack(batches, dim=1)), []


def _boxed_grid(corpus: Any, augment: Named, batch: Sequence[Tensor]) -> Grid:
    """Returns the same of pictures with boxes, and the boxes."""
    augmentation = BoxAugmentation(augment, corpus.size, corpus.mean)
    batches = [original := DetectionBatch(*batch[:3])]
    for epoch in range(COPIES):
        keys = (epoch << 32) + torch.arange(len(original.images))
        batches.append(augmentation.change(original, keys))
    pictures = torch.stack([corpus.normalise(found.images) for found in batches], dim=1)
    boxes = [
        [found.boxes[row][found.labels[row] >= 0] for found in batches]
        for row in range(len(original.images))
    ]
    return corpus.denormalise(pictures), boxes


def _draw(rows: Tensor, titles: list[str], boxes: list[list[Tensor]]) -> Figure:
    figure = Figure(figsize=(1.2 * (COPIES + 1) + 1, 1.25 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), COPIES + 1, squeeze=False)
    for line, pictures, title in zip(axes, rows, titles, strict=True):
        for axis, picture in zip(line, pictures, strict=True):
            axis.set_xticks([])
            axis.set_yticks([])
            for side in axis.spines.values():
                side.set_visible(False)
            show(axis, picture)
        line[0].set_ylabel(title, rotation=0, ha="right", va="center")
    for line, pictures, found in zip(axes, rows, boxes, strict=bool(boxes)):
        for axis, picture, some in zip(line, pictures, found, strict=True):
            for box in some:
                axis.add_patch(rectangle(picture, box, "tab:red"))
    axes[0, 0].set_title("original", fontsize=10)
    return figure
