"""predict, for pictures in which things are to be found: each with its boxes, and their list."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table
from torch import Tensor

from datamodules.pictures.rows import Picture, read_picture
from zoo.cli.predict.prediction import Prediction
from zoo.errors import InputError
from zoo.object_detection.pictures import LEAST_SCORE, show_boxed

SHOWN = 48
DPI = 100
LIST = "detections.json"  # as COCO's evaluation reads results


def predict_objects(prediction: Prediction, inputs: list[str]) -> Path:
    """Finds things in picture files of any size.

    Writes, into a folder, each picture in its own size with the boxes that score enough, and a list
    of all boxes in COCO's format of results. Returns where the folder is.

    Raises:
        InputError: There is no picture, or the folder cannot be written.
    """
    state = prediction.state
    if not inputs:
        raise InputError("name the pictures: zoo predict PICTURE ... --ckpt_path C")
    arguments = {name: state[name] for name in ("labels", "mean", "std", "size")}
    corpus, found = prediction.run(
        "datamodules.pictures.to_predict.PictureFiles",
        {"files": inputs, "whole": True, **arguments},
    )
    pictures, labels = corpus.rows.pictures, state["labels"]
    folder, rows = prediction.place("", ""), []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for picture, name, each in zip(pictures, names_of(pictures), found, strict=True):
            image = read_picture(picture, corpus.in_channels)
            rows += results(name, each, image, state["category_ids"])
            _drawn(image, each, labels).savefig(folder / f"{name}.png", dpi=DPI)
        (folder / LIST).write_text(json.dumps(rows, indent=1), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror})") from None
    console = Console(highlight=False)
    console.print(_table(pictures, found, labels))
    if len(pictures) > SHOWN:
        console.print(f"and {len(pictures) - SHOWN:,} more")
    return folder


def names_of(pictures: Sequence[Picture]) -> Iterator[str]:
    """The name of each picture, with a number where it was there before."""
    seen: dict[str, int] = {}
    for picture in pictures:
        seen[picture.name] = number = seen.get(picture.name, 0) + 1
        yield picture.name if number == 1 else f"{picture.name}-{number}"


def results(name: str, found: Any, image: Tensor, ids: Sequence[int]) -> list[dict[str, Any]]:
    """The boxes of a picture in COCO's format: left, top, width and height in its pixels.

    Args:
        name: Of the picture, which stands for its id.
        found: Detections.
        image: The picture, (channels, height, width).
        ids: What the corpus calls the classes.
    """
    height, width = image.shape[1:]
    corners = found.boxes.cpu() * found.boxes.new_tensor([width, height] * 2).cpu()
    rows = zip(corners.tolist(), found.scores.tolist(), found.labels.tolist(), strict=True)
    return [
        {
            "image_id": name,
            "category_id": ids[label],
            "bbox": [round(v, 2) for v in (left, top, right - left, bottom - top)],
            "score": round(score, 5),
        }
        for (left, top, right, bottom), score, label in rows
    ]


def _table(pictures: Sequence[Picture], found: Sequence[Any], labels: Sequence[str]) -> Table:
    table = Table("file", "found", "best", "score")
    for picture, each in list(zip(pictures, found, strict=True))[:SHOWN]:
        number = int((each.scores >= LEAST_SCORE).sum())
        best = (labels[int(each.labels[0])], f"{each.scores[0]:.3f}") if number else ("", "")
        table.add_row(str(picture), str(number), *best)
    return table


def _drawn(image: Tensor, found: Any, labels: Sequence[str]) -> Figure:
    """The picture in its own size with the boxes that score enough."""
    height, width = image.shape[1:]
    figure = Figure(figsize=(width / DPI, height / DPI))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set_axis_off()
    show_boxed(axis, image / 255, found, labels)
    axis.set_xlim(-0.5, width - 0.5)
    axis.set_ylim(height - 0.5, -0.5)
    return figure
