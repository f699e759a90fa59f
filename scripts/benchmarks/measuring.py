"""What the benchmarks share: options, turns, a clock, a lean Trainer, what results say."""

import argparse
import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import lightning.pytorch as pl
import torch

from scripts.machine import processor
from zoo.task import Task


def benchmark_parser(doc: str | None, threads: int = 2) -> argparse.ArgumentParser:
    """The options that all have.

    Args:
        doc: Docstring of the benchmark.
        threads: Of torch, by default.
    """
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=7, help="counted turns of each way")
    parser.add_argument("--threads", type=int, default=threads, help="of torch")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    return parser


def alternately(ways: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, list[float]]:
    """What each way measures in each of its turns, whose order swaps; the first does not count."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name in list(ways) if turn % 2 == 0 else list(ways)[::-1]:
            found[name].append(ways[name]())
    return {name: values[1:] for name, values in found.items()}


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


def lean_trainer(steps: int = -1, **options: Any) -> pl.Trainer:
    """A Trainer with everything switched off, for two epochs, of which the second is timed.

    Args:
        steps: Most of them; -1 for all.
        options: Of the Trainer, these or others.
    """
    lean: dict[str, Any] = {
        "max_epochs": 2,
        "max_steps": steps,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "limit_val_batches": 0,
    }
    return pl.Trainer(**(lean | options))


def header(threads: int) -> str:
    """Versions, the machine, and how busy it is already."""
    versions = f"torch {torch.__version__}, lightning {pl.__version__}"
    return f"{versions}, {threads} threads, {processor()}, load {os.getloadavg()[0]:.2f}"


def write_results(path: Path, title: str, results: dict[str, Any]) -> None:
    """Writes what was measured as JSON."""
    text = json.dumps({"header": title, "networks": results}, indent=2)
    path.write_text(text + "\n", encoding="utf-8")
