"""SIGTERM and SIGUSR1 at any instant: no torn checkpoint, no hang, the right exit code."""

import os
import random
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.durability.trial import same
from tests.processes import Command
from zoo.checkpoints.checkpoint import read
from zoo.errors import InputError

RECIPE = "softmax_regression-fashion_mnist"
FIT = [
    *("fit", RECIPE, "--data.synthetic", "true", "--data.batch_size", "50"),
    *("--trainer.accelerator", "cpu", "--wandb", "disabled", "--trainer.max_epochs", "15"),
]
PATIENCE = 30  # seconds
TOO_LATE = "done already and tried again"


def finish(folder, *options):
    """Trains to the end; returns the weights."""
    command = Command(Path(), *FIT, "--runs", str(folder), *options)
    said = command.communicate(600)
    assert command.returncode == 0, said
    (run,) = (folder / RECIPE).iterdir()
    return read(run / "checkpoints" / "last.ckpt")["state_dict"]


@pytest.mark.slow
@pytest.mark.tries(5, 200)
def test_signals(outcome, tries, tmp_path):
    """Signals a run, now and then twice; then resumes what it saved, to the same weights."""
    signal_runs(outcome, tries, tmp_path, os.kill)


@pytest.mark.slow
@pytest.mark.tries(3, 60)
def test_signals_to_the_group(outcome, tries, tmp_path):
    """Signals a run and the workers that load for it."""
    signal_runs(outcome, tries, tmp_path, os.killpg, "--data.num_workers", "2")


def signal_runs(outcome, tries, folder, send, *options):
    Command(Path(), "--version").communicate(600)  # starts the server that forks
    draw, begun, number = random.Random(0), time.monotonic(), 0
    whole = finish(folder / "whole", *options)
    longest = time.monotonic() - begun
    while outcome.tries < tries:
        number += 1
        found = signalled(number, draw, longest, whole, outcome, send, *options)
        if found == TOO_LATE:
            outcome.note(TOO_LATE)
            longest *= 0.9  # the machine is less busy than it was
        else:
            outcome.count(found)


def signalled(number, draw, longest, whole, outcome, send, *options):
    """Returns what is wrong with the end of a run that was signalled, None if nothing is."""
    saves_first = draw.random() < 0.5
    what = f"try {number}, {'USR1 and TERM' if saves_first else 'TERM'}"
    folder = Path("runs") / str(number)
    command = Command(Path(), *FIT, "--runs", str(folder), *options)
    time.sleep(draw.uniform(0.2, 0.9) * longest)
    with suppress(ProcessLookupError):  # too late
        if saves_first:
            send(command.pid, signal.SIGUSR1)
            time.sleep(draw.uniform(0, 0.2))
        send(command.pid, signal.SIGTERM)
    try:
        said = command.communicate(PATIENCE)
    except subprocess.TimeoutExpired:
        return f"{what}: hangs"
    if command.returncode in (-signal.SIGTERM, -signal.SIGUSR1):
        outcome.note("ended before training began")
        return f"{what}: left a checkpoint half done" if list(folder.rglob(".*.partial")) else None
    if "before its first step" in said[1]:
        outcome.note("ended before its first step")
        return f"{what}: left a folder" if folder.exists() else None
    if command.returncode == 0:
        return TOO_LATE
    if command.returncode != 128 + signal.SIGTERM:
        return f"{what}: exit code {command.returncode}: {said}"
    path = folder / RECIPE / "1" / "checkpoints" / "last.ckpt"
    try:
        step = read(path)["global_step"]
        weights = finish(folder / "again", "--ckpt_path", str(path))
    except (InputError, AssertionError) as error:
        return f"{what}: {error}"
    return None if same(weights, whole) else f"{what}: torn in step {step}"
