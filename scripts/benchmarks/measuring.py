"""The harness of the benchmarks: options, alternating turns, a clock, a lean Trainer, a report."""

import argparse
import os
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, TypeVar

import lightning.pytorch as pl
import torch
from rich.console import Console
from rich.table import Table

from scripts.machine import processor
from zoo.cli.lightning import quiet
from zoo.files import write_json
from zoo.task import Task

T = TypeVar("T")
Way = Callable[[], float]  # does the work once; returns its rate
Rates = Mapping[str, list[float]]  # of each way, turn by turn
Bars = Mapping[tuple[str, str], float | None]  # least ratio of two ways that is wanted
NOISE = (
    ".*does not have many workers.*",
    ".*no `val_dataloader`.*",
    "GPU available but not used",
    "This DataLoader will create",
)


def benchmark_parser(doc: str | None, threads: int = 2) -> argparse.ArgumentParser:
    """Returns a parser with the options that all benchmarks have.

    Args:
        doc: Docstring of the benchmark.
        threads: Default number of torch's threads.
    """
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=7, help="counted turns of each way")
    parser.add_argument("--threads", type=int, default=threads, help="torch's threads")
    parser.add_argument("--json", type=Path, help="file that the results are also written to")
    return parser


def parsed(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Parses the options, sets torch's threads and silences what Lightning says of each fit."""
    options = parser.parse_args()
    passive = os.environ.get("OMP_WAIT_POLICY", "").upper() == "PASSIVE"
    if passive and options.threads > 1 and getattr(options, "device", "cpu") == "cpu":
        parser.error("OMP_WAIT_POLICY=PASSIVE slows a quiet machine down: unset it")
    torch.set_num_threads(options.threads)
    quiet()
    for pattern in NOISE:
        warnings.filterwarnings("ignore", pattern)
    return options


def alternately(ways: Mapping[str, Callable[[], T]], repeats: int) -> dict[str, list[T]]:
    """Runs the ways in turns whose order swaps; returns the results of all turns but the first."""
    found: dict[str, list[T]] = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name in list(ways) if turn % 2 == 0 else list(ways)[::-1]:
            found[name].append(ways[name]())
    return {name: values[1:] for name, values in found.items()}


def repeated(work: Callable[[], Any], count: float, seconds: float = 0.0) -> Way:
    """Returns a turn that does the work as often as fills it, and at least once.

    Args:
        work: Work of one call.
        count: Number of rows, pictures or steps of one call.
        seconds: Least duration of a turn.
    """

    def turn() -> float:
        start, calls, passed = perf_counter(), 0, 0.0
        while not calls or passed < seconds:
            work()
            calls += 1
            passed = perf_counter() - start
        return calls * count / passed

    return turn


class Clock:
    """Times the last epoch of a fit through the hooks of the module itself.

    A callback would cost each step what the measured Trainer does without. The checkpoint, some
    10 ms an epoch, is written after the last hook.
    """

    start = training = whole = 0.0

    def __init__(self, network: Task) -> None:
        self._wrap(network, "on_train_epoch_start", self._begin, first=False)
        self._wrap(network, "on_validation_start", self._trained, first=True)
        self._wrap(network, "on_train_epoch_end", self._end, first=False)

    def _begin(self) -> None:
        self.start, self.training = perf_counter(), 0.0

    def _trained(self) -> None:
        self.training = perf_counter() - self.start

    def _end(self) -> None:
        self.whole = perf_counter() - self.start
        self.training = self.training or self.whole

    @staticmethod
    def _wrap(network: Task, hook: str, note: Callable[[], None], *, first: bool) -> None:
        original = partial(getattr(type(network), hook), network)
        calls = (note, original) if first else (original, note)

        def both() -> None:
            for call in calls:
                call()

        setattr(network, hook, both)


def lean_trainer(**options: Any) -> pl.Trainer:
    """Returns a Trainer on the CPU, for two epochs, with everything else switched off.

    Args:
        options: Options of the Trainer, these or others.
    """
    lean: dict[str, Any] = {
        "accelerator": "cpu",
        "devices": 1,
        "max_epochs": 2,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "limit_val_batches": 0,
    }
    return pl.Trainer(**(lean | options))


def lean_fit(network: Task, data: Any, **options: Any) -> Clock:
    """Fits under a lean Trainer; returns the clock of the second epoch."""
    clock = Clock(network)
    lean_trainer(**options).fit(network, data)
    return clock


def shown(rate: float) -> str:
    """Returns a rate with the digits that are worth reading."""
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"


class Report:
    """Prints what is measured and keeps it for `--json` and the exit code.

    Args:
        options: Options of the command.
        notes: Further parts of the title.
    """

    def __init__(self, options: argparse.Namespace, *notes: str) -> None:
        versions = f"torch {torch.__version__}, lightning {pl.__version__}"
        load = f"load {os.getloadavg()[0]:.2f}"
        machine = f"{versions}, {options.threads} threads, {processor()}, {load}"
        self.title = "; ".join([machine, *notes, f"{options.repeats} turns"])
        self.console, self.file, self.met = Console(highlight=False), options.json, True
        self.results: dict[str, Any] = {}
        self.console.print(self.title, soft_wrap=True)

    def add(self, work: str, unit: str, rates: Rates, bars: Bars) -> None:
        """Prints a table of the rates of each way, and the ratios of the medians and by turns."""
        middle = {name: median(values) for name, values in rates.items()}
        others = list(dict.fromkeys(other for _, other in bars))
        table = Table("way", title=work, title_justify="left")
        for column in (unit, "min - max", *(f"/ {other}" for other in others)):
            table.add_column(column, justify="right")
        for name, values in rates.items():
            ratios = (f"{middle[name] / middle[other]:.3f}" for other in others)
            span = f"{shown(min(values))} - {shown(max(values))}"
            table.add_row(name, shown(middle[name]), span, *ratios)
        self.console.print(table)
        self.results[work] = {"median": middle, "all": dict(rates), "ratios": {}}
        for (one, other), bar in bars.items():
            ratio, pair = middle[one] / middle[other], f"{one} / {other}"
            paired = median(a / b for a, b in zip(rates[one], rates[other], strict=True))
            met = self.check(f"{pair}: {ratio:.3f}, turn by turn {paired:.3f}", ratio, bar)
            verdict = {"ratio": ratio, "paired_ratio": paired, "bar": bar, "met": met}
            self.results[work]["ratios"][pair] = verdict

    def check(self, line: str, value: float, bar: float | None, *, most: bool = False) -> bool:
        """Prints a line and, where there is a bar, whether the value meets it; returns that.

        Args:
            line: Text that names the value.
            value: Measured value.
            bar: Least value that is wanted, None for any.
            most: Whether the bar is the largest value instead.
        """
        met = bar is None or (value <= bar if most else value >= bar)
        if bar is not None:
            line += f", wanted {bar:g}{' at most' * most}: {'met' if met else 'NOT MET'}"
        self.console.print(line, soft_wrap=True)
        self.met = self.met and met
        return met

    def end(self) -> int:
        """Writes the results, if that is asked for; returns 1 where a bar is not met, else 0."""
        if self.file:
            write_json(self.file, {"header": self.title, "networks": self.results})
        return int(not self.met)
