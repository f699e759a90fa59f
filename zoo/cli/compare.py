"""compare: the settings that differ between runs, what came out, and their learning curves."""

import os
import re
from collections.abc import Iterator, Sequence
from math import isfinite, nan
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from zoo.cli.learning_curves import draw
from zoo.cli.rounding import rounded
from zoo.cli.run_history import Line, Run, expand, metric_names, read
from zoo.errors import InputError

HIGHER = re.compile(r"accuracy|bleu|precision|recall|f1|iou|auc|similarity|\bm?ap\b", re.I)
LOWER = re.compile(r"loss|error|perplexity|distance|\b(mae|r?mse)\b", re.I)


def compare(runs: Sequence[str | Path], output: Path | None = None) -> Path:
    """Prints which settings differ and the metrics, and draws the learning curves.

    Args:
        runs: Run folders; the folder of a recipe stands for all its runs that logged something.
        output: The PNG; by default `compare.png` in the deepest folder that holds the runs.

    Returns:
        Where the PNG is.

    Raises:
        InputError: A folder is no run, a file in it cannot be read, or the PNG not be written.
    """
    folders = {path.resolve(): path for run in runs for path in expand(Path(run))}
    if not folders:
        raise InputError("name the runs to compare: runs/<recipe>/<number>")
    common = Path(os.path.commonpath([path.parent for path in folders]))
    found = [read(path, real.relative_to(common).as_posix()) for real, path in folders.items()]
    if not any(path.is_absolute() for path in folders.values()):
        common = Path(os.path.relpath(common))
    path = Path(output or common / "compare.png")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(found, str(common)).savefig(path, dpi=120, format="png")
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{path}: cannot be written ({reason}); choose --output FILE") from None
    console = Console(highlight=False)
    console.print(f"[bold]{escape(str(common))}[/bold]", soft_wrap=True)
    if rows := list(_differing(found)):
        _print(console, "setting", found, rows)
    else:
        console.print("no settings differ")
    _print(console, "metric", found, list(_metrics(found)))
    pictures = [run.folder / "pictures" for run in found if any(run.folder.glob("pictures/*.png"))]
    texts = [f"curves:   {path}", *(f"pictures: {folder}" for folder in pictures)]
    console.print(escape("\n".join(texts)), soft_wrap=True)
    return path


def _differing(runs: list[Run]) -> Iterator[list[str]]:
    for name in dict.fromkeys(name for run in runs for name in run.settings):
        values = [escape(run.settings.get(name, "-")) for run in runs]
        if len(set(values)) > 1:
            yield [escape(name), *values]


def _metrics(runs: list[Run]) -> Iterator[list[str]]:
    """Last values, and of validation the best ones."""
    yield ["epochs", *(str(run.epochs) for run in runs)]
    for name in metric_names(runs):
        logged = [run.logged(name) for run in runs]
        yield [name, *_cells(name, [lines[-1] if lines else {} for lines in logged])]
        if name.startswith("val/") and (better := _better(name)):
            finite = [[line for line in lines if isfinite(line[name])] for lines in logged]
            best = [better(lines, key=lambda x: x[name], default={}) for lines in finite]
            epochs = [f" ({line['epoch'] + 1:.0f})" if "epoch" in line else "" for line in best]
            cells = zip(_cells(name, best), epochs, strict=True)
            yield [f"{name}, best (epoch)", *(cell + epoch for cell, epoch in cells)]


def _better(name: str) -> Any:
    """The function max or min, or nothing where neither end is the better one (a learning rate)."""
    return max if HIGHER.search(name) else min if LOWER.search(name) else None


def _cells(name: str, lines: list[Line]) -> Iterator[str]:
    """A value for each run, the best in bold."""
    values, better = [line.get(name, nan) for line in lines], _better(name)
    best = better(filter(isfinite, values), default=None) if better and len(lines) > 1 else None
    for line, value in zip(lines, values, strict=True):
        text = rounded(value)
        yield "-" if name not in line else f"[bold]{text}[/bold]" if value == best else text


def _print(console: Console, title: str, runs: list[Run], rows: list[list[str]]) -> None:
    """Prints a table, or several where the runs do not fit beside each other."""
    header = [title, *(escape(run.name) for run in runs)]
    columns = zip(header, *rows, strict=True)
    widths = [max(console.measure(cell).maximum for cell in cells) for cells in columns]
    count = max(1, (console.width - min(30, widths[0]) - 4) // (min(18, max(widths[1:])) + 3))
    for first in range(1, len(runs) + 1, count):
        table = Table()
        table.add_column(title, overflow="fold")
        for name in header[first : first + count]:
            table.add_column(name, overflow="fold", justify="right")
        for row in rows:
            table.add_row(row[0], *row[first : first + count])
        console.print(table)
