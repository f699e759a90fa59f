"""What is compared of runs: a row a quantity, a cell a run, or a group of runs by other seeds."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import isfinite, nan
from statistics import mean, stdev
from typing import Any, Literal

from zoo.runs.history import Line, Run, marked, metric_names
from zoo.runs.rounding import HIGHER, rounded

LOWER = re.compile(r"loss|error|perplexity|distance|\b(mae|r?mse)\b", re.I)
ADVERSARIAL = re.compile(r"/loss_[dg](_epoch)?$")
CLASS_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
SEED = "seed_everything"
Kind = Literal["setting", "metric", "cost"]


@dataclass(frozen=True)
class Cell:
    """One value of one run or group.

    Attributes:
        text: As it is shown; "-" where there is none.
        value: By which it is compared, or nan.
        spread: Standard deviation of a group, or nan.
        number: Of runs that have the value.
        epoch: In which it was best, from 1, or nan.
    """

    text: str = "-"
    value: float = nan
    spread: float = nan
    number: int = 1
    epoch: float = nan


@dataclass
class Quantity:
    """A setting, a metric or a cost, of each of the runs or groups.

    Attributes:
        name: Such as `val/loss` or `model.optimizer.lr`.
        kind: Which of the three it is.
        cells: One for each.
        better: The function max or min, or nothing where neither end is the better one.
        show: A value as text.
        best: Whether each cell is the best epoch's, not the last.
    """

    name: str
    kind: Kind
    cells: list[Cell]
    better: Callable[..., Any] | None = None
    show: Callable[[float], str] = rounded
    best: bool = False

    @property
    def title(self) -> str:
        """The name, and that it is the best epoch's."""
        return f"{self.name}, best (epoch)" if self.best else self.name

    @property
    def winner(self) -> float:
        """The best value of several, or nan."""
        values = [cell.value for cell in self.cells if isfinite(cell.value)]
        return self.better(values) if self.better and values and len(self.cells) > 1 else nan


@dataclass
class Group:
    """Runs whose settings differ in nothing but the seed, or a single run.

    Attributes:
        name: By which it is shown.
        members: Their places among the runs.
    """

    name: str
    members: list[int] = field(default_factory=list)


def quantities(runs: Sequence[Run]) -> list[Quantity]:
    """The settings that differ, the metrics and the costs of runs."""
    return [*_differing(runs), *_metrics(runs), *_costs(runs)]


def shared_settings(runs: Sequence[Run]) -> dict[str, str]:
    """The settings that do not differ."""
    first, *others = runs
    return {
        name: value
        for name, value in first.settings.items()
        if all(run.settings.get(name) == value for run in others)
    }


def seed_groups(runs: Sequence[Run]) -> list[Group]:
    """The runs that differ in nothing but the seed together, all others by themselves.

    Of several runs with the same seed, which give the same result, the longest counts, of equally
    long ones the last; the others stand by themselves.
    """
    alike: dict[Any, list[int]] = {}
    for index, run in enumerate(runs):
        rest = frozenset((name, value) for name, value in run.settings.items() if name != SEED)
        alike.setdefault((rest, run.marks), []).append(index)
    found = []
    for indices in alike.values():
        by_seed: dict[str, int] = {}
        for index in sorted(indices, key=lambda index: (runs[index].epochs, index)):
            seed = runs[index].settings.get(SEED, "")
            by_seed[seed if seed.isdecimal() else f"{seed} of {index}"] = index
        chosen = sorted(index for seed, index in by_seed.items() if seed.isdecimal())
        together = chosen if len(chosen) > 1 else []
        found += [[index] for index in indices if index not in together]
        found += [together] if together else []
    return [Group(_name([runs[i] for i in members]), members) for members in sorted(found)]


def _name(runs: list[Run]) -> str:
    if len(runs) == 1:
        return runs[0].name
    folders, _, own = zip(*(run.label.rpartition("/") for run in runs), strict=True)
    first = runs[0].label
    later = list(own if len(set(folders)) == 1 else [run.label for run in runs])[1:]
    label = ", ".join([first, *later]) if len(runs) <= 3 else f"{first} ... {later[-1]}"
    return marked(label, (f"{len(runs)} seeds", *runs[0].marks))


def averaged(rows: Sequence[Quantity], groups: Sequence[Group]) -> list[Quantity]:
    """The same quantities with a cell a group: mean and standard deviation over its runs."""
    averages = []
    for row in rows:
        cells = [_average(row, [row.cells[i] for i in group.members]) for group in groups]
        if row.kind != "setting" or len({cell.text for cell in cells}) > 1:
            averages.append(Quantity(row.name, row.kind, cells, row.better, row.show, row.best))
    return averages


def _average(row: Quantity, cells: list[Cell]) -> Cell:
    texts = list(dict.fromkeys(cell.text for cell in cells))
    values = [cell.value for cell in cells if isfinite(cell.value)]
    if len(texts) == 1 and not isfinite(cells[0].spread) and len(values) < 2:
        return cells[0]
    if row.kind == "setting" or not values:
        ordered = sorted(texts, key=number) if len(values) == len(cells) else texts
        return Cell(", ".join(text for text in ordered if text != "-"))
    if len(cells) == 1 or len(values) == 1:
        only = next(cell for cell in cells if isfinite(cell.value))
        return only if len(cells) == 1 else Cell(f"{only.text} (1)", only.value)
    middle, spread = mean(values), stdev(values)
    text = f"{row.show(middle)} ± {row.show(spread)} ({len(values)})"
    if row.name == "epochs":
        low, high = min(values), max(values)
        text = f"{low:.0f}" if low == high else f"{low:.0f} to {high:.0f}"
    return Cell(text, middle, spread, len(values))


def _differing(runs: Sequence[Run]) -> Iterator[Quantity]:
    for name in dict.fromkeys(name for run in runs for name in run.settings):
        values = [run.settings.get(name, "-") for run in runs]
        if len(set(values)) > 1:
            yield Quantity(name, "setting", [Cell(value, number(value)) for value in values])


def short_class(text: str) -> str:
    """Returns a class path by the name of its class, and any other text as it is."""
    return text.rpartition(".")[2] if CLASS_PATH.fullmatch(text) else text


def number(text: str) -> float:
    """Returns the number that a text is, or nan."""
    try:
        return float(text)
    except ValueError:
        return nan


def _metrics(runs: Sequence[Run]) -> Iterator[Quantity]:
    """Last values, and of validation the best ones."""
    epochs = [Cell(str(run.epochs), float(run.epochs)) for run in runs]
    yield Quantity("epochs", "metric", epochs, show=lambda value: f"{value:.1f}")
    for name in metric_names(runs):
        better = better_end(name, runs)
        logged = [run.logged(name) for run in runs]
        last = [_cell(name, lines[-1] if lines else {}) for lines in logged]
        yield Quantity(name, "metric", last, better)
        if name.startswith("val/") and better:
            finite = [[line for line in lines if isfinite(line[name])] for lines in logged]
            best = [better(lines, key=lambda x: x[name], default={}) for lines in finite]
            yield Quantity(name, "metric", [_cell(name, x, True) for x in best], better, best=True)


def _cell(name: str, line: Line, with_epoch: bool = False) -> Cell:
    if name not in line:
        return Cell()
    text, epoch = rounded(line[name]), line.get("epoch", nan) + 1
    if with_epoch and isfinite(epoch):
        text += f" ({epoch:.0f})"
    return Cell(text, line[name], epoch=epoch)


def better_end(name: str, runs: Sequence[Run]) -> Callable[..., Any] | None:
    """The function max or min, or nothing where neither end is better.

    A learning rate has no better end, nor have the losses of networks that work against each
    other: either falls where the other grows.
    """
    if HIGHER.search(name):
        return max
    own = [run for run in runs if name in run.logged_names]
    opposed = any(ADVERSARIAL.search(key) for run in own for key in run.logged_names)
    if not LOWER.search(name) or (opposed and "loss" in name):
        return None
    return min


def _costs(runs: Sequence[Run]) -> Iterator[Quantity]:
    """What is known of any of the runs; how they ended and on what, where that differs."""
    shown: tuple[tuple[str, str, Callable[[float], str]], ...] = (
        ("wall time", "seconds", duration),
        ("samples/s", "rows_per_second", lambda value: f"{value:,.{0 if value >= 100 else 1}f}"),
        ("peak memory", "peak_memory_bytes", memory),
    )
    for title, key, show in shown:
        values = [_float(run.record.get(key)) for run in runs]
        if any(isfinite(value) for value in values):
            cells = [Cell(show(x), x) if isfinite(x) else Cell() for x in values]
            yield Quantity(title, "cost", cells, show=show)
    for title in ("state", "device", "threads", "world_size", "peak_memory_of", "versions"):
        texts = [_words(run.record.get(title)) for run in runs]
        unusual = title == "state" and set(texts) - {"finished", "-"}
        if unusual or len(set(texts) - {"-"}) > 1:
            yield Quantity(title.replace("_", " "), "cost", [Cell(text) for text in texts])


def _float(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else nan


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {version}" for name, version in sorted(value.items()))
    return "-" if value is None else str(value)


def duration(seconds: float) -> str:
    """Such as "8.2 s", "4 min 05 s" or "2 h 13 min"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def memory(size: float) -> str:
    """Such as "812 MiB" or "1.21 GiB"."""
    mebibytes = size / 2**20
    return f"{mebibytes:.0f} MiB" if mebibytes < 1024 else f"{mebibytes / 1024:.2f} GiB"
