"""Run folders: runs/<name>/<number>/, made once, by the first process."""

import os
from pathlib import Path

from zoo.errors import InputError

VARIABLE = "ZOO_RUN"


def create(base: Path, name: str) -> Path:
    """Makes the next numbered folder, or finds the one that this job already has.

    The number follows from an exclusive mkdir, so that two runs started together get two
    folders. The path goes to the other ranks in the environment. Under SLURM it follows from
    the job, so that a requeued job goes on in its folder.

    Raises:
        InputError: The folder cannot be written.
    """
    if given := os.environ.get(VARIABLE):
        return Path(given)
    parent = base / name
    try:
        folder = _of_job(parent) or _next_number(parent)
        if not os.access(folder, os.W_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise InputError(
            f"{parent}: the run folder cannot be written ({error.strerror}); "
            "choose another: --runs DIR"
        ) from None
    _keep_metrics(folder)
    os.environ[VARIABLE] = str(folder)
    return folder


def forget() -> None:
    """Ends the run of this process, so that another may follow in it."""
    os.environ.pop(VARIABLE, None)


def _of_job(parent: Path) -> Path | None:
    job = os.environ.get("SLURM_JOB_ID") if "SLURM_PROCID" in os.environ else None
    if job is None:
        return None
    folder = parent / f"job-{job}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _next_number(parent: Path) -> Path:
    parent.mkdir(parents=True, exist_ok=True)
    number = max((int(p.name) for p in parent.iterdir() if p.name.isdecimal()), default=0)
    while True:
        number += 1
        try:
            (parent / str(number)).mkdir()
        except FileExistsError:
            continue
        return parent / str(number)


def _keep_metrics(folder: Path) -> None:
    """Sets the metrics of an earlier try aside: Lightning's CSVLogger would delete them."""
    metrics = folder / "metrics.csv"
    if metrics.is_file():
        tries = len(list(folder.glob("metrics-*.csv"))) + 1
        metrics.rename(folder / f"metrics-{tries}.csv")
