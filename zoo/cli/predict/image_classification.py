"""predict, for pictures: a row of probabilities each and an annotated PNG, or Kaggle's file.

A classifier that was trained on a table labels the rows of tables.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from heapq import nlargest
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from zoo.cli.predict.prediction import (
    ROWS,
    Prediction,
    refuse_not_finite,
    write_figure,
    write_rows,
)
from zoo.cli.predict.tables import encoded_rows
from zoo.cli.report import Middle, ends, plain_console, print_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

DOES = "labels pictures or rows of tables"
WRITES = (*ROWS, ".png")
COLUMNS, SHOWN = 6, 48


def add_arguments(parser: ArgumentParser) -> None:
    """Adds the option of classifiers of pictures."""
    parser.add_argument(
        "--invert", action="store_true", help="invert pictures: for a model of white on black"
    )


def predict(prediction: Prediction, inputs: list[str], *, invert: bool = False) -> list[Path]:
    """Labels picture files and draws the first of them; or writes a submission.

    Says where pictures have another ground than those that the model was trained on. Without
    inputs it labels the corpus's own unlabelled pictures, and writes the file that Kaggle takes.
    A row of tables has a label, too, where the model was trained on a table.

    Raises:
        InputError: The checkpoint says not how pictures were prepared, or there is no picture.
    """
    if "encoder" in prediction.state:
        return [_label_rows(prediction, inputs)]
    corpus_class = "datamodules.pictures.to_predict.PictureFiles"
    arguments = prediction.saved("labels", "mean", "std", "size", "crop_size", "resize")
    files = inputs or prediction.unanswered("picture")
    given = {"files": files, "invert": invert, **arguments}
    corpus, probabilities = prediction.run(corpus_class, given)
    pictures, probabilities = prediction.readable(corpus.rows, probabilities)
    refuse_not_finite(probabilities)
    labels, console = arguments["labels"], plain_console()
    if not inputs:
        print_table(_counted(probabilities, labels))
        kind = prediction.state["submission"]
        return [prediction.submit(*_submission(kind, pictures, probabilities, labels))]
    if remark := _remark(prediction, [corpus.rows.borders[picture] for picture in pictures]):
        console.print(remark, soft_wrap=True)
    records = _records([prediction.named(each) for each in pictures], probabilities, labels)
    print_table(_table(records))
    places = prediction.places(".png", ".csv")
    for ending, path in places.items():
        if ending in ROWS:
            write_rows(path, records)
        else:
            write_figure(path, _draw(corpus, pictures, probabilities, labels), 120)
            if len(pictures) > SHOWN:
                console.print(f"{path} shows the first {SHOWN} pictures", soft_wrap=True)
    return list(places.values())


def _remark(prediction: Prediction, borders: Sequence[float]) -> str:
    """Says that pictures have another ground than the corpus that the model was trained on."""
    from datamodules.pictures.ground import Ground
    from zoo.checkpoints.checkpoint import corpus_class

    saved = prediction.state.get("ground")
    if saved is None and "class_path" in prediction.state:  # of an older zoo
        saved = vars(corpus_class(prediction.state, prediction.ckpt_path)).get("ground")
    if saved is None:
        return ""
    ground = Ground(*saved)
    others = [border for border in borders if ground.differs(border)]
    if not others:
        return ""
    mean = sum(others) / len(others)
    kinds = ("light", "dark") if mean > ground.mean else ("dark", "light")
    nearer = abs(1 - mean - ground.mean) < abs(mean - ground.mean)
    return (
        f"{len(others):,} of {len(borders):,} pictures have a {kinds[0]} ground (brightness of the "
        f"border {mean:.2f}), and the model was trained on a {kinds[1]} one ({ground.mean:.2f}), "
        f"so that its labels may mean nothing{': try --invert' if nearer else ''}"
    )


def _label_rows(prediction: Prediction, inputs: list[str]) -> Path:
    """Labels the rows of tables, and writes the label of each."""
    corpus, probabilities = encoded_rows(prediction, inputs)
    refuse_not_finite(probabilities)
    state = prediction.state
    classes = zip(corpus.identifiers, probabilities.argmax(dim=1).tolist(), strict=True)
    header = [state["identifier"] or "row", state["target"]]
    path = prediction.submit(header, ([name, state["labels"][index]] for name, index in classes))
    print_table(_counted(probabilities, state["labels"], "rows"))
    return path


def _submission(
    kind: str, pictures: Sequence[Any], probabilities: Tensor, labels: list[str]
) -> tuple[list[str], Iterator[list[Any]]]:
    """Returns header and rows: the label of each picture, or the probability of every class."""
    if kind == "probabilities":
        rows = zip(pictures, probabilities.tolist(), strict=True)
        return ["id", *labels], ([p.name, *(float(f"{v:.6g}") for v in row)] for p, row in rows)
    classes = zip(pictures, probabilities.argmax(dim=1).tolist(), strict=True)
    return ["id", "label"], ([picture.name, labels[index]] for picture, index in classes)


def _counted(probabilities: Tensor, labels: list[str], unit: str = "pictures") -> Table:
    """Returns the number of pictures or rows with each of the most frequent labels."""
    counts = probabilities.argmax(dim=1).bincount(minlength=len(labels))
    table = Table("label", unit)
    values, classes = counts.topk(min(10, len(labels)))
    for value, index in zip(values.tolist(), classes.tolist(), strict=True):
        if value:
            table.add_row(labels[index], f"{value:,}")
    return table


def _records(files: list[str], probabilities: Tensor, labels: list[str]) -> list[dict[str, Any]]:
    """Returns the likeliest label of each picture, and the probability of every one."""
    records = []
    for file, row in zip(files, probabilities.tolist(), strict=True):
        shares = {label: float(f"{share:.6g}") for label, share in zip(labels, row, strict=True)}
        label = max(shares, key=lambda each: shares[each])
        likeliest = {"file": file, "label": label, "probability": shares[label]}
        records.append({**likeliest, "probabilities": shares})
    return records


def _table(records: list[dict[str, Any]]) -> Table:
    table = Table("file", "label", "probability", "or else", "probability")
    for record in ends(records, SHOWN):
        if record is None:
            table.add_row("…", f"{len(records) - SHOWN:,} more")
            continue
        likely = nlargest(2, record["probabilities"].items(), key=lambda each: each[1])
        cells = (cell for label, share in likely for cell in (label, f"{share:.3f}"))
        table.add_row(Middle(record["file"]), *cells)
    return table


def _draw(corpus: Any, pictures: Sequence[Any], probabilities: Tensor, labels: list[str]) -> Figure:
    from matplotlib.figure import Figure

    from datamodules.pictures.reading import read_picture
    from zoo.image_classification.pictures import show

    pictures = pictures[:SHOWN]
    columns = min(COLUMNS, len(pictures))
    rows = ceil(len(pictures) / columns)
    figure = Figure(figsize=(2.2 * columns, 2.6 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    for axis, picture, row in zip(axes, pictures, probabilities, strict=False):
        show(axis, read_picture(picture, corpus.in_channels, corpus.size) / 255)
        axis.set_title(f"{labels[int(row.argmax())]} {row.max():.0%}\n{picture.name}", fontsize=9)
    return figure
