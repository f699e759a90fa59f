"""submit: a plain sbatch file of one `zoo fit`, checked before it is queued."""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from operator import mul
from pathlib import Path

from zoo.cli.experiment import Experiment
from zoo.cli.run import experiment_of
from zoo.errors import InputError
from zoo.files import numbered
from zoo.runs.redaction import is_secret
from zoo.runs.wandb_options import WandbOptions

WARNING = 120  # seconds before its end at which SLURM signals a job
GROUP = 'export WANDB_RUN_GROUP="${WANDB_RUN_GROUP:-array-$SLURM_ARRAY_JOB_ID}"'
WORD = r"[\w.,+:@/=\[\]-]+"
TIME = r"\d+|\d+:\d\d(:\d\d)?|\d+-\d+(:\d\d){0,2}"
FORMS = {
    "time": (TIME, "wanted HH:MM:SS, or D-HH:MM:SS"),
    "partition": (WORD, "wanted a name"),
    "account": (WORD, "wanted a name"),
    "mem": (r"\d+[KMGT]?", "wanted a size for each node: 64G"),
    "array": (r"[\d,:-]+(%\d+)?", "wanted seeds: 0-4, or 1,3,5"),
}


def submit(options: argparse.Namespace, overrides: list[str]) -> int:
    """Writes `runs/<recipe>/submit-<n>.sbatch` and hands it to sbatch; a dry run prints it.

    Raises:
        InputError: The recipe, an option or a value is bad, or there is no sbatch or it refuses.
    """
    _check(options)
    environment = dict(os.environ)  # to parse sets a variable or two
    _add_trainer_options(options, overrides)
    experiment = experiment_of(options, overrides)
    _parse(experiment)
    folder = options.runs / experiment.name
    if re.search(r"[\"'\\\x00-\x1f]", str(folder)):
        raise InputError(f"--runs {str(options.runs)!r}: sbatch takes no quotes or the like there")
    if options.dry_run:
        print(script(options, overrides, experiment), end="")
        return 0
    if shutil.which("sbatch") is None:
        raise InputError(
            "there is no sbatch here: submit from a machine of the cluster, "
            "or add --dry-run to see the file"
        )
    path, made = _write(folder, script(options, overrides, experiment))
    try:
        job = _hand_in(path, environment)
    except InputError:
        path.unlink()
        for parent in made:
            parent.rmdir()
        raise
    _report(job, path, folder, options)
    return 0


def _parse(experiment: Experiment) -> None:
    """Parses all settings and builds nothing."""
    from zoo.cli.lightning import ZooCLI

    class Parsed(ZooCLI):
        def instantiate_classes(self) -> None:
            pass

    Parsed(experiment, None, logs=False)


def _check(options: argparse.Namespace) -> None:
    for name, (form, wanted) in FORMS.items():
        value = getattr(options, name)
        if value is not None and not re.fullmatch(form, value):
            raise InputError(f"--{name} {value!r}: {wanted}")
    if options.time is not None and 0 < _seconds(options.time) <= WARNING:  # 0 has no end
        raise InputError(
            f"--time {options.time}: the last two minutes of a job are for saving and requeueing; "
            "ask for more"
        )
    for name, least in (("nodes", 1), ("gpus", 0), ("cpus_per_task", 1)):
        value = getattr(options, name)
        if value is not None and value < least:
            raise InputError(f"--{name.replace('_', '-')} {value}: wanted {least} or more")
    for pair in options.env:
        name, given, _ = pair.partition("=")
        if not given or not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise InputError(f"--env {name}: wanted NAME=VALUE")
        if is_secret(name):
            raise InputError(
                f"--env {name}: secrets do not go into a file; `export {name}=...` before "
                "zoo submit, and sbatch hands it on"
            )
    if options.container_runtime and not options.container:
        raise InputError("--container-runtime says how to run an image: add --container IMAGE")


def _seconds(time: str) -> int:
    """Returns the seconds of a time in one of SLURM's forms: M, M:S, H:M:S, D-H, D-H:M, D-H:M:S."""
    days, dash, rest = time.rpartition("-")
    given = [int(part) for part in rest.split(":")]
    sizes = (3600, 60, 1) if dash or len(given) == 3 else (60, 1)
    return int(days or 0) * 86400 + sum(map(mul, given, sizes))


def _add_trainer_options(options: argparse.Namespace, overrides: list[str]) -> None:
    """Trains on what is asked for; on several devices by DDP, unless another way is named."""
    tasks = max(1, options.gpus)
    given = {option.partition("=")[0] for option in overrides}
    for name, value in (
        ("num_nodes", options.nodes),
        ("devices", tasks),
        ("accelerator", "gpu" if options.gpus else "cpu"),
    ):
        option = f"--trainer.{name}"
        if option in given and name != "accelerator":
            raise InputError(f"{option} follows from --nodes and --gpus and cannot be set")
        if option not in given:
            overrides.append(f"{option}={value}")
    strategies = {"ddp", "fsdp"} & set(options.overlays)
    if options.nodes * tasks > 1 and not strategies and "--trainer.strategy" not in given:
        options.overlays.append("ddp")


def script(options: argparse.Namespace, overrides: list[str], experiment: Experiment) -> str:
    """The text of the file."""
    lines = [
        "#!/bin/bash",
        f"# {experiment.name}, written by zoo submit; to hand it in again: sbatch <this file>",
        *(f"#SBATCH --{line}" for line in _requests(options, experiment.name)),
        "",
        "# Two minutes before the time is up the run saves, requeues the job, and goes on in it.",
        "set -eo pipefail",
        "export PYTHONUNBUFFERED=1",
        *([GROUP] if options.array is not None else []),
        *(f"export {name}={shlex.quote(value)}" for name, _, value in _pairs(options.env)),
        *options.setup,
        "",
    ]
    words = [*_launch(options), *_train(options, overrides)]
    return "\n".join([*lines, " \\\n    ".join(words), ""])


def _pairs(texts: list[str]) -> Iterator[tuple[str, str, str]]:
    return (text.partition("=") for text in texts)


def _requests(options: argparse.Namespace, name: str) -> Iterator[str]:
    yield f"job-name={name}"
    yield f"nodes={options.nodes}"
    yield f"ntasks-per-node={max(1, options.gpus)}"
    if options.gpus:
        yield f"gpus-per-node={options.gpus}"
    for option in ("cpus_per_task", "mem", "time", "partition", "account", "array"):
        value = getattr(options, option)
        if value is not None:
            yield f"{option.replace('_', '-')}={value}"
    yield f'output="{str(options.runs / name).replace("%", "%%")}/job-%j.log"'
    yield "open-mode=append"
    yield "requeue"
    yield f"signal=USR1@{WARNING}"


def _launch(options: argparse.Namespace) -> Iterator[str]:
    """srun, and what it runs `zoo` in."""
    srun = "srun --kill-on-bad-exit=1"
    if options.cpus_per_task is not None:  # which srun does not take from the job since 22.05
        srun += f" --cpus-per-task={options.cpus_per_task}"
    if not options.container:
        yield srun
        yield f"{shlex.quote(sys.executable)} -m zoo.cli"
        return
    image = shlex.quote(options.container)
    if options.container_runtime == "pyxis":
        yield f"{srun} --container-image={image}"
        yield '--container-mounts="$PWD:$PWD${ZOO_DATA:+,$ZOO_DATA:$ZOO_DATA}"'
        yield '--container-workdir="$PWD"'
    else:
        yield srun
        cards = "--nv " if options.gpus else ""
        yield f'apptainer exec {cards}--bind "$PWD" ${{ZOO_DATA:+--bind "$ZOO_DATA"}} {image}'
    yield "zoo"


def _train(options: argparse.Namespace, overrides: list[str]) -> Iterator[str]:
    """`fit` and its arguments, quoted."""
    first = ["fit"]
    if options.recipe:
        first.append(options.recipe)
    yield shlex.join([*first, *(f"+{name}" for name in options.overlays)])
    for name in ("config", "model", "data", "runs", "seed_everything"):
        value = getattr(options, name)
        if value is not None:
            yield shlex.join([f"--{name}", str(value)])
    yield from map(shlex.quote, WandbOptions.of(options).arguments())
    for package in options.allow:
        yield shlex.join(["--allow", package])
    if options.array is not None and options.seed_everything is None:
        yield '--seed_everything "$SLURM_ARRAY_TASK_ID"'
    for option in overrides:
        yield shlex.quote(option)
    yield shlex.join(["--ckpt_path", options.ckpt_path or "last"])


def _write(folder: Path, text: str) -> tuple[Path, list[Path]]:
    """The next numbered file, and the folders that were made for it, the innermost first."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = numbered(folder / "submit-{}.sbatch", lambda path: path.touch(exist_ok=False))
        path.write_text(text, encoding="utf-8")
        return path, missing
    except OSError as error:
        raise InputError(
            f"{folder}: the file cannot be written ({error.strerror}); choose another: --runs DIR"
        ) from None


def _hand_in(path: Path, environment: dict[str, str]) -> str:
    """The job's id."""
    command = ["sbatch", "--parsable", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"it ends with {done.returncode}"
        raise InputError(f"sbatch refuses the job: {said}")
    job = done.stdout.strip().partition(";")[0]
    if not job.isdecimal():
        raise InputError(f"sbatch gave no id of a job: {done.stdout.strip()!r}")
    return job


def _report(job: str, path: Path, folder: Path, options: argparse.Namespace) -> None:
    run = folder / f"job-{'*' if options.array else job}"  # each of an array has an id of its own
    print(f"job:      {job}, by {path}")
    print(f"run:      {run}")
    print(f"log:      {run}.log")
    print(f"watch:    squeue --job {job}")
    print(f"cancel:   scancel {job}")
