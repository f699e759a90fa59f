"""predict, for pictures: a table of labels and an annotated PNG."""

from math import ceil
from pathlib import Path

import torch
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from zoo.cli.predict import Prediction
from zoo.errors import InputError
from zoo.training.classification_pictures import show

COLUMNS = 6


def predict_pictures(prediction: Prediction, inputs: list[str]) -> Path:
    """Labels picture files and draws them with their labels; returns where the drawing is."""
    state = prediction.state
    names = state["labels"]
    if not inputs:
        raise InputError("name the pictures to label: zoo predict PICTURE ... --ckpt_path C")
    prepared = {name: state[name] for name in ("labels", "mean", "std", "image_size")}
    files = "datamodules.picture_files.PictureFiles"
    corpus, probabilities = prediction.run(files, {"files": inputs, **prepared})
    Console(highlight=False).print(_table(inputs, probabilities, names))
    path = prediction.place("", ".png")
    _draw(corpus.pictures, inputs, probabilities, names).savefig(path, dpi=120)
    return path


def _table(inputs: list[str], probabilities: torch.Tensor, names: list[str]) -> Table:
    table = Table("file", "label", "probability", "or else", "probability")
    values, classes = probabilities.topk(min(2, len(names)), dim=1)
    for file, value, index in zip(inputs, values.tolist(), classes.tolist(), strict=True):
        cells = [cell for v, i in zip(value, index, strict=True) for cell in (names[i], f"{v:.3f}")]
        table.add_row(file, *cells)
    return table


def _draw(
    pictures: torch.Tensor, inputs: list[str], probabilities: torch.Tensor, names: list[str]
) -> Figure:
    columns = min(COLUMNS, len(inputs))
    rows = ceil(len(inputs) / columns)
    figure = Figure(figsize=(2.2 * columns, 2.6 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    for axis, picture, file, row in zip(axes, pictures, inputs, probabilities, strict=False):
        show(axis, picture / 255)
        axis.set_title(f"{names[int(row.argmax())]} {row.max():.0%}\n{Path(file).name}", fontsize=9)
    return figure
