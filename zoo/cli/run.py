"""fit, validate and test: build the experiment, run it, say what came out and what comes next."""

import argparse
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from traceback import walk_tb
from typing import Any

from rich.console import Console
from rich.table import Table

from zoo.cli.experiment import Experiment, compose, from_checkpoint
from zoo.cli.names import architectures, class_path
from zoo.cli.overlays import refuse_for_recipe, refuse_here
from zoo.cli.requeue import LAST, own_checkpoint
from zoo.cli.rounding import rounded
from zoo.errors import InputError
from zoo.training import run_folder


def fit(options: argparse.Namespace, overrides: list[str]) -> int:
    """Trains a recipe, a configuration file, or a model on a corpus."""
    experiment = chosen(options, overrides)
    if options.print_config:
        experiment.overrides.append("--print_config")
        with suppress(SystemExit):
            _build(experiment, None)
        return 0
    from zoo.training.checkpoint import read

    path = None if options.ckpt_path == LAST else options.ckpt_path
    begun = read(path) if path else None
    if begun:
        _refuse_other_class(begun, options.ckpt_path, experiment.config["model"]["class_path"])
        if "optimizer_states" not in begun:
            raise InputError(f"{path}: weights alone, to predict with: go on from a .ckpt of a run")
    with new_run(options.runs, experiment.name) as (run, first):
        console = Console(highlight=False, quiet=not first)
        if experiment.note:
            console.print(experiment.note)
        own, before = own_checkpoint(run, options.ckpt_path)
        if own:
            path, begun = own, before
            console.print(f"this job has run before: it goes on from {own}", soft_wrap=True)
        profiler = _profiler(run) if options.profile and first else None
        given = (path, begun, profiler)
        cli = train(experiment, run, options.wandb, console, *given)
        if begun and not own and cli.trainer.global_step == begun["global_step"]:
            epochs = cli.trainer.max_epochs
            raise InputError(
                f"{options.ckpt_path} is at the end of its {epochs} epochs already: "
                "raise --trainer.max_epochs to train on"
            )
    _report_fit(cli, run, console)
    if profiler:
        _report_profile(profiler, console)
    return 0


def chosen(options: argparse.Namespace, overrides: list[str]) -> Experiment:
    """The experiment that the options of a verb that trains name."""
    if options.seed_everything is not None:
        overrides = [*overrides, f"--seed_everything={options.seed_everything}"]
    named = (options.recipe, options.config, options.model, options.data)
    experiment = compose(*named, overrides, options.overlays, options.allow)
    refuse_for_recipe(options.overlays, experiment)
    if options.verb != "submit":  # whose machine is another
        refuse_here(options.overlays, experiment)
    return experiment


@contextmanager
def new_run(base: Path, name: str) -> Iterator[tuple[Path, bool]]:
    """The folder of a new run, and whether this process began it; goes where nothing was trained.

    Others belong to the run of the process that started them, which reports for all.
    """
    first, had_runs = run_folder.is_first_process(), base.exists()
    run = run_folder.create(base, name)
    try:
        yield run, first
    except Exception:
        traces = ("metrics.csv", "checkpoints", "*/metrics.csv", "*/checkpoints")
        if first and not any(path for trace in traces for path in run.glob(trace)):
            _remove(run, and_above=not had_runs)
        raise
    finally:
        if first:
            run_folder.forget()


def train(
    experiment: Experiment,
    run: Path,
    wandb: str | None,
    console: Console,
    ckpt_path: str | None = None,
    begun: dict[str, Any] | None = None,
    profiler: Any = None,
) -> Any:
    """Trains an experiment in its folder, perhaps on from a checkpoint; returns its ZooCLI.

    The process whose console speaks also writes the settings.
    """
    from zoo.training.checkpoint import load_weights
    from zoo.training.process_group import leave, together

    cli = _build(experiment, run, wandb, profiler=profiler)
    if begun and ckpt_path:
        load_weights(cli.model, begun, ckpt_path)
    if not console.quiet:
        cli.save_config()
    size = sum(parameter.numel() for parameter in cli.model.parameters())
    console.print(f"run: {run}\n{type(cli.model).__name__}: {size:,} parameters", soft_wrap=True)
    with in_one_line(), together(run):
        cli.trainer.fit(cli.model, cli.datamodule, ckpt_path=ckpt_path)
    leave()
    return cli


def evaluate(options: argparse.Namespace, overrides: list[str]) -> int:
    """Validates or tests a checkpoint; it names the model and the corpus itself."""
    from zoo.training.checkpoint import load_weights, read, refuse_foreign
    from zoo.training.process_group import leave

    path = Path(options.ckpt_path)
    if options.seed_everything is not None:
        overrides = [*overrides, f"--seed_everything={options.seed_everything}"]
    checkpoint = read(path)
    refuse_foreign(checkpoint, path, options.allow)
    named = (str(path), options.data, overrides, options.allow)
    experiment = from_checkpoint(checkpoint, *named)
    if options.model:
        wanted = class_path("model", options.model, architectures())
        _refuse_other_class(checkpoint, path, wanted)
    run = path.parent.parent if path.parent.name == "checkpoints" else None
    cli = _build(experiment, run, logs=False)
    load_weights(cli.model, checkpoint, path)
    measure = getattr(cli.trainer, options.verb)
    with in_one_line():
        measured = measure(cli.model, cli.datamodule, ckpt_path=str(path), verbose=False)
    leave()
    if not measured:
        raise InputError(f"{path}: trained on all rows: none is held out to validate on")
    (metrics,) = measured
    if cli.trainer.is_global_zero:
        console = Console(highlight=False)
        _print_metrics(console, f"{path}: {cli.datamodule.described}", metrics)
        for name, signature in _signatures(cli.model, metrics):
            console.print(f"{name + ':':<9} {signature}", soft_wrap=True)
        if run and options.verb == "test":
            _keep(run, path, cli, metrics, checkpoint)
            console.print(f"pictures: {run / 'pictures'}", soft_wrap=True)
            console.print(f"next:     zoo compare {run}", soft_wrap=True)
    return 0


def _build(
    experiment: Experiment,
    run: Path | None,
    wandb: str | None = None,
    *,
    logs: bool = True,
    profiler: Any = None,
) -> Any:
    from zoo.cli.lightning import ZooCLI

    return ZooCLI(experiment, run, wandb, logs=logs, profiler=profiler)


def _profiler(run: Path) -> Any:
    from zoo.training.profiling import TrainingProfiler

    return TrainingProfiler(run / "profile")


def _report_profile(profiler: Any, console: Console) -> None:
    """Prints the report, and keeps it beside the trace."""
    report = profiler.report()
    if not report:
        console.print("profile:  of a run of a single step there is none", soft_wrap=True)
        return
    (profiler.folder / "report.txt").write_text(f"{report}\n", encoding="utf-8")
    console.print(f"\n{report}\n", markup=False, soft_wrap=True)
    where = f"{profiler.folder / 'report.txt'} and trace.json.gz, for https://ui.perfetto.dev"
    console.print(f"profile:  {where}", soft_wrap=True)


@contextmanager
def in_one_line() -> Iterator[None]:
    """Complaints about options as one line; W&B ends with the run, come what may."""
    from lightning.pytorch.utilities.exceptions import MisconfigurationException

    from zoo.training.wandb_logger import finish

    try:
        yield
    except MisconfigurationException as error:
        raise InputError(" ".join(str(error).split())) from None
    except (ValueError, ZeroDivisionError) as error:
        complaint = _of_options(error)
        if complaint is None:
            raise
        raise InputError(complaint) from None
    except RuntimeError as error:  # of oneDNN, for an LSTM in bfloat16 on processors without it
        reason = str(error).partition(". ")[0]
        if not reason.startswith("could not create a primitive"):
            raise
        raise InputError(
            f"this processor cannot compute a layer in this precision ({reason}): "
            "--trainer.precision 32-true"
        ) from None
    except SystemExit as error:  # into which Lightning turns a second Ctrl-C
        raise error.__context__ or error from None
    finally:
        finish()


def _of_options(error: Exception) -> str | None:
    """What the Trainer, an optimizer or a schedule says of its options; None of other errors."""
    *_, (frame, _) = walk_tb(error.__traceback__)
    where, said = str(frame.f_globals["__name__"]), " ".join(str(error).split())
    if where.startswith("torch.optim."):
        return f"{type(frame.f_locals.get('self')).__name__}: {said}"
    return said if where.startswith("lightning.pytorch.") else None


def _refuse_other_class(checkpoint: dict[str, Any], path: str | Path, wanted: str) -> None:
    """Lightning would train or test the checkpoint's class without a word."""
    trained = checkpoint["zoo"]["class_path"]
    if trained != wanted:
        names = [path.rpartition(".")[2] for path in (trained, wanted)]
        raise InputError(f"{path} is a checkpoint of {names[0]}, not of {names[1]}")


def _report_fit(cli: Any, run: Path, console: Console) -> None:
    trainer = cli.trainer
    metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
    title = f"{cli.experiment.name}, {trainer.current_epoch} epochs: {cli.datamodule.described}"
    _print_metrics(console, title, metrics)
    saved = trainer.checkpoint_callback
    best = getattr(saved, "best_model_path", "")
    lines = [f"run:      {run}"]
    if (run / "pictures").exists():
        lines.append(f"pictures: {run / 'pictures'}")
    last = run / "checkpoints" / "last.ckpt"
    path = best or (str(last) if last.is_file() else "")  # the last alone: nothing was validated
    if path:
        score = getattr(saved, "best_model_score", None)
        measured = f"  ({saved.monitor} {rounded(float(score))})" if score is not None else ""
        path = os.path.relpath(path) if not run.is_absolute() else path
        lines.append(f"{'best' if best else 'last'}:     {path}{measured}")
        commands = [*_uses(cli.model, cli.datamodule, path), f"zoo compare {run.parent}"]
        lines += [f"{'' if index else 'next:':<10}{line}" for index, line in enumerate(commands)]
    console.print("\n".join(lines), soft_wrap=True)


def _uses(model: Any, corpus: Any, checkpoint: str) -> Iterator[str]:
    """The commands that make something of a checkpoint."""
    if "test" in getattr(corpus, "splits", ("test",)):
        yield f"zoo test --ckpt_path {checkpoint}"
    elif corpus.holds_out:
        yield f"zoo validate --ckpt_path {checkpoint}"
    inputs = getattr(model, "predicts", getattr(corpus, "predicts", None))
    if inputs is not None:
        yield f"zoo predict --ckpt_path {checkpoint} {inputs}".rstrip()


def _remove(run: Path, *, and_above: bool) -> None:
    shutil.rmtree(run)
    for folder in (run.parent, run.parent.parent)[: 1 + and_above]:
        if not any(folder.iterdir()):
            folder.rmdir()


def _print_metrics(console: Console, title: str, metrics: Any) -> None:
    console.print(title, soft_wrap=True)
    table = Table()
    table.add_column("metric")
    table.add_column("value", justify="right")
    for name in sorted(metrics):
        table.add_row(name, rounded(float(metrics[name])))
    console.print(table)


def _signatures(model: Any, metrics: Any) -> Iterator[tuple[str, str]]:
    """How metrics were computed that are computed in many ways."""
    measured = {name.rpartition("/")[2] for name in metrics}
    return ((name, how) for name, how in model.signatures.items() if name in measured)


def _keep(run: Path, path: Path, cli: Any, metrics: Any, checkpoint: dict[str, Any]) -> None:
    """Writes test.json into the run folder."""
    record = {
        "metrics": {name: float(value) for name, value in metrics.items()},
        "signatures": dict(_signatures(cli.model, metrics)),
        "checkpoint": path.name,
        "epoch": checkpoint["epoch"] + 1,
        "corpus": cli.datamodule.described,
        "synthetic": cli.datamodule.synthetic,
        "date": date.today().isoformat(),
    }
    write_json(run / "test.json", record)


def write_json(path: Path, record: dict[str, Any]) -> None:
    """Writes a record as a file, whole or not at all."""
    staged = path.with_name(f".{path.name}.partial")
    staged.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    staged.replace(path)
