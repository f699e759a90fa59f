"""What a sweep found: a table, results.csv and the picture."""

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path
from shlex import quote
from typing import Any

from rich.console import Console
from rich.table import Table

from zoo.cli.sweep.file import Metric
from zoo.cli.sweep.parameters import Parameter, shown
from zoo.cli.sweep.study import Trial
from zoo.files import write_csv
from zoo.runs.rounding import rounded, short_names

RESULTS = "results.csv"
PICTURE = "parallel_coordinates.png"


def ranked(trials: Sequence[Trial], metric: Metric) -> list[Trial]:
    """The best first; then those that were stopped early, and last those without a result."""

    def rank(trial: Trial) -> tuple[bool, bool, float, int]:
        value = trial.result(metric)
        score = 0.0 if value is None else -value if metric.maximize else value
        return value is None, trial.state == "failed", score, trial.number

    return sorted(trials, key=rank)


def described(values: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """The values that vary, in a line."""
    return "  ".join(f"{short} {shown(values[name])}" for name, short in names.items())


def write_results(
    folder: Path, trials: Sequence[Trial], parameters: Sequence[Parameter], metric: Metric
) -> Path:
    """Writes results.csv, a line for each trial, the best first."""
    names = [parameter.name for parameter in parameters]
    rows: list[list[Any]] = [["trial", *names, metric.name, "epochs", "seconds", "state", "reason"]]
    for trial in ranked(trials, metric):
        values = [trial.values[name] for name in names]
        ended = [trial.epochs, round(trial.seconds, 2), trial.state, trial.reason]
        rows.append([trial.number, *values, trial.result(metric), *ended])
    path = folder / RESULTS
    write_csv(path, rows)
    return path


def _widths(titles: list[str], rows: list[list[str]], available: int) -> list[int | None]:
    """Of columns, where heads are folded before numbers are; None where not even that helps."""
    cells = [max(map(len, column), default=1) for column in zip(*rows, strict=True)]
    cells = cells or [1] * len(titles)
    widths = [max(len(title), cell) for title, cell in zip(titles, cells, strict=True)]
    while sum(widths) + 3 * len(widths) + 1 > available:
        spare = [width for width, cell in zip(widths, cells, strict=True) if width > cell]
        if not spare:
            return [None] * len(titles)
        pairs = list(zip(widths, cells, strict=True))
        place = next(i for i, (width, cell) in enumerate(pairs) if cell < width == max(spare))
        widths[place] -= 1
    return list(widths)


def _cells(trial: Trial, names: Mapping[str, str], metric: Metric) -> Iterator[str]:
    value = trial.result(metric)
    yield str(trial.number)
    yield from (shown(trial.values[name]) for name in names)
    yield "-" if value is None else rounded(value)
    yield from (str(trial.epochs), f"{trial.seconds:.1f}", trial.state)


def report(
    console: Console,
    folder: Path,
    trials: Sequence[Trial],
    parameters: Sequence[Parameter],
    metric: Metric,
    allow: Sequence[str] = (),
) -> None:
    """Prints the table and what comes next; writes results.csv and draws the picture."""
    varying = [parameter for parameter in parameters if parameter.varies]
    names = short_names([parameter.name for parameter in varying])
    titles = ["trial", *names.values(), metric.name, "epochs", "seconds", "state"]
    order = ranked(trials, metric)
    rows = [list(_cells(trial, names, metric)) for trial in order]
    table = Table()
    widths = _widths(titles, rows, console.width)
    for title, width in zip(titles, widths, strict=True):
        side: Any = "left" if title == "state" else "right"
        table.add_column(title, justify=side, overflow="fold", width=width)
    for place, (trial, cells) in enumerate(zip(order, rows, strict=True)):
        best = place == 0 and trial.result(metric) is not None and len(order) > 1
        style = "bold" if best else "dim" if trial.state == "failed" else ""
        table.add_row(*cells, style=style)
    console.print(table)
    lines = [f"results:  {write_results(folder, trials, parameters, metric)}"]
    if varying and any(isfinite(value) for trial in trials for value in trial.history):
        from zoo.cli.sweep.picture import draw

        picture = folder / PICTURE
        draw(order, varying, metric, folder.name).savefig(picture, dpi=150, format="png")
        lines.append(f"picture:  {picture}")
    seeds = any(parameter.name == "seed_everything" for parameter in varying)
    commands = [f"zoo compare {quote(str(folder))}{' --seeds' * seeds}"]
    checkpoint = folder / str(order[0].number) / "checkpoints" / "best.ckpt" if order else None
    if checkpoint and checkpoint.is_file():
        lines.append(f"best:     {checkpoint}")
        trust = "".join(f" --allow {package}" for package in allow)
        commands.append(f"zoo test --ckpt_path {quote(str(checkpoint))}{trust}")
    lines += [f"{'' if index else 'next:':<10}{line}" for index, line in enumerate(commands)]
    console.print("\n".join(lines), soft_wrap=True)
