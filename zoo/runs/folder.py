"""Run folders: runs/<name>/<number>/, made once, by the first process."""

import os
from pathlib import Path
from shutil import rmtree
from uuid import uuid4

from zoo.errors import InputError
from zoo.files import numbered, remove_partial

VARIABLE = "ZOO_RUN"
SETTINGS = ".settings"  # of the run of a job
CHOSEN = "ZOO_CHOSEN_RUN"  # the folder that a sweep gives to a trial, whose run this process begins


def is_first_process() -> bool:
    """Whether this process began the run: no launcher, Lightning's included, ranks it later."""
    rank = os.environ.get("RANK") or os.environ.get("SLURM_PROCID") or "0"
    return VARIABLE not in os.environ and rank == "0"


def given() -> Path | None:
    """The folder that the first process handed to this one, if it was started by it."""
    folder = os.environ.get(VARIABLE)
    return Path(folder) if folder else None


def create(
    base: Path, name: str, settings: str = "", length: str = "", *, any_length: bool = False
) -> Path:
    """Makes the next numbered folder, or finds the one that this job has for these settings.

    The number follows from an exclusive mkdir, so that two runs started together get two
    folders; the path goes to the ranks that Lightning starts in the environment. Under SLURM and
    torchrun it follows from the job, so that a requeued job goes on in its folder: `job-<id>`, or
    `job-<id>-2` ... where a job trains several runs. Where torchrun was given no job id the first
    process makes the folder, and alone writes. A trial of a sweep has the folder that was chosen
    for it.

    Args:
        base: Folder of all runs.
        name: Name of the experiment.
        settings: Text that two runs of one job share where the second is the first, requeued.
        length: Text of how long the run trains, which they share too.
        any_length: Whether a run of another length will do, to be trained longer.

    Raises:
        InputError: The folder cannot be written.
    """
    if folder := given():
        return folder
    parent, job, first = base / name, _job(), is_first_process()
    chosen = os.environ.pop(CHOSEN, None)
    if chosen:
        parent, job = Path(chosen).parent, None
    if not job and not first:
        return parent / "0"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        if chosen:
            folder = Path(chosen)
            folder.mkdir(exist_ok=True)
        else:
            run = [str(job), settings, length]
            folder = _of_job(parent, run, any_length) if job else _next_number(parent)
        if not os.access(folder, os.W_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise InputError(
            f"{parent}: the run folder cannot be written ({error.strerror}); "
            "choose another: --runs DIR"
        ) from None
    if first:
        _keep_metrics(folder)
        for left in parent.glob("*/checkpoints/.*.partial"):  # by runs that were killed
            remove_partial(left)
    os.environ[VARIABLE] = str(folder)
    return folder


def forget() -> None:
    """Ends the run of this process, so that another may follow in it."""
    os.environ.pop(VARIABLE, None)


def _job() -> str | None:
    """The job's id under SLURM (not in its interactive shells) and torchrun, if it has one."""
    interactive = os.environ.get("SLURM_JOB_NAME") in ("bash", "interactive")
    if "SLURM_PROCID" in os.environ and not interactive:
        return os.environ.get("SLURM_JOB_ID")
    job = os.environ.get("TORCHELASTIC_RUN_ID")
    return None if job == "none" else job


def _of_job(parent: Path, run: list[str], any_length: bool) -> Path:
    """Finds or makes the folder of a job's run; all ranks get the same, whichever comes first.

    Args:
        parent: Folder of the runs of one name.
        run: Job, settings and length.
        any_length: Whether a run of another length will do.
    """
    job, text = run[0], "\n".join(run)
    begun = {path: path.read_text("utf-8") for path in sorted(parent.glob(f"job-*/{SETTINGS}"))}
    found = [path.parent for path, other in begun.items() if other == text]
    if any_length:
        found += [p.parent for p, other in begun.items() if other.split("\n")[:2] == run[:2]]
    if found:
        return found[0]
    draft = parent / f".{uuid4().hex}"  # it gets its name with the settings in it
    draft.mkdir()
    try:
        (draft / SETTINGS).write_text(text, encoding="utf-8")
        number, folder = 1, parent / f"job-{job}"
        while True:
            try:
                return draft.rename(folder)
            except OSError:
                if not folder.is_dir():
                    raise
            path = folder / SETTINGS
            if not path.exists() or path.read_text("utf-8") == text:
                return folder
            number += 1
            folder = parent / f"job-{job}-{number}"
    finally:
        rmtree(draft, ignore_errors=True)


def _next_number(parent: Path) -> Path:
    number = max((int(p.name) for p in parent.iterdir() if p.name.isdecimal()), default=0)
    return numbered(parent / "{}", Path.mkdir, number + 1)


def _keep_metrics(folder: Path) -> None:
    """Sets the metrics of an earlier try aside: Lightning's CSVLogger would delete them."""
    metrics = folder / "metrics.csv"
    if metrics.is_file():
        tries = len(list(folder.glob("metrics-*.csv"))) + 1
        metrics.rename(folder / f"metrics-{tries}.csv")
