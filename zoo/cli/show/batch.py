"""show --batch: the first training batch of a corpus, as people look at it."""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.table import Table
from torch import Tensor

from datamodules.corpus import Corpus
from zoo.catalogue import corpora, definitions, recipes
from zoo.cli.allowed import refuse_foreign_classes
from zoo.cli.lightning import built_corpus
from zoo.cli.names import pick
from zoo.cli.predict.prediction import write_figure
from zoo.cli.report import described, plain_console
from zoo.image_classification.pictures import show
from zoo.object_detection.pictures import show_boxed

PICTURES, COLUMNS = 24, 6
ROWS, FEATURES = 8, 20
WIDTH = 160  # characters of a text


def show_batch(
    name: str, output: Path | None, overrides: list[str], allow: Sequence[str] = ()
) -> None:
    """Draws pictures with their labels or boxes, as they are trained on; prints texts and tables.

    Args:
        name: Name of a recipe or a corpus.
        output: Path of the PNG; by default `<name>-batch.png`.
        overrides: Options of the corpus, `--data.option=value`.
        allow: Packages that the user trusts.
    """
    if "." in name:  # a datamodule of the user's own
        settings = {"class_path": name}
    else:
        name = pick("recipe or corpus", name, [*recipes(), *corpora()])
        data = recipes()[name].config["data"] if name in recipes() else {}
        chosen = recipes()[name].corpus if name in recipes() else name
        settings = {**data, "class_path": corpora()[chosen].class_path}
    refuse_foreign_classes({"data": settings}, overrides, allow)
    corpus = built_corpus(settings, overrides)
    corpus.prepare_data()
    corpus.setup("fit")
    batch = corpus.on_after_batch_transfer(next(iter(corpus.train_dataloader())), 0)
    console = plain_console()
    console.print(described(corpus), soft_wrap=True)
    if not isinstance(corpus, Corpus):
        for line in _shapes(batch):
            console.print(line, soft_wrap=True)
        return
    names = _names(corpus, batch)
    for part, title in zip(batch, names, strict=True):
        if isinstance(part, Tensor):
            console.print(f"{title}: {_shape(part)}, {str(part.dtype).removeprefix('torch.')}")
    if batch[0].ndim == 4:
        path = output or Path(f"{name}-batch.png")
        write_figure(path, _drawn(corpus, batch), 120)
        console.print(f"written: {path}", soft_wrap=True)
    elif hasattr(corpus, "feature_names"):
        console.print(_features(corpus, batch))
    else:
        console.print(_rows(corpus, batch, names))


def _shapes(batch: Any, name: str = "batch") -> Iterator[str]:
    """Yields a line for each tensor of a batch of others, which may be of any form."""
    if isinstance(batch, Tensor):
        yield f"{name}: {_shape(batch)}, {str(batch.dtype).removeprefix('torch.')}"
    elif isinstance(batch, Mapping):
        for key, part in batch.items():
            yield from _shapes(part, f"{name}.{key}")
    elif isinstance(batch, list | tuple):
        for index, part in enumerate(batch):
            yield from _shapes(part, f"{name}[{index}]")
    else:
        yield f"{name}: {type(batch).__name__}"


def _names(corpus: Any, batch: Sequence[Any]) -> Sequence[str]:
    """What the parts of a batch are called."""
    if hasattr(batch, "_fields"):
        return batch._fields
    found = definitions().get(f"{type(corpus).__module__}.{type(corpus).__name__}")
    header = found.header.get("Batch", "") if found else ""
    names = header.partition("(")[2].partition(")")[0].replace(" ", "").strip(",").split(",")
    return names if len(names) == len(batch) else [f"part {n}" for n in range(1, len(batch) + 1)]


def _shape(part: Tensor) -> str:
    return " x ".join(map(str, part.shape)) or "a number"


# Pictures


def _drawn(corpus: Any, batch: Sequence[Any]) -> Figure:
    images = corpus.denormalise(batch[0][:PICTURES])
    columns = min(COLUMNS, len(images))
    rows = ceil(len(images) / columns)
    figure = Figure(figsize=(2 * columns, 2.2 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    for index, (axis, image) in enumerate(zip(axes, images, strict=False)):
        if len(batch) == 3:  # boxes
            real = batch[2][index] >= 0
            boxes, labels = batch[1][index][real], batch[2][index][real]
            show_boxed(axis, image, (boxes, None, labels), corpus.labels)
        else:
            show(axis, image)
            if len(batch) == 2 and hasattr(corpus, "labels"):
                axis.set_title(_label(corpus, batch[1][index]), fontsize=9)
    return figure


def _label(corpus: Any, label: Tensor) -> str:
    """The name of a class, or of those that are mixed, with their shares."""
    if not label.is_floating_point():
        return corpus.labels[int(label)]
    shares = [(share, name) for share, name in zip(label.tolist(), corpus.labels, strict=True)]
    return " + ".join(f"{share:.0%} {name}" for share, name in shares if share > 0)


# Rows


def _features(corpus: Any, batch: Sequence[Tensor]) -> Table:
    """A line for each feature, a column for each of the first rows."""
    rows = min(ROWS - 2, len(batch[0]))
    table = Table("feature", *(f"row {row + 1}" for row in range(rows)))
    named = zip(corpus.feature_names, batch[0].T[:, :rows].tolist(), strict=True)
    for name, values in list(named)[:FEATURES]:
        table.add_row(name, *(f"{value:.3g}" for value in values))
    if (more := batch[0].shape[1] - FEATURES) > 0:
        table.add_row(f"and {more:,} more")
    table.add_row("target", *(_value(corpus, value) for value in batch[1][:rows]))
    return table


def _rows(corpus: Any, batch: Sequence[Any], names: Sequence[str]) -> Table:
    """A line for each of the first rows: tokens as texts, labels by name."""
    whole = [(n, part) for n, part in zip(names, batch, strict=True) if len(part) == len(batch[0])]
    table = Table("row", *(name for name, _ in whole))
    for row in range(min(ROWS, len(batch[0]))):
        cells = [_cell(corpus, name, part[row]) for name, part in whole]
        table.add_row(str(row + 1), *cells)
    return table


def _cell(corpus: Any, name: str, value: Any) -> str:
    vocab = getattr(corpus, f"{name}_vocab", getattr(corpus, "vocab", None))
    whole = isinstance(value, Tensor) and not value.is_floating_point()
    if whole and vocab is not None and not name.endswith(("labels", "lengths", "tags", "counts")):
        tokens = vocab.tokens([index for index in value.reshape(-1).tolist() if index >= 0])
        single = all(len(token) == 1 for token in tokens)
        text = ("" if single else " ").join(tokens)
        return text if len(text) <= WIDTH else f"{text[:WIDTH]} ..."
    if isinstance(value, Tensor) and value.ndim == 0:
        return _value(corpus, value)
    if isinstance(value, Tensor):
        shown = ", ".join(f"{number:.3g}" for number in value.reshape(-1)[:ROWS].tolist())
        return shown + (", ..." if value.numel() > ROWS else "")
    return str(value)


def _value(corpus: Any, value: Tensor) -> str:
    if value.is_floating_point():
        return f"{float(value):.4g}"
    labels = getattr(corpus, "labels", None)
    return labels[int(value)] if labels and int(value) < len(labels) else str(int(value))
