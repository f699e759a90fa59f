"""tune: a learning rate, and a size of the batches, to train a recipe with."""

import argparse
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from zoo.catalogue import arguments, definitions
from zoo.cli.experiment import Experiment
from zoo.cli.foreign_errors import in_one_line
from zoo.cli.report import plain_console
from zoo.cli.run import experiment_of
from zoo.errors import InputError
from zoo.files import numbered

OURS = {  # an epoch may be shorter than a trial; nothing is measured in between
    "max_epochs": -1,
    "max_steps": -1,
    "fast_dev_run": "false",
    "check_val_every_n_epoch": 10**9,
    "val_check_interval": "null",
    "num_sanity_val_steps": 0,
    "callbacks": "null",
    "enable_progress_bar": "false",
}


def tune(options: argparse.Namespace, overrides: list[str]) -> int:
    """Finds a learning rate, with --batch-size a batch size, with --lr --batch-size both in turn.

    Trains a few steps, and leaves nothing but the picture in `runs/<recipe>/tune-<n>/`.

    Raises:
        InputError: There is nothing to find, or the options are out of bounds.
    """
    experiment = experiment_of(options, overrides)
    _check(options, experiment)
    console = plain_console()
    if not console.is_terminal:
        os.environ.setdefault("TQDM_DISABLE", "1")  # Lightning's own bar
    if experiment.note:
        console.print(experiment.note)
    found: list[str] = []
    if options.batch_size:
        size = _find_batch_size(options, experiment, console)
        found.append(f"--data.batch_size {size}")
        experiment.overrides = [*experiment.overrides, f"--data.batch_size={size}"]
    if options.lr or not options.batch_size:
        found += _find_rate(options, experiment, console)
    given = (options.recipe, *(f"+{name}" for name in options.overlays))
    words = [word for word in given if word]
    for name in ("config", "model", "data", "seed_everything"):
        if getattr(options, name) is not None:
            words += [f"--{name}", str(getattr(options, name))]
    for package in options.allow:
        words += ["--allow", package]
    command = shlex.join(["zoo", "fit", *words, *overrides])
    console.print(f"next:     {' '.join([command, *found])}", soft_wrap=True)
    return 0


def _check(options: argparse.Namespace, experiment: Experiment) -> None:
    least, most, steps = options.min_lr, options.max_lr, options.steps
    if not 0 < least < most or steps < 20:
        raise InputError(
            f"--min-lr is {least:g}, --max-lr {most:g} and --steps {steps}; they have to be over "
            "0, over that, and at least 20"
        )
    if options.batch_size:
        if options.max < 2 or (options.mode == "power" and options.max > 8192):
            raise InputError(
                f"--max is {options.max}; it has to be at least 2, and of more than 8192 only "
                "--mode binsearch comes near"
            )
        known = definitions().get(experiment.config["data"]["class_path"])
        if known and "batch_size" not in arguments(known, definitions()):
            raise InputError(f"{known.name} has no batches of another size: leave out --batch-size")


@contextmanager
def _built(experiment: Experiment) -> Iterator[Any]:
    """Yields the ZooCLI of a trial: one process, no schedule, no callbacks, a temporary folder."""
    from zoo.cli.lightning import ZooCLI

    trial = deepcopy(experiment)
    if not any(option.startswith("--trainer.devices=") for option in trial.overrides):
        trial.overrides.append("--trainer.devices=1")
    trial.overrides += [f"--trainer.{name}={value}" for name, value in OURS.items()]
    with TemporaryDirectory(prefix="zoo-tune-") as scratch, in_one_line():
        trial.overrides.append(f"--trainer.default_root_dir={scratch}")
        cli = ZooCLI(trial, None)
        if cli.trainer.world_size > 1:
            raise InputError(
                "what is found holds for each process: tune in one, --trainer.devices 1"
            )
        for name in [name for name in vars(cli.model) if name.endswith("lr_scheduler")]:
            setattr(cli.model, name, None)
        yield cli


def _find_rate(
    options: argparse.Namespace, experiment: Experiment, console: Console
) -> Iterator[str]:
    """Yields the options that set the learning rate."""
    from zoo.cli.tune.rate import draw, range_test

    bounds = {"least": options.min_lr, "most": options.max_lr, "steps": options.steps}
    with _built(experiment) as cli:
        test = range_test(cli.trainer, cli.model, cli.datamodule, **bounds)
        settings = yaml.safe_load(cli.parser.dump(cli.config, skip_none=False))
        described = cli.datamodule.described
    rate = f"{test.suggested:.2g}"
    console.print(
        f"learning rate: {rate}, a tenth of that with the lowest loss ({described})", soft_wrap=True
    )
    if test.at_the_end:
        console.print(f"the loss still falls at {options.max_lr:g}: try a higher --max-lr")
    path = _new_folder(options.runs / experiment.name) / "lr_finder.png"
    draw(test, experiment.name).savefig(path, dpi=120)
    console.print(f"picture:  {path}", soft_wrap=True)
    yield f"--model.optimizer.lr {rate}"
    schedule = settings["model"]["init_args"].get("lr_scheduler") or {}
    if "max_lr" in (schedule.get("init_args") or {}):  # a schedule with a rate of its own
        yield f"--model.lr_scheduler.max_lr {rate}"


def _find_batch_size(options: argparse.Namespace, experiment: Experiment, console: Console) -> int:
    """Returns the suggested size; prints how fast each is."""
    from zoo.cli.tune.batch import speeds, suggested

    with _built(experiment) as cli:
        corpus = cli.datamodule
        corpus.prepare_data()
        corpus.setup("fit")
        most = min(options.max, len(corpus.data["train"]))
        found = speeds(cli.trainer, cli.model, corpus, mode=options.mode, most=most)
        described, device = corpus.described, cli.trainer.strategy.root_device
    if not found:
        raise InputError("not even a batch of 2 rows fits: take a smaller model")
    best = suggested(found)
    console.print(f"{experiment.name} on {device.type}: {described}", soft_wrap=True)
    table = Table()
    for title in ("batch size", "rows/s", ""):
        table.add_column(title, justify="right" if title else "left")
    for size, speed in found.items():
        table.add_row(f"{size:,}", f"{speed:,.0f}", "suggested" if size == best else "")
    console.print(table)
    ends = f"of at most {most:,}" if max(found) > most // 2 else "that fits"
    console.print(f"batch size: {best}; {max(found):,} is the largest tried {ends}", soft_wrap=True)
    return best


def _new_folder(parent: Path) -> Path:
    """Makes and returns the next `tune-<n>`, by an exclusive mkdir.

    Raises:
        InputError: It cannot be made.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        return numbered(parent / "tune-{}", Path.mkdir)
    except OSError as error:
        raise InputError(
            f"{parent}: cannot be written ({error.strerror}); choose another: --runs DIR"
        ) from None
