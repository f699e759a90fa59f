"""predict: picture files to a table of labels and an annotated PNG, from a checkpoint alone."""

from math import ceil
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from zoo.cli.experiment import Experiment, link
from zoo.cli.lightning import ZooCLI
from zoo.errors import InputError
from zoo.training.checkpoint import corpus_state, model_arguments, read, refuse_foreign
from zoo.training.pictures import show

COLUMNS = 6


def predict(ckpt_path: str, inputs: list[str], output: Path | None, overrides: list[str]) -> int:
    """Labels picture files.

    Raises:
        InputError: The checkpoint does not say how its pictures were prepared.
    """
    checkpoint = read(ckpt_path)
    refuse_foreign(checkpoint, ckpt_path)
    state = corpus_state(checkpoint)
    if not state or "labels" not in state:
        raise InputError(f"{ckpt_path} was not trained on a corpus of labelled pictures")
    names = state["labels"]
    files = {
        "class_path": "datamodules.picture_files.PictureFiles",
        "init_args": {
            "files": inputs,
            **{name: state[name] for name in ("labels", "mean", "std", "image_size")},
        },
    }
    facts = {"in_channels", "num_classes", "image_size", "in_features"}
    arguments = {k: v for k, v in model_arguments(checkpoint).items() if k not in facts}
    model = {"class_path": checkpoint["zoo"]["class_path"], "init_args": arguments}
    experiment = Experiment("predict", {"model": model, "data": files}, overrides)
    experiment.facts = link(experiment)
    cli = ZooCLI(experiment, None)
    batches: Any = cli.trainer.predict(cli.model, cli.datamodule, ckpt_path=ckpt_path)
    probabilities = torch.cat(batches).cpu()
    console = Console(highlight=False)
    console.print(_table(inputs, probabilities, names))
    path = output or _free_name(Path("predictions"))
    path.parent.mkdir(parents=True, exist_ok=True)
    _draw(cli.datamodule.pictures, inputs, probabilities, names).savefig(path, dpi=120)
    console.print(f"picture: {path}", soft_wrap=True)
    return 0


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


def _free_name(folder: Path) -> Path:
    """predictions/1.png, or the next number that is free."""
    number = 1
    while (folder / f"{number}.png").exists():
        number += 1
    return folder / f"{number}.png"
