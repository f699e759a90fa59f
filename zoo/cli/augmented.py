"""show --augmented: pictures of a corpus, and what the random changes make of them."""

from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from rich.console import Console
from torch import Tensor

from datamodules.augmentation import CHANGES, MIXES, Augmentation
from datamodules.in_memory import Rows
from datamodules.pictures import PictureCorpus
from zoo.catalogue import lineage
from zoo.cli.experiment import compose
from zoo.cli.lightning import ZooCLI
from zoo.cli.names import corpora, definitions, listed, pick, recipes
from zoo.errors import InputError
from zoo.training.classification_pictures import show

ANY_CLASSIFIER = "SoftmaxRegression"  # a corpus is built with a model, which is not asked here
PICTURES = "datamodules.pictures.PictureCorpus"
COPIES = 7
SINGLY: dict[str, dict[str, Any]] = {  # what each change does without a recipe that says more
    **{name: {} for name in CHANGES},
    "color_jitter": {"brightness": 0.5, "contrast": 0.5, "saturation": 0.5, "hue": 0.1},
    **{name: {} for name in MIXES},
}


def show_augmented(name: str, output: Path | None, overrides: list[str]) -> None:
    """Draws a grid, the originals on the left, and says where it is.

    A recipe shows its own changes on several pictures, a corpus each change that there is on one.

    Args:
        name: Of a recipe or a corpus of pictures.
        output: The PNG; by default `<name>-augmented.png`.
        overrides: Options of the corpus, `--data.option=value`.

    Raises:
        InputError: The name is neither, the corpus has no pictures, or the recipe changes none.
    """
    name = pick("recipe or corpus", name, [*recipes(), *corpora()])
    recipe, data = (name, None) if name in recipes() else (None, name)
    chosen = recipes()[name].corpus if recipe else name
    fitting = [c for c, d in corpora().items() if PICTURES in lineage(d, definitions())]
    if chosen not in fitting:
        raise InputError(f"{chosen} has no pictures; corpora that do: {listed(fitting)}")
    experiment = compose(recipe, None, ANY_CLASSIFIER, data, overrides)
    corpus: Any = ZooCLI(experiment, None).datamodule
    if recipe and not corpus.augment:
        raise InputError(f"{name} changes no pictures: say how, --data.augment '[flip, crop]'")
    corpus.prepare_data()
    corpus.setup("fit")
    rows = corpus.data["train"]
    indices = torch.arange(0, len(rows), max(1, len(rows) // len(SINGLY)))[: len(SINGLY)]
    images, labels = rows[Rows(0, indices)][:2]
    if corpus.augment:
        drawn = _grid(corpus, corpus.augment, images, labels)
        titles = [corpus.labels[label] for label in labels]
    else:
        two = images[:2], labels[:2]  # the second one to be mixed with the first
        drawn = torch.stack([_grid(corpus, [{name: SINGLY[name]}], *two)[0] for name in SINGLY])
        titles = list(SINGLY)
    path = output or Path(f"{name}-augmented.png")
    try:
        _draw(drawn, titles).savefig(path, dpi=120)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None
    Console(highlight=False).print(f"{corpus.described}\nwritten: {path}", soft_wrap=True)


def _grid(corpus: PictureCorpus, augment: Any, images: Tensor, labels: Tensor) -> Tensor:
    """Of each picture the original and copies, floats in [0, 1] (pictures, 1 + copies, ...)."""
    size = corpus.crop_size or images.shape[-1]
    augmentation = Augmentation(augment, corpus.num_classes, size, images.shape[1])
    batches = [corpus.normalise(images)]
    for epoch in range(COPIES):
        keys = (epoch << 32) + torch.arange(len(images))
        changed = corpus.normalise(augmentation.change(images, keys))
        if augmentation.mix:
            changed, _ = augmentation.mix(changed, labels, keys)
        batches.append(changed)
    return corpus.denormalise(torch.stack(batches, dim=1))


def _draw(rows: Tensor, titles: list[str]) -> Figure:
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
    axes[0, 0].set_title("original", fontsize=10)
    return figure
