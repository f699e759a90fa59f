"""sweep: the trials of a W&B sweep file, by W&B's agents or by optuna on this machine."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout
from rich.console import Console

from zoo.catalogue import imported
from zoo.cli.report import counted, plain_console, waiting
from zoo.cli.sweep.file import ANOTHER, Metric, Sweep, read_sweep
from zoo.errors import InputError
from zoo.files import write_json
from zoo.runs.rounding import rounded, short_names
from zoo.runs.wandb_options import WandbOptions

RECORD = "sweep.json"  # what the sweep was begun with
COPY = "sweep.yaml"
BEGUN = {"sweep file": COPY, "options": RECORD, "seed": RECORD}
FIT = (sys.executable, "-m", "zoo.cli")


def sweep(options: argparse.Namespace, overrides: list[str]) -> int:
    """Runs a sweep, or goes on with it; returns 1 where all trials failed.

    A sweep lies in `runs/<name>/`: the study, a copy of the file, a run folder for each trial by
    its number, what the trials said (`logs/`), results.csv and a picture of them. The same command
    goes on with a sweep that was cut short: trials that have ended are not repeated, and those that
    ran go on from their last checkpoint. A trial that fails is said and kept as such; what counts
    is the best value of the metric in any epoch, as W&B counts it.

    Raises:
        InputError: The file, an option or the folder does not do.
        StoppedError: By a signal.
    """
    return run_sweep(read_sweep(options.file), options, overrides)


def run_sweep(plan: Sweep, options: argparse.Namespace, overrides: list[str]) -> int:
    """Runs a sweep that was read, or goes on with it; see `sweep`."""
    for name in ("jobs", "count"):
        if (number := getattr(options, name)) is not None and number < 1:
            raise InputError(f"--{name} must be at least 1, not {number}")
    caps = [cap for cap in (plan.run_cap, options.count) if cap is not None]
    cap = min(caps) if caps else None
    wandb, console = WandbOptions.of(options), plain_console()
    trust = [f"--allow={package}" for package in options.allow]
    if (wandb.mode or os.environ.get("WANDB_MODE")) == "online":
        done = _online(plan, options, [*overrides, *trust], cap, console)
        if done is not None:
            return done
        wandb = replace(wandb, mode="offline")
    if cap is None and plan.method != "grid":
        raise InputError(
            f"{plan.path}: method: {plan.method} has no end of its own: add run_cap: or --count N"
        )
    folder = options.runs / plan.name
    _refuse_others(folder)
    begun = _beginning(plan, overrides, options.seed)
    with waiting("putting the first trial together"):
        facts = _facts_of(folder, begun) or _checked(plan, [*overrides, *trust])
    with _locked(folder):
        if not (folder / RECORD).exists():
            (folder / "logs").mkdir(exist_ok=True)
            write_json(folder / RECORD, {**begun, "facts": facts})
        (folder / COPY).write_text(plan.text, encoding="utf-8")
        own = [*overrides, *trust, *wandb.arguments()]
        return _run(plan, folder, facts, own, cap, options, console)


def _online(
    plan: Sweep,
    options: argparse.Namespace,
    overrides: list[str],
    cap: int | None,
    console: Console,
) -> int | None:
    """The exit code of W&B's agents; None where W&B cannot be reached, which is said."""
    from zoo.cli.sweep.online import create, run_agents

    wandb = WandbOptions.of(options)
    where = {n: v for n in ("project", "entity") if (v := getattr(wandb, n))}
    plan = replace(plan, config={**plan.config, **where})
    own = [*overrides, *wandb.arguments("mode", *where)]
    try:
        sweep_id = create(plan, own, options.runs, cap)
    except InputError as error:
        console.print(f"the sweep runs on this machine, W&B offline: {error}", soft_wrap=True)
        return None
    return run_agents(plan, sweep_id, _environments(options.jobs))


def _refuse_others(folder: Path) -> None:
    """Refuses a folder that is not a sweep's."""
    if folder.is_dir() and not (folder / RECORD).is_file():
        others = [path.name for path in folder.iterdir() if path.name not in (".lock", "logs")]
        if others:
            raise InputError(f"{folder} holds other runs; {ANOTHER}")


def _beginning(plan: Sweep, overrides: list[str], seed: int) -> dict[str, Any]:
    return {"sweep file": plan.identity(), "options": overrides, "seed": seed}


def begun_with(folder: Path, plan: Sweep, overrides: list[str], seed: int) -> bool:
    """Returns whether a folder holds a sweep that was begun with just these settings."""
    try:
        return _facts_of(folder, _beginning(plan, overrides, seed)) is not None
    except InputError:
        return False


def _facts_of(folder: Path, begun: dict[str, Any]) -> dict[str, Any] | None:
    """What was found out when the sweep was begun; None where it is a new one.

    Raises:
        InputError: It was begun with another file, other options or another seed.
    """
    path = folder / RECORD
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        facts = dict(record["facts"])
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{path}: cannot be read; {ANOTHER}") from None
    for key, value in begun.items():
        if record.get(key) != value:
            raise InputError(
                f"{folder} was begun with another {key}: go on with what {folder / BEGUN[key]} "
                f"says, or {ANOTHER}"
            )
    return facts


def _checked(plan: Sweep, overrides: Sequence[str]) -> dict[str, Any]:
    """What must be known of the trials; one of them is put together for that, but not run.

    Raises:
        InputError: `zoo fit` refuses it, or the model has no metric of its own.
    """
    values = {p.name: p.example(as_grid=plan.method == "grid") for p in plan.parameters}
    done = subprocess.run(
        [*FIT, *plan.arguments(values), *overrides, "--print_config"],
        capture_output=True,
        text=True,
        env={**os.environ, **plan.environment},
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        reason = said[-1].removeprefix("zoo: ") if said else f"zoo fit ended with {done.returncode}"
        raise InputError(f"{plan.path}: {reason}")
    config = yaml.safe_load(done.stdout)
    epochs = config.get("trainer", {}).get("max_epochs")
    swept = any(parameter.name == "trainer.max_epochs" for parameter in plan.parameters)
    facts: dict[str, Any] = {"epochs": None if swept or not epochs or epochs < 1 else epochs}
    if plan.metric is None:
        model = imported(config["model"]["class_path"])
        monitor = getattr(model, "monitor", None)
        if not monitor and plan.path.is_file():
            raise InputError(f"{plan.path}: metric: {model.__name__} has none of its own; name one")
        mode = getattr(model, "monitor_mode", "min")
        # A model of others most often logs this one; where it does not, the trials have no order.
        facts |= {"metric": monitor or "val_loss", "maximize": mode == "max"}
    return facts


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Makes the folder and holds it against another sweep."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock", timeout=0)
        lock.acquire()
    except OSError as error:
        if isinstance(error, Timeout):
            raise InputError(f"{folder}: another zoo sweep is at work in it") from None
        reason = error.strerror
        raise InputError(f"{folder}: cannot be written ({reason}); choose --runs DIR") from None
    try:
        yield
    finally:
        lock.release()


def _environments(jobs: int | None) -> list[dict[str, str]]:
    """The variables of the trials that run at a time: by default one trial a visible GPU.

    One that runs alone has all GPUs; without GPUs several share out the processors.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        import torch

        gpus = [str(index) for index in range(torch.cuda.device_count())]
    else:
        gpus = [name.strip() for name in visible.split(",") if name.strip() not in ("", "-1")]
    count = jobs or max(1, len(gpus))
    if count == 1:
        return [{}]
    if gpus:
        return [{"CUDA_VISIBLE_DEVICES": gpus[index % len(gpus)]} for index in range(count)]
    threads = os.environ.get("OMP_NUM_THREADS") or max(1, (os.cpu_count() or 1) // count)
    return [{"OMP_NUM_THREADS": str(threads)}] * count


def _run(
    plan: Sweep,
    folder: Path,
    facts: dict[str, Any],
    own: Sequence[str],
    cap: int | None,
    options: argparse.Namespace,
    console: Console,
) -> int:
    from zoo.cli.sweep.live import LiveTrials
    from zoo.cli.sweep.report import described, report, write_results
    from zoo.cli.sweep.runner import Runner
    from zoo.cli.sweep.study import Study, Trial

    metric = plan.metric or Metric(facts["metric"], facts["maximize"])
    study = Study(folder, plan, metric, epochs=facts["epochs"], seed=options.seed, cap=cap)
    names = short_names([parameter.name for parameter in plan.parameters if parameter.varies])
    width = len(str(study.total))

    def say(trial: Trial, what: str) -> None:
        line = f"trial {trial.number:>{width}}/{study.total}  {described(trial.values, names)}"
        value = trial.result(metric)
        if what == "failed":
            what = f"failed ({trial.reason}): see {folder / 'logs' / f'{trial.number}.txt'}"
        elif value is not None and what in ("finished", "pruned"):
            took = f"{counted(trial.epochs, 'epoch')}  {trial.seconds:.1f} s"
            what = f"{metric.name} {rounded(value)}  {took}{'  pruned' * (what == 'pruned')}"
        console.print(f"{line}  {what}", soft_wrap=True)
        write_results(folder, study.trials, plan.parameters, metric)

    ended = sum(trial.state != "running" for trial in study.trials)
    before = f", {ended} have ended before" if ended else ""
    console.print(f"sweep: {folder}, {counted(study.total, 'trial')}{before}", soft_wrap=True)
    slots = _environments(options.jobs)
    with LiveTrials(console, study, metric, names, facts["epochs"], len(slots)) as live:
        Runner(study, plan, folder, own, slots, say, live.look).run()
    report(console, folder, study.trials, plan.parameters, metric, options.allow)
    if all(trial.state == "failed" for trial in study.trials):
        print("zoo: all trials failed", file=sys.stderr)
        return 1
    return 0
