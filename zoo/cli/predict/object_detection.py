"""predict, for pictures in which things are to be found: each with its boxes, and their list."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from zoo.cli.predict.prediction import ROWS, Prediction, names_of, write_figure, write_rows
from zoo.cli.report import Middle, ends, plain_console, print_table
from zoo.errors import InputError
from zoo.files import write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

DOES = "finds objects in pictures"
WRITES = ROWS
SHOWN = 48
DPI = 100
LIST, TABLE, IMAGES = "detections.json", "detections.csv", "images.json"
HEADER = ("file", "image_id", "label", "category_id", "score", "left", "top", "width", "height")


def add_arguments(parser: ArgumentParser) -> None:
    """Adds the option of detectors."""
    parser.add_argument(
        "--score",
        type=float,
        metavar="S",
        help="least score of the boxes to write; by default all are, and those of 0.5 are drawn",
    )


def predict(prediction: Prediction, inputs: list[str], *, score: float | None = None) -> Path:
    """Finds things in picture files of any size.

    Writes into a folder each picture in its own size with the boxes that score enough, and all
    boxes: as COCO's results, as a table, and as YOLO's text files; or one file, whose ending says
    which: .json COCO's results, .csv and .jsonl the table. Images have the ids of COCO's list where
    one that names them is near; else they are numbered, and listed.

    Raises:
        InputError: There is no picture, a score is not from 0 to 1, or a file cannot be written.
    """
    from datamodules.boxes.image_lists import LISTED_BY, listed_images
    from datamodules.pictures.reading import read_picture
    from zoo.object_detection.pictures import LEAST_SCORE

    if score is not None and not 0 <= score <= 1:
        raise InputError(f"score is {score}; it has to be from 0 to 1")
    arguments = prediction.saved("labels", "mean", "std", "size")
    ids, labels = prediction.saved("category_ids")["category_ids"], arguments["labels"]
    if not inputs:
        raise InputError("name the pictures: zoo predict PICTURE ... --ckpt_path C")
    corpus_class = "datamodules.pictures.to_predict.PictureFiles"
    corpus, found = prediction.run(corpus_class, {"files": inputs, "whole": True, **arguments})
    pictures, found = prediction.readable(corpus.rows, found)
    if score is not None:
        found = [type(each)(*(part[each.scores >= score] for part in each)) for each in found]
    files = [prediction.named(picture) for picture in pictures]
    images, source = listed_images(pictures)
    boxes = [results(image, each, ids) for image, each in zip(images, found, strict=True)]
    table = [
        dict(zip(HEADER, (file, box["image_id"], labels[label], *_cells(box)), strict=True))
        for file, each, rows in zip(files, found, boxes, strict=True)
        for box, label in zip(rows, each.labels.tolist(), strict=True)
    ]
    least = LEAST_SCORE if score is None else score
    print_table(_table(files, found, labels, least))
    folder = prediction.folder()
    place, single = folder, folder.suffix.lower() in ROWS and not folder.is_dir()
    if not single:
        place = folder / LIST
        for picture, name, each, rows in zip(
            pictures, names_of(pictures), found, boxes, strict=True
        ):
            if rows:
                write_text(folder / "labels" / f"{name}.txt", lines(each))
            shown = read_picture(picture, corpus.in_channels)
            write_figure(folder / f"{name}.png", _drawn(shown, each, labels, least), DPI)
        write_rows(folder / TABLE, table, HEADER)
    if place.suffix.lower() != ".json":
        write_rows(place, table, HEADER)
        return place
    write_text(place, json.dumps([box for rows in boxes for box in rows], indent=1))
    if source is None:
        source = place.with_name(f"{place.stem}-{IMAGES}" if single else IMAGES)
        names = ("id", "file_name", "width", "height")
        content = {
            "info": {"description": LISTED_BY},
            "images": [dict(zip(names, image, strict=False)) for image in images],
            "annotations": [],
            "categories": [{"id": i, "name": n} for i, n in zip(ids, labels, strict=True)],
        }
        write_text(source, json.dumps(content, indent=1))
    plain_console().print(f"ids of images: those of {source}", soft_wrap=True)
    return folder


def _cells(box: dict[str, Any]) -> tuple[Any, ...]:
    return (box["category_id"], box["score"], *box["bbox"])


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


def _table(
    files: Sequence[str], found: Sequence[Any], labels: Sequence[str], least: float
) -> Table:
    table = Table("file", "found", "best", "score")
    for row in ends(list(zip(files, found, strict=True)), SHOWN):
        if row is None:
            table.add_row("…", f"{len(files) - SHOWN:,} more")
            continue
        file, each = row
        number = int((each.scores >= least).sum())
        best = (labels[int(each.labels[0])], f"{each.scores[0]:.3f}") if number else ("", "")
        table.add_row(Middle(file), str(number), *best)
    return table


def _drawn(image: Tensor, found: Any, labels: Sequence[str], least: float) -> Figure:
    """Draws a picture in its own size with the boxes that score enough."""
    from matplotlib.figure import Figure

    from zoo.object_detection.pictures import show_boxed

    height, width = image.shape[1:]
    figure = Figure(figsize=(width / DPI, height / DPI))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set_axis_off()
    show_boxed(axis, image / 255, found, labels, least)
    axis.set_xlim(-0.5, width - 0.5)
    axis.set_ylim(height - 0.5, -0.5)
    return figure
