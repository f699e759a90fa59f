"""compare: the settings that differ between runs, what came out, and their learning curves."""

import csv
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, isfinite, nan
from pathlib import Path
from typing import Any

import yaml
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from zoo.errors import InputError

PER_RUN = {"default_root_dir", "logger", "callbacks", "root", "ckpt_path", "config"}
HIGHER = re.compile(r"accuracy|bleu|precision|recall|f1|iou|auc|similarity|\bm?ap\b", re.I)
LOWER = re.compile(r"loss|error|perplexity|distance|\b(mae|r?mse)\b", re.I)
STAGES = ("train", "val", "test")
STYLES: dict[str, dict[str, Any]] = {
    "train": {"linewidth": 1, "alpha": 0.7},
    "val": {"linewidth": 2.2, "marker": "o", "markersize": 4.5},
}
Line = dict[str, float]


@dataclass
class Run:
    """What a run left: its settings by dotted name, and each logged line, values by name."""

    folder: Path
    name: str
    settings: dict[str, str]
    lines: list[Line]

    def logged(self, metric: str) -> list[Line]:
        """The lines that hold a metric."""
        return [line for line in self.lines if metric in line]

    @property
    def _ends(self) -> list[Line]:
        return [line for line in self.lines if any(name.endswith("_epoch") for name in line)]

    @property
    def epochs(self) -> int:
        """Finished epochs; begun ones where none says that it was finished."""
        return 1 + int(max(line.get("epoch", 0) for line in self._ends or self.lines))

    @property
    def steps_per_epoch(self) -> float | None:
        """From the last finished epoch; None before there is one."""
        return (self._ends[-1]["step"] + 1) / self.epochs if self._ends else None


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
    folders = {path.resolve(): path for run in runs for path in _expand(Path(run))}
    if not folders:
        raise InputError("name the runs to compare: runs/<recipe>/<number>")
    common = Path(os.path.commonpath([path.parent for path in folders]))
    found = [_read(path, real.relative_to(common).as_posix()) for real, path in folders.items()]
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


def _expand(folder: Path) -> list[Path]:
    """The run itself, or a recipe's runs that logged something, in the order of their numbers."""
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such run folder")
    if (folder / "config.yaml").is_file():
        return [folder]
    runs = [path.parent for path in folder.glob("*/config.yaml")]
    runs = [p for p in runs if re.fullmatch(r"\d+|job-.+", p.name) and any(p.glob("metrics*.csv"))]
    if not runs:
        raise InputError(f"{folder}: not a run folder (no config.yaml), nor one that holds runs")
    return sorted(runs, key=_number)


def _number(path: Path) -> tuple[int, str]:
    return len(path.name), path.name


def _read(folder: Path, name: str) -> Run:
    tries = [*sorted(folder.glob("metrics-*.csv"), key=_number), *folder.glob("metrics.csv")]
    if not tries:
        raise InputError(f"{folder}: metrics.csv is missing: nothing was logged yet")
    lines: list[Line] = []
    for path in tries:
        again = _load(path, _parse_csv)
        start = min((line["step"] for line in again), default=float("inf"))
        # A try goes on from a checkpoint: steps after that were lost and are done again.
        lines = [line for line in lines if line["step"] < start] + again
    if not {n for line in lines for n in line if not n.startswith("test/")} - {"epoch", "step"}:
        raise InputError(f"{tries[-1]}: empty: nothing was logged in training")
    settings = _load(folder / "config.yaml", _parse_settings)
    if settings.get("data.synthetic") == "true":
        name += " (synthetic)"
    if (folder / "test.json").is_file():
        lines.append({"step": lines[-1]["step"], **_load(folder / "test.json", _parse_test)})
    return Run(folder, name, settings, lines)


def _load(path: Path, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, csv.Error, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        reason = str(getattr(error, "strerror", error))
        reason = f"not YAML in line {mark.line + 1}" if mark else " ".join(reason.split())
        raise InputError(f"{path}: cannot be read ({reason})") from None


def _parse_csv(text: str) -> list[Line]:
    reader = csv.reader(text.splitlines())
    header, lines = next(reader, []), []
    for cells in reader:
        where = f"line {reader.line_num}"
        if len(cells) != len(header):
            raise ValueError(f"{where} has {len(cells)} cells, the header has {len(header)}")
        try:
            lines.append(_numbers({k: v for k, v in zip(header, cells, strict=True) if v}))
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
        if "step" not in lines[-1]:
            raise ValueError(f"{where} has no step")
    return lines


def _parse_settings(text: str) -> dict[str, str]:
    config = yaml.safe_load(text)
    if not isinstance(config, dict):
        raise ValueError("no settings are in it")
    return {name.replace(".init_args.", "."): value for name, value in _flatten(config)}


def _parse_test(text: str) -> Line:
    record = json.loads(text)
    if not isinstance(record, dict) or not isinstance(record.get("metrics"), dict):
        raise ValueError("no metrics are in it")
    return _numbers(record["metrics"])


def _numbers(values: dict[str, Any]) -> Line:
    return {name: float(value) for name, value in values.items()}


def _flatten(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Dotted names with their values as YAML's words, without what is each run's own."""
    if name.rpartition(".")[2] in PER_RUN:
        return
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _flatten(item, f"{name}.{key}".lstrip("."))
    else:
        yield name, value if isinstance(value, str) else json.dumps(value, default=str)


def _differing(runs: list[Run]) -> Iterator[list[str]]:
    for name in dict.fromkeys(name for run in runs for name in run.settings):
        values = [escape(run.settings.get(name, "-")) for run in runs]
        if len(set(values)) > 1:
            yield [escape(name), *values]


def _metrics(runs: list[Run]) -> Iterator[list[str]]:
    """Last values, and of validation the best ones."""
    yield ["epochs", *(str(run.epochs) for run in runs)]
    for name in _names(runs):
        logged = [run.logged(name) for run in runs]
        yield [name, *_cells(name, [lines[-1] if lines else {} for lines in logged])]
        if name.startswith("val/") and (better := _better(name)):
            finite = [[line for line in lines if isfinite(line[name])] for lines in logged]
            best = [better(lines, key=lambda x: x[name], default={}) for lines in finite]
            epochs = [f" ({line['epoch'] + 1:.0f})" if "epoch" in line else "" for line in best]
            cells = zip(_cells(name, best), epochs, strict=True)
            yield [f"{name}, best (epoch)", *(cell + epoch for cell, epoch in cells)]


def _names(runs: list[Run]) -> list[str]:
    """Metrics by stage; of training the means over epochs, where there are any, not windows."""
    names = {name for run in runs for line in run.lines for name in line} - {"epoch", "step"}
    stages = {name: name.partition("/")[0] for name in names if f"{name}_epoch" not in names}
    order = {stage: index for index, stage in enumerate(STAGES)}
    return sorted(stages, key=lambda name: (order.get(stages[name], len(order)), name))


def _better(name: str) -> Any:
    """The function max or min, or nothing where neither end is the better one (a learning rate)."""
    return max if HIGHER.search(name) else min if LOWER.search(name) else None


def _cells(name: str, lines: list[Line]) -> Iterator[str]:
    """A value for each run, the best in bold."""
    values, better = [line.get(name, nan) for line in lines], _better(name)
    best = better(filter(isfinite, values), default=None) if better and len(lines) > 1 else None
    for line, value in zip(lines, values, strict=True):
        text = f"{value:.3g}" if 0 < abs(value) < 0.001 else f"{value:.4f}"
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


def draw(runs: list[Run], title: str) -> Figure:
    """Learning curves: a panel a quantity, a colour a run; training thin, validation thick."""
    names = {n.rpartition("/")[2].removesuffix("_epoch") for n in _names(runs) if n[:5] != "test/"}
    quantities = sorted(names, key=lambda name: (name != "loss", name))
    labels = [*(run.name for run in runs), *STYLES]
    columns = min(2, len(quantities))
    # About ten letters fill an inch; five are a handle and the space around it.
    across = max(1, 50 * columns // (max(map(len, labels)) + 5))
    rows, below = ceil(len(quantities) / columns), ceil(len(labels) / across)
    size = (1 + 5 * columns, 0.8 + 3.4 * rows + 0.25 * below)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    palette = colormaps["tab10"] if len(runs) <= 10 else colormaps["turbo"].resampled(len(runs))
    by_epoch = all(run.steps_per_epoch for run in runs)
    for panel, quantity in zip(panels, quantities, strict=False):
        for index, run in enumerate(runs):
            per_epoch = run.steps_per_epoch if by_epoch else None
            _curves(panel, run, quantity, palette(index), per_epoch or 1.0)
        panel.set(title=quantity, xlabel="epoch" if by_epoch else "step")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.grid(alpha=0.3)
        panel.spines[["top", "right"]].set_visible(False)
    for panel in panels[len(quantities) :]:
        panel.set_axis_off()
    handles = [Line2D([], [], color=palette(index), linewidth=4) for index in range(len(runs))]
    handles += [Line2D([], [], color="black", **style) for style in STYLES.values()]
    figure.legend(handles, labels, loc="outside lower center", ncols=across, frameon=False)
    figure.suptitle(title)
    return figure


def _curves(panel: Axes, run: Run, quantity: str, color: Any, per_epoch: float) -> None:
    for stage, style in STYLES.items():
        # Windows may be longer than epochs: the finer of the two. A rate belongs to no stage.
        names = [f"{stage}/{quantity}", f"{stage}/{quantity}_epoch"]
        names += [quantity] if stage == "train" else []
        name = max(names, key=lambda name: len(run.logged(name)))
        lines = run.logged(name)
        steps = [(line["step"] + 1) / per_epoch for line in lines]
        panel.plot(steps, [line[name] for line in lines], color=color, **style)
