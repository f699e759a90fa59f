"""cross-validate: train a recipe once for each fold, measured on the fold that was held out."""

import argparse
import os
from copy import deepcopy
from datetime import date
from pathlib import Path
from shlex import quote
from statistics import mean, stdev
from time import perf_counter
from typing import Any

from rich.console import Console
from rich.table import Table

from zoo.catalogue import arguments, definitions
from zoo.cli.experiment import Experiment
from zoo.cli.report import counted, plain_console
from zoo.cli.run import experiment_of, new_run, train
from zoo.errors import InputError
from zoo.files import write_json
from zoo.runs import folder as run_folder
from zoo.runs.rounding import rounded
from zoo.runs.wandb_options import WandbOptions


def cross_validate(options: argparse.Namespace, overrides: list[str]) -> int:
    """Trains on all folds but one, for each of them, and reports what the left-out ones measure.

    What counts are the metrics after the last epoch: a best epoch would have been chosen by the
    rows that it is measured on. A fold's run lies in `runs/<recipe>/<number>/fold-<k>/`.

    Raises:
        InputError: The corpus offers no folds, or fewer rows than them.
    """
    experiment = experiment_of(options, overrides)
    _refuse_without_folds(experiment)
    child = run_folder.given()
    if child:  # Lightning started this process for one fold of the first process's loop
        _train_fold(experiment, child.parent, _number(child), options, plain_console(quiet=True))
        return 0
    with new_run(options, experiment) as (run, first):
        console = plain_console(quiet=not first)
        if experiment.note:
            console.print(experiment.note)
        console.print(f"run: {run}, {options.folds} folds", soft_wrap=True)
        metrics = []
        for fold in range(1, options.folds + 1):
            start = perf_counter()
            cli = _train_fold(experiment, run, fold, options, console)
            values = cli.trainer.callback_metrics
            metrics.append({name: float(values[name]) for name in sorted(values)})
            _say(console, f"fold {fold}", metrics[-1], f"{perf_counter() - start:.1f} s")
        if first:
            _report(console, run, metrics, cli)
    return 0


def _refuse_without_folds(experiment: Experiment) -> None:
    corpus = experiment.config["data"]["class_path"]
    known = definitions().get(corpus)
    if known and "fold" not in arguments(known, definitions()):
        raise InputError(f"{known.name} offers no folds: its held-out rows are drawn apart")
    for option in experiment.overrides:
        if option.startswith(("--data.fold=", "--data.num_folds=")):
            raise InputError(f"{option.partition('=')[0]} is set by --folds for each fold in turn")


def _number(folder: Path) -> int:
    return int(folder.name.removeprefix("fold-"))


def _train_fold(
    experiment: Experiment, run: Path, fold: int, options: argparse.Namespace, console: Console
) -> Any:
    """Trains one fold in a folder of its own, which the processes it starts are told."""
    one = deepcopy(experiment)
    one.overrides += [f"--data.num_folds={options.folds}", f"--data.fold={fold}"]
    if not any(option.startswith("--trainer.enable_progress_bar") for option in one.overrides):
        one.overrides.append("--trainer.enable_progress_bar=false")
    folder = run / f"fold-{fold}"
    if not console.quiet:
        folder.mkdir(exist_ok=True)
    before = dict(os.environ)
    os.environ[run_folder.VARIABLE] = str(folder)
    try:
        return train(one, folder, WandbOptions.of(options), console)
    finally:
        _restore(before)


def _restore(environment: dict[str, str]) -> None:
    """Forgets a fold's variables, so that the next fold starts processes of its own.

    Lightning marks the first process as launched (LOCAL_RANK ...), and would wait for the others.
    """
    for name in [name for name in os.environ if name not in environment]:
        del os.environ[name]
    os.environ.update(environment)


def _say(console: Console, title: str, metrics: dict[str, float], rest: str) -> None:
    shown = "  ".join(f"{n} {rounded(v)}" for n, v in metrics.items() if n.startswith("val/"))
    console.print(f"{title}  {shown}  {rest}", soft_wrap=True)


def _report(console: Console, run: Path, metrics: list[dict[str, float]], cli: Any) -> None:
    """Prints and keeps the metrics of each fold, their mean and standard deviation."""
    columns = {name: [fold[name] for fold in metrics] for name in metrics[0]}
    table = Table()
    table.add_column("fold")
    names = [name for name in columns if name.startswith("val/")]
    for name in names:
        table.add_column(name, justify="right")
    rows = [*metrics, means := {n: mean(v) for n, v in columns.items()}]
    rows.append(spreads := {n: stdev(v) for n, v in columns.items()})
    titles = [*(str(i + 1) for i in range(len(metrics))), "mean", "std"]
    for title, row in zip(titles, rows, strict=True):
        if title == "mean":
            table.add_section()
        table.add_row(title, *(rounded(row[name]) for name in names))
    corpus = cli.datamodule
    console.print(
        f"{cli.experiment.name}, {counted(cli.trainer.current_epoch, 'epoch')}: {corpus.title}"
    )
    console.print(table)
    record = {
        "folds": metrics,
        "mean": means,
        "std": spreads,
        "epochs": cli.trainer.current_epoch,
        "corpus": corpus.title,
        "synthetic": corpus.synthetic,
        "date": date.today().isoformat(),
    }
    write_json(run / "cross_validation.json", record)
    lines = [
        f"kept:     {run / 'cross_validation.json'}",
        f"next:     zoo compare {quote(str(run))}",
    ]
    console.print("\n".join(lines), soft_wrap=True)
