"""fit, validate and test: build the experiment, run it, say what came out and what comes next."""

import argparse
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rich.console import Console

from zoo.catalogue import architectures
from zoo.cli.compose import compose, from_checkpoint
from zoo.cli.experiment import Experiment
from zoo.cli.foreign_errors import in_one_line
from zoo.cli.names import class_path
from zoo.cli.overlays import refuse
from zoo.cli.report import (
    best_of,
    counted,
    plain_console,
    report_changes,
    report_evaluation,
    report_fit,
    report_profile,
    say_unwritten,
    waiting,
)
from zoo.cli.sweep.grid import fit_grid, in_full_grid, split_grid
from zoo.errors import InputError
from zoo.runs import folder as run_folder
from zoo.runs.wandb_options import WandbOptions
from zoo.training.signals import stopped_at_once

LOADING = "loading torch and Lightning"
LAST = "last"  # value of --ckpt_path: the last checkpoint of this job, which may run again


def fit(options: argparse.Namespace, overrides: list[str]) -> int:
    """Trains a recipe, a configuration file, or a model on a corpus; a grid of them as a sweep."""
    parameters, rest = split_grid(options.seeds, overrides)
    if parameters:
        alone = experiment_of(options, rest)
        return fit_grid(options, alone.name, in_full_grid(alone.config, parameters, rest), rest)
    experiment = experiment_of(options, overrides)
    with waiting(LOADING):  # which an error on a name does without
        from zoo.checkpoints.checkpoint import read
        from zoo.cli.lightning import ZooCLI
        from zoo.training.profiling import TrainingProfiler

    if options.print_config:
        experiment.overrides.append("--print_config")
        with suppress(SystemExit):
            ZooCLI(experiment, None)
        return 0

    path = None if options.ckpt_path == LAST else options.ckpt_path
    begun = read(path) if path else None
    if begun:
        _refuse_other_class(begun, options.ckpt_path, experiment.config["model"]["class_path"])
        if "optimizer_states" not in begun:
            raise InputError(f"{path}: weights alone, to predict with: go on from a .ckpt of a run")
    with new_run(options, experiment) as (run, first):
        console = plain_console(quiet=not first)
        if experiment.note:
            console.print(experiment.note)
        own = run / "checkpoints" / "last.ckpt"
        again = options.ckpt_path is not None and own.is_file()
        if again:  # rather than from the file that the job first began from
            path, begun = str(own), read(own)
            console.print(f"this job has run before: it goes on from {own}", soft_wrap=True)
        profiler = TrainingProfiler(run / "profile") if options.profile and first else None
        cli = train(experiment, run, WandbOptions.of(options), console, path, begun, profiler)
        if begun and not again and cli.trainer.global_step == begun["global_step"]:
            raise InputError(f"{options.ckpt_path} {_at_an_end(cli.trainer)}")
    report_fit(cli, run, console)
    say_unwritten(cli)
    if profiler:
        report_profile(profiler, console)
    return 0


def experiment_of(options: argparse.Namespace, overrides: list[str]) -> Experiment:
    """Returns the experiment that the options of a verb that trains name."""
    named = (options.recipe, options.config, options.model, options.data)
    overrides = _with_seed(options, overrides)
    experiment = compose(*named, overrides, options.overlays, options.allow)
    _refuse_no_steps(experiment)
    refuse(options.overlays, experiment, here=options.verb != "submit")
    return experiment


def _at_an_end(trainer: Any) -> str:
    """Returns what ended a run before its first step, and the whole way on."""
    from lightning.pytorch.callbacks import Timer

    from zoo.training.optimization import AT_A_CONSTANT_RATE

    timers = [callback for callback in trainer.callbacks if isinstance(callback, Timer)]
    left = [timer.time_remaining() for timer in timers]
    spent = any(seconds is not None and seconds <= 0 for seconds in left)
    if 0 <= trainer.max_steps <= trainer.global_step:
        text, option = f"has done its {counted(trainer.max_steps, 'step')} already", "max_steps"
    elif spent:
        text, option = "has used its time already", "max_time"
    else:
        text, option = (
            f"is at the end of its {counted(trainer.max_epochs, 'epoch')} already",
            "max_epochs",
        )
    ends = any(hasattr(config.scheduler, "total_steps") for config in trainer.lr_scheduler_configs)
    rest = f", and, as the schedule ends there, {AT_A_CONSTANT_RATE}" if ends else ""
    return f"{text}: raise --trainer.{option} to train on{rest}"


@contextmanager
def new_run(options: argparse.Namespace, experiment: Experiment) -> Iterator[tuple[Path, bool]]:
    """Yields the folder of a new run, removed where nothing was trained, and whether it is ours.

    Other processes belong to the run of the process that started them, which reports for all.
    """
    first, had_runs = run_folder.is_first_process(), options.runs.exists()
    with stopped_at_once():
        last = vars(options).get("ckpt_path") == LAST
        settings = _settings(options, experiment)
        run = run_folder.create(options.runs, experiment.name, *settings, any_length=last)
        try:
            yield run, first
        except BaseException:
            traces = ("metrics.csv", "checkpoints", "*/metrics.csv", "*/checkpoints")
            if first and not any(path for trace in traces for path in run.glob(trace)):
                _remove(run, and_above=not had_runs)
            raise
        finally:
            if first:
                run_folder.forget()


def _settings(options: argparse.Namespace, experiment: Experiment) -> tuple[str, str]:
    """Returns what a run has in common with the one that its job goes on with, and its length."""
    begun = vars(options).get("ckpt_path")
    given = [options.verb, vars(options).get("folds"), None if begun == LAST else begun]
    config, trainer = dict(experiment.config), dict(experiment.config.get("trainer") or {})
    config["trainer"] = {name: value for name, value in trainer.items() if name[:4] != "max_"}
    limits = [option for option in experiment.overrides if option.startswith("--trainer.max_")]
    others = [option for option in experiment.overrides if option not in limits]
    texts = [given, config, others], [trainer, limits]
    return json.dumps(texts[0], default=str), json.dumps(texts[1], default=str)


def train(
    experiment: Experiment,
    run: Path,
    wandb: WandbOptions,
    console: Console,
    ckpt_path: str | None = None,
    begun: dict[str, Any] | None = None,
    profiler: Any = None,
) -> Any:
    """Trains an experiment in its folder, perhaps on from a checkpoint; returns its ZooCLI.

    The process whose console speaks also writes the settings.
    """
    from zoo.checkpoints.checkpoint import load_weights
    from zoo.cli.lightning import ZooCLI
    from zoo.training.process_group import destroy_group, report_rank_failures

    with waiting(f"building {experiment.title()}"):
        cli = ZooCLI(experiment, run, wandb, profiler=profiler, begun=begun)
    if begun and ckpt_path:
        load_weights(cli.model, begun, ckpt_path)
        report_changes(cli, begun, console)
    if not console.quiet:
        cli.save_config()
    size = sum(parameter.numel() for parameter in cli.model.parameters())
    console.print(f"run: {run}\n{type(cli.model).__name__}: {size:,} parameters", soft_wrap=True)
    with in_one_line(), report_rank_failures(run):
        cli.say(f"reading {type(cli.datamodule).__name__}")
        cli.trainer.fit(cli.model, cli.datamodule, ckpt_path=ckpt_path)
        if cli.wandb.log_model and cli.trainer.is_global_zero:
            _put_up(cli)
    destroy_group()
    if cli.trainer.global_step == 0:
        raise InputError("nothing was trained: the run ended before its first step")
    return cli


def _put_up(cli: Any) -> None:
    """Hands the best checkpoint and its card to W&B."""
    from zoo.cli.export.model_card import of_checkpoint
    from zoo.runs.wandb_logger import RedactedWandbLogger

    saved = best_of(cli.trainer)
    best = Path(getattr(saved, "best_model_path", ""))
    loggers = [each for each in cli.trainer.loggers if isinstance(each, RedactedWandbLogger)]
    for logger in loggers if best.is_file() else ():
        score = saved.best_model_score
        metadata = {} if score is None else {saved.monitor: float(score)}
        logger.log_checkpoint(best, of_checkpoint(best, cli.model), metadata)


def _refuse_no_steps(experiment: Experiment) -> None:
    """Refuses options by which nothing would be trained.

    Raises:
        InputError: There is one.
    """
    for name in ("max_epochs", "max_steps", "limit_train_batches"):
        if re.fullmatch(r"[+-]?0+(\.0*)?", str(experiment.trainer_option(name))):
            raise InputError(f"--trainer.{name} is 0: nothing would be trained")


def evaluate(options: argparse.Namespace, overrides: list[str]) -> int:
    """Validates or tests a checkpoint; it names the model and the corpus itself."""
    with waiting(LOADING):
        from zoo.checkpoints.checkpoint import load_weights, read, refuse_foreign
        from zoo.cli.lightning import ZooCLI
        from zoo.training.process_group import destroy_group

    path = Path(options.ckpt_path)
    checkpoint = read(path)
    refuse_foreign(checkpoint, path, options.allow)
    named = (str(path), options.data, _with_seed(options, overrides), options.allow)
    experiment = from_checkpoint(checkpoint, *named)
    if options.model:
        wanted = class_path("model", options.model, architectures)
        _refuse_other_class(checkpoint, path, wanted)
    run = path.parent.parent if path.parent.name == "checkpoints" else None
    with waiting(f"building {experiment.title()}"):
        cli = ZooCLI(experiment, run, logs=False)
    load_weights(cli.model, checkpoint, path)
    if experiment.note and cli.trainer.is_global_zero:
        plain_console().print(experiment.note, soft_wrap=True)
    measure = getattr(cli.trainer, options.verb)
    with in_one_line():
        measured = measure(cli.model, cli.datamodule, ckpt_path=str(path), verbose=False)
    destroy_group()
    limit = f"limit_{'val' if options.verb == 'validate' else 'test'}_batches"
    if not measured and getattr(cli.trainer, limit) == 0:
        raise InputError(f"--trainer.{limit} is 0: nothing would be measured")
    if not measured:
        raise InputError(f"{path}: trained on all rows: none is held out to validate on")
    (metrics,) = measured
    if cli.trainer.is_global_zero:
        kept = run if options.verb == "test" else None
        report_evaluation(cli, path, checkpoint, metrics, kept)
        say_unwritten(cli)
    return 0


def _with_seed(options: argparse.Namespace, overrides: list[str]) -> list[str]:
    seed = options.seed_everything
    return overrides if seed is None else [*overrides, f"--seed_everything={seed}"]


def _refuse_other_class(checkpoint: dict[str, Any], path: str | Path, wanted: str) -> None:
    """Lightning would train or test the checkpoint's class without a word."""
    trained = checkpoint["zoo"].get("class_path") or "nothing"
    if trained != wanted:
        names = [path.rpartition(".")[2] for path in (trained, wanted)]
        raise InputError(f"{path} is a checkpoint of {names[0]}, not of {names[1]}")


def _remove(run: Path, *, and_above: bool) -> None:
    shutil.rmtree(run)
    for folder in (run.parent, run.parent.parent)[: 1 + and_above]:
        if not any(folder.iterdir()):
            folder.rmdir()
