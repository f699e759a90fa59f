"""W&B's service killed or stopped at any instant: the run goes on, and its metrics are whole."""

import random
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.processes import Command
from zoo.runs.history import read

EPOCHS = 8
FIT = [
    *("fit", "softmax_regression-fashion_mnist", "--data.synthetic", "true"),
    *("--trainer.accelerator", "cpu", "--trainer.max_epochs", str(EPOCHS)),
]
FAULTS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP)
PATIENCE = 120  # seconds
TOO_LATE = "before the service began or after it ended, and tried again"


@pytest.mark.slow
@pytest.mark.tries(3, 60)
def test_kills_of_the_service(outcome, tries):
    Command(Path(), "--version").communicate(600)  # starts the server that forks
    draw, number, longest = random.Random(0), 0, 10.0
    while outcome.tries < tries:
        number += 1
        begun = time.monotonic()
        found = damaged_run(Path("runs") / str(number), draw.uniform(0, longest), draw)
        if found == TOO_LATE:
            outcome.note(TOO_LATE)
            longest = (longest + time.monotonic() - begun) / 2
        else:
            outcome.count(found)


def damaged_run(folder, seconds, draw):
    """Returns what is wrong with a run whose service a signal reached after so many seconds."""
    command = Command(Path(), *FIT, "--runs", str(folder), environment={"WANDB_MODE": "offline"})
    time.sleep(seconds)
    fault, reached = draw.choice(FAULTS), False
    with suppress(psutil.Error):
        for child in psutil.Process(command.pid).children(recursive=True):
            if child.name().startswith("wandb-core"):
                child.send_signal(fault)
                reached = True
    try:
        _, errors = command.communicate(PATIENCE)
    except subprocess.TimeoutExpired:
        return f"{fault.name} after {seconds:.1f} s: hangs"
    if not reached:
        return TOO_LATE
    lines = errors.strip().splitlines()
    wrong = command.returncode or len(lines) > 1 or any(not x.startswith("zoo: W&B") for x in lines)
    (run,) = folder.glob("*/1")
    measured = read(run, "run").logged("val/accuracy")
    if wrong or len(measured) != EPOCHS:
        return f"{fault.name}: exit code {command.returncode}, {len(measured)} epochs: {errors}"
    return None
