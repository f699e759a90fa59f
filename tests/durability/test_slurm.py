"""A real SLURM of two nodes: jobs train on both, and one that is requeued loses nothing."""

import random
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.durability.cluster import missing, tell, two_nodes, wait_for
from tests.durability.trial import same
from zoo.checkpoints.checkpoint import read
from zoo.cli.main import main
from zoo.errors import InputError

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing())]
RECIPE = "softmax_regression-fashion_mnist"
RUNS = Path("runs") / RECIPE
SUBMIT = [
    *("submit", RECIPE, "--data.synthetic", "true", "--data.batch_size", "50"),
    *("--nodes", "2", "--gpus", "0", "--trainer.max_epochs", "10"),
]
TOO_LATE = "ended before and tried again"
LONG = 600  # seconds that a job may take on a busy machine


@pytest.fixture(scope="module", autouse=True)
def _slurm(tmp_path_factory):
    with two_nodes(tmp_path_factory.mktemp("slurm")):
        yield


@pytest.fixture(autouse=True)
def _with_wandb(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")


def submitted(capsys, *options) -> str:
    """The id of a job."""
    assert main([*SUBMIT, *options]) == 0
    return capsys.readouterr().out.split("job:")[1].split(",")[0].strip()


def state(job: str) -> str:
    """RUNNING, PENDING, COMPLETED ..."""
    shown = tell("scontrol", "show", "job", job)
    return shown.partition("JobState=")[2].split()[0]


def said(job: str) -> str:
    path = RUNS / f"job-{job}.log"
    return path.read_text() if path.exists() else ""


def go_on(job: str) -> None:
    """Has a job that was requeued start at once, which SLURM would hold for two minutes."""
    wait_for(lambda: state(job) == "PENDING", LONG)
    tell("scontrol", "update", f"job={job}", "StartTime=now")


def completed(job: str) -> dict:
    """The weights in the end."""
    wait_for(lambda: state(job) not in ("RUNNING", "PENDING", "COMPLETING", "CONFIGURING"), LONG)
    assert state(job) == "COMPLETED", said(job)
    return read(RUNS / f"job-{job}" / "checkpoints" / "last.ckpt")["state_dict"]


@pytest.mark.tries(3, 20)
def test_requeued_jobs_lose_nothing(capsys, outcome, tries):
    """Requeues each job at a random time, as its end does or as others do."""
    first, begun = submitted(capsys), time.monotonic()
    whole, draw = completed(first), random.Random(0)
    longest = time.monotonic() - begun
    while outcome.tries < tries:
        job = submitted(capsys)
        wait_for(lambda job=job: state(job) == "RUNNING")
        time.sleep(draw.uniform(0.1, 0.9) * longest)
        how = ("scancel", "--signal=USR1") if outcome.tries % 2 else ("scontrol", "requeue")
        found = requeued(job, how, whole, outcome)
        if found == TOO_LATE:
            outcome.note(TOO_LATE)
            longest *= 0.9  # the machine is less busy than it was
        else:
            outcome.count(found)


def requeued(job, how, whole, outcome):
    """Returns what is wrong with a job that was requeued, None if nothing is."""
    with suppress(AssertionError):  # it has ended
        tell(*how, job)
    try:
        time.sleep(1)
        wait_for(lambda: state(job) not in ("RUNNING", "COMPLETING"), LONG)
        late = state(job) == "COMPLETED"
        if state(job) == "PENDING":
            go_on(job)
        weights = completed(job)
    except (AssertionError, InputError, TimeoutError) as error:
        return f"job {job}, {how}: {error}: {said(job)}"
    if "Traceback" in said(job):
        return f"job {job}, {how}: {said(job)}"
    if not same(weights, whole):
        return f"job {job}, {how}: other weights"
    if not late:
        outcome.note("resumed" if "it goes on from" in said(job) else "begun anew")
    return TOO_LATE if late else None


def test_a_job_whose_time_is_up_goes_on(capsys):
    job = submitted(capsys, "--time", "00:03:00", "--trainer.max_epochs", "9999")
    wait_for(lambda: "is requeued" in said(job), LONG)
    go_on(job)
    wait_for(lambda: "it goes on from" in said(job), LONG)
    tell("scancel", job)
    wait_for(lambda: state(job) == "CANCELLED", LONG)
    lines = [line for line in said(job).splitlines() if line.startswith("zoo: ")]
    assert lines[0].startswith("zoo: stopped by SIGUSR1: step ")
    assert "Traceback" not in said(job)


def test_an_array_trains_with_a_seed_each(capsys):
    submitted(capsys, "--array", "0-1", "--trainer.max_epochs", "1")
    wait_for(lambda: not tell("squeue", "-h"), LONG)
    logs = [path.read_text() for path in sorted(RUNS.glob("job-*.log"))]
    assert len(logs) == 2
    runs = sorted(path for path in RUNS.glob("job-*") if path.is_dir())
    weights = [read(run / "checkpoints" / "last.ckpt")["state_dict"] for run in runs]
    assert len(weights) == 2, logs
    assert not same(*weights)
