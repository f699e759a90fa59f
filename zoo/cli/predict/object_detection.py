"""predict, for pictures in which things are to be found: each with its boxes, and their list."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from zoo.cli.predict.prediction import Prediction, names_of, write_figure
from zoo.cli.report import plain_console
from zoo.errors import InputError
from zoo.files import write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

DOES = "finds objects in pictures"
SHOWN = 48
DPI = 100
LIST = "detections.json"  # as COCO's evaluation reads results


def add_arguments(parser: ArgumentParser) -> None:
    """Adds no option: pictures are all that a detector takes."""


def predict(prediction: Prediction, inputs: list[str]) -> Path:
    """Finds things in picture files of any size.

    Writes, into a folder, each picture in its own size with the boxes that score enough, and a list
    of all boxes in COCO's format of results.

    Raises:
        InputError: There is no picture, or the folder cannot be written.
    """
    from datamodules.pictures.reading import read_picture

    arguments = prediction.saved("labels", "mean", "std", "size")
    ids, labels = prediction.saved("category_ids")["category_ids"], arguments["labels"]
    if not inputs:
        raise InputError("name the pictures: zoo predict PICTURE ... --ckpt_path C")
    corpus_class = "datamodules.pictures.to_predict.PictureFiles"
    corpus, found = prediction.run(corpus_class, {"files": inputs, "whole": True, **arguments})
    pictures, folder, rows = corpus.rows.pictures, prediction.place(), []
    for picture, name, each in zip(pictures, names_of(pictures), found, strict=True):
        image = read_picture(picture, corpus.in_channels)
        rows += results(name, each, image, ids)
        write_figure(folder / f"{name}.png", _drawn(image, each, labels), DPI)
    write_text(folder / LIST, json.dumps(rows, indent=1))
    console = plain_console()
    console.print(_table(pictures, found, labels))
    if len(pictures) > SHOWN:
        console.print(f"and {len(pictures) - SHOWN:,} more")
    return folder


def results(name: str, found: Any, image: Tensor, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Returns the boxes of a picture in COCO's format: left, top, width and height in its pixels.

    Args:
        name: Name of the picture, which stands for its id.
        found: Detections of the picture.
        image: The picture, (channels, height, width).
        ids: The corpus's number of each class.
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


def _table(pictures: Sequence[Any], found: Sequence[Any], labels: Sequence[str]) -> Table:
    from zoo.object_detection.pictures import LEAST_SCORE

    table = Table("file", "found", "best", "score")
    for picture, each in list(zip(pictures, found, strict=True))[:SHOWN]:
        number = int((each.scores >= LEAST_SCORE).sum())
        best = (labels[int(each.labels[0])], f"{each.scores[0]:.3f}") if number else ("", "")
        table.add_row(str(picture), str(number), *best)
    return table


def _drawn(image: Tensor, found: Any, labels: Sequence[str]) -> Figure:
    """Draws a picture in its own size with the boxes that score enough."""
    from matplotlib.figure import Figure

    from zoo.object_detection.pictures import show_boxed

    height, width = image.shape[1:]
    figure = Figure(figsize=(width / DPI, height / DPI))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set_axis_off()
    show_boxed(axis, image / 255, found, labels)
    axis.set_xlim(-0.5, width - 0.5)
    axis.set_ylim(height - 0.5, -0.5)
    return figure
