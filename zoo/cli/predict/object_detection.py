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
from zoo.files import write_csv, write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

DOES = "finds objects in pictures"
SHOWN = 48
DPI = 100
LIST, TABLE, IMAGES = "detections.json", "detections.csv", "images.json"
HEADER = ("file", "image_id", "label", "category_id", "score", "left", "top", "width", "height")


def add_arguments(parser: ArgumentParser) -> None:
    """Adds no option: pictures are all that a detector takes."""


def predict(prediction: Prediction, inputs: list[str]) -> Path:
    """Finds things in picture files of any size.

    Writes into a folder each picture in its own size with the boxes that score enough, and all
    boxes: as COCO's results, as a table, and as YOLO's text files. Images have the ids of COCO's
    list where one that names them is near; else they are numbered, and listed.

    Raises:
        InputError: There is no picture, or the folder cannot be written.
    """
    from datamodules.boxes.image_lists import listed_images
    from datamodules.pictures.reading import read_picture

    arguments = prediction.saved("labels", "mean", "std", "size")
    ids, labels = prediction.saved("category_ids")["category_ids"], arguments["labels"]
    if not inputs:
        raise InputError("name the pictures: zoo predict PICTURE ... --ckpt_path C")
    corpus_class = "datamodules.pictures.to_predict.PictureFiles"
    corpus, found = prediction.run(corpus_class, {"files": inputs, "whole": True, **arguments})
    pictures, found = prediction.readable(corpus.rows, found)
    folder = prediction.place()
    images, source = listed_images(pictures)
    rows: list[dict[str, Any]] = []
    table: list[Sequence[Any]] = [HEADER]
    for picture, name, image, each in zip(pictures, names_of(pictures), images, found, strict=True):
        boxes = results(image, each, ids)
        rows += boxes
        for box, label in zip(boxes, each.labels.tolist(), strict=True):
            place = (box["category_id"], box["score"], *box["bbox"])
            table.append((str(picture), image.id, labels[label], *place))
        if boxes:
            write_text(folder / "labels" / f"{name}.txt", lines(each))
        shown = read_picture(picture, corpus.in_channels)
        write_figure(folder / f"{name}.png", _drawn(shown, each, labels), DPI)
    write_text(folder / LIST, json.dumps(rows, indent=1))
    write_csv(folder / TABLE, table)
    console = plain_console()
    console.print(_table(pictures, found, labels))
    if len(pictures) > SHOWN:
        console.print(f"and {len(pictures) - SHOWN:,} more")
    if source is None:
        names = ("id", "file_name", "width", "height")
        content = {
            "images": [dict(zip(names, image, strict=False)) for image in images],
            "annotations": [],
            "categories": [{"id": i, "name": n} for i, n in zip(ids, labels, strict=True)],
        }
        write_text(folder / IMAGES, json.dumps(content, indent=1))
    console.print(f"ids of images: those of {source or folder / IMAGES}", soft_wrap=True)
    return folder


def results(image: Any, found: Any, ids: Sequence[Any]) -> list[dict[str, Any]]:
    """Returns the boxes of a picture in COCO's format: left, top, width and height in its pixels.

    Args:
        image: The picture as it is listed.
        found: Detections of the picture.
        ids: The corpus's number of each class.
    """
    rows = zip(*(part.tolist() for part in found), strict=True)
    return [
        {
            "image_id": image.id,
            "category_id": ids[label],
            "bbox": image.box(box),
            "score": round(score, 5),
        }
        for box, score, label in rows
    ]


def lines(found: Any) -> str:
    """Returns the boxes of a picture as YOLO writes them: class, centre, width, height, score."""
    text = ""
    for (left, top, right, bottom), score, label in zip(*(p.tolist() for p in found), strict=True):
        place = ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
        text += " ".join([str(label), *(f"{value:.6f}" for value in (*place, score))]) + "\n"
    return text


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
